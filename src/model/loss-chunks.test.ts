// In what order onnxruntime works on the output layer's parts, read from a profile: scores of one part exist at a time.
import { describe, expect, it } from "vitest";
import { tinyConfig } from "../../test/support/tiny-pegasus.js";
import { GraphBuilder, grad, linearCrossEntropy } from "../graph/index.js";
import { Profiler } from "../runtime/profile/profiler.js";
import { openSession } from "../runtime/session.js";
import { float32, int64 } from "../runtime/tensor.js";
import { forwardGraph } from "./forward.js";
import { batchFeeds, type GradientGraphOptions, gradientGraph } from "./gradient.js";
import { openGradients } from "./gradient-session.js";
import { initialLora, initialWeights } from "./initial-weights.js";
import { addLora, isLoraParameter, type LoraConfig, loraShapes } from "./lora.js";
import { pegasus } from "./pegasus.js";

const config = pegasus.readConfig(tinyConfig);
const graph = forwardGraph(pegasus, config);
const lora: LoraConfig = {
  ...{ rank: 2, alpha: 2, rankStabilized: false, dropout: 0 },
  targets: ["q_proj", "v_proj"],
};
const weights = new Map([
  ...initialWeights(pegasus, config, graph.parameters, { seed: 1, deviation: 0.3 }),
  ...initialLora(loraShapes(graph, lora), 1),
]);
/** Nine labels: parts of five and four rows, or of three. */
const batch = {
  inputIds: [[110, 131, 127, 1]],
  labels: [[112, 113, 114, 115, 116, 117, 118, 119, 1]],
};

/** For each operator that ran, in order: how many rows of scores over the vocabulary it takes or gives. */
async function rowsOfScores(options: GradientGraphOptions): Promise<number[]> {
  const profiler = await Profiler.create();
  try {
    const session = await openGradients(gradientGraph(pegasus, config, options), weights, {
      ...{ device: "cpu", threads: 1, profiler },
    });
    await session.run(batchFeeds(config, batch, 1 / 9));
    await session.close();
    const [times] = await profiler.sessions();
    const scores = new RegExp(`\\[(\\d+),${config.vocabSize}\\]`);
    return times!.runs[0]!.calls.map(({ shapes }) => Number(scores.exec(shapes)?.[1] ?? 0));
  } finally {
    await profiler.remove();
  }
}

describe("the output layer in parts", () => {
  it.each<[string, GradientGraphOptions]>([
    ["every weight", {}],
    ["every weight, with layers computed twice", { recompute: "layers" }],
    ["adapters", { learns: isLoraParameter, extend: addLora(lora) }],
    ["nothing, as where a model is evaluated", { learns: () => false }],
  ])("is through with one part's scores before the next: %s", async (_, options) => {
    const order = await rowsOfScores({ ...options, chunks: 2 });
    const first = order.flatMap((rows, i) => (rows === 5 ? [i] : []));
    const second = order.flatMap((rows, i) => (rows === 4 ? [i] : []));
    expect(first.length).toBeGreaterThan(4);
    expect(second).toHaveLength(first.length);
    expect(first.at(-1)!).toBeLessThan(second[0]!);
  });

  it.each<[string, number, GradientGraphOptions]>([
    // The table's own gradient is made at the end, of what was kept of the last part.
    ["every weight", 1, {}],
    ["adapters", 0, { learns: isLoraParameter, extend: addLora(lora) }],
  ])("is no more needed on the way back, with the loss made: %s", async (_, late, options) => {
    for (const chunks of [1, 2]) {
      const order = await rowsOfScores({ ...options, chunks });
      const back = order.slice(Math.ceil(order.length / 2));
      expect(back.filter((rows) => rows > 0)).toHaveLength(late);
    }
  });

  it("passes no number of one part on to another, not even one that is none", async () => {
    const g = new GraphBuilder();
    const hidden = g.input("hidden", "float32", ["rows", 4]);
    const table = g.parameter("table", [7, 4]);
    const loss = linearCrossEntropy(g, {
      ...{ hidden, table, chunks: 3 },
      labels: g.input("labels", "int64", ["rows"]),
      weights: g.input("weights", "float32", ["rows"]),
    });
    const gradients = grad(g, loss, [hidden, table]);
    const made = g.finish([
      g.output("loss", loss),
      g.output("toHidden", gradients.get(hidden)!.dense!),
      g.output("toTable", gradients.get(table)!.dense!),
    ]);
    const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i));
    const session = await openSession(made, new Map([["table", float32(numbers(28), [7, 4])]]), {
      ...{ device: "cpu", threads: 1, target: "training" },
    });
    const rows = numbers(24);
    rows[1] = Number.NaN;
    const answer = await session.run({
      hidden: float32(rows, [6, 4]),
      labels: int64([0, 6, 2, 2, 5, 0], [6]),
      weights: float32(new Float32Array(6).fill(1 / 6), [6]),
    });
    await session.close();
    expect(answer.loss!.data[0]).toBeNaN();
    const finite = [...(answer.toHidden!.data as Float32Array)].map(Number.isFinite);
    expect(finite.slice(0, 4)).not.toContain(true);
    expect(finite.slice(4)).not.toContain(false);
  });
});
