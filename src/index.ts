// The public library: what `import … from "bridle"` gives. Importing it loads no model; that happens when it is asked for.

import type { RunConfigInput } from "./config/run-config.js";
import type { DataProfile, ProfileOptions, SplitFiles } from "./data/checks/profile.js";
import type { SplitOptions, SplitRecord } from "./data/checks/split.js";
import type { ReadTextsOptions } from "./data/corpus.js";
import type { Pair, ReadPairsOptions } from "./data/pairs.js";
import type { EvaluateOptions } from "./evaluate/evaluate.js";
import type { Evaluation } from "./evaluate/evaluation.js";
import type { Model, OpenModelOptions } from "./generate/model.js";
import type { DownloadProgress } from "./model/hub/download-progress.js";
import type { Need } from "./model/hub/model-files.js";
import type { ModelSource } from "./model/resolve-model.js";
import type { CreateSummarizerOptions } from "./summarize/create-summarizer.js";
import type { Summarizer } from "./summarize/summarizer.js";
import type { DocumentText, ReadHints, ReadLimits } from "./text/files/document-text.js";
import type { Tokenizer } from "./text/tokenizers/tokenizer.js";
import type { TrainTokenizerOptions } from "./text/tokenizers/train/train-options.js";
import type { TrainedTokenizer } from "./text/tokenizers/train/train-tokenizer.js";
import type { TrainOptions, TrainResult } from "./train/loop.js";
import type { ReproduceOptions, Reproduction } from "./train/reproduce.js";

export type { GenerateOptions } from "./config/generate-options.js";
export type { RunConfigInput } from "./config/run-config.js";
export { bridleVersion as version } from "./config/version.js";
export type {
  DataProfile,
  ProfileOptions,
  SplitFiles,
  SplitProfile,
} from "./data/checks/profile.js";
export type { SplitOptions, SplitRecord } from "./data/checks/split.js";
export type { ReadTextsOptions } from "./data/corpus.js";
export type { Pair, ReadPairsOptions } from "./data/pairs.js";
export type { ErrorCode, ErrorKind } from "./errors/codes.js";
export { BridleError, type ErrorDetails } from "./errors/error.js";
export type { EvaluateOptions, EvaluateProgress } from "./evaluate/evaluate.js";
export type {
  BaselineEvaluation,
  EvaluatedRow,
  Evaluation,
  EvaluationParameters,
  Interval,
  MeanScore,
  RowProblem,
  SummaryStatistics,
} from "./evaluate/evaluation.js";
export type { GenerateHooks, GenerateInput, GenerateResult } from "./generate/generator.js";
export type { ForwardOptions, ForwardResult, Model, OpenModelOptions } from "./generate/model.js";
export type { ForwardInput } from "./model/forward.js";
export type { DownloadProgress } from "./model/hub/download-progress.js";
export type { RoundingProgress } from "./model/quantization/open.js";
export type { Tensor } from "./runtime/tensor.js";
export type { CreateSummarizerOptions } from "./summarize/create-summarizer.js";
export type {
  ModelTraits,
  PartEvent,
  Span,
  SummarizeOptions,
  Summarizer,
  SummaryEvent,
  SummaryParameters,
  SummaryResult,
  SummaryUsage,
  TokenEvent,
} from "./summarize/summarizer.js";
export type {
  DocumentText,
  FileFormat,
  ReadHints,
  ReadLimits,
} from "./text/files/document-text.js";
export {
  type AggregateOptions,
  type AggregateScore,
  aggregateRouge,
} from "./text/rouge/aggregate.js";
export { type RougeOptions, type RougeType, rouge } from "./text/rouge/rouge.js";
export type { RougeScore } from "./text/rouge/score.js";
export type { RougeMode } from "./text/rouge/tokenize.js";
export { type SentenceOptions, type SentenceSpan, splitSentences } from "./text/sentences.js";
export type { TrainEvent } from "./train/events.js";
export type { TrainOptions, TrainResult } from "./train/loop.js";
export type { ReproduceOptions, Reproduction } from "./train/reproduce.js";
export type { RunRecord } from "./train/trained-model.js";

