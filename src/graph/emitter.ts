// Collects the ONNX nodes of one lowering; small constants are shared.
import { BridleError } from "../errors/error.js";
import type { OnnxAttribute, OnnxInitializer, OnnxNode, OnnxSubgraph } from "./onnx.js";
import type { ConstantData, DType, Shape, Value } from "./value.js";

export const microsoft = "com.microsoft";

/** What a graph is lowered for: many small steps with few rows, or passes over many rows with weights that change. */
export type Target = "serving" | "training";

export interface EmitOptions {
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  readonly domain?: string;
}

export class Emitter {
  readonly initializers: OnnxInitializer[] = [];
  /** Nodes so far, of the graph or of the subgraph that is being made. */
  private made: OnnxNode[] = [];
  private readonly constants = new Map<string, string>();
  /** Values of nodes that are made once, by what they are. */
  private shared = new Map<string, string>();
  private count = 0;
  private temporaries = 0;
  readonly target: Target;
  private readonly used: ReadonlySet<string>;
  private readonly inputs: readonly Value[];

  /**
   * @param inputs what the graph is fed, where sizes that are only named are measured
   * @param used names of the values that something reads
   */
  constructor(target: Target, inputs: readonly Value[], used: ReadonlySet<string>) {
    this.target = target;
    this.inputs = inputs;
    this.used = used;
  }

  get nodes(): readonly OnnxNode[] {
    return this.made;
  }

  /** Whether anything reads the value; what nobody reads need not be made. */
  isUsed(value: Value): boolean {
    return this.used.has(value.name);
  }

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
    this.made.push({
      opType,
      domain: options.domain ?? "",
      name: `${opType}_${this.count}`,
      inputs,
      outputs,
      attributes: options.attributes ?? {},
    });
    this.count += 1;
  }

  /** Appends a node with one output of its own and answers its name. */
  node(opType: string, inputs: readonly string[], options: EmitOptions = {}): string {
    const output = this.temporary();
    this.into([output], opType, inputs, options);
    return output;
  }

  /** The value of that key, made by nodes where it is asked for the first time. */
  once(key: string, make: () => string): string {
    const known = this.shared.get(key);
    if (known !== undefined) return known;
    const name = make();
    this.shared.set(key, name);
    return name;
  }

  /**
   * Appends a node that makes `output` by one of two subgraphs: the first where `condition` is true. They answer the name of
   * what they make, and may read all that has been made before.
   */
  choose(output: Value, condition: string, then: () => string, otherwise: () => string): void {
    const attributes = {
      then_branch: { graph: this.subgraph(output, then) },
      else_branch: { graph: this.subgraph(output, otherwise) },
    };
    this.into([output.name], "If", [condition], { attributes });
  }

  /** Nodes that are made once inside of a subgraph are not seen outside of it. */
  private subgraph({ dtype, shape }: Value, make: () => string): OnnxSubgraph {
    const { made, shared } = this;
    this.made = [];
    this.shared = new Map(shared);
    const name = make();
    const graph = { nodes: this.made, outputs: [{ name, dtype, shape }] };
    this.made = made;
    this.shared = shared;
    return graph;
  }

  private constant(key: string, dtype: DType, shape: Shape, data: () => ConstantData): string {
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const name = this.temporary();
    this.initializers.push({ name, dtype, shape, data: data() });
    this.constants.set(key, name);
    return name;
  }

  /** A float32 scalar. */
  scalar(value: number): string {
    return this.constant(`f${value}`, "float32", [], () => Float32Array.of(value));
  }

  /** A float32 column [length,1] of one number. */
  column(value: number, length: number): string {
    return this.constant(`c${value},${length}`, "float32", [length, 1], () =>
      new Float32Array(length).fill(value),
    );
  }

  /** A uint8 scalar. */
  byte(value: number): string {
    return this.constant(`u${value}`, "uint8", [], () => Uint8Array.of(value));
  }

  /** An int8 scalar. */
  signedByte(value: number): string {
    return this.constant(`b${value}`, "int8", [], () => Int8Array.of(value));
  }

  /** An int64 vector. */
  ints(values: readonly number[]): string {
    return this.constant(`i${values.join(",")}`, "int64", [values.length], () =>
      BigInt64Array.from(values, BigInt),
    );
  }

  /**
   * The sizes of a shape as an int64 vector; those that are only named are measured on the graph's inputs.
   * @param inferred whether one size that no input has may be left to ONNX to infer, as Reshape does
   * @throws GRAPH_INVALID for a name that no input has
   */
  sizes(shape: Shape, { inferred = false } = {}): string {
    const unknown = shape.filter((dim) => typeof dim === "string" && !this.measurable(dim));
    if (unknown.length > (inferred ? 1 : 0)) {
      throw new BridleError("GRAPH_INVALID", {
        reason: `the size ${unknown.join(", ")} is no size of an input`,
      });
    }
    const sizes = shape.map((dim) => (unknown.includes(dim) ? -1 : dim));
    if (sizes.every((size) => typeof size === "number")) return this.ints(sizes as number[]);
    return this.once(`s${sizes.join(",")}`, () => {
      const parts = sizes.map((size) =>
        typeof size === "number" ? this.ints([size]) : this.measured(size),
      );
      return this.node("Concat", parts, { attributes: { axis: 0 } });
    });
  }

  /** Ones [1,N] to multiply a float32 matrix x [N,D] with. */
  onesBefore(x: Value): string {
    const [rows = 1] = x.shape;
    const onesOf = (sizes: string) => this.node("Expand", [this.scalar(1), sizes]);
    if (typeof rows === "number" || this.measurable(rows)) {
      return this.once(`o${rows}`, () => onesOf(this.sizes([1, rows])));
    }
    const length = this.node("Shape", [x.name], { attributes: { start: 0, end: 1 } });
    return onesOf(this.node("Concat", [this.ints([1]), length], { attributes: { axis: 0 } }));
  }

  private measurable(name: string): boolean {
    return name
      .split("*")
      .every((factor) => this.inputs.some(({ shape }) => shape.includes(factor)));
  }

  /** A named size, or a product of named sizes, as an int64 vector of one element. */
  private measured(name: string): string {
    return this.once(`d${name}`, () => {
      const [first = "", ...rest] = name.split("*");
      return rest.length > 0
        ? this.node("Mul", [this.measured(first), this.measured(rest.join("*"))])
        : this.shapeOf(first);
    });
  }

  private shapeOf(name: string): string {
    const input = this.inputs.find(({ shape }) => shape.includes(name));
    const start = input?.shape.indexOf(name) ?? 0;
    return this.node("Shape", [input?.name ?? ""], { attributes: { start, end: start + 1 } });
  }
}
