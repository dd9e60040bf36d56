// The data files of the folder that somebody works in: which there are, by their content, and what they hold.
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import nodePath from "node:path";
import { BridleError, toBridleError } from "../errors/error.js";
import { createWorkerPool } from "../text/worker-pool.js";
import type { SplitProfile } from "./checks/profile.js";
import { isDirectoryId } from "./dvc/object-hash.js";
import { DvcRepository } from "./dvc/repository.js";
import { allOutputs } from "./dvc/scope.js";
import type { ProfileTask } from "./profile-worker.js";

/** What a .dvc file, or a stage of a pipeline, says of a path. */
export interface TrackedPath {
  /** From the project's folder, with forward slashes. */
  readonly path: string;
  readonly md5: string;
  readonly sizeBytes: number | null;
  /** Files of a folder; null for a file. */
  readonly fileCount: number | null;
}

/** A file that says what is tracked, or how, and cannot be used. */
export interface BrokenFile {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

export interface Tracked {
  readonly paths: readonly TrackedPath[];
  /** What these say is missing from the paths. */
  readonly broken: readonly BrokenFile[];
}

/** A file as it lies there now. */
export interface FoundFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** As DVC names it. */
  readonly md5: string;
}

export type Statistics =
  | { readonly state: "computing" }
  | { readonly state: "done"; readonly split: SplitProfile }
  | { readonly state: "failed"; readonly code: string; readonly message: string };

export interface ProjectData {
  readonly folder: string;
  /** What is tracked in the folder; none where it is no DVC repository. One broken file hides no other. */
  listTracked(): Promise<Tracked>;
  /** From the project's folder with forward slashes; undefined for a path outside it. */
  pathOf(typed: string): string | undefined;
  /** Undefined where no file is there, it lies outside the folder, or is larger than is looked at. */
  find(typed: string): Promise<FoundFile | undefined>;
  /** Whether something is there that is larger than is looked at. */
  isTooLarge(typed: string): Promise<boolean>;
  /** What a file that was found holds: begun by the first who asks, and the same for all after. */
  statistics(found: FoundFile, columns: ProfileTask["columns"]): Statistics;
  close(): Promise<void>;
}

/** Files whose bytes are compared, and read for statistics, by whoever only looks at a page. */
const mostBytes = 200_000_000;
const mostKnown = 200;
const trackedForMs = 5000;
const marks = [".dvc", ".git", ".bridle", "params.yaml"];

/** The nearest folder at or above one that somebody works in; undefined where none looks like that. */
export function findProjectFolder(from: string): string | undefined {
  for (let folder = nodePath.resolve(from); ; folder = nodePath.dirname(folder)) {
    if (marks.some((mark) => existsSync(nodePath.join(folder, mark)))) return folder;
    if (nodePath.dirname(folder) === folder) return undefined;
  }
}

