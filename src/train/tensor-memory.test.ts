// Tests how tensors are laid out over memories: alignment, sharding, scratch space, and what does not fit.
import { describe, expect, it } from "vitest";
import { allocateTensors, homeOf } from "./tensor-memory.js";
import { createMemory, type KernelMemory } from "./wasm/web-assembly.js";

const pair = (name: string, elements: number, scratchBytes = 0) => ({
  ...{ name, scratchBytes },
  parts: { weight: [elements], gradient: [elements] },
});

describe("allocateTensors", () => {
  it("gives zeroed views that are aligned, apart from each other and shaped as asked", () => {
    const memory = allocateTensors([
      { name: "a", parts: { weight: [3, 5], gradient: [3, 5] } },
      { name: "b", parts: { weight: [1] } },
      { name: "scalar", parts: { weight: [] } },
    ]);
    const weights = memory.tensors("weight");
    expect([...weights.keys()]).toEqual(["a", "b", "scalar"]);
    expect([...memory.tensors("gradient").keys()]).toEqual(["a"]);
    expect([...memory.tensors("nothing").keys()]).toEqual([]);
    expect(weights.get("a")).toMatchObject({ dtype: "float32", shape: [3, 5] });
    expect(weights.get("scalar")?.data).toHaveLength(1);
    const all = [...weights.values(), ...memory.tensors("gradient").values()];
    for (const [index, { data }] of all.entries()) {
      expect(data.byteOffset % 64).toBe(0);
      expect(new Set(data)).toEqual(new Set([0]));
      data.fill(index + 1);
    }
    for (const [index, { data }] of all.entries())
      expect(new Set(data)).toEqual(new Set([index + 1]));
  });

  it("keeps a bundle in one memory and starts another when one is full", () => {
    const memory = allocateTensors([pair("a", 16), pair("b", 16), pair("c", 32), pair("d", 16)], {
      limitBytes: 256,
    });
    expect(memory.memoryCount).toBe(3);
    const buffers = ["a", "b", "c", "d"].map((name) => {
      const [weight, gradient] = ["weight", "gradient"].map(
        (part) => memory.tensors(part).get(name)!.data.buffer,
      );
      expect(weight).toBe(gradient);
      return weight;
    });
    expect(buffers[0]).toBe(buffers[1]);
    expect(new Set(buffers).size).toBe(3);
    expect(memory.sizeBytes).toBe(3 * 65_536);
  });

  it("keeps scratch space for the bundle that needs most, behind all tensors, within the limit", () => {
    const memory = allocateTensors([pair("a", 16, 100), pair("b", 16, 1), pair("c", 16, 200)], {
      limitBytes: 512,
    });
    expect(memory.memoryCount).toBe(2);
    const views = [...memory.tensors("weight").values(), ...memory.tensors("gradient").values()];
    for (const { data } of views) {
      const home = homeOf(data);
      expect(home.scratchAddress).toBeGreaterThanOrEqual(data.byteOffset + data.byteLength);
      expect(home.buffer.byteLength).toBeGreaterThanOrEqual(
        home.scratchAddress + home.scratchBytes,
      );
    }
    expect(homeOf(memory.tensors("weight").get("b")!.data).scratchBytes).toBe(128);
    expect(homeOf(memory.tensors("weight").get("c")!.data).scratchBytes).toBe(256);
  });

  it("refuses a bundle that no memory holds, naming it", () => {
    const huge = {
      name: "model.shared.weight",
      parts: { weight: [2 ** 20, 2 ** 10], gradient: [1000, 1000] },
    };
    expect(() => allocateTensors([pair("a", 1), huge])).toThrow(
      expect.objectContaining({
        code: "TENSOR_TOO_LARGE",
        message: expect.stringMatching(/model\.shared\.weight takes 4299 MB .* limit is 4295 MB/),
      }),
    );
  });

  it("says how much is missing when the system gives no more", () => {
    const create = (pages: number): KernelMemory => {
      if (pages < 3) return createMemory(pages);
      throw new RangeError("could not allocate memory");
    };
    const bundles = [pair("a", 1), pair("b", 20_000)];
    expect(() => allocateTensors(bundles, { create, limitBytes: 200_000 })).toThrow(
      expect.objectContaining({
        code: "MEMORY_EXHAUSTED",
        message: expect.stringMatching(/takes 1 MB .*: could not allocate memory\.$/),
      }),
    );
  });
});

describe("homeOf", () => {
  it("refuses views of different memories, and of none", () => {
    const [one, other] = [allocateTensors([pair("a", 1)]), allocateTensors([pair("a", 1)])];
    const data = one.tensors("weight").get("a")!.data;
    expect(homeOf(data, one.tensors("gradient").get("a")!.data).kernels).toBeDefined();
    expect(() => homeOf(data, other.tensors("weight").get("a")!.data)).toThrow(
      expect.objectContaining({ code: "BUG" }),
    );
    expect(() => homeOf(new Float32Array(1))).toThrow("do not share a memory");
  });
});
