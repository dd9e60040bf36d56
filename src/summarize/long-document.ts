// Summarizes a text of any length with a model of limited reach: in parts, and the parts' summaries again.
import type { GenerateOptions } from "../config/generate-options.js";
import { BridleError } from "../errors/error.js";
import { checkAborted } from "../generate/generator.js";
import type { Model } from "../generate/model.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";
import { type Part, splitIntoParts } from "./parts.js";
import type { Span, SummaryEvent, SummaryUsage } from "./summarizer.js";

export interface LongDocumentOptions {
  readonly generate: GenerateOptions;
  /** Reads only what fits the model at once. */
  readonly truncate: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: SummaryEvent) => void) | undefined;
}

export interface LongDocumentResult {
  readonly summary: string;
  readonly finishReason: "stop" | "length";
  readonly truncated: boolean;
  readonly usage: SummaryUsage;
  readonly sources: readonly Span[];
}

interface Written {
  readonly text: string;
  readonly tokens: number;
  readonly complete: boolean;
}

/** Longest input in tokens, the end token included. */
export function inputLimit(model: Model, tokenizer: Tokenizer): number {
  return Math.min(model.config.maxPositions ?? Number.POSITIVE_INFINITY, tokenizer.modelMaxLength);
}

/** Pegasus writes `<n>` where a line ends. */
function toPlainText(text: string): string {
  return text.replaceAll(/\s*<n>\s*/g, "\n").trim();
}

async function summarizePart(
  model: Model,
  tokenizer: Tokenizer,
  part: Part,
  options: LongDocumentOptions,
  onText?: (text: string) => void,
): Promise<Written> {
  let told = "";
  const { sequences } = await model.generate({ inputIds: [[...part.ids]] }, options.generate, {
    signal: options.signal,
    onTokens(ids) {
      if (!onText) return;
      const text = toPlainText(tokenizer.decode(ids, { skipSpecialTokens: true }));
      // The last character may still change with the next token: only what stays is told.
      if (text.startsWith(told) && text.length > told.length) {
        onText(text.slice(told.length));
        told = text;
      }
    },
  });
  const ids = sequences[0] ?? [];
  const end = ids.indexOf(tokenizer.eosTokenId, 1);
  const text = toPlainText(tokenizer.decode(ids, { skipSpecialTokens: true }));
  if (onText && text.startsWith(told) && text.length > told.length) onText(text.slice(told.length));
  return { text, tokens: (end < 0 ? ids.length : end + 1) - 1, complete: end >= 0 };
}

/**
 * Summarizes a text. One that fits is read at once. A longer one is split at sentence borders, each part is
 * summarized, and the summaries are joined; while they do not fit the model either, they are summarized again.
 * @throws EMPTY_TEXT, CANCELLED, DEADLINE_EXCEEDED, INVALID_PARAMETER, LOGITS_INVALID
 */
export async function summarizeLongDocument(
  model: Model,
  tokenizer: Tokenizer,
  document: string,
  options: LongDocumentOptions,
): Promise<LongDocumentResult> {
  const limit = inputLimit(model, tokenizer);
  let parts = splitIntoParts(document, tokenizer, limit);
  if (parts.length === 0) throw new BridleError("EMPTY_TEXT", { where: "the document" });
  const inputTokens = parts.reduce((sum, { ids }) => sum + ids.length, 0);
  const truncated = options.truncate && parts.length > 1;
  if (truncated) parts = parts.slice(0, 1);
  const usedTokens = parts.reduce((sum, { ids }) => sum + ids.length, 0);
  const chunks = parts.length;
  const sources = parts.map(({ start, end }) => ({ start, end }));

  let text = "";
  let written: Written[] = [];
  for (let size = Number.POSITIVE_INFINITY; ; ) {
    written = [];
    // Parts of the document are counted; those of a later round are the same work once more.
    const firstRound = size === Number.POSITIVE_INFINITY;
    for (const [index, part] of parts.entries()) {
      checkAborted(options.signal);
      if (firstRound && chunks > 1) options.onEvent?.({ type: "part", index, of: chunks });
      const onText =
        chunks === 1
          ? (token: string) => options.onEvent?.({ type: "token", text: token })
          : undefined;
      written.push(await summarizePart(model, tokenizer, part, options, onText));
    }
    text = written
      .map((part) => part.text)
      .filter(Boolean)
      .join("\n");
    const next = splitIntoParts(text, tokenizer, limit);
    const nextSize = next.reduce((sum, { ids }) => sum + ids.length, 0);
    if (next.length <= 1 || nextSize >= size) break;
    parts = next;
    size = nextSize;
  }
  return {
    summary: text,
    finishReason: written.every(({ complete }) => complete) ? "stop" : "length",
    truncated,
    usage: {
      inputTokens,
      usedTokens,
      outputTokens: written.reduce((sum, { tokens }) => sum + tokens, 0),
      chunks,
    },
    sources,
  };
}
