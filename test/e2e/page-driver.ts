// What the tests of the page share: a server, a Chromium, and hands that paste, drop, press and look.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { chromiumMissing, findChromium, openChromium } from "../../scripts/chromium.mjs";
import { type ServedBridle, serveBridle } from "./served-bridle.js";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");
const executablePath = findChromium();
/** On CI a missing browser is a fault of the set-up, not a reason to skip. */
const skipped = executablePath === undefined && process.env.CI !== "true";

export interface Asked {
  readonly document: string;
  readonly model?: string;
  readonly parameters?: object;
  readonly stream?: boolean;
}

export interface Answer {
  readonly summary: string;
  readonly sources: readonly { start: number; end: number }[];
  readonly usage: { inputTokens: number; usedTokens: number; outputTokens: number; chunks: number };
}

/** A suite that needs Chromium: where there is none it is skipped by a name that says why, and fails on CI. */
export function describePage(name: string, tests: () => void): void {
  describe.skipIf(skipped)(skipped ? `${name} (skipped: ${chromiumMissing})` : name, tests);
}

/**
 * Starts a server and Chromium for the suite it is called in. After each test it expects that no page sent a request
 * beyond its origin, wrote an error to the console (which is where a broken content security policy shows) or threw.
 */
export function startPages({
  env = {},
  cwd,
  models = async () => [],
}: {
  readonly env?: Readonly<Record<string, string>>;
  /** The folder that the server is started in; this one's unless said. */
  readonly cwd?: string;
  /** Makes what is to be served beside, or in place of, the default. */
  readonly models?: () => Promise<readonly string[]>;
} = {}) {
  let server: ServedBridle;
  let browser: Browser;
  const contexts: BrowserContext[] = [];
  let faults: string[] = [];

  beforeAll(async () => {
    if (executablePath === undefined) throw new Error(chromiumMissing);
    const served = await models();
    [server, browser] = await Promise.all([
      serveBridle(env, served, [], cwd),
      openChromium(executablePath),
    ]);
  });

  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    const found = faults;
    faults = [];
    expect(found).toEqual([]);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** Opens a page in a browser of its own and waits until the server is seen to be there. */
  return async function open(options: BrowserContextOptions = {}, path = "/"): Promise<Page> {
    const { url } = server;
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      ...options,
    });
    contexts.push(context);
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: url });
    context.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== "data:" && origin !== url) faults.push(`left the origin: ${request.url()}`);
    });
    const page = await context.newPage();
    page.on("pageerror", (error) => faults.push(`uncaught: ${error.message}`));
    page.on("console", (message) => {
      // The browser itself notes every answer of 400 and above; those are looked at by what the page shows.
      const noted = /^Failed to load resource/.test(message.text());
      if (["error", "warning"].includes(message.type()) && !noted) faults.push(message.text());
    });
    await page.goto(url + path);
    await page
      .getByRole("banner")
      .getByText(/^(Ready|Key needed)$/)
      .waitFor();
    return page;
  };
}

export async function paste(page: Page, text: string): Promise<void> {
  await page.evaluate((copied) => navigator.clipboard.writeText(copied), text);
  await page.getByLabel("Document text").focus();
  await page.keyboard.press("ControlOrMeta+V");
}

/** Does `ask` and returns the request it makes and the server's answer. */
export async function summarized(page: Page, ask: () => Promise<unknown>) {
  const [response] = await Promise.all([page.waitForResponse("**/v1/summaries"), ask()]);
  expect(response.status()).toBe(200);
  await page.locator("#summary-1").waitFor();
  return {
    request: response.request().postDataJSON() as Asked,
    answer: (await response.json()) as Answer,
  };
}

export const press = (page: Page) => page.getByRole("button", { name: "Summarize" }).click();

export const marked = (page: Page) => page.locator("mark").allTextContents();

/** Whether an element lies inside the visible part of its scrolling pane. */
export const isInView = (page: Page, selector: string) =>
  page.waitForFunction((wanted) => {
    const box = document.querySelector(wanted)?.getBoundingClientRect();
    const pane = document.querySelector(wanted)?.closest("section")?.getBoundingClientRect();
    return box && pane && box.top >= pane.top - 1 && box.bottom <= pane.bottom + 1;
  }, selector);

export async function drop(
  page: Page,
  files: readonly { name: string; bytes: Buffer }[],
): Promise<void> {
  const sent = files.map(({ name, bytes }) => ({ name, base64: bytes.toString("base64") }));
  const data = await page.evaluateHandle((all) => {
    const transfer = new DataTransfer();
    for (const { name, base64 } of all) {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      transfer.items.add(new File([bytes], name));
    }
    return transfer;
  }, sent);
  // A page that has just come may not listen yet.
  const shown = page.getByText("Drop it to read it");
  await expect
    .poll(async () => {
      await page.dispatchEvent("body", "dragenter", { dataTransfer: data });
      return await shown.count();
    })
    .toBe(1);
  await page.dispatchEvent("body", "drop", { dataTransfer: data });
}

/** What axe-core finds against WCAG 2.2 A and AA and its own best practices, contrast included. */
export async function barriers(page: Page): Promise<string[]> {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axeSource);
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
    // Half-faded text has the contrast of neither state.
    const ending = document
      .getAnimations()
      .filter((each) => each.effect?.getComputedTiming().endTime !== Number.POSITIVE_INFINITY);
    await Promise.all(ending.map((each) => each.finished.catch(() => {})));
    const { violations } = await axe.run({ resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}
