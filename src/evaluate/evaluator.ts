// Takes outcomes row by row into the means of one evaluation.
import type { Pair } from "../data/pairs.js";
import { type BridleError, toBridleError } from "../errors/error.js";
import type { Summarizer, SummaryParameters, SummaryResult } from "../summarize/summarizer.js";
import { tokenize } from "../text/rouge/tokenize.js";
import { countWords } from "../text/words.js";
import { type BaselineName, baselineSummaries } from "./baselines.js";
import {
  type BaselineEvaluation,
  type EvaluatedRow,
  type Evaluation,
  type EvaluationParameters,
  evaluationTypes,
  type RowProblem,
} from "./evaluation.js";
import { documentGrams } from "./novelty.js";
import {
  type Bootstrap,
  Mean,
  meanDifference,
  meanScores,
  type RowScore,
  SetScoring,
  StatisticsSum,
} from "./scoring.js";

export const problemRowsKept = 100;
/** Errors that say the request is wrong: every other row would fail the same way. */
const fatalCodes: ReadonlySet<string> = new Set([
  "INVALID_PARAMETER",
  "PARAMETER_NOT_SUPPORTED",
  "MODEL_NOT_FOUND",
  "BUG",
]);

export type Outcome =
  | { readonly pair: Pair; readonly result: SummaryResult }
  | { readonly pair: Pair; readonly error: BridleError };

export interface EvaluatorSettings {
  readonly parameters: EvaluationParameters;
  readonly baselines: readonly BaselineName[];
  readonly language: string | undefined;
  readonly bootstrap: Bootstrap;
  readonly onRow: ((row: EvaluatedRow) => void) | undefined;
}

/** The part of an evaluation that rows decide. */
export type Figures = Pick<
  Evaluation,
  "failedRows" | "scoring" | "scores" | "statistics" | "reference" | "document" | "baselines"
>;

export class Evaluator {
  private readonly summarizer: Summarizer;
  private readonly settings: EvaluatorSettings;
  private readonly scoring: SetScoring;
  private readonly rowScores: RowScore[] = [];
  private readonly baselineScores = new Map<BaselineName, RowScore[]>();
  private readonly statistics = new StatisticsSum();
  private readonly referenceStatistics = new StatisticsSum();
  private readonly baselineStatistics = new Map<BaselineName, StatisticsSum>();
  private readonly documentWords = new Mean();
  private readonly genLen = new Mean();
  private readonly readShare = new Mean();
  private readonly failedRows: RowProblem[] = [];
  failed = 0;
  emptySummaries = 0;

  constructor(summarizer: Summarizer, settings: EvaluatorSettings) {
    this.summarizer = summarizer;
    this.settings = settings;
    this.scoring = new SetScoring(settings.language);
    for (const name of settings.baselines) {
      this.baselineScores.set(name, []);
      this.baselineStatistics.set(name, new StatisticsSum());
    }
  }

  get scored(): number {
    return this.rowScores.length;
  }

  private parametersFor(pair: Pair): SummaryParameters {
    const { sentences, ...rest } = this.settings.parameters;
    if (sentences === undefined) return rest;
    return {
      ...rest,
      sentences:
        sentences === "reference" ? this.scoring.sentences(pair.references[0]!).length : sentences,
    };
  }

  /** Summarizes one row; never rejects. */
  async run(pair: Pair, signal: AbortSignal): Promise<Outcome> {
    try {
      const parameters = this.parametersFor(pair);
      return {
        pair,
        result: await this.summarizer.summarize(pair.document, { parameters, signal }),
      };
    } catch (thrown) {
      return { pair, error: toBridleError(thrown) };
    }
  }

  /** Takes one row into the means. @throws the row's error where it is fatal */
  take(outcome: Outcome): void {
    const { pair } = outcome;
    const { id, file, line } = pair;
    let summary = "";
    if ("error" in outcome) {
      const { error } = outcome;
      if (fatalCodes.has(error.code)) throw error;
      this.failed++;
      if (this.failedRows.length < problemRowsKept) {
        this.failedRows.push({ id, file, line, problem: `${error.code}: ${error.message}` });
      }
    } else {
      summary = outcome.result.summary;
      const { inputTokens, usedTokens, outputTokens } = outcome.result.usage;
      this.genLen.add(outputTokens);
      this.readShare.add(inputTokens > 0 ? usedTokens / inputTokens : undefined);
    }
    if (summary.trim() === "") this.emptySummaries++;
    const { scoring } = this;
    const score = scoring.score(pair.references, summary);
    this.rowScores.push(score);

    const document = {
      words: countWords(pair.document),
      grams: documentGrams(tokenize(pair.document, { mode: scoring.mode })),
    };
    this.documentWords.add(document.words);
    this.statistics.add(summary, document, scoring);
    this.referenceStatistics.add(pair.references[0]!, document, scoring);
    const simple = baselineSummaries(this.settings.baselines, {
      document: pair.document,
      references: pair.references,
      sentences: scoring.sentences(pair.references[0]!).length,
      language: this.settings.language,
      tokens: (text) => scoring.tokens(text),
    });
    for (const [name, text] of simple) {
      this.baselineScores.get(name)!.push(scoring.score(pair.references, text));
      this.baselineStatistics.get(name)!.add(text, document, scoring);
    }
    const fmeasures = Object.fromEntries(
      evaluationTypes.map((type) => [type, score[type].fmeasure]),
    ) as EvaluatedRow["fmeasures"];
    this.settings.onRow?.({ id, file, line, summary, fmeasures });
  }

  finish(): Figures {
    const { bootstrap } = this.settings;
    const baselines: Partial<Record<BaselineName, BaselineEvaluation>> = {};
    for (const name of this.settings.baselines) {
      const rows = this.baselineScores.get(name)!;
      baselines[name] = {
        scores: meanScores(rows, bootstrap),
        statistics: this.baselineStatistics.get(name)!.value(),
        difference: meanDifference(this.rowScores, rows, bootstrap),
      };
    }
    const { mode, stemmer } = this.scoring;
    return {
      failedRows: this.failedRows,
      scoring: { mode, stemmer, reference: "best-rouge1", ...bootstrap },
      scores: meanScores(this.rowScores, bootstrap),
      statistics: {
        ...this.statistics.value(),
        genLen: this.genLen.value(),
        readShare: this.readShare.value(),
      },
      reference: this.referenceStatistics.value(),
      document: { words: this.documentWords.value() },
      baselines,
    };
  }
}
