// What each neural model's engine is doing and how quickly, out of the server's metrics.
import { type Buckets, buckets, quantile, type Sample, total } from "../api/prometheus.js";

export interface EngineFigures {
  readonly model: string;
  readonly waiting: number;
  readonly documents: number;
  readonly cacheBytes: number;
  /** Documents that share a step, and tokens a second while at work; undefined before the first. */
  readonly documentsAStep: number | undefined;
  readonly tokensPerS: number | undefined;
  /** Seconds within which 95 % of documents waited, were read and were written. */
  readonly slowestS: Readonly<Record<Phase, number | undefined>>;
}

const phases = ["queue", "encode", "decode"] as const;
export type Phase = (typeof phases)[number];

const names = {
  steps: "bridle_engine_steps_total",
  tokens: "bridle_engine_tokens_total",
  encode: "bridle_engine_encode_seconds_total",
  step: "bridle_engine_step_seconds_total",
} as const;

/** Seconds within which 95 % of requests for one document had their turn; undefined before the first. */
export function turnWithinS(samples: readonly Sample[]): number | undefined {
  const times = buckets(
    samples,
    "bridle_work_wait_seconds",
    (labels) => labels.class === "interactive",
  );
  return quantile(times, 0.95);
}

/**
 * Figures of every model that has an engine, in the order of the metrics.
 * @param before what was there when it was last looked: rates are of the time since, where anything was done in it
 */
export function engineFigures(
  samples: readonly Sample[],
  before: readonly Sample[] = [],
): readonly EngineFigures[] {
  const models = samples.flatMap(({ name, labels }) =>
    name === names.steps && labels.model !== undefined ? [labels.model] : [],
  );
  return [...new Set(models)].map((model) => {
    const mine = (labels: Sample["labels"]) => labels.model === model;
    const now = (name: string) => total(samples, name, mine) ?? 0;
    const since = (name: string) => now(name) - (total(before, name, mine) ?? 0);
    // A server that was started anew counts from nothing.
    const goesOn = since(names.steps) > 0 && since(names.step) > 0;
    const done = goesOn ? since : now;
    const [steps, seconds] = [done(names.steps), done(names.encode) + done(names.step)];
    const slowest = (phase: Phase) => {
      const times: Buckets = buckets(
        samples,
        "bridle_phase_seconds",
        (labels) => mine(labels) && labels.phase === phase,
      );
      return quantile(times, 0.95);
    };
    return {
      model,
      waiting: now("bridle_engine_waiting"),
      documents: now("bridle_engine_documents"),
      cacheBytes: now("bridle_engine_cache_bytes"),
      documentsAStep: steps > 0 ? done(names.tokens) / steps : undefined,
      tokensPerS: seconds > 0 ? done(names.tokens) / seconds : undefined,
      slowestS: {
        queue: slowest("queue"),
        encode: slowest("encode"),
        decode: slowest("decode"),
      },
    };
  });
}