/**
 * Opens a summarizer; close it when you are done.
 *
 * ```js
 * const summarizer = await createSummarizer();
 * const { summary, sources } = await summarizer.summarize(text, { parameters: { sentences: 3 } });
 * await summarizer.close();
 * ```
 * @throws MODEL_NOT_FOUND, what is wrong with a model's files, and for a model on the hub the codes that begin with HUB_
 */
export async function createSummarizer(options: CreateSummarizerOptions = {}): Promise<Summarizer> {
  const { createSummarizer } = await import("./summarize/create-summarizer.js");
  if (options.model === undefined || options.sources !== undefined)
    return await createSummarizer(options);
  return await createSummarizer({ ...options, sources: await registeredSources() });
}

/** Names of the registry in this project, or where BRIDLE_DB and BRIDLE_STORE say it lies. */
async function registeredSources(): Promise<readonly ModelSource[]> {
  const { modelSources } = await import("./compose.js");
  return modelSources();
}

/**
 * The text of a txt, md, html, pdf or docx file in any common encoding, read in a worker thread where it is long.
 * @param hints what is known of the file, such as its name; its content has the first word
 * @throws FILE_EMPTY and the other codes that begin with FILE_, TEXT_TOO_LARGE, INVALID_PARAMETER, CANCELLED,
 *   DEADLINE_EXCEEDED
 */
export async function readDocument(
  bytes: Uint8Array,
  hints: ReadHints = {},
  options: { readonly signal?: AbortSignal; readonly limits?: Partial<ReadLimits> } = {},
): Promise<DocumentText> {
  const { createDocumentReader } = await import("./text/files/reader.js");
  const { signal, limits } = options;
  const reader = createDocumentReader({ threads: 1, ...(limits === undefined ? {} : { limits }) });
  try {
    return await reader.read(bytes, hints, { signal });
  } finally {
    await reader.close();
  }
}

/**
 * The rows of files, in order: JSON Lines, a JSON list, CSV, TSV, Parquet, each plain, gzip or Zstandard, or folders of
 * texts. What a file is is told by its content, then by its name. Holds one row at a time, whatever the files' size.
 * @throws while iterating: FILE_NOT_FOUND, FILE_NOT_READABLE, FOLDER_NOT_DATA, INVALID_PARAMETER, and with file and line
 *   what is wrong with a row
 */
export async function* readPairs(
  files: string | readonly string[],
  options: ReadPairsOptions = {},
): AsyncGenerator<Pair> {
  const { readPairs } = await import("./data/pairs.js");
  yield* readPairs(files, options);
}

/**
 * The texts of files, in order, to learn from: every line of a plain text, or the document and the summaries of every
 * row. Holds one text at a time. Lines of plain text come as bytes, which are UTF-8.
 * @throws while iterating: FILE_NOT_FOUND, FILE_NOT_READABLE, FOLDER_NOT_DATA, INVALID_PARAMETER, and with file and line
 *   what is wrong with a text
 */
export async function* readTexts(
  files: string | readonly string[],
  options: ReadTextsOptions = {},
): AsyncGenerator<string | Uint8Array> {
  const { readTexts } = await import("./data/corpus.js");
  yield* readTexts(files, options);
}

/**
 * Scores a summarizer on rows of documents and references: ROUGE with bootstrap intervals, lengths, novelty, and the
 * same for simple systems where `baselines` names some.
 * @param rows an iterable of pairs, or the names of JSON Lines files to read them from
 * @throws INVALID_PARAMETER, PARAMETER_NOT_SUPPORTED, NOTHING_TO_EVALUATE, CANCELLED, and what reading the rows throws
 */
export async function evaluate(
  summarizer: Summarizer,
  rows: AsyncIterable<Pair> | Iterable<Pair> | string | readonly string[],
  options: EvaluateOptions & { readonly read?: ReadPairsOptions } = {},
): Promise<Evaluation> {
  const { evaluate } = await import("./evaluate/evaluate.js");
  const { read, ...rest } = options;
  return await evaluate(summarizer, isFiles(rows) ? readPairs(rows, read) : rows, rest);
}

