// What a sweep and a trial's process tell each other.
import type { RunConfig } from "../../config/run-config.js";
import type { ErrorData } from "../../errors/error.js";
import type { EvaluationReport } from "../../train/events.js";

/** Where rows and files lie, as the sweep's command line said. */
export interface TrialPlaces {
  readonly db?: string | undefined;
  readonly store?: string | undefined;
  /** Whom runs are told to besides the database, as `--sink` names them. */
  readonly sinks?: readonly string[] | undefined;
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
      /** How long its folder is waited for, which a killed sweep's trial may still be letting go of. */
      readonly folderPatienceMs: number;
      /** Absent where it is not to be recorded. */
      readonly tracking?: TrialTracking;
    }
  /** @param verdict what the sweep has decided of the trial; absent where it is only put off */
  | { readonly type: "stop"; readonly verdict?: "pruned" | "failed" };

export type FromTrial =
  /** A sign that the process is there, which says nothing of how far it is. */
  | { readonly type: "alive" }
  | { readonly type: "preparation" }
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
