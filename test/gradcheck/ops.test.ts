// biome-ignore-all lint/performance/noDynamicNamespaceImportAccess: the cases name ops as the table does.
// Every op's gradient against finite differences; an op without a case, a gradient or a reason fails.
import { describe, expect, it } from "vitest";
import * as ops from "../../src/graph/index.js";
import { GraphBuilder, type Value } from "../../src/graph/index.js";
import { ops as table } from "../../src/graph/ops/index.js";
import { openSession } from "../../src/runtime/session.js";
import { float32, int32, int64, type Tensor } from "../../src/runtime/tensor.js";

/** Numbers between −2 and 2, away from 0, where relu bends. */
function numbers(seed: number, ...shape: number[]): Tensor<"float32"> {
  const count = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: count }, (_, i) => {
    const x = 2 * Math.sin((i + 1) * 12.9898 + seed * 78.233);
    return x < 0 ? x - 0.05 : x + 0.05;
  });
  return float32(data, shape);
}

interface Case {
  readonly op: string;
  readonly feeds: Record<string, Tensor>;
  readonly build: (g: GraphBuilder, v: Record<string, Value>) => Value;
  /** Shapes with sizes that are only named, where they are not those of the feeds. */
  readonly shapes?: Record<string, ops.Shape>;
}

const qkv = { q: numbers(1, 2, 2, 3, 4), k: numbers(2, 2, 2, 5, 4), v: numbers(3, 2, 2, 5, 4) };
/** Four tokens with two heads each, in an order of their own among two documents' two places. */
const headPlaces: Record<string, Tensor> = {
  places: int32(Int32Array.of(4, 0, 5, 1, 6, 2, 7, 3), [2, 2, 2]),
  tokens: int32(Int32Array.of(1, 3, 5, 7, 0, 2, 4, 6), [4, 2]),
};
const entropy = {
  hidden: numbers(1, 2, 3, 4),
  table: numbers(2, 7, 4),
  bias: numbers(3, 7),
  labels: int64([0, 6, 2, 2, 5, 0], [2, 3]),
  weights: float32(Float32Array.of(0.2, 0.3, 0, 0.1, 0.25, 0.15), [2, 3]),
};
const ofEntropy =
  (labelSmoothing: number, chunks: number, factor = 1) =>
  (g: GraphBuilder, v: Record<string, Value>) =>
    ops.scale(
      g,
      ops.linearCrossEntropy(g, {
        hidden: v.hidden!,
        table: v.table!,
        bias: v.bias!,
        labels: v.labels!,
        weights: v.weights!,
        labelSmoothing,
        chunks,
      }),
      factor,
    );

