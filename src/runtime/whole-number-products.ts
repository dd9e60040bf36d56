// Which 8-bit weights this machine multiplies without rounding: asked of onnxruntime, once a process.
import { GraphBuilder } from "../graph/index.js";
import { openOnce } from "./open-once.js";
import { openSession } from "./session.js";
import { float32, size, type Tensor } from "./tensor.js";

/**
 * "int8" where products of unsigned activations and signed weights are exact, "uint8" where only unsigned ones are.
 * On processors with AVX2 and no VNNI onnxruntime adds pairs of products in 16 bits, where two large ones do not fit:
 * 255·127 + 255·127 becomes 32,767. Its products of two unsigned numbers are exact and as fast there.
 */
export function wholeNumberProducts(): Promise<"int8" | "uint8"> {
  return openOnce(answers, "cpu", ask);
}

const answers = new Map<"cpu", Promise<"int8" | "uint8">>();

async function ask(): Promise<"int8" | "uint8"> {
  const [inner, out] = [64, 16];
  const g = new GraphBuilder();
  const x = g.input("x", "float32", [1, inner]);
  const weight = g.parameter("weight", [inner, out], "int8");
  const scale = g.parameter("scale", [out]);
  const rows = g.apply("quantizeRows", [x]);
  const [y] = g.apply("quantizedLinear", [...rows, weight, scale]);
  if (y === undefined) return "uint8";
  const ones = (shape: number[]) => float32(new Float32Array(size(shape)).fill(1), shape);
  const weights = new Map<string, Tensor>([
    ["weight", { dtype: "int8", shape: [inner, out], data: new Int8Array(inner * out).fill(127) }],
    ["scale", ones([out])],
  ]);
  const session = await openSession(g.finish([g.output("y", y)]), weights, {
    device: "cpu",
    threads: 1,
  });
  try {
    const answered = await session.run({ x: ones([1, inner]) });
    const exact = 127 * inner;
    const isExact = (answered.y as Tensor<"float32">).data.every(
      (found) => Math.abs(found - exact) < 1,
    );
    return isExact ? "int8" : "uint8";
  } finally {
    await session.close();
  }
}
