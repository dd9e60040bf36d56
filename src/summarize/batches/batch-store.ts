// Durable batches in the database: written once for both dialects.
import { randomUUID } from "node:crypto";
import type { Database, SqlClient, SqlValue } from "../../ports/database.js";
import type { SummaryParameters } from "../summarizer.js";
import { fromColumn, toColumn } from "./exact-text.js";

export type BatchState = "waiting" | "running" | "done" | "cancelled";

/** `failed`: its answer is an error. */
export type DocumentState = "waiting" | "done" | "failed" | "cancelled";

export interface Batch {
  readonly id: string;
  /** What it was asked of, by the one spelling of its name. */
  readonly model: string;
  /** Which API key it was sent with; empty where there are none. */
  readonly owner: string;
  readonly state: BatchState;
  readonly documents: Readonly<Record<DocumentState | "total", number>>;
  readonly createdAtMs: number;
  readonly beganAtMs: number | null;
  readonly endedAtMs: number | null;
}

export interface BatchInput {
  /** The line it came in, from 1. */
  readonly line: number;
  /** What the caller calls it. */
  readonly ownId: string | null;
  readonly document: string;
  readonly parameters: SummaryParameters;
}

export interface WaitingDocument {
  readonly line: number;
  readonly document: string;
  readonly parameters: SummaryParameters;
  /** How often a process was lost that worked on it alone. */
  readonly losses: number;
}

/** A document's end: JSON of a summary, or of an error's data; null where the batch was cancelled before. */
export interface BatchAnswer {
  readonly line: number;
  readonly ownId: string | null;
  readonly state: Exclude<DocumentState, "waiting">;
  readonly answer: string | null;
}

interface BatchRow {
  readonly id: string;
  readonly model: string;
  readonly owner: string;
  readonly state: BatchState;
  readonly documents: number;
  readonly created_at_ms: number;
  readonly began_at_ms: number | null;
  readonly ended_at_ms: number | null;
}

const batchColumns = "id, model, owner, state, documents, created_at_ms, began_at_ms, ended_at_ms";
/** Rows of one INSERT: few enough for both databases' limits of values. */
const insertedTogether = 100;

/** Keeps a batch with all its documents, or nothing. @returns its id */
export async function insertBatch(
  database: Database,
  { model, owner }: Pick<Batch, "model" | "owner">,
  documents: readonly BatchInput[],
  now = Date.now(),
): Promise<string> {
  const id = `batch_${randomUUID()}`;
  await database.transaction(async (sql) => {
    await sql.query(
      "INSERT INTO batch (id, model, owner, state, documents, created_at_ms) VALUES ($1, $2, $3, 'waiting', $4, $5)",
      [id, model, owner, documents.length, now],
    );
    for (let first = 0; first < documents.length; first += insertedTogether) {
      const some = documents.slice(first, first + insertedTogether);
      const values: SqlValue[] = [id];
      const rows = some.map(({ line, ownId, document, parameters }) => {
        const texts = [ownId === null ? null : toColumn(ownId), toColumn(document)];
        const at = values.push(line, ...texts, JSON.stringify(parameters)) - 3;
        return `($1, $${at}, $${at + 1}, $${at + 2}, $${at + 3}, 'waiting', 0)`;
      });
      await sql.query(
        `INSERT INTO batch_document (batch, line, own_id, document, parameters, state, losses) VALUES ${rows.join(", ")}`,
        values,
      );
    }
  });
  return id;
}

async function withCounts(sql: SqlClient, row: BatchRow): Promise<Batch> {
  const { rows } = await sql.query<{ state: DocumentState; n: number }>(
    "SELECT state, COUNT(*) AS n FROM batch_document WHERE batch = $1 GROUP BY state",
    [row.id],
  );
  const count = (state: DocumentState) => rows.find((each) => each.state === state)?.n ?? 0;
  return {
    ...{ id: row.id, model: row.model, owner: row.owner, state: row.state },
    documents: {
      total: row.documents,
      waiting: count("waiting"),
      done: count("done"),
      failed: count("failed"),
      cancelled: count("cancelled"),
    },
    createdAtMs: row.created_at_ms,
    beganAtMs: row.began_at_ms,
    endedAtMs: row.ended_at_ms,
  };
}

