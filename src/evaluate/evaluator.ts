// Takes outcomes row by row into the means of one evaluation.
import type { Pair } from "../data/pairs.js";
import { type BridleError, toBridleError } from "../errors/error.js";
import type { Summarizer, SummaryParameters, SummaryResult } from "../summarize/summarizer.js";
import { documentGrams } from "../text/novelty.js";
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

export type Answer = { readonly result: SummaryResult } | { readonly error: BridleError };

export interface Outcome {
  readonly pair: Pair;
  readonly answer: Answer;
  /** In the order of the rivals. */
  readonly rivalAnswers: readonly Answer[];
}

export interface EvaluatorSettings {
  readonly parameters: EvaluationParameters;
  readonly baselines: readonly BaselineName[];
  readonly rivals: readonly Summarizer[];
  readonly language: string | undefined;
  readonly bootstrap: Bootstrap;
  readonly onRow: ((row: EvaluatedRow) => void) | undefined;
}

/** The part of an evaluation that rows decide. */
export type Figures = Pick<
  Evaluation,
  | "failedRows"
  | "scoring"
  | "scores"
  | "statistics"
  | "reference"
  | "document"
  | "baselines"
  | "rivals"
>;

/** What a rival has come to so far. */
interface RivalSum {
  readonly summarizer: Summarizer;
  readonly scores: RowScore[];
  readonly statistics: StatisticsSum;
  failed: number;
}

export class Evaluator {
  private readonly summarizer: Summarizer;
  private readonly settings: EvaluatorSettings;
  private readonly scoring: SetScoring;
  private readonly rowScores: RowScore[] = [];
  private readonly baselineScores = new Map<BaselineName, RowScore[]>();
  private readonly statistics = new StatisticsSum();
  private readonly referenceStatistics = new StatisticsSum();
  private readonly baselineStatistics = new Map<BaselineName, StatisticsSum>();
  private readonly rivals: readonly RivalSum[];
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
    this.rivals = settings.rivals.map((rival) => ({
      summarizer: rival,
      scores: [],
      statistics: new StatisticsSum(),
      failed: 0,
    }));
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

  /** Summarizes one row with the model and each rival; never rejects. */
  async run(pair: Pair, signal: AbortSignal): Promise<Outcome> {
    const parameters = this.parametersFor(pair);
    const ask = async (summarizer: Summarizer, asked: SummaryParameters): Promise<Answer> => {
      try {
        return {
          result: await summarizer.summarize(pair.document, { parameters: asked, signal }),
        };
      } catch (thrown) {
        return { error: toBridleError(thrown) };
      }
    };
    const answer = await ask(this.summarizer, parameters);
    const rivalAnswers: Answer[] = [];
    for (const { summarizer } of this.rivals) {
      const known = Object.entries(parameters).filter(([name]) =>
        summarizer.supportedParameters.includes(name),
      );
      rivalAnswers.push(await ask(summarizer, Object.fromEntries(known)));
    }
    return { pair, answer, rivalAnswers };
  }

  /** Takes one row into the means. @throws the row's error where it is fatal */
  take({ pair, answer, rivalAnswers }: Outcome): void {
    const { id, file, line } = pair;
    let summary = "";
    if ("error" in answer) {
      const { error } = answer;
      if (fatalCodes.has(error.code)) throw error;
      this.failed++;
      if (this.failedRows.length < problemRowsKept) {
        this.failedRows.push({ id, file, line, problem: `${error.code}: ${error.message}` });
      }
    } else {
      summary = answer.result.summary;
      const { inputTokens, usedTokens, outputTokens } = answer.result.usage;
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
    const rivals = this.rivals.map((rival, i) => {
      const given = rivalAnswers[i];
      if (given !== undefined && "error" in given) {
        if (fatalCodes.has(given.error.code)) throw given.error;
        rival.failed++;
      }
      const text = given !== undefined && "result" in given ? given.result.summary : "";
      rival.scores.push(scoring.score(pair.references, text));
      rival.statistics.add(text, document, scoring);
      return { model: rival.summarizer.model, summary: text };
    });
    const fmeasures = Object.fromEntries(
      evaluationTypes.map((type) => [type, score[type].fmeasure]),
    ) as EvaluatedRow["fmeasures"];
    this.settings.onRow?.({
      ...{ id, file, line, document: pair.document, references: pair.references },
      ...{ summary, fmeasures, rivals },
    });
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
      rivals: this.rivals.map(({ summarizer, scores, statistics, failed }) => ({
        model: summarizer.model,
        version: summarizer.version,
        ...(summarizer.digest !== undefined && { digest: summarizer.digest }),
        failed,
        scores: meanScores(scores, bootstrap),
        statistics: statistics.value(),
        difference: meanDifference(this.rowScores, scores, bootstrap),
      })),
    };
  }
}
