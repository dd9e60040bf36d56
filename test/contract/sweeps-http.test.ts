// Sweeps over HTTP on every database: lists, one with its trials and what decides it, and who may look.
import { afterEach, expect, it } from "vitest";
import { keepRunRecords, migrationSets } from "../../src/compose.js";
import { resolveServeConfig, type ServeConfigInput } from "../../src/config/serve-config.js";
import type { SweepPlan } from "../../src/loop/sweep/plan.js";
import { findSweepFaults } from "../../src/loop/sweep/sweep-faults.js";
import {
  addReport,
  addTrial,
  beginSweep,
  beginTrial,
  endSweep,
  endTrial,
} from "../../src/loop/sweep/sweep-store.js";
import { joinSweep } from "../../src/loop/sweep/sweep-workers.js";
import type { Database } from "../../src/ports/database.js";
import { startServer } from "../../src/server/server.js";
import { describeEachDatabase } from "../support/databases.js";
import { createToyService } from "./toy-service.js";

// biome-ignore lint/suspicious/noExplicitAny: every route answers a shape of its own, which the tests look at
type Body = any;

async function makeSweep(database: Database, name: string, goal: "minimize" | "maximize") {
  const config = {
    ...(name === "rates" && { title: "rates (of all)" }),
    space: {
      "train.learningRate": { kind: "uniform", low: 1e-4, high: 1e-2, log: true },
      "train.seed": { kind: "choice", values: [1, 2] },
    },
    objective: { metric: goal === "minimize" ? "loss" : "rouge1", goal },
    sampler: { name: "random" },
    pruner: { name: "median" },
  };
  const said = { file: "/far/my rates.yaml", words: ["train.maxSteps=5"] };
  const plan = { name, config, trials: 8, ...said } as unknown as SweepPlan;
  const how = { resume: false, areTrialsSaid: false };
  await beginSweep(database, { plan, planSha256: "a", folder: `/far/${name}` }, how);
  for (let number = 0; number < 7; number++) {
    const parameters = {
      "train.learningRate": 2e-4 * (number + 1),
      "train.seed": 1 + (number % 2),
    };
    await addTrial(database, name, { number, parameters, config: {} });
    if (number === 6) continue;
    await beginTrial(database, name, number);
    await addReport(database, name, number, { step: 2, value: 10 - number });
    const value = 5 - number;
    if (number < 4) await endTrial(database, name, number, { state: "complete", value, step: 2 });
  }
  const error = { code: "TRIAL_LOST", message: "The process of trial 4 was lost." };
  await endTrial(database, name, 4, { state: "failed", error });
  await endTrial(database, name, 5, { state: "pruned", value: 5, step: 2 });
}

