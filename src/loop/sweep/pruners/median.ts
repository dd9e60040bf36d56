// The median rule: a trial ends whose best so far is worse than the median of what complete trials had at the same step.
import type { SweepTrial } from "../trial.js";
import { costAt, lowestCost, type Pruner } from "./pruner.js";

export interface MedianOptions {
  readonly startupTrials: number;
  readonly warmupSteps: number;
  readonly intervalSteps: number;
  readonly minTrials: number;
}

/** The middle of the numbers, with that of an even count between the two in the middle. */
function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

/** Whether a step is the first report in its interval; one that was missed is made up for by the next. */
function isDue({ reports }: SweepTrial, step: number, options: MedianOptions): boolean {
  const { warmupSteps, intervalSteps } = options;
  const begun = Math.floor((step - warmupSteps) / intervalSteps) * intervalSteps + warmupSteps;
  return (reports.at(-2)?.step ?? -1) < begun;
}

/** Source: Golovin et al. 2017, section 3.2.2, with the rules of Optuna's MedianPruner. */
export function createMedianPruner(options: MedianOptions): Pruner {
  return {
    prunes(trial, others) {
      const complete = others.filter(({ state }) => state === "complete");
      const last = trial.reports.at(-1);
      if (last === undefined || complete.length === 0) return false;
      if (complete.length < options.startupTrials || last.step < options.warmupSteps) return false;
      if (!isDue(trial, last.step, options)) return false;
      const best = lowestCost(trial);
      if (Number.isNaN(best)) return true;
      const reached = complete.flatMap((each) => costAt(each, last.step) ?? []);
      if (reached.length < options.minTrials) return false;
      const costs = reached.filter((cost) => !Number.isNaN(cost));
      return costs.length > 0 && best > median(costs);
    },
  };
}
