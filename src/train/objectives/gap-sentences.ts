// The objective of pre-training on documents alone: read one with its principal sentences masked, write those sentences.
// Source: Zhang et al. 2020 (PEGASUS), section 3; google-research/pegasus, pretrain_parsing_ops.cc.
import { BridleError } from "../../errors/error.js";
import { type GapStrategy, selectGapSentences } from "../../text/gap-sentences.js";
import type { RougeMode } from "../../text/rouge/tokenize.js";
import { deriveSeed, seededRandom } from "../../text/seeded-random.js";
import { splitSentences } from "../../text/sentences.js";
import type { Tokenizer } from "../../text/tokenizers/tokenizer.js";
import { createTokenMasking, drawShare } from "./masked-tokens.js";
import { cut, type ExamplePlace, type Objective, type ObjectiveLimits } from "./objective.js";

export interface GapSentenceObjectiveOptions extends ObjectiveLimits {
  readonly strategy: GapStrategy;
  /** Share of the sentences that become gaps, 0..1; at least one does. */
  readonly ratio: number;
  /** Share of the gap sentences that stay readable in the input, 0..1. PEGASUS-large: 0.2. */
  readonly intact: number;
  /** Share of the other words that are masked too, 0..1; 0 for none. PEGASUS-base: 0.15. */
  readonly maskedTokens: number;
  /** Tokens that sentences are compared by. */
  readonly mode: RougeMode;
  /** Seed of all draws, 0..2^53-1. */
  readonly seed: number;
}

/** Pegasus's names for what stands in place of a sentence and of a token. */
const sentenceMask = "<mask_1>";
const tokenMask = "<mask_2>";

/** Keeps these draws apart from others of the same seed. */
const purpose = 0x67_61_70;

interface Sentence {
  readonly text: string;
  readonly ids: readonly number[];
}

function maskIdOf(tokenizer: Tokenizer, name: string): number {
  const [id, ...more] = tokenizer.encode(name, { addSpecialTokens: false });
  if (id === undefined || more.length > 0 || tokenizer.tokenOf(id) !== name) {
    throw new BridleError("TOKEN_MISSING", { name });
  }
  return id;
}

/**
 * The sentences that fit into the limit with the end token, from the first on. One that is too long by itself is cut
 * where it stands alone, since there would be nothing to read otherwise.
 */
function readable(sentences: readonly Sentence[], limit: number): readonly Sentence[] {
  let room = limit - 1;
  const kept: Sentence[] = [];
  for (const sentence of sentences) {
    if (sentence.ids.length > room) break;
    kept.push(sentence);
    room -= sentence.ids.length;
  }
  const first = sentences[0];
  if (kept.length > 0 || first === undefined) return kept;
  return [{ text: first.text, ids: first.ids.slice(0, room) }];
}

const lengthOf = (sentences: readonly Sentence[]) =>
  sentences.reduce((sum, { ids }) => sum + ids.length, 0);

/**
 * Gap-sentence pre-training. A document is split into sentences, of which the leading ones that fit into
 * `maxSourceTokens` unmasked are read. The strategy chooses gaps among those: in the input a mask token stands in place
 * of each (unless it is left intact), the labels are the gap sentences in the order of the document. Sentences are
 * tokenized one by one. Labels past `maxTargetTokens` are cut; both cuts are counted.
 *
 * The same seed, row and epoch give the same example; only `random`, `intact` and `maskedTokens` differ from epoch to
 * epoch.
 * @throws TOKEN_MISSING where the tokenizer has no mask tokens
 */
export function createGapSentences(
  tokenizer: Tokenizer,
  options: GapSentenceObjectiveOptions,
): Objective {
  const { maxSourceTokens, maxTargetTokens, strategy, ratio, intact, maskedTokens } = options;
  const { eosTokenId } = tokenizer;
  const gapId = maskIdOf(tokenizer, sentenceMask);
  const mask =
    maskedTokens > 0
      ? createTokenMasking(tokenizer, {
          share: maskedTokens,
          maskId: maskIdOf(tokenizer, tokenMask),
        })
      : undefined;
  const seed = deriveSeed(options.seed, purpose);

  const read = (document: string) => {
    const all = splitSentences(document).map(({ start, end }) => {
      const text = document.slice(start, end);
      return { text, ids: tokenizer.encode(text, { addSpecialTokens: false }) };
    });
    // One without tokens, such as invisible signs, would put a mask where there is nothing to write.
    const sentences = readable(
      all.filter(({ ids }) => ids.length > 0),
      maxSourceTokens,
    );
    return { sentences, lostSource: lengthOf(all) - lengthOf(sentences) };
  };
  const gapsOf = (sentences: readonly Sentence[], place: ExamplePlace) =>
    selectGapSentences(
      sentences.map(({ text }) => text),
      { strategy, ratio, mode: options.mode, seed: seedAt(place, 0) },
    ).indices;
  const seedAt = ({ row, epoch }: ExamplePlace, draw: number) =>
    deriveSeed(deriveSeed(deriveSeed(seed, epoch), row), draw);

  /** Whether lengths differ from epoch to epoch. */
  const differs = strategy === "random" || intact > 0;
  /** Every gap may be left readable, and under `random` the longest sentences may become gaps. */
  const longestOf = (lengths: readonly number[], gaps: number) => {
    const longestFirst = lengths.toSorted((a, b) => b - a).slice(0, gaps);
    const sum = (of: readonly number[]) => of.reduce((total, length) => total + length, 1);
    return { source: sum(lengths), target: Math.min(sum(longestFirst), maxTargetTokens) };
  };

  return {
    encode({ document }, place) {
      const { sentences, lostSource } = read(document);
      const gaps = new Set(gapsOf(sentences, place));
      const random = seededRandom(seedAt(place, 1));
      const input: number[] = [];
      const target: number[] = [];
      for (const [index, { ids }] of sentences.entries()) {
        const isGap = gaps.has(index);
        if (isGap) target.push(...ids);
        // Drawn for every gap, so that the share changes no other draw.
        const isRead = !isGap || drawShare(random) < intact;
        if (isRead) input.push(...ids);
        else input.push(gapId);
      }
      const labels = cut([...target, eosTokenId], maxTargetTokens, eosTokenId);
      const inputIds = [...input, eosTokenId];
      const lengths = sentences.map(({ ids }) => ids.length);
      return {
        ...(mask === undefined ? { inputIds } : mask(inputIds, seededRandom(seedAt(place, 2)))),
        labels: labels.ids,
        lostSource,
        lostTarget: labels.lost,
        ...(differs && { longest: longestOf(lengths, gaps.size) }),
      };
    },
  };
}
