// The registry of models, opened: versions that never change, aliases that move, and the history of both.
import { BridleError } from "../errors/error.js";
import type { EvaluationRecord } from "../package/evaluation-record.js";
import type { ModelPackage, PackageWork } from "../package/model-package.js";
import type { BlobStore } from "../ports/blob-store.js";
import type { Database } from "../ports/database.js";
import {
  type AddedVersion,
  type AddVersionOptions,
  addVersion,
  recordEvaluations,
} from "./add-version.js";
import { checkRegistry } from "./check-registry.js";
import { type Collected, type CollectOptions, collectGarbage } from "./collect-garbage.js";
import type { Gates } from "./gates.js";
import { type Lineage, type LineageOf, readLineage } from "./lineage.js";
import { createPackageStore, type OpenPackageWork, type PackageStore } from "./package-store.js";
import {
  checkThere,
  commit,
  type Moved,
  type MoveOptions,
  type PromoteOptions,
  promote,
  readGates,
  rollback,
  type Sighting,
  setGates,
  sight,
} from "./promote.js";
import { readRegistryMarks } from "./registry-marks.js";
import { parseVersionName, type VersionName } from "./version-name.js";
import {
  type AliasState,
  findByDigest,
  getModel,
  getVersion,
  listModels,
  type ModelVersion,
  type Move,
  newestFirst,
  type RegisteredModel,
  type RegistryContext,
  readAliases,
  readAllEvaluations,
  readAllVersions,
  readDataObjects,
  readEvaluations,
  readMoves,
  readVersions,
} from "./versions.js";

type RecordedEvaluation = Awaited<ReturnType<typeof readEvaluations>>[number];

export interface ModelDetail extends RegisteredModel {
  /** The newest first. */
  readonly versions: readonly ModelVersion[];
  readonly gates: Gates;
}

export interface OpenedVersion {
  readonly version: ModelVersion;
  /** Folder in Hugging Face layout, verified. */
  readonly folder: string;
}

export interface Registry {
  /** How its database is called in messages. */
  readonly name: string;
  readonly packages: PackageStore;
  listModels(): Promise<RegisteredModel[]>;
  /** @throws MODEL_NOT_REGISTERED */
  getModel(name: string): Promise<ModelDetail>;
  /** @throws MODEL_NOT_REGISTERED, MODEL_VERSION_NOT_FOUND */
  getVersion(name: VersionName): Promise<ModelVersion>;
  /** Every version of every model, the newest of each first. */
  listVersions(): Promise<ModelVersion[]>;
  /** Every evaluation of every version, the newest of each first. */
  listEvaluations(): ReturnType<typeof readAllEvaluations>;
  /** The versions of a package. */
  findByDigest(digest: string): Promise<ModelVersion[]>;
  /**
   * The version a name means; undefined for a name of something else, or of a model that is not registered.
   * @throws MODEL_VERSION_NOT_FOUND where the model is registered
   */
  findVersion(text: string): Promise<ModelVersion | undefined>;
  /** Where an alias points; undefined for one that was never set. */
  findAlias(model: string, alias: string): Promise<AliasState | undefined>;
  /** A version's folder on this machine. @throws MODEL_VERSION_COLLECTED, PACKAGE_ALTERED naming the file */
  open(version: ModelVersion, work?: OpenPackageWork): Promise<OpenedVersion>;
  add(model: string, from: ModelPackage, options: AddVersionOptions): Promise<AddedVersion>;
  recordEvaluations(
    model: string,
    version: number,
    records: readonly EvaluationRecord[],
    by: string,
  ): Promise<void>;
  evaluations(model: string, version: number): Promise<RecordedEvaluation[]>;
  /** Of a version, or of all versions of a model. @throws MODEL_NOT_REGISTERED where there is no such model */
  lineage(of: LineageOf): Promise<Lineage>;
  /** Moves of a model's aliases, the newest first. @throws MODEL_NOT_REGISTERED */
  history(model: string, alias?: string): Promise<Move[]>;
  setGates(model: string, gates: Gates, by: string): Promise<void>;
  sight(
    model: string,
    version: number,
    options: Pick<PromoteOptions, "alias" | "expected">,
  ): Promise<Sighting>;
  commit(sighting: Sighting, options: PromoteOptions): Promise<Moved>;
  promote(model: string, version: number, options: PromoteOptions): Promise<Moved>;
  rollback(model: string, options: MoveOptions): Promise<Moved>;
  collectGarbage(options?: CollectOptions): Promise<Collected>;
  /** By model, a text that is another as soon as anything of it is. */
  listMarks(): Promise<ReadonlyMap<string, string>>;
  /** DVC's ids of the data that versions which are there were trained on. */
  dataObjects(): Promise<Set<string>>;
  check(work?: Pick<PackageWork, "signal">): ReturnType<typeof checkRegistry>;
  close(): Promise<void>;
}

export interface RegistryParts {
  readonly database: Database;
  readonly store: BlobStore;
  /** Folder for copies of what lies elsewhere. */
  readonly cache: string;
  readonly now?: () => number;
}

/** Puts a registry together; closing it closes its parts. */
export function openRegistry({ database, store, cache, now = Date.now }: RegistryParts): Registry {
  const packages = createPackageStore(store, { cache });
  const context: RegistryContext = { database, packages, now };
  const reading = <T>(work: (sql: Parameters<typeof readAliases>[0]) => Promise<T>) =>
    database.transaction(work, { readOnly: true });
  const find = (name: VersionName) => reading((sql) => getVersion(sql, context, name));

  return {
    name: database.name,
    packages,
    listModels: () => listModels(context),
    getModel: (name) =>
      reading(async (sql) => ({
        ...(await getModel(sql, context, name)),
        versions: await readVersions(sql, name),
        gates: await readGates(sql, name),
      })),
    getVersion: find,
    listVersions: () => reading(readAllVersions),
    listEvaluations: () => readAllEvaluations(database),
    findByDigest: (digest) => reading((sql) => findByDigest(sql, digest)),
    async findVersion(text) {
      const name = parseVersionName(text);
      if (name === undefined) return undefined;
      try {
        return await find(name);
      } catch (thrown) {
        const isUnknown = thrown instanceof BridleError && thrown.code === "MODEL_NOT_REGISTERED";
        if (isUnknown) return undefined;
        throw thrown;
      }
    },
    findAlias: async (model, alias) =>
      (await readAliases(database, model)).find((each) => each.alias === alias),
    async open(version, work) {
      checkThere(version);
      return { version, folder: await packages.open(version.digest, work) };
    },
    add: (model, from, options) => addVersion(context, model, from, options),
    recordEvaluations: (model, version, records, by) =>
      recordEvaluations(context, model, version, records, by),
    evaluations: (model, version) => readEvaluations(database, model, version),
    lineage: (of) =>
      reading(async (sql) => {
        await getModel(sql, context, of.model);
        return await readLineage(sql, of);
      }),
    history: (model, alias) =>
      reading(async (sql) => {
        await getModel(sql, context, model);
        return newestFirst(await readMoves(sql, model, alias));
      }),
    setGates: (model, gates, by) => setGates(context, model, gates, by),
    sight: (model, version, options) => sight(context, model, version, options),
    commit: (sighting, options) => commit(context, sighting, options),
    promote: (model, version, options) => promote(context, model, version, options),
    rollback: (model, options) => rollback(context, model, options),
    collectGarbage: (options) => collectGarbage(context, options),
    listMarks: () => readRegistryMarks(database),
    dataObjects: () => readDataObjects(database),
    check: (work) => checkRegistry(context, work),
    async close() {
      await packages.close();
      await database.close();
    },
  };
}
