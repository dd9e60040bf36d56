// Reads pytorch_model.bin, the zip that torch.save writes and the format before it, as tensors in a file.
import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import yauzl from "yauzl";
import { BridleError } from "../../errors/error.js";
import { openWeights, readFully } from "../../runtime/weights.js";
import { cutOff, describePickled, type Pickled, type PickledTensor, readPickle } from "./pickle.js";
import { rowMajor, type StoredTensor, storedBytes } from "./stored.js";

/** The pickle of names and shapes; weights lie outside it. */
const maxPickleBytes = 64 * 1024 * 1024;

/**
 * Tied tensors lie on one storage under several names. More than this many times the file's bytes is no model but an
 * attempt to fill the memory from a small file.
 */
const mostNamesForOne = 8;

const legacyMagic = 0x1950a86a20f9469cfc6cn;

/** Where a storage's bytes lie. */
interface StoragePlace {
  readonly offset: number;
  readonly sizeBytes: number;
}

/**
 * The tensors of a file, by name; only its pickle is read.
 * @throws WEIGHTS_CORRUPT, PICKLE_FORBIDDEN; FILE_NOT_FOUND, FILE_NOT_READABLE
 */
export async function readTorchHeader(file: string): Promise<Map<string, StoredTensor>> {
  const handle = await openWeights(file);
  let magic: Uint8Array;
  try {
    magic = new Uint8Array(4);
    await readFully(handle, file, magic, 0);
  } finally {
    await handle.close();
  }
  const isZip = magic[0] === 0x50 && magic[1] === 0x4b;
  return isZip ? readZip(file) : readLegacy(file);
}

async function readZip(file: string): Promise<Map<string, StoredTensor>> {
  const corrupt = (reason: string, cause?: unknown) =>
    new BridleError("WEIGHTS_CORRUPT", { file, reason }, { cause });
  const places = new Map<string, StoragePlace>();
  let pickle: Uint8Array | undefined;
  const openZip = promisify<string, yauzl.Options, yauzl.ZipFile>(yauzl.open);
  let zip: yauzl.ZipFile;
  try {
    zip = await openZip(file, { lazyEntries: true, autoClose: false });
  } catch (cause) {
    throw corrupt(`its zip directory cannot be read (${(cause as Error).message})`, cause);
  }
  const handle = await openWeights(file);
  let fileSize = 0;
  try {
    fileSize = (await handle.stat()).size;
    for await (const entry of entriesOf(zip)) {
      const name = entry.fileName.slice(entry.fileName.indexOf("/") + 1);
      const isStorage = name.startsWith("data/");
      if (!isStorage && name !== "data.pkl" && name !== "byteorder") continue;
      if (entry.compressionMethod !== 0)
        throw corrupt(`${entry.fileName} is compressed, which torch.save never does`);
      const { fileDataStart: offset } = await localHeader(zip, entry);
      const sizeBytes = entry.uncompressedSize;
      if (isStorage) {
        places.set(name.slice("data/".length), { offset, sizeBytes });
        continue;
      }
      if (sizeBytes > maxPickleBytes) throw corrupt(`its pickle has ${sizeBytes} bytes`);
      const bytes = new Uint8Array(sizeBytes);
      await readFully(handle, file, bytes, offset);
      if (name === "data.pkl") pickle = bytes;
      else if (new TextDecoder().decode(bytes) !== "little")
        throw corrupt("its bytes are in big-endian order");
    }
  } catch (cause) {
    throw cause instanceof BridleError
      ? cause
      : corrupt(`its zip is damaged (${(cause as Error).message})`, cause);
  } finally {
    zip.close();
    await handle.close();
  }
  if (pickle === undefined)
    throw corrupt("it is a zip without data.pkl, so torch.save did not write it");
  return tensorsOf(file, readPickle(pickle, 0, file).value, places, fileSize);
}

async function* entriesOf(zip: yauzl.ZipFile): AsyncGenerator<yauzl.Entry> {
  for (let i = 0; i < zip.entryCount; i++) {
    yield await new Promise<yauzl.Entry>((resolve, reject) => {
      zip.once("error", reject);
      zip.once("entry", (entry: yauzl.Entry) => {
        zip.off("error", reject);
        resolve(entry);
      });
      zip.readEntry();
    });
  }
}

