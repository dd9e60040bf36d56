// A tensor as it lies in a file, and reading it as float32 without a second copy of the whole.
import { BridleError } from "../../errors/error.js";
import { openWeights, readFully } from "../../runtime/weights.js";

/** Bytes of one element. */
export const storedBytes = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
} as const;

export type StoredDType = keyof typeof storedBytes;

export interface StoredTensor {
  readonly name: string;
  readonly file: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** First byte in the file. */
  readonly offset: number;
  /** Elements from one index to the next on each axis; row-major unless given. */
  readonly strides?: readonly number[];
}

const chunkElements = 1 << 20;

/** IEEE 754 half precision, by its bits. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** bfloat16, by its bits: the upper half of a float32. */
export function fromBfloat16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0] as number;
}

/** Every value of a 16-bit type by its bits, made when first needed. */
function createTable(convert: (bits: number) => number): () => Float32Array {
  let table: Float32Array | undefined;
  return () => {
    table ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => convert(bits));
    return table;
  };
}

const float16Table = createTable(fromFloat16);
const bfloat16Table = createTable(fromBfloat16);

function lookUp(table: Float32Array, bytes: Uint8Array, out: Float32Array): void {
  const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, out.length);
  for (let i = 0; i < out.length; i++) out[i] = table[bits[i] as number] as number;
}

type Convert = (bytes: Uint8Array, out: Float32Array) => void;

const converters: Readonly<Partial<Record<StoredDType, Convert>>> = {
  float64: (bytes, out) => out.set(new Float64Array(bytes.buffer, bytes.byteOffset, out.length)),
  float16: (bytes, out) => lookUp(float16Table(), bytes, out),
  bfloat16: (bytes, out) => lookUp(bfloat16Table(), bytes, out),
};

/** Row-major strides of a shape. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = (strides[axis + 1] as number) * (shape[axis + 1] as number);
  }
  return strides;
}

function isRowMajor({ shape, strides }: StoredTensor): boolean {
  if (strides === undefined) return true;
  const expected = rowMajor(shape);
  return shape.every((dim, axis) => dim === 1 || strides[axis] === expected[axis]);
}

/** The elements of a strided tensor, in row-major order. */
function gatherStrided(
  span: Float32Array,
  shape: readonly number[],
  strides: readonly number[],
): Float32Array {
  const out = new Float32Array(shape.reduce((product, dim) => product * dim, 1));
  const index = new Array<number>(shape.length).fill(0);
  let at = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = span[at] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1;
      at += strides[axis] as number;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      at -= (strides[axis] as number) * (shape[axis] as number);
      index[axis] = 0;
    }
  }
  return out;
}

/**
 * Reads one tensor as float32. Half and double precision are converted piece by piece.
 * @throws WEIGHTS_CORRUPT when the file ends too soon, the dtype is no floating one, or an element is NaN or infinite.
 */
export async function readFloat32(tensor: StoredTensor): Promise<Float32Array> {
  const { file, name, dtype, offset, shape, strides } = tensor;
  const corrupt = (reason: string) => new BridleError("WEIGHTS_CORRUPT", { file, reason });
  const convert = converters[dtype];
  if (convert === undefined && dtype !== "float32")
    throw corrupt(`${name} is ${dtype}, not a floating type`);
  const count = shape.reduce((product, dim) => product * dim, 1);
  const contiguous = isRowMajor(tensor);
  const span =
    contiguous || count === 0
      ? count
      : 1 + shape.reduce((sum, dim, axis) => sum + (dim - 1) * (strides?.[axis] ?? 0), 0);
  const out = new Float32Array(span);
  const handle = await openWeights(file);
  try {
    if (convert === undefined) {
      await readFully(handle, file, new Uint8Array(out.buffer), offset);
    } else {
      const bytes = storedBytes[dtype];
      const buffer = new Uint8Array(Math.min(span, chunkElements) * bytes);
      for (let done = 0; done < span; done += chunkElements) {
        const elements = Math.min(chunkElements, span - done);
        const target = buffer.subarray(0, elements * bytes);
        await readFully(handle, file, target, offset + done * bytes);
        convert(target, out.subarray(done, done + elements));
      }
    }
  } finally {
    await handle.close();
  }
  if (!isFinite32(out)) throw notFinite(tensor);
  return contiguous ? out : gatherStrided(out, shape, strides ?? []);
}

