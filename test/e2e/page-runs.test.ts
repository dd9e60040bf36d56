// Runs in a real browser: the table, one run while it goes on, and several beside each other.
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Page } from "playwright-core";
import { afterAll, expect, it } from "vitest";
import { toyIdentity, toyPoints, toyRunId } from "../../scripts/toy-runs.mjs";
import { openRuns } from "../../src/compose.js";
import type { RunEvent } from "../../src/ports/event-sink.js";
import { writeEvents } from "../../src/track/write.js";
import { recordToyRuns } from "../support/toy-home.js";
import { barriers, describePage, startPages } from "./page-driver.js";

const roots: string[] = [];
afterAll(() => Promise.all(roots.map((root) => rm(root, { recursive: true, force: true }))));

function scratchHome(): string {
  const root = mkdtempSync(path.join(tmpdir(), "bridle-page-runs-"));
  roots.push(root);
  return path.join(root, "home");
}

const heading = (page: Page, name: string) => page.getByRole("heading", { level: 1, name });
const grid = (page: Page) => page.getByRole("grid", { name: "Runs" });
const rows = (page: Page) =>
  grid(page)
    .getByRole("row")
    .filter({ has: page.getByRole("gridcell") });
const firstNames = async (page: Page, count: number) =>
  (await rows(page).getByRole("link").allTextContents()).slice(0, count);
const chart = (page: Page, name: string) => page.getByRole("region", { name, exact: true });

/** Keys that come faster than anything is drawn, each at whatever has the focus by then. */
async function pressAtOnce(page: Page, keys: readonly string[]): Promise<void> {
  await page.evaluate(async (pressed) => {
    for (const key of pressed) {
      const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
      document.activeElement?.dispatchEvent(event);
      await Promise.resolve();
    }
  }, keys);
}

/** The names of the runs at the top, once they are those. */
async function waitForNames(page: Page, names: readonly string[]): Promise<void> {
  await expect.poll(() => firstNames(page, names.length)).toEqual([...names]);
}

