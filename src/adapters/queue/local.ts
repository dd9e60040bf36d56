// A queue in the database that everything else is in: SQLite's file on one machine, PostgreSQL's table for several.
import { randomUUID } from "node:crypto";
import { BridleError, toBridleError } from "../../errors/error.js";
import type { Database, SqlClient } from "../../ports/database.js";
import type {
  EnqueueOptions,
  Job,
  JobHandler,
  JobRecord,
  JobState,
  Queue,
  QueueWorker,
  WorkOptions,
} from "../../ports/queue.js";

interface JobRow {
  readonly id: string;
  readonly queue: string;
  readonly payload: string;
  readonly state: JobState;
  readonly attempt: number;
  readonly max_attempts: number;
  readonly backoff_ms: number;
  readonly error: string | null;
}

const columns = "id, queue, payload, state, attempt, max_attempts, backoff_ms, error";

function toRecord(row: JobRow): JobRecord {
  return {
    id: row.id,
    queue: row.queue,
    payload: JSON.parse(row.payload),
    state: row.state,
    attempt: row.attempt,
    maxAttempts: row.max_attempts,
    error: row.error,
  };
}

/** How long jobs that ended can still be asked for. */
const keptMs = 30 * 24 * 3600 * 1000;
const cleanEveryMs = 24 * 3600 * 1000;
const longestBackoffMs = 3600 * 1000;
/** Pause after the store could not be reached, at most. */
const longestPauseMs = 5000;
/** A worker that is told to stop at once, and cannot reach the store to put its jobs back, leaves that to their leases. */
const standardGraceMs = 5000;

/** Whether a worker may go on after a failure of the store: it is busy or away, and comes back. */
function passes(thrown: unknown): boolean {
  const { code } = toBridleError(thrown);
  return code === "DATABASE_BUSY" || code === "DATABASE_UNAVAILABLE";
}

/** What waits for work of a queue in this process, so that it need not wait for its next look. */
class Bell {
  private readonly waiting = new Set<() => void>();

  ring(): void {
    for (const wake of this.waiting) wake();
  }

  async wait(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      this.waiting.add(wake);
    });
  }
}

/**
 * Opens the queue in a database that has `queueMigrations`. Clocks decide about delays and leases: those of machines that share
 * a queue must agree to within a few seconds.
 */
export function openLocalQueue(
  database: Database,
  now: () => number = Date.now,
  graceMs = standardGraceMs,
): Queue {
  const bells = new Map<string, Bell>();
  const workers = new Set<QueueWorker>();
  const bellOf = (queue: string) => {
    const bell = bells.get(queue) ?? new Bell();
    bells.set(queue, bell);
    return bell;
  };

  return {
    async enqueue(queue, payload, options = {}) {
      const id = await insert(database, queue, payload, options, now());
      bellOf(queue).ring();
      return id;
    },

    work(queue, handler, options = {}) {
      const bell = bellOf(queue);
      const worker = startWorker({ database, now, graceMs, queue, handler, options, bell });
      workers.add(worker);
      const forget = () => workers.delete(worker);
      worker.ended.then(forget, forget);
      return worker;
    },

    async cancel(id) {
      const asked = await database.query(
        `UPDATE queue_job SET cancel_asked = 1,
           ended_at_ms = CASE WHEN state = 'waiting' THEN $2 ELSE ended_at_ms END,
           state = CASE WHEN state = 'waiting' THEN 'cancelled' ELSE state END
         WHERE id = $1 AND state IN ('waiting', 'active')`,
        [id, now()],
      );
      for (const bell of bells.values()) bell.ring();
      return asked.count > 0;
    },

    async find(id) {
      const { rows } = await database.query<JobRow>(
        `SELECT ${columns} FROM queue_job WHERE id = $1`,
        [id],
      );
      return rows[0] && toRecord(rows[0]);
    },

    async list(queue, state) {
      const { rows } = await database.query<JobRow>(
        `SELECT ${columns} FROM queue_job WHERE queue = $1 AND state = $2 ORDER BY sequence`,
        [queue, state],
      );
      return rows.map(toRecord);
    },

    async revive(id) {
      const { rows } = await database.query<{ queue: string }>(
        `UPDATE queue_job SET state = 'waiting', attempt = 0, run_at_ms = $2, ended_at_ms = NULL, cancel_asked = 0
         WHERE id = $1 AND state = 'dead' RETURNING queue`,
        [id, now()],
      );
      for (const { queue } of rows) bellOf(queue).ring();
      return rows.length > 0;
    },

    async close() {
      await Promise.all([...workers].map((worker) => worker.stop({ abort: true })));
    },
  };
}

