// Runs told to Weights & Biases through its own package, with a server of our own in its place: everything arrives once.
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it, type TestContext } from "vitest";
import { createWandbSink, type WandbSink } from "../../src/adapters/track/wandb.js";
import { WandbHistory } from "../../src/adapters/track/wandb-history.js";
import { BridleError } from "../../src/errors/error.js";
import type { RunEvent, RunIdentity } from "../../src/ports/event-sink.js";
import { deliverLeftSpools, openOutbox } from "../../src/track/outbox.js";
import { madeRun, point } from "../support/tracked-runs.js";
import { type FakeWandb, type KeptWandbRun, startFakeWandb } from "../support/wandb-server.js";

const root = mkdtempSync(path.join(tmpdir(), "bridle-wandb-"));
afterAll(() => rmSync(root, { recursive: true }));

interface Place {
  readonly server: FakeWandb;
  readonly folder: string;
  /** A sink as another process would have it; `more` as createWandbSink takes it. */
  sink(more?: { readonly folder?: string; readonly signEveryMs?: number }): WandbSink;
  run(): KeptWandbRun;
}

/** @param context of the test that uses it: tests run beside each other, for the package lets them wait */
async function placeFor({ onTestFinished }: TestContext): Promise<Place> {
  const server = await startFakeWandb();
  const folder = mkdtempSync(path.join(root, "told-"));
  const sinks: WandbSink[] = [];
  onTestFinished(async () => {
    for (const sink of sinks) await sink.close();
    await server.close();
  });
  return {
    ...{ server, folder },
    sink(more = {}) {
      const env = { WANDB_BASE_URL: server.url, WANDB_API_KEY: server.key };
      const sink = createWandbSink({ where: "team/news", env, folder, pauseMs: 0, ...more });
      sinks.push(sink);
      return sink;
    },
    run() {
      expect(server.runs).toHaveLength(1);
      return server.runs[0] as KeptWandbRun;
    },
  };
}

const steps = (from: number, to: number): RunEvent[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({
    type: "points",
    points: [point("train/loss", from + i, 1 / (from + i), 1_000_000 + from + i)],
  }));
/** Steps in the order in which the service has them, and that its rows are numbered by their places. */
function stepsOf({ history }: KeptWandbRun): unknown[] {
  expect(history.map(({ _step }) => _step)).toEqual(history.map((_, i) => i));
  return history.map(({ step }) => step);
}
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
const start = (run: RunIdentity, fromStep = 0): RunEvent => ({ type: "start", run, fromStep });
const end = (at: number, status: "finished" | "failed" | "stopped" = "finished"): RunEvent => ({
  ...{ type: "end", status, at, error: status === "failed" ? "no room" : "" },
});

