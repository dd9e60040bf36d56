// One operator that ran: what it is, how long it took, and the work and bytes that its shapes stand for.

/** An event as onnxruntime writes it; times in µs. */
export interface OnnxRuntimeEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface OperatorCall {
  /** Type of the operator, such as MatMul. */
  readonly op: string;
  /** Name of the node in the graph. */
  readonly node: string;
  /** Where it ran, such as CPU. */
  readonly provider: string;
  readonly beganMs: number;
  readonly ms: number;
  /** Shapes that go in and out: `[8,64] [64,32] → [8,32]`. */
  readonly shapes: string;
  /** Multiplications and additions of a product; 0 of what is none. */
  readonly flops: number;
  /** Bytes read and written, each once. */
  readonly bytes: number;
  /** Whether a product multiplies whole numbers. */
  readonly isWhole: boolean;
}

const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** Products of matrices by onnxruntime's names; true for those of whole numbers. */
const products: ReadonlyMap<string, boolean> = new Map([
  ["MatMul", false],
  ["FusedMatMul", false],
  ["TransposeMatMul", false],
  ["Gemm", false],
  ["FusedGemm", false],
  ["MatMulNBits", true],
  ["MatMulInteger", true],
  ["MatMulIntegerToFloat", true],
  ["DynamicQuantizeMatMul", true],
  ["QLinearMatMul", true],
]);

/** Both products of attention as one operator, given queries and keys [B,T,H·D]: two for each score and element of its sums, twice. */
function attentionFlops([q = [], k = []]: readonly (readonly number[])[]): number {
  return 4 * count(q) * (k[1] ?? 0);
}

/** An operator's run; undefined for events of other kinds, and for an operator whose time is that of others, which tell of it. */
export function readOperatorCall(event: OnnxRuntimeEvent): OperatorCall | undefined {
  const { cat, name, ts, dur, args } = event;
  if (cat !== "Node" || !name.endsWith("_kernel_time")) return undefined;
  const op = String(args.op_name ?? "");
  if (op === "If") return undefined;
  const inputs = readShapes(args.input_type_shape);
  const outputs = readShapes(args.output_type_shape);
  const bytes = ["activation_size", "parameter_size", "output_size"].reduce(
    (sum, key) => sum + Number(args[key] ?? 0),
    0,
  );
  const isWhole = products.get(op);
  const product = isWhole === undefined ? undefined : measureProduct(inputs[0], outputs[0]);
  const tell = (shapes: readonly (readonly number[])[]) =>
    shapes.map((shape) => `[${shape.join(",")}]`).join(" ");
  return {
    op,
    node: name.slice(0, -"_kernel_time".length),
    provider: String(args.provider ?? "").replace(/ExecutionProvider$/, ""),
    beganMs: ts / 1000,
    ms: dur / 1000,
    shapes: `${tell(inputs)} → ${tell(outputs)}`,
    flops: op === "MultiHeadAttention" ? attentionFlops(inputs) : (product?.flops ?? 0),
    bytes: bytes + (product === undefined ? 0 : unseenBytes(op, product, inputs)),
    isWhole: isWhole === true,
  };
}

/** `[{"float":[8,64]},{"int64":[1]}]` as shapes. */
function readShapes(told: unknown): number[][] {
  if (!Array.isArray(told)) return [];
  return told.map((one: Readonly<Record<string, number[]>>) => Object.values(one)[0] ?? []);
}

interface Product {
  readonly flops: number;
  /** Elements of the axis summed over, and of a row of the result. */
  readonly inner: number;
  readonly columns: number;
}

/** Two for each element of the result and of the axis summed over, which is a factor of the first matrix alone. */
function measureProduct(a: readonly number[] = [], out: readonly number[] = []): Product {
  const columns = out.at(-1) ?? 1;
  const rows = count(out) / Math.max(1, columns);
  const found = count(a) / Math.max(1, rows);
  // A first matrix shared by a batch of second ones has fewer rows than the result.
  const isWhole = Number.isInteger(found) && found >= 1 && a.slice(-2).includes(found);
  const inner = isWhole ? found : (a.at(-1) ?? 0);
  return { flops: 2 * count(out) * inner, inner, columns };
}

/** Bytes of a weight that onnxruntime has laid out anew and does not tell of any more. */
function unseenBytes(
  op: string,
  { inner, columns }: Product,
  inputs: readonly (readonly number[])[],
): number {
  const isTold = inputs.slice(1).some((shape) => count(shape) >= inner * columns);
  if (isTold) return 0;
  const bits = op === "MatMulNBits" ? 4 : products.get(op) === true ? 8 : 32;
  return (inner * columns * bits) / 8;
}
