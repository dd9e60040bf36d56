// A whole model on WebGPU: the CPU's logits and tokens, from mapped weights and from converted ones.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyPegasus, tinyConfig, tinyWeights } from "../../test/support/tiny-pegasus.js";
import { makeTinyT5 } from "../../test/support/tiny-t5.js";
import { webgpuAnswers } from "../../test/support/webgpu.js";
import { roundForHalf, writeLayout } from "../../test/support/weight-layouts.js";
import { type Model, openModel } from "./model.js";
import type { GenerateOptions } from "./options.js";

const here = await webgpuAnswers();

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-webgpu-"));
});
afterAll(() => rm(root, { recursive: true }));

const documents = [
  [110, 131, 127, 140, 155, 149, 1],
  [120, 1, 0, 0, 0, 0, 0],
  [144, 133, 128, 160, 1, 0, 0],
];
const attentionMask = documents.map((row) => row.map((id) => (id === 0 ? 0 : 1)));
const searches: [string, GenerateOptions][] = [
  ["greedy", { maxLength: 16 }],
  ["four beams", { maxLength: 16, numBeams: 4, noRepeatNgramSize: 2 }],
];

describe.runIf(here)("on WebGPU (skipped where no adapter answers)", () => {
  it.each<[string, () => Promise<string>]>([
    ["mapped", () => makeTinyPegasus(join(root, "mapped"))],
    ["T5's", () => makeTinyT5(join(root, "t5"))],
    [
      "converted",
      () =>
        writeLayout(
          join(root, "converted"),
          "float16 model.safetensors",
          tinyConfig,
          roundForHalf(tinyWeights()),
        ),
    ],
  ])("a model with %s weights answers as on the CPU", async (_, make) => {
    const folder = await make();
    const models: Model[] = [];
    for (const device of ["cpu", "webgpu"] as const)
      models.push(await openModel(folder, { device, threads: 1 }));
    const [cpu, gpu] = models as [Model, Model];
    const labels = [
      [112, 113, 1],
      [114, 1, -100],
      [115, 116, 117],
    ];
    const [expected, actual] = await Promise.all(
      [cpu, gpu].map((model) => model.forward({ inputIds: documents, attentionMask, labels })),
    );
    expect(actual?.logits.shape).toEqual(expected?.logits.shape);
    for (const [i, logit] of expected!.logits.data.entries())
      expect(Math.abs(actual!.logits.data[i]! - logit)).toBeLessThan(1e-4);
    expect(actual!.loss).toBeCloseTo(expected!.loss!, 5);
    for (const [name, options] of searches) {
      const input = { inputIds: documents, attentionMask };
      const [one, other] = [await cpu.generate(input, options), await gpu.generate(input, options)];
      expect(other.sequences, name).toEqual(one.sequences);
      for (const [i, score] of one.scores.entries())
        expect(other.scores[i]).toBeCloseTo(score ?? Number.NaN, 4);
    }
    for (const model of models) await model.close();
  });
});
