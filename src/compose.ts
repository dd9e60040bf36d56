// The only place that picks adapters and builds models: from a ServeConfig to everything a server works with.
import type { MetricObjectWithValues, MetricValue } from "prom-client";
import { openAzureStore } from "./adapters/blob/azure.js";
import { openFileStore } from "./adapters/blob/file.js";
import { openGcsStore } from "./adapters/blob/gcs.js";
import { openHttpStore } from "./adapters/blob/http.js";
import { openS3Store } from "./adapters/blob/s3.js";
import { migrate } from "./adapters/database/migrate.js";
import { openPostgres } from "./adapters/database/postgres.js";
import { openSqlite } from "./adapters/database/sqlite.js";
import type { ServeConfig } from "./config/serve-config.js";
import { bridleVersion } from "./config/version.js";
import type { Pair } from "./data/pairs.js";
import { BridleError } from "./errors/error.js";
import type { LogitsCompared } from "./evaluate/compare-dtypes.js";
import type { SavedQuantized, SaveQuantizedOptions } from "./model/quantization/save.js";
import { resolveModel } from "./model/resolve-model.js";
import type { BlobLocation, BlobReader, BlobStore } from "./ports/blob-store.js";
import type { Database, MigrationSet } from "./ports/database.js";
import { type CreateSummarizerOptions, createSummarizer } from "./summarize/create-summarizer.js";
import { extractiveModel } from "./summarize/extractive/parameters.js";
import type { Summarizer } from "./summarize/summarizer.js";
import { createDocumentReader, type DocumentReader } from "./text/files/reader.js";

/** What a server needs, already built. */
export interface Service {
  /** Version of this package. */
  readonly version: string;
  /** The summarizers by the name a request uses; the first is the default. */
  readonly summarizers: ReadonlyMap<string, Summarizer>;
  readonly reader: DocumentReader;
  /** Where models live in processes of their own: what is known of these. */
  readonly processes?: ServiceProcesses;
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
  config: Pick<ServeConfig, "models" | "threads" | "maxBodyBytes"> & {
    device?: ServeConfig["device"];
    dtype?: ServeConfig["dtype"];
    /** Processors that a process among several stays on. */
    cpus?: readonly number[] | undefined;
  },
  downloading: Pick<CreateSummarizerOptions, "onDownload" | "signal"> = {},
): Promise<Service> {
  const summarizers = new Map<string, Summarizer>();
  const reader = createDocumentReader({
    threads: config.threads,
    limits: { maxBytes: config.maxBodyBytes },
  });
  const close = async (): Promise<void> => {
    await Promise.all([reader, ...summarizers.values()].map((part) => part.close()));
  };
  try {
    for (const model of config.models) {
      if (summarizers.has(model)) continue;
      summarizers.set(
        model,
        await createSummarizer({
          model,
          threads: config.threads,
          device: config.device ?? "auto",
          ...(config.dtype !== undefined && { dtype: config.dtype }),
          ...(config.cpus !== undefined && { cpus: config.cpus }),
          ...downloading,
        }),
      );
    }
  } catch (thrown) {
    await close();
    throw thrown;
  }
  return {
    version: bridleVersion,
    summarizers,
    reader,
    async warmUp() {
      for (const summarizer of summarizers.values()) await summarizer.warmUp();
    },
    close,
  };
}

/**
 * Downloads what is on the hub alone, so that others find it here.
 * @throws what resolveModel throws
 */
export async function prepareModels(
  models: readonly string[],
  downloading: Pick<CreateSummarizerOptions, "onDownload" | "signal"> = {},
): Promise<void> {
  for (const model of new Set(models)) {
    if (model === extractiveModel) continue;
    const others = [extractiveModel];
    await resolveModel(model, { needs: ["model", "tokenizer"], others, ...downloading });
  }
}

/**
 * The folder of a model's newest version, downloaded where it is not here.
 * @throws what resolveModel throws
 */
export async function pullModel(
  name: string,
  downloading: Pick<CreateSummarizerOptions, "onDownload" | "signal"> = {},
): Promise<string> {
  return await resolveModel(name, { needs: ["model", "tokenizer"], refresh: true, ...downloading });
}

/**
 * Writes a copy of a model with whole-number weights.
 * @throws what resolveModel and saveQuantized throw
 */
export async function quantizeModel(
  name: string,
  folder: string,
  options: SaveQuantizedOptions,
  downloading: Pick<CreateSummarizerOptions, "onDownload" | "signal"> = {},
): Promise<SavedQuantized> {
  const source = await resolveModel(name, { needs: ["model", "tokenizer"], ...downloading });
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
): Promise<LogitsCompared> {
  const folder = await resolveModel(name, { needs: ["model", "tokenizer"] });
  const { compareLogits } = await import("./evaluate/compare-dtypes.js");
  return await compareLogits(folder, dtype, pairs);
}

/** The summarizer a request names, or the default where it names none. @throws MODEL_NOT_FOUND */
export function getSummarizer(service: Service, name?: string): Summarizer {
  const [first] = service.summarizers.values();
  const found = name === undefined ? first : service.summarizers.get(name);
  if (found) return found;
  throw new BridleError("MODEL_NOT_FOUND", {
    model: JSON.stringify((name ?? "").slice(0, 200)),
    available: [...service.summarizers.keys()].join(", "),
  });
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
export const migrationSets: readonly MigrationSet[] = [];

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

/** Commands see the folders behind names, not the rooms that find and write them. */
export { checkTokenizerFolder, saveTokenizer } from "./model/checkpoint/save-tokenizer.js";
export { resolveModel } from "./model/resolve-model.js";
