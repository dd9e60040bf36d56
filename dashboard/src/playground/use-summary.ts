// One summary at a time: asked for, waited for, cancelled, kept with the very document it was made from.
import { useCallback, useRef, useState } from "react";
import { summarize } from "../api/client.js";
import { Problem } from "../api/problem.js";
import type { Summary, SummaryRequest } from "../api/types.js";
import { splitBySource } from "./sentences.js";

export interface FinishedSummary {
  readonly request: SummaryRequest;
  readonly answer: Summary;
  /** One per source, or undefined where the summary is not made of the document's own sentences. */
  readonly sentences: readonly string[] | undefined;
}

export type SummaryState =
  | { readonly kind: "idle" }
  | {
      readonly kind: "running";
      readonly request: SummaryRequest;
      /** Stays in sight until its successor is there. */
      readonly previous: FinishedSummary | undefined;
    }
  | ({ readonly kind: "done" } & FinishedSummary)
  | { readonly kind: "failed"; readonly problem: Problem };

export interface SummaryControl {
  readonly state: SummaryState;
  readonly run: (request: SummaryRequest) => Promise<void>;
  /** Stops waiting; an earlier summary comes back. */
  readonly cancel: () => void;
  /** Forgets the summary. */
  readonly reset: () => void;
}

/** The summary to show: the one that is done, or the one being replaced. */
export function finished(state: SummaryState): FinishedSummary | undefined {
  if (state.kind === "done") return state;
  return state.kind === "running" ? state.previous : undefined;
}

export function useSummary(): SummaryControl {
  const [state, setState] = useState<SummaryState>({ kind: "idle" });
  const running = useRef<AbortController>(undefined);

  const cancel = useCallback(() => {
    running.current?.abort();
    setState((before) => {
      const previous = before.kind === "running" ? before.previous : undefined;
      return previous === undefined ? { kind: "idle" } : { kind: "done", ...previous };
    });
  }, []);

  const reset = useCallback(() => {
    running.current?.abort();
    setState({ kind: "idle" });
  }, []);

  const run = useCallback(async (request: SummaryRequest) => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    setState((before) => ({ kind: "running", request, previous: finished(before) }));
    try {
      const answer = await summarize(request, controller.signal);
      const sentences = splitBySource(answer.summary, request.document, answer.sources);
      setState({ kind: "done", request, answer, sentences });
    } catch (thrown) {
      if (controller.signal.aborted) return;
      setState({ kind: "failed", problem: asProblem(thrown) });
    }
  }, []);

  return { state, run, cancel, reset };
}

function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  return new Problem({
    status: 0,
    code: "PAGE_ERROR",
    message: `The page could not show the summary: ${String(thrown)}`,
    hint: "Reload the page and try again; the request itself may have worked.",
    cause: thrown,
  });
}
