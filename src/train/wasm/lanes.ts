// Loops over arrays of float32, written once and emitted twice: four elements at a time, then what is left one by one.
import type { Code, Declare, Expression, Local } from "./assembler.js";
import { countDown, f32, f32x4, f64, f64x2, i32, i32x4, v128 } from "./instructions.js";

/** What holds one step's elements: four lanes of a vector, or one float. */
export type Lane = "v128" | "f32";

/** Float32 arithmetic on lanes, the same in both forms, so that a loop's result does not depend on where it is cut. */
export interface Lanes<T extends Lane> {
  readonly type: T;
  readonly elements: number;
  readonly splat: (value: Expression<"f32">) => Expression<T>;
  readonly load: (address: Expression<"i32">, offset?: number) => Expression<T>;
  readonly store: (address: Expression<"i32">, value: Expression<T>, offset?: number) => Code;
  readonly sqrt: (a: Expression<T>) => Expression<T>;
  readonly add: (a: Expression<T>, b: Expression<T>) => Expression<T>;
  readonly sub: (a: Expression<T>, b: Expression<T>) => Expression<T>;
  readonly mul: (a: Expression<T>, b: Expression<T>) => Expression<T>;
  readonly div: (a: Expression<T>, b: Expression<T>) => Expression<T>;
  /** The lanes as float64, in vectors of two or as one number. */
  readonly widen: (value: Local<T>) => readonly Expression<Wide<T>>[];
  readonly wide: WideLanes<Wide<T>>;
}

type Wide<T extends Lane> = T extends "v128" ? "v128" : "f64";

/** Float64 arithmetic on what `widen` gives. */
export interface WideLanes<W extends "v128" | "f64"> {
  readonly type: W;
  readonly bytes: number;
  readonly load: (address: Expression<"i32">, offset?: number) => Expression<W>;
  readonly store: (address: Expression<"i32">, value: Expression<W>, offset?: number) => Code;
  readonly add: (a: Expression<W>, b: Expression<W>) => Expression<W>;
  readonly mul: (a: Expression<W>, b: Expression<W>) => Expression<W>;
  readonly zero: Expression<W>;
  /** The lanes added up. */
  readonly sum: (value: Expression<W>) => Expression<"f64">;
}

const fourLanes: Lanes<"v128"> = {
  ...f32x4,
  type: "v128",
  elements: 4,
  load: v128.load,
  store: v128.store,
  widen: (value) => [
    f64x2.promoteLow(value),
    f64x2.promoteLow(v128.shuffle32(2, 3, 2, 3)(value, value)),
  ],
  wide: {
    ...f64x2,
    type: "v128",
    bytes: 16,
    load: v128.load,
    store: v128.store,
    zero: i32x4.const(0, 0, 0, 0),
    sum: f64x2.addLanes,
  },
};

const oneLane: Lanes<"f32"> = {
  ...f32,
  type: "f32",
  elements: 1,
  splat: (value) => value,
  widen: (value) => [f64.promote(value)],
  wide: { ...f64, type: "f64", bytes: 8, zero: f64.const(0), sum: (value) => value },
};

/** The elements of one array that a step works on. */
export interface Cells<T extends Lane> {
  readonly load: Expression<T>;
  store(value: Expression<T>): Code;
  /** Adds widened lanes to an array of float64. */
  accumulate(wide: readonly Expression<Wide<T>>[]): Code;
}

export interface Loop<A extends string, S extends string> {
  readonly count: Expression<"i32">;
  /** Byte addresses; each ends up behind the last element. */
  readonly arrays: Readonly<Record<A, Local<"i32">>>;
  /** Which of them hold float64; the others hold float32. */
  readonly doubles?: readonly NoInfer<A>[];
  readonly scalars: Readonly<Record<S, Expression<"f32">>>;
  /** Where the sum of what the body adds up goes, on top of what is there. */
  readonly total?: Local<"f64">;
}

export interface Step<T extends Lane> {
  readonly declare: Declare;
  /** Adds widened lanes to the loop's total. */
  addUp(wide: readonly Expression<Wide<T>>[]): Code;
}

