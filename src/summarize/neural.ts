// The neural summarizer: a model folder behind the Summarizer interface, its work on a thread of its own.
import type { Worker } from "node:worker_threads";
import { generateOptionsSchema } from "../config/generate-options.js";
import { thisMachine } from "../config/machine.js";
import type { ModelDType } from "../config/model-dtypes.js";
import { packedCache, quantizedCache } from "../config/state.js";
import { abortError } from "../errors/abort-error.js";
import { BridleError, fromErrorData } from "../errors/error.js";
import { overDefaults } from "../generate/options.js";
import type { EngineLoad } from "../generate/scheduler.js";
import type { RoundingProgress } from "../model/quantization/open.js";
import type { Device } from "../runtime/devices.js";
import { dropDraftsOfThread } from "../runtime/drafts.js";
import { endNativeCalls } from "../runtime/native-calls.js";
import { checkDocument } from "./check-document.js";
import { addLoads, leftOfLoad } from "./engine-load.js";
import type { FromWorker, OpenedModel, ToWorker, WorkerSettings } from "./neural-messages.js";
import { takeThread } from "./neural-thread.js";
import { timesOf } from "./phase-times.js";
import type {
  SummarizeOptions,
  Summarizer,
  SummaryEvent,
  SummaryParameters,
  SummaryResult,
} from "./summarizer.js";

export interface NeuralSummarizerOptions {
  /** A model folder in Hugging Face layout. */
  readonly folder: string;
  /** Name requests use. */
  readonly name: string;
  /** Waited for while the model opens. */
  readonly version: string | (() => Promise<string>);
  /** Hash of a registered version's package, and what its card says of its licence. */
  readonly digest?: string;
  readonly licence?: string | null;
  readonly device?: Device | "auto";
  /** What its weights are computed with; the folder's own unless said. */
  readonly dtype?: ModelDType;
  /** Threads of one operator; what the machine allows unless said. */
  readonly threads?: number;
  /** Processors that they stay on; anywhere unless said. */
  readonly cpus?: readonly number[];
  /** Bytes of keys and values that documents on their way may take; a quarter of the memory unless said. */
  readonly maxCacheBytes?: number;
  /** As of `openModel`. */
  readonly sharesWeights?: boolean;
  /** Told when its thread begins. */
  readonly onOpening?: () => void;
  /** Told how far the rounding of its weights is, where that is done for the first time. */
  readonly onRounding?: (progress: RoundingProgress) => void;
  /** Gives up opening; what is open is closed by `close`. */
  readonly signal?: AbortSignal | undefined;
}

/** Parameters a neural model takes. A summary is one: sequences beside it would be paid for and thrown away. */
const supported: readonly string[] = [
  ...Object.keys(generateOptionsSchema.shape).filter((name) => name !== "numReturnSequences"),
  "truncation",
];

interface Pending {
  readonly resolve: (message: FromWorker & { type: "done" }) => void;
  readonly reject: (error: unknown) => void;
  readonly onFailure: (message: FromWorker & { type: "error" }) => void;
  readonly onEvent: SummarizeOptions["onEvent"];
  readonly cancel: () => void;
}

/** A thread with the model on it, and the requests it works on. */
interface Engine {
  readonly worker: Worker;
  readonly ready: Promise<OpenedModel>;
  readonly pending: Map<number, Pending>;
  /** What it said last that it is at work on. */
  load: EngineLoad | undefined;
  /** Whether its thread is being ended, which whoever waits for that must not be left alone with. */
  isEnding: boolean;
  /** Ends its thread when that is at nothing that must not be cut off. */
  end(): Promise<void>;
}

/**
 * Opens a model on a thread of its own and waits until it can answer.
 * @throws what openModel and loadTokenizer throw; CANCELLED by the signal
 */
