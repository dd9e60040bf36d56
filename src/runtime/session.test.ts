// Every op computes what its definition says, on each device that is here; what is missing is named.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { webgpuAnswers } from "../../test/support/webgpu.js";
import { thisMachine } from "../config/machine.js";
import * as ops from "../graph/index.js";
import { GraphBuilder, type Value } from "../graph/index.js";
import { type Device, listDevices } from "./devices.js";
import { openSession, threadAffinities } from "./session.js";
import { float32, int64, int64Rows, type Tensor } from "./tensor.js";

const numbers = (...shape: number[]) =>
  float32(
    Float32Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      (_, i) => Math.sin(i * 1.7) * 2,
    ),
    shape,
  );

/** Runs one graph on the given tensors and answers its only output. */
async function run(
  feeds: Record<string, Tensor>,
  build: (g: GraphBuilder, inputs: Record<string, Value>) => Value,
  device: Device = "cpu",
): Promise<Tensor> {
  const g = new GraphBuilder();
  const inputs = Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, shape }]) => [name, g.input(name, dtype, shape)]),
  );
  const session = await openSession(g.finish([g.output("out", build(g, inputs))]), new Map(), {
    device,
    threads: 1,
  });
  const { out } = await session.run(feeds);
  await session.close();
  return out as Tensor;
}

