// Weights laid out in files: made once, mapped by whoever opens the same, and done without where they cannot be.
import { existsSync, readFileSync } from "node:fs";
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { GraphBuilder, linear, quantizeWeights, rewriteGraph } from "../graph/index.js";
import { draftOf } from "./drafts.js";
import { loadOnnxRuntime } from "./onnxruntime.js";
import { openSession, type SessionOptions } from "./session.js";
import { float32, type Tensor } from "./tensor.js";
import type { Weights } from "./weights.js";
import { wholeNumberProducts } from "./whole-number-products.js";

const [inner, out] = [96, 80];
let root: string;
let cache: string;
let weights: Weights;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-packed-"));
  cache = join(root, "cache");
  const file = join(root, "weights");
  const columns = Uint8Array.from({ length: inner * out }, (_, i) => (i * 37 + 11) % 251);
  const scale = Float32Array.from({ length: out }, (_, i) => 0.001 * (i + 1));
  await writeFile(file, Buffer.concat([columns, new Uint8Array(scale.buffer)]));
  const dtype = await wholeNumberProducts();
  weights = new Map([
    ["w~columns", { dtype, shape: [inner, out], file, offset: 0 }],
    ["w~scale", { dtype: "float32", shape: [out], file, offset: columns.length }],
  ]);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(root, { recursive: true });
});

async function open(options: SessionOptions = {}) {
  const g = new GraphBuilder();
  const x = g.input("x", "float32", ["rows", inner]);
  const exact = g.finish([g.output("y", linear(g, x, g.parameter("w", [out, inner])))]);
  const rule = quantizeWeights(new Map([["w", "int8"]]), await wholeNumberProducts());
  return await openSession(rewriteGraph(exact, rule), weights, {
    ...{ device: "cpu", threads: 1, prepack: true, ...options },
  });
}

type Opened = Awaited<ReturnType<typeof open>>;

async function answerOf(session: Opened): Promise<Float32Array> {
  const x = Float32Array.from({ length: 3 * inner }, (_, i) => Math.sin(i));
  const { y } = await session.run({ x: float32(x, [3, inner]) });
  return (y as Tensor<"float32">).data;
}

async function answer(options: SessionOptions = {}): Promise<Float32Array> {
  const session = await open(options);
  try {
    return await answerOf(session);
  } finally {
    await session.close();
  }
}

/** The one folder that was made, without anything beside it. */
async function made(): Promise<string> {
  const names = await readdir(cache);
  expect(names).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
  return join(cache, names[0] as string);
}

/** The file of weights in a folder. */
async function weightsIn(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".bin"));
  expect(names).toHaveLength(1);
  return join(folder, names[0] as string);
}
const sizeOf = async (file: string) => (await stat(file)).size;
const timeOf = async (folder: string) => (await stat(await weightsIn(folder))).mtimeMs;

it.each([false, true])(
  "answers the same from files that others have made, on a thread of its own: %s",
  async (ownThread) => {
    const plain = await answer();
    expect(existsSync(cache)).toBe(false);
    expect(await answer({ packedFolder: cache, ownThread })).toEqual(plain);
    const folder = await made();
    const before = await timeOf(folder);
    const session = await open({ packedFolder: cache, ownThread });
    if (process.platform === "linux")
      expect(readFileSync("/proc/self/maps", "utf8")).toContain(await weightsIn(folder));
    expect(await answerOf(session)).toEqual(plain);
    await session.close();
    expect(await timeOf(await made())).toBe(before);
  },
);

it("makes one copy for all that come at once", async () => {
  const plain = await answer();
  const { InferenceSession } = await loadOnnxRuntime();
  const created = vi.spyOn(InferenceSession, "create");
  const all = await Promise.all(Array.from({ length: 4 }, () => answer({ packedFolder: cache })));
  for (const each of all) expect(each).toEqual(plain);
  await made();
  // Each opens it, and one has written it; another may have where both began within a millisecond.
  expect(created.mock.calls.length).toBeLessThan(8);
  created.mockClear();
  expect(await answer({ packedFolder: cache })).toEqual(plain);
  expect(created).toHaveBeenCalledTimes(1);
});

it("makes another copy for weights that have changed", async () => {
  const { file } = weights.get("w~columns") as { file: string };
  await utimes(file, 1e9, 1e9);
  await answer({ packedFolder: cache });
  const time = new Date(1e12);
  const bytes = await readFile(file);
  bytes.fill(200, 0, inner * out);
  await writeFile(file, bytes);
  // What a checkpoint begins with tells it apart, also where somebody sets its time back.
  await utimes(file, time, time);
  expect(await answer({ packedFolder: cache })).toEqual(await answer());
  expect(await readdir(cache)).toHaveLength(2);
});

