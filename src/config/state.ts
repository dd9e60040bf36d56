// Where a project's state lies: runs, the registry, queues and caches.
import path from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** The folder of everything Bridle keeps: BRIDLE_HOME, else `.bridle` of the folder it runs in. */
export function stateFolder(env: Environment): string {
  return path.resolve(env.BRIDLE_HOME || ".bridle");
}

/**
 * The database's URL.
 * @param db what `--db` says, which comes before BRIDLE_DB
 */
export function databaseUrl(db: string | undefined, env: Environment): string {
  return db || env.BRIDLE_DB || `sqlite:${path.join(stateFolder(env), "bridle.db")}`;
}

/**
 * Where files of runs and models lie: a folder or a bucket.
 * @param store what `--store` says, which comes before BRIDLE_STORE
 */
export function storeUrl(store: string | undefined, env: Environment): string {
  return store || env.BRIDLE_STORE || path.join(stateFolder(env), "store");
}

/** Where files lie while they are unpacked, on the disk of everything else. */
export function scratchFolder(env: Environment): string {
  return path.join(stateFolder(env), "scratch");
}

/** Where what could not be delivered yet waits. */
export function spoolFolder(env: Environment): string {
  return path.join(stateFolder(env), "spool");
}
