// Deletes the files of versions that nothing needs any more, and what additions that were cut off left in the store.
import { BridleError } from "../errors/error.js";
import { checkCancelled, type PackageWork } from "../package/model-package.js";
import type { SqlClient } from "../ports/database.js";
import { readPackageRow, writePackageRow } from "./add-version.js";
import { standing } from "./promote.js";
import {
  listModels,
  type ModelVersion,
  type RegistryContext,
  readAliases,
  readMoves,
  readVersions,
} from "./versions.js";

export interface CollectOptions extends Pick<PackageWork, "signal"> {
  /**
   * Versions that stay of each alias, below the one it points at, for rollbacks; and the newest of each model. Default 3.
   */
  readonly keep?: number | undefined;
  /** Tells what would go, and deletes nothing. */
  readonly dryRun?: boolean | undefined;
}

export interface Collected {
  /** Versions whose files went. The versions themselves, their cards and their history stay. */
  readonly versions: readonly {
    readonly model: string;
    readonly version: number;
    readonly digest: string;
  }[];
  /** Packages deleted from the store, those of additions that were cut off among them. */
  readonly packages: number;
  readonly freedBytes: number;
  /** Versions whose files stay. */
  readonly kept: number;
}

/** How long a package is held against adders without a word from who deletes it. */
const deleteMs = 60_000;
const renewMs = 15_000;
/** How much of that must be left where another file is deleted: a store may take its time. */
const marginMs = 15_000;

/** The versions of a model that must stay. */
export async function neededVersions(
  sql: SqlClient,
  model: string,
  versions: readonly ModelVersion[],
  keep: number,
): Promise<Set<number>> {
  const there = versions.filter(({ collectedAt }) => collectedAt === null);
  const needed = new Set(there.slice(0, keep).map(({ version }) => version));
  for (const { alias, version } of await readAliases(sql, model)) {
    needed.add(version);
    const stack = standing(await readMoves(sql, model, alias));
    for (const below of stack.slice(0, -1).slice(-keep)) needed.add(below);
  }
  return needed;
}

/**
 * What an alias points at, what it can be rolled back to, and the newest versions stay; so do packages that another model
 * needs, or that somebody is bringing at the moment. A gc that was cut off is finished by the next.
 * @throws CANCELLED, and what store and database throw
 */
export async function collectGarbage(
  context: RegistryContext,
  { keep = 3, dryRun = false, signal }: CollectOptions = {},
): Promise<Collected> {
  const { database, now } = context;
  const going: ModelVersion[] = [];
  let kept = 0;
  for (const { name } of await listModels(context)) {
    const done = await database.transaction(
      async (sql) => {
        const versions = await readVersions(sql, name);
        const needed = await neededVersions(sql, name, versions, keep);
        const there = versions.filter(({ collectedAt }) => collectedAt === null);
        const unneeded = there.filter(({ version }) => !needed.has(version));
        const at = now();
        for (const { version } of dryRun ? [] : unneeded) {
          await sql.query(
            "UPDATE registry_version SET collected_at = $3 WHERE model = $1 AND version = $2",
            [name, version, at],
          );
        }
        return { unneeded, kept: there.length - unneeded.length };
      },
      { readOnly: dryRun },
    );
    going.push(...done.unneeded);
    kept += done.kept;
  }
  const gone = new Set(going.map(({ model, version }) => `${model}:${version}`));
  const swept = await sweep(
    context,
    (each) => dryRun && gone.has(`${each.model}:${each.version}`),
    {
      dryRun,
      signal,
    },
  );
  const versions = going.map(({ model, version, digest }) => ({ model, version, digest }));
  return { versions, ...swept, kept };
}

/** Deletes every package that no version names. */
async function sweep(
  context: RegistryContext,
  isGoing: (version: { readonly model: string; readonly version: number }) => boolean,
  { dryRun, signal }: Pick<CollectOptions, "dryRun" | "signal">,
): Promise<{ packages: number; freedBytes: number }> {
  const { database, now } = context;
  let count = 0;
  let freedBytes = 0;
  for (const digest of await packageDigests(context, signal)) {
    checkCancelled(signal);
    const marked = await database.transaction(
      async (sql) => {
        const row = await readPackageRow(sql, digest);
        const at = now();
        // Somebody brings it, or takes it away.
        if (row !== undefined && row.claimed_until > at) return undefined;
        const { rows } = await sql.query<{ model: string; version: number }>(
          "SELECT model, version FROM registry_version WHERE digest = $1 AND collected_at IS NULL",
          [digest],
        );
        if (rows.some((each) => !isGoing(each))) return undefined;
        if (!dryRun) await writePackageRow(sql, digest, "deleting", at + deleteMs);
        return at + deleteMs;
      },
      { readOnly: dryRun === true },
    );
    if (marked === undefined) continue;
    count++;
    if (dryRun) {
      freedBytes += await sizeOf(context, digest, signal);
      continue;
    }
    freedBytes += await deletePackage(context, digest, marked, signal);
  }
  return { packages: count, freedBytes };
}

/**
 * Deletes a package that was marked, for as long as the mark is renewed: after that it may be somebody else's.
 * @param marked when the mark ends, which tells it from any that others make
 */
async function deletePackage(
  { database, packages, now }: RegistryContext,
  digest: string,
  marked: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  let until = marked;
  const isMine = "digest = $1 AND state = 'deleting' AND claimed_until = $2";
  const renew = async () => {
    const next = now() + deleteMs;
    const { count } = await database.query(
      `UPDATE registry_package SET claimed_until = $3 WHERE ${isMine}`,
      [digest, until, next],
    );
    // Somebody brings the package by now, or another gc deletes it.
    until = count === 1 ? next : Number.NEGATIVE_INFINITY;
  };
  let renewal = Promise.resolve();
  const renewing = setInterval(() => {
    // One that failed is made up for by the next; the mark ends where none succeeds.
    renewal = renewal.then(renew).catch(() => {});
  }, renewMs);
  try {
    const freed = await packages.delete(digest, () => {
      checkCancelled(signal);
      if (now() > until - marginMs) throw new BridleError("CANCELLED");
    });
    clearInterval(renewing);
    await renewal;
    await database.query(`DELETE FROM registry_package WHERE ${isMine}`, [digest, until]);
    return freed;
  } finally {
    clearInterval(renewing);
    await renewal;
  }
}

async function sizeOf(
  { packages }: RegistryContext,
  digest: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const found = await packages.read(digest, signal).catch(() => undefined);
  return found === undefined ? 0 : found.manifest.sizeBytes + found.manifest.bytes.length;
}

/** Packages of which there is anything, in the store or in the database. */
export async function packageDigests(
  { database, packages }: RegistryContext,
  signal?: AbortSignal,
): Promise<string[]> {
  const stored = await packages.list(signal);
  const { rows } = await database.query<{ digest: string }>("SELECT digest FROM registry_package");
  return [...new Set([...stored, ...rows.map(({ digest }) => digest)])].sort();
}
