// What a run starts from: a model folder or a fresh config, its tokenizer, its weights, and which of them are learned.
import { createHash } from "node:crypto";
import { readdir, realpath } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { RunConfig } from "../config/run-config.js";
import { fingerprintOf } from "../data/fingerprint.js";
import { BridleError } from "../errors/error.js";
import { readConfigDefaults, readGenerationDefaults } from "../generate/generation-config.js";
import { type GenerateOptions, overDefaults, withoutIdle } from "../generate/options.js";
import {
  readJson,
  readWeightHeaders,
  readWeights,
  settleTables,
} from "../model/checkpoint/folder.js";
import { companions } from "../model/checkpoint/save.js";
import { findFamily } from "../model/families.js";
import type { Family, ModelConfig } from "../model/family.js";
import { forwardGraph } from "../model/forward.js";
import type { GradientGraphOptions } from "../model/gradient.js";
import { initialLora, initialWeights } from "../model/initial-weights.js";
import { addLora, isLoraParameter, type LoraConfig, loraShapes } from "../model/lora.js";
import { readPrefix, summarizationTask, withPrefix } from "../model/prefix.js";
import { findModel, type RegisteredVersion, type ResolveOptions } from "../model/resolve-model.js";
import type { Weights } from "../runtime/weights.js";
import { loadTokenizer } from "../text/tokenizers/load.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";
import { checkSize, checkTokens, freshConfig, readFreshConfig } from "./fresh-config.js";

export interface StartingPoint {
  readonly family: Family;
  readonly config: ModelConfig;
  /** config.json as it will be written. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Folder whose tokenizer and generation config go with the model. */
  readonly folder: string;
  readonly tokenizer: Tokenizer;
  readonly lora: LoraConfig | undefined;
  /** How its summaries are written while it is evaluated and when it is served: what the configuration says over the folder's own. */
  readonly generation: GenerateOptions;
  /** How the training graph is told what is learned. */
  readonly graph: Pick<GradientGraphOptions, "learns" | "extend">;
}

export interface OpenedStart {
  readonly start: StartingPoint;
  /** The version it starts from, or takes its tokenizer from, where the name was one of a registry. */
  readonly registered: RegisteredVersion | undefined;
  /** What training starts from; let go of once it has been copied, for it is as large as the model. */
  readonly weights: Weights;
}

/**
 * Opens what the config's model section names.
 * @throws what resolveModel and reading a model folder throw; CONFIG_INVALID; ARCHITECTURE_NOT_SUPPORTED; INVALID_PARAMETER for
 * tokens that a new model and its tokenizer number differently, for LoRA targets or frozen names that are none of the model's,
 * where nothing is left to learn, for generation options that contradict each other or the model, and for an output that is the
 * model's own folder
 */
export async function openStart(
  { model, train, data, generate }: Pick<RunConfig, "model" | "train" | "data" | "generate">,
  downloading: Pick<ResolveOptions, "onDownload" | "signal" | "sources"> = {},
): Promise<OpenedStart> {
  const fresh = model.name === undefined;
  const { folder, registered } = await findModel((model.name ?? model.tokenizer) as string, {
    needs: fresh ? ["tokenizer"] : ["model", "tokenizer"],
    ...downloading,
  });
  if (!fresh) await checkApart([folder, model.name as string], train.output);
  const said = fresh ? freshConfig(model.config) : await readConfig(folder);
  const family = findFamily(said);
  const json = withOwnPrefix(withDropout(said, model, family), data.prefix);
  const config = fresh
    ? readFreshConfig(family, json)
    : await settleTables(folder, family, family.readConfig(json));
  const read = await loadTokenizer(folder);
  if (fresh) checkTokens(config, read);
  const tokenizer = read.within(config.vocabSize);
  const graph = forwardGraph(family, config);
  if (fresh) checkSize(graph);
  const weights = fresh
    ? initialWeights(family, config, graph.parameters, {
        seed: train.seed,
        deviation: typeof json.init_std === "number" ? json.init_std : 0.02,
      })
    : await readWeights(folder, family, config, graph.parameters);
  checkFrozen(model.freeze, [...weights.keys()]);
  const frozen = (name: string) =>
    family.fixed.includes(name) || model.freeze.some((start) => name.startsWith(start));
  const generation = await readGeneration(fresh ? undefined : folder, {
    ...{ family, json, config, asked: generate },
  });
  const base = { family, config, json, folder, tokenizer, generation };
  if (model.lora === null) {
    if ([...weights.keys()].every(frozen)) {
      throw invalidFreeze(model.freeze, "fewer names: nothing is left to learn");
    }
    const learned = { learns: (name: string) => !frozen(name) };
    return { start: { ...base, lora: undefined, graph: learned }, registered, weights };
  }
  if (model.freeze.length > 0) {
    const told =
      "left out with model.lora, which learns adapters alone; model.lora.targets says of which layers";
    throw invalidFreeze(model.freeze, told);
  }
  const { targets } = model.lora;
  const lora: LoraConfig = {
    ...model.lora,
    targets: targets === "queries-and-values" ? family.queriesAndValues : targets,
  };
  const adapters = initialLora(loraShapes(graph, lora), train.seed);
  return {
    start: { ...base, lora, graph: { learns: isLoraParameter, extend: addLora(lora) } },
    registered,
    weights: new Map([...weights, ...adapters]),
  };
}

