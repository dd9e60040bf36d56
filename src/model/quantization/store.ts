// Quantized copies of models: made once, kept beside the project's state by the hash of the weights, mapped when opened.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BridleError } from "../../errors/error.js";
import { systemCode } from "../../errors/file-errors.js";
import { quantizedNames } from "../../graph/index.js";
import { draftOf, dropLeftDrafts } from "../../runtime/drafts.js";
import { readWeight, type Weight, type Weights } from "../../runtime/weights.js";
import { writeAtomically } from "../../text/files/write-atomically.js";
import { quantizedFile, readWeightHeaders } from "../checkpoint/folder.js";
import { readSafetensorsHeader, readSafetensorsMetadata } from "../checkpoint/safetensors.js";
import { type TensorToMake, writeSafetensors } from "../checkpoint/write.js";
import {
  type ProductType,
  planOf,
  type QuantizedDType,
  quantizedTensors,
  type Use,
} from "./plan.js";

/** Raised when a plan or a packing changes, so that copies made before are not taken for their like. */
const formatVersion = "1";

/** A model whose weights are whole numbers. */
export interface QuantizedWeights {
  readonly weights: Weights;
  readonly plan: ReadonlyMap<string, QuantizedDType>;
  /** How its 8-bit weights lie for products. */
  readonly product: ProductType;
  /** Attentions whose keys and values stay float32; all of them in copies that were made before these were measured. */
  readonly exactMemory: ReadonlySet<string> | "all";
}

/** A copy under a name that nobody looks for, until it has been measured. */
export interface Draft extends QuantizedWeights {
  /** Undefined where it is in memory, since the cache cannot be written. */
  readonly file: string | undefined;
}

/** SHA-256 of files one after the other, in hex. */
async function hashOf(files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) {
    for await (const part of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(part);
  }
  return hash.digest("hex");
}

/** The files that hold a folder's weights, links followed. */
async function weightFilesOf(folder: string): Promise<string[]> {
  const headers = await readWeightHeaders(folder);
  // In the order of their names: what links lead to may be called by its content, and lie in any order.
  const files = [...new Set([...headers.values()].map(({ file }) => file))].sort();
  return await Promise.all(files.map((file) => realpath(file)));
}

/** The hash of a folder's weights. @throws WEIGHTS_NOT_FOUND, WEIGHTS_QUANTIZED */
export async function weightsHash(folder: string, cache: string): Promise<string> {
  return hashNoted(await weightFilesOf(folder), cache);
}

/**
 * The hash of files' content. Reading gigabytes would delay every start, so that it is noted in the cache beside what
 * tells whether the files are still the same: their places, sizes and times. Whoever writes into a file may set back when it
 * was written (mtime), and not when anything of it was changed (ctime).
 */
async function hashNoted(files: readonly string[], cache: string): Promise<string> {
  const identity = createHash("sha256");
  for (const file of files) {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    identity.update(`${file}\0${dev}\0${ino}\0${size}\0${mtimeNs}\0${ctimeNs}\0`);
  }
  const note = join(cache, `${identity.digest("hex").slice(0, 32)}.hash`);
  const noted = await readFile(note, "utf8").catch(() => "");
  if (/^[0-9a-f]{64}$/.test(noted)) return noted;
  const hash = await hashOf(files);
  await tryToWrite(async () => {
    await mkdir(cache, { recursive: true });
    await writeAtomically(note, (handle) => handle.writeFile(hash));
  });
  return hash;
}

/** Whether something was written; a cache that cannot be is done without. */
async function tryToWrite(write: () => Promise<void>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (thrown) {
    const isUnwritable =
      thrown instanceof BridleError ? thrown.code === "WRITE_FAILED" : systemCode(thrown) !== "";
    if (isUnwritable) return false;
    throw thrown;
  }
}

/** A quantized file's tensors, mapped. @throws WEIGHTS_CORRUPT, FILE_NOT_FOUND */
async function mapQuantized(file: string): Promise<Map<string, Weight>> {
  const real = await realpath(file);
  const weights = new Map<string, Weight>();
  for (const [name, { dtype, shape, offset }] of await readSafetensorsHeader(real)) {
    if (dtype !== "float32" && dtype !== "int8" && dtype !== "uint8") {
      throw new BridleError("WEIGHTS_CORRUPT", { file, reason: `${name} is ${dtype}` });
    }
    weights.set(name, { dtype, shape, file: real, offset });
  }
  return weights;
}

export interface Facts {
  /** Hash of the weights it was made from. */
  readonly weights: string;
  readonly dtype: QuantizedDType;
  readonly product: ProductType;
}

