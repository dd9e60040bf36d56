// One working process seen from outside: started, told what to do, and heard of when it is gone.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { abortError } from "../../errors/abort-error.js";
import { BridleError, type ErrorData, fromErrorData } from "../../errors/error.js";
import type {
  EngineLoad,
  SummarizeOptions,
  SummaryEvent,
  SummaryResult,
} from "../../summarize/summarizer.js";
import { createDeferred } from "../deferred.js";
import type {
  FromProcess,
  OpenedSummarizer,
  ProcessConfig,
  ProcessMetrics,
  RemoteRequest,
  ToProcess,
} from "./messages.js";
import type { Turns } from "./turns.js";

interface Pending {
  readonly resolve: (result: SummaryResult) => void;
  readonly reject: (error: unknown) => void;
  readonly onEvent: ((event: SummaryEvent) => void) | undefined;
}

/** What a process said of its models, and when by this process's clock in ms. */
export interface ToldModels {
  readonly models: readonly OpenedSummarizer[];
  readonly at: number;
}

export interface WorkerProcess {
  readonly pid: number | undefined;
  /** Settles when its models are open. @rejects with what is wrong with them, or WORKER_LOST where it ended before */
  readonly opened: Promise<readonly OpenedSummarizer[]>;
  /** Settles when they answer at full speed. @rejects as `opened` */
  readonly warm: Promise<void>;
  /** Settles when the process is gone, with how it went in words. */
  readonly ended: Promise<string>;
  /** Requests it works on, with those that nobody waits for any more until it has let go of them. */
  readonly pendingCount: number;
  /** Its models as they are now; undefined until they are open. */
  readonly told: ToldModels | undefined;
  /** What its engines said last, by the name of the model. */
  readonly loads: ReadonlyMap<string, EngineLoad>;
  /**
   * @throws WORKER_LOST where the process ended first; what the summarizer throws; CANCELLED or DEADLINE_EXCEEDED by the
   *   signal
   */
  summarize(
    request: Omit<RemoteRequest, "wantsEvents">,
    signal: AbortSignal | undefined,
    onEvent: ((event: SummaryEvent) => void) | undefined,
    onFailure?: SummarizeOptions["onFailure"],
  ): Promise<SummaryResult>;
  /**
   * Has it look now where aliases point, and waits until it answers with that; one that ends meanwhile has not to be waited for.
   * @throws what asking the registry throws there
   */
  refresh(): Promise<void>;
  /** What it counts of itself; undefined where it does not answer in time. */
  metrics(withinMs: number): Promise<ProcessMetrics | undefined>;
  /** Asks it to end, and ends it where it does not within the time. */
  close(withinMs: number): Promise<void>;
}

/** How often a process that answers is asked whether it still does, and how many of these it may leave unanswered. */
const askEveryMs = 5000;
const mostUnanswered = 6;

/**
 * Starts a process and hands it its configuration.
 * @param turns those of all processes on this machine
 */
export function startWorkerProcess(config: ProcessConfig, turns: Turns): WorkerProcess {
  const child = fork(fileURLToPath(new URL("./engine-worker.js", import.meta.url)), [], {
    serialization: "advanced",
    // Standard output is the command's own.
    stdio: ["ignore", 2, "inherit", "ipc"],
  });
  return watchProcess(child, config, turns);
}

/**
 * What `startWorkerProcess` makes of the process it has started. One that answers nothing for half a minute, stopped or in
 * an endless loop, is ended, so that others take over what it has.
 */
