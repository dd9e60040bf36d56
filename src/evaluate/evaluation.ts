// What an evaluation says: plain data, fit for JSON, a table or a gate.
import type { SummaryParameters } from "../summarize/summarizer.js";
import type { BaselineName } from "./baselines.js";

export const evaluationTypes = ["rouge1", "rouge2", "rougeL", "rougeLsum"] as const;
export type EvaluationType = (typeof evaluationTypes)[number];

/** A mean with its bootstrap confidence interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** All values are shares in 0..1; tables show them times 100. */
export interface MeanScore {
  readonly precision: number;
  readonly recall: number;
  /** The figure that is meant where one number is given. */
  readonly fmeasure: Interval;
}

export type MeanScores = Readonly<Record<EvaluationType, MeanScore>>;

/** As many sentences as each row's first reference has, or what the summarizer itself takes. */
export type EvaluationParameters = Omit<SummaryParameters, "sentences"> & {
  readonly sentences?: number | "reference";
};

/** A row that a figure leaves out, or in which the model failed. */
export interface RowProblem {
  readonly id: string | number;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly problem: string;
}

/** Sizes and overlap with the document, as means over rows. */
export interface SummaryStatistics {
  readonly words: number;
  readonly sentences: number;
  /** Words of the document for each word of the summary. */
  readonly compression: number;
  /** Share of the summary's words and word pairs that the document does not have, in 0..1. */
  readonly novelUnigrams: number;
  readonly novelBigrams: number;
}

export interface BaselineEvaluation {
  readonly scores: MeanScores;
  readonly statistics: SummaryStatistics;
  /** The model's F-measure less the baseline's, row by row; an interval that leaves out 0 is a difference to rely on. */
  readonly difference: Readonly<Record<EvaluationType, Interval>>;
}

/** Another model on the same rows; it is asked for what it supports of the parameters. */
export interface RivalEvaluation extends BaselineEvaluation {
  readonly model: string;
  readonly version: string;
  /** Hash of a registered version's package. */
  readonly digest?: string;
  /** Rows it threw an error on; they count with an empty summary. */
  readonly failed: number;
}

/** One row's outcome, for a caller that keeps them. */
export interface EvaluatedRow {
  readonly id: string | number;
  readonly file: string;
  readonly line: number;
  readonly document: string;
  readonly references: readonly string[];
  /** Empty where the model failed. */
  readonly summary: string;
  /** F-measures in 0..1. */
  readonly fmeasures: Readonly<Record<EvaluationType, number>>;
  /** What the other models wrote; empty where one failed. */
  readonly rivals: readonly { readonly model: string; readonly summary: string }[];
}

export interface Evaluation {
  readonly model: string;
  readonly version: string;
  /** Hash of a registered version's package. */
  readonly digest?: string;
  readonly parameters: EvaluationParameters;
  readonly rows: {
    readonly read: number;
    /** Rows that the means are over: all but those without text in document or reference. */
    readonly scored: number;
    readonly empty: number;
    /** Rows the model threw an error on; they count as scored, with an empty summary. */
    readonly failed: number;
    /** Rows for which the model wrote nothing, failed ones included. */
    readonly emptySummaries: number;
  };
  /** The first hundred of each. */
  readonly emptyRows: readonly RowProblem[];
  readonly failedRows: readonly RowProblem[];
  readonly language: {
    /** ISO 639-1 code that decided how words are told apart; null where none could be told. */
    readonly code: string | null;
    readonly source: "given" | "detected";
    /** How many rows were detected to be in which language; empty where it was given. */
    readonly detected: Readonly<Record<string, number>>;
  };
  readonly scoring: {
    /** rouge_score 0.1.2's words, or words of any script. */
    readonly mode: "google" | "unicode";
    readonly stemmer: boolean;
    /** With several references, all figures are against the one with the best ROUGE-1 F-measure. */
    readonly reference: "best-rouge1";
    readonly confidence: number;
    readonly samples: number;
    readonly seed: number;
  };
  readonly scores: MeanScores;
  readonly statistics: SummaryStatistics & {
    /** Length in the model's own tokens. */
    readonly genLen: number;
    /** Share of the documents' tokens that the model read, in 0..1. */
    readonly readShare: number;
  };
  readonly reference: SummaryStatistics;
  readonly document: { readonly words: number };
  readonly baselines: Readonly<Partial<Record<BaselineName, BaselineEvaluation>>>;
  /** The other models asked for, in that order. */
  readonly rivals: readonly RivalEvaluation[];
  readonly timing: { readonly seconds: number; readonly documentsPerSecond: number };
  /** What a reader of the figures should know of the language they rest on. */
  readonly notes: readonly string[];
}
