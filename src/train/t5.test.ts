// T5 learns with nothing added: its gradients are what finite differences say, and steps lower its loss.
import { describe, expect, it } from "vitest";
import { OptimizerOptions } from "../config/optimizer-options.js";
import { findFamily } from "../model/families.js";
import { forwardGraph } from "../model/forward.js";
import { batchFeeds, countLabels, gradientGraph } from "../model/gradient.js";
import { openGradients } from "../model/gradient-session.js";
import { initialWeights } from "../model/initial-weights.js";
import { loraShapes } from "../model/lora.js";
import { bucketOf } from "../model/relative-positions.js";
import { mt5, t5, umt5 } from "../model/t5.js";
import { openTrainingStep } from "./step.js";

const json = {
  ...{ architectures: ["T5ForConditionalGeneration"], feed_forward_proj: "gated-gelu" },
  ...{ d_model: 16, num_layers: 2, num_decoder_layers: 2, vocab_size: 40 },
  ...{ num_heads: 3, d_kv: 5, d_ff: 24, dropout_rate: 0 },
  ...{ relative_attention_num_buckets: 8, relative_attention_max_distance: 12 },
};
const config = t5.readConfig(json);
const graph = forwardGraph(t5, config);
const weights = () => initialWeights(t5, config, graph.parameters, { seed: 4, deviation: 0 });
const batch = {
  inputIds: [
    [5, 7, 9, 11, 12, 13, 1],
    [6, 30, 1, 0, 0, 0, 0],
  ],
  attentionMask: [
    [1, 1, 1, 1, 1, 1, 1],
    [1, 1, 1, 0, 0, 0, 0],
  ],
  labels: [
    [8, 12, 13, 1],
    [5, 14, 1, -100],
  ],
};
const biasOf = (side: string, layer = 0) =>
  `${side}.block.${layer}.layer.0.SelfAttention.relative_attention_bias.weight`;

