// Where a document is cut: nothing is lost, and no stretch of it is tokenized longer than a few parts would be.
import { describe, expect, it } from "vitest";
import { splitIntoParts } from "./parts.js";

const limit = 64;
/** Units that are tokenized at once at most. */
const most = 16 * limit;

/** A token for every three units that are no space, and one for the end; keeps how long each text was. */
function countingTokenizer(tokensOf = (units: number) => Math.ceil(units / 3)) {
  const looked: number[] = [];
  return {
    looked,
    encode(text: string) {
      looked.push(text.length);
      return new Array<number>(tokensOf(text.replaceAll(/\s/g, "").length) + 1).fill(7);
    },
  };
}

const sentences = Array.from({ length: 40 }, (_, i) => `The town was closed in winter ${i}.`);
const prose = sentences.join(" ");
const unbroken: [string, string][] = [
  ["base64", Buffer.from("a picture of a harbour").toString("base64").repeat(70_000)],
  ["a script without spaces and stops", "\u6e2f\u53e3\u95dc\u9589".repeat(500_000)],
  ["surrogate pairs from an odd place", `a${"\u{1f40e}\u{1f9a2}".repeat(500_000)}`],
];

function partsOf(text: string, tokenizer = countingTokenizer()) {
  const parts = [...splitIntoParts(text, tokenizer, limit)];
  for (const { ids } of parts) expect(ids.length).toBeLessThanOrEqual(limit);
  expect(Math.max(...tokenizer.looked)).toBeLessThanOrEqual(most);
  return parts.map(({ start, end }) => text.slice(start, end));
}

describe("2 MB without an end", () => {
  it.each(unbroken)("of %s are cut piece by piece, and all of them are there", (_, text) => {
    expect(text.length).toBeGreaterThanOrEqual(2_000_000);
    const tokenizer = countingTokenizer();
    const parts = partsOf(text, tokenizer);
    expect(parts.join("") === text).toBe(true);
    const halved = parts.find((part) => /^[\udc00-\udfff]|[\ud800-\udbff]$/.test(part));
    expect(halved).toBeUndefined();
    const looked = tokenizer.looked.reduce((sum, length) => sum + length, 0);
    expect(looked).toBeLessThan(30 * text.length);
  });

  it.each(unbroken)("of %s leave the sentences around them as they are", (_, text) => {
    const parts = partsOf(`${prose}\n\n${text}\n\n${prose}`);
    const alone = partsOf(prose);
    expect(parts.slice(0, alone.length)).toEqual(alone);
    expect(parts.slice(-alone.length)).toEqual(alone);
    expect(parts.slice(alone.length, -alone.length).join("") === text).toBe(true);
  });

  it("are cut as well where they are hardly any tokens", () => {
    const text = "\u6e2f".repeat(2_000_000);
    const parts = partsOf(
      text,
      countingTokenizer(() => 1),
    );
    expect(parts.join("") === text).toBe(true);
  });

  it("but white space do not join what stands around it", () => {
    expect(partsOf(`One town.${"\n".repeat(2_000_000)}One river.`)).toEqual([
      "One town.",
      "One river.",
    ]);
  });
});

it("fills parts with as many sentences as fit", () => {
  const parts = partsOf(prose);
  expect(parts.join(" ")).toBe(prose);
  // Nine tokens a sentence, and one for the end.
  for (const part of parts.slice(0, -1)) expect(part.match(/\./g)).toHaveLength(7);
});
