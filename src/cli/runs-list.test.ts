// `bridle runs list` where conditions find nothing: what they name that no run has is told, with the nearest name.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { madeRun, point } from "../../test/support/tracked-runs.js";
import { openRuns } from "../compose.js";
import { writeEvents } from "../track/write.js";
import { runProgram } from "./program.js";

const home = mkdtempSync(path.join(tmpdir(), "bridle-list-command-"));
afterAll(() => rmSync(home, { recursive: true }));

async function bridle(...words: readonly string[]) {
  const terminal = createMemoryTerminal({ env: { BRIDLE_HOME: home } });
  await runProgram(["runs", ...words], terminal);
  return { out: terminal.out(), err: terminal.err() };
}

beforeAll(async () => {
  const database = await openRuns(undefined, { BRIDLE_HOME: home });
  const run = madeRun("aaaaaaaa");
  await writeEvents(database, run, [
    { type: "start", run, fromStep: 0 },
    { type: "params", values: { "train.learningRate": "0.1" } },
    { type: "tags", values: { branch: "main" } },
    { type: "points", points: [point("eval/loss", 1, 3), point("train/loss", 1, 2)] },
    { type: "end", status: "finished", at: 2000, error: "" },
  ]);
  await database.close();
});

it.each([
  ["metrics.eval/los < 2", "metrics.eval/los; did you mean metrics.eval/loss?"],
  ["min.eval/lsos < 2", "min.eval/lsos; did you mean min.eval/loss?"],
  [
    "params.train.learningrate = 0.1",
    "params.train.learningrate; did you mean params.train.learningRate?",
  ],
  ["tags.brnch = main", "tags.brnch; did you mean tags.branch?"],
  ["tags.weather ~ rain", "tags.weather."],
])("tells that no run has what %j names", async (filter, told) => {
  const { out, err } = await bridle("list", "--filter", filter);
  expect([out, err]).toEqual(["No runs.\n", `note: no run has ${told}\n`]);
  const json = await bridle("list", "--filter", filter, "--json");
  expect(JSON.parse(json.out)).toEqual({ runs: [], total: 0 });
  expect((await bridle("export", "--filter", filter)).err).toContain(err);
});

it("says nothing of names that runs have, and where something is found", async () => {
  for (const filter of ["metrics.eval/loss < 2", "name = nobody", "metrics.eval/los != 2"]) {
    expect((await bridle("list", "--filter", filter)).err).toBe("");
  }
});
