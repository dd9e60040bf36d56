// Tests batches with the real model and real kills: the file that comes out is the same whatever happened on the way.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runBridle, startBridle } from "../support/run-bridle.js";

const rowCount = 1500;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bridle-batch-"));
  const nouns = ["harbour", "budget", "lamp", "reef", "library", "storm", "board", "village"];
  const rows = Array.from({ length: rowCount }, (_, row) => {
    const sentences = Array.from({ length: 40 }, (_, at) => {
      const [a, b] = [nouns[(row + at) % 8], nouns[(row * 3 + at * at) % 8]];
      return `The ${a} of year ${row * 40 + at} was close to the ${b} on day ${at}.`;
    });
    return JSON.stringify({
      id: `r${row}`,
      document: row % 100 === 99 ? " " : sentences.join(" "),
    });
  });
  writeFileSync(path.join(folder, "in.jsonl.gz"), gzipSync(`${rows.join("\n")}\n`));
});
afterAll(() => rmSync(folder, { recursive: true }));

const args = (output: string, ...more: string[]) => [
  "summarize",
  "--input",
  "in.jsonl.gz",
  "--output",
  output,
  "--sentences",
  "3",
  ...more,
];
const run = (output: string, ...more: string[]) =>
  runBridle(args(output, ...more), { cwd: folder });
const read = (name: string) => readFileSync(path.join(folder, name), "utf8");
const sizeOf = (name: string) =>
  statSync(path.join(folder, name), { throwIfNoEntry: false })?.size ?? 0;

describe("a batch", () => {
  it("gives the same file after kills at any moment as without", async () => {
    const whole = await run("whole.jsonl", "--json");
    expect(whole).toMatchObject({ code: 0, stderr: "" });
    const failed = rowCount / 100;
    expect(JSON.parse(whole.stdout)).toMatchObject({ rows: rowCount, failed, resumedRows: 0 });
    const expected = read("whole.jsonl");
    expect(expected.split("\n")).toHaveLength(rowCount + 1);

    let kills = 0;
    let before = 0;
    for (;;) {
      const { child, ended } = startBridle(args("killed.jsonl"), { cwd: folder });
      let over = false;
      void ended.then(() => {
        over = true;
      });
      // Each run is let go on a little further than the last one.
      while (!over && sizeOf("killed.jsonl") <= before + expected.length / 6) await sleep(5);
      if (kills === 4) {
        expect((await ended).code).toBe(0);
        break;
      }
      child.kill("SIGKILL");
      const { signal } = await ended;
      if (signal === null) break;
      kills += 1;
      before = sizeOf("killed.jsonl");
    }
    expect(kills).toBeGreaterThan(0);
    expect(read("killed.jsonl")).toBe(expected);
    const again = await run("killed.jsonl", "--json");
    expect(JSON.parse(again.stdout)).toMatchObject({ rows: rowCount, resumedRows: rowCount });
  });

  it.skipIf(process.platform === "win32")(
    "stops on Ctrl-C with exit code 130 and can be taken up again",
    async () => {
      const { child, ended } = startBridle(args("stopped.jsonl"), { cwd: folder });
      while (sizeOf("stopped.jsonl") === 0) await sleep(5);
      child.kill("SIGINT");
      const { code, stderr, stdout } = await ended;
      expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
      expect(stderr).toContain("The same command goes on from here.");
      expect((await run("stopped.jsonl")).code).toBe(0);
      expect(read("stopped.jsonl")).toBe(read("whole.jsonl"));
    },
  );

  it("fails with --strict when a row did, after finishing the others", async () => {
    const { code, stdout, stderr } = await run("strict.jsonl", "--strict");
    expect(code).toBe(6);
    expect(stdout).toContain(`${rowCount} rows in strict.jsonl, ${rowCount / 100} with an error`);
    expect(stderr).toContain(`${rowCount / 100} of ${rowCount} rows have an error`);
    expect(read("strict.jsonl")).toBe(read("whole.jsonl"));
  });

  it("refuses other parameters for the same output", async () => {
    const { code, stderr } = await runBridle(
      ["summarize", "--input", "in.jsonl.gz", "--output", "whole.jsonl", "--sentences", "2"],
      { cwd: folder },
    );
    expect(code).toBe(5);
    expect(stderr).toContain("other parameters");
  });
});
