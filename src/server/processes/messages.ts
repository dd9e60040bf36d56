// What passes between the process that answers people and those that work.
import type { MetricObjectWithValues, MetricValue } from "prom-client";
import type { ServeConfig } from "../../config/serve-config.js";
import type { ErrorData } from "../../errors/error.js";
import type {
  EngineLoad,
  SummarizeOptions,
  Summarizer,
  SummaryEvent,
  SummaryParameters,
  SummaryResult,
} from "../../summarize/summarizer.js";

/** What of a server's configuration a working process needs: no port, no keys. */
export type ProcessConfig = Pick<
  ServeConfig,
  | "models"
  | "device"
  | "dtype"
  | "db"
  | "store"
  | "registryPollMs"
  | "threads"
  | "maxCacheBytes"
  | "maxBodyBytes"
  | "logFormat"
  | "logLevel"
  | "googleCloudProject"
> & {
  /** Processors to stay on; anywhere where undefined. */
  readonly cpus: readonly number[] | undefined;
  /** Whether other processes have the same models open. */
  readonly sharesWeights: boolean;
};

/** A model as a process opened it. */
export type OpenedSummarizer = Pick<
  Summarizer,
  "model" | "version" | "digest" | "licence" | "traits" | "supportedParameters" | "defaults"
> & {
  /** A version that ought to answer in its place, and why it does not. */
  readonly pending?: { readonly version: number; readonly error: ErrorData };
  /** The name that requests use. */
  readonly name: string;
  /** Whether it is an alias, whose version may change while it is served. */
  readonly isAlias: boolean;
};

export type ProcessMetrics = MetricObjectWithValues<MetricValue<string>>[];

export interface RemoteRequest {
  readonly model: string;
  readonly document: string;
  readonly parameters: SummaryParameters | undefined;
  readonly priority: SummarizeOptions["priority"];
  /** Whether somebody listens to what is told before the end. */
  readonly wantsEvents: boolean;
}

export type ToProcess =
  | { readonly type: "start"; readonly config: ProcessConfig }
  | ({ readonly type: "summarize"; readonly id: number } & RemoteRequest)
  | { readonly type: "cancel"; readonly id: number; readonly timedOut: boolean }
  | { readonly type: "metrics"; readonly id: number }
  /** What `turn-wanted` asked for. */
  | { readonly type: "turn"; readonly id: number }
  /** Say that you are there. */
  | { readonly type: "ping" }
  /** Look now where the aliases point, and say when that answers. */
  | { readonly type: "refresh"; readonly id: number }
  | { readonly type: "close" };

export type FromProcess =
  | { readonly type: "pong" }
  /** A version is to be opened beside the one that answers, which no other process may do meanwhile. */
  | { readonly type: "turn-wanted"; readonly id: number }
  | { readonly type: "turn-over"; readonly id: number }
  | { readonly type: "opened"; readonly models: readonly OpenedSummarizer[] }
  /** An alias has moved, and what it points at answers, or why that does not. */
  | { readonly type: "changed"; readonly models: readonly OpenedSummarizer[] }
  | { readonly type: "warm" }
  /** It answers with what the aliases point at, as far as that could be opened; `error` where it could not be asked. */
  | { readonly type: "refreshed"; readonly id: number; readonly error?: ErrorData }
  | { readonly type: "failed"; readonly error: ErrorData }
  | { readonly type: "event"; readonly id: number; readonly event: SummaryEvent }
  | { readonly type: "done"; readonly id: number; readonly result: SummaryResult }
  | {
      readonly type: "error";
      readonly id: number;
      readonly error: ErrorData;
      /** Where the time went, where a model tells. */
      readonly timingsMs: SummaryResult["timingsMs"] | undefined;
    }
  | { readonly type: "loads"; readonly loads: readonly (readonly [string, EngineLoad])[] }
  | { readonly type: "metrics"; readonly id: number; readonly metrics: ProcessMetrics };