describeEachDatabase("sweeps over HTTP", (place) => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });
  const start = async (config: ServeConfigInput = {}) => {
    const db = await place.createUrl();
    const database = await place.open(migrationSets, db);
    const records = keepRunRecords({ db, env: {} });
    const server = await startServer(
      resolveServeConfig({ port: 0, logLevel: "silent", ...config }, {}),
      { ...createToyService(), runs: records.find },
      { files: { dashboard: "/nonexistent", docs: "/nonexistent" } },
    );
    open.push(records, server);
    const get = async (path: string, headers: Record<string, string> = {}) => {
      const response = await fetch(server.url + path, { headers });
      return { status: response.status, body: (await response.json()) as Body };
    };
    return { database, get };
  };

  it("lists them, and tells one whole", async () => {
    const { database, get } = await start();
    expect((await get("/v1/sweeps")).body).toEqual({ sweeps: [] });
    await makeSweep(database, "rates", "minimize");
    await makeSweep(database, "scores é", "maximize");
    await database.query("UPDATE sweep SET began_at_ms = 1 WHERE name = 'rates'");
    await database.query("UPDATE sweep SET began_at_ms = 2 WHERE name = 'scores é'");
    await joinSweep(database, "scores é", 1).touch();
    // Whoever works on it told so long ago, on another machine.
    await joinSweep(database, "rates", 1, { now: () => 1 }).touch();
    await database.query("UPDATE sweep_worker SET host = 'far' WHERE sweep = 'rates'");
    const { sweeps } = (await get("/v1/sweeps")).body;
    expect(sweeps).toMatchObject([
      { name: "scores é", state: "running", best: 5, planned: 8, sampler: "random" },
      {
        name: "rates",
        state: "interrupted",
        best: 2,
        trials: { waiting: 1, running: 0, complete: 4, pruned: 1, failed: 1 },
      },
    ]);
    expect(await endSweep(database, "rates", 8)).toBe(false);
    await endTrial(database, "rates", 6, { state: "failed", error: { code: "BUG", message: "" } });
    expect(await endSweep(database, "rates", 7)).toBe(false);
    expect(await endSweep(database, "rates", 8)).toBe(true);
    const { body } = await get("/v1/sweeps/rates");
    expect(body).toMatchObject({
      state: "done",
      objective: { metric: "loss", goal: "minimize" },
      ranked: [3, 2, 1, 0],
      best: { number: 3, value: 2 },
      title: "rates (of all)",
      resume: "bridle sweep '/far/my rates.yaml' train.maxSteps=5 --name rates --resume",
      space: { "train.seed": { kind: "choice", values: [1, 2] } },
    });
    expect(body.trials).toHaveLength(7);
    expect(body.trials[4]).toMatchObject({ state: "failed", error: { code: "TRIAL_LOST" } });
    expect(body.trials[5].reports).toEqual([{ step: 2, value: 5 }]);
    const shares = Object.values(body.importance) as number[];
    expect(Object.keys(body.importance).sort()).toEqual(["train.learningRate", "train.seed"]);
    expect(shares.reduce((sum, each) => sum + each, 0)).toBeCloseTo(1);
    const other = (await get(`/v1/sweeps/${encodeURIComponent("scores é")}`)).body;
    expect(other.ranked).toEqual([0, 1, 2, 3]);
    // Another complete trial changes what decides the objective; the answer is not an old one.
    await endTrial(database, "scores é", 6, { state: "complete", value: 90, step: 2 });
    const later = (await get(`/v1/sweeps/${encodeURIComponent("scores é")}`)).body;
    expect(later.ranked[0]).toBe(6);
    expect(later.importance).not.toEqual(other.importance);
  });

  it("has rows that a check looks through", async () => {
    const { database } = await start();
    await makeSweep(database, "rates", "minimize");
    expect(await findSweepFaults(database)).toEqual([]);
    await database.query("UPDATE sweep SET state = 'done'");
    await joinSweep(database, "none", 1).touch();
    await addReport(database, "rates", 70, { step: 1, value: 1 });
    expect(await findSweepFaults(database)).toEqual([
      "1 reports of no trial",
      "1 workers of no sweep",
      "1 sweeps that are done with trials that are not",
    ]);
  });

  it("says what is not there", async () => {
    const { get } = await start();
    const { status, body } = await get("/v1/sweeps/none");
    expect([status, body.code]).toEqual([404, "SWEEP_NOT_RECORDED"]);
    expect((await get("/v1/sweeps?limit=1")).status).toBe(400);
  });

  it("is for operators, and for this machine's own pages", async () => {
    const { get } = await start({ apiKeys: ["reading-key-01=read", "other-key-0001=summarize"] });
    expect((await get("/v1/sweeps")).status).toBe(401);
    expect((await get("/v1/sweeps", { "x-api-key": "other-key-0001" })).status).toBe(403);
    expect((await get("/v1/sweeps", { "x-api-key": "reading-key-01" })).status).toBe(200);
    const { get: local } = await start();
    expect((await local("/v1/sweeps", { origin: "https://elsewhere.example" })).status).toBe(403);
  });
});