/** Each op, its inputs and a plain computation of the same. */
const cases: [
  string,
  Record<string, Tensor>,
  (g: GraphBuilder, v: Record<string, Value>) => Value,
  (t: Record<string, Tensor>) => number[],
][] = [
  [
    "gelu",
    { x: numbers(6) },
    (g, v) => ops.gelu(g, v.x!),
    ({ x }) => [...(x!.data as Float32Array)].map((a) => a * 0.5 * (1 + erf(a / Math.SQRT2))),
  ],
  [
    "geluTanh",
    { x: numbers(6) },
    (g, v) => ops.geluTanh(g, v.x!),
    ({ x }) =>
      [...(x!.data as Float32Array)].map(
        (a) => a * 0.5 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (a + 0.044715 * a ** 3))),
      ),
  ],
  [
    "softmax",
    { x: numbers(1, 5) },
    (g, v) => ops.softmax(g, v.x!),
    ({ x }) => {
      const e = [...(x!.data as Float32Array)].map(Math.exp);
      const s = e.reduce((a, b) => a + b);
      return e.map((a) => a / s);
    },
  ],
  [
    "rmsNorm",
    { x: numbers(1, 4), w: numbers(4) },
    (g, v) => ops.rmsNorm(g, v.x!, v.w!),
    ({ x, w }) => {
      const a = [...(x!.data as Float32Array)];
      const r = Math.sqrt(a.reduce((s, b) => s + b * b, 0) / 4 + 1e-6);
      return a.map((b, i) => (b / r) * (w!.data[i] as number));
    },
  ],
  [
    "layerNorm",
    { x: numbers(1, 4), w: numbers(4), b: numbers(4) },
    (g, v) => ops.layerNorm(g, v.x!, v.w!, v.b!),
    ({ x, w, b }) => {
      const a = [...(x!.data as Float32Array)];
      const m = a.reduce((s, c) => s + c) / 4;
      const d = Math.sqrt(a.reduce((s, c) => s + (c - m) ** 2, 0) / 4 + 1e-5);
      return a.map((c, i) => ((c - m) / d) * (w!.data[i] as number) + (b!.data[i] as number));
    },
  ],
  [
    "linear of rank 2",
    { x: numbers(2, 3), w: numbers(4, 3), b: numbers(4) },
    (g, v) => ops.linear(g, v.x!, v.w!, v.b!),
    (t) => linearOf(t, 2),
  ],
  [
    "linear of rank 3",
    { x: numbers(1, 2, 3), w: numbers(4, 3), b: numbers(4) },
    (g, v) => ops.linear(g, v.x!, v.w!, v.b!),
    (t) => linearOf(t, 2),
  ],
  [
    "probabilityOfFirst of what topK answered",
    { x: numbers(2, 5) },
    (g, v) => ops.probabilityOfFirst(g, v.x!, ops.topK(g, v.x!, 2).indices),
    ({ x }) =>
      [0, 1].map((row) => {
        const of = [...(x!.data as Float32Array)].slice(5 * row, 5 * row + 5);
        return Math.exp(Math.max(...of)) / of.reduce((sum, a) => sum + Math.exp(a), 0);
      }),
  ],
  [
    "cachedAttention",
    {
      ...{ q: numbers(1, 1, 2, 2), k: numbers(1, 1, 3, 2), v: numbers(1, 1, 3, 2) },
      ...{ ownK: numbers(1, 1, 2, 2), ownV: numbers(1, 1, 2, 2) },
      mask: float32(Float32Array.of(0, -1e30, 0, 0, -1e30, 0, -1e30, 0), [2, 4]),
    },
    (g, v) =>
      ops.cachedAttention(g, {
        ...{ q: v.q!, k: v.k!, v: v.v!, own: { k: v.ownK!, v: v.ownV! } },
        ...{ mask: v.mask, scale: 0.5 },
      }),
    (t) => {
      const [q, k, v, ownK, ownV, mask] = ["q", "k", "v", "ownK", "ownV", "mask"].map((name) => [
        ...(t[name]!.data as Float32Array),
      ]) as number[][];
      return [0, 1].flatMap((row) => {
        const of = (a: number[], i: number) => a.slice(2 * i, 2 * i + 2) as [number, number];
        const keys = [of(k!, 0), of(k!, 1), of(k!, 2), of(ownK!, row)];
        const values = [of(v!, 0), of(v!, 1), of(v!, 2), of(ownV!, row)];
        const [x, y] = of(q!, row);
        const e = keys.map(([a, b], i) => Math.exp(0.5 * (x * a + y * b) + mask![4 * row + i]!));
        const sum = e.reduce((a, b) => a + b);
        return [0, 1].map((d) => e.reduce((all, p, i) => all + (p / sum) * values[i]![d]!, 0));
      });
    },
  ],
  [
    "cachedAttention with a bias against a row's own, which is all it sees",
    {
      ...{ q: numbers(1, 1, 1, 2), k: numbers(1, 1, 3, 2), v: numbers(1, 1, 3, 2) },
      ...{ ownK: numbers(1, 1, 1, 2), ownV: numbers(1, 1, 1, 2) },
      mask: float32(Float32Array.of(-3.4e38, -3.4e38, -3.4e38, -90), [1, 4]),
    },
    (g, v) =>
      ops.cachedAttention(g, {
        ...{ q: v.q!, k: v.k!, v: v.v!, own: { k: v.ownK!, v: v.ownV! } },
        ...{ mask: v.mask, scale: 1 },
      }),
    ({ ownV }) => [...(ownV!.data as Float32Array)],
  ],
  [
    "concat",
    { x: numbers(1, 2), y: numbers(1, 3) },
    (g, v) => ops.concat(g, [v.x!, v.y!], 1),
    ({ x, y }) => [...(x!.data as Float32Array), ...(y!.data as Float32Array)],
  ],
  [
    "slice",
    { x: numbers(5) },
    (g, v) => ops.slice(g, v.x!, 0, 1, 3),
    ({ x }) => [...(x!.data as Float32Array).slice(1, 3)],
  ],
  [
    "topK",
    { x: numbers(6) },
    (g, v) => ops.topK(g, v.x!, 2).values,
    ({ x }) => [...(x!.data as Float32Array)].sort((a, b) => b - a).slice(0, 2),
  ],
  [
    "attention",
    {
      q: numbers(1, 1, 2, 3),
      k: numbers(1, 1, 2, 3),
      v: numbers(1, 1, 2, 3),
      mask: float32(Float32Array.of(0, -1e9, 0, 0), [1, 1, 2, 2]),
    },
    (g, v) => ops.attention(g, { q: v.q!, k: v.k!, v: v.v!, mask: v.mask, scale: 0.5 }),
    attentionOf,
  ],
  [
    "attention of few rows",
    {
      ...{ q: numbers(1, 1, 2, 3), k: numbers(1, 1, 2, 3), v: numbers(1, 1, 2, 3) },
      mask: float32(Float32Array.of(0, -3.4e38, -3.4e38, 0), [1, 1, 2, 2]),
    },
    (g, v) => {
      const input = { q: v.q!, k: v.k!, v: v.v!, mask: v.mask };
      return ops.attention(g, { ...input, scale: 0.5, hasFewRows: true });
    },
    attentionOf,
  ],
];

function erf(x: number): number {
  let [sum, term] = [x, x];
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

function linearOf({ x, w, b }: Record<string, Tensor>, rows: number): number[] {
  const out: number[] = [];
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < 4; o++) {
      let sum = b!.data[o] as number;
      for (let i = 0; i < 3; i++)
        sum += (x!.data[r * 3 + i] as number) * (w!.data[o * 3 + i] as number);
      out.push(sum);
    }
  }
  return out;
}

function attentionOf({ q, k, v, mask }: Record<string, Tensor>): number[] {
  const at = (t: Tensor | undefined, r: number, c: number) => t!.data[r * 3 + c] as number;
  return [0, 1].flatMap((row) => {
    const scores = [0, 1].map((s) =>
      Math.exp(
        [0, 1, 2].reduce((sum, d) => sum + at(q, row, d) * at(k, s, d), 0) * 0.5 +
          (mask!.data[row * 2 + s] as number),
      ),
    );
    const total = scores[0]! + scores[1]!;
    return [0, 1, 2].map((d) => (scores[0]! * at(v, 0, d) + scores[1]! * at(v, 1, d)) / total);
  });
}

