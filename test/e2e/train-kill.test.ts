// kill -9 in every phase of a run: what is left is whole, and the run ends with the weights, and the record, of one that
// was left alone.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { deliverLeft, findDatabaseFaults, openRuns } from "../../src/compose.js";
import type { RunConfigInput } from "../../src/config/run-config.js";
import { readPoints } from "../../src/track/export.js";
import { listRuns } from "../../src/track/read.js";
import { makeToyRun } from "../support/train-toy.js";

const bridle = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-kill-"));
});
afterAll(() => rm(root, { recursive: true }));

/** The configuration as a file; JSON is YAML. */
async function start(folder: string, input: RunConfigInput): Promise<ChildProcess> {
  const file = join(folder, "params.yaml");
  await writeFile(file, JSON.stringify(input));
  return spawn(process.execPath, [bridle, "train", file], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, BRIDLE_HOME: join(folder, "home") },
  });
}

/**
 * What is recorded under a folder, after what is inconsistent in it, which is nothing.
 * @param isDelivered whether the database gets first what a killed process left for it
 */
async function readRecord(folder: string, isDelivered = true) {
  const home = { BRIDLE_HOME: join(folder, "home") };
  if (isDelivered) await deliverLeft({ env: home, onWarning: (told) => expect(told).toBe("") });
  expect((await findDatabaseFaults(undefined, undefined, home)).faults).toEqual([]);
  const database = await openRuns(undefined, home);
  try {
    const { runs } = await listRuns(database);
    const points = new Map<string, readonly (readonly [step: number, value: number | null])[]>();
    for (const { id } of runs) {
      for await (const some of readPoints(database, id)) {
        for (const { key, step, value } of some) {
          points.set(key, [...(points.get(key) ?? []), [step, value]]);
        }
      }
    }
    return { runs, points };
  } finally {
    await database.close();
  }
}

/** Steps in the folder's own file of events, which is written before the record is told of them. */
async function stepsTold(out: string): Promise<number[]> {
  const text = await readFile(join(out, "events.jsonl"), "utf8").catch(() => "");
  const lines = text
    .split("\n")
    .filter((line) => line.startsWith('{"type":"step"') && line.endsWith("}"));
  return lines.map((line) => JSON.parse(line).step as number);
}

async function finish(child: ChildProcess): Promise<string> {
  let told = "";
  child.stderr?.on("data", (chunk) => (told += String(chunk)));
  const [code] = await once(child, "exit");
  expect(code, told).toBe(0);
  return told;
}

interface Moment {
  readonly phase: string;
  readonly folder: string;
  /** What appears there. */
  readonly name: RegExp;
  /** For which time. */
  readonly nth: number;
}

/** Events after which a run is killed where its moment does not come, so that all moments fall into it. */
const latest = 16;

/**
 * Kills the process at a moment, or at the latest after so many events in a folder.
 * @returns whether it was the moment that was asked for
 */
async function killAt(child: ChildProcess, out: string, moment: Moment): Promise<boolean> {
  for (const folder of [moment.folder, out]) await mkdir(folder, { recursive: true });
  let hit = false;
  const watchers = [
    { ...moment, isMeant: true },
    { folder: out, name: events, nth: latest, isMeant: false },
  ].map(({ folder, name, nth, isMeant }) => {
    let seen = 0;
    return watch(folder, (_, file) => {
      if (file === null || !name.test(file) || ++seen < nth) return;
      hit ||= isMeant;
      child.kill("SIGKILL");
    });
  });
  await once(child, "exit");
  for (const watcher of watchers) watcher.close();
  return hit;
}

const events = /^events\.jsonl$/;

