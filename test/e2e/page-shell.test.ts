// The frame around every page, in real Chromium: addresses, the way back, keys, the phone's menu, signing in.
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { barriers, describePage, paste, press, startPages, summarized } from "./page-driver.js";
import { story } from "./toy-documents.js";

const key = "shell-test-key-0123456789abcdef";
const heading = (page: Page, name: string) => page.getByRole("heading", { level: 1, name });

describePage("the frame of the pages", () => {
  const open = startPages();

  it("opens a page by its address, reloads it, and goes back and forth", async () => {
    const page = await open({}, "/system");
    await heading(page, "System").waitFor();
    expect(await page.title()).toBe("System · Bridle");
    await page.reload();
    await heading(page, "System").waitFor();
    const documents: string[] = [];
    page.on("request", (request) => {
      if (request.isNavigationRequest()) documents.push(request.url());
    });
    const pages = page.getByRole("navigation", { name: "Pages" });
    await pages.getByRole("link", { name: "Playground" }).click();
    await page.getByLabel("Document text").waitFor();
    expect(new URL(page.url()).pathname).toBe("/");
    await page.goBack();
    await heading(page, "System").waitFor();
    await page.goForward();
    await page.getByLabel("Document text").waitFor();
    expect(documents).toEqual([]);
  });

  it("counts pages that were closed among no failures", async () => {
    await (await open()).close();
    const page = await open({}, "/system");
    const routes = page.getByRole("region", { name: "Answers by route" }).last();
    const events = routes.getByRole("row").filter({ hasText: "/v1/events" });
    await expect
      .poll(async () => (await events.getByRole("cell").allTextContents()).slice(0, 2).join())
      .toMatch(/^[1-9]\d*,0$/);
  });

  it("moves the focus to the heading of the page that was gone to", async () => {
    const page = await open();
    await page.getByRole("link", { name: "System" }).focus();
    await page.keyboard.press("Enter");
    await heading(page, "System").waitFor();
    await page.waitForFunction(() => document.activeElement?.tagName === "H1");
    const current = page.getByRole("navigation", { name: "Pages" }).locator("[aria-current=page]");
    await expect.poll(() => current.textContent()).toBe("System");
  });

  it("keeps the playground's document and summary while other pages are looked at", async () => {
    const page = await open();
    await paste(page, story.join(" "));
    await summarized(page, () => press(page));
    await page.getByRole("link", { name: "System" }).click();
    await heading(page, "System").waitFor();
    await expect.poll(() => page.locator("#summary-1").isVisible()).toBe(false);
    await page.goBack();
    await page.locator("#summary-1").waitFor();
    await expect.poll(() => page.locator("mark").count()).toBe(3);
  });

  it("says where there is no page, in a page of its own", async () => {
    const page = await open({}, "/system/a/b/c");
    await heading(page, "No such page").waitFor();
    await page.getByText("/system/a/b/c").waitFor();
    expect(await barriers(page)).toEqual([]);
    const answer = await page.request.get(new URL("/nowhere", page.url()).href);
    expect(answer.status()).toBe(404);
  });

  it("goes by keys, tells which, and lets them be turned off", async () => {
    const page = await open();
    await page.locator("body").press("g");
    await page.keyboard.press("y");
    await heading(page, "System").waitFor();
    await page.keyboard.press("?");
    const dialog = page.getByRole("dialog", { name: "Keys" });
    await dialog.getByText("Go to System").waitFor();
    expect(await barriers(page)).toEqual([]);
    await dialog.getByRole("switch").press(" ");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.keyboard.press("g");
    await page.keyboard.press("p");
    await page.reload();
    await heading(page, "System").waitFor();
    await page.getByRole("button", { name: "Keys" }).click();
    expect(await dialog.getByRole("switch").isChecked()).toBe(false);
  });

  it("takes no letter for a key while somebody types", async () => {
    const page = await open();
    await page.getByLabel("Document text").pressSequentially("gy?");
    await expect.poll(() => page.getByLabel("Document text").inputValue()).toBe("gy?");
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
    expect(new URL(page.url()).pathname).toBe("/");
  });

  it("opens its pages from a menu on a phone", async () => {
    const page = await open({
      viewport: { width: 360, height: 740 },
      hasTouch: true,
      isMobile: true,
    });
    const system = page.getByRole("link", { name: "System" });
    await expect.poll(() => system.isVisible()).toBe(false);
    const menu = page.getByRole("button", { name: "Pages" });
    await menu.tap();
    await system.waitFor();
    expect(await barriers(page)).toEqual([]);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Escape");
    await expect.poll(() => system.isVisible()).toBe(false);
    await menu.tap();
    await system.tap();
    await heading(page, "System").waitFor();
    await expect.poll(() => system.isVisible()).toBe(false);
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    expect(overflow).toBeLessThanOrEqual(0);
  });

  it("says when a page's code cannot be fetched, and stays usable", async () => {
    const page = await open();
    await page.route("**/assets/system-page-*.js", (route) => route.abort());
    await page.getByRole("link", { name: "System" }).click();
    await page.getByText("This page could not be fetched").waitFor();
    await page.getByRole("link", { name: "Playground" }).click();
    await page.getByLabel("Document text").waitFor();
  });

  it("tells of its load, by route, once something was asked", async () => {
    const page = await open();
    await paste(page, story.join(" "));
    await summarized(page, () => press(page));
    await page.getByRole("link", { name: "System" }).click();
    const row = page.getByRole("row").filter({ hasText: "/v1/summaries" });
    await row.waitFor();
    await expect.poll(() => row.getByRole("cell").first().textContent()).toMatch(/^[1-9]/);
    const models = page.getByRole("region", { name: "Models served" });
    await models.getByRole("rowheader", { name: /extractive/ }).waitFor();
  });
});

describePage("the frame of the pages of a server with API keys", () => {
  const open = startPages({ env: { BRIDLE_API_KEYS: `${key}, summarizer=summarize` } });

  it("shows what anybody may see, and the rest to a key that may", async () => {
    const page = await open({}, "/system");
    await page.getByText(/are for operators/).waitFor();
    await page.getByRole("button", { name: "Key needed" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("API key", { exact: true }).fill(key);
    await page.keyboard.press("Enter");
    await page.getByRole("columnheader", { name: "95 % within" }).waitFor();
    await page.getByText("Up for").waitFor();
  });
});
