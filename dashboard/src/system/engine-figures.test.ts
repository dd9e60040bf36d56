// Tests what the page tells of engines: rates since it last looked, and what stands for nothing done.
import { expect, it } from "vitest";
import { readSamples } from "../api/prometheus.js";
import { engineFigures, turnWithinS } from "./engine-figures.js";

/** Metrics of one model after so many steps of two documents each, 0.1 s a step. */
const metrics = (steps: number) =>
  readSamples(
    [
      'bridle_engine_waiting{model="news"} 3',
      'bridle_engine_documents{model="news"} 2',
      'bridle_engine_cache_bytes{model="news"} 2000000',
      `bridle_engine_steps_total{model="news"} ${steps}`,
      `bridle_engine_tokens_total{model="news"} ${2 * steps}`,
      `bridle_engine_encode_seconds_total{model="news"} ${0.1 * steps}`,
      `bridle_engine_step_seconds_total{model="news"} ${0.1 * steps}`,
      'bridle_phase_seconds_bucket{le="1",model="news",phase="queue"} 95',
      'bridle_phase_seconds_bucket{le="2",model="news",phase="queue"} 100',
      'bridle_phase_seconds_bucket{le="+Inf",model="news",phase="queue"} 100',
      'bridle_engine_steps_total{model="idle"} 0',
    ].join("\n"),
  );

it("tells what is under way and how quickly, for each model", () => {
  const [news, idle] = engineFigures(metrics(10));
  expect(news).toMatchObject({ model: "news", waiting: 3, documents: 2, cacheBytes: 2e6 });
  expect(news?.documentsAStep).toBe(2);
  expect(news?.tokensPerS).toBeCloseTo(10);
  expect(news?.slowestS).toEqual({ queue: 1, encode: undefined, decode: undefined });
  expect(idle).toMatchObject({ model: "idle", documentsAStep: undefined, tokensPerS: undefined });
});

it("tells rates of the time since it last looked, where anything was done in it", () => {
  const slow = readSamples(
    ["steps", "tokens", "encode_seconds", "step_seconds"]
      .map((name, i) => `bridle_engine_${name}_total{model="news"} ${[4, 4, 0.4, 0.4][i]}`)
      .join("\n"),
  );
  const [since] = engineFigures(metrics(10), slow);
  expect(since?.documentsAStep).toBeCloseTo(16 / 6);
  expect(since?.tokensPerS).toBeCloseTo(16 / 1.2);
  expect(engineFigures(metrics(10), metrics(10))).toEqual(engineFigures(metrics(10)));
  expect(engineFigures(metrics(3), metrics(10))).toEqual(engineFigures(metrics(3)));
});

it("has nothing to tell of a server without an engine", () => {
  expect(engineFigures(readSamples("bridle_work_active 1"))).toEqual([]);
});

it("tells within what time requests for one document had their turn", () => {
  const waits = (times: string) => `bridle_work_wait_seconds_bucket{${times}}`;
  const samples = readSamples(
    [
      `${waits('le="1",class="interactive"')} 95`,
      `${waits('le="2",class="interactive"')} 100`,
      `${waits('le="+Inf",class="interactive"')} 100`,
      `${waits('le="+Inf",class="batch"')} 1000`,
    ].join("\n"),
  );
  expect(turnWithinS(samples)).toBe(1);
  expect(turnWithinS([])).toBeUndefined();
});
