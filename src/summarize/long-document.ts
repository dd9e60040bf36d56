// Summarizes a text of any length with a model of limited reach: in parts, and the parts' summaries again.
import { setImmediate as letOthersRun } from "node:timers/promises";
import type { GenerateOptions } from "../config/generate-options.js";
import { BridleError } from "../errors/error.js";
import type { Model } from "../generate/model.js";
import { resolveOptions } from "../generate/options.js";
import { checkAborted, type JobPhases, type Priority } from "../generate/scheduler.js";
import { usualReach } from "../model/prefix.js";
import { settledText, type Tokenizer } from "../text/tokenizers/tokenizer.js";
import { type Part, splitIntoParts } from "./parts.js";
import type { Span, SummaryEvent, SummaryUsage } from "./summarizer.js";

/** What of a model is needed to summarize with it. */
export type SummarizingModel = Pick<Model, "config" | "generate">;

export interface LongDocumentOptions {
  readonly generate: GenerateOptions;
  /** Reads only what fits the model at once. */
  readonly truncate: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly priority?: Priority | undefined;
  /** Called when the turn of a part has come. */
  readonly onStart?: (() => void) | undefined;
  readonly onEvent?: ((event: SummaryEvent) => void) | undefined;
  /** Called when a part is done, or has failed, with where its time went. */
  readonly onPhases?: ((phases: JobPhases) => void) | undefined;
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
export function inputLimit({ config }: SummarizingModel, tokenizer: Tokenizer): number {
  return Math.min(config.maxPositions ?? Number.POSITIVE_INFINITY, usualReach(config, tokenizer));
}

/** Room that a text before each part must leave for the part, in tokens. */
const leastRoom = 8;

/** @throws CONFIG_INVALID when the text before every document leaves no room for one */
function checkPrefix(prefix: string, tokenizer: Tokenizer, limit: number): void {
  if (prefix === "") return;
  const { length } = tokenizer.encode(prefix);
  if (length + leastRoom <= limit) return;
  throw new BridleError("CONFIG_INVALID", {
    key: "task_specific_params.summarization.prefix",
    value: `${length} tokens`,
    expected: `at most ${limit - leastRoom}, for the model reads ${limit} at once`,
  });
}

/** All parts of a text; between two of them the thread hears its messages, so that it can be cancelled. */
async function collectParts(
  text: string,
  tokenizer: Tokenizer,
  { limit, prefix }: { readonly limit: number; readonly prefix: string },
  signal: AbortSignal | undefined,
): Promise<Part[]> {
  const parts: Part[] = [];
  checkAborted(signal);
  for (const part of splitIntoParts(text, tokenizer, limit, prefix)) {
    parts.push(part);
    await letOthersRun();
    checkAborted(signal);
  }
  return parts;
}

/** Pegasus writes `<n>` where a line ends. */
function toPlainText(text: string): string {
  return text.replaceAll(/\s*<n>\s*/g, "\n").trim();
}

async function summarizePart(
  model: SummarizingModel,
  tokenizer: Tokenizer,
  part: Part,
  options: LongDocumentOptions,
  onText: (text: string) => void,
): Promise<Written> {
  let told = "";
  const tell = (text: string): void => {
    if (!text.startsWith(told) || text.length === told.length) return;
    onText(text.slice(told.length));
    told = text;
  };
  const { sequences } = await model.generate({ inputIds: [[...part.ids]] }, options.generate, {
    signal: options.signal,
    priority: options.priority,
    onStart: options.onStart,
    onPhases: options.onPhases,
    onTokens: (ids) => {
      const text = toPlainText(tokenizer.decode(ids, { skipSpecialTokens: true }));
      tell(settledText(text, tokenizer.cleanUpTokenizationSpaces));
    },
  });
  const ids = sequences[0] ?? [];
  const ends = [options.generate.eosTokenId ?? model.config.eosTokenId].flat();
  const end = ids.findIndex((id, i) => i > 0 && ends.includes(id));
  // An end that is forced where the limit is says nothing of the text before it; one that came by itself just there looks the same.
  const { forcedEosTokenIds, maxLength } = resolveOptions(options.generate, model.config);
  const isForced = forcedEosTokenIds !== undefined && end === maxLength - 1;
  const text = toPlainText(tokenizer.decode(ids, { skipSpecialTokens: true }));
  tell(text);
  return { text, tokens: (end < 0 ? ids.length : end + 1) - 1, complete: end >= 0 && !isForced };
}

/**
 * Summarizes a text, behind the model's own prefix. One that fits is read at once. A longer one is split at sentence borders, each part is
 * summarized, and the summaries are joined; while they do not fit the model either, they are summarized again.
 * @throws EMPTY_TEXT, CANCELLED, DEADLINE_EXCEEDED, INVALID_PARAMETER, LOGITS_INVALID
 */
export async function summarizeLongDocument(
  model: SummarizingModel,
  tokenizer: Tokenizer,
  document: string,
  options: LongDocumentOptions,
): Promise<LongDocumentResult> {
  const { prefix } = model.config;
  const reach = { limit: inputLimit(model, tokenizer), prefix };
  checkPrefix(prefix, tokenizer, reach.limit);
  let parts = await collectParts(document, tokenizer, reach, options.signal);
  if (parts.length === 0) throw new BridleError("EMPTY_TEXT", { where: "the document" });
  const inputTokens = parts.reduce((sum, { ids }) => sum + ids.length, 0);
  const truncated = options.truncate && parts.length > 1;
  if (truncated) parts = parts.slice(0, 1);
  const usedTokens = parts.reduce((sum, { ids }) => sum + ids.length, 0);
  const chunks = parts.length;
  const sources = parts.map(({ start, end }) => ({ start, end }));

  let text = "";
  let written: Written[] = [];
  for (let [round, size] = [0, Number.POSITIVE_INFINITY]; ; round++) {
    written = [];
    text = "";
    for (const [index, part] of parts.entries()) {
      checkAborted(options.signal);
      if (chunks > 1) {
        const source = round === 0 ? { source: { start: part.start, end: part.end } } : {};
        options.onEvent?.({ type: "part", index, of: parts.length, round, ...source });
      }
      // Summaries stand on lines of their own.
      let between = text === "" ? "" : "\n";
      const done = await summarizePart(model, tokenizer, part, options, (token) => {
        options.onEvent?.({ type: "token", text: between + token });
        between = "";
      });
      written.push(done);
      if (done.text !== "") text += (text === "" ? "" : "\n") + done.text;
    }
    // Who was read at once has been summarized, however long that came out.
    if (parts.length === 1) break;
    const next = await collectParts(text, tokenizer, reach, options.signal);
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
