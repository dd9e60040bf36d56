// One request's life: its id, its deadline, the signal that ends its work, and the line it leaves in the log.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServeConfig } from "../config/serve-config.js";
import { BridleError } from "../errors/error.js";
import type { CacheOutcome } from "../summarize/result-cache.js";
import type { ApiKeyRecord } from "./api-keys.js";
import { readTrace, type Trace } from "./log.js";

export interface RequestScope {
  readonly id: string;
  readonly trace: Trace | undefined;
  /** Fires when the caller goes away (AbortError), the deadline passes (TimeoutError), or the server gives up (a BridleError). */
  readonly signal: AbortSignal;
  /** The deadline in force, in ms from the request's arrival. */
  readonly timeoutMs: number;
  readonly startedAt: number;
  /** The pattern of the route that answers, for metrics. */
  route: string;
  isProbe: boolean;
  key: ApiKeyRecord | undefined;
  /** Code of the error it was answered with. */
  code: string | undefined;
  requestBytes: number;
  /** Whether its answer goes on for as long as somebody listens: long is not slow then. */
  isOpenEnded: boolean;
  /** What was done for it, added up over its documents. */
  readonly account: WorkAccount;
  /** Where its summaries came from, where summaries are kept. */
  cache: CacheOutcome | undefined;
  /** Whether its answer has been sent, all of it. */
  readonly isSent: boolean;
  /** Runs when the answer has been sent or can no longer be. */
  onEnd(task: () => void): void;
}

/** What a slow request is told by: where its time went, and nothing of its text. */
export interface WorkAccount {
  model: string | undefined;
  documents: number;
  inputTokens: number;
  outputTokens: number;
  chunks: number;
  /** Milliseconds until its turn came among all requests. */
  waitedMs?: number;
  /** Milliseconds by phase, as the summarizer tells them, also of what no summary came of. */
  phasesMs?: Record<string, number>;
  /** Settles when it is known where the time went, which of work that is cut off is told later. */
  told?: Promise<void>;
  /** Documents that shared a neural model's steps, on average, of the document that shared them with most. */
  occupancy?: number;
}

export const timeoutHeader = "x-timeout-ms";

/** Ids that a caller may choose: long enough to be told apart, and nothing that could break a log line. */
const saneId = /^[\w.:+/=@-]{1,128}$/;

/**
 * Opens the scope; it closes itself with the answer.
 * @param givingUp fires when the server gives up what is under way, with what callers are told
 */
export function openRequestScope(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  config: Pick<ServeConfig, "deadlineMs">,
  givingUp: AbortSignal,
): RequestScope {
  const offered = incoming.headers["x-request-id"];
  const controller = new AbortController();
  const timeoutMs = Math.min(config.deadlineMs, askedTimeoutMs(incoming) ?? config.deadlineMs);
  const timer = setTimeout(() => {
    controller.abort(new DOMException("The deadline has passed.", "TimeoutError"));
  }, timeoutMs);
  const giveUp = () => controller.abort(givingUp.reason);
  if (givingUp.aborted) giveUp();
  else givingUp.addEventListener("abort", giveUp, { once: true });
  const tasks: (() => void)[] = [];
  const { socket } = incoming;
  let [isSent, isOver] = [false, false];
  // Ahead of Node's own listener, which ends a connection that is not kept.
  outgoing.prependOnceListener("finish", () => {
    // It finishes as well where its connection was ended with parts of it unsent.
    isSent = !socket.destroyed;
  });
  outgoing.once("close", () => {
    isOver = true;
    clearTimeout(timer);
    givingUp.removeEventListener("abort", giveUp);
    if (!isSent) {
      controller.abort(new DOMException("The caller has gone.", "AbortError"));
    }
    for (const task of tasks) task();
  });
  return {
    id: typeof offered === "string" && saneId.test(offered) ? offered : randomUUID(),
    trace: readTrace(incoming.headers),
    signal: controller.signal,
    timeoutMs,
    startedAt: performance.now(),
    route: "none",
    isProbe: false,
    key: undefined,
    code: undefined,
    requestBytes: 0,
    isOpenEnded: false,
    account: { model: undefined, documents: 0, inputTokens: 0, outputTokens: 0, chunks: 0 },
    cache: undefined,
    get isSent() {
      return isSent;
    },
    onEnd(task) {
      if (isOver) task();
      else tasks.push(task);
    },
  };
}

function askedTimeoutMs(incoming: IncomingMessage): number | undefined {
  const text = incoming.headers[timeoutHeader];
  return typeof text === "string" && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}

/** @throws INVALID_PARAMETER where the caller asks for a deadline that is none */
export function checkTimeoutHeader(incoming: IncomingMessage): void {
  const text = incoming.headers[timeoutHeader];
  if (text === undefined || askedTimeoutMs(incoming) !== undefined) return;
  throw new BridleError("INVALID_PARAMETER", {
    parameter: timeoutHeader,
    value: JSON.stringify(text),
    expected: "a whole number of milliseconds from 1 to 999999999",
  });
}

/** Why a scope's signal fired, as an error to answer with. */
export function abortError(scope: RequestScope): BridleError {
  const reason: unknown = scope.signal.reason;
  if (reason instanceof BridleError) return reason;
  const timedOut = (reason as Error | undefined)?.name === "TimeoutError";
  return timedOut
    ? new BridleError("DEADLINE_EXCEEDED", { timeoutMs: scope.timeoutMs })
    : new BridleError("CANCELLED");
}

/**
 * Waits for work, but no longer than the scope lasts: work that does not heed its signal cannot hold the answer back.
 * @throws DEADLINE_EXCEEDED, CANCELLED, or what the work throws
 */
export async function withinScope<T>(scope: RequestScope, work: Promise<T>): Promise<T> {
  const { signal } = scope;
  let stop: () => void = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(abortError(scope));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } catch (thrown) {
    // Work that was stopped may fail in its own words; the caller is told what stopped it.
    throw signal.aborted ? abortError(scope) : thrown;
  } finally {
    signal.removeEventListener("abort", stop);
    // The side that lost the race may still reject.
    work.catch(() => {});
    stopped.catch(() => {});
  }
}