export type LoopBody<A extends string, S extends string> = <T extends Lane>(
  lanes: Lanes<T>,
  arrays: Readonly<Record<A, Cells<T>>>,
  scalars: Readonly<Record<S, Expression<T>>>,
  step: Step<T>,
) => readonly Code[];

/** How often the vector step is repeated before addresses are moved on; fits the registers of x64 and arm64. */
const unroll = 4;

/**
 * Emits the loop. Every element sees the same float32 operations in the same order, in a vector or alone. Totals
 * are added up in float64 in an order that depends on the count alone.
 */
export function forEachElement<A extends string, S extends string>(
  declare: Declare,
  loop: Loop<A, S>,
  body: LoopBody<A, S>,
): Code {
  const remaining = declare("i32");
  return [
    ...remaining.set(loop.count),
    ...emitSteps(fourLanes, unroll, declare, remaining, loop, body),
    ...emitSteps(oneLane, 1, declare, remaining, loop, body),
  ];
}

function emitSteps<T extends Lane, A extends string, S extends string>(
  lanes: Lanes<T>,
  repeats: number,
  declare: Declare,
  remaining: Local<"i32">,
  { arrays, doubles = [], scalars, total }: Loop<A, S>,
  body: LoopBody<A, S>,
): Code {
  const { wide } = lanes;
  const spread = entries(scalars).map(([name, value]) => {
    const local = declare<T>(lanes.type);
    return { name, local, set: local.set(lanes.splat(value)) };
  });
  const scalarsHere = record(spread.map(({ name, local }) => [name, local]));
  // The same variables serve every repeat; each repeat has sums of its own, so that no addition waits for another.
  const variables: Local[] = [];
  const sums: Local<Wide<T>>[] = [];
  const repeat = (at: number): readonly Code[] => {
    let used = 0;
    const reuse: Declare = (type) => {
      variables[used] ??= declare(type);
      used += 1;
      return variables[used - 1] as Local<typeof type>;
    };
    const addUp = (values: readonly Expression<Wide<T>>[]) =>
      values.flatMap((value) => {
        const sum = declare<Wide<T>>(wide.type);
        sums.push(sum);
        return sum.set(wide.add(sum, value));
      });
    const cells = entries(arrays).map(([name, address]): [A, Cells<T>] => {
      const bytes = (doubles.includes(name) ? 8 : 4) * lanes.elements;
      return [name, cellsAt(lanes, address, at * bytes)];
    });
    return body(lanes, record(cells), scalarsHere, { declare: reuse, addUp });
  };
  const elements = repeats * lanes.elements;
  const work = Array.from({ length: repeats }, (_, at) => repeat(at)).flat();
  const moves = entries(arrays).map(([name, address]) =>
    address.set(i32.add(address, i32.const(elements * (doubles.includes(name) ? 8 : 4)))),
  );
  const [first, ...others] = sums;
  return [
    ...spread.flatMap(({ set }) => set),
    ...sums.flatMap((sum) => sum.set(wide.zero)),
    ...countDown(remaining, { step: elements, least: elements }, [...work, ...moves]),
    ...(first === undefined || total === undefined
      ? []
      : [
          ...first.set(others.reduce<Expression<Wide<T>>>(wide.add, first)),
          ...total.set(f64.add(total, wide.sum(first))),
        ]),
  ];
}

function cellsAt<T extends Lane>(lanes: Lanes<T>, address: Local<"i32">, offset: number): Cells<T> {
  const { wide } = lanes;
  return {
    load: lanes.load(address, offset),
    store: (value) => lanes.store(address, value, offset),
    accumulate: (values) =>
      values.flatMap((value, index) => {
        const at = offset + index * wide.bytes;
        return wide.store(address, wide.add(wide.load(address, at), value), at);
      }),
  };
}

function entries<K extends string, V>(of: Readonly<Record<K, V>>): [K, V][] {
  return Object.entries(of) as [K, V][];
}

function record<K extends string, V>(pairs: readonly (readonly [K, V])[]): Record<K, V> {
  return Object.fromEntries(pairs) as Record<K, V>;
}
