// Runs told to an MLflow server: everything arrives once, within its limits, whatever comes in between.
import { mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createMlflowSink } from "../../src/adapters/track/mlflow.js";
import { openBlobStore } from "../../src/compose.js";
import type { BlobStore } from "../../src/ports/blob-store.js";
import type { RunEvent, RunIdentity } from "../../src/ports/event-sink.js";
import { putArtifact } from "../../src/track/artifacts.js";
import { afterLeftSpools, deliverLeftSpools, openOutbox } from "../../src/track/outbox.js";
import { listSpools } from "../../src/track/spool.js";
import {
  type FakeMlflow,
  hasRealMlflow,
  type MlflowServer,
  openRealMlflow,
  startFakeMlflow,
} from "../support/mlflow-servers.js";
import { madeRun, point } from "../support/tracked-runs.js";

const root = mkdtempSync(path.join(tmpdir(), "bridle-mlflow-"));
let artifacts: BlobStore;
beforeAll(async () => {
  artifacts = (await openBlobStore({
    url: path.join(root, "store"),
    options: {},
    env: {},
  })) as BlobStore;
});
afterAll(() => rmSync(root, { recursive: true }));

// biome-ignore lint/suspicious/noExplicitAny: answers of MLflow, which the tests look at
type Told = any;