/** Opens a folder's data. Nothing is read, and no thread started, before somebody asks. */
export function openProjectData(folder: string): ProjectData {
  const pool = createWorkerPool<ProfileTask, SplitProfile | undefined>({
    worker: new URL("./profile-worker.js", import.meta.url),
    threads: 1,
    heapMb: 1500,
    outOfMemory: (cause, { files }) =>
      new BridleError(
        "BUG",
        { reason: `statistics of ${files.join(", ")} need more memory than a thread has` },
        { cause },
      ),
  });
  const hashes = new Map<string, Promise<Omit<FoundFile, "path">>>();
  const profiles = new Map<string, Statistics>();
  let tracked: { readonly at: number; readonly found: Promise<Tracked> } | undefined;

  /** Where a path leads, links followed; undefined outside the folder. */
  const placeOf = async (typed: string) => {
    try {
      const [root, place] = await Promise.all([
        realpath(folder),
        realpath(nodePath.resolve(folder, typed)),
      ]);
      if (!place.startsWith(root + nodePath.sep)) return undefined;
      return { place, info: await stat(place) };
    } catch {
      return undefined;
    }
  };
  const pathOf = (typed: string) => {
    const path = nodePath.relative(folder, nodePath.resolve(folder, typed));
    const isInside = path !== "" && !path.startsWith("..") && !nodePath.isAbsolute(path);
    return isInside ? path.split(nodePath.sep).join("/") : undefined;
  };
  return {
    folder,
    pathOf,
    listTracked() {
      const now = performance.now();
      if (tracked === undefined || now - tracked.at > trackedForMs) {
        tracked = { at: now, found: readTracked(folder) };
        tracked.found.catch(() => {
          tracked = undefined;
        });
      }
      return tracked.found;
    },
    async find(typed) {
      const path = pathOf(typed);
      const found = path === undefined ? undefined : await placeOf(path);
      if (path === undefined || found === undefined) return undefined;
      const { place, info } = found;
      if (info.size > mostBytes) return undefined;
      // A folder's time does not tell whether its files have changed, and reading all of them at each look takes too long.
      if (!info.isFile()) return undefined;
      const key = `${place} ${info.size} ${info.mtimeMs} ${info.ino}`;
      let hash = hashes.get(key);
      if (hash === undefined) {
        hash = hashFile(place);
        forgetOldest(hashes);
        hashes.set(key, hash);
        hash.catch(() => hashes.delete(key));
      }
      return await hash.then(
        (content) => ({ path, ...content }),
        () => undefined,
      );
    },
    async isTooLarge(typed) {
      const found = await placeOf(typed);
      return found !== undefined && found.info.size > mostBytes;
    },
    statistics({ path, sha256 }, columns) {
      const key = JSON.stringify([sha256, columns]);
      const known = profiles.get(key);
      if (known !== undefined) return known;
      const begun: Statistics = { state: "computing" };
      forgetOldest(profiles);
      profiles.set(key, begun);
      const files = [nodePath.join(folder, path)];
      pool.run({ name: path, files, columns }).then(
        (split) => {
          const done: Statistics =
            split === undefined
              ? { state: "failed", code: "DATA_EMPTY", message: `${path} holds no rows.` }
              : { state: "done", split: { ...split, files: [path] } };
          profiles.set(key, done);
        },
        (thrown) => {
          const { code, message } = toBridleError(thrown);
          profiles.set(key, { state: "failed", code, message });
        },
      );
      return begun;
    },
    close: () => pool.close(),
  };
}

function forgetOldest(known: Map<string, unknown>): void {
  const [oldest] = known.keys();
  if (known.size >= mostKnown && oldest !== undefined) known.delete(oldest);
}

/** Names of what a stage may write that are rows of data rather than a model or a report. */
const dataNames = /\.(jsonl|jsonlines|ndjson|json|csv|tsv|tab|parquet)(\.(gz|gzip|zst|zstd))?$/i;

async function readTracked(folder: string): Promise<Tracked> {
  const broken: BrokenFile[] = [];
  const note = (path: string, { code, message }: BridleError) => {
    broken.push({ path, code, message });
  };
  if (!existsSync(nodePath.join(folder, ".dvc"))) return { paths: [], broken };
  const repository = await DvcRepository.open(folder).catch((thrown: unknown) => {
    const error = toBridleError(thrown);
    if (error.kind === "bug") throw thrown;
    // Its settings: without them nothing is known of where anything lies.
    const file = nodePath.relative(
      folder,
      String(error.details.file ?? nodePath.join(folder, ".dvc", "config")),
    );
    note(file.split(nodePath.sep).join("/"), error);
    return undefined;
  });
  if (repository === undefined) return { paths: [], broken };
  try {
    const stages = await repository.stages(repository.tree, note);
    const paths = allOutputs(stages).flatMap(({ stage, output }) => {
      const { path, content, isCached, isMetric, isPlot } = output;
      if (path === undefined || content === undefined) return [];
      const isAdded = stage.name === undefined;
      const isData = isAdded || dataNames.test(path) || isDirectoryId(content.hash.id);
      if (!isCached || isMetric || isPlot || !isData) return [];
      const { hash, sizeBytes = null, fileCount } = content;
      const isFolder = isDirectoryId(hash.id);
      return [{ path, md5: hash.id, sizeBytes, fileCount: isFolder ? (fileCount ?? null) : null }];
    });
    return { paths, broken };
  } finally {
    await repository.close();
  }
}

async function hashFile(place: string): Promise<Omit<FoundFile, "path">> {
  const [sha256, md5] = [createHash("sha256"), createHash("md5")];
  let sizeBytes = 0;
  for await (const piece of createReadStream(place, { highWaterMark: 1 << 20 })) {
    sha256.update(piece);
    md5.update(piece);
    sizeBytes += (piece as Buffer).length;
  }
  return { sizeBytes, sha256: sha256.digest("hex"), md5: md5.digest("hex") };
}
