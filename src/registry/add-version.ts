// Adds a version: its package into the store, then one row that makes it visible; what is cut off in between is nothing.
import { BridleError } from "../errors/error.js";
import type { ModelCard } from "../package/card.js";
import { type EvaluationRecord, isOf } from "../package/evaluation-record.js";
import type { ModelPackage, PackageWork } from "../package/model-package.js";
import type { SqlClient } from "../ports/database.js";
import { checkModelName, versionText } from "./version-name.js";
import { getVersion, type ModelVersion, type RegistryContext } from "./versions.js";

export interface AddVersionOptions extends PackageWork {
  readonly card: ModelCard;
  /** Who adds it. */
  readonly by: string;
  readonly note?: string | undefined;
  readonly evaluations?: readonly EvaluationRecord[] | undefined;
  /** DVC's ids of the data it was trained on. */
  readonly dataObjects?: readonly string[] | undefined;
  /** Called when the bytes are in the store: throws where what they were read from has changed. */
  readonly checkUnchanged?: (() => Promise<void>) | undefined;
}

export interface AddedVersion extends ModelVersion {
  /** False where the model has this very package already; no version was added then. */
  readonly isNew: boolean;
}

/** How long a package may be on its way without a word from who brings it; gc leaves it alone until then. */
const claimMs = 2 * 60_000;
const renewMs = 20_000;
const mostTries = 3;

/**
 * Writes a package into the store and gives it the model's next number. Two adders at once get two numbers. Until this
 * returns nothing of the version can be seen; once it has, all of it can.
 * @throws MODEL_NAME_INVALID; EVALUATION_INVALID for one of another model; PACKAGE_ALTERED, PACKAGE_SOURCE_CHANGED, CANCELLED; PACKAGE_BEING_DELETED; what store and database throw
 */
export async function addVersion(
  context: RegistryContext,
  model: string,
  from: ModelPackage,
  options: AddVersionOptions,
): Promise<AddedVersion> {
  checkModelName(model);
  const { digest } = from.manifest;
  const { card, evaluations = [] } = options;
  checkEvaluations(evaluations, { digest, fingerprint: card.model.fingerprint }, model);
  for (let attempt = 1; ; attempt++) {
    const held = await claim(context, digest);
    try {
      await context.packages.put(from, options);
      await options.checkUnchanged?.();
    } finally {
      await held.end();
    }
    const added = held.isMine() ? await makeVisible(context, model, from, options) : undefined;
    if (added !== undefined) return added;
    // Slower than its claim: a gc has taken the package away. Again, then.
    if (attempt === mostTries) throw beingDeleted(digest, claimMs);
  }
}

function beingDeleted(digest: string, leftMs: number): BridleError {
  const retryAfterS = Math.max(1, Math.ceil(leftMs / 1000));
  return new BridleError("PACKAGE_BEING_DELETED", { digest: digest.slice(0, 12), retryAfterS });
}

interface PackageRow {
  readonly state: "adding" | "stored" | "deleting";
  readonly claimed_until: number;
}

export async function readPackageRow(
  sql: SqlClient,
  digest: string,
): Promise<PackageRow | undefined> {
  const { rows } = await sql.query<PackageRow>(
    "SELECT state, claimed_until FROM registry_package WHERE digest = $1",
    [digest],
  );
  return rows[0];
}

/** Writes a package's state down. */
export async function writePackageRow(
  sql: SqlClient,
  digest: string,
  state: PackageRow["state"],
  claimedUntil: number,
): Promise<void> {
  await sql.query(
    `INSERT INTO registry_package (digest, state, claimed_until) VALUES ($1, $2, $3)
     ON CONFLICT (digest) DO UPDATE SET state = $2, claimed_until = $3`,
    [digest, state, claimedUntil],
  );
}

interface Held {
  /** False where gc may have come in between: what was written may be gone. */
  isMine(): boolean;
  end(): Promise<void>;
}

/** Keeps gc away from a package that no version names yet. @throws PACKAGE_BEING_DELETED */
async function claim({ database, now }: RegistryContext, digest: string): Promise<Held> {
  let until = await database.transaction(async (sql) => {
    const row = await readPackageRow(sql, digest);
    const at = now();
    if (row?.state === "deleting" && row.claimed_until > at) {
      throw beingDeleted(digest, row.claimed_until - at);
    }
    const state = row?.state === "stored" ? "stored" : "adding";
    await writePackageRow(sql, digest, state, at + claimMs);
    return at + claimMs;
  });
  const renew = async () => {
    const at = now();
    // What ended is not taken up again: the package may have been deleted since.
    if (at >= until) return;
    const { count } = await database.query(
      "UPDATE registry_package SET claimed_until = $2 WHERE digest = $1 AND state <> 'deleting'",
      [digest, at + claimMs],
    );
    until = count === 1 ? at + claimMs : Number.NEGATIVE_INFINITY;
  };
  let renewal = Promise.resolve();
  const renewing = setInterval(() => {
    // One that failed is made up for by the next; the claim ends where none succeeds.
    renewal = renewal.then(renew).catch(() => {});
  }, renewMs);
  return {
    isMine: () => now() < until,
    async end() {
      clearInterval(renewing);
      await renewal;
    },
  };
}

