// A profile as a file of Chrome's trace event format, which Perfetto, chrome://tracing and speedscope open.
import type { SessionTimes, Span } from "./profiler.js";

/** Source: Trace Event Format, Google, "Complete Events" and "Metadata Events"; times in µs. */
interface TraceEvent {
  readonly name: string;
  readonly cat: string;
  readonly ph: "X" | "M";
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

const place = { pid: 1, tid: 1 };

/**
 * The lines of the file, one event each. All stand on one track: sessions run in the thread that calls them, so that
 * phases, runs and operators nest.
 * @param title what was profiled
 */
export function* traceLines(
  title: string,
  spans: readonly Span[],
  sessions: readonly SessionTimes[],
): Generator<string> {
  const runs = sessions.flatMap((session) => session.runs);
  const origin = Math.min(...[...spans, ...runs].map(({ beganMs }) => beganMs));
  const at = (ms: number) => Math.max(0, Math.round(1000 * (ms - origin)));
  const name = (what: string, text: string): TraceEvent => ({
    ...{ name: what, cat: "__metadata", ph: "M", ...place, ts: 0, args: { name: text } },
  });
  const events: TraceEvent[] = [];
  const add = (span: Span, cat: string, args?: TraceEvent["args"]) => {
    const ts = at(span.beganMs);
    const dur = Math.max(0, at(span.endedMs) - ts);
    events.push({ name: span.name, cat, ph: "X", ...place, ts, dur, ...(args && { args }) });
  };
  for (const span of spans) add(span, "phase");
  for (const run of runs) {
    add(run, "run");
    for (const { op, provider, beganMs, ms, shapes } of run.calls) {
      // Rounding must not carry an operator out of its run.
      const began = Math.max(beganMs, run.beganMs);
      const ended = Math.min(began + ms, run.endedMs);
      const span = { name: op, beganMs: began, endedMs: Math.max(began, ended) };
      // speedscope adds up what has one name and the same arguments.
      add(span, "operator", { shapes, provider });
    }
  }
  // Whoever reads in order meets what contains before what is contained.
  events.sort((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0));
  const all = [name("process_name", title), name("thread_name", "work"), ...events];
  yield '{"displayTimeUnit":"ms","traceEvents":[\n';
  for (const [i, event] of all.entries()) {
    yield `${JSON.stringify(event)}${i < all.length - 1 ? "," : ""}\n`;
  }
  yield "]}\n";
}
