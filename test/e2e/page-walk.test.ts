// Walks every page in light and dark, at desktop and phone width: nothing is wider than the screen, nothing bars anybody.
import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Page } from "playwright-core";
import { afterAll, expect, it } from "vitest";
import { writeToyProject } from "../../scripts/toy-data.mjs";
import { toyRunId } from "../../scripts/toy-runs.mjs";
import { openRuns } from "../../src/compose.js";
import { endTrial } from "../../src/loop/sweep/sweep-store.js";
import type { Database } from "../../src/ports/database.js";
import {
  recordToyRuns,
  recordToySweep,
  registerToyModels,
  toyDataId,
} from "../support/toy-home.js";
import { barriers, describePage, startPages } from "./page-driver.js";

const sizes = {
  desktop: { viewport: { width: 1440, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
} as const;

const [one, other] = [toyRunId(0), toyRunId(1)];
/** Each page with a heading, or something named, that is there once the page is. */
const pages = [
  ["/", "Document"],
  ["/configure", "params.yaml"],
  ["/runs", "Runs"],
  [`/runs/${one}`, "train/loss"],
  [`/runs/${one}?tab=system`, "system/cpu_percent"],
  [`/runs/${one}?tab=parameters`, "Parameters"],
  [`/runs/${one}?tab=logs`, "Lines of the run"],
  [`/runs/${one}?tab=files`, "Files"],
  [`/runs/${other}?tab=code`, "Environment"],
  [`/runs/compare?run=${one}&run=${other}`, "train/loss"],
  ["/sweeps", "Sweeps"],
  ["/sweeps/rates", "Parallel coordinates"],
  ["/registry", "Models"],
  ["/registry/news", "Versions"],
  ["/registry/news/3", "How good it is"],
  ["/data", "Data"],
  [`/data/${toyDataId}`, "What a look finds"],
  ["/system", "Answers by route"],
] as const;

const cases = pages.flatMap(([address, sight]) =>
  (["desktop", "phone"] as const).map((size) => [address, size, sight] as const),
);

const root = mkdtempSync(path.join(tmpdir(), "bridle-page-walk-"));
afterAll(() => rm(root, { recursive: true, force: true }));

describePage("a walk through the pages", () => {
  const home = path.join(root, "home");
  const open = startPages({
    env: { BRIDLE_HOME: home },
    cwd: path.join(root, "project"),
    models: async () => {
      writeToyProject(path.join(root, "project"));
      // One that a merge left torn.
      writeFileSync(path.join(root, "project", "data", "old.jsonl.dvc"), "outs:\n<<<<<<< HEAD\n");
      const runIds = await recordToyRuns(home);
      await recordToySweep(home, runIds);
      await registerToyModels(home, path.join(root, "models"), runIds);
      return [];
    },
  });

  it.each(cases)("%s, %s, in light and dark", async (address, size, sight) => {
    const page = await open({ colorScheme: "light", ...sizes[size] }, address);
    const named = page.getByRole("heading", { name: sight, exact: true });
    await named
      .or(page.getByLabel(sight, { exact: true }))
      .first()
      .waitFor();
    const overflow = () =>
      page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.locator(`html[data-mantine-color-scheme=${colorScheme}]`).waitFor();
      expect(await barriers(page), colorScheme).toEqual([]);
      expect(await overflow()).toBeLessThanOrEqual(0);
    }
  });

  it("fades a table out where there is more of it", async () => {
    const page = await open(sizes.phone, "/registry/news");
    const table = page.getByRole("region", { name: "Versions" }).last();
    await table.getByRole("row").nth(1).waitFor();
    const more = () =>
      table.evaluate((each) =>
        ["left", "right"].filter((side) => each.hasAttribute(`data-more-${side}`)),
      );
    const mask = () => table.evaluate((each) => getComputedStyle(each).maskImage);
    await expect.poll(more).toEqual(["right"]);
    expect(await mask()).toContain("to left");
    await table.evaluate((each) => each.scrollTo({ left: 60 }));
    await expect.poll(more).toEqual(["left", "right"]);
    await table.evaluate((each) => each.scrollTo({ left: each.scrollWidth }));
    await expect.poll(more).toEqual(["left"]);
    await page.setViewportSize({ width: 1600, height: 900 });
    await expect.poll(more).toEqual([]);
    expect(await mask()).toBe("none");
  });

  it("shows a sweep: what decides it, its trials ranked, and those that are chosen by keys and by mouse", async () => {
    const page = await open({ viewport: { width: 1440, height: 1100 } }, "/sweeps");
    const list = page.getByRole("region", { name: "Sweeps" });
    expect(await list.getByRole("row").nth(1).innerText()).toMatch(/rates[\s\S]*minimize loss/);
    await list.getByRole("link", { name: "rates" }).click();
    await page.getByRole("heading", { level: 1, name: /rates\s*running/ }).waitFor();
    const bars = page.getByRole("list", { name: "Share of the objective's variance by key" });
    expect(await bars.getByRole("listitem").first().innerText()).toMatch(/^learningRate/);
    const chart = page.getByRole("region", { name: "Best loss so far" });
    await chart.getByRole("application", { name: /best so far, last/ }).waitFor();
    const marks = chart.getByRole("listitem").locator("i");
    const isRound = (mark: Element) => getComputedStyle(mark).borderTopLeftRadius === "50%";
    expect(await marks.evaluateAll((all) => all.length)).toBe(3);
    expect(await Promise.all([0, 2].map((place) => marks.nth(place).evaluate(isRound)))).toEqual([
      true,
      false,
    ]);

    const trials = page.getByRole("region", { name: "Trials" });
    const count = async () => (await trials.getByRole("row").count()) - 1;
    const all = await count();
    expect(all).toBe(36);
    const best = trials.getByRole("row").nth(1);
    expect(await best.getByRole("cell").first().innerText()).toBe("1");
    await best.getByRole("link", { name: "news:4" }).waitFor();
    expect(await best.getByRole("link").first().getAttribute("href")).toMatch(/^\/runs\/\w{8}$/);

    const chosen = page.getByRole("status").filter({ hasText: "chosen" });
    await page.getByRole("slider", { name: "optimizer.name, to" }).focus();
    await pressKeys(page, ["ArrowDown", "ArrowDown"]);
    await chosen.getByText(/^\d+ trials of 36 chosen/).waitFor();
    const texts = await trials.getByRole("row").allInnerTexts();
    expect(texts.slice(1).every((text) => text.includes("adamw"))).toBe(true);
    expect(await barriers(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await expect.poll(count).toBe(all);

    const end = await page.getByRole("slider", { name: "loss, from" }).boundingBox();
    if (end === null) throw new Error("the axis of the objective is not drawn");
    await page.mouse.move(end.x + end.width / 2, end.y - 60);
    await page.mouse.down();
    await page.mouse.move(end.x + end.width / 2, end.y, { steps: 4 });
    await page.mouse.up();
    await chosen.waitFor();
    expect(await count()).toBeLessThan(all);
    await page.getByRole("button", { name: "Choose all" }).click();
    await expect.poll(count).toBe(all);

    // The trial that runs ends, and is the best of all.
    await withDatabase((database) =>
      endTrial(database, "rates", 34, { state: "complete", value: 0.5, step: 300 }),
    );
    await trials.getByRole("row").nth(1).getByRole("rowheader", { name: "34" }).waitFor();
    await trials.getByRole("button", { name: "Trial" }).click();
    expect(new URL(page.url()).searchParams.get("sort")).toBe("trial");
    const first = trials.getByRole("row").nth(1).getByRole("rowheader");
    expect(await first.innerText()).toBe("0");
  });

  it("shows what data hold, and leads from them to runs and models and back", async () => {
    const page = await open({}, "/data");
    await page
      .getByRole("alert")
      .getByText(/data\/old\.jsonl\.dvc cannot be used/)
      .waitFor();
    const list = page.getByRole("region", { name: "Versions of data" });
    const row = list.getByRole("row").filter({ hasText: toyDataId.slice(0, 12) });
    expect(await row.innerText()).toMatch(
      /data\/train\.jsonl[\s\S]*480[\s\S]*training[\s\S]*tracked/,
    );
    await row.getByRole("link", { name: "data/train.jsonl" }).click();
    await page.getByRole("img", { name: /^Documents, words: median \d+/ }).waitFor();
    await page.getByRole("img", { name: /^Summary to document/ }).waitFor();
    const languages = page.getByRole("list", { name: "Languages" });
    expect(await languages.innerText()).toMatch(/English[\s\S]*German/);
    await page
      .getByRole("region", { name: "Used together with" })
      .getByText("data/valid.jsonl")
      .waitFor();
    const models = page.getByRole("region", { name: "Models", exact: true });
    await models.getByRole("link").first().click();
    const origin = page.getByRole("region", { name: "How it came to be" });
    await origin.getByRole("link", { name: /^Data train\.jsonl/ }).click();
    await page.getByRole("heading", { level: 1, name: "data/train.jsonl" }).waitFor();
  });
});

async function pressKeys(page: Page, keys: readonly string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

async function withDatabase(work: (database: Database) => Promise<unknown>): Promise<void> {
  const database = await openRuns(undefined, { BRIDLE_HOME: path.join(root, "home") });
  try {
    await work(database);
  } finally {
    await database.close();
  }
}
