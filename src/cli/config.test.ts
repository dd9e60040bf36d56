// `bridle config` over a terminal in memory: what is shown reads back as what was resolved, and what is listed is there.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { loadRunConfig } from "../config/load.js";
import { runProgram } from "./program.js";

let root: string;
let file: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "bridle-config-"));
  file = path.join(root, "params.yaml");
  await writeFile(
    file,
    "defaults: [{model: pegasus-toy}]\ndata: {train: [a.jsonl, 'b, c.jsonl'], prefix: '# x'}\ntrain: {seed: 7}\n",
  );
});
afterAll(() => rm(root, { recursive: true }));

async function run(...args: string[]): Promise<string> {
  const terminal = createMemoryTerminal();
  await runProgram(["config", ...args], terminal);
  return terminal.out();
}

describe("bridle config", () => {
  it("shows YAML that is read as what it was resolved to", async () => {
    const words = ["generate.badWordsIds=[[1, 2], [3]]", "train.optimizer={name: sgd}", "~model"];
    const given = [...words, "model.name=x"];
    const shown = await run("show", file, ...given);
    expect(parse(shown)).toEqual(JSON.parse(JSON.stringify(await loadRunConfig(file, given))));
    expect(shown).toMatch(/seed: 7 # .*params\.yaml:3$/m);
    expect(shown).toMatch(/name: x # model\.name=x$/m);
    expect(shown).toMatch(/epochs: 3$/m);
  });

  it("leaves defaults out, and tells a program the same", async () => {
    const shown = parse(await run("show", file, "--no-defaults"));
    expect(shown.train).toEqual({ seed: 7 });
    expect(shown.model.config.d_model).toBe(64);
    const { config, choices, origins, files } = JSON.parse(await run("show", file, "--json"));
    expect(config.train.epochs).toBe(3);
    expect(choices).toEqual({ model: "pegasus-toy" });
    expect(origins["model.config.d_model"]).toMatch(
      /^bridle\/configs\/model\/pegasus-toy\.yaml:\d+$/,
    );
    expect(Object.keys(origins)).not.toContain("train.epochs");
    expect(files).toHaveLength(2);
  });

  it("lists keys and groups, with the nearest name for one that is not there", async () => {
    expect(await run("keys", "train.seed")).toBe(
      "train.seed = 0  (whole number)\n    seed of order, dropout and new weights\n",
    );
    await expect(run("keys", "train.sed")).rejects.toThrow(/did you mean train\.seed\?/);
    expect(await run("groups")).toMatch(/^model: .*pegasus-xsum/m);
  });

  it("writes the schema, of a section too", async () => {
    const output = path.join(root, "train.schema.json");
    await run("schema", "--section", "train", "--output", output);
    const schema = JSON.parse(await readFile(output, "utf8"));
    expect(schema.properties.epochs.default).toBe(3);
    const told = await run("schema", "--section", "train", "--output", output, "--json");
    expect(JSON.parse(told)).toEqual({ output, section: "train" });
    await expect(run("schema", "--section", "trian")).rejects.toThrow(/must be one of model/);
  });
});
