// Evaluation: figures on rows small enough to work out by hand, what is counted, repeatability, and bad input.
import { describe, expect, it } from "vitest";
import type { Pair } from "../data/pairs.js";
import { BridleError } from "../errors/error.js";
import { extractiveTraits } from "../summarize/extractive/parameters.js";
import type { Summarizer, SummaryParameters } from "../summarize/summarizer.js";
import { splitSentences } from "../text/sentences.js";
import { type EvaluateOptions, evaluate } from "./evaluate.js";
import type { EvaluatedRow } from "./evaluation.js";

const pair = (document: string, reference: string | string[], line = 1): Pair => ({
  document,
  references: typeof reference === "string" ? [reference] : reference,
  id: `row${line}`,
  file: "test.jsonl",
  line,
});

interface Fake extends Summarizer {
  readonly asked: SummaryParameters[];
  readonly busiest: () => number;
}

/** Takes the first sentences; fails on documents that say so, waits as long as the document says. */
function lead(answer?: (document: string) => string): Fake {
  const asked: SummaryParameters[] = [];
  let working = 0;
  let busiest = 0;
  return {
    model: "lead",
    version: "1",
    traits: extractiveTraits,
    supportedParameters: ["sentences"],
    defaults: { sentences: 2 },
    asked,
    busiest: () => busiest,
    async summarize(document, { parameters = {}, signal } = {}) {
      asked.push(parameters);
      busiest = Math.max(busiest, ++working);
      // Later rows answer sooner, so that an order by finishing time would show.
      const turns = document.includes("slow") ? 20 : 1;
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      working--;
      if (signal?.aborted) throw new BridleError("CANCELLED");
      if (document.includes("fails")) throw new BridleError("EMPTY_TEXT", { where: "it" });
      if (document.includes("refuses")) {
        throw new BridleError("PARAMETER_NOT_SUPPORTED", { parameter: "sentences" });
      }
      if (document.includes("breaks")) throw new TypeError("broken");
      const sentences = splitSentences(document).map(({ start, end }) =>
        document.slice(start, end),
      );
      const summary = answer?.(document) ?? sentences.slice(0, parameters.sentences ?? 2).join(" ");
      const count = (text: string) => text.split(/\s+/).filter(Boolean).length;
      return {
        summary,
        model: "lead",
        version: "1",
        finishReason: "stop",
        truncated: false,
        usage: {
          inputTokens: count(document),
          usedTokens: count(document) / 2,
          outputTokens: count(summary),
          chunks: 1,
        },
        sources: [],
        timingsMs: { total: 1 },
      };
    },
    async warmUp() {},
    async close() {},
  };
}

const two = [
  pair("The cat sat. The dog ran off. It rained.", "The cat sat.", 1),
  pair("Birds fly south. They come back. Spring is here.", "Birds fly. They come back.", 2),
];
const english: EvaluateOptions = { language: "en" };

