// What of the document is marked: the sentences a summary is made of, or the parts a model has read.
import type { Span } from "../api/types.js";
import { type Mark, marksOf } from "./marks.js";
import { type FinishedSummary, finished, type Run } from "./use-runs.js";

export interface MarkedDocument {
  readonly text: string;
  readonly sources: readonly Span[];
  readonly kind: "sentences" | "parts";
  /** Which of the parts is being read now. */
  readonly reading: number | undefined;
  /** Of what a model wrote: the sentences that share words with it. */
  readonly overlap?: Overlap;
}

export interface Overlap {
  readonly marks: readonly Mark[];
  /** Places of the summary's sentences that come from a marked one, in order. */
  readonly linked: readonly number[];
  /** Sentences of the summary that share too little with any. */
  readonly without: number;
}

/** Undefined where nothing of the document is known to have been read. */
export function markedBy(run: Run): MarkedDocument | undefined {
  const summary = finished(run);
  if (summary !== undefined) {
    const { request, answer, sentences } = summary;
    const kind = sentences === undefined ? "parts" : "sentences";
    const overlap = overlapOf(summary);
    return {
      ...{ text: request.document, sources: answer.sources, kind, reading: undefined },
      ...(overlap !== undefined && { overlap }),
    };
  }
  if (!("draft" in run) || run.draft.sources.length === 0) return undefined;
  const { part, sources } = run.draft;
  const reading = run.kind === "running" && part?.round === 0 ? part.index : undefined;
  return { text: run.request.document, sources, kind: "parts", reading };
}

/** Undefined where the summary is made of its sources, or it is not known yet. */
export function overlapOf({ alignment }: FinishedSummary): Overlap | undefined {
  if (alignment === undefined) return undefined;
  const { sentences } = alignment;
  const linked = sentences.flatMap(({ sources }, index) => (sources.length > 0 ? [index] : []));
  return { marks: marksOf(sentences), linked, without: sentences.length - linked.length };
}
