// Where the time of a summary goes: one document summarized a few times, as the server does it.
import { thisMachine } from "../config/machine.js";
import { openModel } from "../generate/model.js";
import { overDefaults } from "../generate/options.js";
import { checkAborted } from "../generate/scheduler.js";
import { type Profile, summarize } from "../runtime/profile/profile.js";
import { Profiler } from "../runtime/profile/profiler.js";
import { measureRoofs } from "../runtime/profile/roofline.js";
import { traceLines } from "../runtime/profile/trace.js";
import { loadTokenizer } from "../text/tokenizers/load.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";
import { checkDocument } from "./check-document.js";
import { type LongDocumentResult, summarizeLongDocument } from "./long-document.js";
import type { NeuralSummarizerOptions } from "./neural.js";
import type { SummaryParameters } from "./summarizer.js";

export interface ProfileSummaryOptions
  extends Pick<NeuralSummarizerOptions, "device" | "dtype" | "threads"> {
  readonly parameters?: SummaryParameters;
  /** How often the document is summarized and measured. */
  readonly repeats: number;
  /** How often before that. */
  readonly warmUp: number;
  readonly signal?: AbortSignal;
  /** Told after each summary, those to warm up included. */
  readonly onSummary?: (done: number, total: number) => void;
}

export interface SummaryProfile extends Profile {
  readonly device: string;
  readonly dtype: string;
  readonly threads: number;
  readonly result: LongDocumentResult;
  /** The lines of a trace file. */
  readonly trace: readonly string[];
}

/** A tokenizer whose methods are timed; what they call among themselves is not timed twice. */
function timedTokenizer(tokenizer: Tokenizer, profiler: Profiler): Tokenizer {
  return new Proxy(tokenizer, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...given: unknown[]) =>
        profiler.span("tokenizer", () => Reflect.apply(value, target, given) as unknown);
    },
  });
}

/**
 * Summarizes a document again and again and tells where the time went.
 * @param folder a model in Hugging Face layout
 * @throws what opening the model and summarizing with it throw
 */
export async function profileSummary(
  folder: string,
  document: string,
  options: ProfileSummaryOptions,
): Promise<SummaryProfile> {
  checkDocument(document);
  const { repeats, warmUp, signal, parameters = {}, onSummary } = options;
  const { truncation, sentences: _, ratio: __, maxWords: ___, ...generate } = parameters;
  const threads = options.threads ?? thisMachine().threads;
  const profiler = await Profiler.create();
  try {
    const read = await loadTokenizer(folder);
    const { device, dtype } = options;
    const model = await openModel(folder, {
      ...{ device: device ?? "auto", threads, profiler },
      ...(dtype && { dtype }),
    });
    let result: LongDocumentResult | undefined;
    try {
      const tokenizer = timedTokenizer(read.within(model.config.vocabSize), profiler);
      const { numReturnSequences: ____, ...defaults } = model.generationDefaults;
      const asked = overDefaults(defaults, generate, model.config);
      const total = warmUp + repeats;
      for (let done = 0; done < total; done++) {
        checkAborted(signal);
        if (done === warmUp) profiler.begin();
        result = await profiler.span("summary", () =>
          summarizeLongDocument(model, tokenizer, document, {
            ...{ generate: asked, truncate: truncation === true, signal },
          }),
        );
        onSummary?.(done + 1, total);
      }
    } finally {
      await model.close();
    }
    const sessions = await profiler.sessions();
    const { spans } = profiler;
    const isWhole = ({ name }: { readonly name: string }) => name === "summary";
    const isQuantized = sessions.some(({ runs }) =>
      runs.some(({ calls }) => calls.some(({ isWhole: ofWhole }) => ofWhole)),
    );
    const profile = summarize({
      unit: "summary",
      whole: spans.filter(isWhole),
      parts: spans.filter((span) => !isWhole(span)),
      sessions,
      rest: "search",
      roofs: await measureRoofs({ device: model.device, threads }, { whole: isQuantized }),
    });
    const trace = [...traceLines("bridle profile summarize", spans, sessions)];
    return {
      ...profile,
      ...{ device: model.device, dtype: model.dtype, threads, trace },
      result: result as LongDocumentResult,
    };
  } finally {
    await profiler.remove();
  }
}
