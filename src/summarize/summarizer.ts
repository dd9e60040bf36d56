// The product's verb: text in, a summary and an account of what was read out. Every model stands behind this interface.

import type { GenerateOptions } from "../config/generate-options.js";
import type { BridleError } from "../errors/error.js";
import type { EngineLoad, Priority } from "../generate/scheduler.js";
import type { Device } from "../runtime/devices.js";

/** A half-open range [start, end) of the document, in UTF-16 code units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** How long an extractive summary is to be. At most one of `sentences` and `ratio`; `maxWords` may cap either. */
export interface LengthParameters {
  /** Number of sentences, 1 or more. */
  readonly sentences?: number;
  /** Share of the document's sentences, above 0 and at most 1. */
  readonly ratio?: number;
  /** At most so many words, 1 or more; whole sentences are kept. */
  readonly maxWords?: number;
}

/** What a caller may ask for; `supportedParameters` says what of it a model takes. */
export interface SummaryParameters extends LengthParameters, GenerateOptions {
  /** Reads only what fits a neural model at once; without it, long documents are read in parts. */
  readonly truncation?: boolean;
}

export interface SummaryUsage {
  /** Length of the whole document in the model's tokens (extractive: words). */
  readonly inputTokens: number;
  /** How many of them the model read. */
  readonly usedTokens: number;
  /** Length of the summary in the model's tokens (extractive: words). */
  readonly outputTokens: number;
  /** In how many parts the document was read. */
  readonly chunks: number;
}

export interface SummaryResult {
  readonly summary: string;
  /** Name and version of the model that wrote it. */
  readonly model: string;
  readonly version: string;
  /** `stop`: the summary is whole; `length`: the asked maximum cut it short, also where an end is forced there. */
  readonly finishReason: "stop" | "length";
  /** True only where the caller asked for truncation and text was left unread. */
  readonly truncated: boolean;
  readonly usage: SummaryUsage;
  /** What the summary rests on, in document order (extractive: the chosen sentences). */
  readonly sources: readonly Span[];
  /** Documents that shared a neural model's steps with it, itself included, on average. */
  readonly occupancy?: number;
  /** True where it was made for an earlier request, or one at the same time, that asked for the same. */
  readonly cached?: true;
  /** Milliseconds spent, by phase; `total` always. */
  readonly timingsMs: Readonly<Record<string, number> & { total: number }>;
}

/** What a running summary tells before it is done. */
export type SummaryEvent = PartEvent | TokenEvent;

/** A part begins to be summarized. Told where there is more than one. */
export interface PartEvent {
  readonly type: "part";
  /** Counted from 0. */
  readonly index: number;
  readonly of: number;
  /**
   * 0 while the document is read. Later rounds summarize the summaries of the round before, so that their tokens take
   * the place of all that were told.
   */
  readonly round: number;
  /** The part of the document; in round 0 only. */
  readonly source?: Span;
}

/** Text that will not change within its round: the tokens of the last round, put together, are the summary. */
export interface TokenEvent {
  readonly type: "token";
  readonly text: string;
}

export interface SummarizeOptions {
  readonly parameters?: SummaryParameters;
  /** Aborting it frees what the work holds and rejects with CANCELLED, or DEADLINE_EXCEEDED for a TimeoutError reason. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: SummaryEvent) => void;
  /**
   * Told where a neural model's time went, by phase in ms, where no summary comes of it. It may be told after the promise has
   * been rejected, and not at all where whoever did the work is lost.
   */
  readonly onFailure?: (timingsMs: SummaryResult["timingsMs"]) => void;
  /** Whether somebody waits for the answer ("interactive", unless said) or it belongs to a pile of work. */
  readonly priority?: Priority;
}

/** What a neural model is at work on, and what it has done. */
export type { EngineLoad };

/** What a model is, where it runs and how far it reaches. */
export interface ModelTraits {
  /** `extractive` picks sentences of the document; `neural` writes its own. */
  readonly kind: "extractive" | "neural";
  readonly device: Device;
  /** What its weights are held as; null for a model without weights. */
  readonly dtype: string | null;
  /** In the model's own tokens; null where there is no limit. */
  readonly limits: {
    /** What it reads at once, the end token included; longer documents are read in parts. */
    readonly maxInputTokens: number | null;
    /** The longest summary of a part, the end token included. */
    readonly maxNewTokens: number | null;
  };
}

export interface Summarizer {
  readonly model: string;
  /** A registered version's number, else twelve digits of what decides the answers. */
  readonly version: string;
  /** Hash of a registered version's package. */
  readonly digest?: string;
  /** What a registered version's card says of its licence; null where it says nothing. */
  readonly licence?: string | null;
  /** A version that ought to answer in place of this one, and why it does not yet. */
  readonly pending?: { readonly version: number; readonly error: BridleError } | undefined;
  /** The one version that it answers by, where it may come to have others and was asked for by number. */
  readonly pinned?: number;
  readonly traits: ModelTraits;
  /** Names of the parameters this model takes. */
  readonly supportedParameters: readonly string[];
  /** The parameters used where the caller says nothing. */
  readonly defaults: SummaryParameters;
  /**
   * Summarizes one document of any length.
   * @throws EMPTY_TEXT, INVALID_PARAMETER, PARAMETER_NOT_SUPPORTED, CANCELLED, DEADLINE_EXCEEDED
   */
  summarize(document: string, options?: SummarizeOptions): Promise<SummaryResult>;
  /** What the engine is at work on; undefined for a model without one, or before its first request. */
  load?(): EngineLoad | undefined;
  /** Makes the first request as quick as the next ones. */
  warmUp(): Promise<void>;
  /** How many processes share its work, where it has any of its own. */
  readonly engines?: number;
  close(): Promise<void>;
}
