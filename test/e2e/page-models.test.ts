// Several models on the page, in real Chromium: picked, set, streamed, stopped, and compared side by side.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { Page } from "playwright-core";
import { afterAll, expect, it } from "vitest";
import { makeTinyPegasus } from "../support/tiny-pegasus.js";
import {
  type Answer,
  type Asked,
  barriers,
  describePage,
  marked,
  paste,
  press,
  startPages,
} from "./page-driver.js";
import { story } from "./toy-documents.js";

const text = story.join(" ");
/** Read by the tiny model, whose reach is 64 tokens, in many parts. */
const long = Array.from({ length: 3 }, (_, n) => `${text} That was chapter ${n}.`).join("\n\n");
/** Too long to be done before somebody stops it. */
const endless = Array.from({ length: 60 }, () => long).join("\n\n");

const pick = async (page: Page, model: string | RegExp, card = page.locator("body")) => {
  await card.getByRole("button", { name: /^Model:/ }).click();
  await page.getByRole("menuitemradio", { name: model }).click();
};
const summaryOf = (page: Page, letter: string) =>
  page.getByRole("region", { name: `Summary ${letter}` });
const done = (page: Page) => page.getByRole("button", { name: "Summarize" }).waitFor();

/** The requests for summaries made while `act` is done and all of them are answered. */
async function asked(page: Page, act: () => Promise<unknown>): Promise<Asked[]> {
  const requests: Asked[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/v1/summaries")) requests.push(request.postDataJSON() as Asked);
  });
  await act();
  await page.getByRole("button", { name: "Stop", exact: true }).waitFor({ state: "detached" });
  await done(page);
  return requests;
}

/** Does `act`, and returns what the stream it starts has told once that is over. */
async function streamed(page: Page, act: () => Promise<unknown>) {
  // Chromium reports some streams that were read to their end as aborted, and then keeps nothing of them: the page's
  // own fetch is listened in on.
  await page.evaluate(() => {
    const { fetch } = window;
    window.fetch = async (...asked) => {
      window.fetch = fetch;
      const response = await fetch(...asked);
      Object.assign(window, { told: response.clone().text() });
      return response;
    };
  });
  const [request] = await Promise.all([page.waitForRequest("**/v1/summaries"), act()]);
  await page.getByRole("button", { name: "Stop", exact: true }).waitFor({ state: "detached" });
  await done(page);
  const told = await page.evaluate(() => (window as unknown as { told: Promise<string> }).told);
  const events = told
    .split("\n\n")
    .map((block) => /^event: (\w+)\ndata: (.*)$/.exec(block))
    .filter((match) => match !== null)
    .map(([, name, data]) => ({ name, data: JSON.parse(data as string) }));
  const answer = events.find(({ name }) => name === "summary")?.data as Answer | undefined;
  return { request: request.postDataJSON() as Asked, events, answer };
}

