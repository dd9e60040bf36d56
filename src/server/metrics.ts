// What the service counts, for Prometheus: requests, queue, documents and the process itself.
import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  Registry,
} from "prom-client";
import type { Service, ServiceProcesses } from "../compose.js";
import type { CacheOutcome, ResultCache } from "../summarize/result-cache.js";
import type { EngineLoad, Summarizer, SummaryResult } from "../summarize/summarizer.js";
import type { Admission, WorkClass } from "./admission.js";

export interface Metrics {
  readonly contentType: string;
  /** The text that /metrics answers. */
  render(): Promise<string>;
  /** @param route the route's pattern, never the path itself, which callers could make endless */
  countRequest(route: string, method: string, status: number, durationMs: number): void;
  countDocument(result: SummaryResult): void;
  countCache(outcome: CacheOutcome): void;
  /** @param code a row of the error table */
  countFailure(model: string, code: string): void;
  /** How long a request has waited for its turn to work, whether that came or not. */
  countWait(of: WorkClass, waitedMs: number): void;
  /** Where the time went of a document, by phase in ms. */
  countPhases(model: string, timingsMs: SummaryResult["timingsMs"]): void;
  close(): void;
}

const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const wordBuckets = [10, 30, 100, 300, 1000, 3000, 10_000, 100_000, 1_000_000, 10_000_000];

/** What each neural model's engine tells of itself. */
const engineGauges: readonly [string, string, (load: EngineLoad) => number][] = [
  ["waiting", "Calls that wait for a model's step.", ({ waiting }) => waiting],
  ["documents", "Documents on their way through a model.", ({ running }) => running],
  ["rows", "Rows, documents times beams, that share a step.", ({ rows }) => rows],
  ["cache_bytes", "Bytes of keys and values held.", ({ cacheBytes }) => cacheBytes],
];

/** What it has done since its start, which only grows. */
const engineCounters: readonly [string, string, (load: EngineLoad) => number][] = [
  ["steps_total", "Steps so far.", ({ steps }) => steps],
  ["step_rows_total", "Rows of all steps: over steps, how full they were.", (l) => l.stepRows],
  ["tokens_total", "Tokens written for documents.", ({ tokens }) => tokens],
  ["encode_seconds_total", "Time spent reading documents.", (l) => l.encodeMs / 1000],
  ["step_seconds_total", "Time spent in steps.", (l) => l.stepMs / 1000],
];

const phases = ["queue", "encode", "decode"] as const;

/** How long a working process may take to tell what it counts. */
const processesWithinMs = 1000;

/** What the service tells of itself, apart from its requests. */
export type Measured = Pick<Service, "version" | "processes"> & {
  /** By the name a request uses. */
  readonly summarizers: ReadonlyMap<string, Pick<Summarizer, "load">>;
};

