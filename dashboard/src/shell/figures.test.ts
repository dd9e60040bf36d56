// Numbers read as a person would write them.
import { describe, expect, it } from "vitest";
import { counted, duration, percent, roughly } from "./figures.js";

describe("figures", () => {
  it("counts with the right ending", () => {
    expect(counted(1, "word")).toBe("1 word");
    expect(counted(0, "word")).toBe("0 words");
    expect(counted(12345, "word")).toBe("12,345 words");
  });

  it("shortens what is long", () => {
    expect(roughly(9_999)).toBe("9,999");
    expect(roughly(20_400_000)).toBe("20.4M");
  });

  it("never calls a part all, or something nothing", () => {
    expect(percent(1)).toBe("100 %");
    expect(percent(0)).toBe("0 %");
    expect(percent(0.999999)).toBe("> 99.9 %");
    expect(percent(0.9953)).toBe("99.5 %");
    expect(percent(0.00001)).toBe("< 0.1 %");
    expect(percent(0.086)).toBe("9 %");
  });

  it("picks the unit of a duration", () => {
    expect(duration(0.84)).toBe("0.8 ms");
    expect(duration(14.2)).toBe("14 ms");
    expect(duration(2345)).toBe("2.3 s");
  });
});
