// What a sweep and a trial's process tell each other.
import type { RunConfig } from "../../config/run-config.js";
import type { ErrorData } from "../../errors/error.js";
import type { EvaluationReport } from "../../train/events.js";

/** Where rows and files lie, as the sweep's command line said. */
export interface TrialPlaces {
  readonly db?: string | undefined;
  readonly store?: string | undefined;
}

/** How a trial is recorded as a run. */
export interface TrialTracking {
  readonly experiment: string;
  readonly name: string;
  /** The sweep's name. */
  readonly parent: string;
  readonly tags: Readonly<Record<string, string>>;
}

export type ToTrial =
  | {
      readonly type: "train";
      readonly config: RunConfig;
      readonly places: TrialPlaces;
      /** Absent where it is not to be recorded. */
      readonly tracking?: TrialTracking;
    }
  | { readonly type: "stop" };

export type FromTrial =
  | { readonly type: "alive" }
  /** It is recorded as this run. */
  | { readonly type: "run"; readonly id: string }
  | { readonly type: "warning"; readonly text: string }
  | { readonly type: "start"; readonly totalSteps: number }
  | { readonly type: "step"; readonly step: number }
  | {
      readonly type: "evaluation";
      readonly report: EvaluationReport;
      /** From before the trial was taken up again; told once more, because the sweep may not have heard it. */
      readonly isOld: boolean;
    }
  | { readonly type: "done"; readonly step: number; readonly evaluation: EvaluationReport | null }
  | { readonly type: "failed"; readonly error: ErrorData };
