// The summaries of one document, one for each contender: asked for one after another, streamed, stopped, kept.
import { useCallback, useRef, useState } from "react";
import { alignSummary, streamSummary, summarize } from "../api/client.js";
import { Problem } from "../api/problem.js";
import type {
  Alignment,
  PartEvent,
  Span,
  Summary,
  SummaryEvent,
  SummaryRequest,
} from "../api/types.js";
import { splitBySource } from "./sentences.js";

export interface FinishedSummary {
  readonly request: SummaryRequest;
  readonly answer: Summary;
  /** One per source, or undefined where the summary is not made of the document's own sentences. */
  readonly sentences: readonly string[] | undefined;
  /** Of one that a model wrote: the document's sentences that share its words. Undefined until it is there. */
  readonly alignment?: Alignment;
}

/** Without it a summary is whole all the same. */
const longestAlignmentMs = 60_000;

/** As much of a summary as has come. */
export interface Draft {
  readonly text: string;
  readonly part: PartEvent | undefined;
  /** Parts of the document that were begun. */
  readonly sources: readonly Span[];
}

export type Run =
  | { readonly kind: "idle" }
  | {
      /** `waiting` until those before it are done, so that none slows another down and their times can be compared. */
      readonly kind: "waiting" | "running";
      readonly request: SummaryRequest;
      readonly draft: Draft;
      /** Stays in sight until its successor is there. */
      readonly previous: FinishedSummary | undefined;
    }
  | { readonly kind: "stopped"; readonly request: SummaryRequest; readonly draft: Draft }
  | ({ readonly kind: "done" } & FinishedSummary)
  | { readonly kind: "failed"; readonly request: SummaryRequest; readonly problem: Problem };

export interface Job {
  /** Whose summary it will be. */
  readonly id: number;
  readonly request: SummaryRequest;
  readonly streams: boolean;
}

export interface RunControl {
  readonly runOf: (id: number) => Run;
  readonly busy: boolean;
  readonly start: (jobs: readonly Job[]) => Promise<void>;
  /** Stops one, or all; what has been written stays, else an earlier summary comes back. */
  readonly stop: (id?: number) => void;
  /** Forgets one, or all. */
  readonly reset: (id?: number) => void;
}

const idle: Run = { kind: "idle" };
const blank: Draft = { text: "", part: undefined, sources: [] };

/** The summary to show: the one that is done, or the one being replaced. */
export function finished(run: Run): FinishedSummary | undefined {
  if (run.kind === "done") return run;
  return isBusy(run) && run.draft === blank ? run.previous : undefined;
}

function isBusy(run: Run): run is Run & { kind: "waiting" | "running" } {
  return run.kind === "waiting" || run.kind === "running";
}

export function useRuns(): RunControl {
  const [runs, setRuns] = useState<ReadonlyMap<number, Run>>(new Map());
  const controllers = useRef(new Map<number, AbortController>());

  const update = useCallback((id: number, next: (before: Run) => Run) => {
    setRuns((before) => new Map(before).set(id, next(before.get(id) ?? idle)));
  }, []);

  const abort = useCallback((id: number | undefined) => {
    for (const [each, controller] of controllers.current) {
      if (id !== undefined && each !== id) continue;
      controller.abort();
      controllers.current.delete(each);
    }
  }, []);

  const stop = useCallback<RunControl["stop"]>(
    (id) => {
      abort(id);
      setRuns(
        (before) =>
          new Map(
            [...before].map(([each, run]) => [
              each,
              (id === undefined || id === each) && isBusy(run) ? stopped(run) : run,
            ]),
          ),
      );
    },
    [abort],
  );

  const reset = useCallback<RunControl["reset"]>(
    (id) => {
      abort(id);
      setRuns((before) => new Map([...before].filter(([each]) => id !== undefined && each !== id)));
    },
    [abort],
  );

  const align = useCallback(
    async (id: number, { document }: SummaryRequest, answer: Summary) => {
      const signal = AbortSignal.timeout(longestAlignmentMs);
      const alignment = await alignSummary(document, answer.summary, signal).catch(() => undefined);
      if (alignment === undefined) return;
      update(id, (before) =>
        before.kind === "done" && before.answer === answer ? { ...before, alignment } : before,
      );
    },
    [update],
  );

  const start = useCallback<RunControl["start"]>(
    async (jobs) => {
      abort(undefined);
      const mine = jobs.map((job) => ({ ...job, controller: new AbortController() }));
      for (const { id, request, controller } of mine) {
        controllers.current.set(id, controller);
        update(id, (before) => ({
          kind: "waiting",
          request,
          draft: blank,
          previous: before.kind === "done" ? before : undefined,
        }));
      }
      for (const { id, request, streams, controller } of mine) {
        const { signal } = controller;
        if (signal.aborted) continue;
        update(id, (before) => (isBusy(before) ? { ...before, kind: "running" } : before));
        try {
          const answer = streams
            ? await streamSummary(request, signal, (event) =>
                update(id, (before) =>
                  isBusy(before) ? { ...before, draft: grow(before.draft, event) } : before,
                ),
              )
            : await summarize(request, signal);
          const sentences = splitBySource(answer.summary, request.document, answer.sources);
          update(id, () => ({ kind: "done", request, answer, sentences }));
          if (sentences === undefined) void align(id, request, answer);
        } catch (thrown) {
          if (signal.aborted) continue;
          const problem = asProblem(thrown);
          update(id, () => ({ kind: "failed", request, problem }));
          // What no key or no connection ends once, it ends for all.
          if (problem.status === 401 || problem.code === "UNREACHABLE") return stop();
        } finally {
          if (controllers.current.get(id) === controller) controllers.current.delete(id);
        }
      }
    },
    [abort, stop, update, align],
  );

  return {
    runOf: (id) => runs.get(id) ?? idle,
    busy: [...runs.values()].some(isBusy),
    start,
    stop,
    reset,
  };
}

function stopped({ request, draft, previous }: Run & { kind: "waiting" | "running" }): Run {
  if (draft.text !== "") return { kind: "stopped", request, draft };
  return previous === undefined ? idle : { ...previous, kind: "done" };
}

/** A draft with what has just come. A new round takes the place of what the one before it wrote. */
export function grow(draft: Draft, event: SummaryEvent): Draft {
  if (event.type === "token") return { ...draft, text: draft.text + event.text };
  const again = event.round > 0 && event.index === 0;
  return {
    text: again ? "" : draft.text,
    part: event,
    sources: event.source === undefined ? draft.sources : [...draft.sources, event.source],
  };
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
