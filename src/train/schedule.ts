// The learning rate of each step, as transformers.get_scheduler computes it.
import type { ScheduleOptions } from "../config/schedule-options.js";

/** The learning rate of a step; the first step has the index 0. */
export type Schedule = (index: number) => number;

/**
 * @param learningRate what the schedule rises to and falls from
 * @param totalSteps steps of the whole run; linear and cosine end there
 */
export function createSchedule(
  options: ScheduleOptions,
  { learningRate, totalSteps }: { learningRate: number; totalSteps: number },
): Schedule {
  const warmup =
    options.warmupRatio === undefined
      ? (options.warmupSteps ?? 0)
      : Math.ceil(totalSteps * options.warmupRatio);
  const decay = decayAfterWarmup(options, warmup, totalSteps);
  if (options.name === "constant") return () => learningRate;
  return (index) => learningRate * (index < warmup ? index / Math.max(1, warmup) : decay(index));
}

/** The factor of the learning rate at a step after the warm-up. */
function decayAfterWarmup(
  { name, cycles = 0.5, timescale }: ScheduleOptions,
  warmup: number,
  totalSteps: number,
): Schedule {
  const decaySteps = Math.max(1, totalSteps - warmup);
  switch (name) {
    case "constant":
    case "constant_with_warmup":
      return () => 1;
    case "linear":
      return (index) => Math.max(0, (totalSteps - index) / decaySteps);
    case "cosine":
      return (index) => {
        const progress = (index - warmup) / decaySteps;
        return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * cycles * 2 * progress)));
      };
    case "inverse_sqrt": {
      const scale = timescale ?? (warmup || 10_000);
      return (index) => 1 / Math.sqrt((index + scale - warmup) / scale);
    }
  }
}
