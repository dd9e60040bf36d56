// The only place that picks adapters and builds models: from a ServeConfig to everything a server works with.
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import path, { join } from "node:path";
import type { MetricObjectWithValues, MetricValue } from "prom-client";
import { openAzureStore } from "./adapters/blob/azure.js";
import { openFileStore } from "./adapters/blob/file.js";
import { openGcsStore } from "./adapters/blob/gcs.js";
import { openHttpStore } from "./adapters/blob/http.js";
import { openS3Store } from "./adapters/blob/s3.js";
import { migrate } from "./adapters/database/migrate.js";
import { openPostgres, withoutPassword } from "./adapters/database/postgres.js";
import { openForeignSqlite, openSqlite } from "./adapters/database/sqlite.js";
import { openLocalQueue } from "./adapters/queue/local.js";
import { queueMigrations } from "./adapters/queue/migrations.js";
import { type QueueState, readQueueStates } from "./adapters/queue/queue-states.js";
import { createMlflowSink } from "./adapters/track/mlflow.js";
import { createMlflowModels } from "./adapters/track/mlflow-models.js";
import { listMlflowRuns } from "./adapters/track/mlflow-runs.js";
import { createWandbSink } from "./adapters/track/wandb.js";
import type { ServeConfig } from "./config/serve-config.js";
import { type SinkKind, sinkSettings } from "./config/sinks.js";
import {
  databaseFile,
  databaseUrl,
  spoolFolder,
  stateFolder,
  storeUrl,
  wandbFolder,
} from "./config/state.js";
import { bridleVersion } from "./config/version.js";
import type { Pair } from "./data/pairs.js";
import type { ProjectData } from "./data/project-data.js";
import { BridleError } from "./errors/error.js";
import type { LogitsCompared } from "./evaluate/compare-dtypes.js";
import { sweepMigrations } from "./loop/migrations.js";
import type { TrackingParts } from "./loop/record-training.js";
import type { ServedAlias, ServedAliasOptions, SwapEvent } from "./loop/served-alias.js";
import { aliasKey, type Served, servedKey } from "./loop/served-names.js";
import { findLeftSweeps } from "./loop/sweep/left-sweeps.js";
import { findSweepFaults } from "./loop/sweep/sweep-faults.js";
import { queueOf } from "./loop/sweep/sweep-store.js";
import type { SavedQuantized, SaveQuantizedOptions } from "./model/quantization/save.js";
import type { ModelSource, ResolveOptions } from "./model/resolve-model.js";
import {
  type BlobLocation,
  type BlobReader,
  type BlobStore,
  isBlobStore,
} from "./ports/blob-store.js";
import type { Database, MigrationSet } from "./ports/database.js";
import type { EventSink, ForeignRun, ModelSink } from "./ports/event-sink.js";
import type { Queue } from "./ports/queue.js";
import { registryMigrations } from "./registry/migrations.js";
import type { Registry } from "./registry/registry.js";
import {
  countOpenBatches,
  findBatchFaults,
  type OpenBatches,
} from "./summarize/batches/batch-store.js";
import { batchQueue } from "./summarize/batches/batches.js";
import { type KeptBatches, keepBatches } from "./summarize/batches/kept-batches.js";
import { batchMigrations } from "./summarize/batches/migrations.js";
import type { CreateSummarizerOptions } from "./summarize/create-summarizer.js";
import { extractiveModel } from "./summarize/extractive/parameters.js";
import type { Summarizer } from "./summarize/summarizer.js";
import type { DocumentReader } from "./text/files/reader.js";
import { findTrackingFaults } from "./track/check.js";
import { markIfPossible } from "./track/interrupted.js";
import { trackMigrations } from "./track/migrations.js";
import { afterLeftSpools, deliverLeftSpools, type LeftDelivery } from "./track/outbox.js";
import { type KeptRecords, keepRecords, type RunRecords } from "./track/records.js";
import { listSetAside, listSpools, type WaitingSpool } from "./track/spool.js";
import { createTrackSink } from "./track/write.js";

