// Training steps on WebGPU: the CPU's losses, norms and weights, for all weights and for adapters, with dropout and without.
import { describe, expect, it } from "vitest";
import { tinyConfig } from "../../test/support/tiny-pegasus.js";
import { webgpuAnswers } from "../../test/support/webgpu.js";
import { OptimizerOptions } from "../config/optimizer-options.js";
import { forwardGraph } from "../model/forward.js";
import { initialLora, initialWeights } from "../model/initial-weights.js";
import { addLora, isLoraParameter, type LoraConfig, loraShapes } from "../model/lora.js";
import { pegasus } from "../model/pegasus.js";
import type { Device } from "../runtime/devices.js";
import { openTrainingStep, type TrainingStepOptions } from "./step.js";

const here = await webgpuAnswers();

const config = pegasus.readConfig({ ...tinyConfig, dropout: 0.1, attention_dropout: 0.1 });
const batches = [
  {
    inputIds: [
      [110, 131, 127, 140, 155, 149, 1],
      [120, 131, 1, 0, 0, 0, 0],
    ],
    attentionMask: [
      [1, 1, 1, 1, 1, 1, 1],
      [1, 1, 1, 0, 0, 0, 0],
    ],
    labels: [
      [112, 113, 1],
      [114, 1, -100],
    ],
  },
  { inputIds: [[144, 133, 128, 160, 1]], labels: [[115, 116, 117, 118, 1]] },
];
const lora: LoraConfig = {
  ...{ rank: 4, alpha: 8, rankStabilized: false, dropout: 0.2 },
  targets: ["q_proj", "v_proj"],
};

const cases: [string, Partial<TrainingStepOptions>][] = [
  ["every weight", {}],
  [
    "every weight, with dropout, smoothing, layers computed twice and the output layer in parts",
    { dropout: true, labelSmoothing: 0.1, recompute: "layers", chunks: 3 },
  ],
  ["adapters", { dropout: true, learns: isLoraParameter, extend: addLora(lora) }],
];

/** Two steps of two micro-batches. */
async function train(device: Device, options: Partial<TrainingStepOptions>) {
  const graph = forwardGraph(pegasus, config);
  const weights = initialWeights(pegasus, config, graph.parameters, { seed: 2, deviation: 0.1 });
  const adapters = options.extend ? initialLora(loraShapes(graph, lora), 1) : new Map();
  const step = await openTrainingStep(pegasus, config, new Map([...weights, ...adapters]), {
    optimizer: OptimizerOptions.parse({ name: "adamw", weightDecay: 0.01 }),
    ...{ accumulate: 2, accumulationMode: "tokens", maxGradNorm: 1, averageDecay: null, seed: 3 },
    session: { device, threads: 1 },
    ...options,
  });
  const results = [];
  for (let index = 0; index < 2; index++)
    results.push(await step.run(batches, { index, learningRate: 1e-3 }));
  const learned = new Map([...step.result].map(([name, { data }]) => [name, data.slice()]));
  await step.close();
  return { results, weights: learned };
}

describe.runIf(here)("on WebGPU (skipped where no adapter answers)", () => {
  it.each(cases)(
    "%s: steps are the CPU's",
    async (_, options) => {
      const [cpu, gpu] = [await train("cpu", options), await train("webgpu", options)];
      for (const [i, { loss, gradNorm }] of cpu.results.entries()) {
        expect(Math.abs(gpu.results[i]!.loss - loss)).toBeLessThan(1e-4 * loss);
        expect(Math.abs(gpu.results[i]!.gradNorm - gradNorm)).toBeLessThan(1e-3 * gradNorm);
      }
      expect(cpu.results[1]!.loss).not.toBeCloseTo(cpu.results[0]!.loss, 3);
      expect([...gpu.weights.keys()]).toEqual([...cpu.weights.keys()]);
      for (const [name, expected] of cpu.weights) {
        // Its true gradient is 0: the optimizer blows up whatever rounding leaves.
        if (name.endsWith("k_proj.bias")) continue;
        const actual = gpu.weights.get(name)!;
        const off = expected.map((x, i) => Math.abs(x - actual[i]!));
        // A step of an element whose gradient is next to 0 may go either way; hardly any may.
        const strayed = off.filter((x) => x > 2e-4).length;
        expect(strayed, name).toBeLessThanOrEqual(Math.ceil(0.02 * off.length));
      }
    },
    300_000,
  );
});