describe("T5", () => {
  it("is found by its architecture, and so are mT5 and umT5", () => {
    expect(findFamily(json)).toBe(t5);
    expect(findFamily({ architectures: ["MT5ForConditionalGeneration"] })).toBe(mt5);
    expect(findFamily({ architectures: ["UMT5ForConditionalGeneration"] })).toBe(umt5);
  });

  it("has scores for distances in the first layers alone, and umT5 in all", () => {
    const biases = (family: typeof t5) =>
      forwardGraph(family, family.readConfig(json))
        .parameters.map(({ name }) => name)
        .filter((name) => name.includes("relative_attention_bias"))
        .sort();
    expect(biases(t5)).toEqual([biasOf("decoder"), biasOf("encoder")]);
    expect(biases(umt5)).toEqual(
      [0, 1].flatMap((layer) => [biasOf("decoder", layer), biasOf("encoder", layer)]).sort(),
    );
  });

  it("takes its output's scale, its activation and its layers from the config as transformers does", () => {
    const read = (more: object, family = t5) => family.readConfig({ ...json, ...more });
    expect(read({}).scaleOutput).toBe(true);
    expect(read({ tie_word_embeddings: false }).scaleOutput).toBe(false);
    expect(read({ scale_decoder_outputs: false }).scaleOutput).toBe(false);
    expect(read({ tie_word_embeddings: false, scale_decoder_outputs: true }).scaleOutput).toBe(
      true,
    );
    expect(read({}, mt5).scaleOutput).toBe(false);
    expect(read({})).toMatchObject({ activation: "gelu_new", gated: true });
    expect(read({ feed_forward_proj: "gelu" })).toMatchObject({ activation: "gelu", gated: false });
    expect(read({ feed_forward_proj: undefined })).toMatchObject({
      activation: "relu",
      gated: false,
    });
    expect(read({ feed_forward_proj: undefined }, mt5)).toMatchObject({ gated: true });
    expect(read({ feed_forward_proj: "gated-silu" })).toMatchObject({ activation: "silu" });
    expect(read({ num_decoder_layers: undefined, num_layers: 4 }).decoderLayers).toBe(4);
  });

  it("refuses what its config cannot mean, by the key", () => {
    const read = (more: object) => () => forwardGraph(t5, t5.readConfig({ ...json, ...more }));
    for (const [key, value] of Object.entries({
      feed_forward_proj: "gated-swiglu",
      relative_attention_num_buckets: 0,
      relative_attention_max_distance: 2,
      layer_norm_epsilon: 0,
    })) {
      expect(read({ [key]: value })).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
      expect(read({ [key]: value })).toThrow(key);
    }
    expect(read({ task_specific_params: { summarization: { prefix: 3 } } })).toThrow("prefix");
  });

  it("sorts distances into buckets, the wide ones by their logarithm", () => {
    const options = { buckets: 32, maxDistance: 128 };
    const forward = [0, 1, 7, 8, 11, 12, 16, 64, 127, 128, 9000];
    const buckets = (bidirectional: boolean, sign: number) =>
      forward.map((distance) => bucketOf(sign * distance, { ...options, bidirectional }));
    // As T5Attention._relative_position_bucket gives them.
    expect(buckets(true, -1)).toEqual([0, 1, 7, 8, 8, 9, 10, 14, 15, 15, 15]);
    expect(buckets(true, 1)).toEqual([0, 17, 23, 24, 24, 25, 26, 30, 31, 31, 31]);
    expect(buckets(false, -1)).toEqual([0, 1, 7, 8, 11, 12, 16, 26, 31, 31, 31]);
    expect(buckets(false, 1)).toEqual(forward.map(() => 0));
  });

  it("has the gradients that finite differences say", async () => {
    const made = gradientGraph(t5, config);
    const at = weights();
    const session = await openGradients(made, at, { threads: 1 });
    const feeds = batchFeeds(config, batch, 1 / countLabels(batch));
    const { gradients } = await session.run(feeds);
    expect([...gradients.keys()].sort()).toEqual(graph.parameters.map(({ name }) => name).sort());
    for (const name of [
      "shared.weight",
      biasOf("encoder"),
      biasOf("decoder"),
      "encoder.block.1.layer.1.DenseReluDense.wi_1.weight",
      "decoder.block.1.layer.1.EncDecAttention.v.weight",
      "decoder.final_layer_norm.weight",
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

  it.each([
    ["nothing kept but layers", { recompute: "layers" }],
    ["everything kept", { recompute: "nothing" }],
  ] as const)("has the same gradients with %s", async (_, options) => {
    const feeds = batchFeeds(config, batch, 1 / countLabels(batch));
    const run = async (how: Parameters<typeof gradientGraph>[2]) => {
      const session = await openGradients(gradientGraph(t5, config, how), weights(), {
        threads: 1,
      });
      const { gradients } = await session.run(feeds);
      await session.close();
      return gradients;
    };
    const [usual, other] = [await run({}), await run(options)];
    for (const [name, { data }] of usual) {
      const largest = data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      for (const [i, x] of other.get(name)!.data.entries())
        expect(Math.abs(x - data[i]!)).toBeLessThanOrEqual(1e-4 * largest);
    }
  });

  it("is fine-tuned as Pegasus is", async () => {
    const step = await openTrainingStep(t5, config, weights(), {
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

  it("gets adapters under PEFT's names, and none for the output layer", () => {
    const adapted = (targets: readonly string[] | "all-linear") =>
      new Set(
        [
          ...loraShapes(graph, {
            rank: 2,
            alpha: 2,
            rankStabilized: false,
            dropout: 0,
            targets,
          }).keys(),
        ].map((name) => name.split(".").at(-3)),
      );
    expect(adapted(t5.queriesAndValues)).toEqual(new Set(["q", "v"]));
    expect(adapted("all-linear")).toEqual(new Set(["q", "k", "v", "o", "wi_0", "wi_1", "wo"]));
  });

  it("starts with transformers' deviations", () => {
    const deviation = (name: string) => {
      const data = weights().get(name)!.data as Float32Array;
      return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
    };
    expect(deviation("shared.weight")).toBeCloseTo(1, 1);
    const attention = "encoder.block.0.layer.0.SelfAttention";
    expect(deviation(`${attention}.q.weight`)).toBeCloseTo((16 * 5) ** -0.5, 1);
    expect(deviation(`${attention}.k.weight`)).toBeCloseTo(16 ** -0.5, 1);
    expect(
      weights()
        .get("encoder.final_layer_norm.weight")!
        .data.every((x) => x === 1),
    ).toBe(true);
  });
});
