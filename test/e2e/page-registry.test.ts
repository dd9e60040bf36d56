// Registered models in a real browser: the list, a model, a version, and moving what is in production.
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Page } from "playwright-core";
import { afterAll, expect, it } from "vitest";
import { openDatabase, openRegistry } from "../../src/compose.js";
import { chainOf, writeVersionRows } from "../support/registry-rows.js";
import { registerToyModels } from "../support/toy-home.js";
import { barriers, describePage, startPages } from "./page-driver.js";

const key = "registry-test-key-0123456789abcdef";
const roots: string[] = [];
afterAll(() => Promise.all(roots.map((root) => rm(root, { recursive: true, force: true }))));

function toyHome() {
  const root = mkdtempSync(path.join(tmpdir(), "bridle-page-registry-"));
  roots.push(root);
  const home = path.join(root, "home");
  const models = async () => {
    await registerToyModels(home, path.join(root, "models"));
    await registerLongFamily(home);
    return [];
  };
  return { env: { BRIDLE_HOME: home }, models };
}

/** More versions of one model, each trained from the one before, than a picture shows. */
async function registerLongFamily(home: string): Promise<void> {
  const places = { env: { BRIDLE_HOME: home } };
  const registry = await openRegistry(places);
  const { card } = await registry.getVersion({ model: "news", at: { version: 1 } });
  await registry.close();
  const database = await openDatabase(path.join(home, "bridle.db"));
  await writeVersionRows(database, chainOf(503, "nightly"), card);
  await database.close();
}

const heading = (page: Page, name: string) => page.getByRole("heading", { level: 1, name });
const versions = (page: Page) => page.getByRole("region", { name: "Versions" });
const rowOf = (page: Page, version: number) =>
  versions(page)
    .getByRole("row")
    .filter({ has: page.getByRole("rowheader", { name: `news:${version}` }) });
const production = (page: Page) =>
  page.getByText("In production", { exact: true }).locator("xpath=following-sibling::dd[1]");

