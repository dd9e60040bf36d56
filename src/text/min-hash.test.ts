// Signatures: they estimate how much texts share, whatever their order, length and case.
import { describe, expect, it } from "vitest";
import { estimateSimilarity, MinHasher, shinglesOf, signatureLength } from "./min-hash.js";
import { seededRandom } from "./seeded-random.js";

const hasher = new MinHasher();
function signatures(sets: readonly Uint32Array[]): Uint8Array {
  const bytes = new Uint8Array(sets.length * signatureLength);
  for (const [at, set] of sets.entries()) {
    hasher.write(set, bytes.subarray(at * signatureLength, (at + 1) * signatureLength));
  }
  return bytes;
}

/** Two sets of which a share is common. */
function setsWith(shared: number, size: number, seed: number): [Uint32Array, Uint32Array] {
  const random = seededRandom(seed);
  const draw = (count: number) => Array.from({ length: count }, () => random.nextUint32());
  const common = draw(Math.round(shared * size));
  const rest = size - common.length;
  // Each side has half of what is not common.
  return [
    Uint32Array.from([...common, ...draw(Math.ceil(rest / 2))]),
    Uint32Array.from([...draw(Math.floor(rest / 2)), ...common.reverse()]),
  ];
}

describe("signatures", () => {
  it.each([
    [0, 400],
    [0.2, 400],
    [0.5, 400],
    [0.8, 400],
    [0.95, 4000],
    [0.5, 20],
    [0.8, 40],
    [1, 3],
  ])("estimate a common share of %d among %d hashes", (shared, size) => {
    const count = 60;
    let sum = 0;
    let squares = 0;
    for (let seed = 0; seed < count; seed++) {
      const error = estimateSimilarity(signatures(setsWith(shared, size, seed)), 0, 1) - shared;
      sum += error;
      squares += error * error;
    }
    // The standard error of one is at most 0.044 and of the mean of 60 0.006: four and five of them.
    expect(Math.abs(sum / count)).toBeLessThan(0.025);
    expect(Math.sqrt(squares / count)).toBeLessThan(0.06);
  });

  it("depend on the set of hashes alone", () => {
    const set = setsWith(1, 50, 7)[0];
    const bytes = signatures([set, set.toReversed(), Uint32Array.from([...set, ...set])]);
    expect(estimateSimilarity(bytes, 0, 1)).toBe(1);
    expect(estimateSimilarity(bytes, 0, 2)).toBe(1);
  });
});

describe("word triples", () => {
  it("are the same in every case, form and spacing, and in other scripts", () => {
    expect(shinglesOf("The Harbour, silted\nup.")).toEqual(shinglesOf("the harbour silted up"));
    expect(shinglesOf("ｈａｒｂｏｕｒ was closed")).toEqual(shinglesOf("Harbour was closed"));
    expect(shinglesOf("港口已关闭")).toHaveLength(3);
    expect(shinglesOf("one two three four")).toHaveLength(2);
    expect(shinglesOf("one two")).toHaveLength(1);
    expect(shinglesOf("one two")).not.toEqual(shinglesOf("two one"));
    expect(shinglesOf(" — ")).toHaveLength(0);
  });
});
