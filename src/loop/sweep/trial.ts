// What samplers, pruners and importance see of a sweep: trials with what they tried and how it went.
import type { Parameters } from "./dimension.js";

export type TrialState = "running" | "complete" | "pruned" | "failed";

/** What a trial reported on the way: the number of the evaluation, from 1, and its cost. */
export interface TrialReport {
  readonly step: number;
  /** Lower is better; NaN where the figure was none. */
  readonly cost: number;
}

export interface SweepTrial {
  /** From 0, in the order in which trials were begun. */
  readonly number: number;
  readonly parameters: Parameters;
  readonly state: TrialState;
  /** The objective so that lower is better; undefined unless the trial is complete. */
  readonly cost?: number | undefined;
  /** In the order of their steps. */
  readonly reports: readonly TrialReport[];
}

/** Trials that tell something of the space: those that ended by themselves or by a pruner. */
export function isTold({ state }: SweepTrial): boolean {
  return state === "complete" || state === "pruned";
}
