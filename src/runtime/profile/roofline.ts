// How quick this machine can be at best: what it multiplies in a second and what it moves, measured in the same threads.
import { GraphBuilder } from "../../graph/index.js";
import { openSession, type SessionOptions } from "../session.js";
import { float32, size, type Tensor } from "../tensor.js";
import type { Weights } from "../weights.js";

/** The two roofs. Source: Williams, Waterman and Patterson 2009, "Roofline". */
export interface Roofs {
  /** Multiplications and additions of float32 numbers a second. */
  readonly flops: number;
  /** The same of whole numbers, where they were measured. */
  readonly wholeFlops?: number;
  /** Bytes read a second, of a weight far larger than caches: what a step with few rows lives by. */
  readonly bytes: number;
}

/** Rows, inner and columns of a product that is large enough to show what a machine can do, and takes a moment. */
const productShape = [512, 1024, 1024] as const;
/** One row times a weight of 134 MB. */
const readShape = [1, 8192, 4096] as const;
const repeats = 5;

/** Measures the roofs of a device. @throws DEVICE_UNAVAILABLE */
export async function measureRoofs(
  options: Pick<SessionOptions, "device" | "threads">,
  { whole }: { readonly whole: boolean },
): Promise<Roofs> {
  const [rows, inner, columns] = productShape;
  const work = 2 * rows * inner * columns;
  const ones = (shape: readonly number[]) => float32(new Float32Array(size(shape)).fill(1), shape);
  const bestOf = async ([x, k, y]: readonly [number, number, number]) => {
    const g = new GraphBuilder();
    const [out] = g.apply("matmul", [
      g.input("x", "float32", [x, k]),
      g.parameter("weight", [k, y]),
    ]);
    const weights = new Map<string, Tensor>([["weight", ones([k, y])]]);
    return await bestSeconds(g, out, weights, ones([x, k]), options);
  };
  const roofs = {
    flops: work / (await bestOf(productShape)),
    bytes: (4 * size(readShape)) / (await bestOf(readShape)),
  };
  if (!whole) return roofs;
  const integer = new GraphBuilder();
  const [w] = integer.apply("quantizedLinear", [
    ...integer.apply("quantizeRows", [integer.input("x", "float32", [rows, inner])]),
    integer.parameter("weight", [inner, columns], "int8"),
    integer.parameter("scale", [columns]),
  ]);
  const weights = new Map<string, Tensor>([
    [
      "weight",
      { dtype: "int8", shape: [inner, columns], data: new Int8Array(inner * columns).fill(1) },
    ],
    ["scale", ones([columns])],
  ]);
  const prepacked = { ...options, prepack: true };
  const seconds = await bestSeconds(integer, w, weights, ones([rows, inner]), prepacked);
  return { ...roofs, wholeFlops: work / seconds };
}

/** The quickest of a few runs. */
async function bestSeconds(
  g: GraphBuilder,
  y: Parameters<GraphBuilder["output"]>[1] | undefined,
  weights: Weights,
  x: Tensor,
  options: SessionOptions,
): Promise<number> {
  const graph = g.finish(y === undefined ? [] : [g.output("y", y)]);
  const session = await openSession(graph, weights, options);
  try {
    let best = Number.POSITIVE_INFINITY;
    const into = await session.run({ x });
    for (let i = 0; i < repeats; i++) {
      const began = performance.now();
      await session.run({ x }, into);
      best = Math.min(best, performance.now() - began);
    }
    return best / 1000;
  } finally {
    await session.close();
  }
}
