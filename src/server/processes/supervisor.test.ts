// Tests who is kept alive, who gets work and what becomes of those who wait, over processes that are only played.
import { pino } from "pino";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BridleError } from "../../errors/error.js";
import type { EngineLoad } from "../../summarize/summarizer.js";
import { createDeferred, type Deferred } from "../deferred.js";
import type { OpenedSummarizer } from "./messages.js";
import { openSupervisor, pauseBefore, type Supervisor } from "./supervisor.js";
import type { WorkerProcess } from "./worker-process.js";

const log = pino({ level: "silent" });
const opened = (version = "1", isAlias = false): OpenedSummarizer[] => [
  {
    ...{ name: "news", isAlias, model: "news", version, supportedParameters: [], defaults: {} },
    traits: {
      ...{ kind: "neural", device: "cpu", dtype: "fp32" },
      limits: { maxInputTokens: 64, maxNewTokens: 64 },
    },
  },
];
const load = (change: Partial<EngineLoad>): EngineLoad => ({
  ...{ waiting: 0, running: 0, rows: 0, cacheBytes: 0 },
  ...{ steps: 0, stepRows: 0, tokens: 0, encodeMs: 0, stepMs: 0 },
  ...change,
});

/** A process that does what the test says. */
function play() {
  const [isOpen, isWarm, isOver] = [
    createDeferred<readonly OpenedSummarizer[]>(),
    createDeferred(),
    createDeferred<string>(),
  ];
  const acted = {
    pid: 7,
    opened: isOpen.promise,
    warm: isWarm.promise,
    ended: isOver.promise,
    pendingCount: 0,
    told: undefined as WorkerProcess["told"],
    loads: new Map<string, EngineLoad>(),
    summarize: () => Promise.reject(new BridleError("CANCELLED")),
    metrics: async () => undefined,
    refreshing: undefined as Deferred<void> | undefined,
    async refresh() {
      const asked = createDeferred();
      acted.refreshing = asked;
      // Whoever is gone is not waited for.
      await Promise.race([asked.promise, isOver.promise]);
    },
    async close() {
      isOver.resolve("it was asked to");
      acted.die();
    },
    openFirst(version?: string, isAlias?: boolean) {
      acted.told = { models: opened(version, isAlias), at: performance.now() };
      isOpen.resolve(acted.told.models);
    },
    open(version?: string, isAlias?: boolean) {
      acted.openFirst(version, isAlias);
      isWarm.resolve();
    },
    /** Opens and cannot answer. */
    openCold(error: BridleError, version?: string) {
      acted.openFirst(version);
      isWarm.reject(error);
    },
    fail(error: BridleError) {
      isOpen.reject(error);
      isWarm.reject(error);
    },
    die() {
      const lost = new BridleError("WORKER_LOST", { reason: "it was ended by SIGKILL" });
      isOpen.reject(lost);
      isWarm.reject(lost);
      isOver.resolve("it was ended by SIGKILL");
    },
  };
  return acted satisfies WorkerProcess;
}
type Acted = ReturnType<typeof play>;

let started: Acted[];
let supervisor: Supervisor | undefined;
afterEach(async () => {
  await supervisor?.close(10);
  supervisor = undefined;
});

async function openAll(
  count: number,
  pauses = { leastPauseMs: 1, steadyMs: 1e6 },
): Promise<Supervisor> {
  started = [];
  const start = (): Acted => {
    const process = play();
    started.push(process);
    return process;
  };
  const opening = openSupervisor({ count, start, log, ...pauses });
  expect(started).toHaveLength(1);
  started[0]?.open();
  supervisor = await opening;
  for (const process of started.slice(1)) process.open();
  await vi.waitFor(() => {
    expect(supervisor?.states().every(({ status }) => status === "ready")).toBe(true);
  });
  return supervisor;
}

describe("the pause before a process is started anew", () => {
  it("doubles with each that died soon, up to a limit", () => {
    expect([1, 2, 3, 4, 12].map((soon) => pauseBefore(soon, 100, 30_000))).toEqual([
      100, 200, 400, 800, 30_000,
    ]);
  });
});

describe("opening", () => {
  it("starts the others once the first has opened the models", async () => {
    const { models } = await openAll(3);
    expect(started).toHaveLength(3);
    expect(models).toEqual(opened());
  });

  it.each<[string, (first: Acted) => void, string]>([
    [
      "is told what is wrong with the models",
      (first) => first.fail(new BridleError("MODEL_NOT_FOUND")),
      "MODEL_NOT_FOUND",
    ],
    ["is told where the first dies", (first) => first.die(), "WORKER_LOST"],
  ])("%s, and starts no more", async (_, act, code) => {
    const processes: Acted[] = [];
    const start = () => {
      processes.push(play());
      return processes.at(-1) as Acted;
    };
    const opening = openSupervisor({ count: 2, start, log, leastPauseMs: 1 });
    act(processes[0] as Acted);
    await expect(opening).rejects.toMatchObject({ code });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(processes).toHaveLength(1);
  });

  it("is given up when it is not wanted any more", async () => {
    const leaving = new AbortController();
    const first = play();
    const opening = openSupervisor({ count: 2, start: () => first, log }, leaving.signal);
    leaving.abort();
    await expect(opening).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await first.ended).toBe("it was asked to");
  });
});

