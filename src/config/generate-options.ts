// Generation options with Hugging Face's names in camelCase, their ranges and defaults.
import { z } from "zod";

const tokenId = z.number().int().min(0);
const tokenIds = z.array(tokenId);
const count = z.number().int().min(0);
const positive = z.number().int().min(1);
const aboveZero = z.number().positive().finite();

/** A beam search looks at as many candidates more for each token that ends it. Models have one or a few. */
const mostEndTokens = 100;
const endTokens = tokenIds.min(1).max(mostEndTokens);

/** Every beam is compared with every sequence at each step. */
const mostSequences = 10_000;

/** Each beam holds a row of scores as long as the vocabulary: far more of them than this fit no memory. */
const mostBeams = 1000;
const beams = positive.max(mostBeams);

/** One schema gives the types, the checks and, later, the flags and the API's documentation. */
export const generateOptionsSchema = z.strictObject({
  maxLength: positive.describe("longest sequence in tokens, the start token included").optional(),
  maxNewTokens: positive.describe("most tokens to write; goes before maxLength").optional(),
  minLength: count.describe("shortest sequence in tokens, the start token included").optional(),
  minNewTokens: count.describe("fewest tokens to write; goes before minLength").optional(),
  numBeams: beams.describe("beams of beam search; 1 is greedy search").optional(),
  numBeamGroups: beams.describe("groups of diverse beam search").optional(),
  diversityPenalty: z
    .number()
    .min(0)
    .describe("taken off a token's score for each earlier group that chose it")
    .optional(),
  lengthPenalty: z
    .number()
    .finite()
    .describe("exponent of the length that beam scores are divided by")
    .optional(),
  earlyStopping: z
    .union([z.boolean(), z.literal("never")])
    .describe("when beam search stops")
    .optional(),
  numReturnSequences: beams.describe("sequences returned for each document").optional(),
  doSample: z.boolean().describe("draw tokens instead of taking the likeliest").optional(),
  seed: z.number().int().min(0).describe("seed of the draws").optional(),
  temperature: aboveZero.describe("divides the scores before drawing").optional(),
  topK: count.describe("draw from the K likeliest tokens; 0 for all").optional(),
  topP: z
    .number()
    .min(0)
    .max(1)
    .describe("draw from the fewest tokens whose probability reaches P")
    .optional(),
  minP: z
    .number()
    .min(0)
    .max(1)
    .describe("drop tokens below this share of the likeliest one's probability")
    .optional(),
  topH: aboveZero.max(1).describe("top-H sampling's share of the entropy").optional(),
  typicalP: aboveZero.max(1).describe("locally typical sampling's probability mass").optional(),
  epsilonCutoff: z.number().min(0).max(1).describe("drop tokens below this probability").optional(),
  etaCutoff: z.number().min(0).max(1).describe("eta sampling's cutoff").optional(),
  repetitionPenalty: aboveZero.describe("divides the scores of tokens already written").optional(),
  encoderRepetitionPenalty: aboveZero
    .describe("multiplies the scores of the document's tokens")
    .optional(),
  noRepeatNgramSize: count
    .describe("no n-gram of this size is written twice; 0 for no limit")
    .optional(),
  encoderNoRepeatNgramSize: count
    .describe("no n-gram of this size is copied from the document")
    .optional(),
  badWordsIds: z
    .array(tokenIds.min(1))
    .min(1)
    .max(mostSequences)
    .describe("token sequences never written")
    .optional(),
  sequenceBias: z
    .array(z.tuple([tokenIds.min(1), z.number()]))
    .min(1)
    .max(mostSequences)
    .describe("added to the score that completes a sequence")
    .optional(),
  forcedBosTokenId: tokenId.nullable().describe("first token after the start token").optional(),
  forcedEosTokenId: z
    .union([tokenId, endTokens])
    .nullable()
    .describe("last token when the maximum length is reached")
    .optional(),
  eosTokenId: z.union([tokenId, endTokens]).describe("tokens that end a sequence").optional(),
  padTokenId: tokenId.describe("fills shorter sequences").optional(),
  decoderStartTokenId: tokenId.describe("token that every sequence starts with").optional(),
  suppressTokens: tokenIds.describe("tokens never written").optional(),
  beginSuppressTokens: tokenIds.describe("tokens not written first").optional(),
  exponentialDecayLengthPenalty: z
    .tuple([count, aboveZero])
    .describe("from a length on, raises the end token's score by a growing factor")
    .optional(),
  removeInvalidValues: z.boolean().describe("replace NaN and infinite scores").optional(),
  renormalizeLogits: z
    .boolean()
    .describe("make scores log-probabilities again after all changes")
    .optional(),
});

export type GenerateOptions = z.output<typeof generateOptionsSchema>;

/** What holds where neither the caller nor the model says otherwise, as in transformers. */
export const generateDefaults = {
  numBeams: 1,
  numBeamGroups: 1,
  numReturnSequences: 1,
  doSample: false,
  seed: 0,
  temperature: 1,
  topK: 50,
  typicalP: 1,
  epsilonCutoff: 0,
  etaCutoff: 0,
  repetitionPenalty: 1,
  removeInvalidValues: false,
  diversityPenalty: 0,
  lengthPenalty: 1,
  earlyStopping: false,
  topP: 1,
  encoderRepetitionPenalty: 1,
  noRepeatNgramSize: 0,
  encoderNoRepeatNgramSize: 0,
  renormalizeLogits: false,
} as const satisfies GenerateOptions;
