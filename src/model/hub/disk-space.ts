// Looks whether a download fits on the disk before it begins.
import { readdir, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BridleError } from "../../errors/error.js";
import { type RepositoryCache, sizeOf } from "./cache-folder.js";
import type { RemoteFile } from "./revision.js";

/** @throws DISK_SPACE_SHORT where what is not there yet of some files does not fit */
export async function checkDiskSpace(
  cache: RepositoryCache,
  repo: string,
  files: readonly RemoteFile[],
): Promise<void> {
  const blobs = dirname(cache.blob("-"));
  const names = await readdir(blobs).catch(() => []);
  let needed = 0;
  for (const { etag, size = 0 } of files) {
    // The file itself, or the part that an ended download has left of it.
    const parts = names.filter((name) => name === etag || name.startsWith(`${etag}.`));
    const sizes = await Promise.all(parts.map((name) => sizeOf(join(blobs, name))));
    needed += Math.max(0, size - Math.max(0, ...sizes.map((there) => there ?? 0)));
  }
  const free = await freeBytes(blobs);
  if (free === undefined || free >= needed) return;
  throw new BridleError("DISK_SPACE_SHORT", {
    folder: cache.folder,
    free: formatBytes(free),
    what: repo,
    needed: `${formatBytes(needed)} more`,
  });
}

/** Bytes this user may still write in a folder, or in the nearest one above it that exists. */
async function freeBytes(folder: string): Promise<number | undefined> {
  for (let each = folder; ; each = dirname(each)) {
    try {
      const { bavail, bsize } = await statfs(each);
      return bavail * bsize;
    } catch {
      if (dirname(each) === each) return undefined;
    }
  }
}

/** A size as people read it, in decimal units: 2.28 GB. */
function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(1, bytes)) / 3), units.length - 1);
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(2)} ${units[power]}`;
}