async function ask(
  server: MlflowServer,
  method: string,
  rest: string,
  body?: object,
): Promise<Told> {
  const response = await fetch(`${server.url}/api/2.0/mlflow/${rest}`, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  expect(response.status, rest).toBe(200);
  return await response.json();
}

/** The runs that are known there under an id of ours. */
async function runsOf(server: MlflowServer, run: RunIdentity) {
  const name = encodeURIComponent(run.experiment);
  const { experiment } = await ask(
    server,
    "GET",
    `experiments/get-by-name?experiment_name=${name}`,
  );
  const { runs = [] } = await ask(server, "POST", "runs/search", {
    experiment_ids: [experiment.experiment_id],
    filter: `tags.\`bridle.run_id\` = '${run.id}'`,
  });
  return runs.map(({ info, data }: Told) => ({
    info,
    params: Object.fromEntries((data.params ?? []).map((each: Told) => [each.key, each.value])),
    tags: Object.fromEntries((data.tags ?? []).map((each: Told) => [each.key, each.value])),
  }));
}

async function historyOf(server: MlflowServer, id: string, key: string) {
  const { metrics = [] } = await ask(
    server,
    "GET",
    `metrics/get-history?run_id=${id}&metric_key=${encodeURIComponent(key)}&max_results=25000`,
  );
  return metrics
    .map(({ step, value, timestamp }: Record<string, unknown>) => [
      Number(step),
      value,
      Number(timestamp),
    ])
    .sort(([a]: number[], [b]: number[]) => (a as number) - (b as number));
}

const servers: [string, boolean, () => Promise<MlflowServer>][] = [
  ["a server of our own", true, startFakeMlflow],
  ["the real mlflow server", hasRealMlflow, openRealMlflow],
];

describe.each(servers)("told to %s", (_, isThere, start) => {
  describe.skipIf(!isThere)("a run", () => {
    let server: MlflowServer;
    beforeAll(async () => {
      server = await start();
    }, 120_000);
    afterAll(async () => await server?.close());
    const sinkTo = () => createMlflowSink({ url: server.url, env: {}, artifacts });

    it("arrives whole, and once if it is told twice", async () => {
      const run = madeRun("aaaa2222", {
        experiment: "news & more",
        commit: "c0ffee+",
        startedAt: 1_700_000_000_000,
      });
      const at = run.startedAt;
      const config = await putArtifact(
        artifacts,
        "code/config.json",
        '{"a":1}\n',
        "application/json",
      );
      const events: RunEvent[] = [
        { type: "start", run, fromStep: 0 },
        { type: "params", values: { "train.seed": "7", empty: "", long: "é".repeat(7000) } },
        {
          type: "params",
          values: Object.fromEntries(Array.from({ length: 250 }, (__, i) => [`p.${i}`, String(i)])),
        },
        { type: "tags", values: { branch: "main", "a/../b?c": "x", wide: "w".repeat(9000) } },
        {
          type: "points",
          points: Array.from({ length: 2500 }, (__, i) =>
            point("train/loss", i, 3 - i / 1000, at + i),
          ),
        },
        {
          type: "points",
          points: [
            point("odd", 1, Number.NaN, at),
            point("odd", 2, Number.POSITIVE_INFINITY, at),
            point("odd", 3, Number.NEGATIVE_INFINITY, at),
          ],
        },
        { type: "lines", lines: [{ number: 0, at, level: "info", text: "hello" }] },
        { type: "artifact", artifact: config },
        {
          type: "artifact",
          artifact: { ...config, name: "model/weights", blob: "", uri: "/far/weights" },
        },
        { type: "alive", at },
        { type: "end", status: "finished", at: at + 5000, error: "" },
      ];
      await sinkTo().send(run, events);
      await sinkTo().send(run, events);
      const [found, ...others] = await runsOf(server, run);
      expect(others).toEqual([]);
      expect(found.info).toMatchObject({ status: "FINISHED", run_name: run.name });
      expect([Number(found.info.start_time), Number(found.info.end_time)]).toEqual([at, at + 5000]);
      expect(found.params).toMatchObject({ "train.seed": "7", "p.249": "249" });
      expect(Object.keys(found.params)).toHaveLength(253);
      expect(found.params.long).toBe(`${"é".repeat(5999)}…`);
      expect(found.tags).toMatchObject({
        "mlflow.source.git.commit": "c0ffee",
        "mlflow.source.git.branch": "main",
        "bridle.commit": "c0ffee+",
        "a/_/b_c-7b6b7585": "x",
        "bridle.file.model/weights": `/far/weights (8 bytes, sha256 ${config.sha256})`,
        "bridle.status": "finished",
      });
      const { run_id: id } = found.info;
      const loss = await historyOf(server, id, "train/loss");
      expect(loss).toHaveLength(2500);
      expect(loss[2499]).toEqual([2499, 3 - 2.499, at + 2499]);
      const odd = await historyOf(server, id, "odd");
      expect(odd.map(([step]: number[]) => step)).toEqual([1, 2, 3]);
      const file = found.info.artifact_uri.replace(/^mlflow-artifacts:\/+/, "");
      if ("files" in server) {
        expect((server as FakeMlflow).files.get(`${file}/code/config.json`)).toBe('{"a":1}\n');
      } else {
        const got = await fetch(
          `${server.url}/api/2.0/mlflow-artifacts/artifacts/${file}/code/config.json`,
        );
        expect(await got.text()).toBe('{"a":1}\n');
      }
    }, 60_000);

    it("goes on where it was taken up again, with what changed of its parameters as tags", async () => {
      const run = madeRun("bbbb2222", { startedAt: 1_700_000_000_000 });
      const at = run.startedAt;
      await sinkTo().send(run, [
        { type: "start", run, fromStep: 0 },
        { type: "params", values: { device: "cpu", seed: "1" } },
        { type: "end", status: "interrupted", at: at + 10, error: "killed" },
      ]);
      expect(await runsOf(server, run)).toMatchObject([
        { info: { status: "KILLED" }, tags: { "bridle.error": "killed" } },
      ]);
      const again = sinkTo();
      await again.send(run, [{ type: "start", run, fromStep: 0 }]);
      expect(await runsOf(server, run)).toMatchObject([{ info: { status: "RUNNING" } }]);
      await again.send(run, [
        { type: "params", values: { device: "cuda", seed: "1", more: "2" } },
        { type: "end", status: "failed", at: at + 20, error: "no room" },
      ]);
      // The end of the first try comes late.
      await sinkTo().send(run, [{ type: "end", status: "interrupted", at: at + 10, error: "" }]);
      expect(await runsOf(server, run)).toMatchObject([
        {
          info: { status: "FAILED" },
          params: { device: "cpu", seed: "1", more: "2" },
          tags: { "bridle.changed.device": "cuda", "bridle.error": "no room" },
        },
      ]);
    }, 60_000);

    it("keeps what is newer when an earlier process's part of it comes late", async () => {
      const first = madeRun("hhhh2222", { startedAt: 1_700_000_000_000 });
      const at = first.startedAt;
      const second = { ...first, takenUpAt: at + 1000, commit: "c0ffee" };
      await sinkTo().send(second, [
        { type: "start", run: second, fromStep: 2 },
        { type: "params", values: { device: "cuda" } },
        { type: "tags", values: { "checkpoint.step": "4" } },
        { type: "points", points: [point("loss", 3, 3, at + 1500)] },
        { type: "end", status: "finished", at: at + 2000, error: "" },
      ]);
      const late = sinkTo();
      for (let times = 0; times < 2; times++) {
        await late.send(first, [
          { type: "start", run: first, fromStep: 0 },
          { type: "params", values: { device: "cpu", seed: "1" } },
          { type: "tags", values: { "checkpoint.step": "2", only: "here" } },
          { type: "points", points: [1, 2].map((step) => point("loss", step, step, at + step)) },
          { type: "end", status: "interrupted", at: at + 3000, error: "killed" },
        ]);
        const [found, ...others] = await runsOf(server, first);
        expect(others).toEqual([]);
        expect(found).toMatchObject({
          info: { status: "FINISHED" },
          params: { device: "cuda", seed: "1" },
          tags: { "checkpoint.step": "4", only: "here", "bridle.status": "finished" },
        });
        expect(found.tags).not.toHaveProperty("bridle.changed.device");
        const loss = await historyOf(server, found.info.run_id, "loss");
        expect(loss.map(([step]: number[]) => step)).toEqual([1, 2, 3]);
      }
    }, 60_000);

    it("keeps metrics apart whose names it does not take as they are", async () => {
      const run = madeRun("iiii2222", { startedAt: 1_700_000_000_000 });
      const keys = ["loss?", "loss!", "loss_", "a//b", "a/b", "x".repeat(300), "x".repeat(301)];
      const points = keys.map((key, i) => point(key, 1, i, run.startedAt));
      await sinkTo().send(run, [
        { type: "points", points },
        { type: "params", values: Object.fromEntries(keys.map((key, i) => [key, String(i)])) },
      ]);
      const [found] = await runsOf(server, run);
      expect(Object.values(found.params).sort()).toEqual(keys.map((_, i) => String(i)));
      expect(found.params).toMatchObject({ loss_: "2", "a/b": "4" });
      for (const key of Object.keys(found.params)) {
        expect(await historyOf(server, found.info.run_id, key)).toEqual([
          [1, Number(found.params[key]), run.startedAt],
        ]);
      }
    }, 60_000);

    it("is refused in the server's words where it will never be taken", async () => {
      const run = madeRun("cccc2222", { experiment: "" });
      await expect(sinkTo().send(run, [{ type: "alive", at: 1 }])).rejects.toMatchObject({
        code: "SINK_REFUSED",
      });
    });
  });
});

/** Waits until every spool of a folder may be taken by whoever comes. */
async function untilFree(folder: string): Promise<void> {
  while ((await listSpools(folder)).some(({ isHeld }) => isHeld)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("a server that is away", () => {
  it("is told everything when it is back, in order, while nobody waits", async () => {
    const server = await startFakeMlflow();
    const run = madeRun("dddd2222");
    const warnings: string[] = [];
    const outbox = openOutbox(createMlflowSink({ url: server.url, env: {}, artifacts }), run, {
      folder: path.join(root, "spool-a"),
      onWarning: (warning) => warnings.push(warning),
      gatherMs: 60_000,
      retryMs: 0,
    });
    outbox.push({ type: "start", run, fromStep: 0 });
    await outbox.flush();
    server.isAway = true;
    for (let step = 1; step <= 50; step++) {
      outbox.push({ type: "points", points: [point("loss", step, step)] });
      await outbox.flush();
    }
    server.isAway = false;
    outbox.push({ type: "end", status: "finished", at: 2_000_000, error: "" });
    expect(await outbox.close(30_000)).toBe(true);
    const [found] = await runsOf(server, run);
    expect(found.info.status).toBe("FINISHED");
    const steps = (await historyOf(server, found.info.run_id, "loss")).map(
      ([step]: number[]) => step,
    );
    expect(steps).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(/503 .*kept in .*spool-a/s);
    expect(warnings[1]).toMatch(/takes what the run tells again/);
    await server.close();
  });

  it("ends no run later than it may: what it never answered waits for another process", async () => {
    const server = await startFakeMlflow();
    server.hangs = true;
    const run = madeRun("eeee2222");
    const sinkTo = () => createMlflowSink({ url: server.url, env: {}, artifacts });
    const sink = sinkTo();
    const folder = path.join(root, "spool-b");
    const outbox = openOutbox(sink, run, { folder, onWarning: () => {} });
    outbox.push({ type: "start", run, fromStep: 0 });
    expect(await outbox.close(50)).toBe(false);
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^mlflow-eeee2222-/)]);
    await sink.close();
    await untilFree(folder);
    server.hangs = false;
    await deliverLeftSpools(folder, [sinkTo()], () => {});
    expect(await runsOf(server, run)).toMatchObject([{ info: { status: "RUNNING" } }]);
    expect(readdirSync(folder)).toEqual([]);
    await server.close();
  });

  it("loses nothing as a black hole over a whole training, its kill and its resume, and lets nobody wait", async () => {
    const server = await startFakeMlflow();
    server.hangs = true;
    const sinkTo = () => createMlflowSink({ url: server.url, env: {}, artifacts });
    const folder = path.join(root, "spool-c");
    const options = { folder, onWarning: () => {}, gatherMs: 60_000 };
    const first = madeRun("jjjj2222", { pid: 2 ** 30 });
    const killed = openOutbox(sinkTo(), first, options);
    killed.push({ type: "start", run: first, fromStep: 0 });
    void killed.flush();
    for (let step = 1; step <= 4; step++) {
      killed.push({ type: "points", points: [point("loss", step, step)] });
    }
    // Before the checkpoint of step 4; what comes after is lost, and trained again.
    await killed.keep();
    killed.push({ type: "points", points: [point("loss", 5, 5)] });
    const [name = ""] = readdirSync(folder);
    const left = name.replace(/-\d+-[0-9a-f]+-([0-9a-f]{8})\.jsonl$/, "-1073741824-0-$1.jsonl");
    renameSync(path.join(folder, name), path.join(folder, left));

    const second = { ...first, pid: process.pid, takenUpAt: first.startedAt + 1000 };
    const resumed = sinkTo();
    const outbox = openOutbox(afterLeftSpools(resumed, folder, () => {}).sink, second, options);
    outbox.push({ type: "start", run: second, fromStep: 4 });
    for (let step = 5; step <= 8; step++) {
      outbox.push({ type: "points", points: [point("loss", step, step)] });
      await outbox.keep();
    }
    outbox.push({ type: "end", status: "finished", at: 2_000_000, error: "" });
    expect(await outbox.close(50)).toBe(false);
    await resumed.close();
    await untilFree(folder);

    server.hangs = false;
    await deliverLeftSpools(folder, [sinkTo()], () => {});
    expect(readdirSync(folder)).toEqual([]);
    const [found, ...others] = await runsOf(server, first);
    expect([found.info.status, others]).toEqual(["FINISHED", []]);
    const loss = await historyOf(server, found.info.run_id, "loss");
    expect(loss.map(([step]: number[]) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    await server.close();
  });

  it("is given no file whose name leads out of its run's folder", async () => {
    const server = await startFakeMlflow();
    const run = madeRun("kkkk2222");
    const kept = await putArtifact(artifacts, "x.txt", "x", "text/plain");
    const sink = createMlflowSink({ url: server.url, env: {}, artifacts });
    for (const name of ["../../other/x", "a//b", "./a"]) {
      await expect(
        sink.send(run, [{ type: "artifact", artifact: { ...kept, name } }]),
      ).rejects.toMatchObject({ code: "SINK_REFUSED" });
    }
    expect([...server.files]).toEqual([]);
    await server.close();
  });

  it("is told apart from one that lets nobody in, and from one that is none", async () => {
    const server = await startFakeMlflow();
    server.authorization = `Basic ${Buffer.from("me:secret").toString("base64")}`;
    const send = (url: string, env: Record<string, string> = {}) =>
      createMlflowSink({ url, env, artifacts }).send(madeRun("ffff2222"), [
        { type: "alive", at: 1 },
      ]);
    await expect(send(server.url)).rejects.toMatchObject({ code: "SINK_DENIED" });
    const login = { MLFLOW_TRACKING_USERNAME: "me", MLFLOW_TRACKING_PASSWORD: "secret" };
    await send(server.url, login);
    await send(server.url.replace("//", "//me:secret@"));
    server.authorization = "Bearer abc";
    await send(server.url, { MLFLOW_TRACKING_TOKEN: "abc" });
    await server.close();
    const failure = await send(server.url.replace("//", "//me:secret@")).catch((thrown) => thrown);
    expect(failure.code).toBe("SINK_UNAVAILABLE");
    expect(failure.message).not.toContain("secret");
    await expect((async () => send("localhost"))()).rejects.toMatchObject({ code: "SINK_UNKNOWN" });
  });
});
