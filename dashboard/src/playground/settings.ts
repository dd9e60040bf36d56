// What a summary is asked for with: kept for both kinds of models, sent as the parameters of the one that is picked.
import type { Model, SummaryParameters } from "../api/types.js";
import { count, counted } from "../shell/figures.js";

export type LengthUnit = "sentences" | "ratio" | "maxWords";

/** How long an extractive summary is to be. */
export interface Length {
  readonly unit: LengthUnit;
  readonly sentences: number;
  /** Percent of the document's sentences. */
  readonly share: number;
  readonly maxWords: number;
}

/** How a neural model writes; what is undefined is left to the model. */
export interface Generation {
  readonly numBeams?: number | undefined;
  readonly maxNewTokens?: number | undefined;
  readonly minNewTokens?: number | undefined;
  readonly lengthPenalty?: number | undefined;
  readonly noRepeatNgramSize?: number | undefined;
  readonly doSample?: boolean | undefined;
  readonly temperature?: number | undefined;
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly seed?: number | undefined;
  readonly truncation?: boolean | undefined;
}

export interface Settings {
  readonly length: Length;
  readonly generation: Generation;
}

export const usualSettings: Settings = {
  length: { unit: "sentences", sentences: 3, share: 20, maxWords: 100 },
  generation: {},
};

/** They mean something only where tokens are drawn. */
const samplingOnly = ["temperature", "topK", "topP", "seed"] as const;

/** It means something only where there are beams. */
const beamsOnly = ["lengthPenalty"] as const;

/** The parameters to ask a model with; undefined while nobody knows what it takes. */
export function parametersOf(
  model: Model | undefined,
  { length, generation }: Settings,
): SummaryParameters | undefined {
  if (model === undefined) return undefined;
  if (model.kind === "extractive") {
    if (length.unit === "sentences") return { sentences: length.sentences };
    if (length.unit === "ratio") return { ratio: length.share / 100 };
    return { maxWords: length.maxWords };
  }
  const idle: readonly string[] = [
    ...(draws(model, generation) ? [] : samplingOnly),
    ...(hasBeams(model, generation) ? [] : beamsOnly),
  ];
  const said = Object.entries(generation).filter(
    ([name, value]) => value !== undefined && !idle.includes(name),
  );
  return Object.fromEntries(said) as SummaryParameters;
}

/** Whether tokens are drawn rather than searched for. */
export function draws(model: Model, { doSample }: Generation): boolean {
  return doSample ?? model.defaults.doSample === true;
}

/** Whether several sequences are followed at once. */
export function hasBeams(model: Model, { numBeams }: Generation): boolean {
  return (numBeams ?? defaultOf(model, "numBeams") ?? 1) > 1;
}

/** What a request asked for, in a few words; undefined where it left everything to the model. */
export function describe(parameters: SummaryParameters | undefined): string | undefined {
  const asked = parameters ?? {};
  const words: string[] = [];
  const say = <T>(value: T | undefined, word: (value: T) => string) => {
    if (value !== undefined) words.push(word(value));
  };
  say(asked.sentences, (n) => counted(n, "sentence"));
  say(asked.ratio, (share) => `${count(share * 100)} % of the sentences`);
  say(asked.maxWords, (n) => `≤ ${counted(n, "word")}`);
  say(asked.numBeams, (n) => counted(n, "beam"));
  say(asked.minNewTokens, (n) => `≥ ${counted(n, "token")}`);
  say(asked.maxNewTokens, (n) => `≤ ${counted(n, "token")}`);
  say(asked.lengthPenalty, (n) => `length penalty ${n}`);
  say(asked.noRepeatNgramSize, (n) => `no ${n}-gram twice`);
  say(asked.doSample, (draws) => (draws ? "drawn" : "not drawn"));
  say(asked.temperature, (n) => `temperature ${n}`);
  say(asked.topK, (n) => `top-k ${n}`);
  say(asked.topP, (n) => `top-p ${n}`);
  say(asked.seed, (n) => `seed ${n}`);
  say(asked.truncation, (cut) => (cut ? "beginning only" : "whole document"));
  return words.length === 0 ? undefined : words.join(" · ");
}

/** The option a model uses where nothing is asked for, if it says so and it is a number. */
export function defaultOf(model: Model, name: keyof Generation): number | undefined {
  const { defaults } = model;
  const said = defaults[name];
  if (typeof said === "number") return said;
  // Older folders give lengths that count the start token.
  const older = name === "maxNewTokens" ? defaults.maxLength : undefined;
  if (typeof older === "number") return older - 1;
  return usualDefaults[name];
}

/** What transformers, and Bridle with it, does where neither the caller nor the model's folder says. */
const usualDefaults: Readonly<Partial<Record<keyof Generation, number>>> = {
  numBeams: 1,
  maxNewTokens: 20,
  minNewTokens: 0,
  lengthPenalty: 1,
  noRepeatNgramSize: 0,
  temperature: 1,
  topK: 50,
  topP: 1,
  seed: 0,
};

/** What a model is, in a few words. */
export function describeModel({ kind, device, dtype, limits }: Model): string {
  if (kind === "extractive") return "picks sentences · reads any length";
  const reach =
    limits.maxInputTokens === null ? [] : [`${count(limits.maxInputTokens)} tokens at once`];
  return ["writes its own", device, ...(dtype === null ? [] : [dtype]), ...reach].join(" · ");
}
