// A summarizer over a model that is already open on this thread: what a trainer evaluates with, by the path that serves.
import type { GenerateOptions } from "../config/generate-options.js";
import { abortError } from "../errors/abort-error.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";
import { type SummarizingModel, summarizeLongDocument } from "./long-document.js";
import type { ModelTraits, Summarizer } from "./summarizer.js";

export interface ResidentSummarizerOptions {
  readonly traits: ModelTraits;
  readonly name: string;
  readonly version: string;
  readonly defaults: GenerateOptions;
}

/** Its work blocks this thread. Closing it leaves the model open. */
export function createResidentSummarizer(
  model: SummarizingModel,
  tokenizer: Tokenizer,
  { name, version, defaults, traits }: ResidentSummarizerOptions,
): Summarizer {
  return {
    model: name,
    version,
    traits,
    supportedParameters: [...Object.keys(defaults), "truncation"],
    defaults,
    async summarize(document, { parameters = {}, signal, onEvent } = {}) {
      const started = performance.now();
      if (signal?.aborted) throw abortError(signal, started);
      const { truncation, sentences: _, ratio: __, maxWords: ___, ...generate } = parameters;
      const result = await summarizeLongDocument(model, tokenizer, document, {
        generate: { ...defaults, ...generate },
        truncate: truncation === true,
        signal,
        onEvent,
      });
      const total = performance.now() - started;
      return { ...result, model: name, version, timingsMs: { queue: 0, generate: total, total } };
    },
    async warmUp() {},
    async close() {},
  };
}
