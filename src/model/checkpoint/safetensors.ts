// Reads safetensors files: a JSON header that names each tensor's dtype, shape and byte range, then the bytes.
import { BridleError } from "../../errors/error.js";
import { openWeights, readFully } from "../../runtime/weights.js";
import { parseBoundedJson } from "../../text/bounded-json.js";
import { type StoredDType, type StoredTensor, storedBytes } from "./stored.js";

const maxHeaderBytes = 100_000_000;
/** A shape stands three levels deep, and a tensor has about ten values. */
const headerLimits = { depth: 8, values: 4_000_000 };

const names = new Map<string, StoredDType>(
  Object.entries({
    F64: "float64",
    F32: "float32",
    F16: "float16",
    BF16: "bfloat16",
    I64: "int64",
    I32: "int32",
    I16: "int16",
    I8: "int8",
    U8: "uint8",
    BOOL: "bool",
  } as const),
);

function corrupt(file: string, reason: string): BridleError {
  return new BridleError("WEIGHTS_CORRUPT", { file, reason });
}

/**
 * What a file says of itself; nothing but the header is read.
 * @throws as readSafetensorsHeader
 */
export async function readSafetensorsMetadata(file: string): Promise<Record<string, string>> {
  const { text } = await readHeaderBytes(file);
  const parsed = parseBoundedJson(text, headerLimits);
  if ("problem" in parsed) throw corrupt(file, `of its header, ${parsed.problem}`);
  const { __metadata__: said } = (parsed.value ?? {}) as { __metadata__?: unknown };
  if (typeof said !== "object" || said === null) return {};
  return Object.fromEntries(
    Object.entries(said).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

/**
 * The tensors of a file, by name; nothing but the header is read.
 * @throws WEIGHTS_CORRUPT naming what is wrong: a header cut off or no JSON, ranges that overlap,
 * leave gaps, pass the end or do not fit their shape; FILE_NOT_FOUND, FILE_NOT_READABLE
 * Source: huggingface/safetensors, README, "Format".
 */
export async function readSafetensorsHeader(file: string): Promise<Map<string, StoredTensor>> {
  const { text, start, size } = await readHeaderBytes(file);
  return parseHeader(file, text, start, size);
}

async function readHeaderBytes(file: string) {
  const handle = await openWeights(file);
  try {
    const { size } = await handle.stat();
    if (size < 8) throw corrupt(file, `it is ${size} bytes long, too short for a header`);
    const head = new Uint8Array(8);
    await readFully(handle, file, head, 0);
    const length = Number(new DataView(head.buffer).getBigUint64(0, true));
    if (length > maxHeaderBytes || 8 + length > size) {
      throw corrupt(file, `its header claims ${length} bytes, the file has ${size}`);
    }
    const text = new Uint8Array(length);
    await readFully(handle, file, text, 8);
    return { text, start: 8 + length, size };
  } finally {
    await handle.close();
  }
}

function parseHeader(
  file: string,
  bytes: Uint8Array,
  start: number,
  fileSize: number,
): Map<string, StoredTensor> {
  const parsed = parseBoundedJson(bytes, headerLimits);
  if ("problem" in parsed) throw corrupt(file, `of its header, ${parsed.problem}`);
  const header = parsed.value;
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw corrupt(file, "its header is no JSON object");
  }
  const tensors = new Map<string, StoredTensor>();
  const ranges: [number, number, string][] = [];
  for (const [name, entry] of Object.entries(header as Record<string, unknown>)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets: range } = (entry ?? {}) as Record<string, unknown>;
    const stored = typeof dtype === "string" ? names.get(dtype) : undefined;
    if (stored === undefined)
      throw corrupt(file, `${name} has the dtype ${JSON.stringify(dtype)}, which is not read`);
    const isSize = (n: unknown): n is number =>
      typeof n === "number" && Number.isSafeInteger(n) && n >= 0;
    if (!Array.isArray(shape) || !shape.every(isSize))
      throw corrupt(file, `${name} has no valid shape`);
    if (!Array.isArray(range) || range.length !== 2 || !range.every(isSize)) {
      throw corrupt(file, `${name} has no valid byte range`);
    }
    const [from, to] = range as [number, number];
    const expected = shape.reduce((product, dim) => product * dim, 1) * storedBytes[stored];
    if (to - from !== expected) {
      throw corrupt(
        file,
        `${name} has ${to - from} bytes, its shape [${shape}] of ${stored} needs ${expected}`,
      );
    }
    if (start + to > fileSize) {
      throw corrupt(
        file,
        `${name} ends at byte ${start + to}, the file at ${fileSize}: it was cut off`,
      );
    }
    ranges.push([from, to, name]);
    tensors.set(name, { name, file, dtype: stored, shape, offset: start + from });
  }
  ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let end = 0;
  for (const [from, to, name] of ranges) {
    if (from !== end) throw corrupt(file, `the bytes of ${name} start at ${from}, not at ${end}`);
    end = to;
  }
  if (start + end !== fileSize)
    throw corrupt(file, `${fileSize - start - end} bytes follow the last tensor`);
  return tensors;
}
