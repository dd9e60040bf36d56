// Collects the ONNX nodes of one lowering; small constants are shared.
import type { OnnxAttribute, OnnxInitializer, OnnxNode } from "./onnx.js";
import type { ConstantData, DType, Shape } from "./value.js";

export const microsoft = "com.microsoft";

export interface EmitOptions {
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  readonly domain?: string;
}

export class Emitter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];
  private readonly shared = new Map<string, string>();
  private temporaries = 0;

  /** Name of a value that only the op being emitted knows. */
  temporary(): string {
    this.temporaries += 1;
    return `~${this.temporaries}`;
  }

  /** Appends a node that makes `outputs`. */
  into(
    outputs: readonly string[],
    opType: string,
    inputs: readonly string[],
    options: EmitOptions = {},
  ): void {
    this.nodes.push({
      opType,
      domain: options.domain ?? "",
      name: `${opType}_${this.nodes.length}`,
      inputs,
      outputs,
      attributes: options.attributes ?? {},
    });
  }

  /** Appends a node with one output of its own and answers its name. */
  node(opType: string, inputs: readonly string[], options: EmitOptions = {}): string {
    const output = this.temporary();
    this.into([output], opType, inputs, options);
    return output;
  }

  private constant(key: string, dtype: DType, shape: Shape, data: () => ConstantData): string {
    const known = this.shared.get(key);
    if (known !== undefined) return known;
    const name = this.temporary();
    this.initializers.push({ name, dtype, shape, data: data() });
    this.shared.set(key, name);
    return name;
  }

  /** A float32 scalar. */
  scalar(value: number): string {
    return this.constant(`f${value}`, "float32", [], () => Float32Array.of(value));
  }

  /** An int64 vector. */
  ints(values: readonly number[]): string {
    return this.constant(`i${values.join(",")}`, "int64", [values.length], () =>
      BigInt64Array.from(values, BigInt),
    );
  }
}
