// Tests the optimizers against runs of torch's and transformers' own, and what holds for all of them.
import { describe, expect, it } from "vitest";
import {
  type RecordedTensors,
  recordedOptimizers as recorded,
} from "../../../test/golden/recorded-optimizers.js";
import { copyTensors, setTensors, trainedTensors } from "../../../test/support/trained-tensors.js";
import { OptimizerOptions } from "../../config/optimizer-options.js";
import { allocateTensors } from "../tensor-memory.js";
import { createOptimizer } from "./create.js";
import { decays } from "./weight-decay.js";

const create = (options: unknown) => createOptimizer(OptimizerOptions.parse(options));

/** The largest difference, in units of the last place of the weight (as it is or as it started). */
function worstUlps(weights: RecordedTensors, expected: RecordedTensors): number {
  let worst = 0;
  for (const [name, start] of Object.entries(recorded.params)) {
    for (const [i, first] of start.entries()) {
      const wanted = expected[name]![i]!;
      const ulp = Math.max(Math.abs(wanted), Math.abs(first)) * 2 ** -23;
      const off = Math.abs(weights[name]![i]! - wanted) / ulp;
      worst = Number.isNaN(off) ? off : Math.max(worst, off);
    }
  }
  return worst;
}

/** Runs the recorded steps from `from` on; weights after each of them. */
function runSteps(
  optimizer: ReturnType<typeof create>,
  { weights, gradients, state }: ReturnType<typeof trainedTensors>,
  from = 0,
): RecordedTensors[] {
  return recorded.gradients.slice(from).map((each, offset) => {
    const index = from + offset;
    setTensors(gradients, each);
    optimizer.update(weights, gradients, state, { index, lr: recorded.lrs[index]! });
    return copyTensors(weights);
  });
}

function start(optimizer: ReturnType<typeof create>) {
  const tensors = trainedTensors(recorded.shapes, optimizer);
  setTensors(tensors.weights, recorded.params);
  return tensors;
}

const optionSets = recorded.runs.map(({ options }) => options);

describe.each(recorded.runs)("$options", ({ options, weights, float64 }) => {
  it("moves the weights as the reference does, to float32 rounding", () => {
    const optimizer = create(options);
    const steps = runSteps(optimizer, start(optimizer));
    for (const [index, expected] of weights.entries()) {
      // The reference itself strays up to 5 units from its own float64 run, mostly by its means and norms.
      expect(worstUlps(steps[recorded.kept[index]!]!, expected)).toBeLessThan(7);
    }
    expect(worstUlps(steps.at(-1)!, float64)).toBeLessThan(3);
  });
});

describe.each(optionSets)("%j", (options) => {
  it("goes on bit for bit from weights and state that were saved", () => {
    const optimizer = create(options);
    const whole = runSteps(optimizer, start(optimizer));

    const before = start(optimizer);
    const index = 0;
    setTensors(before.gradients, recorded.gradients[index]!);
    optimizer.update(before.weights, before.gradients, before.state, {
      index,
      lr: recorded.lrs[index]!,
    });
    const saved = Object.entries(before.state).map(
      ([slot, tensors]) => [slot, copyTensors(tensors)] as const,
    );
    const after = start(create(options));
    setTensors(after.weights, copyTensors(before.weights));
    for (const [slot, values] of saved) setTensors(after.state[slot]!, values);
    expect(runSteps(create(options), after, 1)).toEqual(whole.slice(1));
  });

  it("takes gradients times gradientScale as if they had been scaled before", () => {
    const optimizer = create(options);
    const [scaled, folded] = [start(optimizer), start(optimizer)];
    setTensors(folded.gradients, recorded.gradients[0]!);
    setTensors(scaled.gradients, recorded.gradients[0]!);
    for (const { data } of scaled.gradients.values()) {
      data.forEach((value, i) => {
        data[i] = value * Math.fround(0.3);
      });
    }
    optimizer.update(scaled.weights, scaled.gradients, scaled.state, { index: 0, lr: 0.01 });
    optimizer.update(folded.weights, folded.gradients, folded.state, {
      ...{ index: 0, lr: 0.01 },
      gradientScale: Math.fround(0.3),
    });
    expect(copyTensors(folded.weights)).toEqual(copyTensors(scaled.weights));
  });

  it("leaves a parameter without a gradient as it is", () => {
    const optimizer = create(options);
    const { weights, gradients, state } = start(optimizer);
    setTensors(gradients, recorded.gradients[0]!);
    const some = new Map([...gradients].filter(([name]) => name !== "encoder.fc1.bias"));
    optimizer.update(weights, some, state, { index: 0, lr: 0.01 });
    expect(copyTensors(weights)["encoder.fc1.bias"]).toEqual(
      [...recorded.params["encoder.fc1.bias"]!].map(Math.fround),
    );
    expect(copyTensors(weights)["encoder.fc1.weight"]).not.toEqual(
      recorded.params["encoder.fc1.weight"]!.map(Math.fround),
    );
  });

  it("carries a NaN of the gradient into the weight instead of hiding it", () => {
    const optimizer = create(options);
    const { weights, gradients, state } = start(optimizer);
    setTensors(gradients, recorded.gradients[0]!);
    for (const { data } of gradients.values()) data[0] = Number.NaN;
    optimizer.update(weights, gradients, state, { index: 0, lr: 0.01 });
    for (const { data } of weights.values()) expect(data[0]).toBeNaN();
  });
});

