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

  it("03-data-by-hand goes all its way, twice, and stops where the data fail", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "bridle-example-"));
    const verbs = ["came into", "left", "waited before", "was towed into", "was built at"];
    const loads = ["grain", "cloth", "timber", "salt", "wool", "iron", "coal"];
    const rows = Array.from({ length: 120 }, (_, i) => {
      const ship = `ship ${(i * 7919) % 997}`;
      const port = `harbour ${(i * 104729) % 991}`;
      const [verb, load] = [verbs[i % 5], loads[i % 7]];
      return {
        document:
          `On the morning of day ${i} the ${ship} ${verb} the ${port} with ${load} from pier ${(i * 31) % 89}. ` +
          `The crew of ${(i * 17) % 83} said that the wind from ${(i * 13) % 71} had been with them for ${i % 9} days.`,
        summary: `The ${ship} ${verb} the ${port}.`,
      };
    });
    const write = (of: readonly object[]) =>
      writeFile(
        path.join(folder, "raw/rows.jsonl"),
        of.map((row) => `${JSON.stringify(row)}\n`).join(""),
      );
    await mkdir(path.join(folder, "raw"));
    await write(rows);
    const script = path.join(root, "examples/03-data-by-hand/run.sh");
    const go = () =>
      run("bash", [script, "train.maxSteps=2", "evaluate.maxRows=2"], {
        cwd: folder,
        env: { ...process.env, VOCABULARY: "60" },
      });
    const { stdout } = await go();
    expect(stdout).toMatch(/^train: \d+ rows \(.*data\/train\.jsonl$/m);
    expect(stdout).toMatch(/data\.tests\.yaml: 3 tests, 0 rules broken/);
    expect(stdout).toMatch(/^test +\d+ +model /m);
    for (const file of ["raw/rows.jsonl.dvc", "data.dvc", "data.html", "model/bridle.json"])
      expect(existsSync(path.join(folder, file)), file).toBe(true);
    const weights = await readFile(path.join(folder, "model/model.safetensors"));
    // Nothing has changed, so that the run is done already.
    await go();
    expect((await readFile(path.join(folder, "model/model.safetensors"))).equals(weights)).toBe(
      true,
    );
    await write([...rows, ...rows.slice(0, 30).map((row) => ({ ...row, summary: "" }))]);
    await expect(go()).rejects.toMatchObject({
      code: 6,
      stderr: expect.stringContaining("The data failed"),
    });
    await rm(folder, { recursive: true });
  }, 300_000);
});
