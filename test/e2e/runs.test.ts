// Training recorded and looked at with `bridle runs`, through the compiled binary.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runBridle } from "../support/run-bridle.js";
import { makeToyRun } from "../support/train-toy.js";

let root: string;
let env: Record<string, string>;
beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), "bridle-runs-"));
  env = { BRIDLE_HOME: path.join(root, "home") };
});
afterAll(() => rmSync(root, { recursive: true }));

const bridle = (...args: string[]) => runBridle(args, { cwd: root, env });
async function json(...args: string[]) {
  const { code, stdout, stderr } = await bridle(...args, "--json");
  expect(code, stderr + stdout).toBe(0);
  return JSON.parse(stdout);
}

it("records a training, lists, shows, compares and exports it, and finds the record consistent", async () => {
  const toy = await makeToyRun(path.join(root, "toy"), { epochs: 1 });
  const file = path.join(root, "params.yaml");
  writeFileSync(file, JSON.stringify(toy));
  const first = await json("train", file, "--experiment", "toys");
  expect(first.run).toMatch(/^[a-z2-9]{8}$/);
  const out = path.join(root, "toy", "out2");
  const second = await json(
    "train",
    file,
    `train.output=${out}`,
    "train.seed=5",
    "--experiment",
    "toys",
    "--run-name",
    "five",
  );
  expect(second.run).not.toBe(first.run);

  // What was trained already is neither trained nor recorded again.
  await json("train", file, "--experiment", "toys");
  await json("train", file, `train.output=${path.join(root, "toy", "out3")}`, "--no-track");
  const failing = await bridle(
    "train",
    file,
    "data.train=nothing.jsonl",
    `train.output=${path.join(root, "toy", "out4")}`,
  );
  expect(failing.code).toBe(4);

  // The run that trained a model is known by the record that lies beside the weights; one was not recorded.
  const runOf = async (folder: string) =>
    (await json("models", "add", folder, "--name", "toys")).card.lineage.runId;
  expect(await runOf(out)).toBe(second.run);
  expect(await runOf(path.join(root, "toy", "out3"))).toBeNull();

  const all = await json("runs", "list");
  expect(all.runs.map((run: { status: string }) => run.status)).toEqual([
    "failed",
    "finished",
    "finished",
  ]);
  expect(all.runs[0].error).toMatch(/nothing\.jsonl/);
  const toys = await json(
    "runs",
    "list",
    "--experiment",
    "toys",
    "--sort",
    "params.train.seed",
    "--filter",
    "status=finished",
  );
  expect(toys.runs.map((run: { id: string }) => run.id)).toEqual(
    [first.run, second.run].sort((a, b) => (a === second.run ? 1 : b === second.run ? -1 : 0)),
  );
  const table = await bridle("runs", "list", "--params", "train.seed");
  expect(table.stdout).toMatch(
    /^id +name +experiment +status +started +took +train\.seed +eval\/rougeL +eval\/loss +train\/loss$/m,
  );
  expect(table.stdout).toMatch(new RegExp(`^${second.run} +five +toys +finished`, "m"));

  const shown = await json("runs", "show", first.run.slice(0, 6), "--logs", "--points", "1000");
  const events = readFileSync(path.join(first.folder, "events.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const steps = events.filter(({ type }) => type === "step");
  const curve = shown.curves.find(({ key }: { key: string }) => key === "train/loss");
  expect(
    curve.points.map(({ step, mean }: { step: number; mean: number }) => [step, mean]),
  ).toEqual(steps.map(({ step, loss }) => [step, loss]));
  const evaluations = events.filter(({ type }) => type === "evaluation");
  expect(shown.metrics["eval/loss"]).toMatchObject({
    last: evaluations.at(-1).report.loss,
    count: evaluations.length,
  });
  expect(shown.params).toMatchObject({ "train.learningRate": "0.002", "data.rows.train": "40" });
  expect(shown.metrics["system/rss_bytes"].last).toBeGreaterThan(1e6);
  const names = shown.artifacts.map(({ name }: { name: string }) => name);
  expect(names).toEqual(
    expect.arrayContaining([
      "bridle.json",
      "config.json",
      "environment.json",
      "model/model.safetensors",
    ]),
  );
  const weights = shown.artifacts.find(
    ({ name }: { name: string }) => name === "model/model.safetensors",
  );
  expect(existsSync(weights.uri)).toBe(true);
  expect(
    shown.lines.some(({ text }: { text: string }) => /^step \d+: validation loss/.test(text)),
  ).toBe(true);
  const plain = await bridle("runs", "show", "five", "--params");
  expect(plain.stdout).toMatch(/^train\/loss .*[▁▂▃▄▅▆▇█]{3,}$/m);

  const compared = await json("runs", "compare", first.run, "five");
  expect(compared.params.map(({ key }: { key: string }) => key)).toEqual([
    "train.output",
    "train.seed",
  ]);
  expect((await bridle("runs", "compare", first.run, "five")).stdout).toMatch(
    /^train\.seed +\S+ +5$/m,
  );

  const csv = await bridle(
    "runs",
    "export",
    first.run,
    "--format",
    "csv",
    "--metrics",
    "train/loss",
  );
  expect(csv.stdout.trim().split("\n")).toHaveLength(steps.length + 1);
  const exported = path.join(root, "runs.jsonl");
  await json("runs", "export", "--output", exported);
  const lines = readFileSync(exported, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.filter(({ type }) => type === "run")).toHaveLength(3);
  const rows = await bridle("runs", "export", "--format", "runs-csv", "--experiment", "toys");
  expect(rows.stdout.split("\n")[0]).toMatch(/params\.train\.seed,.*metrics\.eval\/loss/);

  expect((await bridle("runs", "show", "nothing")).code).toBe(4);
  expect((await bridle("runs", "list", "--filter", "nothing")).stderr).toMatch(
    /FIELD OPERATOR VALUE/,
  );
  const doctor = JSON.parse((await bridle("doctor", "--port", "0", "--json")).stdout);
  const check = doctor.checks.find(({ name }: { name: string }) => name === "database");
  expect(check).toMatchObject({ status: "ok", message: expect.stringMatching(/is consistent$/) });
});

it("trains without a record where the database cannot be used, says so, and keeps it for later", async () => {
  const toy = await makeToyRun(path.join(root, "toy5"), { epochs: 1 });
  const file = path.join(root, "params5.yaml");
  writeFileSync(file, JSON.stringify(toy));
  const home = path.join(root, "home5");
  const spoiled = path.join(root, "spoiled.db");
  writeFileSync(spoiled, "This is no database. ".repeat(400));
  const options = { cwd: root, env: { BRIDLE_HOME: home, BRIDLE_DB: spoiled } };
  const { code, stderr } = await runBridle(["train", file], options);
  expect(code, stderr).toBe(0);
  expect(stderr.match(/warning: track does not take/g)).toHaveLength(1);
  expect(stderr).toMatch(/is damaged/);
  rmSync(spoiled);
  // The next to record something delivers what was kept.
  const next = await runBridle(["train", file], options);
  expect(next.code, next.stderr).toBe(0);
  const { stdout } = await runBridle(["runs", "list", "--json"], options);
  expect(JSON.parse(stdout).runs).toMatchObject([
    { status: "finished", output: path.join(root, "toy5", "out") },
  ]);
});
