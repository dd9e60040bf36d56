// `bridle runs export` through the program: each form of it, where it goes, and what is told.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { lstat, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { madeRun, point } from "../../test/support/tracked-runs.js";
import { openRuns } from "../compose.js";
import { writeEvents } from "../track/write.js";
import { runProgram } from "./program.js";

const root = mkdtempSync(path.join(tmpdir(), "bridle-export-command-"));
afterAll(() => rmSync(root, { recursive: true }));
const at = (name: string) => path.join(root, name);

async function exported(...args: readonly string[]) {
  const terminal = createMemoryTerminal({ env: { BRIDLE_HOME: at("home") } });
  const command = ["runs", "export", ...args];
  const thrown = await runProgram(command, terminal).catch((error: unknown) => error);
  return { thrown, out: terminal.out() };
}

beforeAll(async () => {
  const database = await openRuns(undefined, { BRIDLE_HOME: at("home") });
  for (const [number, id] of ["aaaaaaaa", "bbbbbbbb"].entries()) {
    const run = madeRun(id, { startedAt: 1000 + number });
    const points = [point("loss", 1, 3), point("loss", 2, number), point("acc", 1, 0.5)];
    await writeEvents(database, run, [
      { type: "start", run, fromStep: 0 },
      { type: "points", points },
      { type: "lines", lines: [{ number: 0, at: 5, level: "info", text: `of ${id}` }] },
      { type: "end", status: "finished", at: 2000, error: "" },
    ]);
  }
  await database.close();
});

describe("--json", () => {
  it("gives one value with all that the lines have", async () => {
    const { out } = await exported("--json");
    const { runs } = JSON.parse(out);
    const lines = (await exported()).out.trimEnd().split("\n");
    const told = lines.map((line) => JSON.parse(line));
    expect(told.map(({ type }) => type)).toEqual([
      ...["run", "points", "points", "lines"],
      ...["run", "points", "points", "lines"],
    ]);
    const of = (type: string, id: string) =>
      told.flatMap((each) => (each.type === type && each.run === id ? each[type] : []));
    expect(runs).toEqual(
      ["bbbbbbbb", "aaaaaaaa"].map((id) => ({
        ...told.find(({ type, run }) => type === "run" && run.id === id).run,
        ...{ points: of("points", id), lines: of("lines", id), artifacts: [] },
      })),
    );
  });

  it("is one value where there are no runs, and where one is not found", async () => {
    expect((await exported("--json", "--filter", "name = none")).out).toBe('{"runs":[]}\n');
    const { thrown, out } = await exported("--json", "none");
    expect(thrown).toMatchObject({ code: "RUN_NOT_FOUND" });
    expect(out).toBe("");
  });

  it.each(["csv", "runs-csv"])(
    "does not go with --format %s on standard output",
    async (format) => {
      const { thrown, out } = await exported("--json", "--format", format);
      expect(thrown).toMatchObject({ code: "COMMAND_LINE_INVALID" });
      expect(out).toBe("");
      const file = at(`${format}.csv`);
      const told = await exported("--json", "--format", format, "--output", file);
      expect(JSON.parse(told.out)).toMatchObject({ output: file, runs: 2 });
      expect(readFileSync(file, "utf8").trimEnd().split("\n")).toHaveLength(
        format === "csv" ? 7 : 3,
      );
    },
  );
});

describe("--output", () => {
  it("is there whole, beside files of like names, whose content stays", async () => {
    writeFileSync(at("keep.csv.part"), "mine");
    const before = readdirSync(root);
    const args = ["--format", "csv", "--metrics", "loss", "--output", at("keep.csv")];
    const both = await Promise.all([exported(...args), exported(...args)]);
    expect(both.map(({ thrown }) => thrown)).toEqual([undefined, undefined]);
    expect(readFileSync(at("keep.csv"), "utf8")).toBe((await exported(...args.slice(0, 4))).out);
    expect(readFileSync(at("keep.csv.part"), "utf8")).toBe("mine");
    expect(readdirSync(root).sort()).toEqual([...before, "keep.csv"].sort());
  });

  it("stays as it was where a run is not found", async () => {
    writeFileSync(at("old.jsonl"), "old");
    const { thrown } = await exported("none", "--output", at("old.jsonl"));
    expect(thrown).toMatchObject({ code: "RUN_NOT_FOUND" });
    expect(readFileSync(at("old.jsonl"), "utf8")).toBe("old");
  });

  it.skipIf(process.platform === "win32")("may be a pipe, which stays one", async () => {
    execFileSync("mkfifo", [at("pipe")]);
    const [read] = await Promise.all([
      readFile(at("pipe"), "utf8"),
      exported("aaaaaaaa", "--output", at("pipe")),
    ]);
    expect(read).toBe((await exported("aaaaaaaa")).out);
    expect((await lstat(at("pipe"))).isFIFO()).toBe(true);
  });

  it("tells where it cannot be written", async () => {
    const { thrown } = await exported("--output", at("absent/runs.jsonl"));
    expect(thrown).toMatchObject({ code: "WRITE_FAILED" });
  });
});
