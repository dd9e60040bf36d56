// Linear layers in whole numbers beside the same in floating point, at rows that are hard on their scale.
import { describe, expect, it } from "vitest";
import { GraphBuilder, linear, quantizeWeights, relu, rewriteGraph } from "../graph/index.js";
import { openSession } from "./session.js";
import { float32, type Tensor } from "./tensor.js";
import { wholeNumberProducts } from "./whole-number-products.js";

const [inner, out] = [48, 16];
let state = 3;
/** In [0,1), the same at every run. */
const random = () => {
  state = (state * 48_271) % 2_147_483_647;
  return state / 2_147_483_647;
};
const numbers = (count: number) => Float32Array.from({ length: count }, () => random() * 2 - 1);
const bias = numbers(out);
const whole = Int8Array.from({ length: inner * out }, () => Math.round(random() * 254 - 127));
const scale = numbers(out).map((each) => Math.abs(each) / 100);

/** What a linear layer in whole numbers makes of rows, after a ReLU or not. */
async function run(rows: readonly Float32Array[], isRectified: boolean): Promise<number[][]> {
  const product = await wholeNumberProducts();
  const g = new GraphBuilder();
  const x = g.input("x", "float32", ["rows", inner]);
  const weight = g.parameter("w", [out, inner]);
  const y = linear(g, isRectified ? relu(g, x) : x, weight, g.parameter("b", [out]));
  const exact = g.finish([g.output("y", y)]);
  const graph = rewriteGraph(exact, quantizeWeights(new Map([["w", "int8"]]), product));
  const unsigned = Uint8Array.from(whole, (each) => each + 128);
  const columns: Tensor =
    product === "int8"
      ? { dtype: "int8", shape: [inner, out], data: whole }
      : { dtype: "uint8", shape: [inner, out], data: unsigned };
  const weights = new Map<string, Tensor>([
    ["w~columns", columns],
    ["w~scale", float32(scale, [out])],
    ["b", float32(bias, [out])],
  ]);
  const session = await openSession(graph, weights, { device: "cpu", threads: 1, prepack: true });
  try {
    const fed = Float32Array.from(rows.flatMap((row) => [...row]));
    const { y: answered } = await session.run({ x: float32(fed, [rows.length, inner]) });
    const { data } = answered as Tensor<"float32">;
    return rows.map((_, i) => [...data.subarray(i * out, (i + 1) * out)]);
  } finally {
    await session.close();
  }
}

/** The layer's exact output, and the most that rounding activations to so many steps may change of it. */
function exactly(row: Float32Array, isRectified: boolean) {
  const read = isRectified ? row.map((each) => Math.max(0, each)) : row;
  const half = Math.max(...read.map(Math.abs)) / (isRectified ? 255 : 127) / 2;
  return Array.from({ length: out }, (_, j) => {
    let [sum, most] = [bias[j] as number, 1e-5];
    for (const [i, each] of read.entries()) {
      const weight = (whole[i * out + j] as number) * (scale[j] as number);
      sum += each * weight;
      most += half * Math.abs(weight);
    }
    return { sum, most };
  });
}

const zeros = new Float32Array(inner);
const rows = {
  "of any numbers": numbers(inner),
  "of zeros": zeros,
  "of one large number": numbers(inner).map((each, i) => (i === 5 ? 1e6 : each)),
  "of tiny numbers": numbers(inner).map((each) => each * 1e-20),
  "without a positive number": numbers(inner).map((each) => -Math.abs(each)),
};

describe.each([false, true])("a linear layer in whole numbers, after a ReLU: %s", (isRectified) => {
  it.each(Object.entries(rows))("is within what rounding makes for a row %s", async (_, row) => {
    const [found = []] = await run([row], isRectified);
    for (const [j, { sum, most }] of exactly(row, isRectified).entries()) {
      expect(Math.abs((found[j] as number) - sum)).toBeLessThanOrEqual(most);
    }
  });

  it("makes of each row among others what it makes of it alone", async () => {
    const all = Object.values(rows);
    const together = await run(all, isRectified);
    for (const [i, row] of all.entries()) {
      expect([together[i]]).toEqual(await run([row], isRectified));
    }
  });
});

it("makes the bias of a row of zeros", async () => {
  expect((await run([zeros], false))[0]).toEqual([...bias]);
});

it("makes of layers that read the same rows, joined or not, the same numbers", async () => {
  const product = await wholeNumberProducts();
  const g = new GraphBuilder();
  const x = g.input("x", "float32", ["rows", inner]);
  const layer = (name: string, hasBias = true) =>
    linear(g, x, g.parameter(name, [out, inner]), hasBias ? g.parameter("b", [out]) : undefined);
  const plain = layer("plain", false);
  const exact = g.finish([
    g.output("y.q", layer("q")),
    g.output("y.plain", plain),
    g.output("y.k", layer("k")),
    g.output("y.v", layer("v")),
    // Of what another has made.
    g.output("y.after", linear(g, plain, g.parameter("after", [out, out]))),
  ]);
  const names = ["q", "k", "v", "plain", "after"];
  const plan = new Map(names.map((name) => [name, "int8" as const]));
  const weights = new Map<string, Tensor>([["b", float32(bias, [out])]]);
  for (const name of names) {
    const columns = Int8Array.from({ length: (name === "after" ? out : inner) * out }, () =>
      Math.round(random() * 254 - 127),
    );
    const shape = [columns.length / out, out];
    const unsigned = Uint8Array.from(columns, (each) => each + 128);
    weights.set(
      `${name}~columns`,
      product === "int8"
        ? { dtype: "int8", shape, data: columns }
        : { dtype: "uint8", shape, data: unsigned },
    );
    weights.set(`${name}~scale`, float32(numbers(out).map(Math.abs), [out]));
  }
  const fed = { x: float32(Float32Array.from({ length: 5 * inner }, random), [5, inner]) };
  const answers = [];
  const counts = [];
  for (const fewRows of [undefined, exact]) {
    const graph = rewriteGraph(exact, quantizeWeights(plan, product, fewRows));
    counts.push(graph.nodes.filter(({ op }) => op.startsWith("quantizedLinear")).length);
    const session = await openSession(graph, weights, { device: "cpu", threads: 1, prepack: true });
    answers.push(await session.run(fed));
    await session.close();
  }
  expect(counts).toEqual([5, 3]);
  expect(answers[1]).toEqual(answers[0]);
  expect(answers[0]?.["y.q"]).not.toEqual(answers[0]?.["y.k"]);
});
