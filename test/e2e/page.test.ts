// Drives the page at / in real Chromium against the compiled server: documents in, summaries out, what is marked and copied.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import {
  type Answer,
  barriers,
  describePage,
  drop,
  isInView,
  marked,
  paste,
  press,
  startPages,
  summarized,
} from "./page-driver.js";
import { story, toyDocx, toyPdf } from "./toy-documents.js";

const key = "page-test-key-0123456789abcdef";

describePage("the page", () => {
  const open = startPages();

  it("summarizes what is pasted and marks exactly the sources", async () => {
    const page = await open();
    await paste(page, story.join(" "));
    const { request, answer } = await summarized(page, () => press(page));
    expect(request).toEqual({
      document: story.join(" "),
      model: "extractive",
      parameters: { sentences: 3 },
    });
    const sentences = answer.sources.map(({ start, end }) => request.document.slice(start, end));
    expect(sentences).toHaveLength(3);
    expect(await marked(page)).toEqual(sentences);
    const shown = page.getByRole("list", { name: "Sentences of the summary" });
    await expect.poll(() => shown.getByRole("link").allTextContents()).toEqual(sentences);
    const { usedTokens, inputTokens } = answer.usage;
    await page.getByText(`Read ${usedTokens} of ${inputTokens} words`).waitFor();
    await page.getByText("100 %", { exact: true }).waitFor();
  });

  it("asks for the length that was picked", async () => {
    const page = await open();
    await paste(page, story.join(" "));
    await page.getByLabel("Number of sentences").fill("2");
    const two = await summarized(page, () => press(page));
    expect(two.request.parameters).toEqual({ sentences: 2 });
    await expect.poll(() => page.locator("mark").count()).toBe(2);
    await page.getByText("Share", { exact: true }).click();
    const slider = page.getByRole("slider");
    await slider.focus();
    await page.keyboard.press("End");
    const all = await summarized(page, () => press(page));
    expect(all.request.parameters).toEqual({ ratio: 1 });
    await page.getByText("Words", { exact: true }).click();
    await page.getByLabel("At most so many words").fill("30");
    const words = await summarized(page, () => press(page));
    expect(words.request.parameters).toEqual({ maxWords: 30 });
    expect(words.answer.usage.outputTokens).toBeLessThanOrEqual(30);
  });

  it("marks an empty line, an emoji and a carriage return at the right place", async () => {
    const page = await open();
    const text = `😀 ${story[0]}\r\n\r\n${story[1]}\n\n\t${story[2]} 漢字😀 ${story[3]}`;
    const { request, answer } = await summarized(page, async () => {
      await drop(page, [{ name: "mixed.txt", bytes: Buffer.from(text) }]);
      await page.getByText(/^· txt ·/).waitFor();
      await page.keyboard.press("Control+Enter");
    });
    expect(await marked(page)).toEqual(
      answer.sources.map(({ start, end }) => request.document.slice(start, end)),
    );
  });

  it("points from a sentence to its source and back", async () => {
    const page = await open();
    const long = Array.from({ length: 40 }, (_, n) => `${story[n % 7]} Paragraph ${n} ends.`);
    await paste(page, long.join("\n\n"));
    await page.getByLabel("Number of sentences").fill("12");
    const { answer } = await summarized(page, () => press(page));
    const last = answer.sources.length;
    expect(last).toBe(12);
    await page.locator(`#summary-${last}`).scrollIntoViewIfNeeded();
    await page.hover(`#summary-${last}`);
    await page.locator(`#source-${last}[data-on]`).waitFor();
    await isInView(page, `#source-${last}`);
    await expect.poll(() => page.locator("mark [data-on]").count()).toBe(1);
    await page.locator("#source-1").scrollIntoViewIfNeeded();
    await page.hover("#source-1");
    await page.locator("#summary-1[data-on]").waitFor();
    await isInView(page, "#summary-1");
  });

  it.each([
    ["report.pdf", toyPdf, /^· pdf · 2 pages ·/],
    ["report.docx", toyDocx, /^· docx ·/],
    [
      "report.md",
      async (all: readonly string[]) => Buffer.from(`# Bridge\n\n${all.join(" ")}`),
      /^· md ·/,
    ],
    [
      "report.html",
      async (all: readonly string[]) => Buffer.from(`<p>${all.join(" ")}</p>`),
      /^· html ·/,
    ],
  ])("reads a dropped %s", async (name, make, facts) => {
    const page = await open();
    await drop(page, [{ name, bytes: await make(story) }]);
    await page.getByText(name).waitFor();
    await page.getByText(facts).waitFor();
    const { request, answer } = await summarized(page, () => press(page));
    for (const sentence of story) {
      expect(request.document.replaceAll(/\s+/g, " ")).toContain(sentence);
    }
    expect(await marked(page)).toEqual(
      answer.sources.map(({ start, end }) => request.document.slice(start, end)),
    );
  });

  it("opens a picked file", async () => {
    const page = await open();
    const picked = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "Open file" }).click();
    const file = {
      name: "story.txt",
      mimeType: "text/plain",
      buffer: Buffer.from(story.join(" ")),
    };
    await (await picked).setFiles(file);
    await page.getByText(/^· txt ·/).waitFor();
    await expect.poll(() => page.getByLabel("Document text").inputValue()).toBe(story.join(" "));
  });

  it("says what is wrong with a blank document, what to do, and which request it was", async () => {
    const page = await open();
    await paste(page, " \n\t ");
    const answered = page.waitForResponse("**/v1/summaries");
    await press(page);
    const problem = await (await answered).json();
    expect(problem.code).toBe("EMPTY_TEXT");
    const alert = page.getByRole("alert").filter({ hasText: problem.code });
    await alert.waitFor();
    const said = await alert.textContent();
    expect(said).toContain(problem.detail);
    expect(said).toContain(problem.hint);
    expect(said).toContain(problem.requestId);
    await expect.poll(() => page.locator("mark").count()).toBe(0);
  });

  it("says that a binary file is none to read, and keeps the document that was there", async () => {
    const page = await open();
    await paste(page, story[0]);
    const binary = Buffer.from(Array.from({ length: 4096 }, (_, n) => (n * 37) % 256));
    const answered = page.waitForResponse("**/v1/documents:extract");
    await drop(page, [{ name: "picture.txt", bytes: binary }]);
    const problem = await (await answered).json();
    const alert = page.getByRole("alert").filter({ hasText: problem.code });
    await alert.waitFor();
    await expect.poll(() => alert.textContent()).toContain(problem.detail);
    await expect.poll(() => alert.textContent()).toContain(problem.hint);
    await expect.poll(() => page.getByLabel("Document text").inputValue()).toBe(story[0]);
  });

  it("takes one file at a time", async () => {
    const page = await open();
    const bytes = Buffer.from(story[0]);
    await drop(page, [
      { name: "a.txt", bytes },
      { name: "b.txt", bytes },
    ]);
    await page.getByRole("alert").getByText("2 files were dropped").waitFor();
  });

  it("says when the server is gone, and when it is back", async () => {
    const page = await open();
    await page.getByRole("button", { name: /lighthouse/ }).click();
    await page.route("**/v1/summaries", (route) => route.abort("connectionrefused"));
    await press(page);
    await page.getByRole("alert").getByText("The server did not answer.").waitFor();
    await page.unroute("**/v1/summaries");
    await summarized(page, () => press(page));
    await expect.poll(() => page.getByRole("alert").count()).toBe(0);
  });

  it("stops a request that takes too long", async () => {
    const page = await open();
    await page.getByRole("button", { name: /lighthouse/ }).click();
    await page.route("**/v1/summaries", () => {});
    const failed = page.waitForEvent("requestfailed");
    await press(page);
    await page.getByText(/^Reading [\d,]+ characters/).waitFor();
    await page.keyboard.press("Escape");
    expect((await failed).failure()?.errorText).toBe("net::ERR_ABORTED");
    await page.getByRole("button", { name: "Summarize" }).waitFor();
    await expect.poll(() => page.getByRole("alert").count()).toBe(0);
  });

  it("says when the document has changed since, and drops the summary of another one", async () => {
    const page = await open();
    await paste(page, story.join(" "));
    await summarized(page, () => press(page));
    await page.getByText("Text", { exact: true }).click();
    await page.getByLabel("Document text").press("End");
    await page.keyboard.type(" More.");
    await page.getByText("The document has changed since.").waitFor();
    await page.getByRole("button", { name: "Samples" }).click();
    await page.getByRole("menuitem", { name: /Moor/ }).click();
    await page.getByText("The sentences that carry the document").waitFor();
    await expect.poll(() => page.locator("#summary-1").count()).toBe(0);
  });

  it("copies the summary as text", async () => {
    const page = await open();
    await paste(page, story.join(" "));
    const { answer } = await summarized(page, () => press(page));
    await page.getByRole("button", { name: "Copy", exact: true }).click();
    await page.getByText("The summary is on the clipboard.").waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(answer.summary);
  });

  it.skipIf(process.platform === "win32").each([
    ["short, with quotes and dollars", `It's "$HOME" and \`id\`, isn't it? ${story.join(" ")}`],
    ["long", `${story.join("\n")}\n'REQUEST'\n${story.join(" ").repeat(9)}`],
  ])("copies a curl line that works: %s (no POSIX shell on Windows)", async (_, text) => {
    const page = await open();
    await paste(page, text);
    const { answer } = await summarized(page, () => press(page));
    await page.getByRole("button", { name: "Copy as curl" }).click();
    await page.getByText("The curl line is on the clipboard.").waitFor();
    const line = await page.evaluate(() => navigator.clipboard.readText());
    expect(line).toMatch(/^curl /);
    const { stdout } = await promisify(execFile)("sh", ["-c", line]);
    const again = JSON.parse(stdout) as Answer;
    expect(again.summary).toBe(answer.summary);
    expect(again.sources).toEqual(answer.sources);
  });

  it("stays light with 20 MB of text", async () => {
    const page = await open();
    const sentences: string[] = [];
    for (let length = 0, n = 0; length < 20_000_000; n += 1) {
      const sentence = `${story[n % 7]?.slice(0, -1)}, as entry ${n} of the chronicle says.`;
      length += sentence.length + 1;
      sentences.push(sentence);
    }
    const buffer = Buffer.from(sentences.join(" "));
    await page
      .locator("input[type=file]")
      .setInputFiles({ name: "chronicle.txt", mimeType: "text/plain", buffer });
    await page.getByText(/will be read/).waitFor();
    const drawn = () => page.evaluate(() => document.body.textContent.length);
    expect(await drawn()).toBeLessThan(60_000);
    await press(page);
    await page.locator("#summary-3").waitFor();
    expect(await drawn()).toBeLessThan(60_000);
    const found = await marked(page);
    await expect.poll(() => page.locator("ol").getByRole("link").allTextContents()).toEqual(found);
    for (const sentence of found) expect(sentences).toContain(sentence);
    const saved = page.waitForEvent("download");
    await page.getByRole("button", { name: "Copy as curl" }).click();
    expect((await saved).suggestedFilename()).toBe("bridle-request.json");
    const line = await page.evaluate(() => navigator.clipboard.readText());
    expect(line).toContain("--data-binary @bridle-request.json");
  });

  it("serves its script under a policy that allows no other", async () => {
    const page = await open();
    const response = await page.request.get(page.url());
    const policy = response.headers()["content-security-policy"] ?? "";
    expect(policy).toMatch(/script-src 'self'(;|$)/);
    const html = await response.text();
    expect(html).not.toMatch(/<script(?![^>]* src=)/);
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  });
});

