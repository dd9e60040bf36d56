// Tests that leaving padding out changes nothing: loss and every gradient are those of the graph that works on whole blocks.
import { describe, expect, it } from "vitest";
import { tinyBartConfig } from "../../test/support/tiny-bart.js";
import { tinyConfig } from "../../test/support/tiny-pegasus.js";
import { tinyT5Config } from "../../test/support/tiny-t5.js";
import { add, type Graph, GraphBuilder, grad, linearCrossEntropy } from "../graph/index.js";
import { openSession } from "../runtime/session.js";
import { float32, int64Rows, type Tensor } from "../runtime/tensor.js";
import { seededRandom } from "../text/seeded-random.js";
import { findFamily } from "./families.js";
import type { Family, ModelConfig } from "./family.js";
import { bothSides, feedsOf, forwardGraph, shiftRight } from "./forward.js";
import {
  addRows,
  batchFeeds,
  countLabels,
  type GradientGraphOptions,
  gradientGraph,
} from "./gradient.js";
import { openGradients } from "./gradient-session.js";
import { initialWeights } from "./initial-weights.js";
import { packTokens, rowFeeds, takeTokens } from "./token-rows.js";

const ignored = -100;
const session = { device: "cpu", threads: 1 } as const;

/** Documents with gaps and without any token, summaries that end early, have gaps or are not there. */
function randomBatch(seed: number, vocabulary: number) {
  const { nextUint32, nextBelow: below } = seededRandom(seed);
  const random = () => nextUint32() / 2 ** 32;
  const id = () => 3 + below(vocabulary - 3);
  const [rows, source, target] = [2 + below(3), 2 + below(6), 1 + below(5)];
  const block = <T>(length: number, make: (row: number, place: number) => T) =>
    Array.from({ length: rows }, (_, r) => Array.from({ length }, (_, place) => make(r, place)));
  const [lengths, written] = [0, 1].map(() => Array.from({ length: rows }, () => random()));
  return {
    inputIds: block(source, id),
    attentionMask: block(source, (r, place) =>
      place < (lengths?.[r] ?? 0) * (source + 1) && random() < 0.9 ? 1 : 0,
    ),
    labels: block(target, (r, place) =>
      (r === 0 && place === 0) || (place < (written?.[r] ?? 0) * (target + 1) && random() < 0.8)
        ? id()
        : ignored,
    ),
    encoderLabels: block(source, () => (random() < 0.3 ? id() : ignored)),
  };
}

/** The graph that works on whole blocks: loss and dense gradients, those of tables as rows. */
function paddedGraph<C extends ModelConfig>(family: Family<C>, config: C, labelSmoothing: number) {
  const g = new GraphBuilder();
  const { encoded, decoded } = bothSides(g, family, config);
  const side = (
    states: typeof encoded,
    prefix: string,
    length: string,
    more: { labelSmoothing?: number } = {},
  ) =>
    linearCrossEntropy(g, {
      ...more,
      ...family.head(g, config, states.at(-1) ?? states[0]),
      labels: g.input(`${prefix}abels`, "int64", ["batch", length]),
      weights: g.input(`${prefix}abelWeights`, "float32", ["batch", length]),
    });
  const loss = add(
    g,
    side(decoded, "l", "target", { labelSmoothing }),
    side(encoded, "encoderL", "source"),
  );
  const learned = g.known.filter(({ name }) => !family.fixed.includes(name));
  const found = grad(g, loss, learned);
  const outputs = [g.output("loss", loss)];
  for (const parameter of learned) {
    const gradient = found.get(parameter);
    if (gradient?.dense) outputs.push(g.output(`grad:${parameter.name}`, gradient.dense));
    for (const [i, { rows, indices }] of (gradient?.rows ?? []).entries()) {
      outputs.push(g.output(`rows:${parameter.name}:${i}`, rows));
      outputs.push(g.output(`indices:${parameter.name}:${i}`, indices));
    }
  }
  const padding = (name: string, i: number) =>
    found.get(learned.find((p) => p.name === name)!)?.rows[i]?.padding;
  return { graph: g.finish(outputs) as Graph, learned, padding };
}

function labelFeeds(name: string, rows: readonly (readonly number[])[]): Record<string, Tensor> {
  const count = Math.max(1, rows.flat().filter((id) => id !== ignored).length);
  const labels = int64Rows(
    name,
    rows.map((row) => row.map((id) => (id === ignored ? 0 : id))),
  );
  const weights = Float32Array.from(rows.flat(), (id) => (id === ignored ? 0 : 1 / count));
  const weightsName = name.replace("abels", "abelWeights");
  return { [name]: labels, [weightsName]: float32(weights, labels.shape) };
}