function localHeader(zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<{ fileDataStart: number }> {
  return new Promise((resolve, reject) => {
    zip.readLocalFileHeader(entry, { minimal: true }, (error, header) => {
      if (error || !header)
        reject(
          error ??
            new BridleError("WEIGHTS_CORRUPT", {
              file: entry.fileName,
              reason: "it has no header",
            }),
        );
      else resolve(header);
    });
  });
}

/** Five pickles, then each storage: its number of elements as int64, and its bytes. */
async function readLegacy(file: string): Promise<Map<string, StoredTensor>> {
  const corrupt = (reason: string) => new BridleError("WEIGHTS_CORRUPT", { file, reason });
  const handle = await openWeights(file);
  try {
    const { size } = await handle.stat();
    // The pickles stand first; more of the file is read until they are whole.
    for (let length = Math.min(size, 1 << 20); ; length = Math.min(size, length * 4)) {
      const head = new Uint8Array(length);
      await readFully(handle, file, head, 0);
      try {
        let at = 0;
        const next = () => {
          const { value, end } = readPickle(head, at, file);
          at = end;
          return value;
        };
        if (next() !== legacyMagic) throw corrupt("it is neither a zip nor a file of torch.save");
        const protocol = next();
        if (protocol !== 1001)
          throw corrupt(`its protocol is ${describePickled(protocol)}, not 1001`);
        const system = next();
        if (system instanceof Map && system.get("little_endian") === false)
          throw corrupt("its bytes are in big-endian order");
        const state = next();
        const keys = next();
        if (!Array.isArray(keys)) throw corrupt("it lists no storages");
        const places = await legacyStorages(handle, file, state, keys, at);
        return tensorsOf(file, state, places, size);
      } catch (error) {
        const mayGoOn =
          error instanceof BridleError &&
          String(error.details.reason).startsWith(cutOff) &&
          length < Math.min(size, maxPickleBytes);
        if (!mayGoOn) throw error;
      }
    }
  } finally {
    await handle.close();
  }
}

async function legacyStorages(
  handle: FileHandle,
  file: string,
  state: Pickled,
  keys: readonly Pickled[],
  start: number,
): Promise<Map<string, StoragePlace>> {
  const widths = new Map<string, number>();
  for (const { storage } of namedTensors(state).values())
    widths.set(storage.key, storedBytes[storage.dtype]);
  const places = new Map<string, StoragePlace>();
  let at = start;
  for (const key of keys) {
    const width = typeof key === "string" ? widths.get(key) : undefined;
    if (typeof key !== "string" || width === undefined) {
      throw new BridleError("WEIGHTS_CORRUPT", {
        file,
        reason: `the storage ${describePickled(key)} belongs to no tensor`,
      });
    }
    const head = new Uint8Array(8);
    await readFully(handle, file, head, at);
    const elements = Number(new DataView(head.buffer).getBigInt64(0, true));
    const sizeBytes = elements * width;
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
      throw new BridleError("WEIGHTS_CORRUPT", {
        file,
        reason: `the storage ${key} claims ${elements} elements`,
      });
    }
    places.set(key, { offset: at + 8, sizeBytes });
    at += 8 + sizeBytes;
  }
  return places;
}

/** Tensors of a state dict, by name; entries that are no tensors are left out. */
function namedTensors(state: Pickled): Map<string, PickledTensor> {
  const tensors = new Map<string, PickledTensor>();
  if (!(state instanceof Map)) return tensors;
  for (const [name, value] of state) {
    if (typeof name !== "string" || typeof value !== "object" || value === null) continue;
    if ("kind" in value && value.kind === "tensor") tensors.set(name, value);
  }
  return tensors;
}

function tensorsOf(
  file: string,
  state: Pickled,
  places: ReadonlyMap<string, StoragePlace>,
  fileSize: number,
): Map<string, StoredTensor> {
  const corrupt = (reason: string) => new BridleError("WEIGHTS_CORRUPT", { file, reason });
  const pickled = namedTensors(state);
  if (pickled.size === 0)
    throw corrupt("it holds no state dict: no name in it belongs to a tensor");
  const tensors = new Map<string, StoredTensor>();
  let total = 0;
  for (const [name, { storage, elementOffset, shape, strides }] of pickled) {
    const place = places.get(storage.key);
    if (place === undefined) throw corrupt(`the storage ${storage.key} of ${name} is not in it`);
    const width = storedBytes[storage.dtype];
    const empty = shape.includes(0);
    const last = empty
      ? 0
      : 1 + shape.reduce((sum, dim, axis) => sum + (dim - 1) * (strides[axis] ?? 0), 0);
    if ((elementOffset + last) * width > place.sizeBytes) {
      throw corrupt(
        `${name} needs ${(elementOffset + last) * width} bytes of a storage of ${place.sizeBytes}`,
      );
    }
    const end = place.offset + place.sizeBytes;
    if (end > fileSize) {
      throw corrupt(`the storage of ${name} ends at byte ${end}, the file at ${fileSize}`);
    }
    // A product of large sizes with 0 may be no number.
    const sizeBytes = empty ? 0 : shape.reduce((product, dim) => product * dim, 1) * width;
    if (sizeBytes > place.sizeBytes) {
      throw corrupt(
        `${name} makes ${sizeBytes} bytes out of a storage of ${place.sizeBytes} by repeating its elements`,
      );
    }
    total += sizeBytes;
    if (total > mostNamesForOne * fileSize) {
      throw corrupt(`its tensors have more than ${mostNamesForOne} times the bytes of the file`);
    }
    const plain = rowMajor(shape).every(
      (stride, axis) => shape[axis] === 1 || strides[axis] === stride,
    );
    tensors.set(name, {
      name,
      file,
      dtype: storage.dtype,
      shape,
      offset: place.offset + elementOffset * width,
      ...(plain ? {} : { strides }),
    });
  }
  return tensors;
}
