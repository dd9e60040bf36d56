// What a run leaves behind: a Hugging Face folder with bridle.json beside it, and an adapter folder where one was trained.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { RunConfig } from "../config/run-config.js";
import type { DataVersion } from "../data/dvc/recorded-version.js";
import { fingerprintOf } from "../data/fingerprint.js";
import { type BridleError, toBridleError } from "../errors/error.js";
import { withoutTaskOptions, writeGenerationDefaults } from "../generate/generation-config.js";
import { writeAdapter } from "../model/checkpoint/adapter.js";
import { readJson } from "../model/checkpoint/folder.js";
import { readSafetensorsHeader } from "../model/checkpoint/safetensors.js";
import { companions, saveModelFiles } from "../model/checkpoint/save.js";
import { isLoraParameter, mergeLora } from "../model/lora.js";
import type { RegisteredVersion } from "../model/resolve-model.js";
import type { HeldWeights } from "../runtime/weights.js";
import { syncFolder, syncTree } from "../text/files/sync-files.js";
import { writeAtomically, writeFailed } from "../text/files/write-atomically.js";
import { base } from "./evaluation.js";
import type { EvaluationReport } from "./events.js";
import type { StartingPoint } from "./start.js";

export const recordFile = "bridle.json";

/** A file, from its folder or as the run was told of it, and the hash of its bytes. */
export interface FileHash {
  readonly file: string;
  readonly sha256: string;
}

/** Data a run learned from, and which version of it that was where it is versioned. */
export interface DataFile extends FileHash {
  readonly dvc?: DataVersion | undefined;
  /** Of a file that was not versioned then: the name that its content gets where it is versioned later. */
  readonly md5?: string | undefined;
}

/** What decides a run's weights, and what came of it. */
export interface RunRecord {
  readonly version: 1;
  readonly bridle: string;
  readonly config: RunConfig;
  /** Of everything that decides the weights: the same hash, machine and thread count give the same weights. */
  readonly runHash: string;
  readonly data: readonly DataFile[];
  /** The registered version the run started from, where it was one. */
  readonly parent?: RegisteredVersion;
  /** Hash of the files the run started from: weights, config and tokenizer, or the tokenizer alone. */
  readonly startSha256?: string;
  readonly seed: number;
  /** Hash of the project's package-lock.json, where there is one. */
  readonly lockfileSha256: string | null;
  /** Commit of the project, where it is a git repository. */
  readonly commit: string | null;
  readonly platform: {
    readonly node: string;
    readonly arch: string;
    readonly os?: string;
    /** Name of the processor. */
    readonly cpu?: string;
    readonly device?: string;
    readonly threads: number;
  };
  readonly step: number;
  readonly evaluation: EvaluationReport | null;
  readonly createdAt: string;
  /** The files of weights beside it, by which they are known where they are not there. */
  readonly weights?: readonly FileHash[];
}

/** @throws FILE_INVALID when it is no JSON object */
export async function readRunRecord(folder: string): Promise<RunRecord | undefined> {
  const json = await readJson(join(folder, recordFile));
  return json as RunRecord | undefined;
}

/**
 * Writes the model; bridle.json comes last, so that a folder that has one is whole.
 * @param weights as the training graph takes them, adapters apart
 * @returns the record as it stands there, with the hashes of the weights
 * @throws WRITE_FAILED
 */
export async function writeTrainedModel(
  folder: string,
  start: StartingPoint,
  weights: HeldWeights,
  record: RunRecord,
): Promise<RunRecord> {
  const { lora } = start;
  const merged = lora === undefined ? weights : mergeLora(base(weights), weights, lora);
  const isChanged = Object.keys(record.config.generate).length > 0;
  const json = isChanged ? withoutTaskOptions(start.json) : start.json;
  await saveModelFiles(json, start.folder, merged, folder);
  // A model from nothing takes the tokenizer of a folder, not the habits of the model in it.
  if (record.config.model.name === undefined) {
    await rm(join(folder, "generation_config.json"), { force: true });
  }
  if (isChanged) await writeGenerationDefaults(folder, start.json, start.generation);
  if (lora !== undefined) {
    await writeAdapter(join(folder, "adapter"), {
      config: lora,
      base: record.config.model.name,
      weights: new Map([...weights].filter(([name]) => isLoraParameter(name))),
    });
  }
  await syncCopies(folder);
  const whole: RunRecord = { ...record, weights: await hashWeights(folder) };
  await writeAtomically(join(folder, recordFile), (handle) =>
    handle.writeFile(`${JSON.stringify(whole, null, 2)}\n`),
  );
  return whole;
}

