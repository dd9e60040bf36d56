// Brings a model into the registry: a folder that is packed now, a package in a folder, or one in a file.
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isDirectoryId } from "../data/dvc/object-hash.js";
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
import { type RecordedData, readRecordedData } from "../package/training-record.js";
import { type HashedFiles, verifyPackage } from "../package/verify-package.js";
import type { AddedVersion, AddVersionOptions } from "../registry/add-version.js";
import type { Registry } from "../registry/registry.js";
import { noteRegistry } from "./data-roots.js";

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
  const { ids, missing } = await keepData(registry, packed, packed.card, signal);
  const added = await registry.add(model, packed, {
    ...options,
    ...{ card: packed.card, dataObjects: ids, evaluations },
    checkUnchanged: packed.checkUnchanged,
  });
  return { ...added, unkeptData: missing };
}

/** What of its data a version names, so that a clean-up keeps it; the repositories it lies in are told of the registry. */
async function keepData(
  registry: Registry,
  from: ModelPackage,
  { data }: ModelCard,
  signal: AbortSignal | undefined,
): Promise<{ readonly ids: readonly string[]; readonly missing: readonly string[] }> {
  const recorded = data.length === 0 ? [] : await readRecordedData(from);
  const { ids, missing } = await findDataObjects(data, recorded, signal);
  // Before anybody can see the version, so that no clean-up in between passes it over.
  if (ids.length > 0) {
    const here = data.map(({ file }) => file).filter((file) => !missing.includes(file));
    await noteRegistry(here, registry.name);
  }
  return { ids, missing };
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

/**
 * DVC's ids of the data: of files that still are what was trained on, by their bytes; of others by the record of the training.
 * They stand in the order of the files; lists of folders come after them.
 */
async function findDataObjects(
  data: ModelCard["data"],
  recorded: readonly RecordedData[],
  signal: AbortSignal | undefined,
): Promise<{ ids: string[]; missing: string[] }> {
  const files: string[] = [];
  const lists: string[] = [];
  const missing: string[] = [];
  for (const { file, sha256 } of data) {
    const known = recorded.find((each) => each.file === file && each.sha256 === sha256);
    const found = await idOf(file, sha256, signal);
    const version = known?.dvc?.md5;
    const isList = version !== undefined && isDirectoryId(version);
    if (isList) lists.push(version);
    const id = found ?? known?.md5 ?? (isList ? undefined : version);
    if (id !== undefined) files.push(id);
    // What was versioned when it was trained on is kept wherever it is; of other data the file must be there.
    if (found === undefined && version === undefined) missing.push(file);
  }
  return { ids: [...new Set([...files, ...lists])], missing };
}

async function idOf(
  file: string,
  sha256: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const [hash, id] = [createHash("sha256"), createHash("md5")];
  try {
    // A package from elsewhere may name a pipe, or a device without an end.
    if (!(await stat(file)).isFile()) return undefined;
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
    return await addFolder(registry, model, from, options);
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
  options: AddModelOptions,
): Promise<AddedModel> {
  const { signal, onProgress } = options;
  const { digest } = (await openPackageFolder(from)).manifest;
  const hashed: HashedFiles = new Map();
  const verified = await verifyPackage(from, digest, { signal, onProgress, hashed });
  return await addPackage(registry, model, verified, {
    ...options,
    // Files that were not touched meanwhile are not read again.
    checkUnchanged: async () => void (await verifyPackage(from, digest, { signal, hashed })),
  });
}

async function addPackage(
  registry: Registry,
  model: string,
  from: ModelPackage,
  options: AddModelOptions & Pick<AddVersionOptions, "checkUnchanged">,
): Promise<AddedModel> {
  const card = await readPackageCard(from);
  const { ids, missing } = await keepData(registry, from, card, options.signal);
  const added = await registry.add(model, from, { ...options, card, dataObjects: ids });
  return { ...added, unkeptData: missing };
}