const metadataOf = ({ weights, dtype, product }: Facts) => ({
  ...{ format: "bridle-quantized", version: formatVersion, weights, dtype, product },
});

/** Names are separated by commas, which none has. */
const noteOf = (exact: QuantizedWeights["exactMemory"]) => ({
  exact_memory: exact === "all" ? exact : [...exact].join(","),
});

function readNote(metadata: Readonly<Record<string, string>>): QuantizedWeights["exactMemory"] {
  const { exact_memory: note = "all" } = metadata;
  return note === "all" ? note : new Set(note.split(",").filter((name) => name !== ""));
}

/** Which keys and values a file says to leave alone; undefined where it is not what is looked for. */
async function noteInCopyOf(
  file: string,
  facts: Facts,
): Promise<QuantizedWeights["exactMemory"] | undefined> {
  try {
    const found = await readSafetensorsMetadata(file);
    const isIt = Object.entries(metadataOf(facts)).every(([key, value]) => found[key] === value);
    return isIt ? readNote(found) : undefined;
  } catch (thrown) {
    if (thrown instanceof BridleError) return undefined;
    throw thrown;
  }
}

/** A copy in the cache, or undefined where there is none that can be used. */
export async function findQuantized(
  cache: string,
  facts: Facts,
): Promise<QuantizedWeights | undefined> {
  const file = cachedFile(cache, facts);
  const exactMemory = await noteInCopyOf(file, facts);
  if (exactMemory === undefined) return undefined;
  const weights = await mapQuantized(file).catch((thrown: unknown) => {
    if (thrown instanceof BridleError && thrown.code === "WEIGHTS_CORRUPT") return undefined;
    throw thrown;
  });
  const { product } = facts;
  return weights && { weights, plan: planOf(weights.keys()), product, exactMemory };
}

const nameOf = ({ weights, dtype, product }: Facts) =>
  `${weights.slice(0, 32)}-${dtype}-${product}`;
/** The end of the name tells it from copies that do not say which keys and values stay float32: a process of that build may yet open one. */
const cachedFile = (cache: string, facts: Facts) => join(cache, `${nameOf(facts)}-m.safetensors`);

/** Told how many of a number of steps are done. */
export type OnStep = (done: number, total: number) => void;

/** Tensors that tell when they are made. */
function told(
  tensors: ReadonlyMap<string, Weight | TensorToMake>,
  onMade: OnStep | undefined,
): ReadonlyMap<string, Weight | TensorToMake> {
  if (onMade === undefined) return tensors;
  const total = [...tensors.values()].filter((tensor) => "make" in tensor).length;
  let done = 0;
  const tell = ({ make, ...rest }: TensorToMake): TensorToMake => ({
    ...rest,
    async make() {
      const made = await make();
      done += 1;
      onMade(done, total);
      return made;
    },
  });
  return new Map(
    [...tensors].map(([name, tensor]) => [name, "make" in tensor ? tell(tensor) : tensor]),
  );
}

/**
 * Quantizes weights by a plan into the cache, under a name of its own, since several may make a copy at once; in memory where the cache
 * cannot be written. What killed processes left is dropped. `adoptDraft` or `discardDraft` ends it.
 */
export async function makeDraft(
  cache: string,
  facts: Facts,
  weights: Weights,
  plan: ReadonlyMap<string, Use>,
  exactMemory: ReadonlySet<string>,
  onMade?: OnStep,
): Promise<Draft> {
  await tryToWrite(() => dropLeftDrafts(cache));
  return keep(
    draftOf(cachedFile(cache, facts)),
    facts,
    quantizedTensors(weights, plan, facts.product),
    exactMemory,
    onMade,
  );
}

/**
 * Gives a draft the copy's name. Of several that were made at once the first stays: somebody may be reading it.
 * @param isGood whether a copy that has the name already will do
 */
export async function adoptDraft(
  cache: string,
  facts: Facts,
  draft: Draft,
  isGood: (copy: QuantizedWeights) => boolean,
): Promise<QuantizedWeights> {
  if (draft.file === undefined) return draft;
  const found = await findQuantized(cache, facts);
  if (found !== undefined && isGood(found)) {
    await discardDraft(draft);
    return found;
  }
  const file = cachedFile(cache, facts);
  await rename(draft.file, file);
  return { ...draft, weights: await mapQuantized(file) };
}

export async function discardDraft({ file }: Draft): Promise<void> {
  if (file !== undefined) await rm(file, { force: true });
}

