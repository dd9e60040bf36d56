// `npm run screenshot [-- MODEL]`: takes the pictures of the page in the README and the guide, light and dark, from the
// compiled server in Chromium. The comparison shows MODEL, a folder with a neural model, beside the extractive one; without
// it, two lengths of the extractive one. The runs are made up.
// @ts-check
import "./node-version.mjs";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { prepare } from "./build.mjs";
import { writeToyProject } from "./toy-data.mjs";
import { toyRuns } from "./toy-runs.mjs";
import { writeToySweep } from "./toy-sweep.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = path.join(root, "docs", "images");
/** A README is loaded by everybody who looks at the project. */
const mostBytes = 300_000;
const size = { width: 1200, height: 750 };
const compared = { width: 1320, height: 740 };
const searched = { width: 1200, height: 920 };
const [neural] = process.argv.slice(2);
const models = ["extractive", ...(neural === undefined ? [] : [path.resolve(neural)])];

await prepare();
// After prepare(): playwright-core is one of the things that it installs.
const { chromiumMissing, findChromium, openChromium } = await import("./chromium.mjs");
const executablePath = findChromium();
if (executablePath === undefined) {
  console.error(`There is ${chromiumMissing}.`);
  process.exit(8);
}
const home = mkdtempSync(path.join(tmpdir(), "bridle-screenshot-"));
const project = path.join(home, "project");
writeToyProject(project);
const runIds = await recordRuns();
const server = spawn(
  process.execPath,
  [
    path.join(root, "dist", "cli", "main.js"),
    ...["serve", "--port", "0", "--log-level", "warn"],
    ...models.flatMap((model) => ["--model", model]),
  ],
  {
    cwd: project,
    env: { ...process.env, BRIDLE_HOME: home },
    stdio: ["ignore", "pipe", "inherit"],
  },
);
try {
  const url = await readAddress();
  const browser = await openChromium(executablePath);
  mkdirSync(folder, { recursive: true });
  /**
   * @param {"light" | "dark"} colorScheme
   * @param {{ width: number, height: number }} viewport
   * @param {string} name
   * @param {string} address
   * @param {(page: import("playwright-core").Page) => Promise<void>} set brings the page into the state to be shown
   */
  const take = async (colorScheme, viewport, name, address, set) => {
    const page = await browser.newPage({
      viewport,
      // Many fine lines of many colours take room.
      deviceScaleFactor: viewport === searched ? 1 : 1.25,
      colorScheme,
      reducedMotion: "reduce",
    });
    await page.goto(url + address);
    await page.getByText("Ready", { exact: true }).waitFor();
    if (address === "/") await page.getByRole("button", { name: /lighthouse/ }).click();
    await set(page);
    const file = path.join(folder, `${name}-${colorScheme}.png`);
    await page.screenshot({ path: file, animations: "disabled", caret: "hide" });
    await page.close();
    const { size: sizeBytes } = statSync(file);
    console.log(`${path.relative(root, file)}: ${Math.round(sizeBytes / 1000)} kB`);
    if (sizeBytes > mostBytes) {
      console.error(`It should stay below ${mostBytes / 1000} kB; make the picture smaller.`);
      process.exitCode = 1;
    }
  };
  for (const scheme of /** @type {const} */ (["light", "dark"])) {
    await take(scheme, size, "playground", "/", async (page) => {
      await page.getByLabel("Number of sentences").fill("5");
      await page.getByRole("button", { name: "Summarize" }).click();
      // Pointing at a sentence shows what the page is for: its source lights up on the other side.
      await page.locator("#summary-3").hover();
      await page.locator("#source-3[data-on]").waitFor();
    });
    await take(scheme, compared, "comparison", "/", async (page) => {
      await page.getByRole("button", { name: "Compare" }).click();
      const second = page.getByRole("region", { name: "Summary B" });
      if (neural === undefined) await second.getByText("Share", { exact: true }).click();
      await page.getByRole("button", { name: "Summarize" }).click();
      await second.getByText(/^Read [\d,]+ of/).waitFor({ timeout: 300_000 });
      await page.locator("#summary-2").hover();
      await page.locator("#source-2[data-on]").waitFor();
    });
    const four = runIds
      .slice(-6, -2)
      .map((id) => `run=${id}`)
      .join("&");
    await take(scheme, size, "runs", `/runs/compare?${four}`, async (page) => {
      const chart = page.getByRole("region", { name: "train/loss", exact: true });
      const canvas = chart.getByRole("application");
      await canvas.waitFor();
      await canvas.hover({ position: { x: 190, y: 120 } });
    });
    await take(scheme, searched, "sweep", "/sweeps/rates", async (page) => {
      await page.getByRole("application").first().waitFor();
      // The trials that came out well.
      const slider = page.getByRole("slider", { name: "loss, to" });
      for (let step = 0; step < 7; step += 1) await slider.press("PageDown");
      await page.getByRole("status").filter({ hasText: "chosen" }).waitFor();
      await slider.blur();
      const chart = await page.getByRole("region", { name: "Best loss so far" }).boundingBox();
      await page.mouse.wheel(0, (chart?.y ?? 0) - 76);
      await page.waitForTimeout(300);
    });
    await take(scheme, size, "data", "/data", async (page) => {
      await page.getByRole("link", { name: "data/train.jsonl" }).first().click();
      await page.getByRole("img", { name: /^Documents/ }).waitFor();
    });
  }
  await browser.close();
} finally {
  server.kill("SIGTERM");
  rmSync(home, { recursive: true, force: true });
}

/** @returns {Promise<readonly string[]>} ids, the oldest first */
async function recordRuns() {
  const { openRuns } = await import("../dist/compose.js");
  const { writeEvents } = await import("../dist/track/write.js");
  const database = await openRuns(undefined, { BRIDLE_HOME: home });
  const runs = toyRuns(Date.now());
  for (const { run, events } of runs) await writeEvents(database, run, events);
  // What is compiled may be older than what is written, until prepare() has run.
  const compiled = /** @type {unknown} */ (await import("../dist/loop/sweep/sweep-store.js"));
  const store = /** @type {typeof import("../src/loop/sweep/sweep-store.js")} */ (compiled);
  await writeToySweep(store, database, Date.now(), {
    runs: runs.slice(2, 8).map(({ run }) => run.id),
  });
  await database.close();
  return runs.map(({ run }) => run.id);
}

/** @returns {Promise<string>} */
function readAddress() {
  return new Promise((resolve, reject) => {
    let said = "";
    server.stdout.on("data", (chunk) => {
      said += chunk;
      const url = /listening on (http:\/\/\S+)/.exec(said)?.[1];
      if (url !== undefined) resolve(url);
    });
    server.once("exit", (code) => reject(new Error(`bridle serve ended with ${code}: ${said}`)));
  });
}
