// The masked-token half of pre-training: words of the encoder's input hidden, as PEGASUS's own preparation does it.
// Source: google-research/pegasus, pretrain_parsing_ops.cc (GetMLM) and sp_text_encoder.cc (WholeWordSegment).
import { ignored } from "../../model/loss.js";
import { drawDistinct, type SeededRandom } from "../../text/seeded-random.js";
import type { Tokenizer } from "../../text/tokenizers/tokenizer.js";

export interface MaskedTokens {
  readonly inputIds: readonly number[];
  /** For each place of the input the token that belongs there if the place was chosen, else −100. */
  readonly encoderLabels: readonly number[];
}

export type TokenMasking = (ids: readonly number[], random: SeededRandom) => MaskedTokens;

/** Shares of the chosen words that are masked, and that are replaced by random tokens; the rest stays. As BERT. */
const maskedShare = 0.8;
const randomShare = 0.1;

/** SentencePiece's sign for a space, with which a word begins. */
const wordMark = "\u2581";

/** A number in 0..1, 1 left out. */
export function drawShare(random: SeededRandom): number {
  return random.nextUint32() / 2 ** 32;
}

/** Start and end of each run of tokens that make a word; special tokens are no part of one. */
function wordsOf(
  ids: readonly number[],
  isSpecial: (id: number) => boolean,
  startsWord: (id: number) => boolean,
): { start: number; end: number }[] {
  const words: { start: number; end: number }[] = [];
  let start = -1;
  const close = (end: number) => {
    if (start >= 0) words.push({ start, end });
    start = -1;
  };
  for (const [at, id] of ids.entries()) {
    if (isSpecial(id)) close(at);
    else if (start < 0 || startsWord(id)) {
      close(at);
      start = at;
    }
  }
  close(ids.length);
  return words;
}

/**
 * Masking of whole words: of those an input has, `max(1, floor(words × share))` are chosen; each is masked token by
 * token with a chance of 80 %, replaced by random tokens with 10 %, and left as it is with 10 %. Special tokens are
 * neither chosen nor drawn.
 * @param share of the words, above 0
 * @param maskId what stands in place of a masked token
 */
export function createTokenMasking(
  tokenizer: Tokenizer,
  { share, maskId }: { readonly share: number; readonly maskId: number },
): TokenMasking {
  const special = new Set(tokenizer.specialTokenIds);
  const ordinary = Array.from({ length: tokenizer.vocabSize }, (_, id) => id).filter(
    (id) => !special.has(id),
  );
  const startsWord = new Set(ordinary.filter((id) => tokenizer.tokenOf(id).startsWith(wordMark)));
  return (ids, random) => {
    const inputIds = [...ids];
    const encoderLabels = ids.map(() => ignored);
    const words = wordsOf(
      ids,
      (id) => special.has(id),
      (id) => startsWord.has(id),
    );
    if (words.length === 0) return { inputIds, encoderLabels };
    const count = Math.max(1, Math.floor(words.length * share));
    for (const index of drawDistinct(words.length, count, random)) {
      const { start, end } = words[index]!;
      const draw = drawShare(random);
      for (let at = start; at < end; at++) {
        encoderLabels[at] = ids[at]!;
        if (draw < maskedShare) inputIds[at] = maskId;
        else if (draw < maskedShare + randomShare) {
          inputIds[at] = ordinary[random.nextBelow(ordinary.length)]!;
        }
      }
    }
    return { inputIds, encoderLabels };
  };
}
