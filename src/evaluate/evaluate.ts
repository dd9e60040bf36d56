// Scores a summarizer on rows of documents and reference summaries, next to simple systems.
import { setMaxListeners } from "node:events";
import type { Pair } from "../data/pairs.js";
import { BridleError } from "../errors/error.js";
import { defaultConcurrency } from "../summarize/default-concurrency.js";
import type { Summarizer } from "../summarize/summarizer.js";
import { type BaselineName, checkBaselines } from "./baselines.js";
import type { EvaluatedRow, Evaluation, EvaluationParameters, RowProblem } from "./evaluation.js";
import { Evaluator, type Outcome, problemRowsKept } from "./evaluator.js";
import { LanguageVotes } from "./scoring.js";

export interface EvaluateProgress {
  readonly read: number;
  readonly scored: number;
  readonly failed: number;
}

export interface EvaluateOptions {
  /** How long summaries are to be; the summarizer's own defaults where nothing is said. */
  readonly parameters?: EvaluationParameters;
  /** Names of `baselineNames`. Default none. */
  readonly baselines?: readonly string[];
  /** Other models to put beside it, row by row. They are asked for what they support of the parameters. */
  readonly rivals?: readonly Summarizer[];
  /** Language of the set (BCP 47); detected from its first 64 documents where absent. */
  readonly language?: string;
  /** Bootstrap resamples, 1 or more. Default 1000. */
  readonly samples?: number;
  /** Width of the intervals, between 0 and 1. Default 0.95. */
  readonly confidence?: number;
  /** Seed of the resamples, 0..2^53-1. Default 0. */
  readonly seed?: number;
  /**
   * Documents worked on at once; the figures do not depend on it. Default: as many as there are processors; where a model
   * is neural as many as share its steps, 64 over the beams.
   */
  readonly concurrency?: number;
  /** Aborting stops the evaluation, which rejects with CANCELLED. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: EvaluateProgress) => void;
  /** Told each scored row, in the order of the data. */
  readonly onRow?: (row: EvaluatedRow) => void;
}

/** Rows whose language decides for the set; they are held until it is known. */
const languageRows = 64;
/** Text that is held meanwhile, and in work later, in UTF-16 units; one row may go past it. */
const heldUnitsLimit = 20_000_000;

function invalid(parameter: string, value: unknown, expected: string): BridleError {
  return new BridleError("INVALID_PARAMETER", { parameter, value: String(value), expected });
}

function checkOptions(options: EvaluateOptions): readonly BaselineName[] {
  const { baselines = [], language, confidence = 0.95, seed = 0, parameters = {} } = options;
  checkBaselines(baselines);
  const { sentences } = parameters;
  const counts = {
    samples: options.samples,
    concurrency: options.concurrency,
    sentences: sentences === "reference" ? undefined : sentences,
  };
  for (const [name, value] of Object.entries(counts)) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
    const also = name === "sentences" ? ', or "reference"' : "";
    throw invalid(name, value, `a whole number of at least 1${also}`);
  }
  if (language !== undefined && !/^[a-z]{2,3}(?:[-_][a-z0-9]+)*$/i.test(language)) {
    throw invalid("language", language, "a language code such as en or pt-BR");
  }
  if (!(confidence > 0 && confidence < 1)) {
    throw invalid("confidence", confidence, "a number between 0 and 1");
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw invalid("seed", seed, "a whole number in 0..2^53-1");
  }
  return [...new Set(baselines)];
}

/** What is empty about a row, or undefined. */
function emptiness({ document, references }: Pair): string | undefined {
  const blank = (text: string) => text.trim() === "";
  if (blank(document)) return "the document is blank";
  if (references.every(blank)) return "the reference summary is blank";
  return undefined;
}

/** The row without references that are blank, where others are not. */
function withText(pair: Pair): Pair {
  return { ...pair, references: pair.references.filter((each) => each.trim() !== "") };
}

function notesOf(code: string | undefined, votes: LanguageVotes): string[] {
  const notes: string[] = [];
  const all = Object.values(votes.counts).reduce((sum, count) => sum + count, 0);
  const same = votes.counts[code ?? ""] ?? 0;
  if (code === undefined) {
    notes.push("No language could be told; words are told apart as in any script, unstemmed.");
  } else if (all > 0 && same < 0.8 * all) {
    notes.push(
      `Only ${same} of ${all} documents are surely in ${code}; all are scored by its rules.`,
    );
  }
  return notes;
}