export function watchProcess(
  child: ChildProcess,
  config: ProcessConfig,
  turns: Turns,
): WorkerProcess {
  const pending = new Map<number, Pending>();
  /** Requests it has been given and has said nothing final of. */
  const working = new Set<number>();
  /** Who wants to know where the time went of what fails; also of what nobody waits for any more. */
  const failing = new Map<number, NonNullable<SummarizeOptions["onFailure"]>>();
  const counting = new Map<number, (metrics: ProcessMetrics | undefined) => void>();
  const refreshing = new Map<number, (error: ErrorData | undefined) => void>();
  /** Turns that it has, by its number for them. */
  const having = new Map<number, () => void>();
  let loads: ReadonlyMap<string, EngineLoad> = new Map();
  let told: ToldModels | undefined;
  let nextId = 0;
  let isGone = false;
  let asking: NodeJS.Timeout | undefined;
  /** Questions since it was heard of. */
  let unanswered = 0;
  let isSilent = false;

  const send = (message: ToProcess): void => {
    // What cannot be sent is told by the process's end.
    if (child.connected) child.send(message, () => {});
  };
  const opened = createDeferred<readonly OpenedSummarizer[]>();
  const warm = createDeferred();
  const ended = createDeferred<string>();

  const end = (how: string): void => {
    if (isGone) return;
    isGone = true;
    clearInterval(asking);
    const error = new BridleError("WORKER_LOST", { reason: how });
    opened.reject(error);
    warm.reject(error);
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
    working.clear();
    failing.clear();
    for (const resolve of counting.values()) resolve(undefined);
    for (const resolve of refreshing.values()) resolve(undefined);
    for (const endTurn of having.values()) endTurn();
    ended.resolve(how);
  };
  child.once("error", (error) => end(`it could not be started: ${error.message}`));
  child.once("exit", (code, signal) => {
    if (isSilent)
      end(`it had not answered for ${(askEveryMs * mostUnanswered) / 1000} s and was ended`);
    else end(signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`);
  });
  /** Counts questions and not time: a machine that sleeps has stopped everybody. */
  const ask = (): void => {
    if (unanswered === mostUnanswered) {
      isSilent = true;
      child.kill("SIGKILL");
      return;
    }
    unanswered += 1;
    send({ type: "ping" });
  };
  child.on("message", (message: FromProcess) => {
    unanswered = 0;
    switch (message.type) {
      case "opened":
        told = { models: message.models, at: performance.now() };
        opened.resolve(message.models);
        break;
      case "changed":
        told = { models: message.models, at: performance.now() };
        break;
      case "warm":
        warm.resolve();
        if (!isGone) asking = setInterval(ask, askEveryMs).unref();
        break;
      case "failed":
        opened.reject(fromErrorData(message.error));
        warm.reject(fromErrorData(message.error));
        break;
      case "event":
        tellEvent(message.id, message.event);
        break;
      case "done":
        working.delete(message.id);
        failing.delete(message.id);
        pending.get(message.id)?.resolve(message.result);
        break;
      case "error":
        working.delete(message.id);
        if (message.timingsMs !== undefined) failing.get(message.id)?.(message.timingsMs);
        failing.delete(message.id);
        pending.get(message.id)?.reject(fromErrorData(message.error));
        break;
      case "loads":
        loads = new Map(message.loads);
        break;
      case "metrics":
        counting.get(message.id)?.(message.metrics);
        break;
      case "refreshed":
        refreshing.get(message.id)?.(message.error);
        break;
      case "turn-wanted":
        void giveTurn(message.id);
        break;
      case "turn-over":
        having.get(message.id)?.();
        having.delete(message.id);
        break;
    }
  });

  async function giveTurn(id: number): Promise<void> {
    const endTurn = await turns.take();
    if (isGone) return endTurn();
    having.set(id, endTurn);
    send({ type: "turn", id });
  }

  /** What a listener throws ends its own request and nobody else's. */
  function tellEvent(id: number, event: SummaryEvent): void {
    const request = pending.get(id);
    try {
      request?.onEvent?.(event);
    } catch (thrown) {
      request?.reject(thrown);
      send({ type: "cancel", id, timedOut: false });
    }
  }

  send({ type: "start", config });

  return {
    pid: child.pid,
    opened: opened.promise,
    warm: warm.promise,
    ended: ended.promise,
    get pendingCount() {
      return working.size;
    },
    get told() {
      return told;
    },
    get loads() {
      return loads;
    },
    async summarize(request, signal, onEvent, onFailure) {
      const startedAt = performance.now();
      if (signal?.aborted) throw abortError(signal, startedAt);
      const id = nextId++;
      let stop: (() => void) | undefined;
      try {
        return await new Promise<SummaryResult>((resolve, reject) => {
          if (isGone) throw new BridleError("WORKER_LOST", { reason: "it had ended" });
          stop = () => {
            const timedOut = (signal?.reason as Error | undefined)?.name === "TimeoutError";
            send({ type: "cancel", id, timedOut });
            reject(abortError(signal as AbortSignal, startedAt));
          };
          signal?.addEventListener("abort", stop, { once: true });
          working.add(id);
          pending.set(id, { resolve, reject, onEvent });
          if (onFailure !== undefined) failing.set(id, onFailure);
          send({ type: "summarize", id, ...request, wantsEvents: onEvent !== undefined });
        });
      } finally {
        pending.delete(id);
        if (stop !== undefined) signal?.removeEventListener("abort", stop);
      }
    },
    async refresh() {
      if (isGone) return;
      const id = nextId++;
      try {
        const error = await new Promise<ErrorData | undefined>((resolve) => {
          refreshing.set(id, resolve);
          send({ type: "refresh", id });
        });
        if (error !== undefined) throw fromErrorData(error);
      } finally {
        refreshing.delete(id);
      }
    },
    async metrics(withinMs) {
      if (isGone) return undefined;
      const id = nextId++;
      let timer: NodeJS.Timeout | undefined;
      try {
        return await new Promise<ProcessMetrics | undefined>((resolve) => {
          counting.set(id, resolve);
          timer = setTimeout(() => resolve(undefined), withinMs);
          send({ type: "metrics", id });
        });
      } finally {
        clearTimeout(timer);
        counting.delete(id);
      }
    },
    async close(withinMs) {
      send({ type: "close" });
      const timer = setTimeout(() => child.kill("SIGKILL"), withinMs);
      await ended.promise;
      clearTimeout(timer);
    },
  };
}
