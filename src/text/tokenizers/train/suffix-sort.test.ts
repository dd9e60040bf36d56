// Sorting suffixes against sorting them as strings.
import fc from "fast-check";
import { expect, it } from "vitest";
import { commonBytes, sortSuffixes, stringEnd } from "./suffix-sort.js";

/** Strings of few letters, so that they repeat, closed one by one. */
const texts = fc
  .array(fc.array(fc.integer({ min: 97, max: 99 }), { minLength: 1, maxLength: 30 }), {
    minLength: 1,
    maxLength: 30,
  })
  .map((strings) => Uint8Array.from(strings.flatMap((bytes) => [...bytes, stringEnd])));

function suffix(text: Uint8Array, place: number, most: number): string {
  const end = text.indexOf(stringEnd, place);
  return Buffer.from(text.subarray(place, Math.min(end, place + most))).toString("latin1");
}

it("sorts by the first bytes, up to each string's end", () => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 40 }), (text, most) => {
      const places = Uint32Array.from(
        Array.from(text.keys()).filter((place) => text[place] !== stringEnd),
      );
      const wanted = Array.from(places, (place) => suffix(text, place, most)).sort();
      sortSuffixes(text, places, most);
      // The closing byte stands after every letter, so that a shorter suffix comes after a longer one.
      const found = Array.from(places, (place) => suffix(text, place, most));
      expect([...found].sort()).toEqual(wanted);
      for (let i = 1; i < places.length; i++) {
        const [a, b] = [places[i - 1] as number, places[i] as number];
        const common = commonBytes(text, a, b, most);
        expect(found[i]?.slice(0, common)).toBe(found[i - 1]?.slice(0, common));
        if (common < most) expect(text[a + common]).toBeLessThanOrEqual(text[b + common] as number);
      }
    }),
  );
});
