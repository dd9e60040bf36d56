// kill -9 of a sweep and its trials' processes, again and again: taken up, it ends as planned, no trial lost or doubled.
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Outcome, runBridle, startBridle } from "../support/run-bridle.js";
import { makeToyRun } from "../support/train-toy.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-sweep-kill-"));
});
afterAll(() => rm(root, { recursive: true }));

async function make(name: string): Promise<string> {
  const folder = join(root, name);
  const input = await makeToyRun(folder, { maxSteps: 12, evaluateEvery: 4, checkpointEvery: 2 });
  await writeFile(
    join(folder, "params.yaml"),
    JSON.stringify({ ...input, evaluate: { generate: false } }),
  );
  await writeFile(
    join(folder, "sweep.yaml"),
    JSON.stringify({
      space: { "train.learningRate": { min: 1e-4, max: 1e-2, log: true } },
      sampler: { name: "tpe", startupTrials: 3 },
      trials: 6,
    }),
  );
  return folder;
}

interface Report {
  readonly planned: number;
  readonly best: { readonly number: number };
  readonly registered: { readonly model: string; readonly version: number };
  readonly importance: Readonly<Record<string, number>>;
  readonly trials: readonly {
    readonly number: number;
    readonly state: string;
    readonly value: number;
    readonly parameters: Readonly<Record<string, unknown>>;
  }[];
}

const read = ({ stdout, stderr, code }: Outcome): Report => {
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Report;
};

/** Processes that were started by one, as the system lists them. */
function childrenOf(pid: number): number[] {
  try {
    return execFileSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" })
      .split("\n")
      .flatMap((line) => (line.trim() === "" ? [] : [Number(line)]));
  } catch {
    return [];
  }
}

const sweep = ["sweep", "sweep.yaml", "--json"];

/** The runs that trials are recorded as, by name. */
async function runsOf(folder: string) {
  const { stdout, stderr, code } = await runBridle(
    ["runs", "list", "--experiment", "sweep", "--sort", "name", "--json"],
    { cwd: folder },
  );
  expect(code, stderr).toBe(0);
  const { runs } = JSON.parse(stdout) as { runs: readonly Record<string, unknown>[] };
  expect(runs).toHaveLength(6);
  return runs.map(({ name, status, parent, source, metrics }) => {
    const last = (metrics as Record<string, { last: number; lastStep: number }>)["eval/loss"];
    return { name, status, parent, source, step: last?.lastStep, loss: last?.last };
  });
}

it("ends as planned after kills at any moment", async () => {
  const whole = await make("whole");
  const expected = read(await runBridle(sweep, { cwd: whole }));
  expect(expected.trials).toHaveLength(6);
  expect(expected.registered).toEqual({ model: "sweep", version: 1 });
  expect(Object.keys(expected.importance)).toEqual(["train.learningRate"]);

  const killed = await make("killed");
  const events = (number: number) =>
    readFile(
      join(killed, ".bridle", "sweeps", "sweep", String(number), "events.jsonl"),
      "utf8",
    ).catch(() => "");
  // In the middle of each trial, with what it has checkpointed so far: the sweep with the trial's process, or the sweep alone,
  // whose trial ends by itself then and lets go of its folder.
  for (const [number, lines, isAlone] of [
    [0, 3, true],
    [1, 9, false],
    [2, 1, false],
    [4, 14, true],
  ] as const) {
    const isFirst = number === 0;
    const { child, ended } = startBridle([...sweep, ...(isFirst ? [] : ["--resume"])], {
      cwd: killed,
    });
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    while (!isOver && (await events(number)).split("\n").length <= lines) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(isOver).toBe(false);
    const trials = childrenOf(child.pid!);
    child.kill("SIGKILL");
    for (const pid of isAlone ? [] : trials) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself since.
      }
    }
    await ended;
  }
  const found = read(await runBridle([...sweep, "--resume"], { cwd: killed }));
  expect(await runsOf(killed)).toEqual(await runsOf(whole));
  const outline = ({ trials, best }: Report) => ({
    best: best.number,
    trials: trials.map(({ number, state, value, parameters }) => ({
      number,
      state,
      value,
      parameters,
    })),
  });
  expect(outline(found)).toEqual(outline(expected));
}, 300_000);

it("records a trial whose process is killed twice, and goes on", async () => {
  const folder = await make("lost");
  const { child, ended } = startBridle(
    ["sweep", "sweep.yaml", "--json", "--trials", "2", "--no-register"],
    { cwd: folder },
  );
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  const killed = new Set<number>();
  while (killed.size < 2 && !isOver) {
    for (const pid of childrenOf(child.pid!)) {
      if (killed.has(pid)) continue;
      process.kill(pid, "SIGKILL");
      killed.add(pid);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { trials } = read(await ended);
  expect(trials.map(({ state }) => state)).toEqual(["failed", "complete"]);
}, 300_000);
