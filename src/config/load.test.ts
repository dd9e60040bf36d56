// params.yaml and key=value words: what they come to, and what each mistake is told.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkRunConfig, loadRunConfig } from "./load.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bridle-config-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function load(text: string, ...words: string[]) {
  const file = join(folder, "params.yaml");
  await writeFile(file, text);
  return loadRunConfig(file, words);
}

const least = "model: {name: ./m}\ndata: {train: a.jsonl}\n";

describe("a run's configuration", () => {
  it("has every default filled in", async () => {
    const config = await load(least);
    expect(config.train.optimizer).toMatchObject({ name: "adamw", beta2: 0.999 });
    expect(config.train.schedule.name).toBe("linear");
    expect(config.train.maxGradNorm).toBe(1);
    expect(config.evaluate.metric).toBe("loss");
    expect(config.model.lora).toBeNull();
  });

  it("takes words over the file, read as YAML, the last one first", async () => {
    const config = await load(
      `${least}train: {seed: 1}\n`,
      "train.seed=2",
      "data.train=[b.jsonl, c.jsonl]",
      "model.lora={rank: 4}",
      "train.maxGradNorm=null",
      "train.seed=3",
      "data.prefix=summarize = ",
    );
    expect(config.train.seed).toBe(3);
    expect(config.train.maxGradNorm).toBeNull();
    expect(config.data.train).toEqual(["b.jsonl", "c.jsonl"]);
    expect(config.data.prefix).toBe("summarize =");
    expect(config.model.lora).toMatchObject({ rank: 4, alpha: 16, targets: "queries-and-values" });
  });

  it("does without a file", async () => {
    const config = await loadRunConfig(undefined, ["model.name=m", "data.train=x.csv"]);
    expect(config.model.name).toBe("m");
  });

  it.each([
    [
      `${least}train: {learningrate: 1}\n`,
      [],
      "there is no train.learningrate; did you mean learningRate?",
    ],
    [least, ["train.optimizer.nam=sgd"], "optimizer"],
    [least, ["trian.seed=1"], "there is no trian; did you mean train?"],
    [
      least,
      ["train.objective=gap-sentences", "evaluate.generate=true"],
      "evaluate.generate: needs rows with summaries",
    ],
    [least, ["train.objective=gap-sentences", "data.prefix=a"], "does not apply to gap-sentences"],
    [
      least,
      ["train.objective=gap-sentences", "evaluate.metric=rougeL"],
      "evaluate.metric: needs evaluate.generate",
    ],
    [least, ["train.epochs=many"], "train.epochs: Invalid input: expected number, received string"],
    [least, ["train.seed"], "an override is key=value"],
    [least, ["data.train=[a"], "data.train=[a:"],
    [least, ["data.train=*.jsonl"], `put a text in quotes: 'data.train="*.jsonl"'`],
    [least, ["data.train=[a.jsonl, *b]"], "data.train=[a.jsonl, *b]: Unresolved alias"],
    ["model: {}\ndata: {train: a}\n", [], "give a model to start from, or config and tokenizer"],
    ["model: {name: m, tokenizer: t}\ndata: {train: a}\n", [], "give a model to start from"],
    ["model: {name: m}\n", [], "data: it is needed"],
    [least, ["evaluate.metric=rougeL", "evaluate.generate=false"], "needs evaluate.generate"],
    [
      "model: {name: m}\ndata: {train: 5}\n",
      [],
      "data.train: Invalid input: expected string or array, received number",
    ],
    [least, ["data.train=[a, 5]"], "data.train.1: Invalid input: expected string, received number"],
    [least, ["train.patience=3"], "needs data.validation"],
    [least, ["generate.numBeams=0"], "generate.numBeams"],
  ])("%j with %j is told", async (text, words, problem) => {
    await expect(load(text, ...words)).rejects.toMatchObject({
      code: "RUN_CONFIG_INVALID",
      message: expect.stringContaining(problem),
    });
  });

  it("tells twenty problems of many, and how many more there are", () => {
    const unknown = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`trian${n}`, n]));
    expect(() => checkRunConfig({ ...unknown, train: { seeed: 1 } })).toThrow(
      expect.objectContaining({
        code: "RUN_CONFIG_INVALID",
        // Those that are told, then: model, data and a key of train are not right either.
        message: expect.stringMatching(/; and 49983 more$/),
      }),
    );
  });

  it("names line and column of what is no YAML, and a key that stands twice", async () => {
    await expect(load("model: {name: m}\ndata: [\n")).rejects.toThrow(/line \d+, column \d+/);
    await expect(load(`${least}model: {name: n}\n`)).rejects.toThrow(/line 3.*unique/);
    await expect(load("- a\n")).rejects.toMatchObject({
      code: "YAML_INVALID",
      message: expect.stringContaining("no mapping"),
      hint: expect.stringContaining("bridle config keys"),
    });
    const file = join(folder, "latin1.yaml");
    await writeFile(file, Buffer.from("model:\n  name: caf\u00e9\n", "latin1"));
    await expect(loadRunConfig(file)).rejects.toThrow(/line 2 is not UTF-8/);
    await expect(loadRunConfig(folder)).rejects.toThrow(/it is a folder/);
    await expect(loadRunConfig(join(folder, "absent.yaml"))).rejects.toThrow(/There is no file/);
  });
});