it("makes what is damaged anew", async () => {
  const plain = await answer({ packedFolder: cache });
  const folder = await made();
  const graph = join(folder, "graph.onnx");
  const sizes = async () => [await sizeOf(graph), await sizeOf(await weightsIn(folder))];
  const whole = await sizes();
  for (const damage of [
    async () => truncate(await weightsIn(folder), 100),
    () => writeFile(graph, "no graph"),
    // As a deletion leaves it that was cut off.
    () => rm(graph),
    () => rm(join(folder, "whole.json")),
  ]) {
    await damage();
    expect(await answer({ packedFolder: cache })).toEqual(plain);
    expect(await made()).toBe(folder);
    expect(await sizes()).toEqual(whole);
  }
});

it("leaves a copy that is whole where it cannot be opened, and does without", async () => {
  const plain = await answer({ packedFolder: cache });
  const before = await timeOf(await made());
  const { InferenceSession } = await loadOnnxRuntime();
  vi.spyOn(InferenceSession, "create").mockRejectedValueOnce(new Error("bad_alloc"));
  expect(await answer({ packedFolder: cache })).toEqual(plain);
  expect(await timeOf(await made())).toBe(before);
});

it("drops what processes left that were killed while they wrote", async () => {
  const left = draftOf(join(cache, "0".repeat(32))).replace(`-${process.pid}-`, "-4194305-");
  const ours = draftOf(join(cache, "1".repeat(32)));
  for (const folder of [left, ours]) {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "weights.bin"), "half");
  }
  await answer({ packedFolder: cache });
  expect(existsSync(left)).toBe(false);
  expect(existsSync(ours)).toBe(true);
});

it("drops what a thread left that was ended, though its process lives on", async () => {
  const plain = await answer({ packedFolder: cache });
  const folder = await made();
  await rm(folder, { recursive: true });
  const left = draftOf(folder);
  await mkdir(left);
  const old = new Date(Date.now() - 2 * 3600 * 1000);
  await utimes(left, old, old);
  expect(await answer({ packedFolder: cache })).toEqual(plain);
  expect(await made()).toBe(folder);
});

it("waits for who writes the same", async () => {
  const plain = await answer({ packedFolder: cache });
  const folder = await made();
  const [elsewhere, draft] = [join(root, "elsewhere"), draftOf(folder)];
  await rename(folder, elsewhere);
  await mkdir(draft);
  const { InferenceSession } = await loadOnnxRuntime();
  const created = vi.spyOn(InferenceSession, "create");
  const waiting = answer({ packedFolder: cache });
  await sleep(300);
  expect(created).not.toHaveBeenCalled();
  await rename(elsewhere, folder);
  await rm(draft, { recursive: true });
  // It looks once more whether there is a copy before it makes one.
  expect(await waiting).toEqual(plain);
  expect(created).toHaveBeenCalledTimes(1);
});

it("drops what nobody has opened for a month, when something is written", async () => {
  await answer({ packedFolder: cache });
  const folder = await made();
  const old = new Date(Date.now() - 31 * 24 * 3600 * 1000);
  await utimes(folder, old, old);
  await answer({ packedFolder: cache });
  expect((await stat(folder)).mtimeMs).toBeGreaterThan(Date.now() - 3600 * 1000);
  await utimes(folder, old, old);
  const { file } = weights.get("w~columns") as { file: string };
  await utimes(file, old, old);
  await answer({ packedFolder: cache });
  expect(await made()).not.toBe(folder);
});

it("keeps sixteen, those that were opened last", async () => {
  const others = Array.from({ length: 17 }, (_, i) => i.toString(16).padStart(32, "0"));
  for (const [i, name] of others.entries()) {
    await mkdir(join(cache, name), { recursive: true });
    const at = new Date(Date.now() - (i + 1) * 60_000);
    await utimes(join(cache, name), at, at);
  }
  await answer({ packedFolder: cache });
  const kept = await readdir(cache);
  expect(kept).toHaveLength(16);
  expect(others.filter((name) => kept.includes(name))).toEqual(others.slice(0, 15));
});

it("does without where nothing can be written", async () => {
  const plain = await answer();
  await writeFile(cache, "a file");
  expect(await answer({ packedFolder: cache })).toEqual(plain);
  expect(await readFile(cache, "utf8")).toBe("a file");
});

it("tells what onnxruntime says of a graph as it does without, and leaves nothing", async () => {
  const { InferenceSession } = await loadOnnxRuntime();
  vi.spyOn(InferenceSession, "create").mockRejectedValue(new Error("no such kernel"));
  await expect(answer({ packedFolder: cache })).rejects.toMatchObject({
    code: "RUN_FAILED",
    details: { reason: "no such kernel" },
  });
  expect(await readdir(cache)).toEqual([]);
});

it.each([
  ["weights that are mapped as they lie", { prepack: false }],
  ["training", { target: "training" }],
] as const)("writes nothing for %s", async (_, options) => {
  await answer({ packedFolder: cache, ...options });
  expect(existsSync(cache)).toBe(false);
});
