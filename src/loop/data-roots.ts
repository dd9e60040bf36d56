// What registered models were trained on, so that a clean-up of data keeps it: every registry that may hold models of this
// project is asked, and where one that something names cannot be, that is told.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { databaseFile, findStateFolder, stateFolderName } from "../config/state.js";
import { findRoot } from "../data/dvc/repository.js";
import { BridleError, toBridleError } from "../errors/error.js";
import { systemCode, writeError } from "../errors/file-errors.js";
import type { Database } from "../ports/database.js";
import { parseVersionName, versionText } from "../registry/version-name.js";
import { findByDigest, readDataObjects } from "../registry/versions.js";
import { writeAtomically } from "../text/files/write-atomically.js";
import { listStartedFrom } from "../track/started-from.js";
import { recordFile } from "../train/trained-model.js";

/** Where a repository's registries are noted, one file each, so that two that are noted at once do not meet. */
const notesOf = (root: string) => path.join(root, ".dvc", "tmp", "bridle", "registries");

/**
 * Notes in every DVC repository that files lie in, and in that of the working folder, that a registry holds versions which
 * were trained on its data. Where nothing can be written it is left out: whoever may not write there cleans up nothing either.
 * @param database its name: a file's path, or a URL without a password
 */
export async function noteRegistry(files: readonly string[], database: string): Promise<void> {
  if (database === ":memory:") return;
  const folders = new Set([
    process.cwd(),
    ...files.map((file) => path.dirname(path.resolve(file))),
  ]);
  const roots = new Set<string>();
  for (const folder of folders) {
    const root = await findRoot(folder).catch(() => undefined);
    if (root !== undefined) roots.add(root);
  }
  for (const root of roots) {
    // A repository may be moved with the state that lies in it.
    const inside = path.isAbsolute(database) ? path.relative(root, database) : "..";
    const place = inside.startsWith("..") || path.isAbsolute(inside) ? database : inside;
    const name = createHash("sha256").update(place).digest("hex").slice(0, 16);
    try {
      await mkdir(notesOf(root), { recursive: true });
      await writeAtomically(path.join(notesOf(root), `${name}.json`), (handle) =>
        handle.writeFile(`${JSON.stringify({ version: 1, database: place })}\n`),
      );
    } catch (thrown) {
      const failure = writeError(thrown, notesOf(root));
      if (!["EACCES", "EPERM", "EROFS"].includes(String(failure.details.system))) throw failure;
    }
  }
}

/** A database that may hold a registry, and what says so. */
interface Candidate {
  /** Undefined where what names it cannot be read. */
  readonly url: string | undefined;
  readonly saidBy: string;
  /** Whether it is known to be one, so that it must be asked. */
  readonly isSure: boolean;
  readonly isNote?: boolean;
}

export interface DataRootsOptions {
  /** The folder that the command was typed in. */
  readonly from: string;
  /** Databases by URL that the command line names. */
  readonly named?: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Opens a database that is there. @throws what opening one throws */
  readonly openDatabase: (url: string) => Promise<Database>;
  /** Go on where a registry cannot be asked: the data of its versions are not kept then. */
  readonly allowUnasked?: boolean | undefined;
}

export interface DataRoots {
  /** DVC's ids of files. */
  readonly ids: ReadonlySet<string>;
  /** The databases that were asked. */
  readonly asked: readonly string[];
  /** Why others were not, where that was allowed. */
  readonly unasked: readonly string[];
}

/**
 * Asks every registry for what its versions were trained on: those of the command line, BRIDLE_DB's and BRIDLE_HOME's; of
 * every `.bridle` above and below in the repository; and those in which versions trained on its data were registered.
 * @param root folder of the DVC repository
 * @throws REGISTRY_NOT_ASKED where one that the command line, the environment, a note, a trained model's record or a run names
 *   is not there, does not answer, or is not among them; what the database says that was found and cannot be read
 */
export async function findDataRoots(root: string, options: DataRootsOptions): Promise<DataRoots> {
  const found = await lookBelow(root);
  const unasked: string[] = [];
  const candidates = [
    ...namedCandidates(options),
    ...(await notedCandidates(root)),
    ...stateCandidates([
      ...[findStateFolder(options.from), findStateFolder(root)].filter(
        (each) => each !== undefined,
      ),
      ...found.states,
    ]),
  ];
  const asked: Database[] = [];
  const ids = new Set<string>();
  const missing = new Set<string>();
  try {
    for (const { url, saidBy, isSure, isNote } of candidates) {
      if (url === undefined) {
        unasked.push(`${saidBy} cannot be read`);
        continue;
      }
      const file = databaseFile(url);
      // As databases call themselves; a note's has no password, with which the command line may name the same one.
      const name = file ?? url;
      if (missing.has(name) || asked.some((each) => each.name === name)) continue;
      if (file !== undefined && !existsSync(file)) {
        missing.add(name);
        if (isSure) unasked.push(`${saidBy} names ${file}, which is not there`);
        continue;
      }
      const database = await options.openDatabase(url).catch((thrown) => {
        // Only of what was noted may nobody have spoken for long; any other says what to do about it.
        if (!isNote) throw thrown;
        unasked.push(`${saidBy} names ${name}: ${toBridleError(thrown).message}`);
        return undefined;
      });
      if (database === undefined) continue;
      asked.push(database);
      for (const id of await readDataObjects(database)) ids.add(id);
    }
    for (const each of await unknownParents(asked, found.records)) unasked.push(each);
    for (const each of await unknownStarts(asked, root)) unasked.push(each);
    if (unasked.length > 0 && !options.allowUnasked) {
      throw new BridleError("REGISTRY_NOT_ASKED", { reasons: unasked.join("; ") });
    }
    return { ids, asked: asked.map(({ name }) => name), unasked };
  } finally {
    for (const database of asked) await database.close();
  }
}

