// What the neural summarizer and its worker say to each other.
import type { GenerateOptions } from "../config/generate-options.js";
import type { ModelDType } from "../config/model-dtypes.js";
import type { ErrorData } from "../errors/error.js";
import type { EngineLoad, Priority } from "../generate/scheduler.js";
import type { ModelConfig } from "../model/family.js";
import type { RoundingProgress } from "../model/quantization/open.js";
import type { Device } from "../runtime/devices.js";
import type { LongDocumentResult } from "./long-document.js";
import type { WorkTimes } from "./phase-times.js";
import type { ModelTraits, SummaryEvent } from "./summarizer.js";

export interface WorkerSettings {
  readonly folder: string;
  readonly device: Device | "auto";
  readonly dtype: ModelDType | undefined;
  /** Threads of one operator. */
  readonly threads: number;
  /** Processors that they stay on. */
  readonly cpus: readonly number[] | undefined;
  readonly maxCacheBytes: number | undefined;
  readonly sharesWeights: boolean | undefined;
}

/** What the thread knows once its model is open. */
export interface OpenedModel {
  readonly config: ModelConfig;
  readonly defaults: GenerateOptions;
  readonly traits: ModelTraits;
}

export type ToWorker =
  | {
      /** Comes first, and once. */
      readonly type: "open";
      readonly settings: WorkerSettings;
    }
  | {
      readonly type: "summarize";
      readonly id: number;
      readonly document: string;
      readonly generate: GenerateOptions;
      readonly truncate: boolean;
      readonly priority: Priority | undefined;
    }
  | { readonly type: "cancel"; readonly id: number };

export type FromWorker =
  | ({ readonly type: "ready" } & OpenedModel)
  | { readonly type: "rounding"; readonly progress: RoundingProgress }
  | { readonly type: "failed"; readonly error: ErrorData }
  | { readonly type: "event"; readonly id: number; readonly event: SummaryEvent }
  | ({
      readonly type: "done";
      readonly id: number;
      readonly result: LongDocumentResult;
    } & WorkTimes)
  | { readonly type: "load"; readonly load: EngineLoad }
  | ({ readonly type: "error"; readonly id: number; readonly error: ErrorData } & WorkTimes);
