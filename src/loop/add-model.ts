// Brings a model into the registry: a folder that is packed now, a package in a folder, or one in a file.
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../errors/error.js";
import { systemCode } from "../errors/file-errors.js";
import { readArchive } from "../package/archive.js";
import type { CardFacts, ModelCard } from "../package/card.js";
import type { EvaluationRecord } from "../package/evaluation-record.js";
import {
  isPackageFolder,
  type ModelPackage,
  openPackageFolder,
  type PackageWork,
} from "../package/model-package.js";
import { packModel, readPackageCard } from "../package/pack-model.js";
import { verifyPackage } from "../package/verify-package.js";
import type { AddedVersion, AddVersionOptions } from "../registry/add-version.js";
import type { Registry } from "../registry/registry.js";

export interface AddModelOptions extends PackageWork {
  /** Who adds it. */
  readonly by: string;
  readonly note?: string | undefined;
  readonly facts?: CardFacts | undefined;
  readonly evaluations?: readonly EvaluationRecord[] | undefined;
  /** Id of the run that trained it, where that is recorded. */
  readonly runId?: string | undefined;
}

export interface AddedModel extends AddedVersion {
  /** Files of data that are not there any more as they were trained on, so that `bridle data gc` cannot keep them. */
  readonly unkeptData: readonly string[];
}

/**
 * Packs a model folder and adds it as a model's next version.
 * @throws what packModel and Registry.add throw
 */
export async function addModel(
  registry: Registry,
  model: string,
  folder: string,
  options: AddModelOptions,
): Promise<AddedModel> {
  const { evaluations = [], facts, runId, signal, onProgress } = options;
  const packed = await packModel(folder, {
    ...{ facts, evaluations, runId, signal, onProgress },
    licenceOf: (parent) => licenceOf(registry, parent),
  });
  const { ids, missing } = await findDataObjects(packed.card.data, signal);
  const added = await registry.add(model, packed, {
    ...options,
    ...{ card: packed.card, dataObjects: ids, evaluations },
    checkUnchanged: packed.checkUnchanged,
  });
  return { ...added, unkeptData: missing };
}

/** The licence on the card of a registered parent. */
async function licenceOf(
  registry: Registry,
  { digest }: NonNullable<ModelCard["lineage"]["parent"]>,
): Promise<string | null> {
  if (digest === null) return null;
  const [parent] = await registry.findByDigest(digest);
  return parent?.card.licence.id ?? null;
}

/** DVC's ids of files that still are what was trained on: a file's id is the MD5 of its bytes. */
async function findDataObjects(
  data: readonly { readonly file: string; readonly sha256: string }[],
  signal: AbortSignal | undefined,
): Promise<{ ids: string[]; missing: string[] }> {
  const ids: string[] = [];
  const missing: string[] = [];
  for (const { file, sha256 } of data) {
    const id = await idOf(file, sha256, signal);
    if (id === undefined) missing.push(file);
    else ids.push(id);
  }
  return { ids: [...new Set(ids)], missing };
}

async function idOf(
  file: string,
  sha256: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const [hash, id] = [createHash("sha256"), createHash("md5")];
  try {
    for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 })) {
      if (signal?.aborted) throw new BridleError("CANCELLED", {}, { cause: signal.reason });
      hash.update(piece);
      id.update(piece);
    }
  } catch (thrown) {
    // A folder of texts, a file that is gone or may not be read: it has no id to keep.
    if (systemCode(thrown) !== "") return undefined;
    throw thrown;
  }
  return hash.digest("hex") === sha256 ? id.digest("hex") : undefined;
}

/**
 * Adds a package as it is, from a folder or a file that `bridle models export` wrote; a Hugging Face folder that is no
 * package is packed first.
 * @param scratch folder in which a file is unpacked
 * @throws FILE_NOT_FOUND, ARCHIVE_INVALID, PACKAGE_INVALID, PACKAGE_ALTERED, and what addModel throws
 */
export async function importModel(
  registry: Registry,
  model: string,
  from: string,
  scratch: string,
  options: AddModelOptions,
): Promise<AddedModel> {
  const found = await stat(from).catch((thrown) => {
    throw new BridleError("FILE_NOT_FOUND", { file: from }, { cause: thrown });
  });
  const { facts = {} } = options;
  if (found.isDirectory()) {
    const isAsItIs = Object.keys(facts).length === 0 && (await isPackageFolder(from));
    if (!isAsItIs) return await addModel(registry, model, from, options);
    return await addFolder(registry, model, from, scratch, options);
  }
  const folder = join(scratch, `import-${randomUUID()}`);
  try {
    const unpacked = await readArchive(from, folder, options);
    if (Object.keys(facts).length > 0) return await addModel(registry, model, folder, options);
    return await addPackage(registry, model, unpacked, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A package that lies in a folder, every byte verified before it is read for the store, and known to be the same after. */
async function addFolder(
  registry: Registry,
  model: string,
  from: string,
  scratch: string,
  options: AddModelOptions,
): Promise<AddedModel> {
  const notes = join(scratch, `import-${randomUUID()}`);
  const { signal, onProgress } = options;
  const { digest } = (await openPackageFolder(from)).manifest;
  try {
    const verified = await verifyPackage(from, digest, { signal, onProgress, notes });
    return await addPackage(registry, model, verified, {
      ...options,
      // Files that were not touched meanwhile are not read again.
      checkUnchanged: async () => void (await verifyPackage(from, digest, { signal, notes })),
    });
  } finally {
    await rm(notes, { recursive: true, force: true });
  }
}

async function addPackage(
  registry: Registry,
  model: string,
  from: ModelPackage,
  options: AddModelOptions & Pick<AddVersionOptions, "checkUnchanged">,
): Promise<AddedModel> {
  const card = await readPackageCard(from);
  const added = await registry.add(model, from, { ...options, card });
  return { ...added, unkeptData: [] };
}
