// Trainings recorded in whatever state the database and the disk are: nothing waits for them, and nothing is lost.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { deliverLeft, openDatabase, openRuns, openTracking } from "../../src/compose.js";
import { checkRunConfig } from "../../src/config/load.js";
import { BridleError } from "../../src/errors/error.js";
import { recordTraining, type TrackingParts } from "../../src/loop/record-training.js";
import type { Database } from "../../src/ports/database.js";
import { findTrackingFaults } from "../../src/track/check.js";
import { listRuns } from "../../src/track/read.js";
import { writeEvents } from "../../src/track/write.js";
import type { TrainEvent } from "../../src/train/events.js";
import type { TrainResult } from "../../src/train/loop.js";
import { canMount, mountSmallDisk } from "../support/small-disk.js";
import { type HomeEnvironment, homeEnvironment } from "../support/suite-database.js";
import { madeRun, point } from "../support/tracked-runs.js";

const root = mkdtempSync(path.join(tmpdir(), "bridle-record-"));
afterAll(() => rmSync(root, { recursive: true }));
let home: string;
let warnings: string[];
let environment: HomeEnvironment;
let made = 0;
beforeEach(async () => {
  home = path.join(root, `home-${++made}`);
  environment = await homeEnvironment(home);
  warnings = [];
});
const env = () => environment;
const onWarning = (told: string) => void warnings.push(told);

const configOf = (output: string) =>
  checkRunConfig({ model: { name: "x" }, data: { train: "x.jsonl" }, train: { output } });

const started = (step = 0): TrainEvent => ({
  ...{ type: "start", totalSteps: 10, step, learnedParameters: 1, parameters: 1, device: "cpu" },
});
const stepped = (step: number): TrainEvent => ({
  ...{ type: "step", step, epoch: step / 10, loss: 1 / step, gradNorm: 1, learningRate: 1e-3 },
  ...{ tokens: 10, tokensPerSecond: 5 },
});

/** What training ends with, in a folder of that name. */
function resultIn(folder: string): TrainResult {
  mkdirSync(folder, { recursive: true });
  return { folder, record: { step: 3 } as TrainResult["record"] };
}

