// Tests gap-sentence examples: equal to the text they are made from, within their limits, and repeatable draw by draw.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tinyTokenizer } from "../../../test/support/tiny-pegasus.js";
import { gapSentenceExample, gapStrategies, selectGapSentences } from "../../text/gap-sentences.js";
import { splitSentences } from "../../text/sentences.js";
import { createGapSentences, type GapSentenceObjectiveOptions } from "./gap-sentences.js";

const tokenizer = tinyTokenizer();
const encode = (text: string) => tokenizer.encode(text);

const defaults: GapSentenceObjectiveOptions = {
  maxSourceTokens: 512,
  maxTargetTokens: 256,
  strategy: "ind-orig",
  ratio: 0.3,
  intact: 0,
  maskedTokens: 0,
  mode: "google",
  seed: 7,
};
const create = (options: Partial<GapSentenceObjectiveOptions> = {}) =>
  createGapSentences(tokenizer, { ...defaults, ...options });
const encoded = (
  document: string,
  options: Partial<GapSentenceObjectiveOptions> = {},
  place = { row: 0, epoch: 0 },
) => create(options).encode({ document, summary: "" }, place);

const word = fc.constantFrom("harbour", "storm", "ferry", "the", "old", "town", "river", "market");
const sentence = fc
  .array(word, { minLength: 2, maxLength: 8 })
  .map((words) => `The ${words.join(" ")}.`);
const documents = fc
  .array(sentence, { minLength: 1, maxLength: 12 })
  .map((sentences) => sentences.join(" "));

const document =
  "The harbour closed on Monday. A storm damaged the bridge and the market. " +
  "The ferry opened for the people of the town. The council sent an engineer. " +
  "The bridge and the market opened in winter. The old school closed.";
const sentencesOf = (text: string) =>
  splitSentences(text).map(({ start, end }) => text.slice(start, end));