describe.concurrent("a run told to a server in Weights & Biases' place", () => {
  it("arrives whole, and once if it is told twice", async (context) => {
    const { server, sink, run: told } = await placeFor(context);
    const run = madeRun("aaaa2222", { commit: "c0ffee+", experiment: "ships" });
    const at = run.startedAt;
    const artifact = {
      ...{ name: "model/weights", sha256: "ab", sizeBytes: 8, mediaType: "x/y" },
      ...{ blob: "", uri: "/far/weights", at },
    };
    const events: RunEvent[] = [
      start(run),
      { type: "params", values: { "train.seed": "7", "train.fast": "true", name: "007" } },
      { type: "tags", values: { branch: "main" } },
      {
        type: "points",
        points: [
          ...[1, 2, 3].flatMap((step) => [
            point("train/loss", step, 1 / step, at + 1000 * step),
            point("train/rate", step, step, at + 1000 * step),
          ]),
          point("system/rss_bytes", 4, 99, at + 4000),
          point("odd", 3, Number.NaN, at + 5000),
        ],
      },
      { type: "lines", lines: [{ number: 0, at, level: "info", text: "hello" }] },
      { type: "artifact", artifact },
      { type: "alive", at },
      end(at + 6000),
    ];
    const heard = process.listenerCount("SIGINT");
    await sink().send(run, events);
    const first = sink();
    for (const event of events) await first.send(run, [event]);
    expect(process.listenerCount("SIGINT")).toBe(heard);

    const { entity, project, name, displayName, state, config, history, summary } = told();
    expect({ entity, project, name, displayName, state }).toEqual({
      ...{ entity: "team", project: "news", name: run.id, displayName: run.name },
      state: "finished",
    });
    expect(config).toMatchObject({
      "train.seed": { value: 7 },
      "train.fast": { value: true },
      name: { value: "007" },
      "tags.branch": { value: "main" },
      "bridle.commit": { value: "c0ffee+" },
      "bridle.status": { value: "finished" },
      "files.model/weights": { value: "/far/weights (8 bytes, sha256 ab)" },
      _wandb: { value: { m: expect.arrayContaining([{ "1": "train/loss", "5": 1, "6": [1] }]) } },
    });
    const time = (seconds: number) => ({
      ...{ _runtime: seconds, _timestamp: at / 1000 + seconds },
    });
    expect(history).toEqual([
      ...[1, 2, 3].map((step) => ({
        ...{ step, epoch: step / 10, "train/loss": 1 / step, "train/rate": step },
        ...{ _step: step - 1, ...time(step) },
      })),
      { "system/rss_bytes": 99, _step: 3, ...time(4) },
      { odd: "NaN", step: 3, epoch: 0.3, _step: 4, ...time(5) },
    ]);
    expect(summary).toEqual({
      ...{ "train/loss": 1 / 3, "train/rate": 3, "system/rss_bytes": 99, odd: "NaN" },
      ...{ step: 3, epoch: 0.3, _step: 4, ...time(5) },
    });
    // Who has the key is asked once, and a run that has not changed is not begun again.
    expect(server.requests.filter((each) => each.endsWith("viewer")).length).toBeLessThan(3);
  });

  it("goes on where it was taken up again, whatever its first process tells late", async (context) => {
    const { sink, run: told } = await placeFor(context);
    const first = madeRun("bbbb2222");
    const second = { ...first, takenUpAt: first.startedAt + 1000 };
    await sink().send(first, [
      start(first),
      { type: "params", values: { device: "cpu", seed: "1" } },
      ...steps(1, 4),
    ]);
    const again = sink();
    await again.send(second, [
      start(second, 4),
      { type: "params", values: { device: "cuda" } },
      ...steps(6, 8),
    ]);
    expect(told().state).toBe("running");
    await again.send(second, [end(first.startedAt + 9000, "failed")]);
    await sink().send(first, [
      { type: "params", values: { device: "cpu", late: "2" } },
      ...steps(3, 5),
      end(first.startedAt + 99_000),
    ]);
    expect(told()).toMatchObject({
      state: "failed",
      config: {
        ...{ device: { value: "cuda" }, seed: { value: 1 }, late: { value: 2 } },
        ...{ "bridle.error": { value: "no room" }, "bridle.status": { value: "failed" } },
      },
      summary: { "train/loss": 1 / 8, step: 8 },
    });
    expect(stepsOf(told())).toEqual([1, 2, 3, 4, 6, 7, 8, 5]);
  });

  it("loses nothing to a service that is away, forgets what it did, or is not there, and lets nobody wait", async (context) => {
    const { server, sink, run: told } = await placeFor(context);
    const run = madeRun("cccc2222");
    const warnings: string[] = [];
    const outbox = openOutbox(sink(), run, {
      folder: mkdtempSync(path.join(root, "spool-")),
      onWarning: (warning) => warnings.push(warning),
      ...{ gatherMs: 60_000, retryMs: 0 },
    });
    const push = async (from: number, to: number) => {
      for (const event of steps(from, to)) outbox.push(event);
      await outbox.flush();
    };
    outbox.push(start(run));
    server.isAway = true;
    await push(1, 2);
    expect(server.runs).toEqual([]);
    server.isAway = false;
    await push(3, 4);
    server.forgets = true;
    await push(5, 6);
    server.forgets = false;
    await push(7, 8);
    await server.pause();
    await push(9, 10);
    // It has what it had, and nothing of the last is gone.
    expect(stepsOf(told())).toEqual(upTo(8));
    await server.resume();
    outbox.push(end(2_000_000));
    expect(await outbox.close(30_000)).toBe(true);
    expect(stepsOf(told())).toEqual(upTo(10));
    expect(told().state).toBe("finished");
    expect(warnings.map((each) => each.replace(/:.*/s, ""))).toEqual(
      [1, 2, 3].flatMap(() => [
        "wandb does not take what the run tells",
        "wandb takes what the run tells again.",
      ]),
    );
  });

  it("is told once by processes that tell of it at the same time", async (context) => {
    const { sink, run: told } = await placeFor(context);
    const run = madeRun("dddd2222");
    const [one, other] = [sink(), sink()];
    await one.send(run, [start(run), ...steps(1, 1)]);
    await Promise.all([
      one.send(run, steps(2, 20)),
      other.send(run, steps(15, 40)),
      one.send(run, steps(30, 50)),
    ]);
    // What both added at once is in the first of the two rows.
    const kept = stepsOf(told()).filter((step) => step !== undefined);
    expect(kept.toSorted((a, b) => Number(a) - Number(b))).toEqual(upTo(50));
  });

  it("goes on after what another machine told, and keeps its configuration", async (context) => {
    const { sink, run: told } = await placeFor(context);
    const run = madeRun("eeee2222");
    await sink().send(run, [start(run), { type: "params", values: { seed: "1" } }, ...steps(1, 3)]);
    const second = { ...run, takenUpAt: run.startedAt + 1000, host: "there" };
    const elsewhere = sink({ folder: mkdtempSync(path.join(root, "there-")) });
    await elsewhere.send(second, [
      start(second, 3),
      { type: "params", values: { device: "cuda" } },
      ...steps(4, 5),
      end(2_000_000, "stopped"),
    ]);
    expect(stepsOf(told())).toEqual(upTo(5));
    expect(told()).toMatchObject({
      state: "killed",
      config: {
        ...{ seed: { value: 1 }, device: { value: "cuda" }, "bridle.host": { value: "there" } },
      },
    });
  });

  it("outlives the end of the package's process, which hears no Ctrl-C", async (context) => {
    const { server, sink, run: told } = await placeFor(context);
    const run = madeRun("ffff2222");
    const kept = sink();
    await kept.send(run, [start(run), ...steps(1, 2)]);
    const { pid } = kept;
    // All along, also while the package begins, when it would listen for itself.
    let isSent = false;
    const sent = kept.send(run, steps(3, 4)).finally(() => {
      isSent = true;
    });
    while (!isSent) {
      process.kill(pid as number, "SIGINT");
      await new Promise(setImmediate);
    }
    await sent;
    expect(kept.pid).toBe(pid);
    server.hangs = true;
    const asked = server.requests.length;
    const waiting = kept.send(run, steps(5, 6));
    while (server.requests.length === asked) await turn();
    process.kill(pid as number, "SIGKILL");
    await expect(waiting).rejects.toMatchObject({ code: "SINK_UNAVAILABLE" });
    server.hangs = false;
    await kept.send(run, steps(5, 6));
    expect(stepsOf(told())).toEqual(upTo(6));
    expect(kept.pid).not.toBe(pid);
    await kept.close();
    await expect(kept.send(run, steps(7, 7))).rejects.toMatchObject({ code: "SINK_UNAVAILABLE" });
  });

  it("says that it goes on, also while it tells nothing", async (context) => {
    const { server, sink, run: told } = await placeFor(context);
    const run = madeRun("gggg2222");
    const quiet = sink({ signEveryMs: 0 });
    await quiet.send(run, [start(run)]);
    told().state = "failed";
    const before = server.requests.length;
    await quiet.send(run, [{ type: "alive", at: 1_000_100 }]);
    expect(told().state).toBe("running");
    expect(server.requests.slice(before)).toEqual([`POST /files/team/news/${run.id}/file_stream`]);
    const talking = sink();
    await talking.send(run, steps(1, 1));
    const after = server.requests.length;
    await talking.send(run, [{ type: "alive", at: 1_000_200 }]);
    expect(server.requests).toHaveLength(after);
  });

  it("is set aside where it will never be taken, and goes on without", async (context) => {
    const { server, sink, run: told } = await placeFor(context);
    server.refuses = ({ step }) => step === 2;
    const run = madeRun("hhhh2222");
    const warnings: string[] = [];
    const spool = mkdtempSync(path.join(root, "spool-"));
    const onWarning = (warning: string) => void warnings.push(warning);
    const outbox = openOutbox(sink(), run, { folder: spool, onWarning, gatherMs: 60_000 });
    outbox.push(start(run));
    // Points that follow each other become one event.
    for (const step of [1, 2, 3]) {
      for (const event of steps(step, step)) outbox.push(event);
      outbox.push({ type: "alive", at: 1_000_000 + step });
    }
    outbox.push(end(2_000_000));
    expect(await outbox.close(60_000)).toBe(true);
    const { history, state } = told();
    // Numbers of what was refused stay, with nothing in them.
    const kept = history.flatMap(({ step }) => (step === undefined ? [] : [step]));
    expect(kept).toEqual([1, 3]);
    expect(state).toBe("finished");
    expect(warnings).toEqual([
      expect.stringMatching(
        /^wandb refused points of run hhhh2222: .* 400 bad row .*refused\.jsonl/,
      ),
    ]);
    const [refused = ""] = readdirSync(spool);
    expect(readFileSync(path.join(spool, refused), "utf8")).toContain('"step":2');
  });

  it("waits for a key that lets it in, and says that this one does not", async (context) => {
    const { server, folder, sink, run: told } = await placeFor(context);
    const key = server.key;
    const run = madeRun("jjjj2222");
    const spool = mkdtempSync(path.join(root, "spool-"));
    const warnings: string[] = [];
    const onWarning = (warning: string) => void warnings.push(warning);
    const denied = sink();
    server.key = "n".repeat(40);
    const outbox = openOutbox(denied, run, { folder: spool, onWarning });
    for (const event of [start(run), ...steps(1, 2), end(2_000_000)]) outbox.push(event);
    expect(await outbox.close(30_000)).toBe(false);
    expect(warnings[0]).toMatch(
      /does not let this process tell it of runs: 401 user is not logged in/,
    );
    for (const place of [spool, folder]) {
      for (const file of readdirSync(place)) {
        expect(readFileSync(path.join(place, file), "utf8")).not.toContain(key);
      }
    }
    await deliverLeftSpools(spool, [sink()], () => {});
    expect(readdirSync(spool)).toEqual([]);
    expect(stepsOf(told())).toEqual([1, 2]);
  });
});