function close(actual: Tensor, expected: number[]): void {
  expect(actual.data.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(actual.data[i]).toBeCloseTo(value, 5);
}

describe("on the CPU", () => {
  it.each(cases)("%s", async (_, feeds, build, compute) =>
    close(await run(feeds, build), compute(feeds)),
  );

  const [least, little] = [2 ** -126, 1e-24];
  const identity = float32(Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), [1, 1, 3, 3]);
  it.each<[string, (g: GraphBuilder, v: Record<string, Value>) => Value, number]>([
    [
      "attention of few rows",
      (g, { q, k, values, mask }) =>
        ops.attention(g, { q: q!, k: k!, v: values!, mask, scale: 1, hasFewRows: true }),
      3,
    ],
    [
      "cachedAttention",
      (g, { q, k, values, mask, none }) =>
        ops.cachedAttention(g, {
          ...{ q: q!, k: k!, v: values!, own: { k: q!, v: none! }, mask, scale: 1 },
        }),
      4,
    ],
  ])("%s gives what a mask drops next to nothing, as a normal number", async (_, build, seen) => {
    const mask = new Float32Array(seen);
    mask.fill(-3.4028234663852886e38, 0, 2);
    const none = float32(new Float32Array(3), [1, 1, 1, 3]);
    // Values are rows of the identity, so that what comes out are the weights.
    const feeds = { q: numbers(1, 1, 1, 3), k: numbers(1, 1, 3, 3), values: identity, none };
    const { data } = await run({ ...feeds, mask: float32(mask, [1, 1, 1, seen]) }, build);
    const [first = 0, second = 0, third = 0] = data as Float32Array;
    for (const weight of [first, second]) {
      expect(weight).toBeGreaterThanOrEqual(least);
      expect(weight).toBeLessThan(little);
    }
    expect(third).toBeGreaterThan(1e-6);
  });
});

const webgpu = await webgpuAnswers();

describe("on WebGPU", () => {
  it.runIf(webgpu).each(cases)(
    "%s (skipped where no WebGPU adapter answers)",
    async (_, feeds, build, compute) => close(await run(feeds, build, "webgpu"), compute(feeds)),
  );
});

/** Rows in which each value stands in `ties` places that a seed chooses. */
function tiedRows(rows: number, length: number, ties: number): Float32Array {
  let state = length + ties;
  // Lehmer's generator: products stay below 2^53.
  const random = () => {
    state = (state * 48271) % 2147483647;
    return state;
  };
  return Float32Array.from(
    Array.from({ length: rows }, () =>
      Array.from({ length }, (_, i) => ({ value: Math.floor(i / ties), at: random() }))
        .sort((a, b) => a.at - b.at)
        .map(({ value }) => value),
    ).flat(),
  );
}

it.each([
  ["the most that may be asked for", (k: number) => k],
  ["a number that is known beforehand", () => undefined],
])("of 16,384 elements the largest are found for %s", async (_, told) => {
  const length = 16_384;
  const k = ops.mostOfTopK(length);
  expect([k, ops.mostOfTopK(1_600), ops.mostOfTopK(16_411)]).toEqual([1017, 1_600, 16_411]);
  const data = tiedRows(1, length, 1);
  const g = new GraphBuilder();
  const x = g.input("x", "float32", [1, length]);
  const count = told(k) === undefined ? k : g.input("k", "int64", [1]);
  const graph = g.finish([g.output("values", ops.topK(g, x, count).values)]);
  const session = await openSession(graph, new Map(), { threads: 1 });
  const feeds = { x: float32(data, [1, length]), ...(told(k) && { k: int64([k], [1]) }) };
  const { values } = await session.run(feeds);
  await session.close();
  expect([...((values as Tensor<"float32">).data ?? [])]).toEqual(
    Array.from({ length: k }, (_, i) => length - 1 - i),
  );
});

