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

/** By what a pruner settles what is left to it. */
export interface Settled {
  /** The last step of the first complete trial. */
  readonly steps: number;
  /** Trials that come after that one; what those before it reported reached no rung, because there was none. */
  readonly others: readonly SweepTrial[];
}

/**
 * Optuna's pruners settle what is `auto` by the first trial that is complete, once and for all; undefined where none is. With
 * several workers the one of the lowest number counts, so that a sweep that is taken up again settles the same.
 */
export function settle(trials: readonly SweepTrial[]): Settled | undefined {
  let first: SweepTrial | undefined;
  for (const trial of trials) {
    if (trial.state !== "complete" || trial.reports.length === 0) continue;
    if (first === undefined || trial.number < first.number) first = trial;
  }
  if (first === undefined) return undefined;
  const { number, reports } = first;
  return { steps: reports.at(-1)!.step, others: trials.filter((each) => each.number > number) };
}