/** What was written whole has been synced; what was copied has not. */
async function syncCopies(folder: string): Promise<void> {
  try {
    for (const name of companions) {
      if (existsSync(join(folder, name))) await syncTree(join(folder, name));
    }
    await syncFolder(folder);
  } catch (cause) {
    throw writeFailed(cause, folder);
  }
}

/** The files of weights in a folder of a trained model, its adapter's too. @throws FILE_NOT_READABLE */
export async function hashWeights(folder: string): Promise<FileHash[]> {
  const found: FileHash[] = [];
  for (const file of ["model.safetensors", "adapter/adapter_model.safetensors"]) {
    const path = join(folder, file);
    if (existsSync(path)) found.push({ file, sha256: (await fingerprintOf(path)).sha256 });
  }
  return found;
}

/**
 * Whether the weights that a record names lie in its folder, as far as their headers and sizes tell: a power cut may leave a
 * file with nothing in it, and people move files away.
 * @throws FILE_NOT_READABLE
 */
export async function hasWeights(folder: string, { weights = [] }: RunRecord): Promise<boolean> {
  for (const { file } of weights) {
    try {
      await readSafetensorsHeader(join(folder, file));
    } catch (thrown) {
      const { code } = toBridleError(thrown);
      if (code === "FILE_NOT_FOUND" || code === "WEIGHTS_CORRUPT") return false;
      throw thrown;
    }
  }
  return true;
}

/**
 * As `writeTrainedModel`, in place of what stands there: a reader finds the old one or the new.
 * @throws WRITE_FAILED; nothing half-written is left
 */
export async function replaceTrainedModel(
  folder: string,
  ...rest: [start: StartingPoint, weights: HeldWeights, record: RunRecord]
): Promise<void> {
  const temporary = `${folder}.tmp`;
  try {
    await rm(temporary, { recursive: true, force: true });
    await writeTrainedModel(temporary, ...rest);
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
    await syncFolder(dirname(folder));
  } catch (cause) {
    throw await givenUp(temporary, folder, cause);
  }
}

/**
 * Copies a trained model into a folder, each file whole or not at all, bridle.json last, when the others are there to stay.
 * @throws WRITE_FAILED; nothing half-written is left
 */
export async function copyTrainedModel(from: string, to: string): Promise<void> {
  let temporary = join(to, `${recordFile}.tmp`);
  const put = async (name: string) => {
    temporary = join(to, `${name}.tmp`);
    await rm(temporary, { recursive: true, force: true });
    await cp(join(from, name), temporary, { recursive: true });
    await syncTree(temporary);
    await rm(join(to, name), { recursive: true, force: true });
    await rename(temporary, join(to, name));
  };
  try {
    for (const name of await readdir(from)) if (name !== recordFile) await put(name);
    await syncFolder(to);
    await put(recordFile);
    await syncFolder(to);
  } catch (cause) {
    throw await givenUp(temporary, to, cause);
  }
}

/** Removes what was half-written. @returns the error to be thrown */
async function givenUp(temporary: string, file: string, cause: unknown): Promise<BridleError> {
  await rm(temporary, { recursive: true, force: true }).catch(() => {});
  return writeFailed(cause, file);
}

export function sha256(text: string | Uint8Array): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A file of the folder or of one above it. */
function findUp(name: string, from = process.cwd()): string | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const file = join(folder, name);
    if (existsSync(file)) return file;
    if (dirname(folder) === folder) return undefined;
  }
}

export async function lockfileHash(): Promise<string | null> {
  const file = findUp("package-lock.json");
  return file === undefined ? null : sha256(await readFile(file));
}

/** Commit that is checked out, read from git's own files. */
export async function currentCommit(): Promise<string | null> {
  const git = findUp(".git");
  if (git === undefined) return null;
  const read = (name: string) => readFile(join(git, name), "utf8").catch(() => "");
  const head = (await read("HEAD")).trim();
  const reference = /^ref: (.+)$/.exec(head)?.[1];
  if (reference === undefined) return head || null;
  const loose = (await read(reference)).trim();
  if (loose !== "") return loose;
  const packed = await read("packed-refs");
  const line = packed.split("\n").find((each) => each.endsWith(` ${reference}`));
  return line?.split(" ")[0] ?? null;
}
