// Runs searches over a batch of documents: one encoder run, then one step run for each token.
import { BridleError } from "../errors/error.js";
import type { Graph } from "../graph/index.js";
import type { Family, ModelConfig } from "../model/family.js";
import { additiveMask, checkedMask, checkTokenIds } from "../model/forward.js";
import { checkLogits } from "../model/loss.js";
import { openSession, type Session, type SessionOptions } from "../runtime/session.js";
import { int64, int64Rows, type Tensor } from "../runtime/tensor.js";
import type { Weights } from "../runtime/weights.js";
import { createBeamSearch } from "./beam.js";
import { encoderGraph, SelfAttentionCache, selfAttentionInputs, stepGraph } from "./cache.js";
import { createDiverseBeamSearch } from "./diverse-beam.js";
import { createGreedySearch } from "./greedy.js";
import { type GenerateOptions, type ResolvedOptions, resolveOptions } from "./options.js";
import type { Candidates, Search } from "./search.js";

export interface GenerateInput {
  /** [B][S], padded to equal length. */
  readonly inputIds: readonly (readonly number[])[];
  /** [B][S], 1 for a token and 0 for padding; all tokens unless given. */
  readonly attentionMask?: readonly (readonly number[])[] | undefined;
}

export interface GenerateResult {
  /** [B·numReturnSequences][T], padded to equal length; a document's sequences stand together, best first. */
  readonly sequences: number[][];
  /** Score of each sequence. */
  readonly scores: (number | undefined)[];
  /** [B·numReturnSequences][T−1]: the beam, counted through the batch, that each token came from; −1 after the end. */
  readonly beamIndices: number[][] | undefined;
}

export interface GenerateHooks {
  /** Checked before every step. */
  readonly signal?: AbortSignal | undefined;
  /** Called after every step with the tokens of the first document that can no longer change. */
  readonly onTokens?: ((ids: readonly number[]) => void) | undefined;
}

export interface Generator {
  /**
   * @throws INVALID_PARAMETER, SHAPE_MISMATCH, CANCELLED, LOGITS_INVALID when the model answers what is no number
   */
  generate(
    input: GenerateInput,
    options?: GenerateOptions,
    hooks?: GenerateHooks,
  ): Promise<GenerateResult>;
  close(): Promise<void>;
}

function createSearch(options: ResolvedOptions, source: readonly number[], stream: number): Search {
  if (options.numBeamGroups > 1) return createDiverseBeamSearch(options, source);
  if (options.numBeams > 1) return createBeamSearch(options, source, stream);
  return createGreedySearch(options, source, stream);
}

/** Throws what an aborted signal asks for. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw signal.reason instanceof BridleError ? signal.reason : new BridleError("CANCELLED");
}

export interface GeneratorOptions extends SessionOptions {
  /** Makes a float32 graph one that uses the weights as they are given. */
  readonly adapt?: (graph: Graph) => Graph;
}

/** Opens the encoder and step sessions of a model. */
export async function openGenerator<C extends ModelConfig>(
  family: Family<C>,
  config: C,
  weights: Weights,
  { adapt = (graph) => graph, ...sessionOptions }: GeneratorOptions = {},
): Promise<Generator> {
  const step = adapt(stepGraph(family, config));
  const encoder = await openSession(adapt(encoderGraph(family, config)), weights, sessionOptions);
  // A step has as many rows as beams: few enough that laying the weights out anew pays.
  const decoder = await openSession(step, weights, { ...sessionOptions, prepack: true });
  return {
    generate: (input, options = {}, hooks = {}) =>
      generate(
        { encoder, decoder, config, cacheInputs: selfAttentionInputs(step) },
        input,
        options,
        hooks,
      ),
    async close() {
      await encoder.close();
      await decoder.close();
    },
  };
}

interface Engine {
  readonly encoder: Session;
  readonly decoder: Session;
  readonly config: ModelConfig;
  readonly cacheInputs: readonly string[];
}

async function generate(
  engine: Engine,
  input: GenerateInput,
  asked: GenerateOptions,
  hooks: GenerateHooks,
): Promise<GenerateResult> {
  const { encoder, decoder, config } = engine;
  const options = resolveOptions(asked, config);
  const feeds = encoderFeeds(input, config);
  const { mask } = feeds;
  const batch = input.inputIds.length;
  checkAborted(hooks.signal);
  const memory = await encoder.run(feeds);
  const searches = input.inputIds.map((row, stream) => createSearch(options, row, stream));
  const width = searches[0]?.width ?? 1;
  const cache = new SelfAttentionCache(engine.cacheInputs, {
    batch,
    width,
    heads: config.decoderHeads,
    headWidth: config.headWidth,
  });

  while (searches.some((search) => !search.done)) {
    checkAborted(hooks.signal);
    const rows = searches.map((search) => search.rows);
    const { feeds: cached, fetches } = cache.next(rows.map((of) => of.map(({ parent }) => parent)));
    const tokens = int64(
      rows.flatMap((of) => of.map(({ token }) => token)),
      [batch, width],
    );
    const needs = neededCandidates(searches, config.vocabSize);
    const count = int64([needs ?? 1], [1]);
    const fed = { ...memory, ...cached, mask, ids: tokens, count };
    const answer = await decoder.run(
      fed,
      fetches,
      needs === undefined ? ["best", "tokens", "logSum"] : ["logits"],
    );
    if (needs === undefined)
      advance(searches, answer.logits as Tensor<"float32">, width, options.removeInvalidValues);
    else choose(searches, answer, width);
    hooks.onTokens?.(searches[0]?.stablePrefix() ?? []);
    // The step has blocked this thread: let its messages in, so that it can be cancelled.
    await new Promise(setImmediate);
  }
  return collect(searches, options);
}

