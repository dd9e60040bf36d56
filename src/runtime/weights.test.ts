// Weights in files: the same answers as from memory, files of any size, and what is said when one is gone.
import { mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GraphBuilder, gather, linear } from "../graph/index.js";
import { openSession } from "./session.js";
import { float32, int64, type Tensor } from "./tensor.js";
import {
  commonFolder,
  type FileTensor,
  holdWeights,
  isInFile,
  readWeight,
  type Weight,
} from "./weights.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-mapped-"));
});
afterAll(() => rm(root, { recursive: true }));

const random = (count: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898) * 0.5);

/** The tensors one after the other in a file, each at a multiple of 4. */
async function inFile(
  name: string,
  tensors: Readonly<Record<string, Tensor<"float32">>>,
): Promise<Map<string, FileTensor>> {
  const file = join(root, name);
  const parts: Uint8Array[] = [new Uint8Array(12)];
  const weights = new Map<string, FileTensor>();
  let offset = 12;
  for (const [key, { data, shape }] of Object.entries(tensors)) {
    weights.set(key, { dtype: "float32", shape, file, offset });
    parts.push(new Uint8Array(data.buffer));
    offset += data.byteLength;
  }
  await writeFile(file, Buffer.concat(parts));
  return weights;
}

/** Rows of a table, times a matrix, times the table again: each kind of use. */
function graph(rows: number, width: number) {
  const g = new GraphBuilder();
  const table = g.parameter("table", [rows, width]);
  const x = gather(g, table, g.input("ids", "int64", ["batch", "n"]));
  const w = g.parameter("w", [width, width]);
  const y = linear(g, x, w, g.parameter("b", [width]));
  return g.finish([g.output("y", linear(g, y, table))]);
}

const tensors = {
  table: float32(random(50 * 24), [50, 24]),
  w: float32(random(24 * 24), [24, 24]),
  b: float32(random(24), [24]),
};

describe("weights in files", () => {
  const answer = async (weights: ReadonlyMap<string, Weight>, prepack: boolean) => {
    const session = await openSession(graph(50, 24), weights, { threads: 1, prepack });
    const { y } = await session.run({ ids: int64([3, 0, 49, 7, 7, 1], [2, 3]) });
    await session.close();
    return y as Tensor<"float32">;
  };

  it("give the same answers as in memory, laid out anew or not, and beside weights in memory", async () => {
    const files = await inFile("some.bin", tensors);
    const expected = await answer(new Map(Object.entries(tensors)), false);
    const mixed = new Map<string, Weight>([...files, ["w", tensors.w]]);
    for (const weights of [files, mixed]) {
      for (const prepack of [false, true]) {
        const { data, shape } = await answer(weights, prepack);
        expect(shape).toEqual([2, 3, 50]);
        for (const [i, value] of data.entries()) expect(value).toBeCloseTo(expected.data[i]!, 5);
      }
    }
  });

  it("are read when they are to be held", async () => {
    const files = await inFile("held.bin", tensors);
    const held = await holdWeights(new Map<string, Weight>([...files, ["b", tensors.b]]));
    expect([...held.values()].some(isInFile)).toBe(false);
    expect(held.get("table")).toEqual(tensors.table);
    expect(held.get("b")).toBe(tensors.b);
    await truncate(join(root, "held.bin"), 100);
    await expect(readWeight(files.get("w")!)).rejects.toMatchObject({ code: "WEIGHTS_CORRUPT" });
  });

  it("are refused by name when their file is gone or shorter than it was", async () => {
    const files = await inFile("short.bin", tensors);
    await truncate(join(root, "short.bin"), 4000);
    await expect(openSession(graph(50, 24), files)).rejects.toMatchObject({
      code: "WEIGHTS_CORRUPT",
      message: expect.stringMatching(/short\.bin .*ends at byte 4000/),
    });
    await rm(join(root, "short.bin"));
    await expect(openSession(graph(50, 24), files)).rejects.toMatchObject({
      code: "WEIGHTS_NOT_FOUND",
      message: expect.stringContaining("short.bin"),
    });
  });

  it("are refused in another shape", async () => {
    const files = await inFile("shape.bin", { ...tensors, w: float32(random(48), [2, 24]) });
    await expect(openSession(graph(50, 24), files)).rejects.toMatchObject({
      code: "SHAPE_MISMATCH",
      message: expect.stringContaining("weight w"),
    });
  });
});

// Windows fills a file up to where it is written; elsewhere what was never written takes no room.
describe.skipIf(process.platform === "win32")("files past 4 GB", () => {
  it("are mapped, tensors past 2 GB among them, and only what is used is read", async () => {
    const [rows, width] = [40_000, 16_384];
    const file = join(root, "big.bin");
    const tableAt = 2 ** 31;
    const row = random(width);
    const handle = await open(file, "w");
    try {
      await handle.truncate(tableAt + 4 * rows * width);
      for (const index of [7, rows - 1])
        await handle.write(row, 0, row.byteLength, tableAt + 4 * index * width);
    } finally {
      await handle.close();
    }
    const table: FileTensor = { dtype: "float32", shape: [rows, width], file, offset: tableAt };
    const last: FileTensor = {
      dtype: "float32",
      shape: [1, width],
      file,
      offset: tableAt + 4 * (rows - 1) * width,
    };
    expect(4 * rows * width).toBeGreaterThan(2 ** 31);
    expect(last.offset).toBeGreaterThan(2 ** 32);

    const g = new GraphBuilder();
    const picked = gather(g, g.parameter("table", [rows, width]), g.input("ids", "int64", ["n"]));
    const product = linear(g, picked, g.parameter("last", [1, width]));
    const session = await openSession(
      g.finish([g.output("picked", picked), g.output("product", product)]),
      new Map([
        ["table", table],
        ["last", last],
      ]),
      { threads: 1 },
    );
    const before = process.memoryUsage().rss;
    const answers = await session.run({ ids: int64([7, 8, rows - 1], [3]) });
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
    const { data } = answers.picked as Tensor<"float32">;
    expect(data.subarray(0, width)).toEqual(row);
    expect(data.subarray(width, 2 * width).every((value) => value === 0)).toBe(true);
    expect(data.subarray(2 * width)).toEqual(row);
    const square = row.reduce((sum, value) => sum + value * value, 0);
    const products = answers.product?.data as Float32Array;
    expect(products[0]! / square).toBeCloseTo(1, 5);
    expect(products[1]).toBe(0);
    expect(products[2]! / square).toBeCloseTo(1, 5);
    await session.close();
  });
});

it("finds the folder that files lie under", () => {
  const at = (...names: string[]) => sep + names.join(sep);
  expect(commonFolder([at("a", "b", "x"), at("a", "b", "y")])).toBe(at("a", "b"));
  expect(commonFolder([at("a", "b", "x"), at("a", "c", "d", "y"), at("a", "z")])).toBe(at("a"));
  expect(commonFolder([at("a", "x"), at("b", "y")])).toBe(sep);
  expect(commonFolder([at("a", "..b", "x"), at("a", "y")])).toBe(at("a"));
  expect(commonFolder([])).toBeUndefined();
});
