// Ten million metric points in SQLite: how long they take to write, and a chart and a table of runs to read.
// node bench/track.mjs [--quick] [--points N] [--rounds 9] [--folder FOLDER]
// @ts-check
import { mkdtempSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { openDatabase } from "../dist/compose.js";
import { readCharts } from "../dist/track/charts.js";
import { listRuns } from "../dist/track/read.js";
import { writeEvents } from "../dist/track/write.js";
import { median } from "./frame/child.mjs";
import { lessIsBetter, machine, report } from "./frame/report.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    points: { type: "string" },
    rounds: { type: "string", default: "9" },
    folder: { type: "string", default: os.tmpdir() },
  },
});
const total = Number(values.points ?? (values.quick ? 200_000 : 10_000_000));
const rounds = Number(values.rounds);
const metrics = ["train/loss", "train/grad_norm", "train/learning_rate", "train/tokens_per_second"];
/** One long run has two fifths of all points; the others share the rest. */
const longSteps = Math.floor((total * 2) / 5 / metrics.length);
const others = 60;
const shortSteps = Math.floor((total - longSteps * metrics.length) / others / metrics.length);
const batch = 5000;
const chartPoints = 800;
const started = machine();
const scratch = mkdtempSync(path.join(values.folder, "bridle-bench-track-"));
const file = path.join(scratch, "bridle.db");

/** @param {string} id @param {number} startedAt */
const identity = (id, startedAt) => ({
  ...{
    id,
    experiment: "bench",
    name: id,
    startedAt,
    source: "train",
    host: "here",
    pid: process.pid,
  },
  ...{ output: "", configSha256: "", commit: "", parent: "" },
});

/** @param {number} i @param {number} step a noisy curve with a spike now and then */
const valueAt = (i, step) => {
  const noise = Math.sin(step * 12.9898 + i) * 43758.5453;
  return 5 / (1 + step / 1000) + (noise - Math.floor(noise)) + (step % 77_777 === 0 ? 50 : 0);
};

/** @param {number} ms */
const rounded = (ms) => ms.toFixed(ms < 10 ? 1 : 0);

/** @template T @param {() => Promise<T>} work @returns {Promise<{ms: number, result: T}>} */
async function timed(work) {
  const began = performance.now();
  const result = await work();
  return { ms: performance.now() - began, result };
}

/** @param {() => Promise<unknown>} work */
async function medianMs(work) {
  await work();
  const times = [];
  for (let round = 0; round < rounds; round++) times.push((await timed(work)).ms);
  return median(times);
}

const rows = [];
try {
  const database = await openDatabase(`sqlite:${file}`);
  let written = 0;
  const fill = async (/** @type {string} */ id, /** @type {number} */ steps) => {
    const startedAt = 1_700_000_000_000 + written;
    const run = identity(id, startedAt);
    await writeEvents(database, run, [{ type: "start", run, fromStep: 0 }]);
    const perMetric = Math.floor(batch / metrics.length);
    for (let first = 0; first < steps; first += perMetric) {
      const count = Math.min(perMetric, steps - first);
      const points = metrics.flatMap((key, i) =>
        Array.from({ length: count }, (_, at) => ({
          ...{ key, step: first + at, epoch: (first + at) / 1000, at: startedAt + first + at },
          value: valueAt(i, first + at),
        })),
      );
      await writeEvents(database, run, [{ type: "points", points }]);
      const before = written;
      written += points.length;
      if (Math.floor(before / 500_000) !== Math.floor(written / 500_000)) {
        console.log(`${written} of ${total} points written`);
      }
    }
    await writeEvents(database, run, [
      { type: "end", status: "finished", at: startedAt + steps, error: "" },
    ]);
  };
  const filling = await timed(async () => {
    await fill("longaaaa", longSteps);
    for (let i = 0; i < others; i++) await fill(`short${String(i).padStart(3, "0")}`, shortSteps);
  });
  const perSecond = written / (filling.ms / 1000);

  const { rows: series } = await database.query(
    "SELECT id FROM track_series WHERE run_id = $1 AND key = $2",
    ["longaaaa", "train/loss"],
  );
  const seriesId = /** @type {number} */ (series[0]?.id);
  /** What a tracker without bins does: every point of the range is read, in SQL all the same. */
  const fromPoints = async (/** @type {number} */ from, /** @type {number} */ to) =>
    await database.query(
      `SELECT MIN(step), MAX(step), AVG(value), MIN(value), MAX(value), COUNT(*) FROM track_point
       WHERE series_id = $1 AND step >= $2 AND step <= $3 GROUP BY (step - $2) / $4 ORDER BY 1`,
      [seriesId, from, to, Math.ceil((to - from + 1) / chartPoints)],
    );
  const chart = async (/** @type {number} */ fromStep, /** @type {number} */ toStep) =>
    await readCharts(database, {
      ...{ runIds: ["longaaaa"], keys: ["train/loss"], points: chartPoints, fromStep, toStep },
    });
  const ranges = /** @type {const} */ ([
    ["whole", 0, longSteps - 1],
    ["its middle tenth", Math.floor(longSteps * 0.45), Math.floor(longSteps * 0.55)],
  ]);
  for (const [name, from, to] of ranges) {
    const [drawn] = await chart(from, to);
    const counted = drawn?.points.reduce((sum, { count }) => sum + count, 0) ?? 0;
    if (counted < to - from + 1)
      throw new Error(`the chart has ${counted} points of ${to - from + 1}`);
    const spikes = drawn?.points.filter(({ max }) => (max ?? 0) > 40).length ?? 0;
    const wanted = Math.floor(to / 77_777) - Math.ceil(from / 77_777) + 1;
    if (spikes < wanted) throw new Error(`${spikes} of ${wanted} spikes are on the chart`);
    rows.push(
      lessIsBetter({
        case: `a curve of ${longSteps} points, ${name}`,
        peer: "every point read",
        metric: "ms",
        bridle: await medianMs(() => chart(from, to)),
        other: await medianMs(() => fromPoints(from, to)),
      }),
    );
  }
  const all = await medianMs(() =>
    readCharts(database, { runIds: ["longaaaa"], points: chartPoints }),
  );
  const page = await medianMs(() => listRuns(database, { sort: "metrics.train/loss", limit: 100 }));
  await database.close();
  const gigabytes = statSync(file).size / 1e9;
  report("track", rows, [
    `Machine: ${started}. Median of ${rounds} reads after one that is not counted; charts of ${chartPoints} points, each with mean, least and greatest.`,
    `${written} points in ${1 + others} runs, written ${batch} at a time in ${rounded(filling.ms / 1000)} s (${Math.round(perSecond)} a second); the file has ${gigabytes.toFixed(2)} GB.`,
    `All ${metrics.length} curves of the long run: ${rounded(all)} ms. A table of all runs by a metric: ${rounded(page)} ms.`,
  ]);
} finally {
  rmSync(scratch, { recursive: true });
}