export async function findBatch(database: Database, id: string): Promise<Batch | undefined> {
  return await database.transaction(
    async (sql) => {
      const { rows } = await sql.query<BatchRow>(
        `SELECT ${batchColumns} FROM batch WHERE id = $1`,
        [id],
      );
      return rows[0] && (await withCounts(sql, rows[0]));
    },
    { readOnly: true },
  );
}

/** Batches, the newest first, without those that ended before a time. @param owner only those of this one; all unless said */
export async function listBatches(
  database: Database,
  {
    owner,
    limit,
    endedAfter = 0,
  }: {
    readonly owner?: string | undefined;
    readonly limit: number;
    readonly endedAfter?: number;
  },
): Promise<Batch[]> {
  return await database.transaction(
    async (sql) => {
      const { rows } = await sql.query<BatchRow>(
        `SELECT ${batchColumns} FROM batch
         WHERE (CAST($1 AS TEXT) IS NULL OR owner = $1) AND (ended_at_ms IS NULL OR ended_at_ms >= $3)
         ORDER BY created_at_ms DESC, id LIMIT $2`,
        [owner ?? null, limit, endedAfter],
      );
      const batches: Batch[] = [];
      for (const row of rows) batches.push(await withCounts(sql, row));
      return batches;
    },
    { readOnly: true },
  );
}

/** Batches that are not over, the oldest first. */
export async function listOpenBatches(
  sql: SqlClient,
): Promise<readonly { readonly id: string; readonly model: string }[]> {
  const { rows } = await sql.query<{ id: string; model: string }>(
    "SELECT id, model FROM batch WHERE state IN ('waiting', 'running') ORDER BY created_at_ms, id",
  );
  return rows;
}

/** How many documents there are in batches that are not over. */
export async function countOpenDocuments(sql: SqlClient): Promise<number> {
  const { rows } = await sql.query<{ n: number | null }>(
    "SELECT SUM(documents) AS n FROM batch WHERE state IN ('waiting', 'running')",
  );
  return Number(rows[0]?.n ?? 0);
}

/** Marks a batch as running. @returns whether there is anything to do for it */
export async function beginBatch(sql: SqlClient, id: string, now = Date.now()): Promise<boolean> {
  const { count } = await sql.query(
    `UPDATE batch SET state = 'running', began_at_ms = COALESCE(began_at_ms, $2)
     WHERE id = $1 AND state IN ('waiting', 'running')`,
    [id, now],
  );
  return count > 0;
}

/** Documents without an answer after a line, in order. */
export async function readWaiting(
  sql: SqlClient,
  batch: string,
  after: number,
  limit: number,
): Promise<WaitingDocument[]> {
  const { rows } = await sql.query<{
    line: number;
    document: string;
    parameters: string;
    losses: number;
  }>(
    `SELECT line, document, parameters, losses FROM batch_document
     WHERE batch = $1 AND state = 'waiting' AND line > $2 ORDER BY line LIMIT $3`,
    [batch, after, limit],
  );
  return rows.map(({ document, parameters, ...row }) => ({
    ...row,
    document: fromColumn(document),
    parameters: JSON.parse(parameters),
  }));
}

/** Counts a loss before it can happen, or takes it back. */
export async function countLoss(
  sql: SqlClient,
  batch: string,
  line: number,
  by: 1 | -1,
): Promise<void> {
  await sql.query("UPDATE batch_document SET losses = losses + $3 WHERE batch = $1 AND line = $2", [
    ...[batch, line, by],
  ]);
}

export type NewAnswer = Omit<BatchAnswer, "ownId" | "state"> & {
  readonly state: "done" | "failed";
};

/** Keeps answers; a document's first one stays, and one that was cancelled gets none. What was asked is not needed any more and goes. */
export async function keepAnswers(
  database: Database,
  batch: string,
  answers: readonly NewAnswer[],
): Promise<void> {
  await database.transaction(async (sql) => {
    for (const { line, state, answer } of answers) {
      await sql.query(
        `UPDATE batch_document SET state = $3, answer = $4, document = ''
         WHERE batch = $1 AND line = $2 AND state = 'waiting'`,
        [batch, line, state, answer],
      );
    }
  });
}

