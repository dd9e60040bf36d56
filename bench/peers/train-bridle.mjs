// Bridle's side of the train-step bench: takes optimizer steps on one batch, tells their times, losses and its own memory.
// @ts-check
import { readFileSync } from "node:fs";
import { OptimizerOptions } from "../../dist/config/optimizer-options.js";
import { RunConfig } from "../../dist/config/run-config.js";
import { openStart } from "../../dist/train/start.js";
import { openTrainingStep } from "../../dist/train/step.js";
import { memory } from "../frame/child.mjs";

const options = JSON.parse(process.argv[2] ?? "{}");
const {
  folder,
  optimizer,
  lora,
  dropout,
  recompute,
  threads,
  device,
  warmUp,
  steps,
  learningRate,
} = options;
const batch = JSON.parse(readFileSync(options.batch, "utf8"));
const run = RunConfig.parse({
  model: { name: folder, dropout, attentionDropout: 0, activationDropout: 0, lora },
  data: { train: "unread" },
});
const step = await openStep();

async function openStep() {
  const { start, weights } = await openStart(run);
  return openTrainingStep(start.family, start.config, weights, {
    ...start.graph,
    dropout: dropout > 0,
    ...(recompute !== undefined && { recompute }),
    optimizer: OptimizerOptions.parse(optimizer),
    accumulate: 1,
    accumulationMode: "tokens",
    maxGradNorm: null,
    averageDecay: null,
    seed: 1,
    session: { threads, device },
  });
}

const seconds = [];
const losses = [];
for (let index = 0; index < warmUp + steps; index++) {
  const began = performance.now();
  const { loss } = await step.run([batch], { index, learningRate });
  if (index >= warmUp) seconds.push((performance.now() - began) / 1000);
  losses.push(loss);
}
process.stdout.write(`${JSON.stringify({ seconds, losses, ...memory() })}\n`);
await step.close();
