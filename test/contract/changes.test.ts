// What has changed, told by name: of runs, sweeps, models and data, on every database, and as a stream of hints.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { keepRegistry, keepRunRecords, migrationSets, openRegistry } from "../../src/compose.js";
import { resolveServeConfig, type ServeConfigInput } from "../../src/config/serve-config.js";
import { openProjectData } from "../../src/data/project-data.js";
import { changesSince, latest, type State, watchState } from "../../src/loop/changes.js";
import type { SweepPlan } from "../../src/loop/sweep/plan.js";
import {
  addReport,
  addTrial,
  beginSweep,
  beginTrial,
  endSweep,
  endTrial,
  setTrialRun,
} from "../../src/loop/sweep/sweep-store.js";
import { joinSweep } from "../../src/loop/sweep/sweep-workers.js";
import { packModel } from "../../src/package/pack-model.js";
import type { Database } from "../../src/ports/database.js";
import { type RunningServer, startServer } from "../../src/server/server.js";
import { writeEvents } from "../../src/track/write.js";
import { describeEachDatabase } from "../support/databases.js";
import { nextEvent, streamedEvents } from "../support/event-streams.js";
import { makeTrainedModel } from "../support/model-packages.js";
import { madeRun, point } from "../support/tracked-runs.js";
import { createToyService } from "./toy-service.js";

const root = mkdtempSync(path.join(tmpdir(), "bridle-changes-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const planOf = (name: string, trials: number) =>
  ({
    ...{ name, trials, words: [] },
    config: { objective: { metric: "loss", goal: "minimize" } },
  }) as unknown as SweepPlan;

async function begin(database: Database, name: string, trials = 4, resume = false) {
  const how = { resume, areTrialsSaid: true };
  await beginSweep(database, { plan: planOf(name, trials), planSha256: "a", folder: name }, how);
}

const nothing = { runs: [], sweeps: [], models: [], data: false };

describeEachDatabase("what has changed", (place) => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });

  it("is told of a sweep by every step that its page shows, and of no other", async () => {
    const database = await place.open(migrationSets);
    const look = () =>
      watchState({ database: async () => database, registry: async () => undefined }, undefined)();
    await begin(database, "rates");
    await begin(database, "other");
    let before = await look();
    const told = async () => {
      const now = await look();
      const { sweeps } = changesSince(before, now);
      before = now;
      return sweeps;
    };
    const steps: readonly (() => Promise<unknown>)[] = [
      () => addTrial(database, "rates", { number: 0, parameters: {}, config: {} }),
      () => beginTrial(database, "rates", 0),
      () => setTrialRun(database, "rates", 0, "aaaa2222"),
      () => addReport(database, "rates", 0, { step: 1, value: 2 }),
      () => endTrial(database, "rates", 0, { state: "complete", value: 1, step: 1 }),
      () => joinSweep(database, "rates", 1).touch(),
      () => database.query("DELETE FROM sweep_worker WHERE sweep = 'rates'"),
      () => begin(database, "rates", 1, true),
      () => endSweep(database, "rates", 1),
      // One that is done is gone on with.
      () => begin(database, "rates", 9, true),
    ];
    for (const [place, step] of steps.entries()) {
      await step();
      expect([place, await told()]).toEqual([place, ["rates"]]);
      expect(await told()).toEqual([]);
    }
  });

  it("is told of runs, of models and of the data that they are made of", async () => {
    const db = await place.createUrl();
    const database = await place.open(migrationSets, db);
    const registry = await openRegistry({ db, store: path.join(root, `s-${place.kind}`), env: {} });
    open.push(registry);
    const look = () =>
      watchState({ database: async () => database, registry: async () => registry }, undefined)();
    let before = await look();
    const told = async () => {
      const now = await look();
      const changes = changesSince(before, now);
      before = now;
      return changes;
    };
    expect(await told()).toEqual(nothing);
    const run = madeRun("aaaa2222");
    await writeEvents(database, run, [{ type: "points", points: [point("loss", 1, 3)] }]);
    expect(await told()).toEqual({ ...nothing, runs: ["aaaa2222"], data: true });
    await writeEvents(database, run, [{ type: "points", points: [point("loss", 2, 2)] }]);
    // What it learns from has not changed by that.
    expect(await told()).toEqual({ ...nothing, runs: ["aaaa2222"] });
    await writeEvents(database, run, [
      { type: "end", status: "finished", at: Date.now(), error: "" },
    ]);
    expect(await told()).toEqual({ ...nothing, runs: ["aaaa2222"], data: true });

    const packed = await packModel(await makeTrainedModel(path.join(root, `m-${place.kind}`)));
    await registry.add("news", packed, { card: packed.card, by: "ada" });
    expect(await told()).toEqual({ ...nothing, models: ["news"], data: true });
    await registry.promote("news", 1, { by: "ada", alias: "live" });
    expect((await told()).models).toEqual(["news"]);
    expect(await told()).toEqual(nothing);
  });

  it("is told of runs that change twice within a millisecond", async () => {
    const database = await place.open(migrationSets);
    const look = () =>
      watchState({ database: async () => database, registry: async () => undefined }, undefined)();
    const run = madeRun("aaaa2222");
    const clock = vi.spyOn(Date, "now").mockReturnValue(run.startedAt + 1000);
    try {
      let before = await look();
      for (const step of [1, 2, 3]) {
        await writeEvents(database, run, [{ type: "points", points: [point("loss", step, 1)] }]);
        const now = await look();
        expect([step, changesSince(before, now).runs]).toEqual([step, ["aaaa2222"]]);
        before = now;
      }
    } finally {
      clock.mockRestore();
    }
  });

  it("is told once a part that was away answers again", async () => {
    const database = await place.open(migrationSets);
    let isAway = false;
    const look = () =>
      watchState(
        {
          database: async () => {
            if (isAway) throw new Error("away");
            return database;
          },
          registry: async () => undefined,
        },
        undefined,
      )();
    const before = await look();
    isAway = true;
    const away = await look();
    expect(changesSince(before, away)).toEqual(nothing);
    await begin(database, "rates");
    isAway = false;
    expect(changesSince(latest(before, away), await look()).sweeps).toEqual(["rates"]);
  });
});