const cases: Case[] = [
  ...(
    ["relu", "tanh", "sigmoid", "gelu", "geluTanh", "softmax", "logSoftmax", "logSumExp"] as const
  ).map((op): Case => ({ op, feeds: { x: numbers(1, 3, 5) }, build: (g, v) => ops[op](g, v.x!) })),
  ...(["add", "sub", "mul"] as const).flatMap((op): Case[] => [
    {
      op,
      feeds: { a: numbers(1, 2, 3, 4), b: numbers(2, 3, 1) },
      build: (g, v) => ops[op](g, v.a!, v.b!),
    },
    {
      op,
      feeds: { a: numbers(1, 1, 4), b: numbers(2, 2, 3, 4) },
      build: (g, v) => ops[op](g, v.a!, v.b!),
      shapes: { a: [1, 4], b: ["batch", "time", 4] },
    },
  ]),
  { op: "identity", feeds: { x: numbers(1, 3) }, build: (g, v) => g.one("identity", [v.x]) },
  { op: "scale", feeds: { x: numbers(1, 3) }, build: (g, v) => ops.scale(g, v.x!, -2.5) },
  {
    op: "waitFor",
    feeds: { x: numbers(1, 3), y: numbers(2, 2, 2) },
    build: (g, v) => g.one("waitFor", [v.x, v.y]),
  },
  {
    op: "cast",
    feeds: { x: numbers(1, 3) },
    build: (g, v) => g.one("cast", [v.x], { to: "float32" }),
  },
  {
    op: "dropout",
    feeds: { x: numbers(1, 2, 3), kept: float32(Float32Array.of(0, 2, 2, 0, 2, 0), [2, 3]) },
    build: (g, v) => g.one("dropout", [v.x, v.kept]),
  },
  { op: "dropout", feeds: { x: numbers(1, 2, 3) }, build: (g, v) => ops.dropout(g, v.x!, 0.5) },
  {
    op: "reduceSum",
    feeds: { x: numbers(1, 2, 3, 4) },
    build: (g, v) => ops.reduceSum(g, v.x!, [0, -1]),
  },
  {
    op: "expand",
    feeds: { x: numbers(1, 3, 1) },
    build: (g, v) => ops.expand(g, v.x!, [2, 3, 4]),
  },
  {
    op: "squeezeTo",
    feeds: { x: numbers(1, 3, 1, 2) },
    build: (g, v) => ops.squeezeTo(g, v.x!, [1, 3, 2]),
  },
  {
    op: "reshape",
    feeds: { x: numbers(1, 2, 3, 4) },
    build: (g, v) => ops.reshape(g, ops.reshape(g, v.x!, [-1, 4]), ["batch", "time", 2, 2]),
    shapes: { x: ["batch", "time", 4] },
  },
  {
    op: "transpose",
    feeds: { x: numbers(1, 2, 3, 4) },
    build: (g, v) => ops.transpose(g, v.x!, [2, 0, 1]),
  },
  {
    op: "columnSum",
    feeds: { x: numbers(1, 3, 4) },
    build: (g, v) => ops.columnSum(g, v.x!),
    shapes: { x: ["rows", "columns"] },
  },
  {
    op: "columnSum",
    feeds: { x: numbers(1, 3, 4), row: numbers(2, 1, 4) },
    build: (g, v) => ops.columnSum(g, ops.matmul(g, v.x!, v.row!, { transB: true })),
  },
  {
    op: "padHeads",
    feeds: { x: numbers(1, 4, 6), ...headPlaces },
    build: (g, v) => ops.padHeads(g, v.x!, { places: v.places!, tokens: v.tokens! }),
    shapes: { x: ["count", 6], places: ["batch", 2, "time"], tokens: ["count", 2] },
  },
  {
    op: "packHeads",
    feeds: { x: numbers(1, 2, 2, 2, 3), ...headPlaces },
    build: (g, v) => ops.packHeads(g, v.x!, { places: v.places!, tokens: v.tokens! }),
    shapes: { x: ["batch", 2, "time", 3], places: ["batch", 2, "time"], tokens: ["count", 2] },
  },
  {
    op: "concat",
    feeds: { a: numbers(1, 2, 3), b: numbers(2, 2, 1) },
    build: (g, v) => ops.concat(g, [v.a!, v.b!], -1),
  },
  {
    op: "slice",
    feeds: { x: numbers(1, 2, 5) },
    build: (g, v) => ops.slice(g, v.x!, 1, 1, 3),
  },
  { op: "pad", feeds: { x: numbers(1, 2, 3) }, build: (g, v) => ops.pad(g, v.x!, 1, 2, 1) },
  {
    op: "gather",
    feeds: { x: numbers(1, 4, 3), i: int64([1, 3, 1, 0], [2, 2]) },
    build: (g, v) => ops.gather(g, v.x!, v.i!),
  },
  {
    op: "linear",
    feeds: { x: numbers(1, 2, 3, 4), w: numbers(2, 5, 4), b: numbers(3, 5) },
    build: (g, v) => ops.linear(g, v.x!, v.w!, v.b!),
    shapes: { x: ["batch", "time", 4] },
  },
  {
    op: "linear",
    feeds: { x: numbers(1, 3, 4), w: numbers(2, 4, 4), u: numbers(3, 4, 4) },
    // One input used three times: what flows back adds up inside the products.
    build: (g, v) =>
      ops.add(g, v.x!, ops.add(g, ops.linear(g, v.x!, v.w!), ops.linear(g, v.x!, v.u!))),
  },
  ...(
    [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const
  ).flatMap(([transA, transB]): Case[] => [
    {
      op: "gemm",
      feeds: {
        a: transA ? numbers(1, 3, 2) : numbers(1, 2, 3),
        b: transB ? numbers(2, 4, 3) : numbers(2, 3, 4),
        c: numbers(3, 1, 4),
      },
      build: (g, v) => ops.gemm(g, v.a!, v.b!, { transA, transB, plus: v.c }),
    },
    {
      op: "matmul",
      feeds: {
        a: transA ? numbers(1, 2, 3, 2) : numbers(1, 2, 2, 3),
        b: transB ? numbers(2, 2, 4, 3) : numbers(2, 2, 3, 4),
      },
      build: (g, v) => ops.matmul(g, v.a!, v.b!, { transA, transB, alpha: 0.7 }),
    },
  ]),
  {
    op: "matmul",
    feeds: { a: numbers(1, 2, 3, 4), b: numbers(2, 4, 2) },
    build: (g, v) => ops.matmul(g, v.a!, v.b!),
  },
  {
    op: "columnSum",
    feeds: { x: numbers(1, 2, 3, 4) },
    build: (g, v) => ops.columnSum(g, v.x!),
    shapes: { x: ["batch", "time", 4] },
  },
  {
    op: "layerNorm",
    feeds: { x: numbers(1, 2, 3, 6), w: numbers(2, 6), b: numbers(3, 6) },
    build: (g, v) => ops.layerNorm(g, v.x!, v.w!, v.b!),
    shapes: { x: ["batch", "time", 6] },
  },
  {
    op: "rmsNorm",
    feeds: { x: numbers(1, 2, 3, 6), w: numbers(2, 6) },
    build: (g, v) => ops.rmsNorm(g, v.x!, v.w!),
  },
  {
    op: "attention",
    feeds: { ...qkv, mask: numbers(4, 1, 2, 3, 5) },
    build: (g, v) => ops.attention(g, { q: v.q!, k: v.k!, v: v.v!, mask: v.mask, scale: 0.5 }),
  },
  {
    op: "attention",
    feeds: {
      ...qkv,
      kept: float32(
        Float32Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 0 : 1.5)),
        [2, 2, 3, 5],
      ),
    },
    build: (g, v) => g.one("attention", [v.q, v.k, v.v, undefined, v.kept], { scale: 0.5 }),
  },
  {
    op: "attention",
    feeds: { ...qkv, mask: numbers(4, 1, 2, 3, 5) },
    build: (g, v) => g.one("attention", [v.q, v.k, v.v, v.mask], { scale: 0.5, recompute: true }),
  },
  { op: "linearCrossEntropy", feeds: entropy, build: ofEntropy(0, 1) },
  { op: "linearCrossEntropy", feeds: entropy, build: ofEntropy(0.1, 3) },
  {
    op: "linearCrossEntropy",
    feeds: entropy,
    build: ofEntropy(0.3, 8, 1.7),
    shapes: { hidden: ["batch", "time", 4], labels: ["batch", "time"], weights: ["batch", "time"] },
  },
];

