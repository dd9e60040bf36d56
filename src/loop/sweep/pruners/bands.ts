// The rule of W&B's early_terminate: at each band a trial ends that is not in the best share of all that got there.

import type { SweepTrial } from "../trial.js";
import { lowestCost, type Pruner } from "./pruner.js";

export interface BandsOptions {
  /** Reports after which trials are compared, ascending. */
  readonly bands: readonly number[];
  readonly factor: number;
  /** Compare what the trial had at the band; else its lowest cost so far. */
  readonly strict: boolean;
}

/** Reports that are numbers, which are the only ones that count as iterations. */
const costsOf = ({ reports }: SweepTrial) =>
  reports.map(({ cost }) => cost).filter((cost) => Number.isFinite(cost));

export function createBandsPruner({ bands, factor, strict }: BandsOptions): Pruner {
  const ascending = [...bands].sort((a, b) => a - b);
  return {
    prunes(trial, others) {
      const own = costsOf(trial);
      const band = ascending.findLast((each) => each <= own.length);
      if (band === undefined) return false;
      const reached = [own, ...others.map(costsOf)].flatMap((costs) =>
        costs.length >= band ? [costs[band - 1]!] : [],
      );
      reached.sort((a, b) => a - b);
      const threshold = reached[Math.trunc(reached.length / factor)]!;
      return (strict ? own[band - 1]! : lowestCost(trial)) > threshold;
    },
  };
}
