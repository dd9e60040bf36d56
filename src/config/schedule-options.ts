// How the learning rate goes over a run, with transformers' names and defaults.
import { z } from "zod";

export const scheduleNames = [
  "constant",
  "constant_with_warmup",
  "linear",
  "cosine",
  "inverse_sqrt",
] as const;

export const ScheduleOptions = z
  .strictObject({
    name: z
      .enum(scheduleNames)
      .default("linear")
      .describe("how the learning rate goes on after the warm-up; linear and cosine end at 0"),
    warmupSteps: z
      .number()
      .int()
      .min(0)
      .optional()
      .describe("steps in which the learning rate rises from 0; 0 unless warmupRatio is given"),
    warmupRatio: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe("the same as a share of all steps, rounded up"),
    cycles: z
      .number()
      .positive()
      .optional()
      .describe("waves of a cosine schedule; half a wave, from the top to 0, unless given"),
    timescale: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe(
        "steps after which inverse_sqrt starts to fall; as the warm-up, or 10000 without one",
      ),
  })
  .superRefine((given, context) => {
    const refuse = (key: string, message: string) =>
      context.addIssue({ code: "custom", path: [key], message });
    if (given.warmupSteps !== undefined && given.warmupRatio !== undefined) {
      refuse("warmupRatio", "goes with no warmupSteps beside it");
    }
    const warmup = given.warmupSteps ?? given.warmupRatio ?? 0;
    if (given.name === "constant" && warmup > 0) {
      const key = given.warmupSteps === undefined ? "warmupRatio" : "warmupSteps";
      refuse(key, "does not apply to constant; use constant_with_warmup");
    }
    if (given.cycles !== undefined && given.name !== "cosine") {
      refuse("cycles", "applies to cosine only");
    }
    if (given.timescale !== undefined && given.name !== "inverse_sqrt") {
      refuse("timescale", "applies to inverse_sqrt only");
    }
  });

export type ScheduleOptions = z.infer<typeof ScheduleOptions>;
