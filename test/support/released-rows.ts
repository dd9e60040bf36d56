// What the rows of test/fixtures/migrations mean, asked of the newest code by each room itself, and that life goes on with them.
import path from "node:path";
import { expect } from "vitest";
import { openLocalQueue } from "../../src/adapters/queue/local.js";
import { openBlobStore } from "../../src/compose.js";
import {
  beginTrial,
  endTrial,
  findSweep,
  listSweeps,
  readTrials,
} from "../../src/loop/sweep/sweep-store.js";
import type { BlobStore } from "../../src/ports/blob-store.js";
import type { Database } from "../../src/ports/database.js";
import { openRegistry } from "../../src/registry/registry.js";
import {
  endBatch,
  findBatch,
  findBatchFaults,
  keepAnswers,
  listBatches,
  readAnswers,
  readWaiting,
} from "../../src/summarize/batches/batch-store.js";
import { findTrackingFaults } from "../../src/track/check.js";
import { readPoints } from "../../src/track/export.js";
import { getRun, listArtifacts, listRuns, readLines } from "../../src/track/read.js";
import { writeEvents } from "../../src/track/write.js";
import { madeRun, point } from "./tracked-runs.js";

/** @param version of the schema that the rows were written in @param scratch a folder for files */
type Check = (database: Database, version: number, scratch: string) => Promise<void>;

const track: Check = async (database, version) => {
  const { runs } = await listRuns(database, { sort: "started" });
  expect(runs).toMatchObject([
    {
      ...{ id: "aaaa2222", experiment: "news", name: "first", status: "finished", source: "train" },
      ...{ startedAt: 1000, endedAt: 2000, aliveAt: 2000, host: "here", pid: 7, commit: "abc+" },
      ...{ output: "/out/first", configSha256: "c0", parent: "", error: "" },
      // What was not said means its start.
      takenUpAt: version >= 2 ? 1400 : 1000,
      params: { "train.seed": "7", "data.train": "it's.jsonl" },
      tags: { branch: "main" },
      metrics: { "train/loss": { count: 2, last: null, lastStep: 5, min: 0.5, max: 0.5 } },
    },
    { id: "bbbb2222", name: "broken", status: "failed", error: "the disk is full" },
  ]);
  const points = [];
  for await (const some of readPoints(database, "aaaa2222")) points.push(...some);
  expect(points).toMatchObject([
    { key: "train/loss", step: 4, epoch: 0.1, at: 1400, value: 0.5 },
    { key: "train/loss", step: 5, epoch: 0.2, at: 1500, value: null },
  ]);
  expect(await readLines(database, "aaaa2222")).toMatchObject([
    { number: 0, at: 1500, level: "info", text: "begun" },
    { number: 1, level: "warning", text: "déjà vu" },
  ]);
  expect(await listArtifacts(database, "aaaa2222")).toMatchObject([
    { name: "config.json", sizeBytes: 2, uri: "/x/config.json", at: 1500 },
  ]);
  const again = { ...madeRun("aaaa2222", { name: "first", startedAt: 1000 }), takenUpAt: 3000 };
  await writeEvents(database, again, [
    { type: "start", run: again, fromStep: 4 },
    { type: "points", points: [point("train/loss", 5, 0.25)] },
    { type: "end", status: "finished", at: 4000, error: "" },
  ]);
  await writeEvents(database, madeRun("cccc2222", { experiment: "sport" }), []);
  expect(await getRun(database, "aaaa2222")).toMatchObject({
    metrics: { "train/loss": { count: 2, last: 0.25 } },
  });
  expect((await getRun(database, "cccc2222")).experiment).toBe("sport");
  expect(await findTrackingFaults(database)).toEqual([]);
};

const registry: Check = async (database, _, scratch) => {
  const store = (await openBlobStore({ url: scratch, options: {}, env: {} })) as BlobStore;
  const opened = openRegistry({ database, store, cache: path.join(scratch, "cache") });
  const detail = await opened.getModel("news");
  expect(detail).toMatchObject({
    ...{ name: "news", lastVersion: 3, createdBy: "ada" },
    aliases: [{ alias: "champion", version: 1, move: 3, movedBy: "ada" }],
    gates: { aliases: ["champion"], minimumRows: 10, minimum: { rouge1: 0.3 } },
  });
  expect(detail.versions).toMatchObject([
    { version: 3, collectedAt: new Date(9000).toISOString() },
    {
      ...{ version: 2, sizeBytes: 200, note: "the second one's better", collectedAt: null },
      ...{ digest: "2".repeat(64), dataObjects: ["d41d8cd98f00b204e9800998ecf8427e"] },
      card: {
        licence: { id: "apache-2.0", source: "given" },
        lineage: { parent: { name: "news", version: 1 }, runId: "aaaa2222" },
      },
    },
    { version: 1, aliases: ["champion"], note: null },
  ]);
  expect(await opened.history("news")).toMatchObject([
    { move: 3, version: 1, previous: 2, action: "rollback", reason: "repeats itself" },
    { move: 2, version: 2, previous: 1, movedBy: "grace", gates: [{ passed: true }] },
    { move: 1, version: 1, previous: null, forced: true, reason: "the first" },
  ]);
  expect(await opened.evaluations("news", 2)).toMatchObject([
    { data: "test.jsonl", rows: { scored: 50 }, scores: { rouge1: { mean: 0.4 } } },
  ]);
  expect([...(await opened.dataObjects())]).toEqual(["d41d8cd98f00b204e9800998ecf8427e"]);
  const lineage = await opened.lineage(
    await opened.getVersion({ model: "news", at: { version: 2 } }),
  );
  expect(JSON.stringify(lineage)).toContain("1".repeat(64));
  // By its gates, on the evaluation that was recorded then.
  expect(await opened.promote("news", 2, { by: "bob" })).toMatchObject({ version: 2, move: 4 });
};