/** @returns undefined where the package was taken away in the meantime */
async function makeVisible(
  context: RegistryContext,
  model: string,
  { manifest }: ModelPackage,
  { card, by, note, evaluations = [], dataObjects = [] }: AddVersionOptions,
): Promise<AddedVersion | undefined> {
  const { digest, sizeBytes } = manifest;
  return await context.database.transaction(async (sql) => {
    const row = await readPackageRow(sql, digest);
    if (row === undefined || row.state === "deleting") return undefined;
    const at = context.now();
    const same = await sql.query<{ version: number }>(
      `SELECT version FROM registry_version WHERE model = $1 AND digest = $2 AND collected_at IS NULL
       ORDER BY version DESC LIMIT 1`,
      [model, digest],
    );
    // A version names it from here on, which keeps it better than a claim.
    await writePackageRow(sql, digest, "stored", 0);
    const known = same.rows[0]?.version;
    const version = known ?? (await nextVersion(sql, model, at, by));
    if (known === undefined) {
      await sql.query(
        `INSERT INTO registry_version
           (model, version, digest, parent_digest, size_bytes, card, data_objects, note, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        [
          ...[model, version, digest, card.lineage.parent?.digest ?? null, sizeBytes],
          ...[JSON.stringify(card), JSON.stringify(dataObjects), note ?? null, at, by],
        ],
      );
    } else await mergeDataObjects(sql, model, version, dataObjects);
    for (const record of evaluations) await insertEvaluation(sql, model, version, record, at, by);
    const found = await getVersion(sql, context, { model, at: { version } });
    return { ...found, isNew: known === undefined };
  });
}

/** Data that were elsewhere when a version was added, and are there now, are kept from now on; none is forgotten. */
async function mergeDataObjects(
  sql: SqlClient,
  model: string,
  version: number,
  ids: readonly string[],
): Promise<void> {
  const { rows } = await sql.query<{ data_objects: string }>(
    "SELECT data_objects FROM registry_version WHERE model = $1 AND version = $2",
    [model, version],
  );
  const before = JSON.parse(rows[0]?.data_objects ?? "[]") as string[];
  if (ids.every((id) => before.includes(id))) return;
  // In the order of the files, where all of them are known now.
  const all = ids.length < before.length ? [...before, ...ids] : [...ids, ...before];
  await sql.query(
    "UPDATE registry_version SET data_objects = $3 WHERE model = $1 AND version = $2",
    [model, version, JSON.stringify([...new Set(all)])],
  );
}

async function nextVersion(sql: SqlClient, model: string, at: number, by: string): Promise<number> {
  const { rows } = await sql.query<{ last_version: number }>(
    `INSERT INTO registry_model (name, last_version, created_at, created_by) VALUES ($1, 1, $2, $3)
     ON CONFLICT (name) DO UPDATE SET last_version = registry_model.last_version + 1
     RETURNING last_version`,
    [model, at, by],
  );
  const [row] = rows;
  if (row === undefined) throw new BridleError("BUG", { reason: `no next version of ${model}` });
  return row.last_version;
}

async function insertEvaluation(
  sql: SqlClient,
  model: string,
  version: number,
  record: EvaluationRecord,
  at: number,
  by: string,
): Promise<void> {
  const last = await sql.query<{ number: number | null }>(
    "SELECT MAX(number) AS number FROM registry_evaluation WHERE model = $1 AND version = $2",
    [model, version],
  );
  await sql.query(
    `INSERT INTO registry_evaluation (model, version, number, record, created_at, created_by)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [model, version, (last.rows[0]?.number ?? 0) + 1, JSON.stringify(record), at, by],
  );
}

/**
 * Records how good a version is.
 * @throws EVALUATION_INVALID for an evaluation of another model; MODEL_NOT_REGISTERED, MODEL_VERSION_NOT_FOUND
 */
export async function recordEvaluations(
  context: RegistryContext,
  model: string,
  version: number,
  records: readonly EvaluationRecord[],
  by: string,
): Promise<void> {
  await context.database.transaction(async (sql) => {
    const found = await getVersion(sql, context, { model, at: { version } });
    const { digest, card } = found;
    const scored = { digest, fingerprint: card.model.fingerprint };
    checkEvaluations(records, scored, versionText(model, version));
    for (const record of records) {
      await insertEvaluation(sql, model, version, record, context.now(), by);
    }
  });
}

/** @throws EVALUATION_INVALID for an evaluation of another model */
function checkEvaluations(
  records: readonly EvaluationRecord[],
  scored: Parameters<typeof isOf>[1],
  name: string,
): void {
  const other = records.find((record) => !isOf(record, scored));
  if (other === undefined) return;
  throw new BridleError("EVALUATION_INVALID", {
    where: `The evaluation on ${other.data}`,
    reason: `it is of ${other.model}, version ${other.version}, and not of ${name}`,
  });
}
