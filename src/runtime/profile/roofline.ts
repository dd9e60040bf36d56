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
  /** Bytes read and written a second, far more than caches hold. */
  readonly bytes: number;
}

/** Rows, inner and columns of a product that is large enough to show what a machine can do, and takes a moment. */
const productShape = [512, 1024, 1024] as const;
/** Elements of a tensor that is larger than caches. */
const moved = 1 << 25;
const repeats = 5;

/** Measures the roofs of a device. @throws DEVICE_UNAVAILABLE */
export async function measureRoofs(
  options: Pick<SessionOptions, "device" | "threads">,
  { whole }: { readonly whole: boolean },
): Promise<Roofs> {
  const [rows, inner, columns] = productShape;
  const work = 2 * rows * inner * columns;
  const ones = (shape: readonly number[]) => float32(new Float32Array(size(shape)).fill(1), shape);
  const product = new GraphBuilder();
  const [y] = product.apply("matmul", [
    product.input("x", "float32", [rows, inner]),
    product.parameter("weight", [inner, columns]),
  ]);
  const weight = new Map<string, Tensor>([["weight", ones([inner, columns])]]);
  const ofProduct = await bestSeconds(product, y, weight, ones([rows, inner]), options);
  const copy = new GraphBuilder();
  const [z] = copy.apply("relu", [copy.input("x", "float32", [moved])]);
  const ofCopy = await bestSeconds(copy, z, new Map(), ones([moved]), options);
  const roofs = { flops: work / ofProduct, bytes: (2 * 4 * moved) / ofCopy };
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
