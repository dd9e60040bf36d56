// ASHA: at each rung a trial goes on if it is among the best of those that got there. Source: Li et al. 2020.
import type { SweepTrial } from "../trial.js";
import { type Pruner, settle } from "./pruner.js";

export interface HalvingOptions {
  /** Steps of the lowest rung; auto is a hundredth of the first complete trial. */
  readonly minResource: number | "auto";
  readonly reductionFactor: number;
  readonly minEarlyStoppingRate: number;
  readonly bootstrapCount: number;
}

/**
 * What trials had at the rungs they reached. A trial's value at a rung is its first report at or past it, so it follows from
 * the reports and need not be kept.
 */
function valueAtRung({ reports }: SweepTrial, step: number): number | undefined {
  const report = reports.find((each) => each.step >= step);
  return report === undefined || Number.isNaN(report.cost) ? undefined : report.cost;
}

export function createHalvingPruner(options: HalvingOptions): Pruner {
  const { reductionFactor, minEarlyStoppingRate, bootstrapCount } = options;
  return {
    prunes(trial, all) {
      const last = trial.reports.at(-1);
      if (last === undefined) return false;
      let [lowest, others] = [options.minResource, all];
      if (lowest === "auto") {
        const settled = settle(all);
        if (settled === undefined) return false;
        [lowest, others] = [Math.max(1, Math.floor(settled.steps / 100)), settled.others];
      }
      const before = trial.reports.at(-2)?.step ?? 0;
      for (let rung = 0; ; rung++) {
        const step = lowest * reductionFactor ** (minEarlyStoppingRate + rung);
        if (last.step < step) return false;
        // Rungs that an earlier report reached have been decided.
        if (before >= step) continue;
        if (Number.isNaN(last.cost)) return true;
        const competing = [...others.flatMap((each) => valueAtRung(each, step) ?? []), last.cost];
        if (competing.length <= bootstrapCount) return true;
        if (!isAmongBest(last.cost, competing, reductionFactor)) return true;
      }
    },
  };
}

/** Whether a cost is in the best 1/factor; while there are fewer than factor, whether it is the best. */
function isAmongBest(cost: number, competing: readonly number[], factor: number): boolean {
  const sorted = [...competing].sort((a, b) => a - b);
  const worst = Math.max(0, Math.floor(sorted.length / factor) - 1);
  return cost <= sorted[worst]!;
}
