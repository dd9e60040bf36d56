// What an optimizer can be told, with torch's and transformers' defaults, and the checks that no single field can make.
import { z } from "zod";

const share = z.number().min(0).lt(1);
/** Above what float32 takes for 0. */
const tiny = z.number().min(1e-37);
const weightDecay = z
  .number()
  .min(0)
  .default(0)
  .describe(
    "share of a weight taken off at each step, times the learning rate; not for biases and norms",
  );

export const AdamWOptions = z.strictObject({
  name: z.literal("adamw"),
  beta1: share.default(0.9).describe("share of the gradients' running mean that is kept each step"),
  beta2: share.default(0.999).describe("share of the squares' running mean that is kept each step"),
  epsilon: tiny.default(1e-8).describe("added to the root that a step is divided by"),
  weightDecay,
});

export const SgdOptions = z
  .strictObject({
    name: z.literal("sgd"),
    momentum: share.default(0).describe("share of the last direction that is kept"),
    dampening: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe("share of a gradient kept out of the momentum"),
    nesterov: z.boolean().default(false).describe("look ahead along the momentum"),
    weightDecay,
  })
  .refine(({ nesterov, momentum, dampening }) => !nesterov || (momentum > 0 && dampening === 0), {
    path: ["nesterov"],
    error: "needs a momentum above 0 and no dampening",
  });

/** The defaults are those of transformers' Trainer, which gives Adafactor a learning rate of its own schedule. */
export const AdafactorOptions = z
  .strictObject({
    name: z.literal("adafactor"),
    epsilon1: tiny.default(1e-30).describe("added to squared gradients"),
    epsilon2: z
      .number()
      .positive()
      .default(1e-3)
      .describe("least size of a parameter for scaleParameter"),
    clipThreshold: z
      .number()
      .positive()
      .default(1)
      .describe("largest root mean square of an update before the learning rate"),
    decayRate: z
      .number()
      .lt(0)
      .default(-0.8)
      .describe("exponent of the step in the share of second moments that is renewed"),
    beta1: share
      .nullable()
      .default(null)
      .describe(
        "share of the updates' running mean that is kept; null keeps no mean and saves its memory",
      ),
    weightDecay,
    scaleParameter: z
      .boolean()
      .default(false)
      .describe("take the learning rate times the parameter's root mean square"),
    relativeStep: z
      .boolean()
      .default(false)
      .describe(
        "let the learning rate follow from the step alone; learningRate and schedule do not apply",
      ),
    warmupInit: z
      .boolean()
      .default(false)
      .describe("with relativeStep, start at 1e-6 and rise by as much each step"),
  })
  .refine(({ warmupInit, relativeStep }) => !warmupInit || relativeStep, {
    path: ["warmupInit"],
    error: "applies to relativeStep only",
  });

export const OptimizerOptions = z.discriminatedUnion("name", [
  AdamWOptions,
  AdafactorOptions,
  SgdOptions,
]);

export type AdamWOptions = z.infer<typeof AdamWOptions>;
export type SgdOptions = z.infer<typeof SgdOptions>;
export type AdafactorOptions = z.infer<typeof AdafactorOptions>;
export type OptimizerOptions = z.infer<typeof OptimizerOptions>;
