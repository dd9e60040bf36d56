// Which of a sweep's trials was the best.
import type { StoredTrial } from "./sweep-store.js";

/** Complete trials, the best first; of equal ones the earlier. */
export function rank(trials: readonly StoredTrial[], goal: "minimize" | "maximize"): StoredTrial[] {
  const sign = goal === "minimize" ? 1 : -1;
  return trials
    .filter(({ state, value }) => state === "complete" && value !== null)
    .sort((a, b) => sign * (a.value! - b.value!) || a.number - b.number);
}
