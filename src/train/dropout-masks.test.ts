// Tests the masks of one graph: over how many memories they lie decides no number, and what finds no room says what helps.
import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../graph/index.js";
import { fillDropoutMask, maskCapacity } from "./dropout.js";
import { DropoutMasks } from "./dropout-masks.js";
import { allocateTensors } from "./tensor-memory.js";
import { createMemory } from "./wasm/web-assembly.js";

const g = new GraphBuilder();
const masks = [
  { input: g.input("states", "float32", ["batch", "source", 5]), rate: 0.1 },
  { input: g.input("scores", "float32", ["batch", 2, "target", "source"]), rate: 0.3 },
  { input: g.input("answers", "float32", ["batch", "target", 5]), rate: 0.1 },
];
const batchOf = (batch: number, source: number, target: number) =>
  new Map(Object.entries({ batch, source, target }));
/** Enough for any one of the masks of the largest batch here, and for no two. */
const oneMask = 4 * maskCapacity(3 * 2 * 6 * 11);

const copies = (feeds: ReturnType<DropoutMasks["next"]>) =>
  Object.entries(feeds).map(([name, { data, shape }]) => ({ name, shape, values: [...data] }));

describe("DropoutMasks", () => {
  it("fills each mask from a stream of its own, whichever memories they lie in", () => {
    let memories = 0;
    const apart = new DropoutMasks(masks, 42, {
      limitBytes: oneMask,
      create(pages) {
        memories++;
        return createMemory(pages);
      },
    });
    const together = new DropoutMasks(masks, 42);
    // Shapes that grow in one direction and shrink in the other, so that memory is made anew and used again.
    for (const [run, [batch, source, target]] of (
      [
        [2, 4, 3],
        [3, 11, 2],
        [1, 3, 6],
        [3, 11, 6],
        [2, 4, 3],
      ] as const
    ).entries()) {
      const feeds = copies(apart.next(batchOf(batch, source, target), run));
      expect(feeds).toEqual(copies(together.next(batchOf(batch, source, target), run)));
      const sizes = batchOf(batch, source, target);
      for (const [stream, { input, rate }] of masks.entries()) {
        const shape = input.shape.map((dim) => (typeof dim === "number" ? dim : sizes.get(dim)!));
        const elements = shape.reduce((a, b) => a * b, 1);
        const room = allocateTensors([{ name: "m", parts: { m: [maskCapacity(elements)] } }]);
        const alone = room.tensors("m").get("m")!.data;
        fillDropoutMask(alone, rate, { seed: 42, step: run, stream });
        const values = [...alone.subarray(0, elements)];
        expect(feeds[stream]).toEqual({ name: input.name, shape, values });
      }
    }
    expect(memories).toBeGreaterThan(2);
  });

  it("keeps its memory where a batch fits into what the others left", () => {
    let memories = 0;
    const create = (pages: number) => {
      memories++;
      return createMemory(pages);
    };
    const kept = new DropoutMasks(masks, 0, { create });
    kept.next(batchOf(3, 11, 2), 0);
    kept.next(batchOf(1, 3, 6), 1);
    const settled = memories;
    for (const run of [2, 4]) {
      kept.next(batchOf(3, 11, 2), run);
      kept.next(batchOf(1, 3, 6), run + 1);
    }
    expect(memories).toBe(settled);
  });

  it("says what helps where one mask alone is too large, or the system gives no memory", () => {
    const tooLarge = new DropoutMasks(masks, 0, { limitBytes: oneMask });
    expect(() => tooLarge.next(batchOf(3, 12, 6), 0)).toThrow(
      expect.objectContaining({
        code: "MASKS_TOO_LARGE",
        message: expect.stringMatching(/one of them takes 1 MB, and 1 MB is the limit\.$/),
        hint: expect.stringContaining("train.microBatchTokens"),
      }),
    );
    const refused = new DropoutMasks(masks, 0, {
      create() {
        throw new RangeError("could not allocate memory");
      },
    });
    expect(() => refused.next(batchOf(1, 1, 1), 0)).toThrow(
      expect.objectContaining({
        code: "MASKS_TOO_LARGE",
        message: expect.stringMatching(/: could not allocate memory\.$/),
      }),
    );
  });
});
