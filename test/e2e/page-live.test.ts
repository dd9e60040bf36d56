// Open pages follow what others do: sweeps that end and are gone on with, models that are promoted, data that are used.
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Page } from "playwright-core";
import { afterAll, expect, it } from "vitest";
import { toyIdentity } from "../../scripts/toy-runs.mjs";
import { openRegistry, openRuns } from "../../src/compose.js";
import type { SweepPlan } from "../../src/loop/sweep/plan.js";
import { addTrial, beginSweep, endSweep, endTrial } from "../../src/loop/sweep/sweep-store.js";
import { joinSweep } from "../../src/loop/sweep/sweep-workers.js";
import type { Database } from "../../src/ports/database.js";
import { writeEvents } from "../../src/track/write.js";
import { registerToyModels } from "../support/toy-home.js";
import { barriers, describePage, startPages } from "./page-driver.js";

const root = mkdtempSync(path.join(tmpdir(), "bridle-page-live-"));
const env = { BRIDLE_HOME: path.join(root, "home") };
afterAll(() => rm(root, { recursive: true, force: true }));

async function withDatabase(work: (database: Database) => Promise<unknown>): Promise<void> {
  const database = await openRuns(undefined, env);
  try {
    await work(database);
  } finally {
    await database.close();
  }
}

const planOf = (trials: number) =>
  ({
    ...{ name: "rates", trials, words: ["train.maxSteps=5"], file: "/project/my rates.yaml" },
    config: {
      title: "rates (of all)",
      space: { "train.seed": { kind: "choice", values: [1, 2, 3] } },
      objective: { metric: "loss", goal: "minimize" },
      sampler: { name: "grid" },
      pruner: { name: "none" },
    },
  }) as unknown as SweepPlan;

const begin = (database: Database, trials: number, resume: boolean) =>
  beginSweep(
    database,
    { plan: planOf(trials), planSha256: "a", folder: "/far/rates" },
    { resume, areTrialsSaid: true },
  );

async function addEnded(database: Database, number: number, value: number): Promise<void> {
  const parameters = { "train.seed": number + 1 };
  await addTrial(database, "rates", { number, parameters, config: {} });
  await endTrial(database, "rates", number, { state: "complete", value, step: 1 });
}

const heading = (page: Page, name: RegExp) => page.getByRole("heading", { level: 1, name });

describePage("an open page", () => {
  const open = startPages({
    env,
    models: async () => {
      await registerToyModels(env.BRIDLE_HOME, path.join(root, "models"));
      await withDatabase(async (database) => {
        await begin(database, 2, false);
        await addEnded(database, 0, 3);
        await database.query("UPDATE sweep SET began_at_ms = began_at_ms - 60000");
      });
      return [];
    },
  });

  it("copies the command that goes on with a sweep, and sees it go on, end and be gone on with", async () => {
    const page = await open({}, "/sweeps/rates");
    await heading(page, /rates\s*interrupted/).waitFor();
    await page.getByText("rates (of all)").waitFor();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByText("Run it in the folder where the sweep began.").waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
      "bridle sweep '/project/my rates.yaml' train.maxSteps=5 --name rates --resume",
    );
    const list = await open({}, "/sweeps");
    await withDatabase((database) => joinSweep(database, "rates", 1).touch());
    await heading(page, /rates\s*running/).waitFor();
    await withDatabase(async (database) => {
      await addEnded(database, 1, 2);
      await endSweep(database, "rates", 2);
    });
    await heading(page, /rates\s*done/).waitFor();
    await list.getByRole("row").filter({ hasText: "done" }).waitFor();
    await withDatabase(async (database) => {
      await begin(database, 3, true);
      await addEnded(database, 2, 1);
    });
    await heading(page, /rates\s*running/).waitFor();
    await page.getByText("3 of 3", { exact: true }).waitFor();
    await list.getByRole("row").filter({ hasText: "running" }).waitFor();
  });

  it("sees what somebody else promotes, and what is new of data", async () => {
    const [model, version, data] = [
      await open({}, "/registry/news"),
      await open({}, "/registry/news/4"),
      await open({}, "/data"),
    ];
    await heading(version, /news:4/).waitFor();
    await data.getByRole("heading", { level: 1, name: "Data" }).waitFor();
    const registry = await openRegistry({ env });
    try {
      await registry.promote("news", 4, { by: "hedy" });
    } finally {
      await registry.close();
    }
    await heading(version, /news:4[\s\S]*champion/).waitFor();
    await model.getByText("by hedy").first().waitFor();
    const run = toyIdentity(400, { startedAt: Date.now() });
    await withDatabase((database) =>
      writeEvents(database, run, [
        { type: "start", run, fromStep: 0 },
        { type: "params", values: { "data.train": "brand-new.jsonl" } },
      ]),
    );
    await data.getByText("brand-new.jsonl").waitFor();
  });

  it("has missed nothing once it is back from where it heard nothing", async () => {
    const page = await open({}, "/registry/news");
    await page.getByText("In production", { exact: true }).waitFor();
    const context = page.context();
    await context.setOffline(true);
    const registry = await openRegistry({ env });
    try {
      await registry.promote("news", 2, { by: "linus", alias: "unheard" });
    } finally {
      await registry.close();
    }
    await context.setOffline(false);
    await page.getByText("by linus").first().waitFor();
  });

  it("shows what goes into a version and what comes out, and how its training ended", async () => {
    const page = await open({}, "/registry/news/2");
    const title = page.getByRole("heading", { name: "Inputs and outputs" });
    const card = page.locator("section").filter({ has: title });
    for (const text of ["document", "Vocabulary", "input_ids"]) {
      await card.getByText(text, { exact: true }).first().waitFor();
    }
    await page.getByText("On validation rows at the end of training, step 20").waitFor();
    expect(await barriers(page)).toEqual([]);
    // Its package brings what is known of it; nothing was recorded of it here.
    const other = await open({}, "/registry/sport/1");
    await other.getByText("No evaluation is known yet").waitFor();
  });
});