async function keep(
  file: string,
  facts: Facts,
  tensors: ReadonlyMap<string, Weight | TensorToMake>,
  exactMemory: QuantizedWeights["exactMemory"],
  onMade?: OnStep,
): Promise<Draft> {
  const written = await tryToWrite(async () => {
    await mkdir(dirname(file), { recursive: true });
    const notes = { ...metadataOf(facts), ...noteOf(exactMemory) };
    await writeSafetensors(file, told(tensors, onMade), notes);
  });
  const weights = written ? await mapQuantized(file) : await makeAll(told(tensors, onMade));
  const { product } = facts;
  const where = written ? file : undefined;
  return { weights, plan: planOf(weights.keys()), product, exactMemory, file: where };
}

async function makeAll(
  tensors: ReadonlyMap<string, Weight | TensorToMake>,
): Promise<Map<string, Weight>> {
  const made = new Map<string, Weight>();
  for (const [name, tensor] of tensors)
    made.set(name, "make" in tensor ? await tensor.make() : tensor);
  return made;
}

/** Writes a quantized copy as one file. @throws WRITE_FAILED */
export function writeQuantized(
  file: string,
  facts: Facts,
  weights: Weights,
  plan: ReadonlyMap<string, Use>,
  exactMemory: QuantizedWeights["exactMemory"],
  onMade?: OnStep,
): Promise<void> {
  return writeSafetensors(file, told(quantizedTensors(weights, plan, facts.product), onMade), {
    ...metadataOf(facts),
    ...noteOf(exactMemory),
  });
}

/** Names of the weights whose quantized copy lies in a model folder; undefined where none does. */
export async function quantizedNamesIn(
  folder: string,
  dtype: QuantizedDType,
): Promise<ReadonlySet<string> | undefined> {
  const file = join(folder, quantizedFile(dtype));
  if ((await stat(file).catch(() => undefined)) === undefined) return undefined;
  const names = [...(await readSafetensorsHeader(file)).keys()];
  return new Set(names.map((name) => name.replace(/~.*/, "")));
}

/**
 * The quantized copy that lies in a model folder, laid out for this machine's products.
 * @throws WEIGHTS_CORRUPT; QUANTIZED_STALE when it was made from other weights than lie beside it
 */
export async function openQuantizedFolder(
  folder: string,
  dtype: QuantizedDType,
  product: ProductType,
  cache: string,
): Promise<QuantizedWeights | undefined> {
  const file = join(folder, quantizedFile(dtype));
  if ((await stat(file).catch(() => undefined)) === undefined) return undefined;
  const metadata = await readSafetensorsMetadata(file);
  if (metadata.format !== "bridle-quantized" || metadata.version !== formatVersion) {
    const reason = `its format is ${metadata.format} ${metadata.version}, not bridle-quantized ${formatVersion}`;
    throw new BridleError("WEIGHTS_CORRUPT", { file, reason });
  }
  const beside = await weightsHash(folder, cache).catch((thrown: unknown) => {
    // It lies there alone.
    if (thrown instanceof BridleError && thrown.code === "WEIGHTS_QUANTIZED") return undefined;
    throw thrown;
  });
  if (beside !== undefined && beside !== metadata.weights) {
    throw new BridleError("QUANTIZED_STALE", {
      file,
      made: metadata.weights?.slice(0, 12),
      beside: beside.slice(0, 12),
    });
  }
  const weights = await mapQuantized(file);
  const exactMemory = readNote(metadata);
  if (metadata.product === product || metadata.product === "uint8") {
    return { weights, plan: planOf(weights.keys()), product: metadata.product, exactMemory };
  }
  // Signed weights on a machine that multiplies only unsigned ones exactly.
  const facts: Facts = { weights: await hashNoted([await realpath(file)], cache), dtype, product };
  const found = await findQuantized(cache, facts);
  return found ?? (await keep(cachedFile(cache, facts), facts, asUnsigned(weights), exactMemory));
}

/** The same tensors with the columns of products moved up by 128. */
function asUnsigned(weights: Weights): Map<string, Weight | TensorToMake> {
  const moved = new Map<string, Weight | TensorToMake>();
  for (const [name, weight] of weights) {
    const { dtype, shape } = weight;
    if (name !== quantizedNames(name.slice(0, name.indexOf("~"))).columns || dtype !== "int8") {
      moved.set(name, weight);
      continue;
    }
    moved.set(name, {
      dtype: "uint8",
      shape,
      async make() {
        const { data } = await readWeight(weight);
        const unsigned = new Uint8Array(data as Int8Array);
        for (let i = 0; i < unsigned.length; i++) unsigned[i] = (unsigned[i] as number) ^ 128;
        return { dtype: "uint8", shape, data: unsigned };
      },
    });
  }
  return moved;
}
