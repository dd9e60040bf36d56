// The one place where a model's name becomes a folder with its files.
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type HubSettings, readHubSettings } from "../config/hub-settings.js";
import { nearestName } from "../config/nearest-name.js";
import { BridleError } from "../errors/error.js";
import { baseOfAdapter, holdsAdapterAlone, mergeAdapter } from "./adapted-model.js";
import { readJson } from "./checkpoint/folder.js";
import { findFamily } from "./families.js";
import { cachedRepositories } from "./hub/cache-folder.js";
import type { DownloadProgress } from "./hub/download-progress.js";
import { parseHubId } from "./hub/hub-id.js";
import type { Need } from "./hub/model-files.js";
import { openSnapshot } from "./hub/snapshot.js";

export interface ResolveOptions {
  /** What is needed of the model; a tokenizer by itself spares the download of the weights. */
  readonly needs: readonly Need[];
  /** Names that the caller understands by itself, for the hint where this one is none of anybody's. */
  readonly others?: readonly string[] | undefined;
  /** Where names may lead besides folders and the hub, such as a registry of models; asked between the two. */
  readonly sources?: readonly ModelSource[] | undefined;
  /** Looks for a newer version where there may be one. */
  readonly refresh?: boolean | undefined;
  readonly settings?: HubSettings | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onDownload?: ((progress: DownloadProgress) => void) | undefined;
  /** Adapters that belong to what is looked for, each to the next. */
  readonly above?: readonly string[] | undefined;
}

/** A version of a registered model: what it is called, and what it is byte for byte. */
export interface RegisteredVersion {
  readonly name: string;
  readonly version: number;
  readonly digest: string;
}

export interface FoundModel {
  /** In Hugging Face layout. */
  readonly folder: string;
  /** Where the name was one of a registry. */
  readonly registered?: RegisteredVersion | undefined;
  /** What its card says of its licence; null where it says nothing. */
  readonly licence?: string | null | undefined;
}

/** A kind of names, and where the models behind them lie. */
export interface ModelSource {
  /** What its names look like, for the hint. */
  readonly names: string;
  /** The model behind a name; undefined for a name of another kind. */
  find(name: string, options: ResolveOptions): Promise<FoundModel | undefined>;
  /** Names that a mistyped one may have been meant to be. */
  list?(): Promise<readonly string[]>;
}

const folders: ModelSource = {
  names: "a folder with a model in Hugging Face layout",
  async find(name, options) {
    if (!(await isFolder(name))) return undefined;
    return (await holdsAdapterAlone(name)) ? await findAdapted(name, options) : { folder: name };
  },
};

/** An adapter's folder stands for its model with the adapter merged into it. */
async function findAdapted(adapter: string, options: ResolveOptions): Promise<FoundModel> {
  const named = await baseOfAdapter(adapter);
  // PEFT writes the name as it was given, from the folder somebody trained in or from the adapter's own.
  const beside = join(adapter, named);
  const base = (await isFolder(named)) || !(await isFolder(beside)) ? named : beside;
  const { above = [] } = options;
  if (above.includes(resolve(adapter))) {
    const reason = "it is an adapter that belongs to itself, through base_model_name_or_path";
    throw new BridleError("FILE_INVALID", { file: adapter, reason });
  }
  const found = await findModel(base, { ...options, above: [...above, resolve(adapter)] });
  if (!options.needs.includes("model")) return { folder: found.folder };
  return { folder: await mergeAdapter(adapter, found.folder) };
}

const hub: ModelSource = {
  names: "an id on the Hugging Face hub such as google/pegasus-xsum",
  async find(name, options) {
    const { needs, refresh, settings, signal, onDownload } = options;
    const id = parseHubId(name);
    if (id === undefined) return undefined;
    const folder = await openSnapshot(id, {
      needs,
      refresh,
      settings,
      signal,
      onProgress: onDownload,
      async check(folder) {
        if (needs.includes("model") && !(await holdsAdapterAlone(folder)))
          findFamily((await readJson(join(folder, "config.json"))) ?? {});
      },
    });
    return (await holdsAdapterAlone(folder)) ? await findAdapted(folder, options) : { folder };
  },
};

/**
 * The folder of the model a name means: a folder of that name, else what a source given knows by it, else a model on the hub.
 * @throws MODEL_NOT_FOUND; ARCHITECTURE_NOT_SUPPORTED before the weights are downloaded; what openSnapshot throws
 */
export async function resolveModel(name: string, options: ResolveOptions): Promise<string> {
  return (await findModel(name, options)).folder;
}

/** As `resolveModel`, with what is known of a registered version. */
export async function findModel(name: string, options: ResolveOptions): Promise<FoundModel> {
  // What lies here goes before what would have to be fetched.
  const sources = [folders, ...(options.sources ?? []), hub];
  for (const source of sources) {
    const found = await source.find(name, options);
    if (found !== undefined) return found;
  }
  const { others: said = [], settings = readHubSettings() } = options;
  const listed = await Promise.all(sources.map((source) => source.list?.() ?? []));
  const others = [...said, ...listed.flat()];
  const near = await findNear(name, others, settings);
  throw new BridleError("MODEL_NOT_FOUND", {
    model: JSON.stringify(name.slice(0, 200)),
    available: [
      ...(near === undefined ? [] : [`${near} (is that what you mean?)`]),
      ...others.filter((other) => other !== near).slice(0, 20),
      ...sources.map(({ names }) => names),
    ].join(", "),
  });
}

async function isFolder(name: string): Promise<boolean> {
  return stat(name).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** What a mistyped name may have been meant to be: a name the caller knows, a folder beside it, a model in the cache. */
async function findNear(
  name: string,
  others: readonly string[],
  { cacheFolder }: HubSettings,
): Promise<string | undefined> {
  const above = dirname(name);
  const entries = await readdir(above, { withFileTypes: true }).catch(() => []);
  const beside = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const cached = await cachedRepositories(cacheFolder);
  const own = cached.find((id) => basename(id).toLowerCase() === name.toLowerCase());
  const folder = nearestName(basename(name), beside);
  return (
    own ??
    nearestName(name, [...others, ...cached]) ??
    (folder === undefined ? undefined : join(above, folder))
  );
}
