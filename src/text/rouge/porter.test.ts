// Holds the stemmer to NLTK's stems, rule by rule.
import { describe, expect, it } from "vitest";
import { recorded } from "../../../test/golden/recorded.js";
import { porterStem } from "./porter.js";

describe("porterStem", () => {
  it.each(recorded.files["rouge/porter.json"].words)("stems %s to %s", (word, stem) => {
    expect(porterStem(word)).toBe(stem);
  });

  it("lower-cases first", () => {
    expect(porterStem("NATIONALLY")).toBe(porterStem("nationally"));
    expect(porterStem("SKIES")).toBe("sky");
    expect(porterStem("AT")).toBe("at");
  });

  it("takes a word of a million letters in stride", () => {
    expect(porterStem(`${"y".repeat(1_000_000)}ing`)).toHaveLength(1_000_000);
    expect(porterStem(`${"ab".repeat(500_000)}ations`)).toHaveLength(1_000_000);
  });
});