describe("the history of a run in a file", () => {
  it("is the same to all who write it, whatever they write at once and whatever was cut off", async () => {
    const file = path.join(root, "history.jsonl");
    const [one, other] = [new WandbHistory(file), new WandbHistory(file)];
    const points = (...of: number[]) => of.map((step) => point("loss", step, step, step));
    await one.add(points(1, 2));
    // It has not read what the first one wrote.
    await other.add(points(2, 3));
    appendFileSync(file, '\n{"row":{"step":9,"at":9,"epo');
    const third = new WandbHistory(file);
    await third.catchUp();
    await third.add(points(3, 4));
    await one.catchUp();
    await other.catchUp();
    const rows = third.nextUntold();
    expect(rows.map(({ number, values }) => [number, values.loss])).toEqual([
      ...[
        [0, 1],
        [1, 2],
        [2, undefined],
      ],
      ...[
        [3, 3],
        [4, 4],
      ],
    ]);
    expect([one.nextUntold(), other.nextUntold()]).toEqual([rows, rows]);
    await other.markTold(3);
    await one.catchUp();
    expect(one.nextUntold().map(({ number }) => number)).toEqual([3, 4]);
  });
});

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("a place at Weights & Biases", () => {
  const key = "s".repeat(40);
  const nowhere = path.join(root, "nowhere");
  const open = (where: string, env: Record<string, string> = {}, checkPackage?: () => void) =>
    createWandbSink({
      ...{ where, folder: nowhere, env: { NETRC: nowhere, ...env } },
      ...(checkPackage && { checkPackage }),
    });

  it.each([
    ["", "https://api.wandb.ai"],
    ["news", "https://api.wandb.ai/news"],
    ["team/news", "https://api.wandb.ai/team/news"],
    ["https://wandb.ai/team/news", "https://api.wandb.ai/team/news"],
    ["https://wandb.example.com", "https://wandb.example.com"],
    ["http://localhost:8080/team/news", "http://localhost:8080/team/news"],
    ["https://api.wandb.ai/team/news", "https://api.wandb.ai/team/news"],
  ])("%j is %s", (where, destination) => {
    const sink = open(where, { WANDB_API_KEY: key });
    expect(sink.destination).toBe(destination);
    // As `bridle runs sync` shows it.
    expect(open(destination, { WANDB_API_KEY: key }).destination).toBe(destination);
  });

  it("is completed by W&B's own variables and ~/.netrc", () => {
    const env = { WANDB_ENTITY: "team", WANDB_PROJECT: "p", WANDB_BASE_URL: "https://w.test/sub/" };
    expect(open("", { ...env, WANDB_API_KEY: key }).destination).toBe("https://w.test/sub/team/p");
    const netrc = path.join(root, "netrc");
    writeFileSync(
      netrc,
      `# mine\nmachine other login x password y\nmachine w.test\n  login user\n  password ${key}\n`,
    );
    expect(open("", { ...env, NETRC: netrc }).destination).toBe("https://w.test/sub/team/p");
    expect(() => open("", { NETRC: netrc })).toThrow(
      expect.objectContaining({ code: "SINK_KEY_MISSING" }),
    );
  });

  it("is refused where it is none, or shows a key", () => {
    for (const where of [
      "a/b/c",
      "a b/c",
      `https://user:${key}@wandb.ai/a/b`,
      "https://w.test/a/b/c",
    ]) {
      const failure = ((): unknown => {
        try {
          return open(where, { WANDB_API_KEY: key });
        } catch (thrown) {
          return thrown;
        }
      })();
      expect(failure).toMatchObject({ code: "SINK_UNKNOWN" });
      expect((failure as Error).message).not.toContain(key);
    }
  });

  it("says what to do where there is no key, or no package", () => {
    expect(() => open("")).toThrow(
      expect.objectContaining({
        code: "SINK_KEY_MISSING",
        hint: expect.stringMatching(/WANDB_API_KEY.*machine api\.wandb\.ai login user/),
      }),
    );
    const missing = () => {
      throw new BridleError("PEER_MISSING", { what: "x", package: "@wandb/sdk" });
    };
    expect(() => open("", { WANDB_API_KEY: key }, missing)).toThrow(
      expect.objectContaining({ hint: "Install it: `npm install @wandb/sdk`." }),
    );
  });
});
