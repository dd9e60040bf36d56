// A PEFT adapter's folder as a model: the adapter merged into the model it belongs to, once, and kept.
import { createHash } from "node:crypto";
import { access, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { stateFolder } from "../config/state.js";
import { BridleError } from "../errors/error.js";
import { draftOf, dropLeftDrafts } from "../runtime/drafts.js";
import { holdWeights, type Weight } from "../runtime/weights.js";
import {
  type Adapter,
  adapterConfigFile,
  adapterWeightFiles,
  isAdapterFolder,
  readAdapter,
} from "./checkpoint/adapter.js";
import { readJson, readWeightHeaders, readWeights, settleTables } from "./checkpoint/folder.js";
import { companions, saveModelFiles } from "./checkpoint/save.js";
import { findFamily } from "./families.js";
import { forwardGraph } from "./forward.js";
import { isLoraParameter, mergeLora } from "./lora.js";
import { modelVersion } from "./model-version.js";
import { weightsHash } from "./quantization/store.js";

/** Whether a folder holds an adapter and no model of its own. */
export async function holdsAdapterAlone(folder: string): Promise<boolean> {
  return (await isAdapterFolder(folder)) && !(await exists(join(folder, "config.json")));
}

/** The name of the model that an adapter belongs to. @throws FILE_INVALID where its config names none */
export async function baseOfAdapter(folder: string): Promise<string> {
  const file = join(folder, adapterConfigFile);
  const base = (await readJson(file))?.base_model_name_or_path;
  if (typeof base === "string" && base !== "") return base;
  throw new BridleError("FILE_INVALID", {
    file,
    reason: "its base_model_name_or_path names no model that the adapter belongs to",
  });
}

/**
 * The folder of a model with an adapter merged into its weights, in Hugging Face layout. It is made the first time and kept with the
 * project's state, by the content of both.
 * @param base folder of the model that the adapter belongs to
 * @throws what reading either throws; WEIGHT_MISSING and SHAPE_MISMATCH where the adapter is of another model; WRITE_FAILED
 */
export async function mergeAdapter(folder: string, base: string): Promise<string> {
  const kept = join(stateFolder(process.env), "cache", "merged");
  const target = join(kept, await contentOf(folder, base, kept));
  if (await isWhole(target, base)) return target;
  const draft = draftOf(target);
  try {
    const adapter = await readAdapter(folder);
    // Where that fails, writing tells what is wrong with the folder.
    await dropLeftDrafts(kept).catch(() => {});
    await writeMerged(adapter, base, draft);
    // What is left of one that was damaged is in the way.
    if (!(await isWhole(target, base))) await setAside(target);
    await rename(draft, target).catch(async (cause) => {
      // Somebody else was quicker.
      if (!(await isWhole(target, base))) throw cause;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return target;
}

/** Drops a folder that nobody may find half dropped. */
async function setAside(folder: string): Promise<void> {
  const aside = draftOf(folder);
  await rename(folder, aside).catch(() => {});
  await rm(aside, { recursive: true, force: true });
}

/** Whether a merged model has all that it was written with: its config, which comes last, weights, and the files beside them. */
async function isWhole(target: string, base: string): Promise<boolean> {
  if (!(await exists(join(target, "config.json")))) return false;
  const weights = await readWeightHeaders(target).catch((thrown: unknown) => {
    if (thrown instanceof BridleError) return undefined;
    throw thrown;
  });
  if (weights === undefined) return false;
  const files = (await readdir(base)).filter((name) => companions.has(name));
  const found = await Promise.all(files.map((name) => exists(join(target, name))));
  return found.every(Boolean);
}

/** A name for what an adapter makes of a model. */
async function contentOf(folder: string, base: string, cache: string): Promise<string> {
  const hash = createHash("sha256");
  hash.update(`${await weightsHash(base, cache)} ${await modelVersion(base)}`);
  for (const name of [adapterConfigFile, ...adapterWeightFiles]) {
    const bytes = await readFile(join(folder, name)).catch(() => undefined);
    if (bytes !== undefined) hash.update(`\0${name}\0`).update(bytes);
  }
  return hash.digest("hex").slice(0, 32);
}

async function writeMerged(adapter: Adapter, base: string, target: string): Promise<void> {
  const json = (await readJson(join(base, "config.json"))) ?? {};
  const family = findFamily(json);
  const config = await settleTables(base, family, family.readConfig(json));
  const weights = await readWeights(base, family, config, forwardGraph(family, config).parameters);
  // Only what changes is held in memory; the rest is copied from where it lies.
  const changed = new Map<string, Weight>();
  for (const name of adapter.weights.keys()) {
    const weight = `${name.slice(0, name.search(/\.lora_[AB]\.weight$/))}.weight`;
    const found = weights.get(weight);
    if (!isLoraParameter(name) || found === undefined) {
      throw new BridleError("WEIGHT_MISSING", { name: weight });
    }
    changed.set(weight, found);
  }
  const merged = mergeLora(await holdWeights(changed), adapter.weights, adapter.config);
  await saveModelFiles(json, base, new Map([...weights, ...merged]), target);
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
