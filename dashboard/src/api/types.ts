// The parts of the HTTP API that the page uses, as the server documents them at /openapi.json.

/** A half-open range of the document, in UTF-16 code units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export type SummaryParameters =
  | { readonly sentences: number }
  | { readonly ratio: number }
  | { readonly maxWords: number };

export interface SummaryRequest {
  readonly document: string;
  /** Left out, the server's default model answers. */
  readonly model?: string;
  readonly parameters: SummaryParameters;
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
  readonly timingsMs: { readonly total: number };
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
  /** Names of the parameters it takes. */
  readonly parameters: readonly string[];
}
