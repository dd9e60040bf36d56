// A quantized copy of a model as a folder of its own, for other machines: what `bridle quantize` writes.
import { copyFile, mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../../errors/error.js";
import { writeError } from "../../errors/file-errors.js";
import { wholeNumberProducts } from "../../runtime/whole-number-products.js";
import { writeAtomically } from "../../text/files/write-atomically.js";
import { loadTokenizer } from "../../text/tokenizers/load.js";
import { quantizedFile, readJson, readWeights, settleTables } from "../checkpoint/folder.js";
import { companions } from "../checkpoint/save.js";
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
 * Measures every layer on documents and writes a folder whose weights are whole numbers, but for layers that suffer.
 * @param source a model folder in Hugging Face layout
 * @throws INVALID_PARAMETER without documents; OUTPUT_EXISTS, WRITE_FAILED, and what openModel throws for the source
 */
export async function saveQuantized(
  source: string,
  target: string,
  { dtype, documents = calibrationTexts, overwrite = false, onRounding }: SaveQuantizedOptions,
): Promise<SavedQuantized> {
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
  if (!overwrite && (await stat(file).catch(() => undefined)) !== undefined) {
    throw new BridleError("OUTPUT_EXISTS", { file });
  }
  const family = findFamily(json);
  const config = await settleTables(source, family, family.readConfig(json));
  const graph = forwardGraph(family, config);
  const weights = await readWeights(source, family, config, graph.parameters);
  const tokenizer = (await loadTokenizer(source)).within(config.vocabSize);
  await mkdir(target, { recursive: true }).catch((thrown: unknown) => {
    throw writeError(thrown, target);
  });
  const scratch = await mkdtemp(join(target, ".quantize-")).catch((thrown: unknown) => {
    throw writeError(thrown, target);
  });
  try {
    const hash = await weightsHash(source, scratch);
    const product = await wholeNumberProducts();
    const settings = {
      ...{ folder: source, family, config, graph, dtype, cache: scratch },
      calibration: async () => documents.map((text) => [...tokenizer.encode(text)]),
      onRounding,
    };
    const { errors, kept, exactMemory } = await quantize(
      settings,
      { weights: hash, dtype, product },
      weights,
    );
    const plan = planQuantization(graph, dtype, config.vocabSize, kept);
    const facts = { weights: hash, dtype, product: "int8" } as const;
    for (const name of await readdir(source)) {
      if (companions.has(name)) await copyFile(join(source, name), join(target, name));
    }
    await writeQuantized(file, facts, weights, plan, exactMemory, (done, total) =>
      onRounding?.({ folder: source, dtype, phase: "writing", done, total }),
    );
    // The config comes last: a folder that has one is whole.
    await writeAtomically(join(target, "config.json"), (handle) =>
      handle.writeFile(`${JSON.stringify(wholeConfig(json), null, 2)}\n`),
    );
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
