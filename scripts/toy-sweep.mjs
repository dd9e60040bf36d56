// A sweep that nobody ran, for pictures, tests and benches of the page: trials as the search leaves them, the same every time.
// @ts-check
import { noise, toyRunId } from "./toy-runs.mjs";

/** @typedef {import("../src/ports/database.js").Database} Database */
/** @typedef {typeof import("../src/loop/sweep/sweep-store.js")} SweepStore */
/** @typedef {import("../src/loop/sweep/plan.js").SweepPlan} SweepPlan */

const optimizers = ["adamw", "adafactor", "lion"];
const batches = [2048, 4096, 8192];

/** What a search finds: the middle of the rates is best, dropout matters little, one optimizer goes astray. @param {number} trial */
function parametersOf(trial) {
  // Later trials gather about the best, as TPE's do.
  const near = Math.min(1, trial / 45);
  const draw = (/** @type {number} */ place, /** @type {number} */ best) =>
    noise(trial + 3, place) * (1 - 0.7 * near) + best * 0.7 * near;
  return {
    "train.learningRate": 1e-5 * 10 ** (3 * draw(1, 0.52)),
    "train.optimizer.name": optimizers[Math.floor(draw(2, 0.1) * 2.999)],
    "train.microBatchTokens": batches[Math.floor(draw(3, 0.5) * 2.999)],
    "model.dropout": Number((0.3 * draw(4, 0.3)).toFixed(3)),
    "train.schedule.warmupShare": Number((0.2 * draw(5, 0.4)).toFixed(3)),
  };
}

/** @param {number} trial */
function lossOf(trial) {
  const parameters = parametersOf(trial);
  const rate = Math.log10(parameters["train.learningRate"] ?? 1);
  const far = (rate + 3.4) ** 2;
  const astray = parameters["train.optimizer.name"] === "lion" ? 0.16 : 0;
  const small = parameters["train.microBatchTokens"] === 2048 ? 0.12 : 0;
  return 1.72 + 0.5 * far + astray + small + 0.9 * (parameters["model.dropout"] - 0.1) ** 2;
}

const minutes = 60_000;

/**
 * Writes a sweep of 40 trials, the last of which run, or of as many as were planned.
 * @param {SweepStore} store of src/ or of dist/, whichever the caller runs
 * @param {Database} database
 * @param {number} now milliseconds since 1970
 * @param {{ readonly name?: string, readonly trials?: number, readonly planned?: number, readonly runs?: readonly string[] }} [options]
 *   runs: ids of the runs that trials are recorded as, the best trial's the first
 * @returns {Promise<void>}
 */
export async function writeToySweep(
  store,
  database,
  now,
  { name = "rates", trials = 36, planned = 40, runs = [] } = {},
) {
  const plan = /** @type {SweepPlan} */ (
    /** @type {unknown} */ ({
      name,
      trials: planned,
      run: "params.yaml",
      words: [],
      base: {},
      config: {
        space: {
          "train.learningRate": { kind: "uniform", low: 1e-5, high: 1e-2, log: true },
          "train.optimizer.name": { kind: "choice", values: optimizers },
          "train.microBatchTokens": { kind: "choice", values: batches },
          "model.dropout": { kind: "uniform", low: 0, high: 0.3, log: false },
          "train.schedule.warmupShare": { kind: "uniform", low: 0, high: 0.2, log: false },
          "train.epochs": { kind: "constant", value: 2 },
        },
        objective: { metric: "loss", goal: "minimize" },
        sampler: { name: "tpe" },
        pruner: { name: "median" },
      },
    })
  );
  const how = { resume: false, areTrialsSaid: false };
  const beganAt = now - trials * 7 * minutes;
  await store.beginSweep(database, { plan, planSha256: "a", folder: `/srv/news/${name}` }, how);
  await database.query("UPDATE sweep SET began_at_ms = $2 WHERE name = $1", [name, beganAt]);
  const numbers = Array.from({ length: trials }, (_, number) => number);
  const isOver = trials === planned;
  const ended = isOver ? numbers : numbers.slice(0, -2);
  const hasFailed = (/** @type {number} */ number) => number % 17 === 5;
  const losses = ended
    .filter((number) => !hasFailed(number))
    .map((number) => [lossOf(number), number])
    .sort(([a = 0], [b = 0]) => a - b);
  const placeOf = new Map(losses.map(([, number], place) => [number, place]));
  await database.transaction(async (sql) => {
    for (const number of numbers) {
      const parameters = { ...parametersOf(number), "train.epochs": 2 };
      await store.addTrial(sql, name, { number, parameters, config: {} });
      await store.beginTrial(sql, name, number);
      const run =
        runs[placeOf.get(number) ?? -1] ?? (runs.length > 0 ? toyRunId(500 + number) : "");
      if (run !== "") await store.setTrialRun(sql, name, number, run);
      const loss = lossOf(number);
      const isPruned = (placeOf.get(number) ?? 0) > ended.length * 0.72;
      const reports = isPruned ? 2 : 6;
      for (let step = 1; step <= reports; step += 1) {
        const fall = (1.4 + 1.6 * noise(number, 40)) * Math.exp(-(0.45 + noise(number, 41)) * step);
        await store.addReport(sql, name, number, { step: step * 50, value: loss + fall });
      }
      const step = reports * 50;
      if (!isOver && number >= trials - 2) continue;
      if (hasFailed(number)) {
        const error = {
          code: "TRIAL_LOST",
          message: "The process of the trial was lost: no room.",
        };
        await store.endTrial(sql, name, number, { state: "failed", error });
      } else {
        const value = isPruned ? loss + 0.6 : loss;
        const state = isPruned ? "pruned" : "complete";
        await store.endTrial(sql, name, number, { state, value, step });
      }
    }
  });
  await database.query(
    `UPDATE sweep_trial SET began_at_ms = $2 + number * 420000, ended_at_ms = CASE WHEN ended_at_ms IS NULL THEN NULL
     ELSE $2 + number * 420000 + step * 1000 + 90000 END WHERE sweep = $1`,
    [name, beganAt],
  );
  if (isOver) {
    await store.endSweep(database, name, planned);
    return;
  }
  // Somebody on another machine works on it, and for an hour nobody shall notice that they do not.
  await database.query(
    `INSERT INTO sweep_worker (sweep, id, host, pid, start, trials, sign, alive_at_ms)
     VALUES ($1, 'toy', 'lab-3', 4200, NULL, 2, 1, $2)`,
    [name, now + 60 * minutes],
  );
}