/**
 * Whether two tensors hold the same values; told without reading where they are the same bytes.
 * @throws WEIGHTS_CORRUPT as `readFloat32` does
 */
export async function isSameTensor(a: StoredTensor, b: StoredTensor): Promise<boolean> {
  const sameShape =
    a.shape.length === b.shape.length && a.shape.every((dim, i) => dim === b.shape[i]);
  if (!sameShape) return false;
  const asTheyLie = isRowMajor(a) && isRowMajor(b);
  if (asTheyLie && a.file === b.file && a.offset === b.offset && a.dtype === b.dtype) return true;
  const count = a.shape.reduce((product, dim) => product * dim, 1);
  const length = asTheyLie ? chunkElements : count;
  for (let done = 0; done < count; done += length) {
    const part = ({ offset, ...tensor }: StoredTensor) =>
      readFloat32({
        ...tensor,
        ...(asTheyLie && { shape: [Math.min(length, count - done)], strides: [1] }),
        offset: offset + done * storedBytes[tensor.dtype],
      });
    const [x, y] = [await part(a), await part(b)];
    if (x.some((value, i) => value !== y[i])) return false;
  }
  return true;
}

/** 0·x is NaN exactly where x is NaN or infinite. Four sums, since each addition waits for the one before it. */
function isFinite32(values: Float32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = values.length - (values.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += 0 * (values[i] as number);
    b += 0 * (values[i + 1] as number);
    c += 0 * (values[i + 2] as number);
    d += 0 * (values[i + 3] as number);
  }
  for (let i = whole; i < values.length; i++) a += 0 * (values[i] as number);
  return !Number.isNaN(a + b + c + d);
}

function notFinite({ file, name }: StoredTensor): BridleError {
  const reason = `${name} has an element that is NaN or infinite`;
  return new BridleError("WEIGHTS_CORRUPT", { file, reason });
}

/** Whether a tensor's bytes are used as they lie: float32, row-major, at an address floats may have. */
export function isMappable(tensor: StoredTensor): boolean {
  return tensor.dtype === "float32" && tensor.offset % 4 === 0 && isRowMajor(tensor);
}

/**
 * Reads a tensor that is to be mapped, and keeps nothing of it: its elements are checked, and its pages are in memory
 * when they are asked for.
 * @throws WEIGHTS_CORRUPT when the file ends too soon, or an element is NaN or infinite.
 */
export async function checkMapped(tensor: StoredTensor): Promise<void> {
  const { file, offset, shape } = tensor;
  const elements = shape.reduce((product, dim) => product * dim, 1);
  const length = Math.min(elements, chunkElements);
  const handle = await openWeights(file);
  try {
    const read = async (buffer: Float32Array, at: number) => {
      const part = buffer.subarray(0, Math.min(length, elements - at));
      const bytes = new Uint8Array(part.buffer, 0, part.byteLength);
      await readFully(handle, file, bytes, offset + 4 * at);
      return part;
    };
    // While one part is looked at the next is read.
    let [current, other] = [new Float32Array(length), new Float32Array(length)];
    let next = read(current, 0);
    for (let at = length; ; at += length) {
      const part = await next;
      [current, other] = [other, current];
      const more = at < elements;
      if (more) next = read(current, at);
      if (!isFinite32(part)) {
        if (more) await next;
        throw notFinite(tensor);
      }
      if (!more) return;
    }
  } finally {
    await handle.close();
  }
}
