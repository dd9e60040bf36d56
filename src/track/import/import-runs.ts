// Runs of other trackers brought into the database, each as often as one likes: it is there once.
import { BridleError } from "../../errors/error.js";
import { readError, systemCode } from "../../errors/file-errors.js";
import type { BlobStore } from "../../ports/blob-store.js";
import type { Database } from "../../ports/database.js";
import type { ForeignRun, RunEvent, RunIdentity } from "../../ports/event-sink.js";
import { putArtifact } from "../artifacts.js";
import { writeEvents } from "../write.js";
import { importedIdentity } from "./foreign-run.js";

export interface ImportedRun {
  readonly run: RunIdentity;
  readonly points: number;
  readonly files: number;
  /** How many of the files, or folders of them, are not copied but named where they lie. */
  readonly named: number;
}

const faultsOfRuns = new WeakSet<BridleError>();

/** Whether what importRun threw is about that run alone, and keeps none of the others away. */
export function isFaultOfRun(thrown: unknown): thrown is BridleError {
  return thrown instanceof BridleError && faultsOfRuns.has(thrown);
}

/** Kinds of errors that are about whoever is asked, and would be met by every other run as well. */
const ofAll: ReadonlySet<string> = new Set([
  "unavailable",
  "timeout",
  "busy",
  "unauthenticated",
  "bug",
]);

/**
 * Imports a run. One that broke off shows as interrupted, and is whole when it is imported again.
 * @throws what is wrong with the run itself, see isFaultOfRun; what the database, the store and whoever is asked throw
 */
export async function importRun(
  database: Database,
  artifacts: BlobStore,
  foreign: ForeignRun,
): Promise<ImportedRun> {
  const run = importedIdentity(foreign);
  /** What went wrong here, rather than there. */
  let own: unknown;
  const keep = async (name: string, content: Uint8Array, mediaType: string) => {
    try {
      return await putArtifact(artifacts, name, content, mediaType);
    } catch (thrown) {
      own = thrown;
      throw thrown;
    }
  };
  let points = 0;
  let files = 0;
  let named = 0;
  const told = readable(foreign.events(run, keep), foreign.known.name, () => own);
  for await (const events of told) {
    await writeEvents(database, run, await withStatusOf(database, foreign, run, events));
    for (const event of events) {
      if (event.type === "points") points += event.points.length;
      if (event.type !== "artifact") continue;
      files += 1;
      if (event.artifact.uri !== "") named += 1;
    }
  }
  return { run, points, files, named };
}

async function* readable(
  told: AsyncIterable<readonly RunEvent[]>,
  name: string,
  own: () => unknown,
): AsyncGenerator<readonly RunEvent[]> {
  try {
    yield* told;
  } catch (thrown) {
    if (thrown === own() || isOfCode(thrown)) throw thrown;
    const error = readError(thrown, (thrown as NodeJS.ErrnoException).path ?? name);
    if (!ofAll.has(error.kind)) faultsOfRuns.add(error);
    throw error;
  }
}

/** Whether it is neither an error with a row nor one of the operating system. */
function isOfCode(thrown: unknown): boolean {
  return !(thrown instanceof BridleError) && systemCode(thrown) === "";
}

/** Where nothing is known of how a run ended, it keeps the end that it has here. */
async function withStatusOf(
  database: Database,
  { isEndKnown = true }: ForeignRun,
  run: RunIdentity,
  events: readonly RunEvent[],
): Promise<readonly RunEvent[]> {
  if (isEndKnown || !events.some(({ type }) => type === "start" || type === "end")) return events;
  const { rows } = await database.query(
    "SELECT 1 FROM track_run WHERE id = $1 AND status <> 'running'",
    [run.id],
  );
  return rows.length === 0
    ? events
    : events.filter(({ type }) => type !== "start" && type !== "end");
}