describePage("the pages of runs", () => {
  const home = scratchHome();
  const open = startPages({
    env: { BRIDLE_HOME: home },
    models: async () => {
      await recordToyRuns(home);
      return [];
    },
  });

  async function tell(index: number, more: object, ...events: readonly RunEvent[]): Promise<void> {
    const database = await openRuns(undefined, { BRIDLE_HOME: home });
    try {
      await writeEvents(database, toyIdentity(index, more), events);
    } finally {
      await database.close();
    }
  }

  it("lists them, the newest first, and finds and sorts by what stands in the address", async () => {
    const page = await open({}, "/runs");
    await heading(page, "Runs").waitFor();
    await page.getByText("24 runs").waitFor();
    await waitForNames(page, ["long-24", "lora-23", "base-22"]);
    await grid(page).getByText("running", { exact: true }).waitFor();

    const field = page.getByRole("combobox", { name: "Find runs by name or condition" });
    await page.keyboard.press("/");
    await page.keyboard.type("status");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await expect.poll(() => field.inputValue()).toBe("status ");
    await page.keyboard.type("= failed");
    await page.keyboard.press("Enter");
    await page.getByText("2 runs fit").waitFor();
    await waitForNames(page, ["base-16", "lora-5"]);
    expect(new URL(page.url()).searchParams.getAll("filter")).toEqual(["status = failed"]);
    expect(await barriers(page)).toEqual([]);
    await page.reload();
    await page.getByText("2 runs fit").waitFor();
    await page.getByRole("button", { name: "Without status = failed" }).click();
    await page.getByText("24 runs").waitFor();

    const header = grid(page).getByRole("columnheader", { name: "eval/rougeL" });
    await header.getByRole("button").click();
    await expect.poll(() => header.getAttribute("aria-sort")).toBe("descending");
    const best = async () => {
      const column = Number(
        await header.evaluate((each) => [...(each.parentElement?.children ?? [])].indexOf(each)),
      );
      const texts = await rows(page).getByRole("gridcell").allTextContents();
      const width = await grid(page).getByRole("columnheader").count();
      return texts
        .filter((_, place) => place % width === column)
        .slice(0, 8)
        .map(Number);
    };
    await expect
      .poll(async () => {
        const values = await best();
        return (
          values.length > 4 && values.every((value, i) => i === 0 || value <= (values[i - 1] ?? 0))
        );
      })
      .toBe(true);
    expect(new URL(page.url()).searchParams.get("sort")).toBe("-metrics.eval/rougeL");

    await field.fill("metrics.eval/rougeL < four");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("RUN_QUERY_INVALID").waitFor();
    // What was there before is no answer to it.
    await expect.poll(() => page.getByText(/\d+ runs/).count()).toBe(0);
    expect(await grid(page).count()).toBe(0);
    await page.getByRole("button", { name: "Without metrics.eval/rougeL < four" }).click();
    await page.getByText("24 runs").waitFor();
  });

  it("shows the columns of one's choice", async () => {
    const page = await open({}, "/runs");
    await grid(page).waitFor();
    await page.getByRole("button", { name: "Columns" }).click();
    await page.getByLabel("Find a column").fill("optimizer");
    await page.getByRole("checkbox", { name: "train.optimizer.name" }).setChecked(true);
    await page.keyboard.press("Escape");
    await grid(page).getByRole("columnheader", { name: "train.optimizer.name" }).waitFor();
    await grid(page).getByText("adafactor").first().waitFor();
    const columns = new URL(page.url()).searchParams.getAll("columns");
    expect(columns).toContain("params.train.optimizer.name");
  });

  it("compares what was chosen by keys: curves, and the parameters that differ", async () => {
    const page = await open({}, "/runs");
    await rows(page).first().focus();
    await pressAtOnce(page, [" ", "ArrowDown", "ArrowDown", " "]);
    const chosen = page.getByRole("region", { name: "Chosen runs" });
    await chosen.getByText("2 runs chosen").waitFor();
    expect(await barriers(page)).toEqual([]);
    await page.keyboard.press("c");
    await heading(page, "Compare").waitFor();
    const list = page.getByRole("list", { name: "Compared runs" });
    const compared = () => list.getByRole("link").allTextContents();
    await expect.poll(compared).toEqual(["long-24", "base-22"]);
    await chart(page, "train/loss")
      .getByRole("application", { name: /^train\/loss\. long-24, last/ })
      .waitFor();

    const parameters = page.getByRole("region", { name: "Parameters", exact: true });
    const names = async () => await parameters.getByRole("rowheader").allTextContents();
    expect(await names()).toContain("train.learningRate");
    expect(await names()).not.toContain("data.rows.train");
    await page
      .getByRole("switch", { name: /^Only the \d+ that differ/ })
      .last()
      .click();
    await expect.poll(names).toContain("data.rows.train");
    expect(await barriers(page)).toEqual([]);
    await page.getByRole("button", { name: "Without base-22" }).click();
    await page.getByText("1 run", { exact: true }).waitFor();
  });

  it("draws points as they come, and says when the run has ended", async () => {
    const id = toyRunId(77);
    const startedAt = Date.now() - 100_000;
    const more = { name: "live-one", startedAt };
    const line = (number: number, text: string): RunEvent => ({
      type: "lines",
      lines: [{ number, at: startedAt + number, level: "info", text }],
    });
    await tell(77, more, toyPoints(77, startedAt, 100), line(0, "It begins."));
    const page = await open({}, `/runs/${id}`);
    const status = page.getByRole("heading", { level: 1 });
    await status.getByText("running").waitFor();
    const loss = chart(page, "train/loss");
    await loss.getByRole("application").waitFor();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    const last = () => loss.getByRole("application").getAttribute("aria-label");
    const before = await last();
    await tell(77, more, toyPoints(77, startedAt, 60, 100));
    await expect.poll(last).not.toBe(before);
    // They came by the stream that was open.
    expect(asked.filter((each) => each.endsWith("/metrics"))).toEqual([]);
    await page.getByRole("tab", { name: "Logs" }).click();
    const log = page.getByRole("log", { name: "Lines of the run" });
    await log.getByText("It begins.").waitFor();
    await tell(77, more, line(1, "It goes on."));
    await log.getByText("It goes on.").waitFor();
    await tell(77, more, { type: "end", status: "failed", at: Date.now(), error: "No room left." });
    await page.getByText("No room left.").waitFor();
    await status.getByText("failed").waitFor();
  });

  it("puts a run that begins into the table", async () => {
    const page = await open({}, "/runs");
    await grid(page).waitFor();
    await tell(78, { name: "newcomer", startedAt: Date.now() }, toyPoints(78, Date.now(), 10));
    await grid(page).getByRole("link", { name: "newcomer" }).waitFor();
  });

  it("shows curves, machine, parameters, lines, files and code of a run, and zooms by keys", async () => {
    // One whose folder differed from its commit.
    const id = toyRunId(1);
    const page = await open({}, `/runs/${id}`);
    await heading(page, "lora-2").waitFor();
    expect(await page.title()).toBe("lora-2 · Bridle");
    const loss = chart(page, "train/loss");
    const canvas = loss.getByRole("application");
    await canvas.focus();
    await page.keyboard.press("Home");
    await loss.getByText(/^Step 0: train\/loss/).waitFor({ state: "attached" });
    await page.keyboard.press("+");
    await loss.getByRole("button", { name: "Show all of it" }).click();
    await loss.getByRole("button", { name: "As a table" }).click();
    await loss.getByRole("columnheader", { name: "step" }).waitFor();
    expect(await barriers(page)).toEqual([]);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      loss.getByRole("button", { name: "Save as CSV" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("train-loss.csv");
    for (const axis of ["Epoch", "Time"]) await page.getByText(axis, { exact: true }).click();

    const sights = {
      System: "system/cpu_percent",
      Parameters: "train.learningRate",
      Logs: "row 1203 of data/train.jsonl is cut at 1024 tokens",
      Files: "model/model.safetensors",
      Code: "epochs: 2",
    };
    for (const [tab, sight] of Object.entries(sights)) {
      await page.getByRole("tab", { name: tab }).click();
      await page.getByText(sight).first().waitFor();
      expect(await barriers(page), tab).toEqual([]);
    }
    await page.getByRole("tab", { name: "Files" }).click();
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "config.json" }).click(),
    ]);
    expect(file.suggestedFilename()).toBe("config.json");
  });

  it("says which run there is not", async () => {
    const page = await open({}, "/runs/zzzzzzzz");
    await page.getByRole("alert").getByText("RUN_NOT_FOUND").waitFor();
    expect(await barriers(page)).toEqual([]);
  });
});

describePage("the page of runs where there are none", () => {
  const open = startPages({ env: { BRIDLE_HOME: scratchHome() } });

  it("says how the first one is made", async () => {
    const page = await open({}, "/runs");
    await page.getByRole("heading", { name: "No run has been recorded here yet" }).waitFor();
    expect(await barriers(page)).toEqual([]);
    const compare = await open({}, "/runs/compare");
    await compare.getByRole("heading", { name: "No runs are chosen" }).waitFor();
  });
});
