// The one place where a model's name becomes a folder with its files.
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type HubSettings, readHubSettings } from "../config/hub-settings.js";
import { nearestName } from "../config/nearest-name.js";
import { BridleError } from "../errors/error.js";
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
  /** Looks for a newer version where there may be one. */
  readonly refresh?: boolean | undefined;
  readonly settings?: HubSettings | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onDownload?: ((progress: DownloadProgress) => void) | undefined;
}

/** A kind of names, and where the models behind them lie. */
interface ModelSource {
  /** What its names look like, for the hint. */
  readonly names: string;
  /** The folder behind a name; undefined for a name of another kind. */
  find(name: string, options: ResolveOptions): Promise<string | undefined>;
}

const folders: ModelSource = {
  names: "a folder with a model in Hugging Face layout",
  find: async (name) => ((await isFolder(name)) ? name : undefined),
};

const hub: ModelSource = {
  names: "an id on the Hugging Face hub such as google/pegasus-xsum",
  async find(name, { needs, refresh, settings, signal, onDownload }) {
    const id = parseHubId(name);
    if (id === undefined) return undefined;
    return await openSnapshot(id, {
      needs,
      refresh,
      settings,
      signal,
      onProgress: onDownload,
      async check(folder) {
        if (needs.includes("model"))
          findFamily((await readJson(join(folder, "config.json"))) ?? {});
      },
    });
  },
};

/** In the order they are asked: what lies here goes before what would have to be fetched. */
const sources: readonly ModelSource[] = [folders, hub];

/**
 * The folder of the model a name means: a folder of that name, else a model on the hub.
 * @throws MODEL_NOT_FOUND; ARCHITECTURE_NOT_SUPPORTED before the weights are downloaded; what openSnapshot throws
 */
export async function resolveModel(name: string, options: ResolveOptions): Promise<string> {
  for (const source of sources) {
    const folder = await source.find(name, options);
    if (folder !== undefined) return folder;
  }
  const { others = [], settings = readHubSettings() } = options;
  const near = await findNear(name, others, settings);
  throw new BridleError("MODEL_NOT_FOUND", {
    model: JSON.stringify(name.slice(0, 200)),
    available: [
      ...(near === undefined ? [] : [`${near} (is that what you mean?)`]),
      ...others.filter((other) => other !== near),
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