async function withRuns<Result>(work: (database: Database) => Promise<Result>): Promise<Result> {
  const database = await openRuns(undefined, env());
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** The steps of each run's loss. */
const recorded = () =>
  withRuns(async (database) => {
    expect(await findTrackingFaults(database)).toEqual([]);
    const { runs } = await listRuns(database, { sort: "name" });
    return runs.map(({ name, status, metrics }) => [
      name,
      status,
      metrics["train/loss"]?.count ?? 0,
    ]);
  });

it("records two trainings at once, each by itself, and a third one of a folder that is in use not at all", async () => {
  const all = await Promise.all(
    ["one", "two"].map(async (name) => {
      const parts = await openTracking({ env: env(), onWarning });
      const output = path.join(root, `${made}-${name}`);
      return { parts, output, record: recordTraining(configOf(output), parts, { name }) };
    }),
  );
  for (const { record } of all) record.onEvent(started());
  const third = recordTraining(configOf(all[0]?.output ?? ""), all[0]?.parts as TrackingParts);
  const inUse = new BridleError("OUTPUT_IN_USE", { folder: "x", pid: 1 });
  expect(await third.fail(inUse)).toBe(true);
  expect(third.run).toBeUndefined();
  for (let step = 1; step <= 200; step++) {
    for (const { record } of all) {
      record.onEvent(stepped(step));
      if (step % 20 === 0) await record.keep();
    }
  }
  const whole = await Promise.all(all.map(({ record, output }) => record.finish(resultIn(output))));
  expect(whole).toEqual([true, true]);
  for (const { parts } of all) await parts.close();
  expect(await recorded()).toEqual([
    ["one", "finished", 200],
    ["two", "finished", 200],
  ]);
  expect(readdirSync(path.join(home, "spool"))).toEqual([]);
});

it("goes on as the run that was killed, whose last events it fills in", async () => {
  const output = path.join(root, `${made}-out`);
  const config = configOf(output);
  const first = await openTracking({ env: env(), onWarning });
  const record = recordTraining(config, first);
  record.onEvent(started());
  for (let step = 1; step <= 3; step++) record.onEvent(stepped(step));
  await record.fail(new Error("the machine burns"));
  await first.close();
  const second = await openTracking({ env: env(), onWarning });
  const again = recordTraining(config, second);
  again.onEvent(started(2));
  again.onEvent(stepped(3));
  expect(await again.finish(resultIn(output))).toBe(true);
  await second.close();
  expect(again.run?.id).toBe(record.run?.id);
  expect(again.run?.takenUpAt).toBeGreaterThan(record.run?.takenUpAt ?? Number.NaN);
  expect(await recorded()).toEqual([[path.basename(output), "finished", 3]]);
});

describe("a model that was whole before its run could tell so", () => {
  /** A run of three steps that is killed; its folder knows one more, and its model is made some time after its beginning. */
  async function killAtEnd(madeAfterMs: number) {
    const output = path.join(root, `${made}-out`);
    const config = configOf(output);
    const parts = await openTracking({ env: env(), onWarning });
    const record = recordTraining(config, parts);
    for (const event of [started(), ...[1, 2, 3].map(stepped)]) record.onEvent(event);
    await record.fail(new Error("the machine burns"));
    await parts.close();
    const result = resultIn(output);
    const told = [1, 2, 3, 4].map((step) => `${JSON.stringify(stepped(step))}\n`);
    writeFileSync(path.join(output, "events.jsonl"), told.join(""));
    writeFileSync(path.join(output, "bridle.json"), "{}");
    const createdAt = new Date((record.run?.startedAt ?? Number.NaN) + madeAfterMs).toISOString();
    return {
      config,
      id: record.run?.id,
      result: { ...result, record: { ...result.record, createdAt } },
    };
  }

  it("has its run finished by the next training, which finds nothing to do", async () => {
    const { config, id, result } = await killAtEnd(5);
    const parts = await openTracking({ env: env(), onWarning });
    const record = recordTraining(config, parts);
    expect(await record.finish(result)).toBe(true);
    await parts.close();
    expect(record.run?.id).toBe(id);
    expect(await recorded()).toEqual([[path.basename(result.folder), "finished", 4]]);
    // Once it is told, there is nothing to record.
    const later = await openTracking({ env: env(), onWarning });
    const third = recordTraining(config, later);
    expect(await third.finish(result)).toBe(true);
    await later.close();
    expect(third.run).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it("is no result of a run that began after it was made", async () => {
    const { config, result } = await killAtEnd(-5);
    const parts = await openTracking({ env: env(), onWarning });
    const record = recordTraining(config, parts);
    expect(await record.finish(result)).toBe(true);
    await parts.close();
    expect(record.run).toBeUndefined();
    expect(await recorded()).toEqual([[path.basename(result.folder), "failed", 3]]);
  });

  it("is left as it is told where no database answers, with a warning", async () => {
    const { config, result } = await killAtEnd(5);
    const parts = await openTracking({ env: env(), onWarning });
    const hanging = { ...parts, openDatabase: () => new Promise<Database>(() => {}) };
    const record = recordTraining(config, hanging, { lookMs: 20 });
    expect(await record.finish(result)).toBe(true);
    await parts.close();
    expect(warnings).toEqual([expect.stringMatching(/is not looked at: .*it gave no answer/)]);
  });
});

it("waits for no database: one that does not answer makes it a new run, which is told later", async () => {
  const parts = await openTracking({ env: env(), onWarning });
  const hanging = { ...parts, openDatabase: () => new Promise<Database>(() => {}) };
  const output = path.join(root, `${made}-out`);
  const record = recordTraining(configOf(output), hanging, { lookMs: 20 });
  record.onEvent(started());
  record.onEvent(stepped(1));
  // Nothing was waited for so far.
  expect(record.run).toBeUndefined();
  await record.keep();
  expect(record.run?.id).toMatch(/^[a-z2-9]{8}$/);
  expect(warnings).toEqual([expect.stringMatching(/this one is a new one: .*it gave no answer/)]);
  expect(await record.finish(resultIn(output))).toBe(true);
  await parts.close();
  expect(await recorded()).toEqual([[path.basename(output), "finished", 1]]);
});

it("keeps what it tells beside a database of a newer version, which it does not touch", async () => {
  await withRuns((database) =>
    database.query(
      "INSERT INTO bridle_migrations (component, version, name, checksum, applied_at) VALUES ('track', 99, 'later', 'x', 1)",
    ),
  );
  const parts = await openTracking({ env: env(), onWarning });
  const output = path.join(root, `${made}-out`);
  const record = recordTraining(configOf(output), parts);
  record.onEvent(started());
  for (let step = 1; step <= 3; step++) record.onEvent(stepped(step));
  await record.keep();
  expect(await record.finish(resultIn(output))).toBe(false);
  await parts.close();
  expect(warnings.join("\n")).toMatch(/newer/);
  await expect(openRuns(undefined, env())).rejects.toMatchObject({ code: "DATABASE_NEWER" });
  const left = await deliverLeft({ env: env(), onWarning: () => {} });
  expect(left).toMatchObject([{ run: record.run, error: { code: "DATABASE_NEWER" } }]);
  // As if the newer version had been taken back.
  const database = await openDatabase(env().BRIDLE_DB ?? path.join(home, "bridle.db"), []);
  await database.query("DELETE FROM bridle_migrations WHERE version = 99");
  await database.close();
  expect(await deliverLeft({ env: env(), onWarning })).toMatchObject([{ error: undefined }]);
  expect(await recorded()).toEqual([[path.basename(output), "finished", 3]]);
});

describe.skipIf(!canMount)("on a full disk", () => {
  it("goes on, can be looked at, and records everything once there is room", async () => {
    const disk = mountSmallDisk(4);
    if (disk === undefined) throw new Error("no disk can be mounted");
    onTestFinished(() => disk.unmount());
    home = path.join(disk.folder, "home");
    // Its rows are to be on that disk, whatever database the suite is run on.
    environment = { BRIDLE_HOME: home };
    const parts = await openTracking({ env: env(), onWarning });
    onTestFinished(() => parts.close());
    const output = path.join(root, `${made}-out`);
    const record = recordTraining(configOf(output), parts);
    record.onEvent(started());
    record.onEvent(stepped(1));
    await record.keep();
    await withRuns(async (database) => {
      disk.fill();
      const large = Array.from({ length: 20_000 }, (_, step) => point("loss", step, step));
      await expect(
        writeEvents(database, madeRun("zzzz2222"), [{ type: "points", points: large }]),
      ).rejects.toMatchObject({ code: "DATABASE_FULL" });
      // Nothing of it is there, and the rest can be read.
      expect((await listRuns(database)).runs.map(({ id }) => id)).not.toContain("zzzz2222");
    });
    for (let step = 2; step <= 3000; step++) record.onEvent(stepped(step));
    await record.keep();
    disk.drain();
    await record.keep();
    expect(await record.finish(resultIn(output))).toBe(true);
    expect(await recorded()).toEqual([[path.basename(output), "finished", 3000]]);
    expect(readdirSync(path.join(home, "spool"))).toEqual([]);
  });
});
