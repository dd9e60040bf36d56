// Runs that nobody trained, for pictures, tests and benches of the page: events as a training tells them, the same every time.
// @ts-check
import { toyTrain, toyValidation } from "./toy-data.mjs";

/** @typedef {import("../src/ports/event-sink.js").RunEvent} RunEvent */
/** @typedef {import("../src/ports/event-sink.js").RunIdentity} RunIdentity */
/** @typedef {{ readonly run: RunIdentity, readonly events: readonly RunEvent[] }} ToyRun */

const letters = "abcdefghijkmnpqrstuvwxyz23456789";
const metricsEvery = 5;
const evaluateEvery = 50;

/** A value in 0..1 that looks like chance and is the same every time. @param {number} seed @param {number} place */
export function noise(seed, place) {
  const wave = Math.sin(place * 12.9898 + seed * 78.233) * 43758.5453;
  return wave - Math.floor(wave);
}

/** @param {number} index */
export function toyRunId(index) {
  return Array.from(
    { length: 8 },
    (_, place) => letters[Math.floor(noise(index + 1, place + 1) * letters.length)],
  ).join("");
}

/** @param {number} index @param {Partial<RunIdentity>} [more] @returns {RunIdentity} */
export function toyIdentity(index, more) {
  return {
    id: toyRunId(index),
    experiment: index % 3 === 2 ? "xsum" : "news",
    name: `${["base", "lora", "long"][index % 3]}-${index + 1}`,
    startedAt: 0,
    source: "train",
    // Of another machine: nobody here can say that its process is gone.
    host: "lab-3",
    pid: 4200 + index,
    output: `/srv/news/runs/${index + 1}`,
    configSha256: String(index).padStart(64, "0"),
    commit: `${"3f9c1e7b"}${"0".repeat(32)}${index % 4 === 1 ? "+" : ""}`,
    parent: "",
    ...more,
  };
}

/**
 * The curves of a run as events, of so many steps.
 * @param {number} index @param {number} startedAt @param {number} steps @param {number} [firstStep]
 * @returns {RunEvent}
 */
export function toyPoints(index, startedAt, steps, firstStep = 0) {
  const rate = 0.6 + noise(index, 7) * 1.2;
  const floor = 1.6 + noise(index, 8) * 0.5;
  const points = [];
  for (let step = firstStep; step < firstStep + steps; step += metricsEvery) {
    const at = startedAt + step * 900;
    const epoch = step / 200;
    const fall = 4.4 * Math.exp((-rate * step) / 160);
    const base = { step, epoch, at };
    points.push(
      { ...base, key: "train/loss", value: floor + fall + (noise(index, step) - 0.5) * 0.35 },
      { ...base, key: "train/grad_norm", value: 0.4 + fall / 3 + noise(index + 50, step) * 0.5 },
      {
        ...base,
        key: "train/learning_rate",
        value: 3e-4 * Math.min(1, (step + 1) / 60) * (1 - step / 700),
      },
      { ...base, key: "train/tokens_per_second", value: 2100 + noise(index + 90, step) * 300 },
    );
    if (step % evaluateEvery === 0) {
      const rouge = 0.18 + 0.2 * (1 - Math.exp((-rate * step) / 220)) + noise(index, step) * 0.01;
      points.push(
        { ...base, key: "eval/loss", value: floor + 0.2 + fall * 0.9 },
        { ...base, key: "eval/rouge1", value: rouge + 0.12 },
        { ...base, key: "eval/rougeL", value: rouge },
      );
    }
    const seconds = Math.round((at - startedAt) / 1000);
    if (step % 20 === 0) {
      const reading = { step: seconds, epoch: null, at };
      points.push(
        { ...reading, key: "system/cpu_percent", value: 62 + noise(index, step + 3) * 30 },
        { ...reading, key: "system/rss_bytes", value: 1.1e9 + 4e8 * (1 - Math.exp(-step / 80)) },
        { ...reading, key: "system/memory_free_bytes", value: 6e9 - noise(index, step) * 5e8 },
      );
    }
  }
  return { type: "points", points };
}

/** The version of the training rows that a run had. @param {number} index @param {number} [count] */
export function toyDataOf(index, count = 24) {
  return /** @type {import("./toy-data.mjs").ToyFile} */ (toyTrain[index < count / 4 ? 0 : 1]);
}

/**
 * @param {number} now milliseconds since 1970; runs began in the days before it, and the last ones go on
 * @param {number} [count]
 * @returns {readonly ToyRun[]}
 */
export function toyRuns(now, count = 24) {
  return Array.from({ length: count }, (_, index) => {
    const isLast = index === count - 1;
    const steps = isLast ? 260 : 400 + (index % 4) * 50;
    const startedAt = isLast ? now - steps * 900 : now - (count - index) * 5 * 3_600_000;
    const run = toyIdentity(index, { startedAt });
    const end = startedAt + steps * 900;
    const rate = ["0.0001", "0.0003", "0.001"][index % 3] ?? "";
    const hasFailed = index % 11 === 4;
    const train = toyDataOf(index, count);
    /** @type {RunEvent[]} */
    const events = [
      { type: "start", run, fromStep: 0 },
      {
        type: "params",
        values: {
          "model.name": index % 3 === 2 ? "google/pegasus-xsum" : "google/pegasus-cnn_dailymail",
          "data.train": train.file,
          "data.rows.train": String(train.rows),
          "data.sha256.train": train.sha256,
          "data.sizeBytes.train": String(train.text.length),
          "data.validation": toyValidation.file,
          "data.rows.validation": String(toyValidation.rows),
          "data.sha256.validation": toyValidation.sha256,
          "data.sizeBytes.validation": String(toyValidation.text.length),
          "train.learningRate": rate,
          "train.seed": String(index % 5),
          "train.epochs": "2",
          "train.totalSteps": String(400 + (index % 4) * 50),
          "train.optimizer.name": index % 2 === 0 ? "adamw" : "adafactor",
          "train.microBatchTokens": index % 2 === 0 ? "4096" : "8192",
          "generate.numBeams": "4",
        },
      },
      { type: "tags", values: { device: "cpu", threads: "8" } },
      toyPoints(index, startedAt, steps),
      {
        type: "lines",
        lines: Array.from({ length: 60 }, (_, number) => ({
          number,
          at: startedAt + number * 5000,
          level: number === 17 ? "warning" : "info",
          text:
            number === 17
              ? "row 1203 of data/train.jsonl is cut at 1024 tokens"
              : `step ${number * 5}: loss ${(2 + 4 / (number + 1)).toFixed(4)}`,
        })),
      },
    ];
    if (!isLast) {
      events.push({
        type: "end",
        status: hasFailed ? "failed" : index % 13 === 6 ? "stopped" : "finished",
        at: end,
        error: hasFailed ? "Step 312 gave a loss that is not a number." : "",
      });
    } else {
      events.push({ type: "alive", at: now });
    }
    return { run, events };
  });
}