function namedCandidates({ named = [], env }: DataRootsOptions): Candidate[] {
  const home = env.BRIDLE_HOME && path.resolve(env.BRIDLE_HOME);
  return [
    ...named.map((url) => ({ url, saidBy: "--db", isSure: true })),
    ...(env.BRIDLE_DB ? [{ url: env.BRIDLE_DB, saidBy: "BRIDLE_DB", isSure: true }] : []),
    ...(home
      ? [
          {
            url: path.join(home, "bridle.db"),
            saidBy: "BRIDLE_HOME",
            // A folder that is there may hold other things alone.
            isSure: !existsSync(home),
          },
        ]
      : []),
  ];
}

function stateCandidates(folders: readonly string[]): Candidate[] {
  return folders.map((folder) => ({
    url: path.join(folder, "bridle.db"),
    saidBy: folder,
    isSure: false,
  }));
}

async function notedCandidates(root: string): Promise<Candidate[]> {
  const folder = notesOf(root);
  const candidates: Candidate[] = [];
  for (const name of (await readdirIfThere(folder)).map((entry) => entry.name).sort()) {
    if (!name.endsWith(".json")) continue;
    const file = path.join(folder, name);
    const database = (await readJsonObject(file))?.database;
    const said = { saidBy: `the note ${file}`, isSure: true, isNote: true };
    if (typeof database !== "string") candidates.push({ url: undefined, ...said });
    else if (/^[a-z][a-z0-9+.-]+:\/\//i.test(database)) candidates.push({ url: database, ...said });
    else candidates.push({ url: path.resolve(root, database), ...said });
  }
  return candidates;
}

/** Undefined for what is not there, cannot be read, or is no JSON object. */
async function readJsonObject(file: string): Promise<Record<string, unknown> | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  try {
    return (JSON.parse(text) as Record<string, unknown> | null) ?? undefined;
  } catch {
    return undefined;
  }
}

async function readdirIfThere(folder: string) {
  return await readdir(folder, { withFileTypes: true }).catch((thrown) => {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(systemCode(thrown))) return [];
    throw thrown;
  });
}

/** Folders that no project's models are in. */
const skipped: ReadonlySet<string> = new Set([".git", ".dvc", "node_modules"]);

/** The states and the records of trained models in a folder, links not followed. */
async function lookBelow(
  root: string,
): Promise<{ readonly states: string[]; readonly records: string[] }> {
  const states: string[] = [];
  const records: string[] = [];
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readdirIfThere(folder)) {
      const place = path.join(folder, entry.name);
      if (entry.name === recordFile && entry.isFile()) records.push(place);
      if (!entry.isDirectory() || skipped.has(entry.name)) continue;
      if (entry.name === stateFolderName) states.push(place);
      else folders.push(place);
    }
  }
  return { states: states.sort(), records: records.sort() };
}

/** Trained models that say which registered version they started from, of which no registry that was asked knows. */
async function unknownParents(
  asked: readonly Database[],
  records: readonly string[],
): Promise<string[]> {
  const reasons: string[] = [];
  for (const file of records) {
    const parent = await parentOf(file);
    if (parent === undefined) continue;
    const isKnown = await anyOf(asked, async (database) => {
      return (await findByDigest(database, parent.digest)).length > 0;
    });
    if (isKnown) continue;
    const name = versionText(parent.name, parent.version);
    reasons.push(`${file} started from ${name}, which no registry that was asked has`);
  }
  return reasons;
}

/** A file that cannot be read, or is another program's, names nothing. */
async function parentOf(file: string) {
  const { name, version, digest } = ((await readJsonObject(file))?.parent ?? {}) as Record<
    string,
    unknown
  >;
  const isWhole =
    typeof name === "string" && typeof version === "number" && typeof digest === "string";
  return isWhole ? { name, version, digest } : undefined;
}

/** Runs of this repository that started from a registered version, of a model that no registry that was asked knows. */
async function unknownStarts(asked: readonly Database[], root: string): Promise<string[]> {
  const reasons: string[] = [];
  const told = new Set<string>();
  for (const database of asked) {
    for (const { run, model, output } of await listStartedFrom(database)) {
      const inside = path.relative(root, output);
      if (inside.startsWith("..") || path.isAbsolute(inside) || told.has(model)) continue;
      // A bare name may be a folder's; one with a number or an alias is a registry's.
      const name = /[:@]/.test(model) ? parseVersionName(model) : undefined;
      if (name === undefined) continue;
      const isKnown = await anyOf(asked, async (each) => {
        const { count } = await each.query("SELECT name FROM registry_model WHERE name = $1", [
          name.model,
        ]);
        return count > 0;
      });
      if (isKnown) continue;
      told.add(model);
      reasons.push(`the run ${run} started from ${model}, which no registry that was asked has`);
    }
  }
  return reasons;
}

async function anyOf<T>(all: readonly T[], holds: (each: T) => Promise<boolean>): Promise<boolean> {
  for (const each of all) if (await holds(each)) return true;
  return false;
}
