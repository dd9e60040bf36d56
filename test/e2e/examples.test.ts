// Runs every example as its README says, and holds the output that the README shows to what comes out.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
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

  it.each(examples)("%s prints what its README shows", async (name) => {
    const folder = path.join(root, "examples", name);
    const readme = readFileSync(path.join(folder, "README.md"), "utf8").replaceAll("\r\n", "\n");
    const shown = /```text\n([\s\S]*?)```/.exec(readme)?.[1];
    expect(readme).toContain(`node examples/${name}/run.mjs`);
    const { stdout, stderr } = await run(process.execPath, [path.join(folder, "run.mjs")], {
      cwd: root,
    });
    expect(stderr).toBe("");
    expect(stdout).toBe(shown);
  });
});
