// The thread a model lives on: running a graph blocks its thread, so that it must not be the one that answers people.
import { parentPort, workerData } from "node:worker_threads";
import type { GenerateOptions } from "../config/generate-options.js";
import { BridleError, toErrorData } from "../errors/error.js";
import { type Model, openModel } from "../generate/model.js";
import { loadTokenizer } from "../text/tokenizers/load.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";
import { inputLimit, summarizeLongDocument } from "./long-document.js";
import type { FromWorker, ToWorker, WorkerSettings } from "./neural-messages.js";
import type { ModelTraits } from "./summarizer.js";

const port = parentPort;
if (port === null)
  throw new BridleError("BUG", { reason: "the model's thread was started as a program" });
const tell = (message: FromWorker) => port.postMessage(message);

/** Requests wait here in the order they came; one is worked on at a time. */
const waiting: (ToWorker & { type: "summarize" })[] = [];
const running = new Map<number, AbortController>();

async function work(
  model: Model,
  tokenizer: Tokenizer,
  { id, document, generate, truncate }: ToWorker & { type: "summarize" },
): Promise<void> {
  const controller = running.get(id);
  const started = performance.now();
  try {
    const result = await summarizeLongDocument(model, tokenizer, document, {
      generate,
      truncate,
      signal: controller?.signal,
      onEvent: (event) => tell({ type: "event", id, event }),
    });
    tell({ type: "done", id, result, workMs: performance.now() - started });
  } catch (thrown) {
    tell({ type: "error", id, error: toErrorData(thrown) });
  } finally {
    running.delete(id);
  }
}

function traitsOf(model: Model, tokenizer: Tokenizer): ModelTraits {
  const finite = (limit: number | undefined) =>
    limit !== undefined && Number.isSafeInteger(limit) ? limit : null;
  return {
    kind: "neural",
    device: model.device,
    dtype: model.dtype,
    limits: {
      maxInputTokens: finite(inputLimit(model, tokenizer)),
      maxNewTokens: finite(model.config.maxPositions),
    },
  };
}

/** A folder's defaults for one summary: sequences beside it would be paid for and thrown away. */
function ownDefaults({ numReturnSequences: _, ...defaults }: GenerateOptions): GenerateOptions {
  return defaults;
}

async function start(): Promise<void> {
  const { folder, threads, device, dtype } = workerData as WorkerSettings;
  const tokenizer = await loadTokenizer(folder);
  const model = await openModel(folder, { device, threads, ...(dtype && { dtype }) });
  const { vocabSize } = model.config;
  if (tokenizer.vocabSize > vocabSize) {
    throw new BridleError("TOKENIZER_INVALID", {
      file: folder,
      reason: `it has ${tokenizer.vocabSize} tokens, the model ${vocabSize}`,
    });
  }
  let wake: (() => void) | undefined;
  port?.on("message", (message: ToWorker) => {
    if (message.type === "cancel") {
      running.get(message.id)?.abort();
      return;
    }
    running.set(message.id, new AbortController());
    waiting.push(message);
    wake?.();
  });
  tell({
    type: "ready",
    config: model.config,
    defaults: ownDefaults(model.generationDefaults),
    traits: traitsOf(model, tokenizer),
  });
  for (;;) {
    const next = waiting.shift();
    if (next !== undefined) await work(model, tokenizer, next);
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}

start().catch((thrown: unknown) => tell({ type: "failed", error: toErrorData(thrown) }));
