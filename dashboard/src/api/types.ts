// The parts of the HTTP API that the page uses, as the server documents them at /openapi.json.

/** A half-open range of the document, in UTF-16 code units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What the page may ask for; `Model.parameters` says which of it a model takes. */
export interface SummaryParameters {
  readonly sentences?: number;
  readonly ratio?: number;
  readonly maxWords?: number;
  readonly numBeams?: number;
  readonly maxNewTokens?: number;
  readonly minNewTokens?: number;
  readonly lengthPenalty?: number;
  readonly noRepeatNgramSize?: number;
  readonly doSample?: boolean;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly truncation?: boolean;
}

export interface SummaryRequest {
  readonly document: string;
  /** Left out, the server's default model answers. */
  readonly model?: string;
  /** Left out, the model's own defaults hold. */
  readonly parameters?: SummaryParameters;
}

export interface Summary {
  readonly id: string;
  readonly summary: string;
  readonly model: string;
  readonly version: string;
  readonly finishReason: "stop" | "length";
  readonly truncated: boolean;
  readonly usage: {
    readonly inputTokens: number;
    readonly usedTokens: number;
    readonly outputTokens: number;
    readonly chunks: number;
  };
  readonly sources: readonly Span[];
  readonly timingsMs: { readonly total: number; readonly generate?: number };
}

/** Where a summary's sentences most likely come from, by the words they share. */
export interface Alignment {
  readonly sentences: readonly AlignedSentence[];
}

/** A sentence of the summary, by its place in it. */
export interface AlignedSentence extends Span {
  /** Sentences of the document, in its order; none where too little is shared. */
  readonly sources: readonly (Span & { readonly score: number })[];
}

/** What a stream tells before the summary is whole. */
export type SummaryEvent = PartEvent | TokenEvent;

/** A part begins. In round 0 the document is read; later rounds summarize the summaries of the round before. */
export interface PartEvent {
  readonly type: "part";
  /** Counted from 0. */
  readonly index: number;
  readonly of: number;
  readonly round: number;
  readonly source?: Span;
}

export interface TokenEvent {
  readonly type: "token";
  readonly text: string;
}

export interface ExtractedDocument {
  readonly text: string;
  readonly format: string;
  readonly encoding?: string;
  readonly pages?: number;
  readonly title?: string;
  readonly warnings: readonly string[];
  readonly fileName: string;
}

export interface Model {
  readonly name: string;
  readonly version: string;
  readonly isDefault: boolean;
  readonly kind: "extractive" | "neural";
  readonly device: string;
  readonly dtype: string | null;
  readonly limits: {
    readonly maxInputTokens: number | null;
    readonly maxNewTokens: number | null;
  };
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Names of the parameters it takes. */
  readonly parameters: readonly string[];
}
