// Which files of a repository make a model: what must be there, what goes with it, and which of several weight formats is taken.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../../errors/error.js";
import { adapterConfigFile, adapterWeightFiles } from "../checkpoint/adapter.js";
import { type KnownFiles, sizeOf } from "./cache-folder.js";

/** What somebody needs of a repository. */
export type Need = "model" | "tokenizer";

/** Files a reader looks for; a reader that finds one missing goes on without it or takes another. */
const companions: Readonly<Record<Need, readonly string[]>> = {
  model: ["config.json", "generation_config.json"],
  tokenizer: ["spiece.model", "tokenizer_config.json", "special_tokens_map.json"],
};

/** Files that are fetched along with the others for whoever shares the cache. */
const extras = ["tokenizer.json", "added_tokens.json", "vocab.json", "merges.txt"];

/** Any one of these groups is a tokenizer. */
const tokenizers: readonly (readonly string[])[] = [
  ["spiece.model"],
  ["tokenizer.json"],
  ["vocab.json", "merges.txt"],
];

/** Weight files in the order readers look for them; an index names shards. */
const weights = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
];

export const neededInWords =
  "config.json, a tokenizer (spiece.model, tokenizer.json, or vocab.json and merges.txt) and weights (model.safetensors or pytorch_model.bin, whole or in shards); or an adapter of PEFT's (adapter_config.json and adapter_model.safetensors or adapter_model.bin)";

/** Every file but the weights that is worth having, config.json first. An adapter has the rest from its model. */
export function smallFiles(needs: readonly Need[], isAdapter: boolean): string[] {
  if (isAdapter) return [adapterConfigFile];
  // A model that is saved anew takes its tokenizer along, so that no need leaves it out.
  const wanted = needs.includes("model") ? (["model", "tokenizer"] as const) : needs;
  return [...wanted.flatMap((need) => companions[need]), ...extras];
}

/**
 * The first weight file that exists.
 * @returns its name; undefined where there is none
 */
export async function chooseWeights(
  exists: (path: string) => Promise<boolean>,
  isAdapter: boolean,
): Promise<string | undefined> {
  for (const name of isAdapter ? adapterWeightFiles : weights) if (await exists(name)) return name;
  return undefined;
}

/** Whether what exists is an adapter, which has a model elsewhere. */
export async function holdsAdapter(exists: (path: string) => Promise<boolean>): Promise<boolean> {
  return !(await exists("config.json")) && (await exists(adapterConfigFile));
}

export function isIndex(path: string): boolean {
  return path.endsWith(".index.json");
}

/**
 * Names of the shards that an index on disk lists.
 * @throws FILE_INVALID
 */
export async function readShardNames(index: string): Promise<string[]> {
  const invalid = (reason: string) => new BridleError("FILE_INVALID", { file: index, reason });
  let json: unknown;
  try {
    json = JSON.parse(await readFile(index, "utf8"));
  } catch (thrown) {
    throw invalid(thrown instanceof Error ? thrown.message : String(thrown));
  }
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== "object" || map === null) throw invalid("it has no weight_map");
  const names = new Set<string>();
  for (const name of Object.values(map as Record<string, unknown>)) {
    // A shard's name is data from outside: it must not lead out of the folder.
    if (typeof name !== "string" || !/^\w[\w.-]*$/.test(name)) {
      throw invalid(`it names the shard ${JSON.stringify(name)}, which is no file name`);
    }
    names.add(name);
  }
  if (names.size === 0) throw invalid("its weight_map is empty");
  return [...names];
}

/** Which tokenizer files stand for all: undefined where what exists is a tokenizer. */
export async function missingTokenizer(
  exists: (path: string) => Promise<boolean>,
): Promise<string | undefined> {
  for (const group of tokenizers) {
    const found = await Promise.all(group.map(exists));
    if (found.every(Boolean)) return undefined;
  }
  return "spiece.model or tokenizer.json";
}

export interface Inventory {
  /** What a reader cannot do without and does not find. */
  readonly missing: readonly string[];
  /** What a reader would use if the repository has it, which the cache cannot tell. */
  readonly unknown: readonly string[];
}

/** What of a model lies in a snapshot's folder; a file of another size than the listing's counts as missing. */
export async function takeInventory(
  folder: string,
  known: KnownFiles,
  needs: readonly Need[],
): Promise<Inventory> {
  const exists = async (path: string) => {
    const size = await sizeOf(join(folder, path));
    return size !== undefined && size === (known.size(path) ?? size);
  };
  if (await holdsAdapter(exists)) {
    const isWhole = !needs.includes("model") || (await chooseWeights(exists, true)) !== undefined;
    return { missing: isWhole ? [] : [adapterWeightFiles[0]], unknown: [] };
  }
  const missing: string[] = [];
  const unknown: string[] = [];
  for (const path of needs.flatMap((need) => companions[need])) {
    if (!(await exists(path)) && !known.isAbsent(path)) unknown.push(path);
  }
  if (needs.includes("tokenizer")) {
    const tokenizer = await missingTokenizer(exists);
    if (tokenizer !== undefined) missing.push(tokenizer);
  }
  if (needs.includes("model")) {
    if (!(await exists("config.json"))) missing.push("config.json");
    missing.push(...(await missingWeights(folder, exists)));
  }
  return { missing, unknown: unknown.filter((path) => !missing.includes(path)) };
}

async function missingWeights(
  folder: string,
  exists: (path: string) => Promise<boolean>,
): Promise<string[]> {
  const chosen = await chooseWeights(exists, false);
  if (chosen === undefined) return ["model.safetensors or pytorch_model.bin"];
  if (!isIndex(chosen)) return [];
  let shards: string[];
  try {
    shards = await readShardNames(join(folder, chosen));
  } catch {
    return [chosen];
  }
  const there = await Promise.all(shards.map(exists));
  return shards.filter((_, i) => !there[i]);
}
