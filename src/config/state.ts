// Where a project's state lies: runs, the registry, queues and caches.
import { existsSync, statSync } from "node:fs";
import path from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** What the folder is called in which a project's state lies. */
export const stateFolderName = ".bridle";

/**
 * The folder of everything Bridle keeps: BRIDLE_HOME, else the project's, which is the nearest `.bridle` at or above the
 * folder that a command runs in; where there is none yet, `.bridle` of that folder, which is not made here.
 */
export function stateFolder(env: Environment, from = process.cwd()): string {
  if (env.BRIDLE_HOME) return path.resolve(env.BRIDLE_HOME);
  return findStateFolder(from) ?? path.resolve(from, stateFolderName);
}

/**
 * The nearest `.bridle` at or above a folder, as `.dvc` and `.git` are found. A project ends where its Git repository does:
 * nothing is looked for above the first folder that holds `.git`, else above the file system's root.
 */
export function findStateFolder(from: string): string | undefined {
  for (let folder = path.resolve(from); ; folder = path.dirname(folder)) {
    const found = path.join(folder, stateFolderName);
    if (isFolder(found)) return found;
    const isEnd = existsSync(path.join(folder, ".git")) || path.dirname(folder) === folder;
    if (isEnd) return undefined;
  }
}

function isFolder(place: string): boolean {
  try {
    return statSync(place).isDirectory();
  } catch {
    return false;
  }
}

/** The file of a database that is one, `sqlite:FILE` or a bare path; undefined for what is asked over a network. */
export function databaseFile(url: string): string | undefined {
  const file = /^(?:sqlite:(?:\/\/(?=\/))?)?((?![a-z][a-z0-9+.-]+:).*)$/is.exec(url)?.[1];
  return file === undefined ? undefined : path.resolve(file);
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

/** Where copies of models in whole numbers are kept. */
export function quantizedCache(env: Environment = process.env): string {
  return path.join(stateFolder(env), "cache", "quantized");
}

/** Where weights lie as products want them laid out, for all processes of a machine. */
export function packedCache(env: Environment = process.env): string {
  return path.join(stateFolder(env), "cache", "packed");
}

/** Where files lie while they are unpacked, on the disk of everything else. */
export function scratchFolder(env: Environment): string {
  return path.join(stateFolder(env), "scratch");
}

/** Where what could not be delivered yet waits. */
export function spoolFolder(env: Environment): string {
  return path.join(stateFolder(env), "spool");
}

/** Where the histories of runs lie that Weights & Biases is told. */
export function wandbFolder(env: Environment): string {
  return path.join(stateFolder(env), "wandb");
}