function isFiles(
  rows: AsyncIterable<Pair> | Iterable<Pair> | string | readonly string[],
): rows is string | readonly string[] {
  return typeof rows === "string" || (Array.isArray(rows) && typeof rows[0] === "string");
}

/** How a model on the hub is fetched. */
export interface DownloadOptions {
  /** Told how far the download is. */
  readonly onDownload?: (progress: DownloadProgress) => void;
  /** Ends the download; what is there of it stays and is taken up by the next. */
  readonly signal?: AbortSignal;
}

async function resolve(
  name: string,
  needs: readonly Need[],
  { onDownload, signal }: DownloadOptions,
): Promise<string> {
  const { resolveModel } = await import("./model/resolve-model.js");
  return await resolveModel(name, {
    needs,
    onDownload,
    signal,
    sources: await registeredSources(),
  });
}

/**
 * Opens a model: forward pass, generation, weights. Running it blocks the thread it is on; `createSummarizer({ model })`
 * keeps it on one of its own.
 *
 * ```js
 * const model = await loadModel("google/pegasus-xsum");
 * const asked = { ...model.generationDefaults, numBeams: 4, maxNewTokens: 64 };
 * const { sequences } = await model.generate({ inputIds, attentionMask }, asked);
 * ```
 * @param name a folder in Hugging Face layout, a registered version (`news:3`, `news@champion`), or a model on the Hugging
 *   Face hub: `owner/name`, `owner/name@revision`
 * @throws MODEL_NOT_FOUND, FILE_INVALID, CONFIG_INVALID, ARCHITECTURE_NOT_SUPPORTED, WEIGHTS_NOT_FOUND,
 *   WEIGHTS_CORRUPT, WEIGHT_MISSING, WEIGHT_UNEXPECTED, SHAPE_MISMATCH, PICKLE_FORBIDDEN, DEVICE_UNAVAILABLE,
 *   DEPENDENCY_MISSING, and for a model on the hub the codes that begin with HUB_, DISK_SPACE_SHORT and CANCELLED
 */
export async function loadModel(
  name: string,
  options: OpenModelOptions & DownloadOptions = {},
): Promise<Model> {
  const { openModel } = await import("./generate/model.js");
  const { onDownload, signal, ...rest } = options;
  return await openModel(await resolve(name, ["model"], options), rest);
}

/**
 * The tokenizer of a model: `spiece.model`, else what `tokenizer.json` was converted from.
 * @param name as for `loadModel`; the weights are not downloaded
 * @throws MODEL_NOT_FOUND, TOKENIZER_INVALID, TOKENIZER_NOT_FOUND, and for a model on the hub what `loadModel` throws
 */
export async function loadTokenizer(
  name: string,
  options: DownloadOptions = {},
): Promise<Tokenizer> {
  const { loadTokenizer } = await import("./text/tokenizers/load.js");
  return await loadTokenizer(await resolve(name, ["tokenizer"], options));
}

export type {
  BatchOptions,
  DecodeOptions,
  EncodeOptions,
  Encoding,
  Token,
  Tokenizer,
} from "./text/tokenizers/tokenizer.js";

/**
 * Trains a model as a configuration says, and answers where it is and what came of it. It works on this thread and gives
 * way between steps; a run that was interrupted goes on when it is started again.
 *
 * ```js
 * const { folder, record } = await train({
 *   model: { name: "google/pegasus-xsum" },
 *   data: { train: "train.jsonl", validation: "valid.jsonl" },
 *   train: { output: "news", epochs: 1 },
 * });
 * ```
 * @param config an object as params.yaml holds, or the name of such a file
 * @throws RUN_CONFIG_INVALID, OUTPUT_IN_USE, CHECKPOINT_MISMATCH, LOSS_NOT_FINITE, WRITE_FAILED, CANCELLED, and what
 *   opening the model and reading the data throw
 */
export async function train(
  config: RunConfigInput | string,
  options: TrainOptions = {},
): Promise<TrainResult> {
  const [{ train }, { checkRunConfig, loadRunConfig }] = await Promise.all([
    import("./train/loop.js"),
    import("./config/load.js"),
  ]);
  const checked = typeof config === "string" ? await loadRunConfig(config) : checkRunConfig(config);
  return await train(checked, { sources: await registeredSources(), ...options });
}