describe("warming up", () => {
  /** Starts processes of which the first does what opens its models. */
  async function begin(count: number, opens: (first: Acted) => void): Promise<Supervisor> {
    started = [];
    const start = (): Acted => {
      started.push(play());
      return started.at(-1) as Acted;
    };
    const opening = openSupervisor({ count, start, log, leastPauseMs: 1 });
    opens(started[0] as Acted);
    supervisor = await opening;
    return supervisor;
  }

  async function openCold(error: BridleError, version?: string): Promise<Supervisor> {
    return await begin(1, (first) => first.openCold(error, version));
  }

  it("fails with what keeps a model that was opened from answering", async () => {
    const { warm } = await openCold(new BridleError("RUN_FAILED", { reason: "no such kernel" }));
    await expect(warm).rejects.toMatchObject({ code: "RUN_FAILED" });
  });

  it("goes on where a process was ended meanwhile", async () => {
    const { warm } = await openCold(new BridleError("WORKER_LOST", { reason: "SIGKILL" }));
    await vi.waitFor(() => expect(started).toHaveLength(2));
    started[1]?.open();
    await expect(warm).resolves.toBeUndefined();
  });

  it("is given up where every process has ended three times before any could answer", async () => {
    const lost = new BridleError("WORKER_LOST", { reason: "SIGKILL" });
    const { warm } = await openCold(lost);
    const given = vi.fn();
    warm.catch(given);
    for (const place of [1, 2]) {
      await vi.waitFor(() => expect(started).toHaveLength(place + 1));
      expect(given).not.toHaveBeenCalled();
      started[place]?.die();
    }
    await expect(warm).rejects.toMatchObject({
      code: "WORKERS_HOPELESS",
      message: expect.stringContaining("ended 3 times"),
    });
  });

  it("is not given up while one is still at it, however often another ended", async () => {
    supervisor = await begin(2, (first) => first.openFirst());
    for (const place of [1, 2, 3, 4]) {
      await vi.waitFor(() => expect(started).toHaveLength(place + 1));
      started[place]?.die();
    }
    started[0]?.open();
    await expect(supervisor.warm).resolves.toBeUndefined();
  });

  it("is given up later where one is always at it, in turn with the others", async () => {
    supervisor = await begin(2, (first) => first.openFirst());
    const given = vi.fn();
    supervisor.warm.catch(given);
    // Two live at any time until the next of them ends: six ends each.
    for (let ended = 0; ended < 12; ended++) {
      await vi.waitFor(() => expect(started.length).toBeGreaterThanOrEqual(ended + 2));
      expect(given).not.toHaveBeenCalled();
      started[ended]?.die();
    }
    await expect(supervisor.warm).rejects.toMatchObject({ code: "WORKERS_HOPELESS" });
  });

  it("goes on in the first process where another has opened something else", async () => {
    supervisor = await begin(2, (first) => first.openFirst());
    started[1]?.open("2");
    await vi.waitFor(() => expect(started).toHaveLength(3));
    started[0]?.open();
    await expect(supervisor.warm).resolves.toBeUndefined();
  });

  it("is over once any has answered: one that fails later is only tried again", async () => {
    const all = await openAll(1);
    started[0]?.die();
    await vi.waitFor(() => expect(started).toHaveLength(2));
    started[1]?.openCold(new BridleError("RUN_FAILED", { reason: "no memory" }));
    await vi.waitFor(() => expect(started).toHaveLength(3));
    await expect(all.warm).resolves.toBeUndefined();
  });
});

