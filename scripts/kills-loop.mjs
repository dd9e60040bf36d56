// kill -9, fifty times, of training, promotion, sweep and server over one database: nothing inconsistent, nothing lost that was
// acknowledged, and everything ends as it does where nobody kills.
// node scripts/kills-loop.mjs [--seed N] [--kills N] [--db sqlite|postgres] [--keep]
// @ts-check
import process from "node:process";
import { parseArgs } from "node:util";
import { prepare } from "./build.mjs";
import { createPromotion, createServing, createSweeping, createTraining } from "./kills/parts.mjs";
import { openScene } from "./kills/scene.mjs";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    kills: { type: "string", default: "50" },
    db: { type: "string", default: "sqlite" },
    keep: { type: "boolean", default: false },
  },
});
const killsInAll = Number(values.kills);
const { db } = values;
if (db !== "sqlite" && db !== "postgres") throw new Error(`--db ${db}: sqlite or postgres`);
await prepare();
const scene = await openScene(Number(values.seed), db);
const { project, chance, wrong, expect, start, bridle } = scene;
const serving = await createServing(scene);
const parts = {
  train: await createTraining(scene),
  promote: await createPromotion(scene),
  sweep: await createSweeping(scene),
  batch: serving,
};
/** @typedef {keyof typeof parts} Kind */
const kinds = /** @type {const} */ (["train", "promote", "sweep", "batch"]);

/** What the doctor makes of it. @param {boolean} isEnd whether nothing may be left in the middle either */
async function askDoctor(isEnd) {
  const { told, ended } = start(project, ["doctor", "--json", "--port", "0"]);
  await ended;
  const { checks } = JSON.parse(told.stdout);
  for (const { name, status, message } of checks) {
    const mustBeOk = isEnd && (name === "database" || name === "work");
    const isRight = mustBeOk ? status === "ok" : status !== "fail";
    expect(isRight, `doctor: ${name}: ${message}`);
  }
  return checks.find((/** @type {any} */ { name }) => name === "work");
}

const began = performance.now();
const seconds = () => `${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s`;
try {
  for (const seed of [1, 2, 3]) {
    const output = `model-${seed}`;
    await bridle(
      project,
      "train",
      "params.yaml",
      `train.output=${output}`,
      `train.seed=${seed}`,
      "train.maxSteps=2",
    );
    await bridle(project, "models", "add", output, "--name", "ship");
  }
  await serving.serve();
  /** @type {Kind[]} */
  const order = Array.from({ length: killsInAll }, (_, index) => kinds[index % 4] ?? "train");
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(chance() * (last + 1));
    [order[last], order[other]] = [
      /** @type {Kind} */ (order[other]),
      /** @type {Kind} */ (order[last]),
    ];
  }
  const kills = { train: 0, promote: 0, sweep: 0, batch: 0 };
  for (const [index, kind] of order.entries()) {
    // One that was done before its time was not killed, and another one is begun.
    let isKilled = false;
    while (!isKilled) isKilled = await parts[kind].kill();
    kills[kind]++;
    const { status, message } = await askDoctor(false);
    console.log(
      `${seconds()}  kill ${String(index + 1).padStart(2)}  ${kind.padEnd(8)} doctor: ${status}, ${message.slice(0, 110)}`,
    );
  }
  for (const kind of kinds) await parts[kind].finish();
  await askDoctor(true);
  console.log(`\n${seconds()}  seed ${values.seed}, ${db}`);
  console.log("killed    kills  acknowledged, and there at the end  ended");
  for (const kind of kinds) {
    const { acknowledged, ended } = parts[kind].told();
    console.log(
      `${kind.padEnd(8)}  ${String(kills[kind]).padStart(5)}  ${acknowledged.padEnd(34)}  ${ended}`,
    );
  }
  const summary =
    wrong.length === 0
      ? "nothing is inconsistent, and nothing is lost"
      : `${wrong.length} things are wrong:`;
  console.log(`${killsInAll} kills: ${summary}`);
  for (const told of wrong) console.log(`  ${told}`);
} finally {
  await serving.stop();
  await scene.close(values.keep);
}
process.exitCode = wrong.length === 0 ? 0 : 1;