export async function createNeuralSummarizer(
  options: NeuralSummarizerOptions,
): Promise<Summarizer> {
  const settings: WorkerSettings = {
    folder: options.folder,
    device: options.device ?? "auto",
    dtype: options.dtype,
    threads: options.threads ?? thisMachine().threads,
    cpus: options.cpus,
    maxCacheBytes: options.maxCacheBytes,
    sharesWeights: options.sharesWeights,
  };
  let engine: Engine | undefined;
  /** What threads have done that are gone. */
  let gone: EngineLoad | undefined;
  let nextId = 0;
  let closed = false;
  /** Gives up warming up for whoever asks meanwhile, given whether that was answered: it warms as well, and need not wait. */
  let giveWay: ((answered: Promise<boolean>) => void) | undefined;

  /** The engine, started anew after its thread has died. */
  function current(): Engine {
    if (closed) throw new BridleError("CANCELLED");
    if (engine !== undefined) return engine;
    const started = startEngine(settings, options.onRounding);
    started.worker.once("exit", () => {
      gone = addLoads(gone, leftOfLoad(started.load));
      if (engine === started) engine = undefined;
    });
    // A failure to start reaches whoever waits for it; this keeps it from being unhandled besides.
    started.ready.catch(() => {});
    engine = started;
    return started;
  }

  const { signal: givenUp } = options;
  if (givenUp?.aborted) throw new BridleError("CANCELLED");
  options.onOpening?.();
  const first = current();
  // Rounding a model for the first time takes minutes, which nobody waits for who has given up.
  const giveUp = (): void => void first.end();
  givenUp?.addEventListener("abort", giveUp, { once: true });
  const { version: said } = options;
  const [{ config, defaults, traits }, exactVersion] = await Promise.all([
    first.ready,
    typeof said === "string" ? said : said(),
  ])
    .then((opened) => {
      // What has been ended meanwhile is no model.
      if (givenUp?.aborted) throw new BridleError("CANCELLED");
      return opened;
    })
    .catch(async (error: unknown) => {
      closed = true;
      await first.end();
      throw givenUp?.aborted ? new BridleError("CANCELLED") : error;
    })
    .finally(() => givenUp?.removeEventListener("abort", giveUp));

  // The same weights rounded answer differently.
  const version = traits.dtype === "fp32" ? exactVersion : `${exactVersion}-${traits.dtype}`;

  async function run(
    document: string,
    { parameters = {}, signal, onEvent, onFailure, priority }: SummarizeOptions,
    onAsked?: () => void,
  ): Promise<SummaryResult> {
    const started = performance.now();
    checkParameters(parameters, options.name);
    const { truncation, sentences: _, ratio: __, maxWords: ___, ...generate } = parameters;
    // Contradictions are told at once, not when the model has time.
    const asked = overDefaults(defaults, generate, config);
    const using = current();
    await untilReady(using, signal, started);
    const id = nextId++;
    const say = (message: ToWorker) => using.worker.postMessage(message);
    const cancel = () => say({ type: "cancel", id });
    try {
      const { result, workMs, phases } = await new Promise<FromWorker & { type: "done" }>(
        (resolve, reject) => {
          using.pending.set(id, {
            ...{ resolve, reject, onEvent, cancel },
            onFailure: (told) => onFailure?.(timesOf(told, performance.now() - started)),
          });
          using.worker.ref();
          signal?.addEventListener("abort", cancel, { once: true });
          say({
            type: "summarize",
            id,
            document,
            generate: asked,
            truncate: truncation === true,
            priority,
          });
          onAsked?.();
        },
      );
      const total = performance.now() - started;
      return {
        ...result,
        model: options.name,
        version,
        ...(phases.steps > 0 && { occupancy: phases.stepDocuments / phases.steps }),
        timingsMs: timesOf({ workMs, phases }, total),
      };
    } catch (error) {
      if (signal?.aborted) throw abortError(signal, started);
      // Closing ends the thread, which is nothing that went wrong with it.
      throw closed ? new BridleError("CANCELLED", {}, { cause: error }) : error;
    } finally {
      using.pending.delete(id);
      if (using.pending.size === 0 && !using.isEnding) using.worker.unref();
      signal?.removeEventListener("abort", cancel);
    }
  }

  return {
    model: options.name,
    version,
    ...(options.digest !== undefined && { digest: options.digest }),
    ...(options.licence !== undefined && { licence: options.licence }),
    traits,
    supportedParameters: supported,
    defaults,
    async summarize(document, summarizeOptions = {}) {
      checkDocument(document);
      // A model writes something of anything: of no words that would be made up.
      if (!/[\p{L}\p{N}]/u.test(document))
        throw new BridleError("EMPTY_TEXT", { where: "the document" });
      const answer = run(document, summarizeOptions, () =>
        giveWay?.(
          answer.then(
            () => true,
            () => false,
          ),
        ),
      );
      return await answer;
    },
    load: () => addLoads(gone, engine?.load),
    async warmUp() {
      for (;;) {
        const own = new AbortController();
        const others: Promise<boolean>[] = [];
        giveWay = (answered) => {
          others.push(answered);
          own.abort();
        };
        try {
          await run("This sentence makes the first request as quick as the next ones.", {
            parameters: { maxNewTokens: 2, minNewTokens: 0, minLength: 0 },
            signal: own.signal,
          });
          return;
        } catch (thrown) {
          if (others.length === 0) throw thrown;
        } finally {
          giveWay = undefined;
        }
        if ((await Promise.all(others)).includes(true)) return;
      }
    },
    async close() {
      closed = true;
      await engine?.end();
    },
  };
}

