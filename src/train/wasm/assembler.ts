// Writes WebAssembly modules: typed expressions and statements as bytes, functions, and one module of them over a memory.
// Source: WebAssembly core specification 2.0, "Binary Format".

export type ValueType = "i32" | "f32" | "f64" | "v128";

/** Bytes of instructions. A statement is code that leaves the stack as it found it. */
export type Code = readonly number[];

/** Code that leaves one value of a known type on the stack. */
export interface Expression<T extends ValueType = ValueType> {
  readonly type: T;
  readonly code: Code;
}

/** A parameter or a variable of a function; as an expression it reads itself. */
export interface Local<T extends ValueType = ValueType> extends Expression<T> {
  set(value: Expression<T>): Code;
}

export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly result: ValueType | undefined;
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

const typeBytes: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/** An unsigned number in LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

/** A 32-bit number in signed LEB128; 2^31 and above count as negative. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && low < 0x40) || (rest === -1 && low >= 0x40)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

/** Declares the variables of the function being written. */
export type Declare = <T extends ValueType>(type: T) => Local<T>;

function localAt<T extends ValueType>(type: T, index: number): Local<T> {
  return {
    type,
    code: [0x20, ...unsigned(index)],
    set: (value) => [...value.code, 0x21, ...unsigned(index)],
  };
}

/** Names of parameters by type; they are passed in this order, integers first. */
export interface Signature<I extends string, F extends string> {
  readonly i32: readonly I[];
  readonly f32?: readonly F[];
}

/**
 * A function that is exported under its name.
 * @param write gives the statements, and the expression to answer with where there is one
 */
export function defineFunction<const I extends string, const F extends string = never>(
  name: string,
  signature: Signature<I, F>,
  write: (
    given: Readonly<Record<I, Local<"i32">> & Record<F, Local<"f32">>>,
    declare: Declare,
  ) => { readonly body: readonly Code[]; readonly result?: Expression },
): WasmFunction {
  const integers = signature.i32.map((key, index) => [key, localAt("i32", index)] as const);
  const floats = (signature.f32 ?? []).map(
    (key, index) => [key, localAt("f32", integers.length + index)] as const,
  );
  const given = {
    ...(Object.fromEntries(integers) as Record<I, Local<"i32">>),
    ...(Object.fromEntries(floats) as Record<F, Local<"f32">>),
  };
  const parameters = [...integers, ...floats].map(([, local]) => local.type);
  const locals: ValueType[] = [];
  const declare: Declare = (type) => {
    locals.push(type);
    return localAt(type, parameters.length + locals.length - 1);
  };
  const { body, result } = write(given, declare);
  return {
    name,
    parameters,
    result: result?.type,
    locals,
    body: [...body.flat(), ...(result?.code ?? [])],
  };
}

const text = (value: string) => vector([...new TextEncoder().encode(value)].map((byte) => [byte]));
const vector = (items: readonly Code[]) => [...unsigned(items.length), ...items.flat()];
const sized = (bytes: Code) => [...unsigned(bytes.length), ...bytes];
const section = (id: number, bytes: Code) => [id, ...sized(bytes)];

/** Most pages of 64 KiB that a memory with 32-bit addresses has: 4 GiB. */
export const mostPages = 65_536;

/** A module that imports `env.memory`, of any size, and exports the functions. */
export function assembleModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const signatures = functions.map(({ parameters, result }) => [
    0x60,
    ...vector(parameters.map((type) => [typeBytes[type]])),
    ...vector(result === undefined ? [] : [[typeBytes[result]]]),
  ]);
  const anyMemory = [0x02, 0x01, ...unsigned(0), ...unsigned(mostPages)];
  const bodies = functions.map(({ locals, body }) =>
    sized([...vector(locals.map((type) => [1, typeBytes[type]])), ...body, 0x0b]),
  );
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector(signatures)),
    ...section(2, vector([[...text("env"), ...text("memory"), ...anyMemory]])),
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...section(7, vector(functions.map(({ name }, i) => [...text(name), 0x00, ...unsigned(i)]))),
    ...section(10, vector(bodies)),
  ]);
}