async function insert(
  database: Database,
  queue: string,
  payload: unknown,
  options: EnqueueOptions,
  at: number,
): Promise<string> {
  const {
    id = randomUUID(),
    priority = 0,
    delayMs = 0,
    maxAttempts = 3,
    backoffMs = 1000,
  } = options;
  await database.query(
    `INSERT INTO queue_job (id, queue, payload, priority, state, attempt, max_attempts, backoff_ms, run_at_ms,
       cancel_asked, enqueued_at_ms)
     VALUES ($1, $2, $3, $4, 'waiting', 0, $5, $6, $7, 0, $8) ON CONFLICT (id) DO NOTHING`,
    [
      id,
      queue,
      JSON.stringify(payload ?? null),
      priority,
      maxAttempts,
      backoffMs,
      at + delayMs,
      at,
    ],
  );
  return id;
}

const isDue =
  "((state = 'waiting' AND run_at_ms <= $2) OR (state = 'active' AND lease_until_ms < $2))";

/** Ends jobs whose worker was lost and that may not be begun again. */
async function buryLost(sql: SqlClient, queue: string, at: number): Promise<void> {
  await sql.query(
    `UPDATE queue_job SET state = CASE WHEN cancel_asked = 1 THEN 'cancelled' ELSE 'dead' END,
       error = CASE WHEN cancel_asked = 1 THEN error ELSE 'whoever did it was lost' END,
       ended_at_ms = $2, lease = NULL, lease_until_ms = NULL
     WHERE queue = $1 AND state = 'active' AND lease_until_ms < $2 AND (cancel_asked = 1 OR attempt >= max_attempts)`,
    [queue, at],
  );
}

interface Work {
  readonly database: Database;
  readonly now: () => number;
  readonly graceMs: number;
  readonly queue: string;
  readonly handler: JobHandler;
  readonly options: WorkOptions;
  readonly bell: Bell;
}

interface Claim {
  readonly job: Job;
  readonly lease: string;
  readonly backoffMs: number;
}

/** Takes the next job for as long as a lease lasts. */
async function claim({ database, now, queue }: Work, leaseMs: number): Promise<Claim | undefined> {
  // Looking writes nothing, so that idle workers stand in nobody's way.
  const due = await database.query(
    `SELECT 1 AS due FROM queue_job WHERE queue = $1 AND ${isDue} LIMIT 1`,
    [queue, now()],
  );
  if (due.rows.length === 0) return undefined;
  const lease = randomUUID();
  const row = await database.transaction(async (sql) => {
    const at = now();
    await buryLost(sql, queue, at);
    const { rows } = await sql.query<JobRow>(
      `UPDATE queue_job SET state = 'active', attempt = attempt + 1, lease = $3, lease_until_ms = $4
       WHERE sequence = (SELECT sequence FROM queue_job WHERE queue = $1 AND ${isDue}
         ORDER BY priority DESC, sequence LIMIT 1)
       RETURNING ${columns}`,
      [queue, at, lease, at + leaseMs],
    );
    return rows[0];
  });
  if (row === undefined) return undefined;
  const { state: _, error: __, ...job } = toRecord(row);
  return { job, lease, backoffMs: row.backoff_ms };
}

/** What becomes of a job after an attempt; nothing where another worker has it by now, so that telling twice does no harm. */
async function settle(
  database: Database,
  { job, lease, backoffMs }: Claim,
  outcome: { readonly state: JobState; readonly error?: string; readonly uncounted?: boolean },
  at: number,
): Promise<void> {
  const pause = Math.min(longestBackoffMs, backoffMs * 2 ** (job.attempt - 1));
  const runAt = outcome.state === "waiting" && !outcome.uncounted ? at + pause : at;
  await database.query(
    `UPDATE queue_job SET
       state = CASE WHEN cancel_asked = 1 AND $3 <> 'done' THEN 'cancelled' ELSE $3 END,
       error = CASE WHEN $3 = 'done' THEN NULL ELSE COALESCE($4, error) END, run_at_ms = $5, attempt = attempt - $6, lease = NULL, lease_until_ms = NULL,
       ended_at_ms = CASE WHEN $3 = 'waiting' AND cancel_asked = 0 THEN ended_at_ms ELSE $7 END
     WHERE id = $1 AND lease = $2`,
    [job.id, lease, outcome.state, outcome.error ?? null, runAt, outcome.uncounted ? 1 : 0, at],
  );
}

