// Runs every example as its README says: what answers at once is held to what the README shows, what takes hours is run at
// toy size.
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const has = (name: string, file: string) => existsSync(path.join(root, "examples", name, file));
const examples = readdirSync(path.join(root, "examples"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();

describe("examples", () => {
  it("are numbered from 01 without a gap", () => {
    expect(examples.length).toBeGreaterThan(0);
    const numbers = examples.map((name) => Number(/^(\d\d)-[a-z-]+$/.exec(name)?.[1]));
    expect(numbers).toEqual(examples.map((_, at) => at + 1));
  });

  it.each(examples.filter((name) => has(name, "run.mjs")))(
    "%s prints what its README shows",
    async (name) => {
      const folder = path.join(root, "examples", name);
      const readme = readFileSync(path.join(folder, "README.md"), "utf8").replaceAll("\r\n", "\n");
      const shown = /```text\n([\s\S]*?)```/.exec(readme)?.[1];
      expect(readme).toContain(`node examples/${name}/run.mjs`);
      const { stdout, stderr } = await run(process.execPath, [path.join(folder, "run.mjs")], {
        cwd: root,
      });
      expect(stderr).toBe("");
      expect(stdout).toBe(shown);
    },
  );

  it("02-from-nothing goes all its way on a few rows", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "bridle-example-"));
    const rows = (name: string, count: number, row: (i: number) => object) =>
      writeFile(
        path.join(folder, "data", `${name}.jsonl.gz`),
        gzipSync(Array.from({ length: count }, (_, i) => `${JSON.stringify(row(i))}\n`).join("")),
      );
    const pair = (i: number) => ({
      document: `Page ${i} tells of port ${i}. It was built in the year ${1500 + i}. Ships come every week.`,
      summary: `Port ${i} is told of.`,
    });
    await mkdir(path.join(folder, "data"));
    await rows("pretrain_sites", 24, (i) => ({ text: pair(i).document }));
    for (const set of ["docs", "acl_titles"]) {
      await rows(`${set}.train`, 12, pair);
      await rows(`${set}.valid`, 4, (i) => pair(i + 40));
      await rows(`${set}.test`, 6, (i) => pair(i + 60));
    }
    const script = path.join(root, "examples/02-from-nothing/run.sh");
    const { stdout } = await run("bash", [script, "train.maxSteps=2", "evaluate.maxRows=2"], {
      cwd: folder,
      env: { ...process.env, VOCABULARY: "60" },
    });
    const systems = [...stdout.matchAll(/^(docs|acl_titles)\.test +6 +(\S+)/gm)].map(
      ([, , of]) => of,
    );
    const ours = ["finetuned", "scratch", "untrained"];
    const simple = ["extractive", "lead1", "leadK"];
    expect(systems).toEqual([...ours, ...ours, ...simple, ...simple]);
    expect(stdout.match(/^ {2}reference: Port \d+ is told of\.$/gm)).toHaveLength(10);
    const written = (await readFile(path.join(folder, "outputs.jsonl"), "utf8")).trimEnd();
    expect(written.split("\n")).toHaveLength(12);
    for (const model of ["pretrained", "finetuned", "scratch"])
      expect(existsSync(path.join(folder, model, "curves.svg"))).toBe(true);
    await rm(folder, { recursive: true });
  }, 300_000);
});
