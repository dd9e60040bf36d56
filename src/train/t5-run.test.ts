// A T5 trained by a whole run: with the text before its documents, from which it is served, and from nothing.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyT5, tinyT5Config } from "../../test/support/tiny-t5.js";
import { toyRows } from "../../test/support/train-toy.js";
import { RunConfig, type RunConfigInput } from "../config/run-config.js";
import { openModel } from "../generate/model.js";
import { readAdapter } from "../model/checkpoint/adapter.js";
import { train } from "./loop.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-t5-run-"));
  await writeFile(join(root, "rows.jsonl"), toyRows(12));
});
afterAll(() => rm(root, { recursive: true }));

const config = {
  ...tinyT5Config,
  task_specific_params: { summarization: { prefix: "sum up: ", num_beams: 2 } },
};

async function run(
  name: string,
  model: RunConfigInput["model"],
  data: Partial<RunConfigInput["data"]> = {},
) {
  const output = join(root, name);
  const config = RunConfig.parse({
    model,
    data: { train: join(root, "rows.jsonl"), maxTargetTokens: 8, ...data },
    train: { output, maxSteps: 2, threads: 1, device: "cpu", learningRate: 1e-2 },
  });
  await train(config);
  return output;
}

const prefixOf = async (folder: string) =>
  JSON.parse(await readFile(join(folder, "config.json"), "utf8")).task_specific_params;

describe("training a T5", () => {
  it("reads documents behind the model's own text, which goes with it, or another one", async () => {
    const base = await makeTinyT5(join(root, "base"), { config });
    const own = await run("own", { name: base });
    expect(await prefixOf(own)).toEqual(config.task_specific_params);
    const same = await run("same", { name: base }, { prefix: "sum up: " });
    const other = await run("other", { name: base }, { prefix: "the " });
    expect(await prefixOf(other)).toEqual({ summarization: { prefix: "the ", num_beams: 2 } });
    const none = await run("none", { name: base }, { prefix: "" });
    const weights = await Promise.all(
      [own, same, other, none].map((folder) => readFile(join(folder, "model.safetensors"), "hex")),
    );
    expect(weights[1]).toBe(weights[0]);
    expect(new Set(weights).size).toBe(3);
    const model = await openModel(other, { threads: 1 });
    expect(model.config.prefix).toBe("the ");
    await model.close();
  });

  it("puts adapters beside queries and values, and refuses dropout it does not have", async () => {
    const base = await makeTinyT5(join(root, "adapted"));
    const output = await run("lora", { name: base, lora: { rank: 2 }, dropout: 0.2 });
    const { config: adapter, weights } = await readAdapter(join(output, "adapter"));
    expect(adapter.targets).toEqual(["q", "v"]);
    expect([...weights.keys()]).toContain(
      "decoder.block.1.layer.1.EncDecAttention.v.lora_B.weight",
    );
    const json = JSON.parse(await readFile(join(output, "config.json"), "utf8"));
    expect(json.dropout_rate).toBe(0.2);
    await expect(run("no", { name: base, attentionDropout: 0.1 })).rejects.toMatchObject({
      code: "INVALID_PARAMETER",
      message: expect.stringContaining("attentionDropout"),
    });
  });

  it("starts from nothing with what every T5 says of itself", async () => {
    const tokenizer = await makeTinyT5(join(root, "vocabulary"));
    const { pad_token_id: _, eos_token_id: __, model_type: ___, ...shape } = tinyT5Config;
    const output = await run("fresh", { tokenizer, config: shape });
    const json = JSON.parse(await readFile(join(output, "config.json"), "utf8"));
    expect(json).toMatchObject({ model_type: "t5", pad_token_id: 0, eos_token_id: 1 });
    expect(json).not.toHaveProperty("scale_embedding");
    const model = await openModel(output, { threads: 1 });
    expect(model.config.family).toBe("t5");
    await model.close();
  });
});