describe("createGapSentences", () => {
  it("tokenizes what the text of the example says, for every strategy", () => {
    fc.assert(
      fc.property(documents, fc.constantFrom(...gapStrategies), (given, strategy) => {
        const sentences = sentencesOf(given);
        const { inputIds, labels, lostSource, lostTarget } = encoded(given, { strategy });
        expect([lostSource, lostTarget]).toEqual([0, 0]);
        if (strategy === "random") {
          const gaps = inputIds.filter((id) => id === 2).length;
          expect(gaps).toBe(selectGapSentences(sentences, { ratio: 0.3 }).indices.length);
          return;
        }
        const { indices } = selectGapSentences(sentences, { strategy, ratio: 0.3 });
        const example = gapSentenceExample(sentences, indices);
        expect(inputIds).toEqual(encode(example.input));
        expect(labels).toEqual(encode(example.target));
      }),
    );
  });

  it("reads the leading sentences that fit, and counts the tokens left out", () => {
    const sentences = sentencesOf(document);
    const lengths = sentences.map((text) => encode(text).length - 1);
    const maxSourceTokens = lengths[0]! + lengths[1]! + 2;
    const { inputIds, labels, lostSource } = encoded(document, { maxSourceTokens, ratio: 0.5 });
    const rest = lengths.slice(2).reduce((sum, length) => sum + length, 0);
    expect(lostSource).toBe(rest);
    const read = sentences.slice(0, 2);
    const { indices } = selectGapSentences(read, { ratio: 0.5 });
    const example = gapSentenceExample(read, indices);
    expect([inputIds, labels]).toEqual([encode(example.input), encode(example.target)]);
  });

  it("keeps within its limits and its own bounds, with the end token last, in any epoch", () => {
    const options = fc.record({
      maxSourceTokens: fc.integer({ min: 2, max: 60 }),
      maxTargetTokens: fc.integer({ min: 2, max: 20 }),
      strategy: fc.constantFrom(...gapStrategies),
      ratio: fc.double({ min: 0.01, max: 1, noNaN: true }),
      intact: fc.constantFrom(0, 0.2, 1),
      maskedTokens: fc.constantFrom(0, 0.15),
    });
    fc.assert(
      fc.property(documents, options, (given, asked) => {
        const objective = create(asked);
        const first = objective.encode({ document: given, summary: "" }, { row: 3, epoch: 0 });
        const longest = first.longest ?? {
          source: first.inputIds.length,
          target: first.labels.length,
        };
        for (let epoch = 0; epoch < 4; epoch++) {
          const place = { row: 3, epoch };
          const example = objective.encode({ document: given, summary: "" }, place);
          const { inputIds, labels } = example;
          expect(objective.encode({ document: given, summary: "" }, place)).toEqual(example);
          expect(inputIds.at(-1)).toBe(tokenizer.eosTokenId);
          expect(labels.at(-1)).toBe(tokenizer.eosTokenId);
          expect(inputIds.length).toBeLessThanOrEqual(asked.maxSourceTokens);
          expect(labels.length).toBeLessThanOrEqual(asked.maxTargetTokens);
          expect(inputIds.length).toBeLessThanOrEqual(longest.source);
          expect(labels.length).toBeLessThanOrEqual(longest.target);
        }
      }),
    );
  });

  it("cuts labels at the limit and counts what is lost", () => {
    const whole = encoded(document);
    const { labels, lostTarget } = encoded(document, { maxTargetTokens: 5 });
    expect(labels).toEqual([...whole.labels.slice(0, 4), tokenizer.eosTokenId]);
    expect(lostTarget).toBe(whole.labels.length - 5);
  });

  it("leaves about the share of gaps readable that it is told to, and learns them all the same", () => {
    const all = encoded(document, { intact: 1 });
    expect(all.inputIds).toEqual(encode(sentencesOf(document).join(" ")));
    expect(all.labels).toEqual(encoded(document).labels);
    let masked = 0;
    let gaps = 0;
    const objective = create({ intact: 0.2, ratio: 0.5 });
    for (let row = 0; row < 400; row++) {
      const { inputIds } = objective.encode({ document, summary: "" }, { row, epoch: 1 });
      masked += inputIds.filter((id) => id === 2).length;
      gaps += 3;
    }
    expect(Math.abs(1 - masked / gaps - 0.2)).toBeLessThan(0.04);
  });

  it("draws anew for each row and epoch, and by seed", () => {
    const draw = (row: number, epoch: number, seed = 7) =>
      String(encoded(document, { strategy: "random", seed }, { row, epoch }).labels);
    expect(draw(5, 1)).toBe(draw(5, 1));
    const rows = new Set(Array.from({ length: 12 }, (_, row) => draw(row, 0)));
    const epochs = new Set(Array.from({ length: 12 }, (_, epoch) => draw(0, epoch)));
    const seeds = new Set(Array.from({ length: 12 }, (_, seed) => draw(0, 0, seed)));
    for (const drawn of [rows, epochs, seeds]) expect(drawn.size).toBeGreaterThan(4);
  });

  it("hides words besides, and tells what was there", () => {
    const plain = encoded(document).inputIds;
    const { inputIds, encoderLabels, labels } = encoded(document, { maskedTokens: 0.3 });
    expect(labels).toEqual(encoded(document).labels);
    const hidden = [...inputIds.keys()].filter((at) => encoderLabels![at] !== -100);
    expect(hidden.length).toBeGreaterThan(0);
    for (const [at, id] of inputIds.entries()) {
      if (encoderLabels![at] === -100) expect(id).toBe(plain[at]);
      else expect(encoderLabels![at]).toBe(plain[at]);
    }
  });

  it("needs a tokenizer with Pegasus's mask tokens", () => {
    const bare = tinyTokenizer({ offset: 0, maskTokenSent: undefined });
    expect(() => createGapSentences(bare, defaults)).toThrow("<mask_1>");
  });
});