export function createMetrics(
  admission: Admission,
  service: Measured,
  cache?: Pick<ResultCache, "sizeBytes" | "count">,
): Metrics {
  const { version, summarizers, processes } = service;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: "bridle_http_requests_total",
    help: "Requests answered, by route, method and status.",
    labelNames: ["route", "method", "status"],
    registers,
  });
  const requestSeconds = new Histogram({
    name: "bridle_http_request_seconds",
    help: "Time from a request's headers to the end of its answer.",
    labelNames: ["route"],
    buckets: secondsBuckets,
    registers,
  });
  const documents = new Counter({
    name: "bridle_documents_total",
    help: "Documents summarized (outcome ok) or refused (outcome: the error's code), by model.",
    labelNames: ["model", "outcome"],
    registers,
  });
  const summarySeconds = new Histogram({
    name: "bridle_summary_seconds",
    help: "Time the model took for one document.",
    labelNames: ["model"],
    buckets: secondsBuckets,
    registers,
  });
  const phaseSeconds = new Histogram({
    name: "bridle_phase_seconds",
    help: "Where a neural model's time for one document went, whether a summary came of it or not: queue, encode (reading), decode (writing).",
    labelNames: ["model", "phase"],
    buckets: secondsBuckets,
    registers,
  });
  const waitSeconds = new Histogram({
    name: "bridle_work_wait_seconds",
    help: "How long requests waited for their turn: interactive ones, and those of many documents (batch).",
    labelNames: ["class"],
    buckets: secondsBuckets,
    registers,
  });
  const countPhases: Metrics["countPhases"] = (model, timingsMs) => {
    for (const phase of phases) {
      const ms = timingsMs[phase];
      if (ms !== undefined) phaseSeconds.observe({ model, phase }, ms / 1000);
    }
  };
  const inputTokens = new Histogram({
    name: "bridle_document_tokens",
    help: "Length of documents in the model's tokens (extractive: words).",
    labelNames: ["model"],
    buckets: wordBuckets,
    registers,
  });
  const unread = new Counter({
    name: "bridle_document_tokens_unread_total",
    help: "Tokens that callers asked to leave unread.",
    labelNames: ["model"],
    registers,
  });
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  gauge("bridle_work_active", "Requests being worked on.", () => admission.active);
  gauge("bridle_work_waiting", "Requests waiting for their turn.", () => admission.waiting);
  gauge("bridle_buffered_bytes", "Bytes of request bodies held.", () => admission.bufferedBytes);
  const loads = () =>
    [...summarizers].flatMap(([model, summarizer]) => {
      const load = summarizer.load?.();
      return load === undefined ? [] : [{ model, load }];
    });
  for (const [name, help, read] of engineGauges) {
    new Gauge({
      ...{ name: `bridle_engine_${name}`, help, labelNames: ["model"], registers },
      collect() {
        for (const { model, load } of loads()) this.set({ model }, read(load));
      },
    });
  }
  for (const [name, help, read] of engineCounters) {
    new Counter({
      ...{ name: `bridle_engine_${name}`, help, labelNames: ["model"], registers },
      collect() {
        // The engine does the counting; what it has counted stands here whole, not once more.
        this.reset();
        for (const { model, load } of loads()) this.inc({ model }, read(load));
      },
    });
  }
  const lookups =
    cache &&
    new Counter({
      name: "bridle_result_cache_requests_total",
      help: "Documents by what the result cache did: hit, shared (with one under way), miss, bypass (drawn without a seed).",
      labelNames: ["outcome"],
      registers,
    });
  if (cache !== undefined) {
    gauge("bridle_result_cache_bytes", "Bytes of summaries kept.", () => cache.sizeBytes);
    gauge("bridle_result_cache_entries", "Summaries kept.", () => cache.count);
  }
  if (processes !== undefined) countProcesses(processes, registry);
  new Gauge({
    name: "bridle_info",
    help: "Always 1; the version is in the label.",
    labelNames: ["version"],
    registers,
  }).set({ version }, 1);

  return {
    contentType: registry.contentType,
    async render() {
      if (processes === undefined) return await registry.metrics();
      const [own, others] = await Promise.all([
        registry.getMetricsAsJSON(),
        processes.metrics(processesWithinMs),
      ]);
      return await AggregatorRegistry.aggregate([own, ...others]).metrics();
    },
    countRequest(route, method, status, durationMs) {
      requests.inc({ route, method, status });
      requestSeconds.observe({ route }, durationMs / 1000);
    },
    countCache: (outcome) => lookups?.inc({ outcome }),
    countDocument({ model, usage, timingsMs, cached }) {
      documents.inc({ model, outcome: "ok" });
      // No model took any time for it, nor read it.
      if (cached === true) return;
      summarySeconds.observe({ model }, timingsMs.total / 1000);
      countPhases(model, timingsMs);
      inputTokens.observe({ model }, usage.inputTokens);
      unread.inc({ model }, Math.max(0, usage.inputTokens - usage.usedTokens));
    },
    countPhases,
    countWait: (of, waitedMs) => waitSeconds.observe({ class: of }, waitedMs / 1000),
    countFailure(model, code) {
      documents.inc({ model, outcome: code });
    },
    close: () => registry.clear(),
  };
}

/** Working processes: how many there are, and what became of others. */
function countProcesses(processes: ServiceProcesses, registry: Registry): void {
  const registers = [registry];
  new Gauge({
    name: "bridle_workers",
    help: "Working processes, by status.",
    labelNames: ["status"],
    registers,
    collect() {
      const statuses = processes.states().map(({ status }) => status);
      for (const status of ["starting", "ready", "waiting"] as const) {
        this.set({ status }, statuses.filter((one) => one === status).length);
      }
    },
  });
  new Counter({
    name: "bridle_worker_restarts_total",
    help: "Working processes started in the place of dead ones.",
    registers,
    collect() {
      this.reset();
      this.inc(processes.states().reduce((sum, { restarts }) => sum + restarts, 0));
    },
  });
  new Counter({
    name: "bridle_worker_retries_total",
    help: "Documents given to another working process since theirs was lost.",
    registers,
    collect() {
      this.reset();
      this.inc(processes.retries);
    },
  });
}