it("ends with the same weights after twenty kills in steps, checkpoints, evaluations and the end", async () => {
  const options = { epochs: 24, checkpointEvery: 4, evaluateEvery: 6 };
  const whole = join(root, "whole");
  await finish(await start(whole, await makeToyRun(whole, options)));
  const expected = await readFile(join(whole, "out", "model.safetensors"));

  const killed = join(root, "killed");
  const input = await makeToyRun(killed, options);
  const out = join(killed, "out");
  const checkpoints = join(out, "checkpoints");
  // Events are told at each step and after each evaluation and checkpoint; how many came before says where a run is.
  const inTurn: Moment[] = [
    { phase: "steps", folder: out, name: events, nth: 6 },
    { phase: "checkpoint begun", folder: checkpoints, name: /^step-\d+\.tmp$/, nth: 1 },
    { phase: "steps", folder: out, name: events, nth: 9 },
    { phase: "evaluation's best model begun", folder: out, name: /^best\.tmp$/, nth: 1 },
    { phase: "checkpoint done", folder: checkpoints, name: /^step-\d+$/, nth: 1 },
    { phase: "steps", folder: out, name: events, nth: 12 },
  ];
  const moments: Moment[] = [
    ...Array.from({ length: 18 }, (_, i) => inTurn[i % inTurn.length] as Moment),
    { phase: "export begun", folder: out, name: /^model\.safetensors\.tmp$/, nth: 1 },
    { phase: "export nearly done", folder: out, name: /^bridle\.json\.tmp$/, nth: 1 },
  ];
  const hits = new Map<string, number>();
  const ids = new Set<string>();
  const missing: number[] = [];
  for (const [i, moment] of moments.entries()) {
    const child = await start(killed, input);
    const atEnd = i >= 18;
    const hit = atEnd
      ? await killAt(child, join(root, "nowhere"), moment)
      : await killAt(child, out, moment);
    expect(child.signalCode, `${i}: ${moment.phase}`).toBe("SIGKILL");
    if (hit) hits.set(moment.phase, (hits.get(moment.phase) ?? 0) + 1);
    for (const step of await readdir(checkpoints).catch(() => [])) {
      if (!/^step-\d+$/.test(step)) continue;
      // A checkpoint that can be seen is whole.
      const files = await readdir(join(checkpoints, step));
      expect(files.sort()).toEqual(["progress.json", "state.safetensors"]);
    }
    // Every second time it is the next training that delivers.
    const isDelivered = i % 2 === 0;
    const { runs, points } = await readRecord(killed, isDelivered);
    if (runs.length === 0) continue;
    ids.add(runs.map(({ id }) => id).join());
    expect(runs.map(({ status }) => status)).toEqual(["interrupted"]);
    // What is recorded are the first of the steps, without a hole.
    const recorded = (points.get("train/loss") ?? []).map(([step]) => step);
    expect(recorded).toEqual(Array.from({ length: recorded.length }, (_, index) => index + 1));
    // Nothing that came before the last checkpoint is missing.
    const kept = (await readdir(checkpoints).catch(() => [])).map(
      (name) => /^step-(\d+)$/.exec(name)?.[1] ?? 0,
    );
    if (isDelivered) {
      expect(recorded.length).toBeGreaterThanOrEqual(Math.max(0, ...kept.map(Number)));
    }
    // Those it may miss are of the last second: a few dozen at toy size.
    missing.push((await stepsTold(out)).filter((step) => step > recorded.length).length);
  }
  // One run, however often it was taken up again.
  expect(ids.size).toBe(1);
  expect([...hits.keys()].sort()).toEqual([...new Set(moments.map(({ phase }) => phase))].sort());
  await finish(await start(killed, input));
  expect(await readFile(join(out, "model.safetensors"))).toEqual(expected);
  expect((await readdir(out)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  console.log(`steps not yet recorded at each kill: ${missing.join(" ")}`);
  const [alone, again] = [await readRecord(whole), await readRecord(killed)];
  expect(again.runs.map(({ status }) => status)).toEqual(["finished"]);
  for (const key of [
    "train/loss",
    "train/grad_norm",
    "train/learning_rate",
    "eval/loss",
    "eval/rouge1",
  ]) {
    expect(alone.points.get(key)?.length, key).toBeGreaterThan(0);
    expect(again.points.get(key), key).toEqual(alone.points.get(key));
  }
}, 600_000);

it("has the run finished that was killed when its model was whole, and before that was recorded", async () => {
  const killOne = async (attempt: number) => {
    const folder = join(root, `whole-model-${attempt}`);
    const input = await makeToyRun(folder, { epochs: 6, checkpointEvery: 4, evaluateEvery: 6 });
    const out = join(folder, "out");
    const moment = { phase: "export done", folder: out, name: /^bridle\.json$/, nth: 1 };
    await killAt(await start(folder, input), join(root, "nowhere"), moment);
    return { folder, input, out, before: (await readRecord(folder)).runs };
  };
  let killed = await killOne(0);
  // On a busy machine the kill may come after the record of the end; it has to come before once.
  for (let attempt = 1; killed.before[0]?.status === "finished" && attempt < 5; attempt++) {
    killed = await killOne(attempt);
  }
  const { folder, input, out, before } = killed;
  expect(before.map(({ status }) => status)).toEqual(["interrupted"]);
  const model = await readFile(join(out, "bridle.json"), "utf8");
  await finish(await start(folder, input));
  const { runs, points } = await readRecord(folder);
  expect(runs.map(({ id, status }) => [id, status])).toEqual([[before[0]?.id, "finished"]]);
  expect(points.get("train/loss")?.map(([step]) => step)).toEqual(await stepsTold(out));
  expect(runs[0]?.tags["best.step"]).toBe(String(JSON.parse(model).step));
  expect(await readFile(join(out, "bridle.json"), "utf8")).toBe(model);
}, 120_000);
