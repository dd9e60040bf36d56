// Sweeps: each in a line, and one with its trials, what they came to, and what decides it.
import { get } from "./http.js";

export type SweepState = "running" | "interrupted" | "done";
export type TrialState = "waiting" | "running" | "complete" | "pruned" | "failed";
export type Goal = "minimize" | "maximize";

/** Times are milliseconds since 1970. */
interface SweepHead {
  readonly name: string;
  /** What its file calls it where a name cannot hold that. */
  readonly title: string | null;
  /** `interrupted`: it is not done, and nobody works on it. */
  readonly state: SweepState;
  readonly objective: { readonly metric: string; readonly goal: Goal; readonly target?: number };
  readonly sampler: string;
  readonly pruner: string;
  /** Trials there are to be. */
  readonly planned: number;
  readonly beganAtMs: number;
  readonly endedAtMs: number | null;
}

export interface SweepSummary extends SweepHead {
  readonly trials: Readonly<Record<TrialState, number>>;
  readonly best: number | null;
}

/** What is tried of a key. */
export type Distribution =
  | { readonly kind: "constant"; readonly value: unknown }
  | { readonly kind: "choice"; readonly values: readonly unknown[] }
  | {
      readonly kind: "uniform";
      readonly low: number;
      readonly high: number;
      readonly log: boolean;
    }
  | { readonly kind: "normal"; readonly log: boolean }
  | { readonly kind: "beta" };

export interface Trial {
  readonly number: number;
  readonly state: TrialState;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** The objective of its best evaluation. */
  readonly value: number | null;
  readonly step: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** The run it is recorded as. */
  readonly run: string | null;
  readonly beganAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly reports: readonly { readonly step: number; readonly value: number | null }[];
}

export interface Sweep extends SweepHead {
  readonly folder: string;
  /** The command that goes on with it. */
  readonly resume: string;
  readonly space: Readonly<Record<string, Distribution>>;
  readonly trials: readonly Trial[];
  /** Numbers of complete trials, the best first. */
  readonly ranked: readonly number[];
  readonly best: Trial | null;
  /** Shares of the objective's variance; together 1. Null where it cannot be told. */
  readonly importance: Readonly<Record<string, number>> | null;
  readonly registered: readonly RegisteredTrial[];
}

/** A registered version that a trial became. */
export interface RegisteredTrial {
  readonly trial: number;
  readonly model: string;
  readonly version: number;
  readonly aliases: readonly string[];
}

/** The newest first. @throws Problem */
export async function listSweeps(signal: AbortSignal): Promise<readonly SweepSummary[]> {
  return (await get<{ sweeps: readonly SweepSummary[] }>("/v1/sweeps", signal)).sweeps;
}

/** @throws Problem, such as SWEEP_NOT_RECORDED */
export function getSweep(name: string, signal: AbortSignal): Promise<Sweep> {
  return get(`/v1/sweeps/${encodeURIComponent(name)}`, signal);
}
