// Trains a tokenizer on sentences and gives the files of its folder: spiece.model and what transformers reads beside it.
import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { thisMachine } from "../../../config/machine.js";
import { abortError } from "../../../errors/abort-error.js";
import { BridleError } from "../../../errors/error.js";
import { createNormalizer } from "../normalizer.js";
import { type Piece, pieceTypes } from "../sentencepiece-model.js";
import { writeSentencePieceModel } from "../sentencepiece-writer.js";
import { buildCharsmap } from "./charsmap.js";
import { eosId, layouts, padId, reservedPieces, unkId } from "./layouts.js";
import { seedPieces, stringsOf } from "./seed-pieces.js";
import { SentenceSample } from "./sentence-sample.js";
import { openTaskRunner } from "./task-runner.js";
import {
  type CheckedTrainOptions,
  checkTrainOptions,
  type TrainTokenizerOptions,
} from "./train-options.js";
import { trainingWords } from "./training-words.js";
import { type LearnedPiece, UnigramTrainer } from "./unigram-trainer.js";
import { WordCounter } from "./word-counts.js";

export interface TrainedTokenizer {
  /** The folder's files by name; `spiece.model` is the last. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Pieces of spiece.model. */
  readonly vocabSize: number;
  /** What a model's `vocab_size` must be: with the ids the family adds. */
  readonly modelVocabSize: number;
  /** Characters that every text is made of but for the rarest. */
  readonly alphabetSize: number;
  /** Sentences trained on; fewer than `sentencesInAll` when a sample was drawn. */
  readonly sentences: number;
  readonly sentencesInAll: number;
  /** Sentences left out because they hold U+2585, which SentencePiece keeps for itself. */
  readonly leftOut: number;
  /** Different words trained on. */
  readonly words: number;
  /** SHA-256 of spiece.model, in hex. */
  readonly sha256: string;
}

const encoder = new TextEncoder();
const lineFeed = 0x0a;
const bytesBetweenPauses = 250_000;

/** The lines of what a caller hands over, as bytes. */
function* linesOf(item: string | Uint8Array, number: number): Generator<Uint8Array> {
  if (typeof item !== "string" && !isUtf8(item)) {
    const where = `Sentence ${number}`;
    throw new BridleError("ROW_NOT_UTF8", { where, encoding: "UTF-8", guess: "its encoding" });
  }
  const bytes = typeof item === "string" ? encoder.encode(item) : item;
  let from = 0;
  for (let to = bytes.indexOf(lineFeed); to >= 0; to = bytes.indexOf(lineFeed, from)) {
    yield bytes.subarray(from, to);
    from = to + 1;
  }
  yield bytes.subarray(from);
}

/** Lets timers and signals have their turn. @throws CANCELLED, DEADLINE_EXCEEDED */
async function pause(signal: AbortSignal | undefined, startedAt: number): Promise<void> {
  await setImmediate();
  if (signal?.aborted) throw abortError(signal, startedAt);
}

type Sentences = AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>;

/** Counts the sentences, or a sample of them. */
async function count(
  sentences: Sentences,
  counter: WordCounter,
  options: CheckedTrainOptions,
  startedAt: number,
): Promise<number> {
  const { sample: size, seed, signal, onProgress } = options;
  const sample = size === 0 ? undefined : new SentenceSample(size, seed);
  let items = 0;
  let inAll = 0;
  let sincePause = 0;
  for await (const item of sentences) {
    items++;
    for (const line of linesOf(item, items)) {
      if (line.length === 0) continue;
      inAll++;
      sincePause += line.length;
      if (sample === undefined) counter.add(line);
      else sample.offer(line);
    }
    if (sincePause < bytesBetweenPauses) continue;
    sincePause = 0;
    await pause(signal, startedAt);
    onProgress({ phase: "read", sentences: inAll });
  }
  onProgress({ phase: "read", sentences: inAll });
  for (const [i, line] of (sample?.sentences ?? []).entries()) {
    counter.add(line);
    if (i % 20_000 === 0) await pause(signal, startedAt);
  }
  return inAll;
}

function checkSize(options: CheckedTrainOptions, alphabet: number, reserved: number): void {
  const least = alphabet + reserved;
  if (least <= options.vocabSize) return;
  throw new BridleError("VOCABULARY_TOO_SMALL", {
    wanted: options.vocabSize,
    alphabet,
    reserved,
    least,
    coverage: options.characterCoverage,
  });
}

