// What every queue must do, on every database: at least once, in order, with leases, retries, delays and cancelling.
import { expect, it } from "vitest";
import { openLocalQueue } from "../../src/adapters/queue/local.js";
import { queueMigrations } from "../../src/adapters/queue/migrations.js";
import { BridleError } from "../../src/errors/error.js";
import type { Job, Queue } from "../../src/ports/queue.js";
import { changed } from "../support/changed-database.js";
import { describeEachDatabase } from "../support/databases.js";

/** Waits until something holds; what never does ends by the test's own time limit. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

const quick = { pollMs: 10 };
/** A job that is not done before its signal fires. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });

describeEachDatabase("a queue", (place) => {
  const open = async (clock?: () => number) => {
    const database = await place.open([queueMigrations]);
    return { database, queue: openLocalQueue(database, clock) };
  };
  const stateOf = async (queue: Queue, id: string) => (await queue.find(id))?.state;

  it("does urgent jobs first and others in the order they came, with what they were given", async () => {
    const { queue } = await open();
    for (const [name, priority] of [
      ["a", 0],
      ["b", 0],
      ["urgent", 5],
      ["late", -1],
    ] as const) {
      await queue.enqueue("q", { name, nested: [1, null, "é"] }, { priority });
    }
    await queue.enqueue("other", { name: "elsewhere" });
    const done: unknown[] = [];
    const worker = queue.work("q", async ({ payload }) => void done.push(payload), quick);
    await until(() => done.length === 4);
    await worker.stop();
    const names = done.map((each) => (each as { name: string }).name);
    expect(names).toEqual(["urgent", "a", "b", "late"]);
    expect(done[0]).toEqual({ name: "urgent", nested: [1, null, "é"] });
    expect(await queue.list("q", "done")).toHaveLength(4);
    expect(await queue.list("other", "waiting")).toHaveLength(1);
  });

  it("takes a job with a name once", async () => {
    const { queue } = await open();
    expect(await queue.enqueue("q", 1, { id: "once" })).toBe("once");
    expect(await queue.enqueue("q", 2, { id: "once" })).toBe("once");
    const done: Job[] = [];
    const worker = queue.work("q", async (job) => void done.push(job), quick);
    await until(async () => (await stateOf(queue, "once")) === "done");
    await queue.enqueue("q", 3, { id: "once" });
    await worker.stop();
    expect(done).toEqual([{ id: "once", queue: "q", payload: 1, attempt: 1, maxAttempts: 3 }]);
  });

  it("gives each job to one of several workers", async () => {
    const { database, queue } = await open();
    const ids = await Promise.all(Array.from({ length: 30 }, (_, i) => queue.enqueue("q", i)));
    const done: string[] = [];
    const workers = Array.from({ length: 3 }, () =>
      openLocalQueue(database).work("q", async ({ id }) => void done.push(id), {
        ...quick,
        concurrency: 2,
      }),
    );
    await until(() => done.length >= 30);
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(done.sort()).toEqual([...ids].sort());
  });

  it("does no more at once than it may", async () => {
    const { queue } = await open();
    for (let i = 0; i < 8; i++) await queue.enqueue("q", i);
    let [now, most, done] = [0, 0, 0];
    const worker = queue.work(
      "q",
      async () => {
        most = Math.max(most, ++now);
        // As many as may are at work before any is done, however slow claims are.
        await until(() => most >= 3);
        await new Promise((resolve) => setTimeout(resolve, 10));
        now--;
        done++;
      },
      { ...quick, concurrency: 3 },
    );
    await until(() => done === 8);
    await worker.stop();
    expect(most).toBe(3);
  });

  it("tries again after longer and longer pauses, and keeps what never worked", async () => {
    let at = 1_000_000;
    const { queue } = await open(() => at);
    const id = await queue.enqueue("q", 0, { maxAttempts: 3, backoffMs: 1000 });
    const attempts: number[] = [];
    const worker = queue.work(
      "q",
      async ({ attempt }) => {
        attempts.push(attempt);
        throw new BridleError("EMPTY_TEXT", { where: "it" });
      },
      quick,
    );
    await until(async () => (await stateOf(queue, id)) === "waiting" && attempts.length === 1);
    at += 999;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(attempts).toEqual([1]);
    at += 1;
    await until(async () => (await stateOf(queue, id)) === "waiting" && attempts.length === 2);
    at += 1999;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(attempts).toEqual([1, 2]);
    at += 1;
    await until(async () => (await stateOf(queue, id)) === "dead");
    expect(attempts).toEqual([1, 2, 3]);
    expect((await queue.list("q", "dead"))[0]).toMatchObject({ id, attempt: 3 });
    expect((await queue.find(id))?.error).toMatch(/^EMPTY_TEXT: There is no text/);
    expect(await queue.revive(id)).toBe(true);
    expect(await queue.revive("none")).toBe(false);
    await until(() => attempts.length === 4);
    await worker.stop();
    expect(attempts[3]).toBe(1);
  });

  it("begins no job before its time", async () => {
    let at = 5000;
    const { queue } = await open(() => at);
    const done: unknown[] = [];
    await queue.enqueue("q", "later", { delayMs: 100, priority: 9 });
    await queue.enqueue("q", "now");
    const worker = queue.work("q", async ({ payload }) => void done.push(payload), quick);
    await until(() => done.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(done).toEqual(["now"]);
    at = 5100;
    await until(() => done.length === 2);
    await worker.stop();
  });

  it("gives a lost worker's job to another, and hears nothing more from the lost one", async () => {
    let at = 0;
    const { database, queue } = await open(() => at);
    let isCutOff = false;
    const unreached = changed(database, async (send, sql) => {
      // A network that takes its signs of life away.
      if (isCutOff && sql.startsWith("UPDATE queue_job SET lease_until_ms"))
        throw new BridleError("DATABASE_UNAVAILABLE", { database: "it", reason: "cut off" });
      return await send();
    });
    const id = await queue.enqueue("q", 0, { maxAttempts: 2 });
    let finish = () => {};
    let began = 0;
    let told: unknown;
    const lost = openLocalQueue(unreached, () => at).work(
      "q",
      async (_, signal) => {
        began++;
        signal.addEventListener("abort", () => {
          told = signal.reason;
        });
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
      },
      { ...quick, leaseMs: 300 },
    );
    await until(() => began === 1);
    // Its signs of life come too late: the clock has gone past its lease.
    isCutOff = true;
    at = 10_000;
    const attempts: number[] = [];
    let release = () => {};
    const other = openLocalQueue(database, () => at).work(
      "q",
      async ({ attempt }) => {
        attempts.push(attempt);
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      },
      { ...quick, leaseMs: 60_000 },
    );
    await until(() => attempts.length === 1);
    expect(attempts).toEqual([2]);
    isCutOff = false;
    await until(() => told !== undefined);
    expect(told).toMatchObject({ code: "CANCELLED" });
    finish();
    await lost.stop();
    expect(await stateOf(queue, id)).toBe("active");
    release();
    await other.stop();
    expect(await stateOf(queue, id)).toBe("done");
  });

  it("counts lost attempts, so that a job that kills its workers ends", async () => {
    let at = 0;
    const { database, queue } = await open(() => at);
    const id = await queue.enqueue("q", 0, { maxAttempts: 1 });
    // As a worker that was killed leaves it.
    await database.query(
      "UPDATE queue_job SET state = 'active', attempt = 1, lease = 'gone', lease_until_ms = 50 WHERE id = $1",
      [id],
    );
    at = 100;
    let calls = 0;
    const worker = queue.work("q", async () => void calls++, quick);
    await until(async () => (await stateOf(queue, id)) === "dead");
    await worker.stop();
    expect(calls).toBe(0);
    expect((await queue.find(id))?.error).toBe("whoever did it was lost");
  });

  it("cancels what waits at once, and what is being done by its signal", async () => {
    const { queue } = await open();
    const waiting = await queue.enqueue("q", "never", { delayMs: 3_600_000 });
    expect(await queue.cancel(waiting)).toBe(true);
    expect(await stateOf(queue, waiting)).toBe("cancelled");
    expect(await queue.cancel(waiting)).toBe(false);
    expect(await queue.cancel("none")).toBe(false);
    const active = await queue.enqueue("q", "long");
    let began = false;
    const worker = queue.work(
      "q",
      async (_, signal) => {
        began = true;
        await untilAborted(signal);
      },
      { ...quick, leaseMs: 60 },
    );
    await until(() => began);
    expect(await queue.cancel(active)).toBe(true);
    await until(async () => (await stateOf(queue, active)) === "cancelled");
    await worker.stop();
  });

  it("puts a job back when its worker is stopped, without an attempt lost", async () => {
    const { queue } = await open();
    const id = await queue.enqueue("q", 0, { maxAttempts: 1 });
    let began = false;
    const worker = queue.work(
      "q",
      async (_, signal) => {
        began = true;
        await untilAborted(signal);
      },
      quick,
    );
    await until(() => began);
    await worker.stop({ abort: true });
    expect(await queue.find(id)).toMatchObject({ state: "waiting", attempt: 0 });
    await worker.ended;
    const done: string[] = [];
    const next = queue.work("q", async (job) => void done.push(job.id), quick);
    await until(() => done.length === 1);
    await next.stop();
  });

  it("forgets jobs a month after they ended, however long it works on", async () => {
    let at = Date.now();
    const { database, queue } = await open(() => at);
    const worker = queue.work("q", async () => {}, quick);
    const id = await queue.enqueue("q", 0);
    await until(async () => (await stateOf(queue, id)) === "done");
    const count = async () => (await database.query("SELECT id FROM queue_job")).rows.length;
    at += 29 * 24 * 3_600_000;
    const other = await queue.enqueue("q", 1);
    await until(async () => (await stateOf(queue, other)) === "done");
    expect(await count()).toBe(2);
    at += 2 * 24 * 3_600_000;
    await until(async () => (await count()) === 1);
    await worker.stop();
  });

  it("stops where the store cannot be reached, and leaves its job to the lease", async () => {
    const { database, queue } = await open();
    const id = await queue.enqueue("q", 0);
    let isAway = false;
    const away = changed(database, async (send) => {
      if (isAway)
        throw new BridleError("DATABASE_UNAVAILABLE", { database: "it", reason: "a test" });
      return await send();
    });
    let began = false;
    const worker = openLocalQueue(away, Date.now, 20).work(
      "q",
      async (_, signal) => {
        began = true;
        await untilAborted(signal);
      },
      { ...quick, leaseMs: 100 },
    );
    await until(() => began);
    isAway = true;
    await worker.stop({ abort: true });
    expect(await stateOf(queue, id)).toBe("active");
    const done: number[] = [];
    const next = queue.work("q", async ({ attempt }) => void done.push(attempt), quick);
    await until(() => done.length === 1);
    await next.stop();
    expect(done).toEqual([2]);
  });

  it.each([{ abort: true }, { abort: false }])(
    "begins nothing that it found while it was stopped (%o), and counts no attempt",
    async (how) => {
      const { database, queue } = await open();
      let found = () => {};
      const isFound = new Promise<void>((resolve) => {
        found = resolve;
      });
      let goOn = () => {};
      const stopped = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      // The claim is made, and its answer is on its way when the stop comes.
      const slow = changed(database, async (send, sql) => {
        const answer = await send();
        if (sql === "a transaction") {
          found();
          await stopped;
        }
        return answer;
      });
      const id = await queue.enqueue("q", 0, { maxAttempts: 1 });
      await database.query("UPDATE queue_job SET error = 'before' WHERE id = $1", [id]);
      let began = 0;
      const worker = openLocalQueue(slow).work("q", async () => void began++, quick);
      await isFound;
      const stopping = worker.stop(how);
      goOn();
      await stopping;
      await worker.ended;
      expect(began).toBe(0);
      expect(await queue.find(id)).toMatchObject({ state: "waiting", attempt: 0, error: "before" });
    },
  );

  it("has ended when its last job has, also where it can look for no more", async () => {
    const { database, queue } = await open();
    await queue.enqueue("q", 0);
    let isBroken = false;
    let broke = () => {};
    const broken = new Promise<void>((resolve) => {
      broke = resolve;
    });
    const failing = changed(database, async (send, sql) => {
      if (!isBroken || !sql.startsWith("SELECT 1 AS due")) return await send();
      broke();
      throw new BridleError("DATABASE_CORRUPT", { database: "it", reason: "a test" });
    });
    let finished = false;
    const worker = openLocalQueue(failing).work(
      "q",
      async () => {
        isBroken = true;
        await broken;
        await new Promise((resolve) => setTimeout(resolve, 30));
        finished = true;
      },
      { ...quick, concurrency: 2 },
    );
    await expect(worker.ended).rejects.toMatchObject({ code: "DATABASE_CORRUPT" });
    expect(finished).toBe(true);
    expect(await queue.list("q", "done")).toHaveLength(1);
  });

  it("waits for the job under way when it is stopped gently", async () => {
    const { queue } = await open();
    const ids = [await queue.enqueue("q", 0), await queue.enqueue("q", 1)];
    let began = false;
    const worker = queue.work(
      "q",
      async () => {
        began = true;
        await new Promise((resolve) => setTimeout(resolve, 30));
      },
      quick,
    );
    await until(() => began);
    await worker.stop();
    expect(await stateOf(queue, ids[0]!)).toBe("done");
    expect(await stateOf(queue, ids[1]!)).toBe("waiting");
  });

  it("stops all of its workers when it is closed", async () => {
    const { queue } = await open();
    const workers = [
      queue.work("a", async () => {}, quick),
      queue.work("b", async () => {}, quick),
    ];
    await queue.close();
    await Promise.all(workers.map(({ ended }) => ended));
  });

  it("says when it can no longer be read", async () => {
    const { database, queue } = await open();
    await database.query("DROP TABLE queue_job");
    await expect(queue.work("q", async () => {}, quick).ended).rejects.toBeInstanceOf(Error);
  });
});