/**
 * Hash of the files that a run starts from: config, weights and tokenizer, or for a fresh model the tokenizer alone. Other
 * files of the folder, and those a cache adds to it later, do not count.
 * @throws FILE_NOT_READABLE, CANCELLED, and what reading the weights' headers throws
 */
export async function startHash(
  folder: string,
  fresh: boolean,
  signal?: AbortSignal,
): Promise<string> {
  const there = await readdir(folder);
  const isCounted = (name: string) =>
    fresh
      ? companions.has(name) && name !== "generation_config.json"
      : companions.has(name) || name === "config.json";
  const names = there.filter(isCounted);
  const stored = fresh ? [] : [...(await readWeightHeaders(folder)).values()];
  const weights = new Set(stored.map(({ file }) => file));
  const files = [
    ...names.map((name) => ({ name, file: join(folder, name) })),
    ...[...weights].map((file) => ({
      name: `weights ${weights.size === 1 ? "" : basename(file)}`,
      file,
    })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  const hash = createHash("sha256");
  for (const { name, file } of files) {
    hash.update(`${name}\0${(await fingerprintOf(file, signal)).sha256}\n`);
  }
  return hash.digest("hex");
}

/**
 * The options for writing summaries of what it starts from, and the configuration's over them.
 * @param folder of the model; undefined for one from nothing, which has its config's alone
 */
async function readGeneration(
  folder: string | undefined,
  {
    family,
    json,
    config,
    asked,
  }: Pick<StartingPoint, "family" | "json" | "config"> & { readonly asked: GenerateOptions },
): Promise<GenerateOptions> {
  const task = family.usesTaskSettings === true ? summarizationTask(json) : {};
  const { numReturnSequences: _, ...defaults } =
    folder === undefined
      ? readConfigDefaults("model.config", json)
      : await readGenerationDefaults(folder, json, task);
  try {
    return withoutIdle(overDefaults(defaults, asked, config));
  } catch (thrown) {
    const parameter = thrown instanceof BridleError ? thrown.details.parameter : undefined;
    if (
      !(thrown instanceof BridleError) ||
      typeof parameter !== "string" ||
      !(parameter in asked)
    ) {
      throw thrown;
    }
    const details = { ...thrown.details, parameter: `generate.${parameter}` };
    throw new BridleError("INVALID_PARAMETER", details, { cause: thrown });
  }
}

/** What a run writes would otherwise change what it starts from. */
async function checkApart(starts: readonly string[], output: string): Promise<void> {
  const placeOf = (folder: string) => realpath(folder).catch(() => resolve(folder));
  const out = await placeOf(output);
  const own = [out, join(out, "best"), join(out, "adapter"), join(out, "best", "adapter")];
  const found = await Promise.all(starts.map(placeOf));
  if (!found.some((start) => own.includes(start))) return;
  throw new BridleError("INVALID_PARAMETER", {
    parameter: "train.output",
    value: output,
    expected: "another folder than that of the model it starts from",
  });
}

function invalidFreeze(freeze: readonly string[], expected: string): BridleError {
  const value = freeze.join(", ");
  return new BridleError("INVALID_PARAMETER", { parameter: "model.freeze", value, expected });
}

async function readConfig(folder: string): Promise<Record<string, unknown>> {
  const file = join(folder, "config.json");
  const json = await readJson(file);
  if (json === undefined)
    throw new BridleError("FILE_INVALID", { file, reason: "it is not there" });
  return json;
}

/** The text that a model learns to have before every document goes with it, so that it is served with the same. */
function withOwnPrefix(
  json: Record<string, unknown>,
  prefix: string | undefined,
): Record<string, unknown> {
  return prefix === undefined || prefix === readPrefix(json) ? json : withPrefix(json, prefix);
}

/** @throws INVALID_PARAMETER for a share that the family does not have */
function withDropout(
  json: Record<string, unknown>,
  model: RunConfig["model"],
  { dropoutKeys }: Family,
): Record<string, unknown> {
  const changed: Record<string, unknown> = { ...json };
  for (const share of ["dropout", "attentionDropout", "activationDropout"] as const) {
    const value = model[share];
    if (value === undefined) continue;
    const key = dropoutKeys[share];
    if (key === undefined) {
      throw new BridleError("INVALID_PARAMETER", {
        parameter: `model.${share}`,
        value,
        expected: `left out: ${String(json.model_type)} has ${Object.keys(dropoutKeys).join(", ")} alone`,
      });
    }
    changed[key] = value;
  }
  return changed;
}

function checkFrozen(freeze: readonly string[], names: readonly string[]): void {
  const none = freeze.find((start) => !names.some((name) => name.startsWith(start)));
  if (none === undefined) return;
  const parts = new Set(names.map((name) => name.split(".").slice(0, 3).join(".")));
  const some = [...parts].slice(0, 4).join(", ");
  throw invalidFreeze([none], `the beginning of a weight's name, such as ${some}`);
}