describe.each([
  ["in sixteen parts", 16_800],
  ["in seven parts", 7 * 2_411],
  ["in one, since none divides it", 16_411],
  ["in one, since it is short", 1_600],
])("the largest of a long axis, looked through %s", (_, length) => {
  it.each([1, 2, 17, 393])("are the %i first by value and place", async (k) => {
    for (const ties of [1, 3, 8]) {
      const data = tiedRows(6, length, ties);
      const g = new GraphBuilder();
      const x = g.input("x", "float32", ["batch", "width", length]);
      const { values, indices } = ops.topK(g, x, g.input("k", "int64", [1]));
      const graph = g.finish([g.output("values", values), g.output("indices", indices)]);
      const session = await openSession(graph, new Map(), { threads: 1 });
      const found = await session.run({ x: float32(data, [2, 3, length]), k: int64([k], [1]) });
      await session.close();
      const expected = Array.from({ length: 6 }, (_, row) => {
        const at = (i: number) => data[row * length + i] as number;
        const order = Array.from({ length }, (_, i) => i).sort((a, b) => at(b) - at(a) || a - b);
        return order.slice(0, k);
      });
      expect(found.indices?.shape).toEqual([2, 3, k]);
      expect(Array.from(found.indices?.data ?? [], Number)).toEqual(expected.flat());
      expect([...((found.values as Tensor<"float32">).data ?? [])]).toEqual(
        expected.flatMap((places, row) => places.map((i) => data[row * length + i])),
      );
    }
  });
});

describe("a session", () => {
  const graph = () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["batch", 2]);
    return g.finish([g.output("y", ops.linear(g, x, g.parameter("w", [3, 2])))]);
  };
  const weights = new Map([["w", numbers(3, 2)]]);

  it("names a weight that is missing or of another shape", async () => {
    await expect(openSession(graph(), new Map())).rejects.toMatchObject({
      code: "WEIGHT_MISSING",
      message: expect.stringContaining("w"),
    });
    await expect(openSession(graph(), new Map([["w", numbers(2, 2)]]))).rejects.toMatchObject({
      code: "SHAPE_MISMATCH",
    });
  });

  it("names a feed that is missing or of another type, and onnxruntime's own complaint", async () => {
    const session = await openSession(graph(), weights, { threads: 1 });
    await expect(session.run({})).rejects.toThrow(/input x: it is not fed/);
    await expect(session.run({ x: int64([1, 2], [1, 2]) })).rejects.toThrow(
      /it is int64, the graph takes float32/,
    );
    await expect(session.run({ x: numbers(1, 3) })).rejects.toMatchObject({ code: "RUN_FAILED" });
    expect((await session.run({ x: numbers(4, 2) })).y!.shape).toEqual([4, 3]);
    await session.close();
  });

  it("writes into the tensor it is given", async () => {
    const session = await openSession(graph(), weights, { threads: 1 });
    const into = float32(new Float32Array(3), [1, 3]);
    const { y } = await session.run({ x: numbers(1, 2) }, { y: into });
    expect(y === into).toBe(true);
    expect([...into.data]).toEqual([
      ...((await session.run({ x: numbers(1, 2) })).y!.data as Float32Array),
    ]);
    expect(into.data.some((value) => value !== 0)).toBe(true);
    await session.close();
  });

  it("says what CUDA needs where its libraries are not installed", async () => {
    if ((await listDevices()).includes("cuda")) return expect(true).toBe(true);
    await expect(openSession(graph(), weights, { device: "cuda" })).rejects.toMatchObject({
      code: "DEVICE_UNAVAILABLE",
      hint: expect.stringContaining("libonnxruntime_providers_cuda"),
    });
  });
});

describe("processors to stay on", () => {
  it("are told to onnxruntime for every thread but the caller's own, counted from 1", () => {
    expect(threadAffinities(1, [0, 1])).toBe("");
    expect(threadAffinities(3, [0, 2])).toBe("1,3;1,3");
  });

  const allowed = thisMachine().nodes.flat();
  it.skipIf(process.platform !== "linux" || allowed.length < 2)(
    "are where those threads are (Linux with two processors)",
    async () => {
      const cpu = allowed.at(-1) as number;
      const before = placesOfThreads().filter((place) => place === String(cpu)).length;
      const g = new GraphBuilder();
      const graph = g.finish([g.output("y", ops.relu(g, g.input("x", "float32", [4])))]);
      const session = await openSession(graph, new Map(), { threads: 3, cpus: [cpu] });
      // A thread goes to its place when it first runs, which a busy machine may let it do later.
      await expect
        .poll(() => placesOfThreads().filter((place) => place === String(cpu)).length - before)
        .toBe(2);
      const { y } = await session.run({ x: float32(Float32Array.of(1, -1, 2, -2), [4]) });
      expect([...(y?.data ?? [])]).toEqual([1, 0, 2, 0]);
      await session.close();
    },
  );
});

/** For each thread of this process, the list of processors it may run on. */
function placesOfThreads(): string[] {
  return readdirSync("/proc/self/task").flatMap((thread) => {
    const status = readFileSync(`/proc/self/task/${thread}/status`, "utf8");
    return /^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? [];
  });
}

it("refuses rows of unequal length by name", () => {
  expect(() => int64Rows("inputIds", [[1, 2], [3]])).toThrow(
    /inputIds: row 1 has 1 elements, row 0 has 2/,
  );
  expect(() => int64Rows("inputIds", [])).toThrow(/empty/);
});