describe("work", () => {
  it("goes to the least busy, and to another than one that has failed", async () => {
    const all = await openAll(3);
    const [a, b, c] = started as [Acted, Acted, Acted];
    [a.pendingCount, b.pendingCount, c.pendingCount] = [2, 1, 3];
    expect(await all.pick(undefined)).toBe(b);
    expect(await all.pick(undefined, b)).toBe(a);
  });

  it("waits while there is nobody, and ends waiting by its signal", async () => {
    const all = await openAll(1);
    started[0]?.die();
    await vi.waitFor(() => expect(all.isAvailable).toBe(false));
    const leaving = new AbortController();
    const cancelled = all.pick(leaving.signal);
    const waiting = all.pick(undefined);
    leaving.abort();
    await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
    await vi.waitFor(() => expect(started).toHaveLength(2));
    started[1]?.open();
    expect(await waiting).toBe(started[1]);
    expect(all.isAvailable).toBe(true);
    expect(all.states()).toEqual([{ place: 0, pid: 7, status: "ready", pending: 0, restarts: 1 }]);
  });

  it("that waits is told when all is closed", async () => {
    const all = await openAll(1, { leastPauseMs: 60_000, steadyMs: 1e6 });
    started[0]?.die();
    await vi.waitFor(() => expect(all.states()[0]?.status).toBe("waiting"));
    const waiting = all.pick(undefined);
    await all.close(10);
    await expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("is not given to a process that opened another version, which is tried again", async () => {
    const all = await openAll(2);
    started[1]?.die();
    await vi.waitFor(() => expect(started).toHaveLength(3));
    started[2]?.open("2");
    await vi.waitFor(() => expect(started).toHaveLength(4));
    expect(all.states()[1]).toMatchObject({ status: "starting", restarts: 2 });
    started[3]?.open("1");
    await vi.waitFor(() => expect(all.states()[1]?.status).toBe("ready"));
  });
});

describe("an alias", () => {
  it("may be of another version in a process that comes later, and is told as it is now", async () => {
    started = [];
    const start = (): Acted => {
      started.push(play());
      return started.at(-1) as Acted;
    };
    const opening = openSupervisor({ count: 1, start, log, leastPauseMs: 1 });
    started[0]?.open("1", true);
    supervisor = await opening;
    const all = supervisor;
    await vi.waitFor(() => expect(all.isAvailable).toBe(true));
    expect(all.describe("news").version).toBe("1");
    (started[0] as Acted).told = { models: opened("2", true), at: performance.now() };
    expect(all.describe("news").version).toBe("2");
    started[0]?.die();
    await vi.waitFor(() => expect(started).toHaveLength(2));
    expect(all.describe("news").version).toBe("2");
    started[1]?.open("3", true);
    await vi.waitFor(() => expect(all.isAvailable).toBe(true));
    expect(all.describe("news").version).toBe("3");
    expect(() => all.describe("other")).toThrow(
      expect.objectContaining({ code: "MODEL_NOT_FOUND" }),
    );
  });
});

describe("an alias that some processes follow sooner", () => {
  it("is told as whoever told last says, ready or gone", async () => {
    started = [];
    const start = (): Acted => {
      started.push(play());
      return started.at(-1) as Acted;
    };
    const opening = openSupervisor({ count: 2, start, log, leastPauseMs: 1000 });
    started[0]?.open("1", true);
    supervisor = await opening;
    const all = supervisor;
    started[1]?.open("1", true);
    await vi.waitFor(() => expect(all.states().every((one) => one.status === "ready")).toBe(true));
    (started[1] as Acted).told = { models: opened("2", true), at: performance.now() + 1 };
    expect(all.describe("news").version).toBe("2");
    started[1]?.die();
    await vi.waitFor(() => expect(all.states()[1]?.status).toBe("waiting"));
    // Who is left answers with the old one.
    expect(all.describe("news").version).toBe("1");
    started[0]?.die();
    await vi.waitFor(() => expect(all.isAvailable).toBe(false));
    expect(all.describe("news").version).toBe("2");
  });
});

describe("a refresh", () => {
  /** What became of it so far. */
  const watch = (work: Promise<void>) => {
    const outcome: { is: string } = { is: "waiting" };
    work.then(
      () => {
        outcome.is = "done";
      },
      (thrown) => {
        outcome.is = thrown.code;
      },
    );
    return outcome;
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  it("is done when all that answer people have followed, also where one of them ends meanwhile", async () => {
    const all = await openAll(3);
    const [a, b, c] = started as [Acted, Acted, Acted];
    const outcome = watch(all.refresh());
    a.refreshing?.resolve();
    b.refreshing?.resolve();
    await settle();
    expect(outcome.is).toBe("waiting");
    c.die();
    await vi.waitFor(() => expect(outcome.is).toBe("done"));
  });

  it("is asked of one that starts, and not waited for", async () => {
    const all = await openAll(2);
    started[1]?.die();
    await vi.waitFor(() => expect(started).toHaveLength(3));
    const outcome = watch(all.refresh());
    started[0]?.refreshing?.resolve();
    await vi.waitFor(() => expect(outcome.is).toBe("done"));
    expect(started[2]?.refreshing).toBeDefined();
    started[2]?.refreshing?.reject(new BridleError("DATABASE_BUSY"));
    started[2]?.open();
  });

  it("tells what one of them could not do once the others have", async () => {
    const all = await openAll(2);
    const outcome = watch(all.refresh());
    started[0]?.refreshing?.reject(new BridleError("DATABASE_BUSY"));
    await settle();
    expect(outcome.is).toBe("waiting");
    started[1]?.refreshing?.resolve();
    await vi.waitFor(() => expect(outcome.is).toBe("DATABASE_BUSY"));
  });
});

describe("what engines do", () => {
  it("is added up, and what the dead have done stays counted", async () => {
    const all = await openAll(2);
    expect(all.load("news")).toBeUndefined();
    started[0]?.loads.set("news", load({ steps: 5, running: 2, cacheBytes: 100 }));
    started[1]?.loads.set("news", load({ steps: 7, running: 1, stepMs: 3 }));
    expect(all.load("news")).toEqual(load({ steps: 12, running: 3, cacheBytes: 100, stepMs: 3 }));
    started[0]?.die();
    await vi.waitFor(() => expect(all.load("news")?.running).toBe(1));
    expect(all.load("news")).toEqual(load({ steps: 12, running: 1, stepMs: 3 }));
    expect(all.load("other")).toBeUndefined();
  });
});
