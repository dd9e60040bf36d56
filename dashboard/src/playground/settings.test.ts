// Settings become the parameters that a model takes, and nothing that it would refuse.
import { expect, it, describe as suite } from "vitest";
import type { Model } from "../api/types.js";
import { defaultOf, describe, parametersOf, type Settings, usualSettings } from "./settings.js";

const extractive: Model = {
  name: "extractive",
  version: "1",
  isDefault: true,
  kind: "extractive",
  device: "cpu",
  dtype: null,
  limits: { maxInputTokens: null, maxNewTokens: null },
  defaults: { sentences: 3 },
  parameters: ["sentences", "ratio", "maxWords", "truncation"],
};
const neural: Model = {
  ...extractive,
  name: "../models/pegasus-tiny",
  isDefault: false,
  kind: "neural",
  dtype: "fp32",
  limits: { maxInputTokens: 512, maxNewTokens: 512 },
  defaults: { numBeams: 4, maxLength: 32 },
  parameters: ["numBeams", "maxNewTokens", "seed", "truncation"],
};
const settings: Settings = {
  length: { unit: "ratio", sentences: 3, share: 20, maxWords: 100 },
  generation: { numBeams: 2, temperature: 0.7, seed: 3, truncation: true },
};

suite("parametersOf", () => {
  it("gives each kind of model its own", () => {
    expect(parametersOf(extractive, settings)).toEqual({ ratio: 0.2 });
    expect(parametersOf(extractive, usualSettings)).toEqual({ sentences: 3 });
    expect(parametersOf(neural, settings)).toEqual({ numBeams: 2, truncation: true });
    expect(parametersOf(neural, usualSettings)).toEqual({});
    expect(parametersOf(undefined, settings)).toBeUndefined();
  });

  it("sends what beams need only where there are some", () => {
    const asked = (numBeams: number | undefined) =>
      parametersOf(neural, { ...settings, generation: { numBeams, lengthPenalty: 2 } });
    expect(asked(2)).toEqual({ numBeams: 2, lengthPenalty: 2 });
    expect(asked(1)).toEqual({ numBeams: 1 });
    expect(asked(undefined)).toEqual({ lengthPenalty: 2 });
  });

  it("sends what sampling needs only where tokens are drawn", () => {
    const drawn = { ...settings, generation: { ...settings.generation, doSample: true } };
    expect(parametersOf(neural, drawn)).toMatchObject({
      doSample: true,
      temperature: 0.7,
      seed: 3,
    });
  });
});

suite("describe", () => {
  it("says what was asked for, or nothing", () => {
    expect(describe({ sentences: 1 })).toBe("1 sentence");
    expect(describe({ ratio: 0.2 })).toBe("20 % of the sentences");
    expect(describe({ numBeams: 4, maxNewTokens: 64, doSample: true, seed: 0 })).toBe(
      "4 beams · ≤ 64 tokens · drawn · seed 0",
    );
    expect(describe({})).toBeUndefined();
    expect(describe(undefined)).toBeUndefined();
  });
});

it("knows what a model does where nothing is said", () => {
  expect(defaultOf(neural, "numBeams")).toBe(4);
  expect(defaultOf(neural, "maxNewTokens")).toBe(31);
  expect(defaultOf(neural, "topK")).toBe(50);
});