/**
 * Trains a Unigram tokenizer as SentencePiece 0.2.3 does: the same pieces and scores for the same sentences. The result
 * is the same bytes for the same sentences in the same order, options and seed, whatever the number of threads.
 * @param sentences one sentence or document each; a line end within one separates sentences
 * @throws CORPUS_EMPTY, CORPUS_TOO_VARIED, VOCABULARY_TOO_SMALL, VOCABULARY_TOO_LARGE, ROW_NOT_UTF8 with the number of
 *   the sentence, INVALID_PARAMETER, CANCELLED, DEADLINE_EXCEEDED
 */
export async function trainTokenizer(
  sentences: Sentences,
  given: TrainTokenizerOptions,
): Promise<TrainedTokenizer> {
  const options = checkTrainOptions(given);
  const { layout: layoutName, normalizer: normalizerName, signal, onProgress } = options;
  const startedAt = performance.now();
  const layout = layouts[layoutName];
  const userDefined = [...layout.userDefined, ...options.userDefined];
  const reserved = reservedPieces(userDefined, options.byteFallback);
  const precompiledCharsmap = buildCharsmap(normalizerName);
  const whitespace = {
    addDummyPrefix: true,
    removeExtraWhitespaces: true,
    escapeWhitespaces: true,
    whitespaceAsSuffix: false,
  };
  const counter = new WordCounter({
    normalizer: createNormalizer({ precompiledCharsmap, ...whitespace }, [], normalizerName),
    reserved: reserved.map(({ piece }) => piece),
    foldsCase: normalizerName.endsWith("_cf"),
  });
  const sentencesInAll = await count(sentences, counter, options, startedAt);
  const counts = await counter.finish(async (done, total) => {
    await pause(signal, startedAt);
    onProgress({ phase: "normalize", done, total });
  });
  if (counts.last < 0) {
    throw new BridleError("CORPUS_EMPTY", {
      reason: counts.sentences === 0 ? "it has no sentence" : "its sentences hold no text",
    });
  }
  const words = trainingWords(counts, options.characterCoverage, options.requiredCharacters);
  const alphabetSize = words.alphabet.byFrequency.length;
  checkSize(options, alphabetSize, reserved.length);

  const small = words.characters.length < 20_000;
  const runner = openTaskRunner(
    small ? 0 : (options.threads ?? Math.min(16, thisMachine().threads)),
    signal,
  );
  let learned: LearnedPiece[];
  try {
    onProgress({ phase: "seed", words: words.counts.length });
    const found = await runner.seeds({
      kind: "seeds",
      strings: stringsOf(words),
      rules: {
        maxPieceLength: options.maxPieceLength,
        splitByScript: options.splitByScript,
        splitByNumber: options.splitByNumber,
        splitDigits: options.splitDigits,
      },
      most: options.seedPieces,
    });
    const trainer = new UnigramTrainer(
      words,
      seedPieces(words, found),
      {
        learned: options.vocabSize - reserved.length,
        vocabSize: options.vocabSize,
        shrinkingFactor: options.shrinkingFactor,
        subIterations: options.subIterations,
      },
      runner,
    );
    learned = await trainer.train((round) => onProgress({ phase: "round", ...round }));
  } finally {
    await runner.close();
  }
  const vocabSize = learned.length + reserved.length;
  if (vocabSize < options.vocabSize) {
    throw new BridleError("VOCABULARY_TOO_LARGE", {
      wanted: options.vocabSize,
      largest: vocabSize,
    });
  }
  const pieces: Piece[] = [
    ...reserved.map(({ piece, type }) => ({ piece, score: 0, type })),
    ...learned.map(({ piece, score }) => ({ piece, score, type: pieceTypes.normal })),
  ];
  const model = writeSentencePieceModel({
    pieces,
    trainer: { ...options, sampled: options.sample, userDefined, unkId, bosId: -1, eosId, padId },
    normalizerName,
    precompiledCharsmap,
  });
  const files = new Map<string, Uint8Array>();
  for (const [name, content] of layout.files(options.modelMaxLength)) {
    files.set(name, encoder.encode(`${JSON.stringify(content, null, 2)}\n`));
  }
  files.set("spiece.model", model);
  return {
    files,
    vocabSize,
    modelVocabSize: vocabSize + layout.addedIds,
    alphabetSize,
    sentences: counts.sentences,
    sentencesInAll,
    leftOut: counts.leftOut,
    words: words.counts.length,
    sha256: createHash("sha256").update(model).digest("hex"),
  };
}