describe("the stream of hints", () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });
  let made = 0;
  const start = async (config: ServeConfigInput = {}) => {
    const home = path.join(root, `home-${++made}`);
    const env = { BRIDLE_HOME: home };
    const folder = path.join(root, `project-${made}`);
    mkdirSync(path.join(folder, ".dvc"), { recursive: true });
    writeFileSync(path.join(folder, ".dvc", "config"), "");
    const [records, registry] = [keepRunRecords({ env }), keepRegistry({ env })];
    const project = openProjectData(folder);
    const server: RunningServer = await startServer(
      resolveServeConfig({ port: 0, logLevel: "silent", ...config }, {}),
      { ...createToyService(), runs: records.find, registry: registry.find, project },
      { files: { dashboard: "/nonexistent", docs: "/nonexistent" } },
    );
    open.push(records, registry, project, server);
    const stop = new AbortController();
    open.push({ close: async () => stop.abort() });
    const listen = (headers: Record<string, string> = {}) =>
      streamedEvents(`${server.url}/v1/events`, { headers, signal: stop.signal });
    return { env, folder, server, listen };
  };

  it("says when it listens, and then what is another", async () => {
    const { env, folder, listen } = await start();
    const events = listen();
    expect(await nextEvent(events)).toEqual({ name: "watching", data: {} });
    const registry = await openRegistry({ env });
    open.push(registry);
    const packed = await packModel(await makeTrainedModel(path.join(root, "m-stream")));
    await registry.add("news", packed, { card: packed.card, by: "ada" });
    const model = await nextEvent(events, ({ data }) => data.models !== undefined);
    expect(model).toMatchObject({ name: "changed", data: { models: ["news"], data: true } });
    // A file that is tracked from now on.
    writeFileSync(
      path.join(folder, "rows.jsonl.dvc"),
      "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  size: 0\n  path: rows.jsonl\n",
    );
    const { data } = await nextEvent(events, ({ data: told }) => told.models === undefined);
    expect(data).toEqual({ data: true });
  });

  it("tells whoever may only summarize of what is served alone", async () => {
    const { env, listen } = await start({
      apiKeys: ["reading-key-01=read", "other-key-0001=summarize"],
    });
    await expect(nextEvent(listen())).rejects.toThrow("KEY_MISSING");
    const [all, some] = [
      listen({ "x-api-key": "reading-key-01" }),
      listen({ "x-api-key": "other-key-0001" }),
    ];
    for (const each of [all, some]) expect((await nextEvent(each)).name).toBe("watching");
    const registry = await openRegistry({ env });
    open.push(registry);
    const packed = await packModel(await makeTrainedModel(path.join(root, "m-keys")));
    await registry.add("news", packed, { card: packed.card, by: "ada" });
    await nextEvent(all, ({ data }) => data.models !== undefined);
    const first = nextEvent(some).then(({ name }) => name);
    await registry.promote("news", 1, { by: "ada", alias: "live" });
    await nextEvent(all, ({ data }) => data.models !== undefined);
    expect(await Promise.race([first, Promise.resolve("nothing")])).toBe("nothing");
    first.catch(() => {});
  });

  it("is refused to pages of other sites", async () => {
    const { server } = await start();
    const response = await fetch(`${server.url}/v1/events`, {
      headers: { origin: "https://elsewhere.example" },
    });
    expect(response.status).toBe(403);
  });
});

it("takes what is not known for what was known before", () => {
  const known: State = {
    runs: new Map(),
    sweeps: new Map([["a", "1"]]),
    models: new Map(),
    data: undefined,
  };
  const none: State = { runs: undefined, sweeps: undefined, models: undefined, data: undefined };
  expect(latest(known, none)).toEqual(known);
  expect(changesSince(none, known).sweeps).toEqual(["a"]);
});
