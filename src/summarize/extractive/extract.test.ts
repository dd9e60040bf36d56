// The extractive summary as a whole: what is chosen, in which order, of which length, for texts of every kind.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BridleError } from "../../errors/error.js";
import { countWords } from "../../text/words.js";
import { extractSummary } from "./extract.js";

const article = [
  "The harbour of Ribe silted up in the seventeenth century.",
  "Ships then unloaded on the island of Fanø, an hour away.",
  "The town lost its trade and half of its people within two generations.",
  "Dr. Holm, who wrote its history, blames the dikes.",
  "It rained on the day he finished.",
  "Today the streets of the town draw more visitors than the harbour ever drew ships.",
];
const text = article.join(" ");

const spansOf = (document: string, sources: readonly { start: number; end: number }[]) =>
  sources.map(({ start, end }) => document.slice(start, end));

describe("a summary", () => {
  it("is made of whole sentences of the document, in its order, each once", () => {
    for (const sentences of [1, 2, 3, 4, 5, 6]) {
      const { summary, sources } = extractSummary(text, { sentences });
      const chosen = spansOf(text, sources);
      expect(chosen).toHaveLength(sentences);
      expect(chosen).toEqual(article.filter((sentence) => chosen.includes(sentence)));
      expect(summary).toBe(chosen.join(" "));
    }
  });

  it("tells how much was read and written, and that nothing was left unread", () => {
    const { usage, truncated, finishReason, model, version } = extractSummary(text);
    const words = countWords(text);
    expect(usage).toEqual({
      inputTokens: words,
      usedTokens: words,
      outputTokens: countWords(extractSummary(text).summary),
      chunks: 1,
    });
    expect([truncated, finishReason, model]).toEqual([false, "stop", "extractive"]);
    expect(version).toMatch(/^\d+-[0-9a-f]{8}$/);
  });

  it("has three sentences unless a length is asked for", () => {
    expect(extractSummary(text).sources).toHaveLength(3);
  });

  it("of fewer sentences than were asked for is the document", () => {
    const { summary, finishReason } = extractSummary("One went out. Two came back.", {
      sentences: 5,
    });
    expect([summary, finishReason]).toEqual(["One went out. Two came back.", "stop"]);
  });

  it("says nothing twice where there is something else to say", () => {
    const first = "The council approved the budget for the new library on Tuesday evening.";
    const repeats = `${first} ${first} ${first} Two members voted against. Coffee was served. ${first}`;
    const different = (sentences: number) =>
      new Set(spansOf(repeats, extractSummary(repeats, { sentences }).sources)).size;
    expect([2, 3].map(different)).toEqual([2, 3]);
    // Where all is said, what is asked for beyond it can only be said again.
    expect(extractSummary(repeats, { sentences: 5 }).sources).toHaveLength(5);
  });

  it("keeps the sentence that the rest of the document speaks of, wherever it stands", () => {
    const main = "The storm damaged the harbour, the pier and two ferries of the island.";
    const others = [
      "A cold front came in from the west.",
      main,
      "The pier lost its lights.",
      "Both ferries of the island were towed to the harbour.",
      "The storm had been forecast.",
    ];
    const { sources } = extractSummary(others.join(" "), { sentences: 1 });
    expect(spansOf(others.join(" "), sources)).toEqual([main]);
  });
});

describe("the length", () => {
  it.each([
    [{ ratio: 0.5 }, 3],
    [{ ratio: 1 }, 6],
    [{ ratio: 0.01 }, 1],
    [{ sentences: 4, maxWords: 1000 }, 4],
  ])("%j gives %i of six sentences", (parameters, count) => {
    expect(extractSummary(text, parameters).sources).toHaveLength(count);
  });

  it.each([12, 20, 30, 45])("%i words at most are kept to, in whole sentences", (maxWords) => {
    const { summary, sources, usage, finishReason } = extractSummary(text, { maxWords });
    expect(usage.outputTokens).toBeLessThanOrEqual(maxWords);
    expect(countWords(summary)).toBe(usage.outputTokens);
    for (const chosen of spansOf(text, sources)) expect(article).toContain(chosen);
    expect(finishReason).toBe("length");
  });

  it("below every sentence gives the beginning of the best, with an ellipsis", () => {
    const { summary, sources, finishReason } = extractSummary(text, { maxWords: 3 });
    expect(finishReason).toBe("length");
    expect(summary).toMatch(/^\S+ \S+ \S+…$/);
    expect(spansOf(text, sources)).toEqual([summary.slice(0, -1)]);
  });

  it.each([
    [{ sentences: 0 }, "sentences"],
    [{ sentences: 1.5 }, "sentences"],
    [{ sentences: Number.NaN }, "sentences"],
    [{ maxWords: -1 }, "maxWords"],
    [{ ratio: 0 }, "ratio"],
    [{ ratio: 1.01 }, "ratio"],
    [{ ratio: "0.5" as unknown as number }, "ratio"],
    [{ ratio: 0.5, sentences: 2 }, "ratio"],
  ])("%j is refused by name", (parameters, parameter) => {
    expect(() => extractSummary(text, parameters)).toThrow(
      expect.objectContaining({
        code: "INVALID_PARAMETER",
        details: expect.objectContaining({ parameter }),
      }),
    );
  });

  it("of neural models is refused, naming what there is", () => {
    expect(() => extractSummary(text, { numBeams: 4 })).toThrow(
      expect.objectContaining({
        code: "PARAMETER_NOT_SUPPORTED",
        message: expect.stringContaining("numBeams"),
        hint: expect.stringContaining("sentences, ratio, maxWords"),
      }),
    );
    expect(extractSummary(text, { numBeams: undefined }).sources).toHaveLength(3);
  });
});

