// The encoder that serves: with heads side by side it answers what the family's graph answers, and documents are read as they are alone.
import { describe, expect, it } from "vitest";
import { tinyBartConfig } from "../../test/support/tiny-bart.js";
import { tinyConfig } from "../../test/support/tiny-pegasus.js";
import { tinyT5Config } from "../../test/support/tiny-t5.js";
import {
  decodeModel,
  encodeModel,
  type Graph,
  GraphBuilder,
  joinHeads,
  lower,
  type OnnxNode,
  rewriteGraph,
} from "../graph/index.js";
import { findFamily } from "../model/families.js";
import { initialWeights } from "../model/initial-weights.js";
import { openSession } from "../runtime/session.js";
import type { Tensor } from "../runtime/tensor.js";
import { encoderGraph } from "./cache.js";
import { kindOf, partsOf, type Reading, readingsOf, type Source } from "./encoder-parts.js";
import { createRandom } from "./random.js";
import type { Search } from "./search.js";

const bart = { ...tinyBartConfig, max_position_embeddings: 300 };
const pegasus = { ...tinyConfig, max_position_embeddings: 300 };

function familyOf(json: Record<string, unknown>) {
  const family = findFamily(json);
  const config = family.readConfig(json);
  const graph = encoderGraph(family, config);
  return { family, config, graph, joined: rewriteGraph(graph, joinHeads(graph)) };
}
const countOf = ({ nodes }: Graph, op: string) => nodes.filter((node) => node.op === op).length;

const random = createRandom(3);
const source = (tokens: number, isRead = (_: number) => true): Source => {
  const mask = Array.from({ length: tokens }, (_, i) => Number(isRead(i)));
  return {
    ids: Array.from({ length: tokens }, () => 4 + Math.floor(random() * 30)),
    mask: mask.includes(0) ? mask : undefined,
  };
};
const toRead = (readings: readonly Reading[]) =>
  readings.map((reading) => ({ reading, search: {} as Search }));

describe("an encoder whose heads stand side by side", () => {
  it.each([
    ["Pegasus", pegasus, 2],
    ["BART", bart, 2],
    ["T5, whose scores have a bias", tinyT5Config, 0],
  ])("attends in as many layers as that can be done in: %s", (_, json, layers) => {
    const { graph, joined } = familyOf(json);
    expect(countOf(joined, "multiHeadAttention")).toBe(layers);
    expect(countOf(joined, "attention")).toBe(countOf(graph, "attention") - layers);
    expect(joined.parameters.map(({ name }) => name).sort()).toEqual(
      graph.parameters.map(({ name }) => name).sort(),
    );
  });

  it.each([
    ["Pegasus", pegasus],
    ["BART", bart],
  ])("answers what the family's graph answers: %s", async (_, json) => {
    const { family, config, graph, joined } = familyOf(json);
    const weights = initialWeights(family, config, graph.parameters, { seed: 5, deviation: 0.2 });
    const plain = await openSession(graph, weights, { threads: 2 });
    const served = await openSession(joined, weights, { threads: 2 });
    try {
      for (const [length, sources] of [
        [129, [source(129)]],
        [160, [source(160), source(160)]],
        [48, [source(48), source(40), source(35, (i) => i % 5 !== 2)]],
        [16, [source(1), source(16, () => false)]],
      ] as const) {
        const isMasked = sources.some(({ ids, mask }) => mask !== undefined || ids.length < length);
        const readings = sources.map(({ ids, mask = isMasked ? ids.map(() => 1) : undefined }) => ({
          ...{ ids, mask, length },
        }));
        const [part, ...others] = partsOf(toRead(readings), config, "webgpu");
        expect(others).toEqual([]);
        const feeds = { ...part?.feeds };
        const [expected, found] = [await plain.run(feeds), await served.run(feeds)];
        for (const [name, { data }] of Object.entries(expected)) {
          const answer = (found[name] as Tensor<"float32">).data;
          if (isMasked) expect(answer).toEqual(data);
          else {
            const off = answer.map((x, i) => Math.abs(x - Number(data[i])));
            expect(Math.max(...off)).toBeLessThan(2e-6);
            // Another operator rounds otherwise: it was not the way under a mask.
            expect(Math.max(...off)).toBeGreaterThan(0);
          }
        }
      }
    } finally {
      await plain.close();
      await served.close();
    }
  });

  it("is written as ONNX with both its ways, and read again", () => {
    const model = lower(familyOf(pegasus).joined);
    const choices = model.nodes.filter(({ opType }) => opType === "If");
    expect(choices).toHaveLength(2);
    expect(model.nodes.filter(({ opType }) => opType === "ReduceMin")).toHaveLength(1);
    const read = decodeModel(encodeModel(model));
    // Numbers that ONNX stores as floats are those of float32 afterwards.
    expect(decodeModel(encodeModel(read))).toEqual(read);
    for (const [i, { attributes, ...node }] of read.nodes.entries()) {
      const { attributes: written, ...whole } = model.nodes[i] as OnnxNode;
      expect(node).toEqual(whole);
      expect(Object.keys(attributes)).toEqual(Object.keys(written));
    }
    const branch = (nodes: readonly OnnxNode[]) =>
      nodes.flatMap(({ attributes: { then_branch: then } }) =>
        typeof then === "object" && "graph" in then ? [then.graph] : [],
      );
    const [first] = branch(read.nodes);
    expect(first?.outputs[0]?.shape).toEqual(["batch", "source", pegasus.d_model]);
    expect(first?.nodes.map(({ opType }) => opType)).toEqual(
      branch(model.nodes)[0]?.nodes.map(({ opType }) => opType),
    );
  });

  it("refuses what does not fit", () => {
    const g = new GraphBuilder();
    const rows = g.input("rows", "float32", ["batch", "source", 8]);
    const bias = g.parameter("bias", [8]);
    const mask = g.input("mask", "float32", ["batch", 1, 1, "source"]);
    const of = (inputs: Parameters<typeof g.apply>[1], heads = 2) =>
      g.apply("multiHeadAttention", inputs, { heads, scale: 1 });
    expect(of([rows, rows, rows, bias, bias, bias, mask])[0]?.shape).toEqual(rows.shape);
    expect(() => of([rows, rows, rows, bias, bias, bias, mask], 3)).toThrow(/share 3 heads/);
    expect(() => of([rows, rows, rows, bias, bias, bias, bias])).toThrow(/mask must be/);
    expect(() => of([rows, rows, bias, bias, bias, bias, mask])).toThrow(/k and v must be/);
    expect(() => of([rows, rows, rows, bias, mask, bias, mask])).toThrow(/biases must be/);
    expect(() => of([rows, rows, rows, bias, bias, undefined, mask])).toThrow(/is missing/);
  });
});