const queue: Check = async (database) => {
  const opened = openLocalQueue(database, () => 10_000);
  const name = "sweep:rates";
  const list = async (state: "waiting" | "active" | "done" | "dead" | "cancelled") =>
    (await opened.list(name, state)).map(({ id }) => id);
  expect(await list("waiting")).toEqual(["first", "urgent"]);
  expect(await list("active")).toEqual(["lost"]);
  expect([await list("done"), await list("cancelled")]).toEqual([["over"], ["off"]]);
  expect(await opened.find("bad")).toMatchObject({
    ...{ state: "dead", attempt: 3, maxAttempts: 3, error: "it failed thrice" },
  });
  expect(await opened.enqueue(name, {}, { id: "first" })).toBe("first");
  await opened.enqueue(name, { trial: 2 }, { id: "new" });
  const begun: string[] = [];
  await new Promise<void>((resolve) => {
    opened.work(
      name,
      async ({ id, payload, attempt }) => {
        begun.push(`${id} ${attempt} ${JSON.stringify(payload)}`);
        if (begun.length === 4) resolve();
      },
      { pollMs: 10 },
    );
  });
  await opened.close();
  const told = '{"trial":1,"text":"it\'s"}';
  expect(begun[0]).toBe(`urgent 1 ${told}`);
  expect(begun.slice(1).sort()).toEqual(
    [`first 1 ${told}`, `lost 2 ${told}`, 'new 1 {"trial":2}'].sort(),
  );
};

const sweep: Check = async (database, version) => {
  expect((await listSweeps(database)).map(({ name, state }) => [name, state])).toEqual([
    ["rates", "running"],
    ["older", "done"],
  ]);
  expect(await findSweep(database, "rates")).toMatchObject({
    ...{ folder: "/out/rates", beganAtMs: 1000, endedAtMs: null },
    aliveAtMs: version >= 2 ? 1900 : null,
    plan: { trials: 3, words: ["train.maxSteps=12"], run: "params.yaml" },
  });
  expect(await readTrials(database, "rates")).toMatchObject([
    {
      ...{ number: 0, state: "complete", value: 2.5, step: 4, run: "aaaa2222" },
      ...{ parameters: { "train.learningRate": 0.001 }, evaluation: { loss: 2.5 } },
      reports: [
        { step: 2, value: 3.5 },
        { step: 4, value: 2.5 },
      ],
    },
    { number: 1, state: "failed", error: { code: "WORKER_DIED", message: "it's gone" } },
    { number: 2, state: "running", value: null, reports: [{ step: 2, value: null }] },
  ]);
  const begun = await beginTrial(database, "rates", 2);
  expect(begun).toEqual({
    config: { train: { learningRate: 0.003 } },
    decided: version >= 3 ? { state: "pruned", value: 9, step: 2 } : undefined,
  });
  const { rows } = await database.query(
    "SELECT number, losses FROM sweep_trial WHERE sweep = 'rates' ORDER BY number",
  );
  expect(rows.map(({ losses }) => losses)).toEqual(version >= 3 ? [0, 3, 1] : [0, 0, 0]);
  expect(await endTrial(database, "rates", 2, { state: "pruned", value: 9, step: 2 })).toBe(true);
  expect(await beginTrial(database, "rates", 0)).toBeUndefined();
};

const batch: Check = async (database) => {
  expect(
    (await listBatches(database, { limit: 10, endedAfter: 0 })).map(({ id, state }) => [id, state]),
  ).toEqual([
    ["batch_3", "cancelled"],
    ["batch_2", "done"],
    ["batch_1", "running"],
  ]);
  expect(await findBatch(database, "batch_1")).toMatchObject({
    ...{ model: "news@champion", owner: "team", createdAtMs: 1000, beganAtMs: 1500 },
    documents: { total: 3, waiting: 1, done: 1, failed: 1, cancelled: 0 },
  });
  expect(await readAnswers(database, "batch_1", 0, 10)).toMatchObject([
    { line: 1, ownId: "d1", state: "done", answer: expect.stringContaining("It's short.") },
    { line: 2, ownId: "d2", state: "failed", answer: expect.stringContaining("EMPTY_TEXT") },
  ]);
  expect(await readWaiting(database, "batch_1", 0, 10)).toMatchObject([
    { line: 4, document: "Ships came. They left.", parameters: { sentences: 2 }, losses: 1 },
  ]);
  await keepAnswers(database, "batch_1", [{ line: 4, state: "done", answer: "{}" }]);
  expect(await endBatch(database, "batch_1")).toBe(true);
  expect(await findBatchFaults(database)).toEqual([]);
};

export const releasedRows: Readonly<Record<string, Check>> = {
  ...{ track, registry, queue, sweep, batch },
};
