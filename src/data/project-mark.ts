// What tells whether the tracked data of a folder have changed since somebody looked, by the times of their files.
import { stat } from "node:fs/promises";
import nodePath from "node:path";
import type { TrackedPath } from "./project-data.js";

/** Paths that are looked at, each with what tracks it and the folder it lies in. */
const mostPaths = 200;

/** Another text as soon as a tracked file, what tracks it, or a folder that holds such files is another. */
export async function markProject(
  folder: string,
  tracked: readonly Pick<TrackedPath, "path">[],
): Promise<string> {
  const places = new Set([".", "dvc.yaml", "dvc.lock"]);
  for (const { path } of tracked.slice(0, mostPaths)) {
    for (const place of [path, `${path}.dvc`, nodePath.posix.dirname(path)]) places.add(place);
  }
  const told = await Promise.all(
    [...places].map(async (place) => {
      try {
        const { mtimeMs, size, ino } = await stat(nodePath.join(folder, place));
        return `${place} ${mtimeMs} ${size} ${ino}`;
      } catch {
        return `${place} is not there`;
      }
    }),
  );
  return told.join("\n");
}
