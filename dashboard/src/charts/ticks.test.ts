// Tests what stands on axes: neighbours read differently, counts are whole, and what is always 0 has an axis of its own.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes, value } from "../shell/format.js";
import { plotOptions } from "./plot-options.js";
import { linearTicks, stepsOf, tickTexts, wholeSteps, xText } from "./ticks.js";

describe("tickTexts", () => {
  it("writes as many digits as tell neighbours apart", () => {
    const disk = [64.1e9, 64.1001e9, 64.1002e9];
    expect(tickTexts(disk, bytes)).toEqual(["64.1000 GB", "64.1001 GB", "64.1002 GB"]);
    expect(tickTexts([0.827, 0.82702, 0.82704], value)).toEqual(["0.827", "0.82702", "0.82704"]);
    expect(tickTexts([0, 0.25, 0.5], value)).toEqual(["0", "0.25", "0.5"]);
    expect(tickTexts([20_000.25, 20_000.5], value)).toEqual(["20,000.25", "20,000.5"]);
    expect(tickTexts([5e8, 1e9, 1.5e9], bytes)).toEqual(["500 MB", "1.00 GB", "1.50 GB"]);
    expect(tickTexts([7], value)).toEqual(["7"]);
  });

  it("never writes two the same", () => {
    const round = fc.tuple(fc.constantFrom(1, 2, 2.5, 5), fc.integer({ min: -6, max: 6 }));
    fc.assert(
      fc.property(round, fc.integer({ min: -1e6, max: 1e6 }), ([digit, power], first) => {
        const step = Number(`${digit}e${power}`);
        const ticks = [0, 1, 2, 3].map((each) => Number(((first + each) * step).toPrecision(12)));
        expect(new Set(tickTexts(ticks, value)).size).toBe(4);
        if (step >= 1) expect(new Set(tickTexts(ticks, bytes)).size).toBe(4);
      }),
    );
  });
});

describe("an axis of x", () => {
  it.each(["step", "trial"] as const)("has whole numbers alone for a %s", (kind) => {
    expect(stepsOf(kind)?.every(Number.isInteger)).toBe(true);
  });

  it.each(["step", "time", "trial"] as const)("writes no two ticks of a %s the same", (kind) => {
    fc.assert(
      fc.property(
        fc.constantFrom(...(stepsOf(kind) ?? []).filter((each) => each < 1e6)),
        fc.nat(1e4),
        (step, first) => {
          const texts = [0, 1, 2, 3].map((each) => xText((first + each) * step, kind, step));
          expect(new Set(texts).size, texts.join()).toBe(4);
        },
      ),
    );
  });

  it("writes times in the unit that they are round in", () => {
    expect([150, 180, 210].map((x) => xText(x, "time", 30))).toEqual([
      "2.5 min",
      "3 min",
      "3.5 min",
    ]);
    expect([7200, 7260].map((x) => xText(x, "time", 60))).toEqual(["120 min", "121 min"]);
    expect([200, 205].map((x) => xText(x, "time", 5))).toEqual(["200 s", "205 s"]);
    expect([7200, 8100].map((x) => xText(x, "time", 900))).toEqual(["2 h", "2.25 h"]);
    expect(xText(133, "time")).toBe("2.2 min");
    expect([123_456, 123_457].map((x) => xText(x, "step", 1))).toEqual(["123.456K", "123.457K"]);
  });
});

describe("linearTicks", () => {
  it("has whole numbers alone where that is asked for", () => {
    expect(linearTicks(0, 2, true)).toEqual([0, 1, 2]);
    expect(linearTicks(2.5, 3.5, true)).toEqual([3]);
    expect(linearTicks(0, 100, true)).toEqual([0, 20, 40, 60, 80, 100]);
  });
});

describe("plotOptions", () => {
  const options = (isWhole: boolean) =>
    plotOptions({
      ...{ curves: [], columns: [], xKind: "step", yText: value, isLog: false, isWhole },
      colors: { curves: [], ink: "", grid: "", line: "", surface: "" },
      size: { width: 400, height: 240 },
      ...{ range: undefined, onRange: () => {}, onCursor: () => {}, syncKey: undefined },
    });
  const rangeOf = (low: number | null, high: number | null) => {
    const range = options(false).scales?.y?.range;
    if (typeof range !== "function") return undefined;
    return (range as (plot: unknown, low: unknown, high: unknown) => unknown)({}, low, high);
  };

  it("gives what is always 0 an axis up to 1", () => {
    expect(rangeOf(0, 0)).toEqual([0, 1]);
    expect(rangeOf(null, null)).toEqual([null, null]);
    const [low = 0, high = 0] = rangeOf(2, 4) as number[];
    expect(low).toBeLessThan(2);
    expect(low).toBeGreaterThan(1.5);
    expect(high).toBeGreaterThan(4);
    expect(high).toBeLessThan(4.5);
  });

  it("puts ticks of whole values at whole numbers, and of others anywhere", () => {
    expect(options(true).axes?.[1]?.incrs).toBe(wholeSteps);
    expect(options(false).axes?.[1]?.incrs).toBeUndefined();
    expect(options(false).axes?.[0]?.incrs).toEqual(stepsOf("step"));
  });
});