/** What a server needs, already built. */
export interface Service {
  /** Version of this package. */
  readonly version: string;
  /** The summarizers by the name a request uses; the first is the default. */
  readonly summarizers: ReadonlyMap<string, Summarizer>;
  readonly reader: DocumentReader;
  /** Where models live in processes of their own: what is known of these. */
  readonly processes?: ServiceProcesses;
  /** The registry of models; undefined where there is none. It is closed with the service. */
  readonly registry?: () => Promise<Registry | undefined>;
  /** Looks now where the aliases point that are served, and waits until they answer with that. */
  readonly refreshModels?: () => Promise<void>;
  /** Names that are aliases: what they stand for may change while they are served. */
  readonly followed?: ReadonlySet<string>;
  /** Tells of aliases that moved while they were served. */
  readonly onModelChange?: (listener: (event: SwapEvent) => void) => void;
  /** The runs that were recorded; undefined where there are none yet. They are closed with the service. */
  readonly runs?: () => Promise<RunRecords | undefined>;
  /** Durable batches, which are in the database. They are closed with the service. */
  readonly batches?: KeptBatches;
  /** Data of the folder it runs in; undefined where that is nobody's project. It is closed with the service. */
  readonly project?: ProjectData | undefined;
  /** Makes the first request to every model as quick as the next ones. */
  warmUp(): Promise<void>;
  /** Ends every thread; work still under way is cancelled. */
  close(): Promise<void>;
}

/** A working process as operators see it. */
export interface ProcessState {
  /** Its place among the others, counted from 0; whoever takes it over has the same. */
  readonly place: number;
  readonly pid: number | undefined;
  /** `waiting`: the last one has died, and the next starts after a pause. */
  readonly status: "starting" | "ready" | "waiting";
  /** Documents it works on. */
  readonly pending: number;
  readonly restarts: number;
}

export interface ServiceProcesses {
  /** Whether any of them can take work. */
  readonly isAvailable: boolean;
  /** Documents given to another process since theirs was lost. */
  readonly retries: number;
  states(): ProcessState[];
  /** What each counts of itself, as prom-client gives it; those that do not answer in time are left out. */
  metrics(withinMs: number): Promise<MetricObjectWithValues<MetricValue<string>>[][]>;
}

/**
 * Builds what a configuration asks for; models that are on the hub alone are downloaded.
 * @throws what createSummarizer throws
 */