describe("documents", () => {
  it("take places by their own length alone, and are padded only where they are short", () => {
    const lengths = [1, 16, 17, 128, 129, 144, 500];
    const alone = lengths.map((tokens) => readingsOf([source(tokens)], "cpu")[0]?.length);
    expect(alone).toEqual([16, 16, 32, 128, 129, 144, 500]);
    const all = readingsOf(
      lengths.map((tokens) => source(tokens)),
      "cpu",
    );
    expect(all.map(({ length }) => length)).toEqual(alone);
    // A GPU reads all of a call's at once.
    const onGpu = readingsOf(
      lengths.map((tokens) => source(tokens)),
      "webgpu",
    );
    expect(new Set(onGpu.map(kindOf)).size).toBe(1);
    expect(new Set(onGpu.map(({ length }) => length))).toEqual(new Set([512]));
  });

  it("are encoded together where they are as long, padded or not, and the longest first", () => {
    const { config } = familyOf(pegasus);
    const sources = [
      source(30),
      source(32),
      source(112),
      source(31),
      source(112),
      source(20, (i) => i > 3),
    ];
    const documents = toRead(readingsOf(sources, "cpu"));
    const parts = [...partsOf(documents, config, "cpu")];
    const placesOf = (part: (typeof parts)[number]) =>
      part.searches.map((search) => documents.findIndex((each) => each.search === search));
    expect(parts.map(placesOf)).toEqual([[2, 4], [0, 3, 5], [1]]);
    expect(parts.map(({ left }) => left)).toEqual([4, 1, 0]);
    expect(parts.map(({ feeds }) => feeds.ids.shape)).toEqual([
      [2, 112],
      [3, 32],
      [1, 32],
    ]);
    expect(parts.map(({ feeds }) => feeds.mask.data.filter((x) => x < 0).length)).toEqual([
      0, 19, 0,
    ]);
    expect(new Set(documents.map(({ reading }) => kindOf(reading))).size).toBe(3);
  });

  it("of many tokens are encoded one after the other", () => {
    const { config } = familyOf(pegasus);
    const documents = toRead(readingsOf([source(300), source(300), source(300)], "cpu"));
    expect([...partsOf(documents, config, "cpu")].map(({ searches }) => searches.length)).toEqual([
      1, 1, 1,
    ]);
    expect([...partsOf(documents, config, "cuda")].map(({ searches }) => searches.length)).toEqual([
      3,
    ]);
  });
});
