// Tests what optimizers and schedules can be told: defaults, and what is refused under which name.
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  AdafactorOptions,
  AdamWOptions,
  OptimizerOptions,
  SgdOptions,
} from "./optimizer-options.js";
import { ScheduleOptions } from "./schedule-options.js";

const problems = (schema: z.ZodType, given: unknown) =>
  schema.safeParse(given).error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);

describe("optimizer options", () => {
  it("default to torch's and the Trainer's", () => {
    expect(OptimizerOptions.parse({ name: "adamw" })).toEqual({
      ...{ name: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
    });
    expect(OptimizerOptions.parse({ name: "adafactor" })).toEqual({
      ...{ name: "adafactor", epsilon1: 1e-30, epsilon2: 1e-3, clipThreshold: 1, decayRate: -0.8 },
      ...{ beta1: null, weightDecay: 0, scaleParameter: false, relativeStep: false },
      warmupInit: false,
    });
    expect(OptimizerOptions.parse({ name: "sgd" })).toEqual({
      ...{ name: "sgd", momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 },
    });
  });

  it.each([
    [{ name: "adam" }, "name"],
    [{ name: "adamw", momentum: 0.9 }, "momentum"],
    [{ name: "adamw", beta2: 1 }, "beta2"],
    [{ name: "adamw", epsilon: 0 }, "epsilon"],
    [{ name: "adamw", weightDecay: -0.1 }, "weightDecay"],
    [{ name: "adafactor", decayRate: 0.8 }, "decayRate"],
    [{ name: "adafactor", epsilon1: 1e-60 }, "epsilon1"],
    [{ name: "adafactor", warmupInit: true }, "warmupInit: applies to relativeStep only"],
    [{ name: "sgd", nesterov: true }, "nesterov: needs a momentum above 0 and no dampening"],
    [{ name: "sgd", nesterov: true, momentum: 0.9, dampening: 0.1 }, "nesterov"],
  ])("%j is refused, naming the field", (given, named) => {
    expect(problems(OptimizerOptions, given)).toEqual([expect.stringContaining(named)]);
  });

  it("describe every field", () => {
    for (const schema of [AdamWOptions, AdafactorOptions, SgdOptions, ScheduleOptions]) {
      for (const [name, field] of Object.entries(schema.shape)) {
        if (field instanceof z.ZodLiteral) continue;
        expect(field.description, name).toMatch(/\w/);
      }
    }
  });
});

describe("schedule options", () => {
  it("default to a linear one", () => {
    expect(ScheduleOptions.parse({})).toEqual({ name: "linear" });
  });

  it.each([
    [{ name: "step" }, "name"],
    [{ warmupSteps: 1.5 }, "warmupSteps"],
    [{ warmupRatio: 1.1 }, "warmupRatio"],
    [{ warmupSteps: 5, warmupRatio: 0.1 }, "warmupRatio: goes with no warmupSteps beside it"],
    [{ name: "constant", warmupSteps: 5 }, "warmupSteps: does not apply to constant"],
    [{ name: "constant", warmupRatio: 0.5 }, "warmupRatio: does not apply to constant"],
    [{ name: "linear", cycles: 2 }, "cycles: applies to cosine only"],
    [{ name: "cosine", timescale: 2 }, "timescale: applies to inverse_sqrt only"],
  ])("%j is refused, naming the field", (given, named) => {
    expect(problems(ScheduleOptions, given)).toEqual([expect.stringContaining(named)]);
  });
});