const notLearned = new Set(["kept", "y", "bias", "weights"]);

function typed(g: GraphBuilder, feeds: Case["feeds"], shapes: Case["shapes"] = {}) {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, shape }]) => [
      name,
      g.input(name, dtype, shapes[name] ?? shape),
    ]),
  );
}

/** A scalar that weighs every element of the output differently, and its weights. */
async function project(test: Case): Promise<(feeds: Case["feeds"]) => Promise<number>> {
  const g = new GraphBuilder();
  const out = test.build(g, typed(g, test.feeds, test.shapes));
  const session = await openSession(g.finish([g.output("out", out)]), new Map(), { threads: 1 });
  return async (feeds) => {
    const { data } = (await session.run(feeds)).out as Tensor<"float32">;
    return data.reduce((sum, value, i) => sum + value * weight(i), 0);
  };
}

const weight = (i: number) => Math.fround(Math.cos(i * 1.3) + 0.2);

async function gradients(test: Case): Promise<Map<string, Float32Array>> {
  const g = new GraphBuilder();
  const values = typed(g, test.feeds, test.shapes);
  const out = test.build(g, values);
  const session = await openSession(g.finish([g.output("out", out)]), new Map(), { threads: 1 });
  const { out: result } = await session.run(test.feeds);
  const { shape } = result as Tensor;
  const weights = float32(
    Float32Array.from({ length: result!.data.length }, (_, i) => weight(i)),
    shape,
  );
  const weighted = ops.mul(g, out, g.input("weighting", "float32", out.shape));
  const axes = out.shape.map((_, i) => i);
  const loss =
    axes.length === 0 ? weighted : ops.squeezeTo(g, ops.reduceSum(g, weighted, axes), []);
  const wanted = Object.entries(values).filter(
    ([name, { dtype }]) => dtype === "float32" && !notLearned.has(name),
  );
  const found = ops.grad(
    g,
    loss,
    wanted.map(([, value]) => value),
  );
  const outputs: Value[] = [];
  for (const [name, value] of wanted) {
    const { dense, rows } = found.get(value)!;
    if (dense) outputs.push(g.output(`dense:${name}`, dense));
    for (const [i, part] of rows.entries()) outputs.push(g.output(`rows:${name}:${i}`, part.rows));
  }
  const backward = await openSession(g.finish(outputs), new Map(), { threads: 1 });
  const answers = await backward.run({ ...test.feeds, weighting: weights });
  const result2 = new Map<string, Float32Array>();
  for (const [name, value] of wanted) {
    const total = new Float32Array(test.feeds[name]!.data.length);
    const dense = answers[`dense:${name}`];
    if (dense) total.set(dense.data as Float32Array);
    for (const [i, part] of found.get(value)!.rows.entries()) {
      const rows = answers[`rows:${name}:${i}`]!;
      const width = rows.shape.at(-1)!;
      for (const [row, index] of (test.feeds[part.indices.name]!.data as BigInt64Array).entries()) {
        if (Number(index) === part.padding) continue;
        for (let j = 0; j < width; j++) {
          total[Number(index) * width + j]! += rows.data[row * width + j] as number;
        }
      }
    }
    result2.set(name, total);
  }
  return result2;
}

