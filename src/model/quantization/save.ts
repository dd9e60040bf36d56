// A quantized copy of a model as a folder of its own, for other machines: what `bridle quantize` writes.
import { mkdir, readdir, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../../errors/error.js";
import { writeError } from "../../errors/file-errors.js";
import { draftOf, dropLeftDraftsOf } from "../../runtime/drafts.js";
import { wholeNumberProducts } from "../../runtime/whole-number-products.js";
import { writeAtomically } from "../../text/files/write-atomically.js";
import { loadTokenizer } from "../../text/tokenizers/load.js";
import {
  quantizedFile,
  readJson,
  readWeights,
  settleTables,
  weightFiles,
} from "../checkpoint/folder.js";
import { readSafetensorsMetadata } from "../checkpoint/safetensors.js";
import { companions, configText } from "../checkpoint/save.js";
import { findFamily, wholeConfig } from "../families.js";
import { forwardGraph } from "../forward.js";
import { calibrationTexts } from "./calibration-text.js";
import { quantize, type RoundingProgress } from "./open.js";
import { planQuantization, type QuantizedDType } from "./plan.js";
import { weightsHash, writeQuantized } from "./store.js";

export interface SaveQuantizedOptions {
  readonly dtype: QuantizedDType;
  /** Documents that layers are measured on; a few of Bridle's own unless given. */
  readonly documents?: readonly string[];
  /** Replaces a copy that is there. */
  readonly overwrite?: boolean;
  /** Told how far it is. */
  readonly onRounding?: (progress: RoundingProgress) => void;
  /** Gives up, and leaves the folder as it was. */
  readonly signal?: AbortSignal;
}

export interface SavedQuantized {
  readonly file: string;
  readonly sizeBytes: number;
  /** Bytes of the same weights as float32. */
  readonly floatBytes: number;
  /** Layers and attentions that were measured. */
  readonly layers: number;
  /**
   * Relative error of each layer's output, root mean square over that of the exact output, by its weight's name; by an attention's
   * name, of what it answers with keys and values of documents that are whole numbers.
   */
  readonly errors: Readonly<Record<string, number>>;
  /** Layers that stay float32 because they suffer too much, and attentions whose keys and values of documents do. */
  readonly kept: readonly string[];
}

/**
 * Measures every layer on documents and writes a folder whose weights are whole numbers, but for layers that suffer. Into a folder
 * that holds the model itself, or a copy of it in another dtype, the weights are put beside what is there.
 * @param source a model folder in Hugging Face layout
 * @throws INVALID_PARAMETER without documents; OUTPUT_EXISTS, OUTPUT_NOT_REPLACEABLE where another model lies there, WRITE_FAILED,
 *   WEIGHTS_CHANGED, CANCELLED by the signal, and what openModel throws for the source
 */
export async function saveQuantized(
  source: string,
  target: string,
  options: SaveQuantizedOptions,
): Promise<SavedQuantized> {
  const { dtype, documents = calibrationTexts, overwrite = false, onRounding, signal } = options;
  if (documents.length === 0) {
    const details = { parameter: "documents", value: "[]", expected: "texts to measure layers on" };
    throw new BridleError("INVALID_PARAMETER", details);
  }
  const json = await readJson(join(source, "config.json"));
  if (json === undefined) {
    const details = { file: join(source, "config.json"), reason: "it is not there" };
    throw new BridleError("FILE_INVALID", details);
  }
  const file = join(target, quantizedFile(dtype));
  if (!overwrite && (await isThere(file))) throw new BridleError("OUTPUT_EXISTS", { file });
  const family = findFamily(json);
  const config = await settleTables(source, family, family.readConfig(json));
  const graph = forwardGraph(family, config);
  const weights = await readWeights(source, family, config, graph.parameters);
  const tokenizer = (await loadTokenizer(source)).within(config.vocabSize);
  await mkdir(target, { recursive: true }).catch((thrown: unknown) => {
    throw writeError(thrown, target);
  });
  // Everything is made here first, so that what lies in the folder stays whole until all is there to take its place.
  const scratching = join(target, ".quantize");
  const scratch = draftOf(scratching);
  const tell = (progress: RoundingProgress) => {
    if (signal?.aborted) throw new BridleError("CANCELLED");
    onRounding?.(progress);
  };
  await dropLeftDraftsOf(scratching).catch(() => {});
  await mkdir(scratch).catch((thrown: unknown) => {
    throw writeError(thrown, target);
  });
  try {
    const hash = await weightsHash(source, scratch);
    const isBeside = await liesBeside(source, target, { hash, dtype, scratch });
    const product = await wholeNumberProducts();
    const settings = {
      ...{ folder: source, family, config, graph, dtype, cache: scratch, onRounding: tell },
      // As what serves multiplies, which rounds what it multiplies with.
      session: { prepack: true },
      calibration: async () => documents.map((text) => [...tokenizer.encode(text)]),
    };
    const { errors, kept, exactMemory } = await quantize(
      settings,
      { weights: hash, dtype, product },
      weights,
    );
    const plan = planQuantization(graph, dtype, config.vocabSize, kept);
    const facts = { weights: hash, dtype, product: "int8" } as const;
    const made = join(scratch, quantizedFile(dtype));
    await writeQuantized(made, facts, weights, plan, exactMemory, (done, total) =>
      tell({ folder: source, dtype, phase: "writing", done, total }),
    );
    if ((await weightsHash(source, scratch)) !== hash)
      throw new BridleError("WEIGHTS_CHANGED", { folder: source });
    if (isBeside) await rename(made, file);
    else await putWhole(json, source, { scratch, target, file: quantizedFile(dtype) });
    const floats = [...weights.values()].reduce(
      (sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1),
      0,
    );
    return {
      file,
      sizeBytes: (await stat(file)).size,
      floatBytes: floats,
      layers: errors.size,
      errors: Object.fromEntries(errors),
      kept: [...kept],
    };
  } catch (thrown) {
    throw thrown instanceof BridleError ? thrown : writeError(thrown, target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const isThere = async (file: string): Promise<boolean> =>
  (await stat(file).catch(() => undefined)) !== undefined;

/**
 * Whether the copy goes beside what lies in its folder: the model it is made from, or a copy of that in another dtype.
 * @returns false where a model of its own is made: in an empty folder, or over the copy that is replaced
 * @throws OUTPUT_NOT_REPLACEABLE where another model lies there
 */
async function liesBeside(
  source: string,
  target: string,
  {
    hash,
    dtype,
    scratch,
  }: { readonly hash: string; readonly dtype: QuantizedDType; readonly scratch: string },
): Promise<boolean> {
  if ((await realpath(target)) === (await realpath(source))) return true;
  const refuse = (name: string) => {
    const reason = `it holds ${name} of another model`;
    return new BridleError("OUTPUT_NOT_REPLACEABLE", { folder: target, reason });
  };
  const names = new Set(await readdir(target));
  const floats = weightFiles.find(({ name }) => names.has(name));
  if (floats !== undefined) {
    const found = await weightsHash(target, scratch).catch(() => undefined);
    if (found === hash) return true;
    throw refuse(floats.name);
  }
  const other = quantizedFile(dtype === "int8" ? "int4" : "int8");
  if (names.has(other)) {
    const { weights } = await readSafetensorsMetadata(join(target, other)).catch(() => ({
      weights: undefined,
    }));
    if (weights === hash) return true;
    throw refuse(other);
  }
  if (names.has(quantizedFile(dtype))) return false;
  const foreign = ["config.json", ...companions].find((name) => names.has(name));
  if (foreign !== undefined) throw refuse(foreign);
  return false;
}

/** Puts a model of its own into a folder: what was there of another copy goes, and the config comes last. A folder that has one is whole. */
async function putWhole(
  json: Readonly<Record<string, unknown>>,
  source: string,
  {
    scratch,
    target,
    file,
  }: { readonly scratch: string; readonly target: string; readonly file: string },
): Promise<void> {
  const files = (await readdir(source)).filter((name) => companions.has(name));
  for (const name of files) {
    // The bytes alone: copied with its mode, a file of a read-only model could not be replaced by the next copy.
    const bytes = await readFile(join(source, name));
    await writeAtomically(join(scratch, name), (handle) => handle.writeFile(bytes));
  }
  await writeAtomically(join(scratch, "config.json"), (handle) =>
    handle.writeFile(`${configText(wholeConfig(json))}\n`),
  );
  await rm(join(target, "config.json"), { force: true });
  for (const name of companions)
    if (!files.includes(name)) await rm(join(target, name), { force: true });
  // By its weights a folder is known as a copy's, whatever else of it is there yet.
  for (const name of [file, ...files, "config.json"])
    await rename(join(scratch, name), join(target, name));
}
