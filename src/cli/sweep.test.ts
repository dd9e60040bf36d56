// What a sweep prints at its end can be typed, and what it came to is told whatever the registry says.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { makeScriptedTrials } from "../../test/support/scripted-trials.js";
import { openDatabase } from "../compose.js";
import { openSweep } from "../loop/sweep/plan.js";
import { claimSweepFolder } from "../loop/sweep/sweep-folder.js";
import { addTrial, beginSweep, endTrial, listSweeps } from "../loop/sweep/sweep-store.js";
import { checkModelName } from "../registry/version-name.js";
import { runProgram } from "./program.js";
import { modelNameOf, trainCommand } from "./sweep.js";
import { wasTold } from "./terminal.js";

it("names the command that trains a trial by itself, with the sweep's own words, for a shell", () => {
  const config = { objective: { metric: "rougeL", goal: "maximize" } } as never;
  const parameters = {
    "train.learningRate": 0.0012,
    "train.optimizer.name": "adafactor",
    "data.prefix": "summarize: it's ",
    "train.maxGradNorm": null,
  };
  const plan = { run: join(process.cwd(), "my runs", "params.yaml"), config };
  expect(
    trainCommand({ ...plan, words: ["model=tiny", "data.train=[a, b]"] }, { parameters }),
  ).toBe(
    "bridle train 'my runs/params.yaml' model=tiny 'data.train=[a, b]' evaluate.metric=rougeL train.learningRate=0.0012 " +
      "train.optimizer.name=adafactor 'data.prefix=\"summarize: it'\\''s \"' train.maxGradNorm=null",
  );
  const places = { db: "postgres://me:secret@host/team", store: "s3://models of us" };
  expect(trainCommand({ ...plan, run: null, words: [] }, { parameters: {} }, places)).toBe(
    "bridle train evaluate.metric=rougeL --db postgres://me@host/team --store 's3://models of us'",
  );
  expect(trainCommand({ ...plan, run: null, words: [] }, { parameters: {} })).toBe(
    "bridle train evaluate.metric=rougeL",
  );
});

it.each([
  ["rates", "rates"],
  ["Rates of é 2", "rates-of-e-2"],
  ["bert_lr", "bert-lr"],
])("registers the best of %j as %s", (sweep, model) => {
  expect(modelNameOf(sweep)).toBe(model);
});

it("registers sweeps whose names have other letters under names of their own", () => {
  const sweeps = [
    "поиск",
    "模型",
    "поиск-2",
    "模型-2",
    "extractive",
    "x".repeat(90),
    "x".repeat(91),
  ];
  const models = sweeps.map(modelNameOf);
  expect(new Set(models).size).toBe(sweeps.length);
  for (const model of models) expect(checkModelName(model)).toBe(model);
  expect(models[2]).toMatch(/^2-[0-9a-f]{8}$/);
});

describe("a sweep whose best cannot be registered", () => {
  let root: string;
  let made = 0;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "bridle-sweep-cli-"));
  });
  afterAll(() => rm(root, { recursive: true }));

  /** A sweep of two trials that have ended, whose folders hold no model. */
  async function makeEnded() {
    const folder = join(root, String(++made));
    const { file } = await makeScriptedTrials(folder, {
      space: { "train.seed": [1, 2] },
      sampler: "grid",
    });
    const db = join(folder, "state.db");
    const sweep = await openSweep(file);
    const output = join(folder, "trials");
    await claimSweepFolder(output, { sweep: "sweep", planSha256: sweep.sha256 }, true);
    const database = await openDatabase(db);
    const kept = { plan: sweep.plan, planSha256: sweep.sha256, folder: output };
    await beginSweep(database, kept, { resume: false, areTrialsSaid: false });
    for (const number of [0, 1]) {
      const parameters = { "train.seed": number + 1 };
      await addTrial(database, "sweep", { number, parameters, config: {} });
      await endTrial(database, "sweep", number, { state: "complete", value: 3 - number, step: 4 });
    }
    await database.close();
    const terminal = createMemoryTerminal({ env: { BRIDLE_HOME: join(folder, "home") } });
    const run = (...more: string[]) =>
      runProgram(["sweep", file, "--db", db, "--resume", ...more], terminal);
    return { file, db, terminal, run };
  }

  it("tells its table first, then why, and how it is registered later", async () => {
    const { terminal, run } = await makeEnded();
    await expect(run()).rejects.toMatchObject({ code: "FILE_INVALID" });
    expect(terminal.out()).toMatch(/rank[\s\S]*The best, trial 1, is in /);
    expect(terminal.err()).toMatch(
      /bridle models add \S*trials\/1 --name sweep, with the same --db/,
    );
  });

  it("tells a program the same in one document", async () => {
    const { terminal, run } = await makeEnded();
    const failure = await run("--json").then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(JSON.parse(terminal.out())).toMatchObject({
      best: { number: 1, value: 2 },
      ranked: [1, 0],
      registered: null,
      registrationError: { code: "FILE_INVALID" },
    });
    expect(failure !== undefined && wasTold(failure)).toBe(true);
  });

  it("is refused before the first trial where no model can have the name", async () => {
    const folder = join(root, String(++made));
    const { file } = await makeScriptedTrials(folder, { space: { "train.seed": [1, 2] } });
    const db = join(folder, "state.db");
    const run = (name: string) =>
      runProgram(["sweep", file, "--db", db, "--register", name], createMemoryTerminal());
    await expect(run("News")).rejects.toMatchObject({ code: "MODEL_NAME_INVALID" });
    await expect(run("extractive")).rejects.toMatchObject({ code: "MODEL_NAME_INVALID" });
    const database = await openDatabase(db);
    expect(await listSweeps(database)).toEqual([]);
    await database.close();
  });
});
