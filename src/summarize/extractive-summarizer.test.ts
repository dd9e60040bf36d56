// The default summarizer behind the interface: the same on a thread as off it, cancelled, closed, and out of memory.
import { afterAll, describe, expect, it } from "vitest";
import { extractiveParameters } from "./extractive/parameters.js";
import { createExtractiveSummarizer } from "./extractive-summarizer.js";
import type { Summarizer } from "./summarizer.js";

const opened: Summarizer[] = [];
function open(options?: Parameters<typeof createExtractiveSummarizer>[0]): Summarizer {
  const summarizer = createExtractiveSummarizer(options);
  opened.push(summarizer);
  return summarizer;
}
afterAll(() => Promise.all(opened.map((summarizer) => summarizer.close())));

const paragraph = (n: number) =>
  `In year ${n} the harbour was dredged again. Ships of ${n % 7} metres came in. The council paid ${n} crowns.\n\n`;
const text = Array.from({ length: 300 }, (_, n) => paragraph(n)).join("");

describe("the extractive summarizer", () => {
  it("says what it is and takes", () => {
    const { model, version, supportedParameters, defaults } = open();
    expect({ model, supportedParameters, defaults }).toEqual({
      model: "extractive",
      supportedParameters: extractiveParameters,
      defaults: { sentences: 3 },
    });
    expect(version).not.toBe("");
  });

  it("gives on a thread what it gives off it", async () => {
    const parameters = { sentences: 5 };
    const here = await open({ inlineLimit: 10_000_000 }).summarize(text, { parameters });
    const there = await open({ inlineLimit: 0, threads: 1 }).summarize(text, { parameters });
    const { timingsMs: _, ...result } = here;
    expect(there).toMatchObject(result);
    expect(there.timingsMs.total).toBeGreaterThanOrEqual(there.timingsMs.choose ?? Number.NaN);
  });

  it("tells errors of a thread as its own", async () => {
    const summarizer = open({ inlineLimit: 0, threads: 1 });
    await expect(summarizer.summarize(" … ")).rejects.toMatchObject({ code: "EMPTY_TEXT" });
    await expect(
      summarizer.summarize(text, { parameters: { sentences: 0 } }),
    ).rejects.toMatchObject({ code: "INVALID_PARAMETER" });
    expect((await summarizer.summarize("One went out. Two came back.")).sources).toHaveLength(2);
  });

  it.each([[null], [42], [{}], [undefined]])("refuses %j as a document", async (document) => {
    await expect(open().summarize(document as unknown as string)).rejects.toMatchObject({
      code: "INVALID_PARAMETER",
      details: { parameter: "document" },
    });
  });

  it("begins nothing for a caller who has left, and stops for one who leaves", async () => {
    const summarizer = open({ inlineLimit: 0, threads: 1 });
    await expect(summarizer.summarize(text, { signal: AbortSignal.abort() })).rejects.toMatchObject(
      { code: "CANCELLED" },
    );
    const leaving = new AbortController();
    const work = summarizer.summarize(text.repeat(30), { signal: leaving.signal });
    leaving.abort();
    await expect(work).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await summarizer.summarize(text)).sources).toHaveLength(3);
  });

  it("goes on after a document that needs more memory than a thread has", async () => {
    const summarizer = open({ inlineLimit: 100, threads: 1, heapMb: 16 });
    await expect(summarizer.summarize(text.repeat(200))).rejects.toMatchObject({
      code: "DOCUMENT_TOO_COMPLEX",
      details: { limitMb: 16 },
    });
    expect((await summarizer.summarize("One went out. Two came back.")).sources).toHaveLength(2);
  });

  it("takes nothing more once it is closed", async () => {
    const summarizer = open();
    await summarizer.warmUp();
    await summarizer.close();
    await expect(summarizer.summarize(text)).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it.each([
    [{ threads: 0 }, "threads"],
    [{ inlineLimit: -1 }, "inlineLimit"],
    [{ heapMb: 0.5 }, "heapMb"],
  ])("is not opened with %j", (options, parameter) => {
    expect(() => createExtractiveSummarizer(options)).toThrow(
      expect.objectContaining({
        code: "INVALID_PARAMETER",
        details: expect.objectContaining({ parameter }),
      }),
    );
  });
});

describe("20 MB of text", () => {
  it("is read whole within a thread's memory", async () => {
    let document = "";
    for (let n = 0; document.length < 20_000_000; n++) document += paragraph(n);
    const { usage, sources } = await open().summarize(document, { parameters: { sentences: 4 } });
    expect(sources).toHaveLength(4);
    expect(usage.usedTokens).toBe(usage.inputTokens);
    expect(usage.inputTokens).toBeGreaterThan(3_000_000);
  });
});
