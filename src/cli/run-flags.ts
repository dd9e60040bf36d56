// The flags of commands that keep or read runs: where the database and the files are.
import type { Command } from "commander";
import type { TrackingParts } from "../loop/record-training.js";
import type { Database } from "../ports/database.js";
import type { Terminal } from "./terminal.js";

export interface PlaceFlags {
  readonly db?: string;
  readonly store?: string;
  readonly sink?: readonly string[];
}

export function addDatabaseFlag(command: Command): Command {
  return command.option(
    "--db <url>",
    "the database of runs and registered models: sqlite:FILE or postgres://… (default: $BRIDLE_DB, else .bridle/bridle.db)",
  );
}

export function addStoreFlag(command: Command): Command {
  return command.option(
    "--store <url>",
    "where files of runs and models are kept: a folder, s3://…, gs://…, azure://… (default: $BRIDLE_STORE, else .bridle/store)",
  );
}

export function addSinkFlag(command: Command): Command {
  return command.option(
    "--sink <place>",
    "tell a tracker of runs too: mlflow=http://HOST:PORT, wandb=ENTITY/PROJECT; may be repeated (default: $BRIDLE_SINKS)",
    (word: string, before: readonly string[] = []) => [...before, word],
  );
}

/** Opens the database of runs; those that were killed are marked first. */
export async function withRuns<Result>(
  { db }: PlaceFlags,
  terminal: Terminal,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  const { openRuns } = await import("../compose.js");
  const database = await openRuns(db, terminal.env);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Does work whose runs are recorded; undefined where they are not to be. What goes wrong is a line on standard error. */
export async function withTracking<Result>(
  { track, db, store, sink: sinks }: PlaceFlags & { readonly track?: boolean },
  terminal: Terminal,
  work: (parts: TrackingParts | undefined) => Promise<Result>,
): Promise<Result> {
  if (track === false) return await work(undefined);
  const { openTracking } = await import("../compose.js");
  const onWarning = (message: string) => void terminal.stderr.write(`warning: ${message}\n`);
  const parts = await openTracking({ db, store, sinks, env: terminal.env, onWarning });
  try {
    return await work(parts);
  } finally {
    await parts.close();
  }
}