describePage("the pages of registered models", () => {
  const open = startPages(toyHome());

  it("lists them, and leads to a model, a version and its family", async () => {
    const page = await open({}, "/registry");
    await heading(page, "Models").waitFor();
    const list = page.getByRole("region", { name: "Registered models" });
    const row = list.getByRole("row").filter({ hasText: "news" });
    expect(await row.innerText()).toMatch(/5 versions[\s\S]*candidate\s*4[\s\S]*champion\s*3/);
    await list.getByRole("link", { name: "news", exact: true }).click();
    await heading(page, "news").waitFor();
    expect(await page.title()).toBe("news · Bridle");
    expect(await production(page).innerText()).toContain("version 3");
    const family = page.getByRole("region", { name: "Lineage" }).last();
    for (const name of [
      /news:3\s*champion.*trained from news:1$/,
      /sport:1.*trained from news:3$/,
    ]) {
      await family.getByRole("link", { name }).waitFor();
    }
    await family.getByText("google/pegasus-xsum", { exact: true }).waitFor();
    await family.getByRole("link", { name: /^news:4/ }).click();
    await heading(page, "news:4").waitFor();
    const scores = page.getByRole("region", { name: "Evaluations" });
    expect(await scores.getByRole("row").nth(1).innerText()).toMatch(/400\s+41\.10/);
    expect(await scores.getByRole("row").nth(2).innerText()).toMatch(/against news:3\s+\+1\.30/);
    await page.getByText("Summaries of English news.").waitFor();
    const links = page.getByRole("navigation", { name: "Where this page is" });
    await links.getByRole("link", { name: "news" }).click();
    await versions(page).waitFor();
  });

  it("offers no promotion of what is in production, which alone is gold, and the whole command of an evaluation", async () => {
    const page = await open({}, "/registry/news/3");
    await page.getByText("in production", { exact: true }).waitFor();
    expect(await page.getByRole("button", { name: "Promote" }).count()).toBe(0);
    expect(await barriers(page)).toEqual([]);
    const family = page.getByRole("region", { name: "Lineage" }).last();
    const groundOf = (alias: string) =>
      family
        .getByText(alias, { exact: true })
        .evaluate((each) => getComputedStyle(each).backgroundColor);
    expect(await groundOf("candidate")).not.toBe(await groundOf("champion"));
    const boxGround = async (version: number, alias: string) => {
      const other = await open({}, `/registry/news/${version}`);
      const origin = other.getByRole("region", { name: "How it came to be" }).last();
      const box = origin.getByRole("link", { name: new RegExp(`Alias ${alias}`) });
      return await box.evaluate((each) => getComputedStyle(each).backgroundColor);
    };
    expect(await boxGround(4, "candidate")).not.toBe(await boxGround(3, "champion"));
    const bare = await open({}, "/registry/sport/1");
    await bare
      .getByText("bridle models promote sport:1 --data test.jsonl", { exact: true })
      .waitFor();
    await bare.getByRole("button", { name: "Promote" }).waitFor();
  });

  it("says where a family is too large for its picture", async () => {
    const page = await open({}, "/registry/nightly/503");
    const note = page.getByText("the 500 nearest versions are drawn");
    await note.waitFor();
    const family = page.getByRole("region", { name: "Lineage" }).last();
    await family.getByRole("link", { name: /^nightly:503/ }).waitFor();
    await expect.poll(() => family.getByRole("link").count()).toBe(500);
    const small = await open({}, "/registry/news");
    await small.getByRole("region", { name: "Lineage" }).last().getByRole("link").first().waitFor();
    await expect.poll(() => small.getByText("nearest versions").count()).toBe(0);
  });

  it("promotes what passes its gates, refuses what does not, passes them over with a reason, and goes back", async () => {
    const page = await open({}, "/registry/news");
    await rowOf(page, 4).getByRole("button", { name: "Promote version 4" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("heading", { name: "Point champion at version 4?" }).waitFor();
    await dialog.getByText("points at version 3 now").waitFor();
    expect(await barriers(page)).toEqual([]);
    await dialog.getByLabel("Reason").fill("better by 1.3 points");
    await dialog.getByRole("button", { name: "Promote" }).click();
    await page.getByText("news@champion points at version 4, and not at 3 any more.").waitFor();
    await dialog.waitFor({ state: "detached" });
    await rowOf(page, 4).getByText("in production").waitFor();
    await page.getByText("better by 1.3 points").waitFor();

    await rowOf(page, 5).getByRole("button", { name: "Promote version 5" }).click();
    await dialog.getByRole("button", { name: "Promote" }).click();
    const refusal = dialog.getByRole("alert");
    await refusal.getByText("PROMOTION_GATES_FAILED").waitFor();
    expect(await barriers(page)).toEqual([]);
    const force = dialog.getByRole("button", { name: "Pass the gates over" });
    expect(await force.isDisabled()).toBe(true);
    await dialog.getByLabel("Reason").fill("the test data was wrong");
    await force.click();
    await dialog.waitFor({ state: "detached" });
    await rowOf(page, 5).getByText("in production").waitFor();
    await page.getByText("gates passed over").waitFor();

    await page.getByRole("button", { name: "Roll back" }).click();
    await dialog.getByRole("heading", { name: "Take champion back to version 4?" }).waitFor();
    await dialog.getByRole("button", { name: "Roll back" }).click();
    await dialog.waitFor({ state: "detached" });
    await rowOf(page, 4).getByText("in production").waitFor();
    expect(await barriers(page)).toEqual([]);
  });

  it("points another alias at a version from the keyboard alone", async () => {
    const page = await open({}, "/registry/news/2");
    const button = page.getByRole("button", { name: "Promote" });
    await button.focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Alias").fill("staging");
    await dialog.getByText("news@staging points at nothing yet").waitFor();
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    await heading(page, "news:2").getByText("staging").waitFor();
    await page.waitForFunction(() => document.activeElement?.textContent === "Promote");
  });

  it("says where an alias was moved by somebody else in the meantime", async () => {
    const page = await open({}, "/registry/news");
    const other = await open({}, "/registry/news");
    for (const each of [page, other]) {
      await rowOf(each, 1).getByRole("button", { name: "Promote version 1" }).click();
      await each.getByRole("dialog").getByLabel("Alias").fill("shared");
    }
    await other.getByRole("dialog").getByRole("button", { name: "Promote" }).click();
    await other.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("dialog").getByRole("button", { name: "Promote" }).click();
    await page.getByRole("alert").getByText("PROMOTION_CONFLICT").waitFor();
  });

  it("says which model or version there is not", async () => {
    const page = await open({}, "/registry/nothing");
    await page.getByRole("alert").getByText("MODEL_NOT_REGISTERED").waitFor();
    expect(await barriers(page)).toEqual([]);
    const other = await open({}, "/registry/news/99");
    await other.getByRole("alert").getByText("MODEL_VERSION_NOT_FOUND").waitFor();
  });
});

describePage("the pages of registered models where keys are on", () => {
  const { env, models } = toyHome();
  const open = startPages({
    env: { ...env, BRIDLE_API_KEYS: `${key}=summarize+read+admin, looker-0123456789abcdef=read` },
    models,
  });
  const signIn = async (page: Page, text: string) => {
    await page.getByRole("button", { name: "Enter an API key" }).click();
    await page.getByLabel("API key", { exact: true }).fill(text);
    await page.keyboard.press("Enter");
    await versions(page).waitFor();
  };

  it("lets a key with admin promote, written down by its name", async () => {
    const page = await open({}, "/registry/news");
    await signIn(page, key);
    await rowOf(page, 4).getByRole("button", { name: "Promote version 4" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Promote" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page
      .getByText(/by key /)
      .first()
      .waitFor();
  });

  it("refuses a key that may only read", async () => {
    const page = await open({}, "/registry/news");
    await signIn(page, "looker-0123456789abcdef");
    await rowOf(page, 1).getByRole("button", { name: "Promote version 1" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Promote" }).click();
    await page.getByRole("alert").getByText("SCOPE_MISSING").waitFor();
  });
});

describePage("the pages of registered models where there are none", () => {
  const root = mkdtempSync(path.join(tmpdir(), "bridle-page-registry-"));
  roots.push(root);
  const open = startPages({ env: { BRIDLE_HOME: path.join(root, "home") } });

  it("says how the first one is made", async () => {
    const page = await open({}, "/registry");
    await page.getByRole("heading", { name: "No model is registered yet" }).waitFor();
    await page.getByText("bridle models add ./my-model --name news").waitFor();
    expect(await barriers(page)).toEqual([]);
  });
});