/** Ends a batch all of whose documents have an answer. @returns whether it has */
export async function endBatch(database: Database, id: string, now = Date.now()): Promise<boolean> {
  const { count } = await database.query(
    `UPDATE batch SET state = 'done', ended_at_ms = $2 WHERE id = $1 AND state = 'running'
     AND NOT EXISTS (SELECT 1 FROM batch_document WHERE batch = $1 AND state = 'waiting')`,
    [id, now],
  );
  return count > 0;
}

/** Ends a batch as it is: documents without an answer get none. @returns whether it was not over before */
export async function cancelBatch(
  database: Database,
  id: string,
  now = Date.now(),
): Promise<boolean> {
  return await database.transaction(async (sql) => {
    const { count } = await sql.query(
      "UPDATE batch SET state = 'cancelled', ended_at_ms = $2 WHERE id = $1 AND state IN ('waiting', 'running')",
      [id, now],
    );
    if (count === 0) return false;
    await sql.query(
      "UPDATE batch_document SET state = 'cancelled', document = '' WHERE batch = $1 AND state = 'waiting'",
      [id],
    );
    return true;
  });
}

/** Answers that are there, in the order of their lines. */
export async function readAnswers(
  sql: SqlClient,
  batch: string,
  after: number,
  limit: number,
): Promise<BatchAnswer[]> {
  const { rows } = await sql.query<{
    line: number;
    own_id: string | null;
    state: BatchAnswer["state"];
    answer: string | null;
  }>(
    `SELECT line, own_id, state, answer FROM batch_document
     WHERE batch = $1 AND line > $2 AND state <> 'waiting' ORDER BY line LIMIT $3`,
    [batch, after, limit],
  );
  return rows.map(({ own_id: ownId, ...row }) => ({
    ...row,
    ownId: ownId === null ? null : fromColumn(ownId),
  }));
}

/** Removes batches that ended before a time. @returns how many */
export async function removeOldBatches(database: Database, before: number): Promise<number> {
  return await database.transaction(async (sql) => {
    const old = "SELECT id FROM batch WHERE ended_at_ms < $1";
    await sql.query(`DELETE FROM batch_document WHERE batch IN (${old})`, [before]);
    const { count } = await sql.query("DELETE FROM batch WHERE ended_at_ms < $1", [before]);
    return count;
  });
}

/** Batches of one model that are not over. */
export interface OpenBatches {
  readonly model: string;
  readonly batches: number;
  readonly documents: number;
  readonly answered: number;
}

/** How far the batches are that are not over, by model. */
export async function countOpenBatches(sql: SqlClient): Promise<readonly OpenBatches[]> {
  const { rows } = await sql.query<OpenBatches>(
    `SELECT b.model, COUNT(*) AS batches, SUM(b.documents) AS documents,
       SUM((SELECT COUNT(*) FROM batch_document d WHERE d.batch = b.id AND d.state <> 'waiting')) AS answered
     FROM batch b WHERE b.state IN ('waiting', 'running') GROUP BY b.model ORDER BY b.model`,
  );
  return rows;
}

const impossible: readonly (readonly [what: string, sql: string])[] = [
  [
    "documents of no batch",
    "SELECT COUNT(*) AS n FROM batch_document d WHERE NOT EXISTS (SELECT 1 FROM batch b WHERE b.id = d.batch)",
  ],
  [
    "batches that are over with documents that wait",
    "SELECT COUNT(*) AS n FROM batch b WHERE b.state IN ('done', 'cancelled') AND EXISTS (SELECT 1 FROM batch_document d WHERE d.batch = b.id AND d.state = 'waiting')",
  ],
  [
    "batches that have not as many documents as they were sent with",
    "SELECT COUNT(*) AS n FROM batch b WHERE b.documents <> (SELECT COUNT(*) FROM batch_document d WHERE d.batch = b.id)",
  ],
  [
    "documents of batches that ended without their answer",
    "SELECT COUNT(*) AS n FROM batch_document WHERE state IN ('done', 'failed') AND answer IS NULL",
  ],
];

/** What cannot be, a line each; empty where all is well. */
export async function findBatchFaults(database: Database): Promise<readonly string[]> {
  return await database.transaction(
    async (sql) => {
      const faults: string[] = [];
      for (const [what, query] of impossible) {
        const { rows } = await sql.query<{ n: number }>(query);
        if ((rows[0]?.n ?? 0) > 0) faults.push(`${rows[0]?.n} ${what}`);
      }
      return faults;
    },
    { readOnly: true },
  );
}
