// The thread a model lives on: running a graph blocks its thread, so that it must not be the one that answers people.
import { parentPort } from "node:worker_threads";
import type { GenerateOptions } from "../config/generate-options.js";
import { BridleError, toErrorData } from "../errors/error.js";
import { type Model, openModel } from "../generate/model.js";
import type { JobPhases } from "../generate/scheduler.js";
import { loadTokenizer } from "../text/tokenizers/load.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";
import { inputLimit, summarizeLongDocument } from "./long-document.js";
import type { FromWorker, ToWorker } from "./neural-messages.js";
import { addPart, noPhases, type WorkTimes } from "./phase-times.js";
import type { ModelTraits } from "./summarizer.js";

const port = parentPort;
if (port === null)
  throw new BridleError("BUG", { reason: "the model's thread was started as a program" });
const tell = (message: FromWorker) => port.postMessage(message);

/** Requests under way; the model's scheduler says whose turn it is. */
const running = new Map<number, AbortController>();

/** While anything is at work, what it is at is told so often besides. */
const tellEveryMs = 250;
let telling: NodeJS.Timeout | undefined;

async function work(
  model: Model,
  tokenizer: Tokenizer,
  { id, document, generate, truncate, priority }: ToWorker & { type: "summarize" },
): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  telling ??= setInterval(() => tellLoad(model), tellEveryMs);
  let started: number | undefined;
  let phases: JobPhases | undefined;
  const times = (): WorkTimes => {
    const now = performance.now();
    return { workMs: now - (started ?? now), phases: phases ?? noPhases };
  };
  try {
    const result = await summarizeLongDocument(model, tokenizer, document, {
      generate,
      truncate,
      signal: controller.signal,
      priority,
      onStart() {
        started ??= performance.now();
        tellLoad(model);
      },
      onEvent: (event) => tell({ type: "event", id, event }),
      onPhases: (part) => {
        phases = addPart(phases, part);
      },
    });
    tell({ type: "done", id, result, ...times() });
  } catch (thrown) {
    tell({ type: "error", id, error: toErrorData(thrown), ...times() });
  } finally {
    running.delete(id);
    if (running.size === 0) {
      clearInterval(telling);
      telling = undefined;
    }
    tellLoad(model);
  }
}

/** What the engine is at work on, whenever that changes. */
function tellLoad(model: Model): void {
  const load = model.load();
  if (load !== undefined) tell({ type: "load", load });
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

async function start({ settings }: ToWorker & { type: "open" }): Promise<void> {
  const { folder, threads, cpus, maxCacheBytes, sharesWeights, device, dtype } = settings;
  let reading: Promise<Tokenizer> | undefined;
  const readTokenizer = () => {
    reading ??= loadTokenizer(folder);
    return reading;
  };
  const model = await openModel(folder, {
    ...{ device, threads, encoderThread: true, tokenizer: readTokenizer },
    onRounding: (progress) => tell({ type: "rounding", progress }),
    ...(sharesWeights !== undefined && { sharesWeights }),
    ...(cpus && { cpus }),
    ...(maxCacheBytes !== undefined && { limits: { maxCacheBytes } }),
    ...(dtype && { dtype }),
  });
  // Read while the encoder opens.
  const tokenizer = (await readTokenizer()).within(model.config.vocabSize);
  port?.on("message", (message: ToWorker) => {
    if (message.type === "cancel") running.get(message.id)?.abort();
    else if (message.type === "summarize") void work(model, tokenizer, message);
  });
  tell({
    type: "ready",
    config: model.config,
    defaults: ownDefaults(model.generationDefaults),
    traits: traitsOf(model, tokenizer),
  });
}

port.once("message", (message: ToWorker) => {
  if (message.type !== "open") return;
  start(message).catch((thrown: unknown) => tell({ type: "failed", error: toErrorData(thrown) }));
});
