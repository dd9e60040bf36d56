// Presets of configs/: how lists of defaults are laid over each other, and what each mistake in them is told.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { groupsOf, presetFolders, shippedConfigs } from "./compose.js";
import { describeOrigin } from "./layers.js";
import { loadRunConfig, resolveRunConfig } from "./load.js";
import {
  dataTestsJsonSchema,
  describeKeys,
  keysAt,
  runConfigJsonSchema,
  sections,
} from "./schema-keys.js";
import { readYamlFile } from "./yaml-file.js";

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-compose-"));
});
afterAll(() => rm(root, { recursive: true }));

/** A project of these files; answers the path of its params.yaml. */
async function project(files: Record<string, string>): Promise<string> {
  const folder = join(root, `project-${++count}`);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return join(folder, "params.yaml");
}

const own = "data: {train: a.jsonl}\n";

describe("a list of defaults", () => {
  it("lays options of groups at their place, whole files at the top, and its own file last", async () => {
    const file = await project({
      "params.yaml": `defaults: [base, {model: mine}, {train/optimizer: slow}]\ntrain: {seed: 3}\n`,
      "configs/base.yaml": `${own}train: {seed: 1, epochs: 7}\n`,
      "configs/model/mine.yaml": "name: ./mine\n",
      "configs/train/optimizer/slow.yml": "name: sgd\nmomentum: 0.5\n",
    });
    const { config, choices, files } = await resolveRunConfig(file);
    expect(config.model.name).toBe("./mine");
    expect(config.train).toMatchObject({
      seed: 3,
      epochs: 7,
      optimizer: { name: "sgd", momentum: 0.5 },
    });
    expect(choices).toEqual({ model: "mine", "train/optimizer": "slow" });
    expect(files.map((each) => relative(dirname(file), each))).toEqual([
      "configs/base.yaml",
      "configs/model/mine.yaml",
      "configs/train/optimizer/slow.yml",
      "params.yaml",
    ]);
  });

  it("puts the file where _self_ stands", async () => {
    const file = await project({
      "params.yaml": `defaults: [_self_, base]\n${own}model: {name: m}\ntrain: {seed: 3}\n`,
      "configs/base.yaml": "train: {seed: 1}\n",
    });
    expect((await loadRunConfig(file)).train.seed).toBe(1);
  });

  it("finds the project's presets before those of the package, and files of a group beside each other", async () => {
    const file = await project({
      "params.yaml": `defaults: [{model: pegasus-xsum}, {train: long}, {optional local: none}]\n${own}`,
      "configs/model/pegasus-xsum.yaml": "name: ./my-copy\n",
      "configs/train/long.yaml": "defaults: [common, {optimizer: plain}]\nepochs: 9\n",
      "configs/train/common.yaml": "epochs: 1\nlogEvery: 2\n",
      "configs/train/optimizer/plain.yaml": "name: sgd\n",
    });
    const { model, train } = await loadRunConfig(file);
    expect(model.name).toBe("./my-copy");
    expect(train).toMatchObject({ epochs: 9, logEvery: 2, optimizer: { name: "sgd" } });
  });

  it("is chosen from by words, by entries marked override, and not at all by null", async () => {
    const file = await project({
      "params.yaml": `defaults: [{model: a}, {train: null}, {experiment: e}]\n${own}`,
      "configs/model/a.yaml": "name: ./a\n",
      "configs/model/b.yaml": "name: ./b\n",
      "configs/model/c.yaml": "name: ./c\n",
      "configs/train/t.yaml": "epochs: 5\n",
      "configs/experiment/e.yaml": "defaults: [{override /model: b}]\ntrain: {seed: 8}\n",
    });
    const plain = await loadRunConfig(file);
    expect([plain.model.name, plain.train.epochs, plain.train.seed]).toEqual(["./b", 3, 8]);
    const chosen = await loadRunConfig(file, ["model=c", "train=t", "~experiment"]);
    expect([chosen.model.name, chosen.train.epochs, chosen.train.seed]).toEqual(["./c", 5, 0]);
  });

  it("lays a group that no list names last, under the words alone", async () => {
    const file = await project({ "params.yaml": `${own}model: {name: m}\ntrain: {maxSteps: 9}\n` });
    const { train } = await loadRunConfig(file, ["+train=smoke", "train.logEvery=7"]);
    expect([train.maxSteps, train.logEvery, train.checkpointEvery]).toEqual([4, 7, 2]);
  });

  it("puts a file with @package where that says", async () => {
    const file = await project({
      "params.yaml": `defaults: [{model: both}, {odd: one}]\n${own}`,
      "configs/model/both.yaml":
        "# A whole run.\n# @package _global_\nmodel: {name: m}\ntrain: {seed: 5}\n",
      "configs/odd/one.yaml": "# @package train.schedule\nname: cosine\n",
    });
    const { train } = await loadRunConfig(file);
    expect([train.seed, train.schedule.name]).toEqual([5, "cosine"]);
  });

  it("remembers where each value was said", async () => {
    const file = await project({
      "params.yaml": `defaults: [{model: mine}]\n${own}train:\n  seed: 3\n  epochs: 4\n`,
      "configs/model/mine.yaml": "\nname: ./mine\n",
    });
    const { originOf } = await resolveRunConfig(file, ["train.epochs=5"]);
    const told = (path: string) => {
      const origin = originOf(path.split("."));
      return origin && describeOrigin(origin).replace(dirname(file), "");
    };
    expect(told("model.name")).toMatch(/configs\/model\/mine\.yaml:2$/);
    expect(told("train.seed")).toMatch(/params\.yaml:4$/);
    expect(told("train.epochs")).toBe("train.epochs=5");
    expect(told("train.logEvery")).toBeUndefined();
  });
});

