// Groups of near duplicates: edits within them, strangers outside, whatever the order, and many of one kind in little time.
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../text/seeded-random.js";
import { NearDuplicates } from "./near-duplicates.js";

const random = seededRandom(11);
const words = Array.from({ length: 4000 }, (_, i) => `word${i}`);
const sentence = (length: number) =>
  Array.from({ length }, () => words[random.nextBelow(words.length)]!);
/** A copy with a share of its words put in place by others. */
const edited = (text: readonly string[], share: number) =>
  text.map((word) => (random.nextBelow(1000) < 1000 * share ? "other" : word));

function indexOf(texts: readonly (readonly string[])[]): NearDuplicates {
  const near = new NearDuplicates();
  for (const text of texts) near.add(text.join(" "));
  return near;
}

describe("near duplicates", () => {
  it("are found among strangers, each group by its first", () => {
    const originals = Array.from({ length: 300 }, () => sentence(150));
    // Two words in a hundred changed: about six triples in a hundred on each side.
    const copies = originals.map((text) => edited(text, 0.02));
    const groups = indexOf([...originals, ...copies]).groups(0.7);
    const found = copies.filter((_, at) => groups[300 + at] === at).length;
    expect(found).toBeGreaterThanOrEqual(298);
    expect([...groups.slice(0, 300)]).toEqual(originals.map((_, at) => at));
  });

  it("are not texts of another subject, or with every fifth word changed", () => {
    const originals = Array.from({ length: 200 }, () => sentence(150));
    const changed = originals.map((text) => edited(text, 0.2));
    const groups = indexOf([...originals, ...changed]).groups(0.8);
    expect([...groups]).toEqual([...groups.keys()]);
  });

  it("make one group of a chain, and none of texts without a word", () => {
    const near = new NearDuplicates();
    const text = sentence(200);
    const chain = [text, edited(text, 0.01)];
    chain.push(edited(chain[1]!, 0.01));
    near.addBlank();
    for (const each of chain) near.add(each.join(" "));
    near.add("— …");
    expect([...near.groups(0.8)]).toEqual([0, 1, 1, 1, 4]);
    expect(near.similarity(0, 4)).toBe(0);
  });

  it("of one and the same text are linear work", () => {
    const text = sentence(60);
    // 30,000 texts in one bucket of each band: by pairs that would be 450 million comparisons a band.
    const near = new NearDuplicates();
    for (let row = 0; row < 30_000; row++) near.add(text.join(" "));
    const groups = near.groups(0.8);
    expect(groups.every((first) => first === 0)).toBe(true);
    expect(near.length).toBe(30_000);
  });
});