/** A direction that no gradient is perpendicular to by chance. */
function direction(length: number, seed: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin((i + 1) * (seed + 1) * 0.77) + 0.1);
}

describe("gradients agree with finite differences", () => {
  it.each(cases.map((test, i) => [`${test.op} (case ${i})`, test] as const))(
    "%s",
    async (_, test) => {
      const value = await project(test);
      for (const [name, gradient] of await gradients(test)) {
        const { data, shape } = test.feeds[name] as Tensor<"float32">;
        for (const seed of [0, 1, 2]) {
          const along = direction(data.length, seed);
          const step = 2e-3;
          const at = (sign: number) =>
            value({
              ...test.feeds,
              [name]: float32(
                data.map((x, i) => x + sign * step * (along[i] as number)),
                shape,
              ),
            });
          const expected = ((await at(1)) - (await at(-1))) / (2 * step);
          const actual = gradient.reduce((sum, x, i) => sum + x * (along[i] as number), 0);
          const size = Math.sqrt(gradient.reduce((sum, x) => sum + x * x, 0)) + 1;
          expect(
            Math.abs(actual - expected) / size,
            `${name}: ${actual} and ${expected}`,
          ).toBeLessThan(5e-3);
        }
      }
    },
  );

  it("adds a vocabulary's scores up as precisely as float32 holds the sum, and finds what is no number", async () => {
    const size = 96_103;
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["rows", size]);
    const graph = g.finish([g.output("y", ops.logSumExp(g, x))]);
    const session = await openSession(graph, new Map(), { threads: 1 });
    const rows = [1, 8, 30].map((spread, seed) =>
      Float32Array.from({ length: size }, (_, i) => spread * Math.sin((i + 1) * (seed + 0.37))),
    );
    const bad = [Number.NaN, Infinity].map((value) => rows[0]!.with(size - 1, value));
    const data = new Float32Array([...rows, ...bad].flatMap((row) => [...row]));
    const { y } = await session.run({ x: float32(data, [5, size]) });
    await session.close();
    for (const [i, row] of rows.entries()) {
      const most = row.reduce((a, b) => Math.max(a, b));
      const exact = most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
      expect(Math.abs(Number(y!.data[i]) - exact) / exact).toBeLessThan(1e-6);
    }
    expect([y!.data[3], y!.data[4]]).toEqual([Number.NaN, Number.NaN]);
  });

  it("covers every op that has a gradient", () => {
    const differentiable = Object.entries(table).flatMap(([op, { vjp }]) =>
      typeof vjp === "function" && op !== "stopGradient" ? [op] : [],
    );
    expect([...new Set(cases.map(({ op }) => op))].sort()).toEqual(differentiable.sort());
  });

  it("has a reason for every op that has none", () => {
    const reasons = Object.values(table).flatMap(({ vjp }) =>
      typeof vjp === "function" ? [] : [vjp.reason],
    );
    expect(reasons.length).toBeGreaterThan(0);
    for (const reason of reasons) expect(reason.length).toBeGreaterThan(10);
  });
});