describe("texts of every kind", () => {
  it.each([
    [
      "Japanese",
      "東京は日本の首都です。人口は千四百万人です。夏は暑くて湿度が高いです。冬は乾燥します。",
    ],
    ["Chinese", "港口在十七世紀淤塞了。船隻在島上卸貨。城鎮失去了貿易。今天街道吸引遊客。"],
  ])("%s sentences are joined without a space", (_, document) => {
    const { summary, sources } = extractSummary(document, { sentences: 2 });
    expect(sources).toHaveLength(2);
    expect(summary).toBe(spansOf(document, sources).join(""));
  });

  it("headings and list items keep lines of their own", () => {
    const list = "Packing list\n\n- one warm coat for the harbour\n- two ropes for the harbour\n";
    const { summary } = extractSummary(list, { sentences: 3 });
    expect(summary.split("\n")).toHaveLength(3);
  });

  it("the turns of a dialogue keep lines of their own, with who speaks", () => {
    const dialogue =
      "Doctor: What brings you here today?\nPatient: I have had a cough for two weeks.\n" +
      "Doctor: Any fever?\nPatient: I had a fever of 39 on Monday and my chest hurts.\nDoctor: I see.\n";
    const { summary, sources } = extractSummary(dialogue, { sentences: 2 });
    expect(sources).toHaveLength(2);
    for (const line of summary.split("\n")) expect(line).toMatch(/^(Doctor|Patient): /);
  });

  it("lines that were wrapped are whole again, and the span says where they stand", () => {
    const sentence =
      "The harbour of Ribe silted up in the seventeenth century,\nafter which ships unloaded on the island of Fanø, an hour\naway.";
    const { summary, sources } = extractSummary(`${sentence} It rained.`, { sentences: 1 });
    expect(summary).toBe(sentence.replaceAll("\n", " "));
    expect(spansOf(sentence, sources)).toEqual([sentence]);
  });

  it.each(["", " \n\t", "…?!", "\u200b", "--- *** ---"])("%j has nothing to summarize", (blank) => {
    expect(() => extractSummary(blank)).toThrow(BridleError);
    expect(() => extractSummary(blank)).toThrow(expect.objectContaining({ code: "EMPTY_TEXT" }));
  });

  it("gives the same for the same, and spans within the text, for any text", () => {
    const word = fc.constantFrom(
      "harbour",
      "Dr.",
      "3.5",
      "«ja»",
      "東京。",
      "-",
      "\n",
      "A:",
      "?",
      "\ud800",
      "e.g.",
    );
    const texts = fc.array(word, { maxLength: 60 }).map((words) => words.join(" "));
    const lengths = fc.oneof(
      fc.record({ sentences: fc.integer({ min: 1, max: 9 }) }),
      fc.record({ ratio: fc.double({ min: 0.01, max: 1, noNaN: true }) }),
      fc.record({ maxWords: fc.integer({ min: 1, max: 40 }) }),
    );
    fc.assert(
      fc.property(texts, lengths, (document, parameters) => {
        fc.pre(/[\p{L}\p{N}]/u.test(document));
        const { timingsMs: _, ...result } = extractSummary(document, parameters);
        const { timingsMs: __, ...again } = extractSummary(document, parameters);
        expect(again).toEqual(result);
        expect(result.summary).not.toBe("");
        let end = 0;
        for (const span of result.sources) {
          expect(span.start).toBeGreaterThanOrEqual(end);
          expect(span.end).toBeGreaterThan(span.start);
          end = span.end;
        }
        expect(end).toBeLessThanOrEqual(document.length);
        if ("maxWords" in parameters) {
          expect(result.usage.outputTokens).toBeLessThanOrEqual(parameters.maxWords);
        }
      }),
      { numRuns: 300 },
    );
  });
});