/**
 * Trains a version again from its bridle.json, in a folder of its own, and compares the weights bit for bit with the recorded
 * hashes; the version's own weights need not be there.
 *
 * ```js
 * const { same, facts, differences } = await reproduce("news");
 * ```
 * @param version folder with a bridle.json
 * @throws VERSION_NOT_FOUND, FILE_INVALID, REPRODUCE_INPUT_MISSING, REPRODUCE_INPUT_CHANGED, REPRODUCE_NOTHING_RECORDED,
 *   OUTPUT_EXISTS, and what training throws. Weights that differ are a result, not an error.
 */
export async function reproduce(
  version: string,
  options: ReproduceOptions = {},
): Promise<Reproduction> {
  const { reproduce } = await import("./train/reproduce.js");
  return await reproduce(version, { sources: await registeredSources(), ...options });
}

/**
 * Looks at every row of some splits once and tells what they hold and what is wrong with them, in memory of about 250 bytes a
 * row.
 *
 * ```js
 * const { splits, leakage } = await profileData([
 *   { name: "train", files: ["train.jsonl"] },
 *   { name: "test", files: ["test.jsonl"] },
 * ]);
 * ```
 * @param splits in the order of use: what is learned from first
 * @throws FILE_NOT_FOUND, FILE_NOT_READABLE, FOLDER_NOT_DATA, INVALID_PARAMETER, CANCELLED. What is wrong with rows is counted.
 */
export async function profileData(
  splits: readonly SplitFiles[],
  options: ProfileOptions = {},
): Promise<DataProfile> {
  const { profileData } = await import("./data/checks/profile.js");
  return await profileData(splits, options);
}

/**
 * Splits files of rows into a folder, without documents that are alike on two sides; the same data and seed give the same files.
 *
 * ```js
 * const { splits } = await splitData(["rows.jsonl"], "data", { shares: { train: 0.9, test: 0.1 } });
 * ```
 * @throws SPLIT_IMPOSSIBLE, OUTPUT_EXISTS, INVALID_PARAMETER, DATA_CHANGED, FILE_NOT_WRITABLE, CANCELLED, and what reading rows
 *   throws
 */
export async function splitData(
  files: readonly string[],
  output: string,
  options: SplitOptions = {},
): Promise<SplitRecord> {
  const { splitData } = await import("./data/checks/split.js");
  return await splitData(files, output, options);
}

/**
 * Trains a SentencePiece Unigram tokenizer, in worker threads where it pays.
 *
 * ```js
 * const trained = await trainTokenizer(readTexts("train.jsonl.gz"), { vocabSize: 16_000 });
 * await saveTokenizer("my-model", trained);
 * ```
 * @param sentences one sentence or document each, strings or UTF-8; a line end within one separates sentences
 * @throws CORPUS_EMPTY, CORPUS_TOO_VARIED, VOCABULARY_TOO_SMALL, VOCABULARY_TOO_LARGE, ROW_NOT_UTF8, INVALID_PARAMETER,
 *   CANCELLED, DEADLINE_EXCEEDED, and what reading the sentences throws
 */
export async function trainTokenizer(
  sentences: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
  options: TrainTokenizerOptions,
): Promise<TrainedTokenizer> {
  const { trainTokenizer } = await import("./text/tokenizers/train/train-tokenizer.js");
  return await trainTokenizer(sentences, options);
}

/**
 * Writes a trained tokenizer's files into a folder, where a model may join them.
 * @throws OUTPUT_EXISTS where a tokenizer is there and `overwrite` is not said; FILE_NOT_WRITABLE, WRITE_FAILED
 */
export async function saveTokenizer(
  folder: string,
  trained: Pick<TrainedTokenizer, "files">,
  options: { readonly overwrite?: boolean } = {},
): Promise<void> {
  const { saveTokenizer } = await import("./model/checkpoint/save-tokenizer.js");
  await saveTokenizer(folder, trained, options);
}

export type {
  TokenizerProgress,
  TrainTokenizerOptions,
} from "./text/tokenizers/train/train-options.js";
export type { TrainedTokenizer } from "./text/tokenizers/train/train-tokenizer.js";