/**
 * Sources are padded to a multiple of this. Sums over a source are made in vectors of at most so many elements, the rest
 * one by one; without a rest, padding adds zeros and nothing else, so that a document's figures are the same in any batch.
 */
const sourceMultiple = 16;

/**
 * What the encoder is fed.
 * @throws SHAPE_MISMATCH, INVALID_PARAMETER, INPUT_TOO_LONG
 */
function encoderFeeds({ inputIds, attentionMask }: GenerateInput, config: ModelConfig) {
  const [, length = 0] = int64Rows("inputIds", inputIds).shape;
  checkTokenIds("inputIds", inputIds, config);
  const attention = checkedMask(inputIds, attentionMask);
  const padded = Math.ceil(length / sourceMultiple) * sourceMultiple;
  const pad = (row: readonly number[], filler: number) => [
    ...row,
    ...new Array<number>(padded - length).fill(filler),
  ];
  const last = (config.maxPositions ?? padded) - 1;
  return {
    ids: int64Rows(
      "inputIds",
      inputIds.map((row) => pad(row, config.padTokenId)),
    ),
    mask: additiveMask(attention.map((row) => pad(row, 0))),
    // Nothing looks at padding, so that it may stand anywhere.
    positions: int64(
      Array.from({ length: padded }, (_, i) => Math.min(i, last)),
      [padded],
    ),
  };
}

/** How many candidates of each row do for all searches; undefined where one needs all scores, or hardly fewer. */
function neededCandidates(searches: readonly Search[], vocabulary: number): number | undefined {
  let most = 1;
  for (const search of searches) {
    if (search.done) continue;
    const { needs } = search;
    if (needs === undefined || needs > vocabulary / 4) return undefined;
    most = Math.max(most, needs);
  }
  return most;
}

/** Gives each search its rows' candidates. @throws LOGITS_INVALID where a score is no number */
function choose(
  searches: readonly Search[],
  answer: Readonly<Record<string, Tensor>>,
  width: number,
): void {
  const best = answer.best as Tensor<"float32">;
  const tokens = answer.tokens as Tensor<"int64">;
  const logSum = answer.logSum as Tensor<"float32">;
  const count = best.shape[2] ?? 0;
  for (const [b, search] of searches.entries()) {
    if (search.done) continue;
    const rows: Candidates[] = [];
    for (let row = b * width; row < (b + 1) * width; row++) {
      const sum = logSum.data[row] as number;
      if (!Number.isFinite(sum)) throw new BridleError("LOGITS_INVALID", { value: sum, row: b });
      const at = row * count;
      rows.push({
        tokens: Array.from(tokens.data.subarray(at, at + count), Number),
        logProbabilities: Array.from(best.data.subarray(at, at + count), (score) =>
          Math.fround(score - sum),
        ),
      });
    }
    search.choose(rows);
  }
}

/** @param mayBeInvalid whether an option replaces scores that are no numbers */
function advance(
  searches: readonly Search[],
  logits: Tensor<"float32">,
  width: number,
  mayBeInvalid: boolean,
): void {
  const vocabulary = logits.shape[2] ?? 0;
  for (const [b, search] of searches.entries()) {
    if (search.done) continue;
    const rows: Float32Array[] = [];
    for (let row = 0; row < width; row++) {
      const start = (b * width + row) * vocabulary;
      const scores = logits.data.subarray(start, start + vocabulary);
      if (!mayBeInvalid) checkLogits(scores, b);
      rows.push(scores);
    }
    search.advance(rows);
  }
}

/**
 * What fills sequences up: the pad token, but in beam search the end token where the pad token is 0.
 * Source: transformers 5, `_beam_search`: `pad_token_id or eos_token_id[0]`.
 */
function fillerOf(options: ResolvedOptions): number {
  const beams = options.numBeams > 1 && options.numBeamGroups === 1;
  return beams && options.padTokenId === 0
    ? (options.eosTokenIds[0] as number)
    : options.padTokenId;
}

/** All sequences padded to the longest, as transformers returns them. */
function collect(searches: readonly Search[], options: ResolvedOptions): GenerateResult {
  const found = searches.flatMap((search, b) =>
    search.result().map((sequence) => ({ ...sequence, offset: b * search.width })),
  );
  const longest = Math.max(...found.map(({ ids }) => ids.length));
  const pad = (row: readonly number[], length: number, filler: number) => [
    ...row,
    ...new Array<number>(length - row.length).fill(filler),
  ];
  return {
    sequences: found.map(({ ids }) => pad(ids, longest, fillerOf(options))),
    scores: found.map(({ score }) => score),
    beamIndices: found.every(({ beams }) => beams !== undefined)
      ? found.map(({ beams = [], offset }) =>
          pad(
            beams.map((beam) => beam + offset),
            longest - 1,
            -1,
          ),
        )
      : undefined,
  };
}
