// What the server tells of itself: what it serves, its limits, and how it has been doing.
import { get, getText } from "./http.js";
import { readSamples, type Sample } from "./prometheus.js";
import type { Model } from "./types.js";

export interface WorkerState {
  readonly place: number;
  readonly pid?: number;
  readonly status: "starting" | "ready" | "waiting";
  readonly pending: number;
  readonly restarts: number;
}

export interface ServerInfo {
  readonly name: string;
  readonly version: string;
  readonly models: readonly Omit<Model, "parameters">[];
  readonly limits: {
    readonly maxBodyBytes: number;
    readonly maxBatchDocuments: number;
    readonly maxBeams: number;
    readonly deadlineMs: number;
    readonly concurrency: number;
    readonly queueLimit: number;
  };
  /** For operators only. */
  readonly process?: {
    readonly startedAt: string;
    readonly node: string;
    readonly platform: string;
    readonly residentBytes: number;
    readonly active: number;
    readonly waiting: number;
    readonly bufferedBytes: number;
    /** Working processes, where there are several. */
    readonly workers?: readonly WorkerState[];
  };
}

/** @throws Problem */
export function readInfo(signal: AbortSignal): Promise<ServerInfo> {
  return get<ServerInfo>("/info", signal);
}

/** @throws Problem, such as OPERATOR_ROUTE_CLOSED */
export async function readMetrics(signal: AbortSignal): Promise<readonly Sample[]> {
  return readSamples(await getText("/metrics", signal));
}