export async function compose(
  config: Pick<ServeConfig, "models" | "threads" | "maxBodyBytes"> &
    Partial<
      Pick<
        ServeConfig,
        | "device"
        | "dtype"
        | "maxCacheBytes"
        | "db"
        | "store"
        | "registryPollMs"
        | "maxOpenBatchLines"
      >
    > & {
      /** Processors that a process among several stays on. */
      cpus?: readonly number[] | undefined;
      /** Whether it is a process among several. */
      sharesWeights?: boolean;
      /** As of `serveAlias`, for a process among several. */
      takeTurn?: ServedAliasOptions["takeTurn"];
    },
  downloading: Pick<
    CreateSummarizerOptions,
    "onDownload" | "onOpening" | "onRounding" | "signal"
  > = {},
  env: StatePlaces["env"] = process.env,
): Promise<Service> {
  const summarizers = new Map<string, Summarizer>();
  const followed = new Map<string, ServedAlias>();
  const served = { summarizers, followed: new Set<string>() };
  const listeners = new Set<(event: SwapEvent) => void>();
  const places = { db: config.db, store: config.store, env };
  const registry = keepRegistry(places);
  const records = keepRunRecords(places);
  const batches = keepDurableBatches(places, served, config.maxOpenBatchLines);
  const { device = "auto", dtype, registryPollMs = 2000 } = config;
  const share = {
    threads: config.threads,
    ...(config.cpus !== undefined && { cpus: config.cpus }),
    ...(config.maxCacheBytes !== undefined && { maxCacheBytes: config.maxCacheBytes }),
    ...(config.sharesWeights !== undefined && { sharesWeights: config.sharesWeights }),
  };
  const { onOpening, onRounding } = downloading;
  const options = {
    ...{ ...share, device },
    ...(dtype !== undefined && { dtype }),
    ...(onOpening !== undefined && { onOpening }),
    ...(onRounding !== undefined && { onRounding }),
  };
  const isAnyNeural = config.models.some((model) => model !== extractiveModel);
  /** What follows an alias; undefined for a name of something else. */
  const follow = async (model: string): Promise<ServedAlias | undefined> => {
    if (aliasKey(model) === undefined) return undefined;
    const { followAlias } = await import("./loop/follow-alias.js");
    return await followAlias(model, () => findRegistry(places), {
      ...{ summarizer: options, pollMs: registryPollMs, signal, takeTurn: config.takeTurn },
      onEvent: (event) => {
        for (const listener of listeners) listener(event);
      },
    });
  };
  /** Whether it is served already, as an alias under another spelling. */
  const isThere = async (model: string): Promise<boolean> => {
    if (![...followed.keys()].some((name) => aliasKey(name) === aliasKey(model))) return false;
    const { meansAlias } = await import("./loop/follow-alias.js");
    return await meansAlias(model);
  };
  const openModels = async (): Promise<void> => {
    for (const model of config.models) {
      if (summarizers.has(model) || (await isThere(model))) continue;
      const alias = await follow(model);
      if (alias !== undefined) {
        followed.set(model, alias);
        served.followed.add(model);
      }
      const summarizer =
        alias ??
        (await createSummarizer({
          ...{ model, sources: modelSources(places) },
          // Beside neural models, these are whom a device and a dtype are meant for.
          ...(model === extractiveModel && isAnyNeural ? share : options),
          ...{ ...downloading, signal },
        }));
      summarizers.set(model, summarizer);
    }
  };
  // Neural ones open on threads of their own: what begins those is loaded first, and the rest is done meanwhile.
  const vain = new AbortController();
  const signal = AbortSignal.any([
    vain.signal,
    ...(downloading.signal ? [downloading.signal] : []),
  ]);
  const opening = openModels();
  const loaded = isAnyNeural ? loadModelOpening() : Promise.resolve();
  const parts = [loaded.then(() => openReader(config)), loaded.then(() => openProject())] as const;
  const close = async (): Promise<void> => {
    // They give back what they are at, while there is who can be told to stop.
    await batches.close();
    const opened = (await Promise.allSettled(parts)).flatMap((part) =>
      part.status === "fulfilled" && part.value !== undefined ? [part.value] : [],
    );
    const all = [...opened, records, ...summarizers.values()];
    await Promise.all(all.map((each) => each.close()));
    await registry.close();
  };
  const [reader, project] = await Promise.all([...parts, opening]).catch(async (thrown) => {
    vain.abort();
    await opening.catch(() => {});
    await close();
    throw thrown;
  });
  return {
    version: bridleVersion,
    summarizers,
    reader,
    registry: registry.find,
    async refreshModels() {
      await Promise.all([...followed.values()].map((alias) => alias.refresh()));
    },
    followed: served.followed,
    onModelChange: (listener) => void listeners.add(listener),
    runs: records.find,
    batches,
    project,
    async warmUp() {
      for (const summarizer of summarizers.values()) await summarizer.warmUp();
    },
    close,
  };
}

/** Loads the code that finds neural models and begins to open them. */
async function loadModelOpening(): Promise<void> {
  await Promise.all([import("./model/resolve-model.js"), import("./summarize/neural.js")]);
}

async function openReader({
  threads,
  maxBodyBytes,
}: Pick<ServeConfig, "threads" | "maxBodyBytes">): Promise<DocumentReader> {
  const { createDocumentReader } = await import("./text/files/reader.js");
  return createDocumentReader({ threads, limits: { maxBytes: maxBodyBytes } });
}

/** A process of another machine that gives no sign for so long does not change a file any more. */
const silentMs = 60_000;
/** How long another's change of a file is waited for; one takes milliseconds. */
const changeWaitMs = 10_000;

