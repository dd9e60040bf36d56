// Looks a model folder over without running it: what it is, which files it consists of, what goes in and comes out.
import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { BridleError } from "../errors/error.js";
import { readGenerationDefaults } from "../generate/generation-config.js";
import {
  checkWeights,
  quantizedFile,
  readJson,
  settleTables,
  weightFiles,
} from "../model/checkpoint/folder.js";
import { readSafetensorsHeader } from "../model/checkpoint/safetensors.js";
import { companions } from "../model/checkpoint/save.js";
import { findFamily } from "../model/families.js";
import type { ModelConfig } from "../model/family.js";
import { forwardGraph } from "../model/forward.js";
import { modelVersion } from "../model/model-version.js";
import { summarizationTask, usualReach } from "../model/prefix.js";
import { loadTokenizer } from "../text/tokenizers/load.js";
import { trainingRecordFile } from "./training-record.js";

export interface ModelDescription {
  /** As config.json names it. */
  readonly architecture: string;
  readonly parameters: number;
  /** What the weights are stored as. */
  readonly dtype: string;
  readonly fingerprint: string;
  /** Files that go into a package, by their paths in the folder. */
  readonly files: readonly string[];
  readonly signature: Signature;
}

/** What goes into a model and what comes out, for who calls it and for who runs it. */
export interface Signature {
  readonly task: "summarization";
  readonly inputs: readonly Field[];
  readonly outputs: readonly Field[];
  readonly limits: {
    /** Tokens read at once, the end token included; longer documents are read in parts. */
    readonly maxInputTokens: number | null;
    readonly maxNewTokens: number | null;
    readonly vocabularySize: number;
  };
  /** Generation options where a caller says nothing, by their names in requests. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** The forward pass, as an exported graph has it; -1 is any length. */
  readonly tensors: {
    readonly inputs: readonly TensorField[];
    readonly outputs: readonly TensorField[];
  };
}

interface Field {
  readonly name: string;
  readonly type: "string" | "object";
  readonly required?: boolean;
}

interface TensorField {
  readonly name: string;
  readonly dtype: "int64" | "float32";
  readonly shape: readonly number[];
}

/** Texts of a licence that go with the weights. */
const licenceFile = /^(?:licen[cs]e|copying|notice)(?:\.(?:txt|md))?$/i;

function isLicenceFile(name: string): boolean {
  return licenceFile.test(name);
}

/**
 * Opens config, tokenizer and the weights' headers, so that a model that cannot be served is refused before it is kept.
 * @throws FILE_INVALID, CONFIG_INVALID, ARCHITECTURE_NOT_SUPPORTED, TOKENIZER_INVALID, TOKENIZER_NOT_FOUND, WEIGHTS_NOT_FOUND,
 *   WEIGHTS_CORRUPT, WEIGHT_MISSING, WEIGHT_UNEXPECTED, SHAPE_MISMATCH, PICKLE_FORBIDDEN
 */
export async function describeModel(folder: string): Promise<ModelDescription> {
  const file = join(folder, "config.json");
  const json = await readJson(file);
  if (json === undefined)
    throw new BridleError("FILE_INVALID", { file, reason: "it is not there" });
  const family = findFamily(json);
  const read = family.readConfig(json);
  const tokenizer = (await loadTokenizer(folder)).within(read.vocabSize);
  const there = await readdir(folder);
  const copies = (["int8", "int4"] as const)
    .map(quantizedFile)
    .filter((name) => there.includes(name));
  const hasExact = copies.length === 0 || weightFiles.some(({ name }) => there.includes(name));
  const config = hasExact ? await settleTables(folder, family, read) : read;
  const { parameters } = forwardGraph(family, config);
  let dtype = copies[0]?.split(".")[1] ?? "";
  const weights: string[] = [];
  if (hasExact) {
    const stored = await checkWeights(folder, family, config, parameters);
    dtype = [...new Set([...stored.values()].map((tensor) => tensor.dtype))].sort().join("+");
    for (const each of stored.values()) weights.push(each.file);
    const found = weightFiles.find(({ name }) => there.includes(name))?.name;
    if (found !== undefined) weights.push(join(folder, found));
  }
  for (const name of copies) await readSafetensorsHeader(join(folder, name));
  const task = family.usesTaskSettings === true ? summarizationTask(json) : {};
  const defaults = await readGenerationDefaults(folder, json, task);
  const sizes = parameters.map(({ shape }) =>
    shape.reduce<number>((size, dim) => size * Number(dim), 1),
  );
  return {
    architecture: String(
      (json.architectures as unknown[] | undefined)?.[0] ?? family.architectures[0],
    ),
    parameters: sizes.reduce((sum, size) => sum + size, 0),
    dtype,
    fingerprint: await modelVersion(folder),
    files: [
      "config.json",
      ...there.filter((name) => companions.has(name) || isLicenceFile(name)),
      ...there.filter((name) => name === trainingRecordFile),
      ...new Set(weights.map((path) => relative(folder, path).split(sep).join("/"))),
      ...copies,
      ...(await adapterFiles(folder, there)),
    ],
    signature: signatureOf(config, usualReach(config, tokenizer), defaults),
  };
}

/** Adapters that a run trained lie in a folder of their own, beside the weights they are merged into. */
async function adapterFiles(folder: string, there: readonly string[]): Promise<string[]> {
  if (!there.includes("adapter")) return [];
  const names = await readdir(join(folder, "adapter"));
  const known = /^adapter_(?:config\.json|model\.safetensors)$/;
  return names.filter((name) => known.test(name)).map((name) => `adapter/${name}`);
}

function signatureOf(
  { maxPositions, vocabSize }: ModelConfig,
  reach: number,
  defaults: Readonly<Record<string, unknown>>,
): Signature {
  const finite = (value: number | undefined) =>
    value !== undefined && Number.isSafeInteger(value) ? value : null;
  const ids = (name: string): TensorField => ({ name, dtype: "int64", shape: [-1, -1] });
  return {
    task: "summarization",
    inputs: [
      { name: "document", type: "string", required: true },
      { name: "parameters", type: "object", required: false },
    ],
    outputs: [
      { name: "summary", type: "string" },
      { name: "usage", type: "object" },
    ],
    limits: {
      maxInputTokens: finite(Math.min(maxPositions ?? Number.POSITIVE_INFINITY, reach)),
      maxNewTokens: finite(maxPositions),
      vocabularySize: vocabSize,
    },
    defaults: Object.fromEntries(Object.entries(defaults).sort(([a], [b]) => (a < b ? -1 : 1))),
    tensors: {
      inputs: [ids("input_ids"), ids("attention_mask"), ids("decoder_input_ids")],
      outputs: [{ name: "logits", dtype: "float32", shape: [-1, -1, vocabSize] }],
    },
  };
}