/**
 * Summarizes every row and scores it against its references: ROUGE-1/2/L/Lsum with bootstrap intervals, lengths,
 * novelty, and the same for the baselines and rivals asked for. Rows without text are left out of the means and reported; rows the
 * model fails on count with an empty summary. The same rows, options and model give the same figures, all but `timing`.
 * @throws INVALID_PARAMETER, PARAMETER_NOT_SUPPORTED, NOTHING_TO_EVALUATE, CANCELLED, and what reading the rows throws
 */
export async function evaluate(
  summarizer: Summarizer,
  rows: AsyncIterable<Pair> | Iterable<Pair>,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const began = performance.now();
  const baselines = checkOptions(options);
  const { signal, onProgress, onRow, rivals = [] } = options;
  const { samples = 1000, confidence = 0.95, seed = 0, parameters = {} } = options;
  const widths = [summarizer, ...rivals].map((each) => defaultConcurrency(each, parameters));
  const { concurrency = Math.max(...widths) } = options;
  const votes = new LanguageVotes();
  const emptyRows: RowProblem[] = [];
  let read = 0;
  let empty = 0;
  let held: Pair[] = [];
  let heldUnits = 0;
  let code = options.language;
  let evaluator: Evaluator | undefined;
  const pending: { readonly outcome: Promise<Outcome>; readonly units: number }[] = [];
  let pendingUnits = 0;
  const stop = new AbortController();
  const working = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  // Every document in work listens to it, and Node takes more than ten for a leak.
  setMaxListeners(0, working);

  const checkAborted = () => {
    if (signal?.aborted) throw new BridleError("CANCELLED", {}, { cause: signal.reason });
  };
  const takeFirst = async (into: Evaluator) => {
    const first = pending.shift()!;
    const outcome = await first.outcome;
    pendingUnits -= first.units;
    checkAborted();
    into.take(outcome);
    onProgress?.({ read, scored: into.scored, failed: into.failed });
  };
  const push = async (into: Evaluator, pair: Pair) => {
    const units = pair.document.length;
    const isFull = () =>
      pending.length >= concurrency ||
      (pending.length > 0 && pendingUnits + units > heldUnitsLimit);
    while (isFull()) await takeFirst(into);
    pendingUnits += units;
    pending.push({ outcome: into.run(pair, working), units });
  };
  /** Ends the wait for a language and starts on the rows that waited. */
  const begin = async () => {
    code ??= votes.winner();
    const bootstrap = { samples, confidence, seed };
    const settings = { parameters, baselines, rivals, language: code, bootstrap, onRow };
    const begun = new Evaluator(summarizer, settings);
    for (const pair of held) await push(begun, pair);
    held = [];
    return begun;
  };

  try {
    checkAborted();
    for await (const pair of rows) {
      checkAborted();
      read++;
      const problem = emptiness(pair);
      if (problem !== undefined) {
        empty++;
        const { id, file, line } = pair;
        if (emptyRows.length < problemRowsKept) emptyRows.push({ id, file, line, problem });
        continue;
      }
      if (options.language === undefined) await votes.add(pair.document);
      const row = withText(pair);
      if (evaluator) {
        await push(evaluator, row);
        continue;
      }
      held.push(row);
      heldUnits += row.document.length;
      const enough = held.length >= languageRows || heldUnits >= heldUnitsLimit;
      if (options.language !== undefined || enough) evaluator = await begin();
    }
    evaluator ??= await begin();
    while (pending.length > 0) await takeFirst(evaluator);
  } finally {
    // Frees what rows in flight hold when one of them, or the reading, has thrown.
    stop.abort();
  }
  const { scored, failed, emptySummaries } = evaluator;
  if (scored === 0) {
    const reason = read === 0 ? "there are none" : `all ${read} lack a document or a reference`;
    throw new BridleError("NOTHING_TO_EVALUATE", { reason });
  }
  const seconds = (performance.now() - began) / 1000;
  return {
    model: summarizer.model,
    version: summarizer.version,
    ...(summarizer.digest !== undefined && { digest: summarizer.digest }),
    parameters: options.parameters ?? summarizer.defaults,
    rows: { read, scored, empty, failed, emptySummaries },
    emptyRows,
    language: {
      code: code ?? null,
      source: options.language === undefined ? "detected" : "given",
      detected: votes.counts,
    },
    ...evaluator.finish(),
    timing: { seconds, documentsPerSecond: scored / seconds },
    notes: notesOf(code, votes),
  };
}
