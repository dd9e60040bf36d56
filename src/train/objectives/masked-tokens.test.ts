// Tests hiding words: whole ones, never special tokens, in the shares of BERT, and repeatable.
import { describe, expect, it } from "vitest";
import { tinyTokenizer } from "../../../test/support/tiny-pegasus.js";
import { seededRandom } from "../../text/seeded-random.js";
import { createTokenMasking } from "./masked-tokens.js";

const tokenizer = tinyTokenizer();
const masking = (share: number) => createTokenMasking(tokenizer, { share, maskId: 3 });

/** Words of several tokens each, gaps between them and the end token. */
const ids = tokenizer.encode("Zebra <mask_1> quay crane <mask_1> the fog 42 boats ".repeat(3));

describe("createTokenMasking", () => {
  it("leaves special tokens alone and hides whole words", () => {
    const special = new Set(tokenizer.specialTokenIds);
    const mask = masking(0.4);
    for (let seed = 0; seed < 50; seed++) {
      const { inputIds, encoderLabels } = mask(ids, seededRandom(seed));
      expect(inputIds).toHaveLength(ids.length);
      for (const [at, id] of ids.entries()) {
        const label = encoderLabels[at]!;
        if (special.has(id)) expect([inputIds[at], label]).toEqual([id, -100]);
        if (label === -100) expect(inputIds[at]).toBe(id);
        else expect(label).toBe(id);
        // A token that goes on with a word shares its fate.
        const goesOn = at > 0 && !special.has(id) && !special.has(ids[at - 1]!);
        if (goesOn && !tokenizer.tokenOf(id).startsWith("\u2581")) {
          expect(label === -100).toBe(encoderLabels[at - 1] === -100);
        }
      }
    }
  });

  it("chooses the share of the words, at least one, and treats them in BERT's shares", () => {
    const words = 21;
    const mask = masking(0.5);
    let chosen = 0;
    let masked = 0;
    let kept = 0;
    for (let seed = 0; seed < 400; seed++) {
      const { inputIds, encoderLabels } = mask(ids, seededRandom(seed));
      const starts = [...ids.keys()].filter(
        (at) =>
          encoderLabels[at] !== -100 &&
          (encoderLabels[at - 1] === -100 || tokenizer.tokenOf(ids[at]!).startsWith("\u2581")),
      );
      chosen += starts.length;
      masked += starts.filter((at) => inputIds[at] === 3).length;
      kept += starts.filter((at) => inputIds[at] === ids[at]).length;
    }
    expect(chosen).toBe(400 * Math.floor(words / 2));
    expect(Math.abs(masked / chosen - 0.8)).toBeLessThan(0.03);
    expect(Math.abs(kept / chosen - 0.1)).toBeLessThan(0.03);
    const one = masking(0.001)(ids, seededRandom(1)).encoderLabels;
    expect(one.some((label) => label !== -100)).toBe(true);
  });

  it("draws random tokens from all ordinary ones", () => {
    const special = new Set(tokenizer.specialTokenIds);
    const drawn = new Set<number>();
    const mask = masking(1);
    for (let seed = 0; seed < 300; seed++) {
      const { inputIds } = mask(ids, seededRandom(seed));
      for (const [at, id] of inputIds.entries()) if (id !== ids[at] && id !== 3) drawn.add(id);
    }
    expect([...drawn].filter((id) => special.has(id))).toEqual([]);
    expect(drawn.size).toBeGreaterThan(0.9 * (tokenizer.vocabSize - special.size));
  });

  it("has nothing to hide among special tokens", () => {
    const only = [2, 1];
    expect(masking(0.5)(only, seededRandom(0))).toEqual({
      inputIds: only,
      encoderLabels: [-100, -100],
    });
  });
});
