// A thousand runs in the table, twenty curves of 100,000 points each beside each other, and a sweep's thousand trials as lines: how
// long frames take in Chromium.
// node bench/page.mjs [--quick] [--runs N] [--points N] [--curves N] [--trials N]
// @ts-check
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openRuns } from "../dist/compose.js";
import * as sweepStore from "../dist/loop/sweep/sweep-store.js";
import { writeEvents } from "../dist/track/write.js";
import { chromiumMissing, findChromium, openChromium } from "../scripts/chromium.mjs";
import { noise, toyIdentity, toyRuns } from "../scripts/toy-runs.mjs";
import { writeToySweep } from "../scripts/toy-sweep.mjs";
import { machine } from "./frame/report.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    runs: { type: "string", default: "1000" },
    points: { type: "string" },
    curves: { type: "string", default: "20" },
    trials: { type: "string", default: "1000" },
  },
});
const [runs, curves, trials] = [Number(values.runs), Number(values.curves), Number(values.trials)];
const points = Number(values.points ?? (values.quick ? 5000 : 100_000));
const batch = 5000;
/** In the page: notes how long each frame takes. */
const listen = `{
  const mine = { at: performance.now(), times: [], isOver: false };
  globalThis.told = mine;
  const next = (at) => {
    mine.times.push(at - mine.at);
    mine.at = at;
    if (!mine.isOver) requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
}`;
const started = machine();
const executablePath = findChromium();
if (executablePath === undefined) {
  console.error(`There is ${chromiumMissing}.`);
  process.exit(8);
}
const scratch = mkdtempSync(path.join(os.tmpdir(), "bridle-bench-page-"));
const env = { BRIDLE_HOME: path.join(scratch, "home") };
/** @type {import("node:child_process").ChildProcess | undefined} */
let server;
try {
  const ids = await fill();
  server = spawn(
    process.execPath,
    [
      fileURLToPath(new URL("../dist/cli/main.js", import.meta.url)),
      ...["serve", "--port", "0", "--log-level", "warn"],
    ],
    { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] },
  );
  const url = await readAddress(server);
  const browser = await openChromium(executablePath);
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const cases = [];

  let began = performance.now();
  await page.goto(`${url}/runs`);
  await page.getByRole("gridcell").first().waitFor();
  cases.push({
    case: `table of ${runs} runs`,
    metric: "ms until it is there",
    value: performance.now() - began,
  });
  cases.push(
    ...(await framesOf("scrolling through the table", async () => {
      await page.mouse.move(700, 500);
      for (let turn = 0; turn < 60; turn++) {
        await page.mouse.wheel(0, (runs * 42) / 60);
        await page.waitForTimeout(16);
      }
    })),
  );

  began = performance.now();
  const compared = ids.map((id) => `run=${id}`).join("&");
  await page.goto(`${url}/runs/compare?${compared}`);
  const chart = page.getByRole("region", { name: "train/loss", exact: true });
  await chart.getByRole("application").waitFor();
  cases.push({
    case: `${curves} curves of ${points} points`,
    metric: "ms until they are drawn",
    value: performance.now() - began,
  });
  const box = await chart.getByRole("application").boundingBox();
  if (box === null) throw new Error("The chart is not to be seen.");
  const along = async (/** @type {number} */ from, /** @type {number} */ to) => {
    for (let at = 0; at <= 60; at++) {
      await page.mouse.move(
        box.x + box.width * (from + ((to - from) * at) / 60),
        box.y + box.height / 2,
      );
    }
  };
  cases.push(...(await framesOf("reading the curves by mouse", () => along(0.1, 0.95))));
  cases.push(
    ...(await framesOf("zooming in", async () => {
      await page.mouse.move(box.x + box.width * 0.4, box.y + 100);
      await page.mouse.down();
      await along(0.4, 0.6);
      await page.mouse.up();
      await chart.getByRole("button", { name: "Show all of it" }).waitFor();
      // Time for the finer points to come.
      await page.waitForTimeout(1500);
    })),
  );
  cases.push(
    ...(await framesOf("smoothing", async () => {
      await page.getByRole("slider").focus();
      for (let step = 0; step < 40; step++) await page.keyboard.press("ArrowRight");
    })),
  );

  began = performance.now();
  await page.goto(`${url}/sweeps/wide`);
  const lines = page.getByRole("group", { name: /^Parallel coordinates/ });
  await lines.waitFor();
  cases.push({
    case: `${trials} trials as lines`,
    metric: "ms until they are drawn",
    value: performance.now() - began,
  });
  await page.getByRole("region", { name: "Trials" }).getByRole("row").nth(50).waitFor();
  await lines.scrollIntoViewIfNeeded();
  const stage = await lines.boundingBox();
  if (stage === null) throw new Error("The lines are not to be seen.");
  cases.push(
    ...(await framesOf("pointing at lines", async () => {
      for (let at = 0; at <= 120; at++) {
        await page.mouse.move(
          stage.x + stage.width * (0.1 + (0.8 * at) / 120),
          stage.y + stage.height * (0.5 + 0.3 * Math.sin(at / 8)),
        );
      }
    })),
  );
  const end = page.getByRole("slider", { name: /learningRate, to$/ });
  cases.push(
    ...(await framesOf("choosing part of an axis", async () => {
      const grip = await end.boundingBox();
      if (grip === null) throw new Error("The axis is not to be seen.");
      const [x, y] = [grip.x + grip.width / 2, stage.y + stage.height * 0.2];
      await page.mouse.move(x, y);
      await page.mouse.down();
      for (let at = 0; at <= 60; at++) await page.mouse.move(x, y + (stage.height * 0.5 * at) / 60);
      await page.mouse.up();
    })),
  );
  cases.push(
    ...(await framesOf("moving an end by keys", async () => {
      await end.focus();
      for (let step = 0; step < 30; step++) await page.keyboard.press("ArrowUp");
      for (let step = 0; step < 30; step++) await page.keyboard.press("ArrowDown");
    })),
  );
  await browser.close();
  for (const row of cases)
    console.log(`${row.case.padEnd(34)} ${row.metric.padEnd(26)} ${row.value.toFixed(1)}`);
  console.log(`\nMachine: ${started}. Chromium ${browser.version()}, without a GPU.`);
  console.log(JSON.stringify({ name: "page", cases, held: null }));

  /** @param {string} name @param {() => Promise<void>} act */
  async function framesOf(name, act) {
    await page.evaluate(listen);
    await act();
    const times = /** @type {number[]} */ (
      await page.evaluate("told.isOver = true; told.times.slice(1)")
    );
    times.sort((a, b) => a - b);
    const at = (/** @type {number} */ share) => times[Math.floor((times.length - 1) * share)] ?? 0;
    return [
      { case: name, metric: "ms a frame, median", value: at(0.5) },
      { case: name, metric: "ms a frame, 95 % within", value: at(0.95) },
      { case: name, metric: "ms a frame, longest", value: at(1) },
    ];
  }
} finally {
  server?.kill("SIGTERM");
  rmSync(scratch, { recursive: true, force: true });
}

