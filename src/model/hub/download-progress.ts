// Adds up how far the files of a download are, for whoever shows it.
import type { RemoteFile } from "./revision.js";

/** How far a download is. */
export interface DownloadProgress {
  /** `owner/name` */
  readonly repo: string;
  readonly endpoint: string;
  /** The repository's folder in the cache. */
  readonly folder: string;
  /** The file that got on last. */
  readonly file: string;
  /** Bytes of all files that are there, and that there will be. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Bytes that came over the network in this call. */
  readonly fetchedBytes: number;
}

export interface Tally {
  add(files: readonly RemoteFile[]): void;
  /** From now on it is known what there will be, and progress is told. */
  begin(): void;
  onBytes(file: RemoteFile, there: number, fetched: number): void;
}

export function createTally(
  of: Pick<DownloadProgress, "repo" | "endpoint" | "folder">,
  onProgress: (progress: DownloadProgress) => void = () => {},
): Tally {
  const sizes = new Map<string, { there: number; fetched: number; size: number }>();
  let begun = false;
  const sum = (name: "there" | "fetched" | "size") =>
    [...sizes.values()].reduce((total, each) => total + each[name], 0);
  return {
    add(files) {
      for (const { path, size = 0 } of files) sizes.set(path, { there: 0, fetched: 0, size });
    },
    begin() {
      begun = true;
    },
    onBytes({ path }, there, fetched) {
      const entry = sizes.get(path);
      if (entry === undefined) return;
      entry.there = there;
      entry.fetched = Math.max(entry.fetched, fetched);
      if (!begun) return;
      onProgress({
        ...of,
        file: path,
        doneBytes: sum("there"),
        totalBytes: Math.max(sum("size"), sum("there")),
        fetchedBytes: sum("fetched"),
      });
    },
  };
}
