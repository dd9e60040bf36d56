// What of the document is marked: the sentences a summary is made of, or the parts a model has read.
import type { Span } from "../api/types.js";
import { finished, type Run } from "./use-runs.js";

export interface MarkedDocument {
  readonly text: string;
  readonly sources: readonly Span[];
  readonly kind: "sentences" | "parts";
  /** Which of the parts is being read now. */
  readonly reading: number | undefined;
}

/** Undefined where nothing of the document is known to have been read. */
export function markedBy(run: Run): MarkedDocument | undefined {
  const summary = finished(run);
  if (summary !== undefined) {
    const { request, answer, sentences } = summary;
    const kind = sentences === undefined ? "parts" : "sentences";
    return { text: request.document, sources: answer.sources, kind, reading: undefined };
  }
  if (!("draft" in run) || run.draft.sources.length === 0) return undefined;
  const { part, sources } = run.draft;
  const reading = run.kind === "running" && part?.round === 0 ? part.index : undefined;
  return { text: run.request.document, sources, kind: "parts", reading };
}
