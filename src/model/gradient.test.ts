// Tests the loss over hidden words of the encoder's input: its value by hand, and its gradient by finite differences.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyConfig } from "../../test/support/tiny-pegasus.js";
import { openSession } from "../runtime/session.js";
import { feedsOf as forwardFeeds, forwardGraph, shiftRight } from "./forward.js";
import { batchFeeds, countLabels, gradientGraph, type LabelledBatch } from "./gradient.js";
import { type GradientSession, openGradients } from "./gradient-session.js";
import { initialWeights } from "./initial-weights.js";
import { pegasus } from "./pegasus.js";

const config = pegasus.readConfig(tinyConfig);
const { parameters } = forwardGraph(pegasus, config);
const weights = initialWeights(pegasus, config, parameters, { seed: 1, deviation: 0.3 });
const options = { device: "cpu", threads: 1 } as const;

const batch: LabelledBatch = {
  inputIds: [
    [110, 3, 3, 130, 2, 1],
    [120, 121, 115, 1, 0, 0],
  ],
  attentionMask: [
    [1, 1, 1, 1, 1, 1],
    [1, 1, 1, 1, 0, 0],
  ],
  labels: [
    [140, 141, 1],
    [150, 1, -100],
  ],
  encoderLabels: [
    [-100, 111, 112, -100, -100, -100],
    [120, -100, -100, -100, -100, -100],
  ],
};
const { encoderLabels: hidden, ...plainBatch } = batch;
const feedsOf = (of: LabelledBatch) => batchFeeds(config, of, 1 / countLabels(of));

let both: GradientSession;
let plain: GradientSession;
beforeAll(async () => {
  both = await openGradients(
    gradientGraph(pegasus, config, { encoderLabels: true }),
    weights,
    options,
  );
  plain = await openGradients(gradientGraph(pegasus, config), weights, options);
});
afterAll(async () => {
  await both.close();
  await plain.close();
});

describe("encoder labels", () => {
  it("add the mean cross-entropy of the hidden tokens, told from the encoder's last states", async () => {
    const session = await openSession(forwardGraph(pegasus, config), weights, options);
    const { inputIds, attentionMask, labels } = plainBatch;
    const inputs = forwardFeeds(config, inputIds, attentionMask, shiftRight(labels, config));
    const states = (await session.run(inputs)).encoderLast!.data as Float32Array;
    await session.close();
    const table = weights.get("model.shared.weight")!.data as Float32Array;
    const bias = weights.get("final_logits_bias")!.data as Float32Array;
    const width = tinyConfig.d_model;
    let sum = 0;
    let count = 0;
    for (const [place, label] of hidden!.flat().entries()) {
      if (label === -100) continue;
      const state = states.subarray(place * width, (place + 1) * width);
      const scores = Array.from(bias, (offset, id) =>
        state.reduce((total, x, i) => total + x * table[id * width + i]!, offset),
      );
      const most = Math.max(...scores);
      const logSum = most + Math.log(scores.reduce((total, z) => total + Math.exp(z - most), 0));
      sum += logSum - scores[label]!;
      count++;
    }
    const { loss } = await both.run(feedsOf(batch));
    const { loss: written } = await plain.run(feedsOf(plainBatch));
    expect(loss - written).toBeCloseTo(sum / count, 4);
  });

  it("give the gradient of that loss", async () => {
    const { gradients } = await both.run(feedsOf(batch));
    for (const name of [
      "model.shared.weight",
      "model.encoder.layers.1.fc1.weight",
      "model.encoder.layer_norm.weight",
      "model.decoder.layers.0.fc2.weight",
    ]) {
      const gradient = gradients.get(name)!.data;
      const data = weights.get(name)!.data as Float32Array;
      const before = data.slice();
      // Along the gradient itself the loss rises fastest, so that rounding matters least.
      const norm = Math.hypot(...gradient);
      const step = 1e-2;
      const lossAt = async (by: number) => {
        for (const [i, x] of before.entries()) data[i] = x + (by * gradient[i]!) / norm;
        const { loss } = await both.run(feedsOf(batch));
        data.set(before);
        return loss;
      };
      const rise = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
      expect(rise / norm, name).toBeCloseTo(1, 2);
    }
  });

  it("of no hidden place add nothing", async () => {
    const none = hidden!.map((row) => row.map(() => -100));
    const { loss } = await both.run(feedsOf({ ...batch, encoderLabels: none }));
    expect(loss).toBeCloseTo((await plain.run(feedsOf(plainBatch))).loss, 6);
  });

  it("that do not stand beside the inputs are refused by their own name, as labels of other rows are", () => {
    const refused = (what: Partial<LabelledBatch>) => () => feedsOf({ ...batch, ...what });
    expect(refused({ encoderLabels: hidden!.map((row) => row.slice(1)) })).toThrow(
      /encoderLabels.*its rows have 5 elements, those of inputIds 6/,
    );
    expect(refused({ encoderLabels: hidden!.slice(1) })).toThrow(
      /encoderLabels.*it has 1 rows, inputIds 2/,
    );
    expect(refused({ labels: batch.labels.slice(1) })).toThrow(/labels.*it has 1 rows, inputIds 2/);
  });

  it("outside the vocabulary are refused", () => {
    expect(() => feedsOf({ ...batch, encoderLabels: [[9999]] })).toThrow("encoderLabels is 9999");
  });
});
