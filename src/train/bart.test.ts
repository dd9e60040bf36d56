// BART learns with nothing added: its gradients are what finite differences say, and steps lower its loss.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tinyBartConfig } from "../../test/support/tiny-bart.js";
import { OptimizerOptions } from "../config/optimizer-options.js";
import { bart } from "../model/bart.js";
import { saveModelFiles } from "../model/checkpoint/save.js";
import { findFamily } from "../model/families.js";
import { forwardGraph } from "../model/forward.js";
import { batchFeeds, countLabels, gradientGraph } from "../model/gradient.js";
import { openGradients } from "../model/gradient-session.js";
import { initialWeights } from "../model/initial-weights.js";
import { openTrainingStep } from "./step.js";

const config = bart.readConfig(tinyBartConfig);
const graph = forwardGraph(bart, config);
const weights = () => initialWeights(bart, config, graph.parameters, { seed: 4, deviation: 0.3 });
const batch = {
  inputIds: [
    [0, 7, 9, 11, 2],
    [0, 30, 2, 1, 1],
  ],
  attentionMask: [
    [1, 1, 1, 1, 1],
    [1, 1, 1, 0, 0],
  ],
  labels: [
    [0, 12, 13, 2],
    [0, 14, 2, -100],
  ],
};

describe("BART", () => {
  it("is found by its architecture, with two rows of positions that belong to nobody", () => {
    expect(findFamily(tinyBartConfig)).toBe(bart);
    const positions = graph.parameters.filter(({ name }) => name.includes("embed_positions"));
    expect(positions.map(({ shape }) => shape)).toEqual([
      [14, 16],
      [14, 16],
    ]);
  });

  it("has the gradients that finite differences say", async () => {
    const made = gradientGraph(bart, config);
    const at = weights();
    const session = await openGradients(made, at, { threads: 1 });
    const feeds = batchFeeds(config, batch, 1 / countLabels(batch));
    const { gradients } = await session.run(feeds);
    for (const name of [
      "model.shared.weight",
      "model.encoder.embed_positions.weight",
      "model.encoder.layernorm_embedding.weight",
      "model.decoder.layers.1.encoder_attn.v_proj.weight",
      "model.decoder.layers.0.final_layer_norm.bias",
    ]) {
      const { data } = gradients.get(name)!;
      const weight = at.get(name)!.data as Float32Array;
      // Along the gradient itself the loss changes by its length squared.
      const length = Math.hypot(...data);
      const before = weight.slice();
      const move = async (by: number) => {
        for (const [i, x] of before.entries()) weight[i] = x + (by * data[i]!) / length;
        return (await session.run(feeds)).loss;
      };
      const slope = ((await move(2e-3)) - (await move(-2e-3))) / 4e-3;
      weight.set(before);
      expect(Math.abs(slope - length) / length, name).toBeLessThan(0.02);
    }
    await session.close();
  });

  it("is fine-tuned as Pegasus is", async () => {
    const step = await openTrainingStep(bart, config, weights(), {
      optimizer: OptimizerOptions.parse({ name: "adamw" }),
      ...{ accumulate: 1, accumulationMode: "mean", maxGradNorm: 1, averageDecay: null, seed: 1 },
      session: { threads: 1 },
    });
    const losses: number[] = [];
    for (let index = 0; index < 12; index++)
      losses.push((await step.run([batch], { index, learningRate: 1e-2 })).loss);
    await step.close();
    expect(losses.at(-1)!).toBeLessThan(0.5 * losses[0]!);
  });

  it("is saved with numbers as Python has them, which transformers 5 insists on", async () => {
    const [source, target] = [
      await mkdtemp(join(tmpdir(), "bridle-bart-")),
      await mkdtemp(join(tmpdir(), "bridle-bart-")),
    ];
    const given = { ...tinyBartConfig, encoder_layerdrop: 0, init_std: 1, attention_dropout: 0.5 };
    await saveModelFiles(given, source, weights(), target);
    const text = await readFile(join(target, "config.json"), "utf8");
    for (const line of ['"encoder_layerdrop": 0.0', '"init_std": 1.0', '"dropout": 0.0'])
      expect(text).toContain(line);
    expect(text).toContain('"attention_dropout": 0.5');
    expect(text).toContain('"d_model": 16,');
    expect(JSON.parse(text)).toMatchObject(given);
    for (const folder of [source, target]) await rm(folder, { recursive: true });
  });
});