/**
 * Changes a file while no other process does so the same way; the lock lies beside it.
 * @param refuse makes the error for a file that another does not let go of
 */
export async function changeAlone<Result>(
  file: string,
  change: () => Promise<Result>,
  refuse: (holder: { readonly pid: number; readonly host: string; readonly lock: string }) => Error,
): Promise<Result> {
  const { withProcessLock } = await import("./runtime/process-lock.js");
  const lock = `${file}.lock`;
  const options = { silentMs, waitMs: changeWaitMs };
  return await withProcessLock(lock, options, change, ({ pid, host }) =>
    refuse({ pid, host, lock }),
  );
}

/** The data of the project that a folder belongs to, the one this runs in unless said; undefined where it is no project's. */
export async function openProject(folder = process.cwd()): Promise<ProjectData | undefined> {
  const { findProjectFolder, openProjectData } = await import("./data/project-data.js");
  const found = findProjectFolder(folder);
  return found === undefined ? undefined : openProjectData(found);
}

/** Where rows and files of runs and models lie, as far as that was said. */
export interface StatePlaces {
  readonly db?: string | undefined;
  readonly store?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Opens the registry of models, making its database where there is none.
 * @throws what openDatabase and openBlobStore throw; BLOB_READ_ONLY for a store that only gives
 */
export async function openRegistry({ db, store, env }: StatePlaces): Promise<Registry> {
  const { openRegistry: open } = await import("./registry/registry.js");
  const database = await openDatabase(databaseUrl(db, env));
  try {
    const files = await openBlobStore({ url: storeUrl(store, env), options: {}, env });
    if (!isBlobStore(files)) throw new BridleError("BLOB_READ_ONLY", { store: files.name });
    return open({ database, store: files, cache: join(stateFolder(env), "cache", "models") });
  } catch (thrown) {
    await database.close();
    throw thrown;
  }
}

/** The registry where there is one: a name that is looked up makes no database. @throws as openRegistry */
export async function findRegistry(places: StatePlaces): Promise<Registry | undefined> {
  return hasDatabase(places) ? await openRegistry(places) : undefined;
}

/** The registry for whoever looks at it for long; one that could not be opened, or is not there yet, is looked for again. */
export function keepRegistry(places: StatePlaces): {
  /** @throws as openRegistry */
  find(): Promise<Registry | undefined>;
  close(): Promise<void>;
} {
  let registry: Promise<Registry | undefined> | undefined;
  return {
    find() {
      const found = registry ?? findRegistry(places);
      registry = found;
      found.then(
        (opened) => {
          if (opened === undefined) registry = undefined;
        },
        () => {
          registry = undefined;
        },
      );
      return found;
    },
    async close() {
      await (await registry?.catch(() => undefined))?.close();
    },
  };
}

/** False where the database would be a file that is not there. */
function hasDatabase({ db, env }: StatePlaces): boolean {
  const file = databaseFile(databaseUrl(db, env));
  return file === undefined || existsSync(file);
}

/** Where names of models lead besides folders and the hub. */
export function modelSources(places: StatePlaces = { env: process.env }): readonly ModelSource[] {
  const load = async () => {
    const { registeredModels } = await import("./loop/registered-source.js");
    return registeredModels(() => findRegistry(places));
  };
  return [
    {
      names: "a registered version such as news:3 or news@champion",
      async find(name, options) {
        // No registered name has a slash, which most other names do.
        return /^[a-z0-9][^/\\]*$/.test(name)
          ? await (await load()).find(name, options)
          : undefined;
      },
      list: async () => (await (await load()).list?.()) ?? [],
    },
  ];
}

/** As `createSummarizer` of summarize/, with the registry's names. @throws what that throws */
export async function createSummarizer(options: CreateSummarizerOptions = {}): Promise<Summarizer> {
  const { createSummarizer: create } = await import("./summarize/create-summarizer.js");
  return await create({ sources: modelSources(), ...options });
}

/** As `resolveModel` of model/, with the registry's names. @throws what that throws */
export async function resolveModel(name: string, options: ResolveOptions): Promise<string> {
  const { resolveModel: resolve } = await import("./model/resolve-model.js");
  return await resolve(name, { sources: modelSources(), ...options });
}

/**
 * Downloads what is on the hub alone, so that others find it here.
 * @throws what resolveModel throws
 */
export async function prepareModels(
  models: readonly string[],
  downloading: Pick<CreateSummarizerOptions, "onDownload" | "signal"> = {},
  places: StatePlaces = { env: process.env },
): Promise<void> {
  for (const model of new Set(models)) {
    if (model === extractiveModel) continue;
    const others = [extractiveModel];
    const sources = modelSources(places);
    await resolveModel(model, { needs: ["model", "tokenizer"], others, sources, ...downloading });
  }
}

/** How a model is come by: where its name may lead, and who is told of a download. */
type FindingModels = Pick<CreateSummarizerOptions, "onDownload" | "signal" | "sources">;

/**
 * The folder of a model's newest version, downloaded where it is not here.
 * @throws what resolveModel throws
 */
export async function pullModel(name: string, finding: FindingModels = {}): Promise<string> {
  return await resolveModel(name, { needs: ["model", "tokenizer"], refresh: true, ...finding });
}

/**
 * Writes a copy of a model with whole-number weights.
 * @throws what resolveModel and saveQuantized throw
 */
export async function quantizeModel(
  name: string,
  folder: string,
  options: SaveQuantizedOptions,
  finding: FindingModels = {},
): Promise<SavedQuantized> {
  const source = await resolveModel(name, { needs: ["model", "tokenizer"], ...finding });
  const { saveQuantized } = await import("./model/quantization/save.js");
  return await saveQuantized(source, folder, options);
}

/**
 * What rounding a model's weights does to its scores of references.
 * @throws what resolveModel and openModel throw
 */
export async function compareLogitsOf(
  name: string,
  dtype: "int8" | "int4",
  pairs: AsyncIterable<Pair>,
  finding: FindingModels = {},
): Promise<LogitsCompared> {
  const folder = await resolveModel(name, { needs: ["model", "tokenizer"], ...finding });
  const { compareLogits } = await import("./evaluate/compare-dtypes.js");
  return await compareLogits(folder, dtype, pairs);
}

type BlobOpener = (location: BlobLocation) => Promise<BlobReader | BlobStore>;

/** What opens a store, by the scheme of its URL; clients of clouds are loaded when one is opened. */
const blobAdapters: Readonly<Record<string, BlobOpener>> = {
  file: openFileStore,
  s3: openS3Store,
  gs: openGcsStore,
  azure: openAzureStore,
  http: openHttpStore,
  https: openHttpStore,
};

/**
 * Opens the store a URL names; a path without a scheme is a folder.
 * @throws DVC_REMOTE_UNSUPPORTED for another scheme, PEER_MISSING where its client is not installed
 */
export async function openBlobStore(location: BlobLocation): Promise<BlobReader | BlobStore> {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(location.url)?.[1]?.toLowerCase() ?? "file";
  const open = Object.hasOwn(blobAdapters, scheme) ? blobAdapters[scheme] : undefined;
  if (open === undefined) {
    const reason = `no adapter is for ${scheme}://; there are ${Object.keys(blobAdapters).join(", ")}`;
    throw new BridleError("DVC_REMOTE_UNSUPPORTED", { remote: location.url, reason });
  }
  return await open(location);
}

/** What opens a database, by the scheme of its URL. */
const databaseAdapters: Readonly<Record<string, (url: string) => Promise<Database>>> = {
  sqlite: (url) => openSqlite(url.replace(/^sqlite:(\/\/(?=\/))?/i, "")),
  postgres: openPostgres,
  postgresql: openPostgres,
};

/** The schemas of all rooms that keep rows, each brought forward by itself. */
export const migrationSets: readonly MigrationSet[] = [
  trackMigrations,
  registryMigrations,
  queueMigrations,
  sweepMigrations,
  batchMigrations,
];

/** Opens a SQLite file of another program for reading alone. @throws FILE_NOT_FOUND, and what the adapter throws */
export const openForeignDatabase: (file: string) => Promise<Database> = openForeignSqlite;

/**
 * Opens the database a URL names, a path without a scheme being SQLite's, and brings its schema forward.
 * @param sets the schemas it must have
 * @throws DATABASE_URL_UNSUPPORTED, PEER_MISSING, what the adapters throw, and DATABASE_NEWER, DATABASE_ALTERED and
 *   DATABASE_HALF_MIGRATED, which leave it as it was
 */
export async function openDatabase(
  url: string,
  sets: readonly MigrationSet[] = migrationSets,
): Promise<Database> {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(url)?.[1]?.toLowerCase();
  const open = databaseAdapters[scheme ?? "sqlite"];
  if (open === undefined || !Object.hasOwn(databaseAdapters, scheme ?? "sqlite")) {
    const reason = `no adapter is for ${scheme}:; there are ${Object.keys(databaseAdapters).join(", ")}`;
    throw new BridleError("DATABASE_URL_UNSUPPORTED", { url: `${scheme}:…`, reason });
  }
  const database = await open(url);
  try {
    await migrate(database, sets);
    return database;
  } catch (thrown) {
    await database.close();
    throw thrown;
  }
}

/** The queue of work in a database. */
export function openQueue(database: Database): Queue {
  return openLocalQueue(database);
}

/** Opens the database of runs; those whose process is gone are marked as interrupted, where that can be. @throws what openDatabase throws */
export async function openRuns(
  db: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Database> {
  const database = await openDatabase(databaseUrl(db, env));
  try {
    await markIfPossible(database, hostname());
    return database;
  } catch (thrown) {
    await database.close();
    throw thrown;
  }
}

/** The runs that were recorded, for as long as somebody looks at them. */
export function keepRunRecords(places: StatePlaces): KeptRecords {
  return keepRecords(async () => {
    if (!hasDatabase(places)) return undefined;
    const artifacts = await openArtifacts(places.store, places.env);
    try {
      return { artifacts, database: await openRuns(places.db, places.env) };
    } catch (thrown) {
      await artifacts.close();
      throw thrown;
    }
  });
}

/** The durable batches of a server; nothing is opened before somebody asks. */
export function keepDurableBatches(
  places: StatePlaces,
  served: Served,
  maxOpenDocuments = Number.POSITIVE_INFINITY,
): KeptBatches {
  return keepBatches({
    ...{ maxOpenDocuments, openQueue },
    // By the one spelling of each name, so that servers with another one work on the same batches.
    summarizers: () =>
      new Map([...served.summarizers].map(([name, each]) => [servedKey(served, name), each])),
    openDatabase: async (isMade) =>
      isMade || hasDatabase(places)
        ? await openDatabase(databaseUrl(places.db, places.env))
        : undefined,
  });
}

/**
 * What is inconsistent in the database and in the files it names; reads all of it.
 * @throws what openDatabase and openArtifacts throw
 */
export async function findDatabaseFaults(
  db: string | undefined,
  store: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly name: string; readonly faults: readonly string[] }> {
  const [database, artifacts] = [await openRuns(db, env), await openArtifacts(store, env)];
  try {
    const faults = [
      ...(await database.findFaults()),
      ...(await findTrackingFaults(database, artifacts)),
      ...(await findBatchFaults(database)),
      ...(await findSweepFaults(database)),
    ];
    return { name: database.name, faults };
  } finally {
    await database.close();
    await artifacts.close();
  }
}

/** What was begun and is not done, and whether anybody is at it. */
export interface UnfinishedWork {
  /** Undefined where there is no database yet. */
  readonly database: string | undefined;
  readonly sweeps: Awaited<ReturnType<typeof findLeftSweeps>>;
  /** Batches of models whose queue nobody works on. */
  readonly leftBatches: readonly OpenBatches[];
  readonly runningBatches: number;
  /** Queues with jobs that nobody works on, but those of sweeps and batches that are told of themselves. */
  readonly queues: readonly QueueState[];
}

/** What a crash left in the middle: sweeps, batches and jobs without a process. @throws what openDatabase throws */
export async function findUnfinishedWork(
  places: StatePlaces,
  now = Date.now(),
): Promise<UnfinishedWork> {
  const none = { left: [], running: [] };
  if (!hasDatabase(places)) {
    const nothing = { sweeps: none, leftBatches: [], runningBatches: 0, queues: [] };
    return { database: undefined, ...nothing };
  }
  const database = await openDatabase(databaseUrl(places.db, places.env));
  try {
    const sweeps = await findLeftSweeps(database, now);
    const queues = await readQueueStates(database, now);
    const isWorkedOn = (queue: string) =>
      queues.some((each) => each.queue === queue && each.active > 0);
    const batches = await countOpenBatches(database);
    const leftBatches = batches.filter(({ model }) => !isWorkedOn(batchQueue(model)));
    const told = new Set([
      ...sweeps.left.map(({ plan }) => queueOf(plan.name)),
      ...sweeps.running.map(queueOf),
      ...batches.map(({ model }) => batchQueue(model)),
    ]);
    return {
      ...{ database: database.name, sweeps, leftBatches },
      runningBatches: batches
        .filter((each) => !leftBatches.includes(each))
        .reduce((sum, each) => sum + each.batches, 0),
      queues: queues.filter(
        ({ queue, overdue, lost, active, dead }) =>
          !told.has(queue) && (dead > 0 || (active === 0 && overdue + lost > 0)),
      ),
    };
  } finally {
    await database.close();
  }
}

/** What tracking is asked to do. */
export interface TrackingSettings extends StatePlaces {
  /** Whom runs are told to besides the database, as `--sink` names them; BRIDLE_SINKS where left out. */
  readonly sinks?: readonly string[] | undefined;
  readonly onWarning: (message: string) => void;
}

/** What tells others of runs, by its name. */
const sinkAdapters: Readonly<
  Record<SinkKind, (url: string, artifacts: BlobReader, env: StatePlaces["env"]) => EventSink>
> = {
  mlflow: (url, artifacts, env) => createMlflowSink({ url, artifacts, env }),
  wandb: (where, _, env) => createWandbSink({ where, folder: wandbFolder(env), env }),
};

/** The sinks that were asked for. @throws SINK_UNKNOWN, SINK_KEY_MISSING, PEER_MISSING */
export function openSinks(
  named: readonly string[] | undefined,
  artifacts: BlobReader,
  env: StatePlaces["env"],
): readonly EventSink[] {
  return sinkSettings(named, env).map(({ kind, url }) => sinkAdapters[kind](url, artifacts, env));
}

/** Fails where a sink would not open, for those who leave opening to other processes. @throws what openSinks throws */
export async function checkSinks(
  named: readonly string[] | undefined,
  { store, env }: Pick<StatePlaces, "store" | "env">,
): Promise<void> {
  if (sinkSettings(named, env).length === 0) return;
  const artifacts = await openArtifacts(store, env);
  for (const sink of openSinks(named, artifacts, env)) await sink.close();
  await artifacts.close();
}

/** Those that keep no models have no entry. */
const modelSinkAdapters: Readonly<
  Partial<Record<SinkKind, (url: string, env: StatePlaces["env"]) => ModelSink>>
> = { mlflow: (url, env) => createMlflowModels({ url, env }) };

/** The same for registered models; those that keep none are left out. @throws SINK_UNKNOWN */
export function openModelSinks(
  named: readonly string[] | undefined,
  env: StatePlaces["env"],
): readonly ModelSink[] {
  return sinkSettings(named, env).flatMap(({ kind, url }) => {
    const open = modelSinkAdapters[kind];
    return open === undefined ? [] : [open(url, env)];
  });
}

/** The runs of an MLflow server, to be imported. @throws IMPORT_EMPTY, and what asking it throws */
export async function listForeignRuns(
  url: string,
  experiment: string | undefined,
  env: StatePlaces["env"],
): Promise<readonly ForeignRun[]> {
  const runs = await listMlflowRuns({ url, env }, experiment);
  if (runs.length > 0) return runs;
  const expected = experiment === undefined ? "runs" : `runs of the experiment ${experiment}`;
  throw new BridleError("IMPORT_EMPTY", { place: url, expected });
}

/**
 * What runs are recorded with; nothing is opened before the first event.
 * What other processes left undelivered is delivered first; nobody waits for that but the sinks themselves.
 * @throws SINK_UNKNOWN
 */
export async function openTracking(
  settings: TrackingSettings,
): Promise<TrackingParts & { close(): Promise<void> }> {
  const { db, store, env, onWarning } = settings;
  const open = () => openDatabase(databaseUrl(db, env));
  const folder = spoolFolder(env);
  const artifacts = await openArtifacts(store, env);
  const own = afterLeftSpools(createTrackSink(open, runsPlace(db, env)), folder, onWarning);
  const sinks: readonly EventSink[] = [
    own.sink,
    ...openSinks(settings.sinks, artifacts, env).map(
      (sink) => afterLeftSpools(sink, folder, onWarning).sink,
    ),
  ];
  return {
    sinks,
    left: own.left,
    openDatabase: open,
    artifacts,
    spoolFolder: folder,
    onWarning,
    async close() {
      for (const sink of sinks) await sink.close();
      await artifacts.close();
    },
  };
}

/** Which database runs are kept in: a file by its place in the state's folder, which may be moved as a whole. */
function runsPlace(db: string | undefined, env: StatePlaces["env"]): string {
  const url = databaseUrl(db, env);
  if (/^postgres(?:ql)?:/i.test(url)) return withoutPassword(url);
  const file = path.resolve(url.replace(/^sqlite:(\/\/(?=\/))?/i, ""));
  const inside = path.relative(stateFolder(env), file);
  return `sqlite:${inside.startsWith("..") || path.isAbsolute(inside) ? file : inside}`;
}

/** What waits to be told, for whomever, and the files of what cannot be; nothing is sent. */
export async function listWaiting(
  env: StatePlaces["env"],
): Promise<{ readonly waiting: readonly WaitingSpool[]; readonly setAside: readonly string[] }> {
  const folder = spoolFolder(env);
  return { waiting: await listSpools(folder), setAside: await listSetAside(folder) };
}

/** Delivers what runs that are over left for the database and for the sinks. @throws SINK_UNKNOWN */
export async function deliverLeft(settings: TrackingSettings): Promise<readonly LeftDelivery[]> {
  const { db, store, env, onWarning } = settings;
  const artifacts = await openArtifacts(store, env);
  const sinks = [
    createTrackSink(() => openDatabase(databaseUrl(db, env)), runsPlace(db, env)),
    ...openSinks(settings.sinks, artifacts, env),
  ];
  try {
    return await deliverLeftSpools(spoolFolder(env), sinks, onWarning);
  } finally {
    for (const sink of sinks) await sink.close();
    await artifacts.close();
  }
}

/** The store of runs' files and models. @throws BLOB_READ_ONLY, and what openBlobStore throws */
export async function openArtifacts(
  store: string | undefined,
  env: TrackingSettings["env"],
): Promise<BlobStore> {
  const url = storeUrl(store, env);
  const opened = await openBlobStore({ url, options: {}, env });
  if (isBlobStore(opened)) return opened;
  await opened.close();
  throw new BridleError("BLOB_READ_ONLY", { store: opened.name });
}

/** Whoever works with a service finds its models by the names that requests use. */
export { getLasting, getSummarizer, isServed } from "./loop/served-names.js";
/** Commands see the folders behind names, not the rooms that find and write them. */
export { checkTokenizerFolder, saveTokenizer } from "./model/checkpoint/save-tokenizer.js";