/** Nobody waits for a model that opens longer than for its answer. @throws what opening throws; what the signal says */
async function untilReady(
  { ready }: Engine,
  signal: AbortSignal | undefined,
  started: number,
): Promise<void> {
  let giveUp = (): void => {};
  const givenUp = new Promise<void>((resolve) => {
    giveUp = resolve;
  });
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    if (signal?.aborted !== true) await Promise.race([ready, givenUp]);
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
  if (signal?.aborted) throw abortError(signal, started);
}

/** @throws PARAMETER_NOT_SUPPORTED for an option of other models, INVALID_PARAMETER for a truncation that is none */
function checkParameters(parameters: SummaryParameters, model: string): void {
  for (const [parameter, value] of Object.entries(parameters)) {
    if (value === undefined || supported.includes(parameter)) continue;
    throw new BridleError("PARAMETER_NOT_SUPPORTED", {
      parameter: parameter.slice(0, 100),
      model,
      supported: supported.join(", "),
    });
  }
  const truncation: unknown = parameters.truncation;
  if (truncation === undefined || typeof truncation === "boolean") return;
  throw new BridleError("INVALID_PARAMETER", {
    parameter: "truncation",
    value: JSON.stringify(truncation),
    expected: "true or false",
  });
}

function startEngine(
  settings: WorkerSettings,
  onRounding: NeuralSummarizerOptions["onRounding"],
): Engine {
  const { worker, calls } = takeThread();
  const open: ToWorker = { type: "open", settings };
  worker.postMessage(open);
  const pending = new Map<number, Pending>();
  const ready = new Promise<OpenedModel>((resolve, reject) => {
    const fail = (error: BridleError) => {
      reject(error);
      for (const { reject: rejectOne } of pending.values()) rejectOne(error);
      pending.clear();
    };
    worker.on("message", (message: FromWorker) => {
      if (message.type === "ready") {
        // From here on only a request keeps the process alive: an idle model must not.
        if (pending.size === 0 && !engine.isEnding) worker.unref();
        resolve(message);
      } else if (message.type === "rounding") {
        try {
          onRounding?.(message.progress);
        } catch (thrown) {
          reject(thrown);
        }
      } else if (message.type === "failed") fail(fromErrorData(message.error));
      else if (message.type === "load") engine.load = message.load;
      else {
        const request = pending.get(message.id);
        if (message.type === "event") tellEvent(request, message.event);
        else if (message.type === "done") request?.resolve(message);
        else if (request !== undefined) tellFailure(request, message);
      }
    });
    worker.on("error", (cause) =>
      fail(new BridleError("WORKER_FAILED", { reason: cause.message }, { cause })),
    );
    worker.on("exit", (code) =>
      fail(new BridleError("WORKER_FAILED", { reason: `its thread ended with code ${code}` })),
    );
  });
  const { threadId } = worker;
  const end = async () => {
    engine.isEnding = true;
    worker.ref();
    await endNativeCalls(calls);
    await worker.terminate();
    // What it was at making when it was ended.
    for (const cache of [packedCache(), quantizedCache()])
      await dropDraftsOfThread(cache, threadId).catch(() => {});
  };
  const engine: Engine = { worker, ready, pending, load: undefined, isEnding: false, end };
  return engine;
}

/** Tells where the time of a document without a summary went, and why there is none. */
function tellFailure(request: Pending, message: FromWorker & { type: "error" }): void {
  try {
    request.onFailure(message);
    request.reject(fromErrorData(message.error));
  } catch (thrown) {
    request.reject(thrown);
  }
}

/** What a listener throws ends its own request, and neither the process nor anybody else's. */
function tellEvent(request: Pending | undefined, event: SummaryEvent): void {
  try {
    request?.onEvent?.(event);
  } catch (thrown) {
    request?.reject(thrown);
    request?.cancel();
  }
}
