// What a caller asks for over a folder's defaults: which goes before which, and what is told of contradictions.
import { describe, expect, it } from "vitest";
import { tinyConfig } from "../../test/support/tiny-pegasus.js";
import { pegasus } from "../model/pegasus.js";
import { type GenerateOptions, overDefaults, resolveOptions } from "./options.js";

const config = pegasus.readConfig(tinyConfig);

describe("a minimum above the maximum", () => {
  it.each<[GenerateOptions, RegExp]>([
    [{ minNewTokens: 21 }, /minNewTokens is 21; it must be no more than the maximum, 20/],
    [{ minNewTokens: 5, maxLength: 5 }, /minNewTokens is 5; .* the maximum, 4/],
    [{ minLength: 7, maxNewTokens: 5 }, /minLength is 7; .* the maximum, 6/],
    [{ minLength: 9, maxLength: 8 }, /minLength is 9; .* the maximum, 8/],
  ])("%o is told with the maximum that would do", (options, message) => {
    expect(() => resolveOptions(options, config)).toThrow(message);
  });

  it.each<GenerateOptions>([
    { minNewTokens: 20 },
    { minNewTokens: 4, maxLength: 5 },
    { minLength: 6, maxNewTokens: 5 },
  ])("%o is not", (options) => {
    expect(resolveOptions(options, config).maxLength).toBeGreaterThan(1);
  });
});

describe("tokens that end a sequence", () => {
  it("count once each", () => {
    const { eosTokenIds } = resolveOptions({ eosTokenId: [5, 1, 5, 1] }, config);
    expect(eosTokenIds).toEqual([5, 1]);
  });

  it("are a hundred at most, since a search looks at so many candidates more for each", () => {
    const ids = Array.from({ length: 101 }, (_, i) => i);
    expect(() => resolveOptions({ eosTokenId: ids }, config)).toThrow(/eosTokenId/);
    expect(resolveOptions({ eosTokenId: ids.slice(1) }, config).eosTokenIds).toHaveLength(100);
  });
});

describe("over a folder's defaults", () => {
  it("says of what nobody has set that it is wrong, and not where it was set", () => {
    const asked = { numBeams: 4, numBeamGroups: 2 };
    const message = (defaults: GenerateOptions) => {
      try {
        overDefaults(defaults, asked, config);
        return undefined;
      } catch (thrown) {
        return (thrown as Error).message;
      }
    };
    expect(message({})).toMatch(/^diversityPenalty is 0; it must be above 0/);
    expect(message({})).not.toContain("generation_config.json");
    expect(message({ diversityPenalty: 0 })).toContain("generation_config.json sets it");
  });

  it.each<[string, GenerateOptions, GenerateOptions, GenerateOptions]>([
    [
      "a length goes before one of the other name",
      { maxNewTokens: 30 },
      { maxLength: 6 },
      { maxLength: 6 },
    ],
    ["and the other way about", { maxLength: 30 }, { maxNewTokens: 6 }, { maxNewTokens: 6 }],
    ["so does a minimum", { minNewTokens: 9 }, { minLength: 2 }, { minLength: 2 }],
    [
      "their minimum gives way to a maximum",
      { minLength: 32 },
      { maxNewTokens: 20 },
      { maxNewTokens: 20 },
    ],
    [
      "and stays below it",
      { minLength: 8 },
      { maxNewTokens: 20 },
      { minLength: 8, maxNewTokens: 20 },
    ],
    [
      "what is undefined was not asked for",
      { numBeams: 4 },
      { numBeams: undefined } as GenerateOptions,
      { numBeams: 4 },
    ],
    [
      "their own idle options are let be",
      { topP: 0.5, lengthPenalty: 2 },
      {},
      { topP: 0.5, lengthPenalty: 2 },
    ],
    [
      "neutral values are no request",
      {},
      { temperature: 1, topP: 1, lengthPenalty: 1 },
      { temperature: 1, topP: 1, lengthPenalty: 1 },
    ],
  ])("%s", (_, defaults, asked, expected) => {
    expect(overDefaults(defaults, asked, config)).toEqual(expected);
  });

  it.each<[GenerateOptions, GenerateOptions, RegExp]>([
    [{}, { topP: 0.5 }, /topP is 0\.5; it must be used with doSample: true/],
    [{}, { temperature: 0.7, numBeams: 2 }, /temperature is 0\.7; it must be used with doSample/],
    [{}, { lengthPenalty: 2 }, /lengthPenalty is 2; it must be used with numBeams above 1/],
    [{ numBeams: 4 }, { numBeams: 1, earlyStopping: true }, /earlyStopping is true; .* numBeams/],
    [
      { numBeams: 4, numBeamGroups: 2, diversityPenalty: 0.5 },
      { numBeams: 1 },
      /numBeamGroups is 2; .*\(the model's own generation_config\.json sets it\)/,
    ],
    [{}, { minLength: 30, maxLength: 20 }, /minLength is 30; .*maximum, 20\.$/],
  ])("%o with %o is refused", (defaults, asked, message) => {
    expect(() => overDefaults(defaults, asked, config)).toThrow(message);
  });
});
