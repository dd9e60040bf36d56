// Runs of other trackers brought into the database, each as often as one likes: it is there once.
import type { BlobStore } from "../../ports/blob-store.js";
import type { Database } from "../../ports/database.js";
import type { ForeignRun, RunIdentity } from "../../ports/event-sink.js";
import { putArtifact } from "../artifacts.js";
import { writeEvents } from "../write.js";
import { importedIdentity } from "./foreign-run.js";

export interface ImportedRun {
  readonly run: RunIdentity;
  readonly points: number;
  readonly files: number;
}

/**
 * Imports a run. One that broke off shows as interrupted, and is whole when it is imported again.
 * @throws what reading it, the database and the store throw
 */
export async function importRun(
  database: Database,
  artifacts: BlobStore,
  foreign: ForeignRun,
): Promise<ImportedRun> {
  const run = importedIdentity(foreign);
  const keep = (name: string, content: Uint8Array, mediaType: string) =>
    putArtifact(artifacts, name, content, mediaType);
  let points = 0;
  let files = 0;
  for await (const events of foreign.events(run, keep)) {
    await writeEvents(database, run, events);
    for (const event of events) {
      if (event.type === "points") points += event.points.length;
      if (event.type === "artifact") files += 1;
    }
  }
  return { run, points, files };
}