/** Tries until the store can be reached again. */
async function persistently<T>(work: () => Promise<T>, isOver: () => boolean): Promise<T> {
  for (let pause = 50; ; pause = Math.min(longestPauseMs, pause * 2)) {
    try {
      return await work();
    } catch (thrown) {
      if (!passes(thrown) || isOver()) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

function startWorker(work: Work): QueueWorker {
  const { database, now, graceMs, options, bell } = work;
  const { concurrency = 1, leaseMs = 30_000, pollMs = 500 } = options;
  let stopping = false;
  let abortedAt: number | undefined;
  const isGivenUp = () => abortedAt !== undefined && performance.now() - abortedAt > graceMs;
  const running = new Map<AbortController, Promise<void>>();
  let fail: (thrown: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});

  const begin = (claimed: Claim) => {
    const controller = new AbortController();
    const done = doJob(work, claimed, controller, leaseMs, {
      isAborting: () => abortedAt !== undefined,
      isGivenUp,
    })
      .catch(fail)
      .finally(() => {
        running.delete(controller);
        bell.ring();
      });
    running.set(controller, done);
  };

  const loop = async () => {
    let cleanAt = Number.NEGATIVE_INFINITY;
    while (!stopping) {
      if (now() >= cleanAt) {
        await persistently(
          () => clean(database, now()),
          () => stopping,
        );
        cleanAt = now() + cleanEveryMs;
      }
      const claimed =
        running.size < concurrency
          ? await persistently(
              () => claim(work, leaseMs),
              () => stopping,
            )
          : undefined;
      if (claimed !== undefined && stopping) {
        // It was stopped while it looked: nobody would tell the job to end.
        const back = { state: "waiting", uncounted: true } as const;
        await persistently(() => settle(database, claimed, back, now()), isGivenUp);
        break;
      }
      if (claimed !== undefined) {
        begin(claimed);
        continue;
      }
      if (stopping) break;
      await bell.wait(running.size < concurrency ? pollMs : leaseMs);
    }
  };
  const looking = loop();
  const ended = Promise.race([looking, failed]).finally(async () => {
    stopping = true;
    bell.ring();
    // Whatever ended it, what is under way is under way: it has ended when its last job has.
    await Promise.allSettled([looking]);
    await Promise.allSettled(running.values());
  });
  ended.catch(() => {});
  return {
    ended,
    async stop({ abort = false } = {}) {
      stopping = true;
      if (abort) {
        abortedAt ??= performance.now();
        for (const controller of running.keys()) controller.abort(new BridleError("CANCELLED"));
      }
      bell.ring();
      await ended.catch(() => {});
    },
  };
}

/** Of every queue: one that nobody works on any more is cleaned by those of others. */
async function clean(database: Database, at: number): Promise<void> {
  await database.query("DELETE FROM queue_job WHERE ended_at_ms < $1 AND state <> 'dead'", [
    at - keptMs,
  ]);
}

/** One attempt at one job, with signs of life while it goes on. */
async function doJob(
  { database, now, handler }: Work,
  claimed: Claim,
  controller: AbortController,
  leaseMs: number,
  { isAborting, isGivenUp }: Record<"isAborting" | "isGivenUp", () => boolean>,
): Promise<void> {
  const { job, lease } = claimed;
  let isMine = true;
  let isOver = false;
  const beat = async () => {
    const { rows } = await database.query<{ cancel_asked: number }>(
      "UPDATE queue_job SET lease_until_ms = $3 WHERE id = $1 AND lease = $2 RETURNING cancel_asked",
      [job.id, lease, now() + leaseMs],
    );
    isMine = rows.length > 0;
    if (!isMine || rows[0]!.cancel_asked === 1) controller.abort(new BridleError("CANCELLED"));
  };
  // A sign that could not be given is given with the next one; a lease lasts for three.
  const timer = setInterval(
    () => void (isOver || beat().catch(() => {})),
    Math.min(leaseMs / 3, 5000),
  );
  let outcome: Parameters<typeof settle>[2];
  try {
    await handler(job, controller.signal);
    outcome = { state: "done" };
  } catch (thrown) {
    const { code, message } = toBridleError(thrown);
    const error = `${code}: ${message}`;
    if (isAborting() && controller.signal.aborted) {
      outcome = { state: "waiting", error, uncounted: true };
    } else outcome = { state: job.attempt >= job.maxAttempts ? "dead" : "waiting", error };
  }
  isOver = true;
  clearInterval(timer);
  if (!isMine) return;
  await persistently(() => settle(database, claimed, outcome, now()), isGivenUp);
}
