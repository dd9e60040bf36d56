// A training told to Weights & Biases' stand-in, stopped by Ctrl-C and taken up again, through the compiled binary.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { runBridle, startBridle } from "../support/run-bridle.js";
import { makeToyRun } from "../support/train-toy.js";
import { startFakeWandb } from "../support/wandb-server.js";

/** Every file below a folder. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

it("ends by Ctrl-C as without it, goes on in the same run, and keeps its key to itself", async () => {
  const root = mkdtempSync(path.join(tmpdir(), "bridle-runs-wandb-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const server = await startFakeWandb();
  onTestFinished(server.close);
  const env = { BRIDLE_HOME: path.join(root, "home"), NETRC: path.join(root, "none") };
  const params = path.join(root, "params.yaml");
  writeFileSync(params, JSON.stringify(await makeToyRun(path.join(root, "toy"), { epochs: 24 })));
  const words = ["train", params, "--experiment", "ships", `--sink=wandb=${server.url}`];

  const keyless = await runBridle(words, { cwd: root, env });
  expect(keyless.code, keyless.stderr).toBe(3);
  expect(keyless.stderr).toMatch(/There is no key for .*WANDB_API_KEY/s);
  expect(readdirSync(path.join(root, "toy", "out"))).not.toContain("events.jsonl");

  const keyed = { ...env, WANDB_API_KEY: server.key };
  const { child, ended } = startBridle(words, { cwd: root, env: keyed });
  while ((server.runs[0]?.history.length ?? 0) === 0 && child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill("SIGINT");
  const stopped = await ended;
  expect([stopped.code, stopped.signal], stopped.stderr).toEqual([130, null]);
  expect(server.runs).toMatchObject([{ project: "ships", entity: "me", state: "killed" }]);

  const resumed = await runBridle([...words, "--json"], { cwd: root, env: keyed });
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(server.runs).toMatchObject([{ state: "finished", displayName: "out" }]);
  const [told] = server.runs;
  const { run } = JSON.parse(resumed.stdout);
  expect(told?.name).toBe(run);
  expect(told?.history.map(({ _step }) => _step)).toEqual(told?.history.map((_, i) => i));
  const shown = await runBridle(["runs", "show", run, "--points", "10000", "--json"], {
    cwd: root,
    env,
  });
  type Curve = { readonly key: string; readonly points: { step: number; mean: number }[] };
  const { curves } = JSON.parse(shown.stdout) as { readonly curves: readonly Curve[] };
  for (const key of ["train/loss", "eval/loss"]) {
    // What was trained again after the checkpoint is there as it was told last.
    const last = new Map(
      told?.history.flatMap((row) => (row[key] === undefined ? [] : [[row.step, row[key]]])),
    );
    expect(
      [...last].toSorted(([a], [b]) => Number(a) - Number(b)),
      key,
    ).toEqual(
      curves.find((each) => each.key === key)?.points.map(({ step, mean }) => [step, mean]),
    );
  }
  for (const file of filesBelow(root)) {
    expect(readFileSync(file, "latin1").includes(server.key), file).toBe(false);
  }
}, 120_000);