describe("an update", () => {
  const optimizer = create({ name: "adamw" });

  it("refuses a gradient of no parameter, and one of another shape, by name", () => {
    const { weights, gradients, state } = trainedTensors({ "a.weight": [2, 3] }, optimizer);
    const step = { index: 0, lr: 0.1 };
    const gradient = gradients.get("a.weight")!;
    expect(() => optimizer.update(weights, new Map([["b", gradient]]), state, step)).toThrow(
      expect.objectContaining({
        code: "SHAPE_MISMATCH",
        message: expect.stringContaining("gradient for b"),
      }),
    );
    const turned = new Map([["a.weight", { ...gradient, shape: [3, 2] }]]);
    expect(() => optimizer.update(weights, turned, state, step)).toThrow(
      "a.weight is [2,3] and its gradient [3,2]",
    );
  });

  it("refuses memory that was reserved for another optimizer", () => {
    const sgd = create({ name: "sgd", momentum: 0.9 });
    const { weights, memory } = trainedTensors({ "a.weight": [2, 3] }, sgd);
    expect(() => optimizer.init(weights, memory)).toThrow("expAvg of a.weight");
  });

  it("works on state spread over several memories", () => {
    const shapes = { a: [40], b: [8, 5], c: [30] };
    const bundles = Object.entries(shapes).map(([name, shape]) => ({
      name,
      parts: { weight: shape, gradient: shape, ...optimizer.requirements(shape).parts },
    }));
    const spread = allocateTensors(bundles, { limitBytes: 1024 });
    expect(spread.memoryCount).toBe(3);
    const one = allocateTensors(bundles);
    const results = [spread, one].map((memory) => {
      const weights = memory.tensors("weight");
      const gradients = memory.tensors("gradient");
      for (const { data } of gradients.values()) data.set(data.map((_, i) => Math.sin(i)));
      const state = optimizer.init(weights, memory);
      optimizer.update(weights, gradients, state, { index: 0, lr: 0.1 });
      return copyTensors(weights);
    });
    expect(results[0]).toEqual(results[1]);
    expect(Math.abs(results[0]!.a![1]!)).toBeCloseTo(0.1, 5);
  });
});

describe("weight decay", () => {
  it.each([
    "model.shared.weight",
    "model.encoder.layers.0.fc1.weight",
    "model.decoder.layers.1.self_attn.q_proj.weight",
    "encoder.block.0.layer.0.SelfAttention.q.lora_A.weight",
    "model.normalizer.weight",
  ])("applies to %s", (name) => {
    expect(decays(name)).toBe(true);
  });

  it.each([
    "model.encoder.layers.0.fc1.bias",
    "model.encoder.layer_norm.weight",
    "model.decoder.layers.0.self_attn_layer_norm.weight",
    "model.encoder.layernorm_embedding.weight",
    "model.norm.weight",
    "model.layers.0.input_RMSNorm.weight",
    "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
  ])("does not apply to %s", (name) => {
    expect(decays(name)).toBe(false);
  });

  it("can be told apart by any rule of the caller's", () => {
    const options = OptimizerOptions.parse({ name: "sgd", weightDecay: 0.5 });
    const optimizer = createOptimizer(options, { decays: (name) => name === "b.bias" });
    const { weights, gradients, state } = trainedTensors(
      { "a.weight": [1], "b.bias": [1] },
      optimizer,
    );
    setTensors(weights, { "a.weight": [1], "b.bias": [1] });
    optimizer.update(weights, gradients, state, { index: 0, lr: 1 });
    expect(copyTensors(weights)).toEqual({ "a.weight": [1], "b.bias": [0.5] });
  });
});