describe("evaluate", () => {
  it("gives the figures that can be worked out by hand", async () => {
    const result = await evaluate(lead(), [two[0]!], { ...english, parameters: { sentences: 2 } });
    // 3 of the summary's 7 words are the reference's 3: P 3/7, R 1, F1 0.6.
    expect(result.scores.rouge1.precision).toBeCloseTo(3 / 7, 12);
    expect(result.scores.rouge1.recall).toBe(1);
    expect(result.scores.rouge1.fmeasure).toEqual({ mean: 0.6, low: 0.6, high: 0.6 });
    expect(result.scores.rouge2.fmeasure.mean).toBeCloseTo((2 * (2 / 6)) / (1 + 2 / 6), 12);
    expect(result.statistics).toMatchObject({
      words: 7,
      sentences: 2,
      compression: 9 / 7,
      novelUnigrams: 0,
      novelBigrams: 0,
      genLen: 7,
      readShare: 0.5,
    });
    expect(result.reference).toMatchObject({ words: 3, compression: 3 });
    expect(result.document.words).toBe(9);
    expect(result.scoring).toMatchObject({ mode: "google", stemmer: true });
  });

  it("asks for as many sentences as the first reference has", async () => {
    const model = lead();
    await evaluate(model, two, { ...english, parameters: { sentences: "reference" } });
    expect(model.asked).toEqual([{ sentences: 1 }, { sentences: 2 }]);
  });

  it("takes the model's defaults, and keeps other parameters", async () => {
    const model = lead();
    expect((await evaluate(model, two, english)).parameters).toEqual({ sentences: 2 });
    await evaluate(model, two, { ...english, parameters: { maxWords: 9 } });
    expect(model.asked.slice(2)).toEqual([{ maxWords: 9 }, { maxWords: 9 }]);
  });

  it("scores against the reference with the best ROUGE-1, whatever its place", async () => {
    const row = pair("A b c d.", ["x y z", "a b c d", "a q"]);
    const best = await evaluate(lead(), [row], english);
    expect(best.scores.rouge1.fmeasure.mean).toBe(1);
    expect(best.scores.rougeL.fmeasure.mean).toBe(1);
  });

  it("stems English, and reads other scripts by Unicode words, as detected", async () => {
    const stemmed = await evaluate(lead(), [pair("Cats running.", "cat runs")], english);
    expect(stemmed.scores.rouge1.fmeasure.mean).toBe(1);
    const plain = await evaluate(lead(), [pair("Cats running.", "cat runs")], { language: "de" });
    expect(plain.scores.rouge1.fmeasure.mean).toBe(0);
    const text = "Комитет решил перенести заседание на следующую неделю.";
    const russian = await evaluate(lead(), [pair(text, text)]);
    expect(russian.language).toEqual({ code: "ru", source: "detected", detected: { ru: 1 } });
    expect(russian.scoring).toMatchObject({ mode: "unicode", stemmer: false });
    expect(russian.scores.rouge1.fmeasure.mean).toBe(1);
  });

  it("says when a set is of several languages, and when none could be told", async () => {
    const rows = [
      pair("Der Ausschuss hat beschlossen, die Sitzung auf nächste Woche zu verschieben.", "x"),
      pair("Der Vorstand hat gestern beschlossen, das alte Gebäude nicht zu verkaufen.", "x"),
      pair("The committee decided to postpone the meeting until the weather improves.", "x"),
    ];
    const mixed = await evaluate(lead(), rows);
    expect(mixed.language.detected).toEqual({ de: 2, en: 1 });
    expect(mixed.notes.join()).toContain("Only 2 of 3 documents are surely in de");
    const none = await evaluate(lead(), [pair("12 34", "12")]);
    expect(none.language.code).toBeNull();
    expect(none.notes.join()).toContain("No language");
  });

  it("reports rows without text and leaves them out of the means", async () => {
    const rows = [
      pair(" ", "s", 1),
      two[0]!,
      pair("Doc.", ["", "\n"], 3),
      pair("A b.", ["", "a b"], 4),
    ];
    const result = await evaluate(lead(), rows, english);
    expect(result.rows).toEqual({ read: 4, scored: 2, empty: 2, failed: 0, emptySummaries: 0 });
    expect(result.emptyRows.map(({ line, problem }) => [line, problem])).toEqual([
      [1, "the document is blank"],
      [3, "the reference summary is blank"],
    ]);
  });

  it("counts rows the model fails on with a score of 0 and says why", async () => {
    const rows = [pair("A b.", "a b", 1), pair("It fails.", "it fails", 2)];
    const result = await evaluate(lead(), rows, english);
    expect(result.rows).toMatchObject({ scored: 2, failed: 1, emptySummaries: 1 });
    expect(result.scores.rouge1.fmeasure.mean).toBe(0.5);
    expect(result.failedRows).toEqual([
      { id: "row2", file: "test.jsonl", line: 2, problem: expect.stringContaining("EMPTY_TEXT") },
    ]);
  });

  it.each([
    ["refuses", "PARAMETER_NOT_SUPPORTED"],
    ["breaks", "BUG"],
  ])("stops at an error that every row would share: %s", async (word, code) => {
    const model = lead();
    const rows = Array.from({ length: 200 }, (_, line) => pair(`It ${word}.`, "x", line));
    await expect(evaluate(model, rows, { ...english, concurrency: 2 })).rejects.toMatchObject({
      code,
    });
    expect(model.asked.length).toBeLessThan(10);
  });

  it("works on several documents at once and keeps the order of the data", async () => {
    const model = lead();
    const rows = Array.from({ length: 30 }, (_, line) =>
      pair(line % 3 === 0 ? `The slow ${line}.` : `Row ${line}.`, "x", line),
    );
    const seen: EvaluatedRow[] = [];
    const progress: number[] = [];
    await evaluate(model, rows, {
      ...english,
      concurrency: 4,
      onRow: (row) => seen.push(row),
      onProgress: ({ scored }) => progress.push(scored),
    });
    expect(seen.map(({ line }) => line)).toEqual(rows.map(({ line }) => line));
    expect(seen[1]!.summary).toBe("Row 1.");
    expect(progress).toEqual(rows.map((_, index) => index + 1));
    expect(model.busiest()).toBe(4);
  });

  it("works on as many documents as fill a neural model's steps, with the same figures", async () => {
    const rows = Array.from({ length: 90 }, (_, line) =>
      pair(line % 3 === 0 ? `The slow ${line}.` : `Row ${line}.`, `Row ${line % 5}.`, line),
    );
    const neural = (beams: number): Fake => ({
      ...lead(),
      traits: { ...extractiveTraits, kind: "neural" },
      defaults: { numBeams: beams },
    });
    const [one, many] = [neural(16), neural(16)];
    const run = async (model: Fake, options: EvaluateOptions) => {
      const { timing: _, ...figures } = await evaluate(model, rows, { ...english, ...options });
      return figures;
    };
    const figures = await run(one, { concurrency: 1, samples: 50 });
    expect(await run(many, { samples: 50 })).toEqual(figures);
    expect([one.busiest(), many.busiest()]).toEqual([1, 4]);
    const asked = neural(16);
    await run(asked, { samples: 1, parameters: { numBeams: 8 } });
    expect(asked.busiest()).toBe(8);
    const [picking, rival] = [lead(), neural(1)];
    await run(picking, { samples: 1, rivals: [rival] });
    expect(picking.busiest()).toBeGreaterThanOrEqual(64);
  });

  it("lets all of them listen for a stop without a warning of a leak", async () => {
    const warnings: string[] = [];
    const hear = ({ name }: Error) => warnings.push(name);
    process.on("warning", hear);
    const inner = lead();
    const listening: Summarizer = {
      ...inner,
      async summarize(document, options) {
        const ignore = () => {};
        options?.signal?.addEventListener("abort", ignore);
        try {
          return await inner.summarize(document, options);
        } finally {
          options?.signal?.removeEventListener("abort", ignore);
        }
      },
    };
    const rows = Array.from({ length: 40 }, (_, line) => pair("The slow cat sat.", "x", line));
    await evaluate(listening, rows, { ...english, samples: 1, concurrency: 40 });
    process.off("warning", hear);
    expect(inner.busiest()).toBe(40);
    expect(warnings).toEqual([]);
  });

  it("works on fewer where documents are huge", async () => {
    const model = lead();
    const rows = [1, 2, 3, 4].map((line) => pair(`Row ${line}.${" ".repeat(9e6)}`, "x", line));
    await evaluate(model, rows, { ...english, samples: 1, concurrency: 4 });
    expect(model.busiest()).toBe(2);
  });

  it("draws the same intervals from the same seed and others from another", async () => {
    const rows = Array.from({ length: 12 }, (_, line) =>
      pair("A b c d e.", "a b c d e".slice(0, 1 + (line % 9)), line),
    );
    const run = async (seed: number) => {
      const { timing: _, ...rest } = await evaluate(lead(), rows, {
        ...english,
        seed,
        samples: 50,
      });
      return rest;
    };
    const first = await run(7);
    expect(await run(7)).toEqual(first);
    expect((await run(8)).scores.rouge1.fmeasure).not.toEqual(first.scores.rouge1.fmeasure);
    const { low, mean, high } = first.scores.rouge1.fmeasure;
    expect(low).toBeLessThan(mean);
    expect(mean).toBeLessThan(high);
    expect(JSON.parse(JSON.stringify(first))).toEqual(first);
  });

  it("scores baselines beside the model, with the paired difference", async () => {
    const result = await evaluate(lead(), two, {
      ...english,
      parameters: { sentences: "reference" },
      baselines: ["lead1", "leadK", "oracle3", "leadK"],
    });
    expect(Object.keys(result.baselines)).toEqual(["lead1", "leadK", "oracle3"]);
    // The model is lead with as many sentences as the reference: no difference in any resample.
    expect(result.baselines.leadK!.scores).toEqual(result.scores);
    expect(result.baselines.leadK!.difference.rougeL).toEqual({ mean: 0, low: 0, high: 0 });
    const { rougeL } = result.baselines.lead1!.difference;
    expect(rougeL.mean).toBeCloseTo(
      result.scores.rougeL.fmeasure.mean - result.baselines.lead1!.scores.rougeL.fmeasure.mean,
      12,
    );
    expect(rougeL.mean).toBeGreaterThan(0);
  });

  it("puts other models beside it, each asked for what it supports, a row they fail on scored as empty", async () => {
    const own = lead();
    const same = lead();
    const short = {
      ...lead((document) => document.slice(0, 5)),
      model: "short",
      supportedParameters: [],
    };
    const failing = lead((document) => {
      if (document.startsWith("Birds")) throw new BridleError("EMPTY_TEXT", { where: "it" });
      return "The cat sat.";
    });
    const rows: EvaluatedRow[] = [];
    const result = await evaluate(own, two, {
      ...english,
      parameters: { sentences: 1 },
      rivals: [same, short, failing],
      onRow: (row) => rows.push(row),
    });
    expect(same.asked).toEqual([{ sentences: 1 }, { sentences: 1 }]);
    expect(short.asked).toEqual([{}, {}]);
    const [first, second, third] = result.rivals;
    expect(first).toMatchObject({ model: "lead", failed: 0, scores: result.scores });
    expect(first!.difference.rougeL).toEqual({ mean: 0, low: 0, high: 0 });
    expect(second!.model).toBe("short");
    expect(second!.difference.rouge1.mean).toBeCloseTo(
      result.scores.rouge1.fmeasure.mean - second!.scores.rouge1.fmeasure.mean,
      12,
    );
    // The cat's row is right word for word, the birds' is empty.
    expect(third).toMatchObject({ failed: 1, scores: { rougeL: { recall: 0.5 } } });
    expect(rows[1]).toMatchObject({
      document: two[1]!.document,
      references: two[1]!.references,
      summary: "Birds fly south.",
      rivals: [
        { summary: "Birds fly south." },
        { model: "short", summary: "Birds" },
        { summary: "" },
      ],
    });
  });

  it.each<[string, EvaluateOptions]>([
    ["baselines", { baselines: ["lead2"] }],
    ["language", { language: "English!" }],
    ["confidence", { confidence: 1 }],
    ["samples", { samples: 0 }],
    ["seed", { seed: -1 }],
    ["concurrency", { concurrency: 1.5 }],
    ["sentences", { parameters: { sentences: 0 } }],
  ])("refuses a bad %s", async (parameter, options) => {
    const failure = evaluate(lead(), two, options);
    await expect(failure).rejects.toMatchObject({
      code: "INVALID_PARAMETER",
      details: { parameter },
    });
  });

  it("says when there is nothing to score", async () => {
    for (const rows of [[], [pair("", "x"), pair("x", " ")]]) {
      await expect(evaluate(lead(), rows)).rejects.toMatchObject({ code: "NOTHING_TO_EVALUATE" });
    }
  });

  it("stops when told to, and closes the data", async () => {
    const control = new AbortController();
    let closed = false;
    let given = 0;
    async function* endless(): AsyncGenerator<Pair> {
      try {
        for (;;) {
          if (++given === 5) control.abort();
          yield pair("A b.", "a b", given);
        }
      } finally {
        closed = true;
      }
    }
    const running = evaluate(lead(), endless(), { ...english, signal: control.signal });
    await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
    expect(closed).toBe(true);
    expect(given).toBeLessThan(10);
  });

  it("hands on what reading the rows throws", async () => {
    async function* broken(): AsyncGenerator<Pair> {
      yield two[0]!;
      throw new BridleError("GZIP_CORRUPT", { file: "x", reason: "cut" });
    }
    await expect(evaluate(lead(), broken())).rejects.toMatchObject({ code: "GZIP_CORRUPT" });
  });
});