describe.each([
  ["pegasus", tinyConfig],
  ["bart, with other heads on each side", { ...tinyBartConfig, encoder_attention_heads: 4 }],
  ["t5", tinyT5Config],
])("rows of tokens in %s", (_, json) => {
  const family = findFamily(json);
  const config = family.readConfig(json);
  const { parameters } = forwardGraph(family, config);
  const weights = initialWeights(family, config, parameters, { seed: 3, deviation: 0.3 });

  it.each<[string, GradientGraphOptions]>([
    ["as they are", {}],
    ["with layers computed twice", { recompute: "layers" }],
    ["with smoothing and the output layer in parts", { labelSmoothing: 0.1, chunks: 3 }],
  ])("give the loss and the gradients of whole blocks, %s", async (_, options) => {
    const padded = paddedGraph(family, config, options.labelSmoothing ?? 0);
    const whole = await openSession(padded.graph, weights, { ...session, target: "training" });
    const packed = await openGradients(
      gradientGraph(family, config, { ...options, encoderLabels: true }),
      weights,
      session,
    );
    for (let seed = 1; seed <= 8; seed++) {
      const batch = randomBatch(seed, config.vocabSize);
      const { inputIds, attentionMask, labels, encoderLabels } = batch;
      const expected = await whole.run({
        ...feedsOf(config, inputIds, attentionMask, shiftRight(labels, config)),
        ...labelFeeds("labels", labels),
        ...labelFeeds("encoderLabels", encoderLabels),
      });
      const found = await packed.run(batchFeeds(config, batch, 1 / countLabels(batch)));
      expect(found.loss, `batch ${seed}`).toBeCloseTo(Number(expected.loss?.data[0]), 4);
      for (const { name, shape } of padded.learned) {
        const size = shape.reduce<number>((product, dim) => product * Number(dim), 1);
        const gradient = Float32Array.from(
          (expected[`grad:${name}`]?.data as Float32Array | undefined) ?? new Float32Array(size),
        );
        for (let i = 0; expected[`rows:${name}:${i}`] !== undefined; i++) {
          const rows = expected[`rows:${name}:${i}`]!;
          const indices = expected[`indices:${name}:${i}`]!.data as BigInt64Array;
          const width = rows.shape.at(-1) ?? 1;
          addRows(gradient, rows.data as Float32Array, indices, width, padded.padding(name, i));
        }
        const data = found.gradients.get(name)!.data;
        const length = Math.hypot(...gradient);
        const away = Math.hypot(...data.map((x, i) => x - gradient[i]!));
        expect(away, `${name} of batch ${seed}, ${length} long`).toBeLessThan(1e-4 * length + 1e-5);
      }
    }
    await whole.close();
    await packed.close();
  });

  it("take no notice of what stands where there is no token", async () => {
    const packed = await openGradients(gradientGraph(family, config), weights, session);
    const { encoderLabels: _, ...batch } = randomBatch(5, config.vocabSize);
    const before = await packed.run(batchFeeds(config, batch, 1));
    const inputIds = batch.inputIds.map((row, r) =>
      row.map((id, place) =>
        batch.attentionMask[r]?.includes(1) && batch.attentionMask[r]?.[place] === 0 ? 7 : id,
      ),
    );
    expect(inputIds).not.toEqual(batch.inputIds);
    const after = await packed.run(batchFeeds(config, { ...batch, inputIds }, 1));
    expect(after.loss).toBe(before.loss);
    for (const [name, { data }] of before.gradients) {
      expect(after.gradients.get(name)!.data, name).toEqual(data);
    }
    await packed.close();
  });

  it("of a batch that nothing is learned from have no loss and no gradient", async () => {
    const packed = await openGradients(gradientGraph(family, config), weights, session);
    const { encoderLabels: _, labels, ...batch } = randomBatch(3, config.vocabSize);
    const none = labels.map((row) => row.map(() => ignored));
    const { loss, gradients } = await packed.run(batchFeeds(config, { ...batch, labels: none }, 1));
    expect(loss).toBe(0);
    for (const [name, { data }] of gradients)
      expect(
        data.every((x) => x === 0),
        name,
      ).toBe(true);
    await packed.close();
  });
});

describe("packTokens", () => {
  it("keeps tokens in order, with one row more for all other places", () => {
    const tokens = packTokens([
      [true, false, true],
      [true, false, false],
    ]);
    expect(tokens).toEqual({ shape: [2, 3], places: [0, 2, 3, 1], hasBlank: true });
    const block = [
      [10, 11, 12],
      [13, 14, 15],
    ];
    expect(takeTokens(tokens, block)).toEqual([10, 12, 13, 11]);
    expect(takeTokens(tokens, block, -1)).toEqual([10, 12, 13, -1]);
    const feeds = rowFeeds("source", tokens, [1, 2, 2]);
    expect(Object.keys(feeds).sort()).toEqual([
      "sourcePlaces.1",
      "sourcePlaces.2",
      "sourcePositions",
      "sourceTokens.1",
      "sourceTokens.2",
    ]);
    expect([...feeds["sourcePlaces.1"]!.data]).toEqual([0, 3, 1, 2, 3, 3]);
    expect([...feeds["sourceTokens.2"]!.data]).toEqual([0, 3, 2, 5, 6, 9, 1, 4]);
  });

  it("has no row more where every place has a token", () => {
    const tokens = packTokens([[true, true]]);
    expect(tokens).toEqual({ shape: [1, 2], places: [0, 1], hasBlank: false });
    expect([...rowFeeds("target", tokens, [2])["targetPlaces.2"]!.data]).toEqual([0, 2, 1, 3]);
  });
});
