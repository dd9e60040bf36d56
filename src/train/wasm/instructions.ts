// The WebAssembly instructions that the kernels use, as functions from typed expressions to typed expressions.
// Source: WebAssembly core specification 2.0, "Instructions" and its index of opcodes.
import {
  type Code,
  type Expression,
  type Local,
  signed,
  unsigned,
  type ValueType,
} from "./assembler.js";

/** The prefix byte of vector instructions, then their number. */
const simd = (opcode: number): Code => [0xfd, ...unsigned(opcode)];

function unary<A extends ValueType, R extends ValueType>(result: R, ...opcode: Code) {
  return (a: Expression<A>): Expression<R> => ({ type: result, code: [...a.code, ...opcode] });
}

function binary<A extends ValueType, R extends ValueType>(result: R, ...opcode: Code) {
  return (a: Expression<A>, b: Expression<A>): Expression<R> => ({
    type: result,
    code: [...a.code, ...b.code, ...opcode],
  });
}

/** Reads at a byte address plus a constant; `alignment` is the power of two the encoding hints at. */
function load<R extends ValueType>(result: R, alignment: number, ...opcode: Code) {
  return (address: Expression<"i32">, offset = 0): Expression<R> => ({
    type: result,
    code: [...address.code, ...opcode, alignment, ...unsigned(offset)],
  });
}

function store<A extends ValueType>(alignment: number, ...opcode: Code) {
  return (address: Expression<"i32">, value: Expression<A>, offset = 0): Code => [
    ...address.code,
    ...value.code,
    ...opcode,
    alignment,
    ...unsigned(offset),
  ];
}

export const i32 = {
  const: (value: number): Expression<"i32"> => ({ type: "i32", code: [0x41, ...signed(value)] }),
  add: binary<"i32", "i32">("i32", 0x6a),
  sub: binary<"i32", "i32">("i32", 0x6b),
  mul: binary<"i32", "i32">("i32", 0x6c),
  lessThan: binary<"i32", "i32">("i32", 0x48),
  atLeast: binary<"i32", "i32">("i32", 0x4e),
  isZero: unary<"i32", "i32">("i32", 0x45),
};

export const f32 = {
  const: (value: number): Expression<"f32"> => ({
    type: "f32",
    code: [0x43, ...new Uint8Array(Float32Array.of(value).buffer)],
  }),
  load: load("f32", 2, 0x2a),
  store: store<"f32">(2, 0x38),
  sqrt: unary<"f32", "f32">("f32", 0x91),
  add: binary<"f32", "f32">("f32", 0x92),
  sub: binary<"f32", "f32">("f32", 0x93),
  mul: binary<"f32", "f32">("f32", 0x94),
  div: binary<"f32", "f32">("f32", 0x95),
};

export const f64 = {
  const: (value: number): Expression<"f64"> => ({
    type: "f64",
    code: [0x44, ...new Uint8Array(Float64Array.of(value).buffer)],
  }),
  load: load("f64", 3, 0x2b),
  store: store<"f64">(3, 0x39),
  add: binary<"f64", "f64">("f64", 0xa0),
  mul: binary<"f64", "f64">("f64", 0xa2),
  promote: unary<"f32", "f64">("f64", 0xbb),
};

export const v128 = {
  load: load("v128", 4, ...simd(0x00)),
  store: store<"v128">(4, ...simd(0x0b)),
  and: binary<"v128", "v128">("v128", ...simd(0x4e)),
  xor: binary<"v128", "v128">("v128", ...simd(0x51)),
  /** Four 32-bit lanes out of two vectors: 0..3 name the first one's, 4..7 the second one's. */
  shuffle32:
    (...lanes: readonly [number, number, number, number]) =>
    (a: Expression<"v128">, b: Expression<"v128">): Expression<"v128"> => ({
      type: "v128",
      code: [
        ...a.code,
        ...b.code,
        ...simd(0x0d),
        ...lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]),
      ],
    }),
};

export const i32x4 = {
  splat: unary<"i32", "v128">("v128", ...simd(0x11)),
  /** All bits of a lane set where the first is at least the second, both unsigned; else none. */
  atLeastUnsigned: binary<"v128", "v128">("v128", ...simd(0x40)),
  add: binary<"v128", "v128">("v128", ...simd(0xae)),
  const: (...lanes: readonly [number, number, number, number]): Expression<"v128"> => ({
    type: "v128",
    code: [...simd(0x0c), ...new Uint8Array(Uint32Array.from(lanes).buffer)],
  }),
};

export const i64x2 = {
  /** Whole products of the first two 32-bit lanes, unsigned. */
  multiplyLowUnsigned: binary<"v128", "v128">("v128", ...simd(0xde)),
  /** Whole products of the last two 32-bit lanes, unsigned. */
  multiplyHighUnsigned: binary<"v128", "v128">("v128", ...simd(0xdf)),
};

export const f32x4 = {
  splat: unary<"f32", "v128">("v128", ...simd(0x13)),
  sqrt: unary<"v128", "v128">("v128", ...simd(0xe3)),
  add: binary<"v128", "v128">("v128", ...simd(0xe4)),
  sub: binary<"v128", "v128">("v128", ...simd(0xe5)),
  mul: binary<"v128", "v128">("v128", ...simd(0xe6)),
  div: binary<"v128", "v128">("v128", ...simd(0xe7)),
};

const firstLane = unary<"v128", "f64">("f64", ...simd(0x21), 0);
const secondLane = unary<"v128", "f64">("f64", ...simd(0x21), 1);

export const f64x2 = {
  add: binary<"v128", "v128">("v128", ...simd(0xf0)),
  mul: binary<"v128", "v128">("v128", ...simd(0xf2)),
  /** The first two of four float32 lanes as float64. */
  promoteLow: unary<"v128", "v128">("v128", ...simd(0x5f)),
  /** The two lanes added up; the value is computed twice unless it is a local. */
  addLanes: (value: Expression<"v128">): Expression<"f64"> =>
    f64.add(firstLane(value), secondLane(value)),
};

/** Runs the body once more each time `counter`, after `step` is taken off it, still is at least `least`. */
export function countDown(
  counter: Local<"i32">,
  { step, least }: { step: number; least: number },
  body: readonly Code[],
): Code {
  const enough = i32.atLeast(counter, i32.const(least));
  return [
    ...[0x02, 0x40],
    ...i32.isZero(enough).code,
    ...[0x0d, 0],
    ...[0x03, 0x40],
    ...body.flat(),
    ...counter.set(i32.sub(counter, i32.const(step))),
    ...enough.code,
    ...[0x0d, 0],
    ...[0x0b, 0x0b],
  ];
}
