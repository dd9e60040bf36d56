// Logits processors: rules that change the scores of the next token, in Hugging Face's order and to its figures.
import { logSoftmax } from "./math.js";
import type { ResolvedOptions } from "./options.js";

/** What a processor knows besides the scores. */
export interface Context {
  /** Tokens so far, the start token included. */
  readonly ids: readonly number[];
  /** Tokens of the document, padding included. */
  readonly source: readonly number[];
}

/** Changes the scores [V] of one row in place. */
export type LogitsProcessor = (context: Context, scores: Float32Array) => void;

const never = Number.NEGATIVE_INFINITY;

/** The tokens that must not come next, whatever their scores. */
export type BanRule = (context: Context) => readonly number[];

function ban(scores: Float32Array, ids: Iterable<number>): void {
  for (const id of ids) if (id < scores.length) scores[id] = never;
}

/** Scores of the given tokens are divided by the penalty when positive, multiplied when negative. */
function penalize(scores: Float32Array, ids: readonly number[], penalty: number): void {
  for (const id of new Set(ids)) {
    const score = scores[id];
    if (score !== undefined) scores[id] = score < 0 ? score * penalty : score / penalty;
  }
}

/** Source: Keskar et al. 2019, §4.1. */
export function repetitionPenalty(penalty: number): LogitsProcessor {
  return ({ ids }, scores) => penalize(scores, ids, penalty);
}

export function encoderRepetitionPenalty(penalty: number): LogitsProcessor {
  return ({ source }, scores) => penalize(scores, source, 1 / penalty);
}

/** Tokens that would complete an n-gram of `text` whose beginning is the end of `ids`. */
function completions(text: readonly number[], ids: readonly number[], size: number): number[] {
  const start = ids.length + 1 - size;
  if (start < 0) return [];
  const found: number[] = [];
  for (let at = 0; at + size <= text.length; at++) {
    let match = true;
    for (let i = 0; i < size - 1 && match; i++) match = text[at + i] === ids[start + i];
    if (match) found.push(text[at + size - 1] as number);
  }
  return found;
}

/** Source: Paulus et al. 2017, §2.5. */
export function noRepeatNgram(size: number): BanRule {
  return ({ ids }) => (ids.length >= size ? completions(ids, ids, size) : []);
}

export function encoderNoRepeatNgram(size: number): BanRule {
  return ({ ids, source }) => completions(source, ids, size);
}

/** Whether `ids` ends with all of a sequence but its last token. */
function isBegun(sequence: readonly number[], ids: readonly number[]): boolean {
  const before = sequence.length - 1;
  const start = ids.length - before;
  if (start < 0) return false;
  for (let i = 0; i < before; i++) if (ids[start + i] !== sequence[i]) return false;
  return true;
}

/** Adds a bias to the token that would complete a sequence. */
export function sequenceBias(
  biases: readonly (readonly [readonly number[], number])[],
): LogitsProcessor {
  return ({ ids }, scores) => {
    for (const [sequence, bias] of biases) {
      const last = sequence.at(-1) as number;
      if (isBegun(sequence, ids)) scores[last] = (scores[last] as number) + bias;
    }
  };
}

/** Sequences that are never completed; one that is an end token alone is left possible. */
export function badWords(
  words: readonly (readonly number[])[],
  eosTokenIds: readonly number[],
): BanRule {
  const kept = words.filter(
    (word) => !(word.length === 1 && eosTokenIds.includes(word[0] as number)),
  );
  return ({ ids }) =>
    kept.filter((word) => isBegun(word, ids)).map((word) => word.at(-1) as number);
}

/** No end token before the sequence has `length` tokens. */
export function minLength(length: number, eosTokenIds: readonly number[]): BanRule {
  return ({ ids }) => (ids.length < length ? eosTokenIds : []);
}

function force(scores: Float32Array, ids: readonly number[]): void {
  scores.fill(never);
  for (const id of ids) scores[id] = 0;
}

export function forcedBos(id: number): LogitsProcessor {
  return ({ ids }, scores) => {
    if (ids.length === 1) force(scores, [id]);
  };
}

export function forcedEos(maxLength: number, eos: readonly number[]): LogitsProcessor {
  return ({ ids }, scores) => {
    if (ids.length === maxLength - 1) force(scores, eos);
  };
}

export const removeInvalid: LogitsProcessor = (_, scores) => {
  const most = 3.4028234663852886e38;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] as number;
    if (Number.isNaN(score)) scores[i] = 0;
    else if (score === Number.POSITIVE_INFINITY) scores[i] = most;
    else if (score === never) scores[i] = -most;
  }
};

/** From `start` new tokens on, raises the end tokens' scores by a factor that grows with each token. */
export function exponentialDecay(
  [start, factor]: readonly [number, number],
  eosTokenIds: readonly number[],
): LogitsProcessor {
  return ({ ids }, scores) => {
    const past = ids.length - (start + 1);
    if (past <= 0) return;
    for (const id of eosTokenIds) {
      const score = scores[id];
      if (score !== undefined && Number.isFinite(score)) {
        scores[id] = score + Math.abs(score) * (factor ** past - 1);
      }
    }
  };
}

/** Scores as log-probabilities again, after all other rules. */
export const renormalize: LogitsProcessor = (_, scores) => void logSoftmax(scores, scores);

export function suppress(tokens: readonly number[]): BanRule {
  return () => tokens;
}

/** Suppresses tokens at the first place that is free to choose. */
export function beginSuppress(tokens: readonly number[], beginLength: number): BanRule {
  return ({ ids }) => (ids.length === beginLength ? tokens : []);
}