describePage("the page of a server with API keys", () => {
  const open = startPages({ env: { BRIDLE_API_KEYS: key } });

  it("asks for an API key, keeps it in the tab, and never copies it", async () => {
    const page = await open();
    await page.getByRole("button", { name: /lighthouse/ }).click();
    await press(page);
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("API key", { exact: true }).fill("wrong");
    await page.keyboard.press("Enter");
    await dialog.locator("input[aria-invalid=true]").waitFor();
    expect(await barriers(page)).toEqual([]);
    await dialog.getByLabel("API key", { exact: true }).fill(key);
    await page.keyboard.press("Enter");
    await page.locator("#summary-1").waitFor();
    await page.getByText("Ready", { exact: true }).waitFor();
    const stored = await page.evaluate(() => ({
      session: Object.values(sessionStorage),
      local: Object.values(localStorage),
    }));
    expect(stored.session).toContain(key);
    expect(stored.local).not.toContain(key);
    await page.getByRole("button", { name: "Copy as curl" }).click();
    await page.getByText(/Set BRIDLE_API_KEY/).waitFor();
    const line = await page.evaluate(() => navigator.clipboard.readText());
    expect(line).toContain('"Authorization: Bearer $BRIDLE_API_KEY"');
    expect(line).not.toContain(key);
    await page.getByRole("button", { name: "Change or forget the API key" }).click();
    await page.getByRole("button", { name: "Forget the key" }).click();
    await page.getByText("Key needed", { exact: true }).waitFor();
    expect(await page.evaluate(() => Object.values(sessionStorage))).not.toContain(key);
  });

  it("lets the dialog for the key be closed", async () => {
    const page = await open();
    await page.getByRole("button", { name: /lighthouse/ }).click();
    await press(page);
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Summarize" }).waitFor();
  });
});
