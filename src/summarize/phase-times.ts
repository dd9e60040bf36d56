// Where a document's time went, out of what is told of its parts.
import type { JobPhases } from "../generate/scheduler.js";
import type { SummaryResult } from "./summarizer.js";

/** A document's time on the thread of its model. */
export interface WorkTimes {
  /** From the first part's turn to the end. */
  readonly workMs: number;
  /** Sums over all parts; of waiting, what came after the first part's turn. */
  readonly phases: JobPhases;
}

/**
 * Adds what is told of a part that has ended to the sums of those before it.
 * @param before undefined for the first part, whose waiting is all that came before its turn
 */
export function addPart(before: JobPhases | undefined, part: JobPhases): JobPhases {
  if (before === undefined) return { ...part, queueMs: 0 };
  return {
    ...{ queueMs: before.queueMs + part.queueMs, encodeMs: before.encodeMs + part.encodeMs },
    ...{ decodeMs: before.decodeMs + part.decodeMs, steps: before.steps + part.steps },
    stepDocuments: before.stepDocuments + part.stepDocuments,
  };
}

export const noPhases: JobPhases = {
  ...{ queueMs: 0, encodeMs: 0, decodeMs: 0, steps: 0, stepDocuments: 0 },
};

/**
 * A document's time by phase; it waits before its first part's turn and between its parts.
 * @param total from its coming to its end, in ms
 */
export function timesOf({ workMs, phases }: WorkTimes, total: number): SummaryResult["timingsMs"] {
  return {
    ...{ queue: Math.max(0, total - workMs) + phases.queueMs, encode: phases.encodeMs },
    ...{ decode: phases.decodeMs, generate: workMs, total },
  };
}