describePage("the page with several models", () => {
  let root: string;
  let folder: string;
  afterAll(() => rm(root, { recursive: true }));
  const open = startPages({
    models: async () => {
      root = await mkdtemp(path.join(tmpdir(), "bridle-page-"));
      folder = await makeTinyPegasus(path.join(root, "tiny"));
      return ["extractive", folder];
    },
  });

  it("offers each with what it is, and the controls that fit it", async () => {
    const page = await open();
    const info = (await (await page.request.get(`${page.url()}info`)).json()) as {
      models: { name: string; version: string }[];
    };
    await page.getByRole("button", { name: "Model: extractive" }).click();
    const items = page.getByRole("menuitemradio");
    await expect.poll(() => items.count()).toBe(info.models.length);
    for (const [place, { version }] of info.models.entries()) {
      await expect.poll(() => items.nth(place).textContent()).toContain(version);
    }
    await expect
      .poll(() => items.nth(1).textContent())
      .toMatch(/tiny.*cpu · fp32 · 64 tokens at once/);
    await page.getByRole("menuitemradio", { name: /^tiny/ }).click();
    await expect.poll(() => page.getByLabel("Number of sentences").count()).toBe(0);
    expect(await page.getByLabel("Beams").getAttribute("placeholder")).toBe("2 beams");
    expect(await page.getByLabel("Tokens at most").getAttribute("placeholder")).toBe("≤ 15 tokens");
  });

  it("leaves to the model what is left empty, and sends what is set", async () => {
    const page = await open();
    await paste(page, story[0] as string);
    await pick(page, /^tiny/);
    const untouched = await streamed(page, () => press(page));
    expect(untouched.request).toEqual({ document: story[0], model: folder, stream: true });
    await page.getByLabel("Beams").fill("1");
    await page.getByLabel("Tokens at most").fill("6");
    await page.getByRole("button", { name: "More" }).click();
    // It takes the focus a moment later: what is typed meanwhile would go into it.
    await page.getByRole("dialog").locator(":focus").waitFor();
    // Without beams there is nothing for it to weigh.
    await expect.poll(() => page.getByLabel("Length penalty").count()).toBe(0);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByLabel("Beams").fill("3");
    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("dialog").locator(":focus").waitFor();
    await page.getByLabel("Tokens at least").fill("6");
    await page.getByLabel("No n-gram twice").fill("3");
    await page.getByLabel("Length penalty").fill("0.6");
    await page.keyboard.press("Escape");
    const set = await streamed(page, () => press(page));
    expect(set.request.parameters).toEqual({
      numBeams: 3,
      maxNewTokens: 6,
      minNewTokens: 6,
      noRepeatNgramSize: 3,
      lengthPenalty: 0.6,
    });
    expect(set.answer?.usage.outputTokens).toBe(6);
    await page.getByRole("button", { name: "More 3" }).click();
    await page.getByRole("button", { name: "Reset" }).click();
    await page.keyboard.press("Escape");
    const again = await streamed(page, () => press(page));
    expect(again.request.parameters).toBeUndefined();
  });

  it("tells of engines how long most documents took, in headings that stand by themselves", async () => {
    const page = await open({}, "/system");
    const engines = page.getByRole("region", { name: "Engines" }).last();
    for (const name of ["95 % waited up to", "95 % read within", "95 % written within"]) {
      await engines.getByRole("columnheader", { name, exact: true }).waitFor();
    }
  });

  it("draws the same words from the same seed", async () => {
    const page = await open();
    await paste(page, story[0] as string);
    await pick(page, /^tiny/);
    await page.getByRole("button", { name: "More" }).click();
    await page.getByText("drawn by chance").click();
    await page.getByLabel("Temperature").fill("1.8");
    await page.getByLabel("Seed", { exact: true }).fill("7");
    await page.keyboard.press("Escape");
    const first = await streamed(page, () => press(page));
    expect(first.request.parameters).toEqual({ doSample: true, temperature: 1.8, seed: 7 });
    const second = await streamed(page, () => press(page));
    expect(second.answer?.summary).toBe(first.answer?.summary);
    await page.getByRole("button", { name: /^More/ }).click();
    await page.getByRole("button", { name: "Another seed" }).click();
    await expect.poll(() => page.getByLabel("Seed", { exact: true }).inputValue()).toMatch(/^\d+$/);
    await page.getByText("the likeliest").click();
    await page.keyboard.press("Escape");
    const searched = await streamed(page, () => press(page));
    expect(searched.request.parameters).toBeUndefined();
  });

  it("shows the words as they come, which part is read, and what was read in the end", async () => {
    const page = await open();
    await paste(page, long);
    await pick(page, /^tiny/);
    // What is on the page changes faster than a test can look: the page itself writes down what it showed.
    await page.evaluate(() => {
      const seen: { part: string; written: string; reading: string }[] = [];
      Object.assign(window, { seen });
      const textOf = (selector: string) => document.querySelector(selector)?.textContent ?? "";
      const look = () => {
        const part = textOf('[aria-busy="true"] [role="status"]');
        if (part === seen.at(-1)?.part) seen.pop();
        const written = textOf('[aria-label="What has been written"]');
        seen.push({ part, written, reading: textOf("[data-reading] > span") });
      };
      new MutationObserver(look).observe(document.body, {
        subtree: true,
        childList: true,
        characterData: true,
      });
    });
    const { answer, events } = await streamed(page, () => press(page));
    await done(page);
    const seen = await page.evaluate(
      () =>
        (window as unknown as { seen: { part: string; written: string; reading: string }[] }).seen,
    );
    const parts = seen.filter(({ part }) => /^Summarizing, part \d+ of \d+$/.test(part));
    expect(parts.length).toBeGreaterThan(3);
    expect(
      parts.some(({ part, reading }) => reading.startsWith(`Part ${/\d+/.exec(part)}being`)),
    ).toBe(true);
    const told = events
      .filter(({ name }) => name === "token")
      .map(({ data }) => data.text as string);
    const early = parts.filter(({ written }) => written !== "");
    expect(early.length).toBeGreaterThan(2);
    expect(early.some(({ written }) => told.join("").startsWith(written))).toBe(true);
    const chunks = answer?.usage.chunks ?? 0;
    expect(chunks).toBeGreaterThan(5);
    await page.getByText(`${chunks} parts`, { exact: true }).waitFor();
    await page.getByText(`Part ${chunks}`, { exact: true }).waitFor();
    await page.getByText(answer?.summary.split("\n")[0] as string).waitFor();
    await expect.poll(() => page.locator("mark").count()).toBe(0);
  });

  it("leads from sentences that a model wrote to those of the document that share their words", async () => {
    const page = await open();
    await paste(page, text);
    await pick(page, /^tiny/);
    const written = `${story[1]} Nobody in Lisbon has ever praised this.\nDivers found two cracked piers, and the bridge over the Arle was closed.`;
    const answer = {
      ...{ id: "sum_1", summary: written, model: folder, version: "1", finishReason: "stop" },
      ...{ truncated: false, sources: [{ start: 0, end: text.length }], timingsMs: { total: 1 } },
      usage: { inputTokens: 9, usedTokens: 9, outputTokens: 3, chunks: 1 },
    };
    await page.route("**/v1/summaries", (route) =>
      route.fulfill({
        status: 200,
        contentType: "text/event-stream",
        body: `event: summary\ndata: ${JSON.stringify(answer)}\n\n`,
      }),
    );
    await press(page);
    await page.getByText("not what the model looked at").waitFor();
    await page.getByText("1 sentence of the summary shares too little with any.").waitFor();
    expect((await marked(page)).map((each) => each.trim())).toEqual([story[0], story[1]]);
    await expect.poll(() => page.locator("#summary-2").count()).toBe(0);
    await page.hover("#summary-1");
    await page.locator("#source-1[data-on]").waitFor();
    await expect.poll(() => page.locator("#source-1").textContent()).toContain(story[1]);
    await page.locator("#summary-1").focus();
    await page.keyboard.press("ArrowDown");
    await page.waitForFunction(() => document.activeElement?.id === "summary-3");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement?.id === "source-3");
    await expect.poll(() => page.locator("#source-3").textContent()).toContain(story[0]);
    expect(await barriers(page)).toEqual([]);
  });

  it("leaves unread what it is told to, and says so", async () => {
    const page = await open();
    await paste(page, long);
    await pick(page, /^tiny/);
    await page.getByRole("button", { name: "More" }).click();
    await page.getByText("leave it unread").click();
    await page.keyboard.press("Escape");
    const { request, answer } = await streamed(page, () => press(page));
    expect(request.parameters).toEqual({ truncation: true });
    expect(answer?.usage.usedTokens).toBeLessThan(answer?.usage.inputTokens ?? 0);
    await page.getByText(/what lies behind its beginning was not read/).waitFor();
  });

  it("stops at once when it is told to, keeps what was written, and frees the model", async () => {
    const page = await open();
    await paste(page, endless);
    await pick(page, /^tiny/);
    await press(page);
    await page.getByRole("region", { name: "What has been written" }).getByText(/\w/).waitFor();
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.getByText("Stopped. This is what had been written.").waitFor();
    await done(page);
    const draft = page.getByRole("region", { name: "What has been written" });
    await expect.poll(() => draft.textContent()).toMatch(/\w/);
    await expect
      .poll(async () => {
        const info = await (await page.request.get(`${page.url()}info`)).json();
        return (info as { process: { active: number } }).process.active;
      })
      .toBe(0);
    await page.getByText("Text", { exact: true }).click();
    await page.getByRole("button", { name: "Clear the document" }).click();
    await paste(page, story[0] as string);
    const { answer } = await streamed(page, () => press(page));
    expect(answer?.usage.chunks).toBe(1);
  });

  it("compares two side by side, each with its figures, and marks the sources of one", async () => {
    const page = await open();
    await paste(page, text);
    await page.getByRole("button", { name: "Compare" }).click();
    const [a, b] = [summaryOf(page, "A"), summaryOf(page, "B")];
    await b.getByRole("button", { name: "Model: tiny" }).waitFor();
    const requests = await asked(page, () => press(page));
    expect(requests.map(({ model }) => model)).toEqual(["extractive", folder]);
    for (const each of [a, b]) {
      await each.getByText(/^Read [\d,]+ of [\d,]+/).waitFor();
      for (const figure of ["Time", "Summary", "Length kept", "Asked for", "Model"]) {
        await each.getByRole("term").getByText(figure, { exact: true }).waitFor();
      }
    }
    await b.getByRole("term").getByText("Tokens", { exact: true }).waitFor();
    expect(await marked(page)).toHaveLength(3);
    await page.getByText("A's sources").waitFor();
    await b.getByRole("button", { name: "Show in the document what B rests on" }).click();
    await page.getByText("B's sources").waitFor();
    expect(await marked(page)).toHaveLength(0);
    await page.getByText("Part 2", { exact: true }).waitFor();
    await page.hover("#summary-2");
    await page.locator("#source-2[data-on]").waitFor();
    await page.getByText("A's sources").waitFor();
  });

  it("compares a model with itself under other settings, up to four of them", async () => {
    const page = await open();
    await paste(page, text);
    await page.getByRole("button", { name: "Compare" }).click();
    await pick(page, /^extractive/, summaryOf(page, "B"));
    await summaryOf(page, "B").getByLabel("Number of sentences").fill("1");
    await page.getByRole("button", { name: "Add another" }).click();
    await page.getByRole("button", { name: "Add another" }).click();
    await expect.poll(() => page.getByRole("button", { name: "Add another" }).count()).toBe(0);
    await page.getByRole("button", { name: "Take D away" }).click();
    await page.getByRole("button", { name: "Take C away" }).click();
    const requests = await asked(page, () => press(page));
    expect(requests.map(({ parameters }) => parameters)).toEqual([
      { sentences: 3 },
      { sentences: 1 },
    ]);
    await page.hover("#summary-1-2");
    expect(await marked(page)).toHaveLength(1);
    await page.locator("#source-1[data-on]").waitFor();
    await page.locator("#summary-1-2").click();
    await page.waitForFunction(() => document.activeElement?.id === "source-1");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement?.id === "summary-1-2");
    await page.getByRole("button", { name: "Take A away" }).click();
    await page.getByRole("heading", { name: "Summary", exact: true }).waitFor();
    await expect.poll(() => page.locator("#summary-1").count()).toBe(1);
  });

  it("says in its place what one could not do, marks the field, and shows the others", async () => {
    const page = await open();
    await paste(page, text);
    await page.getByRole("button", { name: "Compare" }).click();
    const b = summaryOf(page, "B");
    await b.getByLabel("Beams").fill("99");
    await asked(page, () => press(page));
    const alert = b.getByRole("alert");
    await expect
      .poll(() => alert.textContent())
      .toMatch(/numBeams must be at most 32.*FIELDS_INVALID/s);
    await b.locator("input[aria-label=Beams][aria-invalid=true]").waitFor();
    await expect.poll(() => summaryOf(page, "A").getByRole("alert").count()).toBe(0);
    await page.locator("#summary-1").waitFor();
    await b.getByLabel("Beams").fill("2");
    await b.getByRole("button", { name: "More" }).click();
    await page.getByLabel("Tokens at least").fill("40");
    await page.keyboard.press("Escape");
    await asked(page, () => press(page));
    await expect
      .poll(() => b.getByRole("alert").textContent())
      .toMatch(/minNewTokens is 40; it must be/);
    await b.getByRole("button", { name: /^More/ }).click();
    await page
      .getByText(/must be no more than the maximum/)
      .last()
      .waitFor();
    expect(await barriers(page)).toEqual([]);
  });

  it.skipIf(process.platform === "win32")(
    "copies a curl line with model and parameters (no POSIX shell on Windows)",
    async () => {
      const page = await open();
      await paste(page, story[0] as string);
      await pick(page, /^tiny/);
      await page.getByLabel("Beams").fill("3");
      const { answer } = await streamed(page, () => press(page));
      await page.getByRole("button", { name: "Copy as curl" }).click();
      await page.getByText("The curl line is on the clipboard.").waitFor();
      const line = await page.evaluate(() => navigator.clipboard.readText());
      expect(line).toContain(
        JSON.stringify({ model: folder, parameters: { numBeams: 3 } }).slice(1, -1),
      );
      const { stdout } = await promisify(execFile)("sh", ["-c", line]);
      expect((JSON.parse(stdout) as Answer).summary).toBe(answer?.summary);
    },
  );

  it("says when the settings have changed since", async () => {
    const page = await open();
    await paste(page, text);
    await asked(page, () => press(page));
    await page.getByLabel("Number of sentences").fill("5");
    await page.getByText("The settings have changed since.").waitFor();
    await page.getByLabel("Number of sentences").fill("3");
    await page.getByText("The settings have changed since.").waitFor({ state: "detached" });
  });

  it("says when a stream is cut off before its end", async () => {
    const page = await open();
    await paste(page, story[0] as string);
    await pick(page, /^tiny/);
    await page.route("**/v1/summaries", (route) =>
      route.fulfill({
        status: 200,
        contentType: "text/event-stream",
        body: 'event: token\ndata: {"text":"The har"}\n\n',
      }),
    );
    await press(page);
    const alert = page.getByRole("alert");
    await alert.getByText("The answer ended before the summary was whole.").waitFor();
  });

  it("needs no mouse to compare", async () => {
    const page = await open();
    await paste(page, text);
    const tabTo = async (name: RegExp) => {
      for (let pressed = 0; pressed < 40; pressed += 1) {
        await page.keyboard.press("Tab");
        const here = await page.evaluate(() => {
          const element = document.activeElement;
          return element?.getAttribute("aria-label") ?? element?.textContent ?? "";
        });
        if (name.test(here)) return;
      }
      expect.fail(`Tab never came to ${name}`);
    };
    await tabTo(/^Compare/);
    await page.keyboard.press("Enter");
    await tabTo(/^Model: extractive/);
    await tabTo(/^Model: tiny/);
    await page.keyboard.press("Enter");
    await page.getByRole("menuitemradio", { name: /^tiny/ }).waitFor();
    await page.keyboard.press("Escape");
    await tabTo(/^Beams/);
    await page.keyboard.type("1");
    await tabTo(/^More/);
    await page.keyboard.press("Enter");
    await page.getByLabel("Tokens at least").waitFor();
    await page.waitForFunction(() => document.activeElement?.tagName === "INPUT");
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.activeElement?.textContent?.startsWith("More"));
    const requests = await asked(page, () => page.keyboard.press("Control+Enter"));
    expect(requests[1]?.parameters).toEqual({ numBeams: 1 });
    await tabTo(/^Show in the document what B rests on/);
    await page.keyboard.press("Space");
    await page.getByText("B's sources").waitFor();
  });

  it.each(["light", "dark"] as const)("has no barriers that axe-core knows, %s", async (scheme) => {
    const page = await open({ colorScheme: scheme });
    await paste(page, endless);
    await page.getByRole("button", { name: "Compare" }).click();
    expect(await barriers(page)).toEqual([]);
    const b = summaryOf(page, "B");
    await b.getByRole("button", { name: /^Model:/ }).click();
    await page.getByRole("menuitemradio").first().waitFor();
    expect(await barriers(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await b.getByRole("button", { name: "More" }).click();
    await page.getByText("drawn by chance").click();
    expect(await barriers(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await press(page);
    await b.getByRole("region", { name: "What has been written" }).getByText(/\w/).waitFor();
    expect(await barriers(page)).toEqual([]);
    await b.getByRole("button", { name: "Stop B" }).click();
    await done(page);
    expect(await barriers(page)).toEqual([]);
  });

  it.each([390, 320])("fits a phone %i px wide, one below the other", async (width) => {
    const page = await open({ viewport: { width, height: 780 }, hasTouch: true, isMobile: true });
    const overflow = () =>
      page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    await paste(page, text);
    await page.getByRole("button", { name: "Compare" }).tap();
    expect(await overflow()).toBeLessThanOrEqual(0);
    await asked(page, () => page.getByRole("button", { name: "Summarize" }).tap());
    expect(await overflow()).toBeLessThanOrEqual(0);
    const [a, b] = await Promise.all(["A", "B"].map((each) => summaryOf(page, each).boundingBox()));
    expect(b?.y).toBeGreaterThanOrEqual((a?.y ?? 0) + (a?.height ?? 0));
    expect(b?.width).toBe(a?.width);
    // What is done next is in reach wherever the page is scrolled to.
    await summaryOf(page, "B").getByText("Time", { exact: true }).scrollIntoViewIfNeeded();
    const button = await page.getByRole("button", { name: "Summarize" }).boundingBox();
    expect(button?.y).toBeLessThan(780);
    expect((button?.y ?? 0) + (button?.height ?? 0)).toBeGreaterThan(680);
    await summaryOf(page, "B").getByRole("button", { name: "More" }).tap();
    await page.getByLabel("Tokens at least").waitFor();
    expect(await overflow()).toBeLessThanOrEqual(0);
  });
});
