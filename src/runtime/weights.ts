// Where a model's weights lie: in memory, or in files that a session maps instead of holding them.
import { type FileHandle, open, stat } from "node:fs/promises";
import path from "node:path";
import { BridleError } from "../errors/error.js";
import { readError } from "../errors/file-errors.js";
import { dtypes, type ExternalData, type Value } from "../graph/index.js";
import { size, type Tensor } from "./tensor.js";

/** Elements as they lie in a file, row-major and little-endian. */
export interface FileTensor {
  readonly dtype: "float32" | "int8" | "uint8";
  readonly shape: readonly number[];
  /** Absolute, with no symbolic link in it. */
  readonly file: string;
  /** First byte in the file, of float32 a multiple of 4. */
  readonly offset: number;
}

export type Weight = Tensor | FileTensor;

/** Bytes a weight takes, in memory or in its file. */
export function sizeBytes({ dtype, shape }: Pick<Weight, "dtype" | "shape">): number {
  return dtypes[dtype].bytes * size(shape);
}

/** Weights by checkpoint name. Several sessions share one set: what is in memory is held once, what is mapped not at all. */
export type Weights = ReadonlyMap<string, Weight>;

/** Weights that are all in memory, as training needs them. */
export type HeldWeights = ReadonlyMap<string, Tensor>;

export function isInFile(weight: Weight): weight is FileTensor {
  return "file" in weight;
}

/**
 * A weight, checked against what the graph expects.
 * @throws WEIGHT_MISSING, SHAPE_MISMATCH
 */
export function weightOf(weights: Weights, parameter: Value): Weight {
  const weight = weights.get(parameter.name);
  if (weight === undefined) {
    throw new BridleError("WEIGHT_MISSING", { name: parameter.name });
  }
  if (
    weight.dtype !== parameter.dtype ||
    size(weight.shape) !== size(parameter.shape.map(Number))
  ) {
    throw new BridleError("SHAPE_MISMATCH", {
      op: `weight ${parameter.name}`,
      reason: `it is ${weight.dtype}[${weight.shape}], the model needs ${parameter.dtype}[${parameter.shape}]`,
    });
  }
  return weight;
}

/** The folder that all files lie under, which onnxruntime takes their places relative to. */
export function commonFolder(files: Iterable<string>): string | undefined {
  let common: string | undefined;
  for (const file of files) {
    const folder = path.dirname(file);
    common ??= folder;
    while (path.relative(common, folder).split(path.sep)[0] === "..") common = path.dirname(common);
  }
  return common;
}

/**
 * Checks that the files still hold the weights that are to be mapped.
 * @throws WEIGHTS_NOT_FOUND, WEIGHTS_CORRUPT
 */
export async function checkFiles(weights: Iterable<FileTensor>): Promise<void> {
  const ends = new Map<string, number>();
  for (const weight of weights) {
    const { file, offset } = weight;
    ends.set(file, Math.max(ends.get(file) ?? 0, offset + sizeBytes(weight)));
  }
  for (const [file, end] of ends) {
    const found = await stat(file).catch((cause: Error) => {
      const details = { folder: path.dirname(file), looked: path.basename(file) };
      throw new BridleError("WEIGHTS_NOT_FOUND", details, { cause });
    });
    if (found.size < end) {
      throw new BridleError("WEIGHTS_CORRUPT", { file, reason: `it ends at byte ${found.size}` });
    }
  }
}

/** Where a mapped weight lies, as ONNX says it. */
export function externalData(weight: FileTensor, folder: string): ExternalData {
  return {
    location: path.relative(folder, weight.file).split(path.sep).join("/"),
    offset: weight.offset,
    length: sizeBytes(weight),
  };
}

/** Opens a weight file for reading. @throws FILE_NOT_FOUND, FILE_NOT_READABLE */
export async function openWeights(file: string): Promise<FileHandle> {
  try {
    const handle = await open(file, "r");
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch (thrown) {
    throw readError(thrown, file);
  }
  throw new BridleError("FILE_NOT_READABLE", { file, reason: "it is no file" });
}

/**
 * Fills `target` from a file. One read call takes at most 2 GiB, so there may be several.
 * @throws WEIGHTS_CORRUPT when the file ends first
 */
export async function readFully(
  handle: FileHandle,
  file: string,
  target: Uint8Array,
  position: number,
): Promise<void> {
  const most = 1 << 30;
  for (let filled = 0; filled < target.length; ) {
    const length = Math.min(target.length - filled, most);
    const { bytesRead } = await handle.read(target, filled, length, position + filled);
    if (bytesRead === 0)
      throw new BridleError("WEIGHTS_CORRUPT", {
        file,
        reason: `it ends at byte ${position + filled}`,
      });
    filled += bytesRead;
  }
}

/**
 * A weight in memory, read from its file where it lies in one.
 * @throws WEIGHTS_CORRUPT when the file is shorter than it was
 */
export async function readWeight(weight: Weight): Promise<Tensor> {
  if (!isInFile(weight)) return weight;
  const { dtype, shape } = weight;
  const data = new { float32: Float32Array, int8: Int8Array, uint8: Uint8Array }[dtype](
    size(shape),
  );
  await copyWeight(weight, data);
  return { dtype, shape, data } as Tensor;
}

/**
 * Writes a weight's values into memory that is there, straight from its file where it lies in one.
 * @throws WEIGHTS_CORRUPT when the file is shorter than it was
 */
export async function copyWeight(
  weight: Weight,
  target: Float32Array | Int8Array | Uint8Array,
): Promise<void> {
  if (!isInFile(weight)) return target.set(weight.data as Float32Array);
  const handle = await openWeights(weight.file);
  try {
    const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
    await readFully(handle, weight.file, bytes, weight.offset);
  } finally {
    await handle.close();
  }
}

/** All weights in memory, for whoever changes them; each is read once. @throws WEIGHTS_CORRUPT */
export async function holdWeights(weights: Weights): Promise<Map<string, Tensor>> {
  const held = new Map<string, Tensor>();
  for (const [name, weight] of weights) held.set(name, await readWeight(weight));
  return held;
}