/** A rule as a processor. */
export function banning(rule: BanRule): LogitsProcessor {
  return (context, scores) => ban(scores, rule(context));
}

/** How long a sequence is when its first token comes that is free to choose. */
const firstFree = ({ forcedBosTokenId }: ResolvedOptions) => (forcedBosTokenId == null ? 1 : 2);

/** The rules that only forbid tokens, in the order transformers applies them. */
function banRules(o: ResolvedOptions) {
  return {
    noRepeatNgram: o.noRepeatNgramSize > 0 && noRepeatNgram(o.noRepeatNgramSize),
    encoderNoRepeatNgram:
      o.encoderNoRepeatNgramSize > 0 && encoderNoRepeatNgram(o.encoderNoRepeatNgramSize),
    badWords: o.badWordsIds && badWords(o.badWordsIds, o.eosTokenIds),
    minLength: o.minLength > 0 && minLength(o.minLength, o.eosTokenIds),
    suppress: o.suppressTokens && suppress(o.suppressTokens),
    beginSuppress: o.beginSuppressTokens && beginSuppress(o.beginSuppressTokens, firstFree(o)),
  };
}

/** What is in one set or the other. Of what is in both `size` counts two. */
function either(one: ReadonlySet<number>, other: ReadonlySet<number>): Restriction["banned"] {
  if (one.size === 0) return other;
  if (other.size === 0) return one;
  return { has: (id) => one.has(id) || other.has(id), size: one.size + other.size };
}

/** What the next token may be. */
export interface Restriction {
  readonly banned: Pick<ReadonlySet<number>, "has" | "size">;
  /** The only tokens there are, in ascending order, equally likely; where there are such nothing is banned. */
  readonly forced?: readonly number[];
}

/**
 * What the next token may be, where the options do nothing else to scores: then a few of the likeliest tokens tell as much as
 * all of them.
 * @returns undefined where scores may change otherwise; so does what it answers at a place where a forced token is suppressed
 * too, or the first that is forced is an end
 */
export function onlyRestricts(
  o: ResolvedOptions,
): ((context: Context) => Restriction | undefined) | undefined {
  const changes =
    o.doSample ||
    o.sequenceBias ||
    o.encoderRepetitionPenalty !== 1 ||
    o.repetitionPenalty !== 1 ||
    o.removeInvalidValues ||
    o.exponentialDecayLengthPenalty ||
    o.renormalizeLogits;
  if (changes) return undefined;
  const isRule = (rule: BanRule | false | undefined) => typeof rule === "function";
  const { suppress: always, beginSuppress: atFirst, ...others } = banRules(o);
  const rules = Object.values(others).filter(isRule);
  /** Those that come after what is forced. */
  const later = [always, atFirst].filter(isRule);
  // They may be most of the vocabulary, and the same for every beam and step.
  const bannedAlways = new Set(o.suppressTokens ?? []);
  const bannedFirst = new Set([...bannedAlways, ...(o.beginSuppressTokens ?? [])]);
  const forcedBosTokenIds = o.forcedBosTokenId == null ? undefined : [o.forcedBosTokenId];
  return (context) => {
    const { length } = context.ids;
    const isLast = o.forcedEosTokenIds !== undefined && length === o.maxLength - 1;
    const forced = isLast ? o.forcedEosTokenIds : length === 1 ? forcedBosTokenIds : undefined;
    if (forced === undefined) {
      const fixed = length === firstFree(o) ? bannedFirst : bannedAlways;
      return { banned: either(fixed, new Set(rules.flatMap((rule) => rule(context)))) };
    }
    const impossible = later.flatMap((rule) => rule(context));
    // What is forced and forbidden, or begins and ends at once, is for the rules in their order to settle.
    if (!isLast) impossible.push(...o.eosTokenIds);
    return forced.some((token) => impossible.includes(token))
      ? undefined
      : { banned: new Set(), forced: [...new Set(forced)].sort((a, b) => a - b) };
  };
}

/**
 * The processors that the options ask for, in the order transformers applies them.
 * @param diversity the processor of diverse beam search, which stands second
 */
export function processorsOf(o: ResolvedOptions, diversity?: LogitsProcessor): LogitsProcessor[] {
  const bans = banRules(o);
  const banned = (rule: BanRule | false | undefined) => rule && banning(rule);
  const list: (LogitsProcessor | undefined | false)[] = [
    o.sequenceBias && sequenceBias(o.sequenceBias),
    diversity,
    o.encoderRepetitionPenalty !== 1 && encoderRepetitionPenalty(o.encoderRepetitionPenalty),
    o.repetitionPenalty !== 1 && repetitionPenalty(o.repetitionPenalty),
    banned(bans.noRepeatNgram),
    banned(bans.encoderNoRepeatNgram),
    banned(bans.badWords),
    banned(bans.minLength),
    o.forcedBosTokenId != null && forcedBos(o.forcedBosTokenId),
    o.forcedEosTokenIds && forcedEos(o.maxLength, o.forcedEosTokenIds),
    o.removeInvalidValues && removeInvalid,
    o.exponentialDecayLengthPenalty &&
      exponentialDecay(o.exponentialDecayLengthPenalty, o.eosTokenIds),
    banned(bans.suppress),
    banned(bans.beginSuppress),
    // With sampling it stands behind the warpers.
    o.renormalizeLogits && !o.doSample && renormalize,
  ];
  return list.filter((processor) => typeof processor === "function");
}
