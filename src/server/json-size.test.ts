// Tests that long texts pass, that millions of members do not, and that neither takes long to tell.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hasTooMuchStructure, maxStructure } from "./json-size.js";

describe("hasTooMuchStructure", () => {
  it.each([
    ["a long text", JSON.stringify({ document: "a ".repeat(2_000_000) })],
    ["a text of quotes and backslashes", JSON.stringify({ document: '"\\'.repeat(1_000_000) })],
    ["a batch at its limit", JSON.stringify({ documents: Array(100_000).fill("One. Two.") })],
    ["an open string", `{"document":"${"[".repeat(2_000_000)}`],
  ])("lets %s pass", (_, text) => {
    expect(hasTooMuchStructure(text)).toBe(false);
  });

  it.each([
    ["numbers", `[${"1,".repeat(600_000)}1]`],
    ["members", `{${'"a":1,'.repeat(250_000)}"a":1}`],
    ["brackets", "[".repeat(maxStructure + 1)],
    ["white space", " ".repeat(maxStructure + 1)],
  ])("stops at too many %s", (_, text) => {
    expect(hasTooMuchStructure(text)).toBe(true);
  });

  it("counts nothing that stands in a string", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (value) => {
        const text = `${JSON.stringify(value)}${" ".repeat(maxStructure - 2)}`;
        expect(hasTooMuchStructure(text)).toBe(false);
        expect(hasTooMuchStructure(`${text} `)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
