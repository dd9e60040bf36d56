// What every pruner is: it says whether a running trial is to end, from its reports and those of the others.
import type { SweepTrial } from "../trial.js";

export interface Pruner {
  /**
   * Asked after each report of a trial.
   * @param trial the running one, its latest report the last
   * @param others every other trial of the sweep
   */
  prunes(trial: SweepTrial, others: readonly SweepTrial[]): boolean;
}

/** The cost of a trial at a step, if it got there. */
export function costAt({ reports }: SweepTrial, step: number): number | undefined {
  return reports.find((report) => report.step === step)?.cost;
}

/** The lowest cost of a trial so far; NaN where every one was. */
export function lowestCost({ reports }: SweepTrial): number {
  const costs = reports.map(({ cost }) => cost).filter((cost) => !Number.isNaN(cost));
  return costs.length === 0 ? Number.NaN : Math.min(...costs);
}

/** The longest that complete trials took; undefined where none has ended. */
export function longestTrial(trials: readonly SweepTrial[]): number | undefined {
  const steps = trials.flatMap(({ state, reports }) =>
    state === "complete" && reports.length > 0 ? [reports.at(-1)!.step] : [],
  );
  return steps.length === 0 ? undefined : Math.max(...steps);
}