/** Records the runs; the long ones begin last, so that they stand first. */
async function fill() {
  const database = await openRuns(undefined, env);
  const now = Date.now();
  for (const { run, events } of toyRuns(now - 30 * 86_400_000, runs - curves)) {
    await writeEvents(
      database,
      run,
      events.filter(({ type }) => type !== "points" && type !== "lines"),
    );
    await writeEvents(database, run, [
      {
        type: "points",
        points: [
          {
            key: "eval/loss",
            step: 400,
            epoch: 2,
            at: run.startedAt + 1,
            value: 1.5 + noise(run.pid, 1),
          },
        ],
      },
    ]);
  }
  const ids = [];
  for (let index = 0; index < curves; index++) {
    const run = toyIdentity(runs + index, { startedAt: now - (curves - index) * 60_000 });
    await writeEvents(database, run, [{ type: "start", run, fromStep: 0 }]);
    for (let first = 0; first < points; first += batch) {
      const told = Array.from({ length: Math.min(batch, points - first) }, (_, offset) => {
        const step = first + offset;
        const value = 2 + index / 10 + 6 / (1 + step / 2000) + noise(index, step);
        return { key: "train/loss", step, epoch: step / 1000, at: run.startedAt + step, value };
      });
      await writeEvents(database, run, [{ type: "points", points: told }]);
    }
    await writeEvents(database, run, [{ type: "end", status: "finished", at: now, error: "" }]);
    ids.push(run.id);
  }
  await writeToySweep(sweepStore, database, now, { name: "wide", trials, planned: trials });
  await database.close();
  console.log(
    `${runs} runs are recorded, ${curves} of them with ${points} points, and a sweep of ${trials} trials.`,
  );
  return ids;
}

/** @param {import("node:child_process").ChildProcess} child @returns {Promise<string>} */
function readAddress(child) {
  return new Promise((resolve, reject) => {
    let said = "";
    child.stdout?.on("data", (chunk) => {
      said += chunk;
      const url = /listening on (http:\/\/\S+)/.exec(said)?.[1];
      if (url !== undefined) resolve(url);
    });
    child.once("exit", (code) => reject(new Error(`bridle serve ended with ${code}: ${said}`)));
  });
}