describe("a mistake in composed files", () => {
  it.each([
    [
      "CONFIG_CYCLE",
      { "configs/a.yaml": "defaults: [b]\n", "configs/b.yaml": "defaults:\n  - a\n" },
      /b\.yaml.*a\.yaml → .*b\.yaml → .*a\.yaml/,
    ],
    ["CONFIG_CYCLE", { "configs/a.yaml": "defaults: [a]\n" }, /circle/],
    [
      "CONFIG_OPTION_NOT_FOUND",
      { "configs/a.yaml": "defaults:\n  - model: pegasus-xsm\n" },
      /a\.yaml:2: there is no model\/pegasus-xsm\.yaml in .*pegasus-xsum/,
    ],
    ["CONFIG_OPTION_NOT_FOUND", { "configs/a.yaml": "defaults: [absent]\n" }, /a\.yaml:1/],
    ["CONFIG_DEFAULTS_INVALID", { "configs/a.yaml": "defaults: base\n" }, /a\.yaml:1: .*no list/],
    [
      "CONFIG_DEFAULTS_INVALID",
      { "configs/a.yaml": "defaults:\n  - x\n  - {a: b, c: d}\n" },
      /a\.yaml:3/,
    ],
    [
      "CONFIG_DEFAULTS_INVALID",
      { "configs/a.yaml": "defaults: [../../secret]\n" },
      /no name of a file/,
    ],
    [
      "CONFIG_DEFAULTS_INVALID",
      { "configs/a.yaml": "defaults: [{model: ../x}]\n" },
      /no name of a file/,
    ],
    [
      "CONFIG_DEFAULTS_INVALID",
      { "configs/a.yaml": "defaults: [{overide model: x}]\n" },
      /overide is neither/,
    ],
    ["YAML_INVALID", { "configs/a.yaml": "x: [\n" }, /a\.yaml cannot be used: line \d+/],
    ["YAML_INVALID", { "configs/a.yaml": "x: {__proto__: {y: 1}}\n" }, /__proto__/],
    ["YAML_INVALID", { "configs/a.yaml": "x: &a {y: *a}\n" }, /cannot be used/],
    [
      "RUN_CONFIG_INVALID",
      { "configs/a.yaml": "train:\n  sed: 1\n" },
      /there is no train\.sed; did you mean seed\? \(.*a\.yaml:2\)/,
    ],
    [
      "RUN_CONFIG_INVALID",
      { "configs/a.yaml": "train:\n\n  epochs: many\n" },
      /train\.epochs: .*received string \(.*a\.yaml:3\)/,
    ],
  ])("%s: %j", async (code, files, message) => {
    const file = await project({
      "params.yaml": `defaults: [a]\n${own}model: {name: m}\n`,
      ...files,
    });
    await expect(loadRunConfig(file)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it("is told of words too", async () => {
    const file = await project({ "params.yaml": `${own}model: {name: m}\n` });
    const told = async (word: string) =>
      await loadRunConfig(file, [word]).then(String, ({ message, hint }) => `${message} ${hint}`);
    expect(await told("model=pegasus-xsm")).toMatch(
      /model=pegasus-xsm: there is no .*Did you mean pegasus-xsum\?/,
    );
    expect(await told("model/x=[1]")).toMatch(/option belongs to a group/);
    expect(await told("~train.seed")).toMatch(/nothing is set there/);
    expect(await told("../x=1")).toMatch(/no group/);
    expect(await told("__proto__.seed=1")).toMatch(/an override is/);
    expect(await told("train.__proto__.seed=1")).toMatch(/an override is/);
    expect(({} as { seed?: number }).seed).toBeUndefined();
  });
});

describe("what comes with the package", () => {
  const minimal = ["data.train=train.jsonl"];
  it("has presets that each parse and check", async () => {
    const groups = await groupsOf([shippedConfigs]);
    expect(groups.map(({ group }) => group)).toEqual(["generate", "model", "recipe", "train"]);
    for (const { group, options } of groups) {
      for (const option of options) {
        const words = [
          `${group}=${option}`,
          ...minimal,
          ...(group === "model" ? [] : ["model.name=m"]),
        ];
        const { choices, originOf } = await resolveRunConfig(undefined, words);
        expect(choices[group]).toBe(option);
        // It says something, and says it with its own keys.
        const yaml = await readYamlFile(join(shippedConfigs, group, `${option}.yaml`));
        const place = group === "recipe" ? [] : [group];
        for (const key of Object.keys(yaml.content)) {
          if (key === "defaults") continue;
          expect(keysAt(place), `${group}/${option}`).toContain(key);
          expect(originOf([...place, key])).toMatchObject({ kind: "file" });
        }
      }
    }
  });

  it("names in each preset the schema that it follows", async () => {
    const files = await readdir(shippedConfigs, { recursive: true });
    for (const name of files.filter((each) => each.endsWith(".yaml"))) {
      const [first = ""] = (await readFile(join(shippedConfigs, name), "utf8")).split("\n");
      const schema = /^# yaml-language-server: \$schema=(\S+)$/.exec(first)?.[1];
      expect(schema, name).toBeDefined();
      const text = await readFile(join(shippedConfigs, dirname(name), schema!), "utf8");
      expect(JSON.parse(text).type).toBe("object");
    }
  });

  it("has the schemas that the code gives", async () => {
    const read = async (name: string) =>
      JSON.parse(await readFile(join(shippedConfigs, "schemas", `${name}.schema.json`), "utf8"));
    expect(await read("params")).toEqual(runConfigJsonSchema());
    for (const section of sections)
      expect(await read(section)).toEqual(runConfigJsonSchema(section));
    expect(await read("data-tests")).toEqual(dataTestsJsonSchema());
    const names = await readdir(join(shippedConfigs, "schemas"));
    expect(names.sort()).toEqual(
      ["data-tests", "params", ...sections].map((name) => `${name}.schema.json`).sort(),
    );
  });

  it("is looked for after what the project has", () => {
    const folders = presetFolders("/somewhere/params.yaml");
    expect(folders[0]).toBe("/somewhere/configs");
    expect(folders.at(-1)).toBe(shippedConfigs);
  });
});

describe("the schema for editors", () => {
  it("has every key with what it does, its default and its choices", () => {
    const { properties } = runConfigJsonSchema();
    expect(Object.keys(properties!)).toEqual(["defaults", ...sections]);
    expect(properties!.train!.properties!.seed).toMatchObject({ default: 0, type: "integer" });
    expect(properties!.train!.properties!.objective!.enum).toEqual(["seq2seq", "gap-sentences"]);
    expect(JSON.stringify(properties!.data)).not.toContain('"required"');
    const told = describeKeys().filter(({ description }) => description !== "");
    expect(told.length / describeKeys().length).toBeGreaterThan(0.9);
    expect(describeKeys("train.optimizer")[0]).toMatchObject({
      key: "train.optimizer.name",
      type: "adamw | adafactor | sgd",
      default: "adamw",
    });
  });
});
