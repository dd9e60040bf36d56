// Tests the pool of threads: errors with their codes, signals, deaths of threads, and that nothing waits for ever.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { BridleError } from "../errors/error.js";
import { answering, resultOf } from "./worker-answer.js";
import { createWorkerPool, type WorkerPool } from "./worker-pool.js";

interface Task {
  readonly what: "say" | "spin" | "exit" | "hoard" | "refuse" | "data" | "size";
  readonly text?: string;
  readonly bytes?: Uint8Array;
}

const source = `
import { workerData } from "node:worker_threads";
export default function ({ what, text, bytes }) {
  if (what === "say") return { result: text };
  if (what === "data") return { result: workerData.word };
  if (what === "size") return { result: String(bytes.byteLength) };
  if (what === "refuse") return { error: { code: "EMPTY_TEXT", details: { where: "the test" } } };
  if (what === "exit") process.exit(3);
  if (what === "hoard") { const hoard = []; for (;;) hoard.push(new Array(100_000).fill(hoard.length)); }
  for (;;);
}
`;

let folder: string;
const opened: WorkerPool<Task, string>[] = [];

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bridle-pool-"));
  writeFileSync(path.join(folder, "worker.mjs"), source);
});
afterEach(async () => {
  for (const pool of opened.splice(0)) await pool.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function openPool(file = "worker.mjs", idleMs?: number): WorkerPool<Task, string> {
  const pool = createWorkerPool<Task, string>({
    worker: pathToFileURL(path.join(folder, file)),
    threads: 1,
    heapMb: 48,
    data: { word: "data" },
    ...(idleMs === undefined ? {} : { idleMs }),
    outOfMemory: (cause, { text }) =>
      new BridleError(
        "TEXT_TOO_LARGE",
        { where: text ?? "", size: "x", limit: "48 MB" },
        { cause },
      ),
  });
  opened.push(pool);
  return pool;
}

describe("createWorkerPool", () => {
  it("gives back what the work returns, with the data it was opened with", async () => {
    const pool = openPool();
    expect(await pool.run({ what: "say", text: "good" })).toBe("good");
    expect(await pool.run({ what: "data" })).toBe("data");
  });

  it("moves what is to be transferred", async () => {
    const bytes = new Uint8Array(1000);
    expect(await openPool().run({ what: "size", bytes }, { transfer: [bytes.buffer] })).toBe(
      "1000",
    );
    expect(bytes.byteLength).toBe(0);
  });

  it("throws the work's errors with their codes", async () => {
    await expect(openPool().run({ what: "refuse" })).rejects.toMatchObject({
      code: "EMPTY_TEXT",
      message: "There is no text to summarize in the test.",
    });
  });

  it("ends work that is aborted while another task waits, which is then done", async () => {
    const pool = openPool();
    const controller = new AbortController();
    const endless = pool.run({ what: "spin" }, { signal: controller.signal });
    const waiting = pool.run({ what: "say", text: "next" });
    await pool.run({ what: "say" }, { signal: AbortSignal.timeout(500) }).catch(() => {});
    controller.abort();
    await expect(endless).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await waiting).toBe("next");
  });

  it("tells a deadline from a cancellation, and gives a reason of ours as it is", async () => {
    const pool = openPool();
    await expect(
      pool.run({ what: "spin" }, { signal: AbortSignal.timeout(200) }),
    ).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    const reason = new BridleError("BUSY", { queued: 1, limit: 1, retryAfterS: 1 });
    await expect(pool.run({ what: "say" }, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    await expect(pool.run({ what: "say" }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });

  it.each([
    ["exit", "WORKER_ENDED", /code: 3/],
    ["hoard", "TEXT_TOO_LARGE", /hoarder/],
  ] as const)(
    "names a thread's end by %s, and does the next task on another",
    async (what, code, message) => {
      const pool = openPool();
      const ended = pool.run({ what, text: "hoarder" });
      const waiting = pool.run({ what: "say", text: "after" });
      await expect(ended).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
      expect(await waiting).toBe("after");
    },
  );

  it("fails what needs a module that cannot be loaded", async () => {
    await expect(openPool("absent.mjs").run({ what: "say" })).rejects.toMatchObject({
      code: "WORKER_ENDED",
    });
  });

  it("gives threads back when idle and starts others later", async () => {
    const pool = openPool("worker.mjs", 1);
    expect(await pool.run({ what: "say", text: "one" })).toBe("one");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await pool.run({ what: "say", text: "two" })).toBe("two");
  });

  it("cancels what runs and waits when closed, and takes no more", async () => {
    const pool = openPool();
    const work = [pool.run({ what: "spin" }), pool.run({ what: "say" })];
    const settled = Promise.allSettled(work);
    await pool.close();
    for (const outcome of await settled) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "CANCELLED" } });
    }
    await expect(pool.run({ what: "say" })).rejects.toMatchObject({ code: "CANCELLED" });
  });
});

describe("answering", () => {
  it("carries results, our errors and others' across", async () => {
    const work = answering((n: number) => {
      if (n === 0) throw new BridleError("EMPTY_TEXT", { where: "zero" });
      if (n < 0) throw new RangeError("below zero");
      return n + 1;
    });
    const crossed = async (n: number) => structuredClone(await work(n));
    expect(resultOf(await crossed(1))).toBe(2);
    const [zero, below] = [await crossed(0), await crossed(-1)];
    expect(() => resultOf(zero)).toThrow("There is no text to summarize in zero.");
    expect(() => resultOf(below)).toThrow("below zero");
  });
});
