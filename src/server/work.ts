// How a request gets its document summarized: admitted, waited for, timed, counted.
import { randomUUID } from "node:crypto";
import { getSummarizer } from "../compose.js";
import { BridleError, toBridleError } from "../errors/error.js";
import type {
  SummarizeOptions,
  SummaryEvent,
  SummaryParameters,
  SummaryResult,
} from "../summarize/summarizer.js";
import type { Measure, WorkClass } from "./admission.js";
import type { ServerContext } from "./context.js";
import { createDeferred } from "./deferred.js";
import { abortError, type RequestScope, type WorkAccount, withinScope } from "./request-scope.js";

export interface Work {
  readonly document: string;
  /** Name of the model; the default where undefined. */
  readonly model?: string | undefined;
  readonly parameters?: SummaryParameters | undefined;
  readonly onEvent?: ((event: SummaryEvent) => void) | undefined;
  /** "batch" for one of many documents, which give way to those that somebody waits for. */
  readonly priority?: SummarizeOptions["priority"];
}

/**
 * Refuses work before its body is read, where that is already certain.
 * @param of "batch" for a pile of documents
 * @throws SHUTTING_DOWN, BUSY
 */
export function checkOpenForWork(server: ServerContext, of?: WorkClass): void {
  if (server.lifecycle.closed) throw new BridleError("SHUTTING_DOWN");
  server.admission.checkRoom(of);
}

/**
 * Waits for a turn and does something with it, no longer than the request lasts. The turn ends when the work does,
 * even where nobody waits for it any more, so that no more runs at once than was allowed.
 * @throws BUSY, DEADLINE_OUT_OF_REACH, DEADLINE_EXCEEDED, CANCELLED, and what the work throws
 */
export async function withTurn<T>(
  server: ServerContext,
  scope: RequestScope,
  work: () => Promise<T>,
): Promise<T> {
  return await waitForTurn(server, scope, "interactive", (leftMs, onTurn) =>
    server.admission.run(
      scope.signal,
      () => {
        onTurn();
        return work();
      },
      leftMs,
    ),
  );
}

/**
 * The same for a pile of documents, which gives way to those that somebody waits for.
 * @param documents how many there are
 * @param work is handed what does one document's work and learns what it takes
 * @throws as withTurn
 */
export async function withTurnForPile<T>(
  server: ServerContext,
  scope: RequestScope,
  documents: number,
  work: (measure: Measure) => Promise<T>,
): Promise<T> {
  return await waitForTurn(server, scope, "batch", (leftMs, onTurn) =>
    server.admission.runPile(
      scope.signal,
      documents,
      (measure) => {
        onTurn();
        return work(measure);
      },
      leftMs,
    ),
  );
}

/** Waits no longer than the request lasts, and notes how long that was until its turn. @throws as withTurn */
async function waitForTurn<T>(
  server: ServerContext,
  scope: RequestScope,
  of: WorkClass,
  run: (leftMs: number, onTurn: () => void) => Promise<T>,
): Promise<T> {
  if (scope.signal.aborted) throw abortError(scope);
  const askedAt = performance.now();
  const leftMs = scope.startedAt + scope.timeoutMs - askedAt;
  let hasTurn = false;
  const count = (): void => {
    scope.account.waitedMs = performance.now() - askedAt;
    server.metrics.countWait(of, scope.account.waitedMs);
  };
  const onTurn = (): void => {
    hasTurn = true;
    count();
  };
  try {
    return await withinScope(scope, run(leftMs, onTurn));
  } finally {
    // Who was never served has waited all the while.
    if (!hasTurn) count();
  }
}

/**
 * Summarizes one document within a turn already taken, and counts it.
 * @throws what Summarizer.summarize throws, MODEL_NOT_FOUND
 */
export async function summarize(
  server: ServerContext,
  scope: RequestScope,
  { document, model, parameters, onEvent, priority }: Work,
): Promise<SummaryResult> {
  const summarizer = getSummarizer(server.service, model);
  const { account } = scope;
  const told = createDeferred();
  account.told = Promise.all([account.told, told.promise]).then(() => {});
  const options: SummarizeOptions = {
    signal: scope.signal,
    onFailure(timingsMs) {
      server.metrics.countPhases(summarizer.model, timingsMs);
      addPhases(account, timingsMs);
      told.resolve();
    },
    ...(parameters && { parameters }),
    ...(onEvent && { onEvent }),
    ...(priority && { priority }),
  };
  try {
    account.model = summarizer.model;
    if (server.cache === undefined) {
      const made = await summarizer.summarize(document, options);
      count(server, scope, made);
      told.resolve();
      return made;
    }
    const { result, outcome } = await server.cache.summarize(summarizer, document, options);
    server.metrics.countCache(outcome);
    count(server, scope, result);
    told.resolve();
    scope.cache = outcome;
    return result;
  } catch (thrown) {
    const error = scope.signal.aborted ? abortError(scope) : toBridleError(thrown);
    server.metrics.countFailure(summarizer.model, error.code);
    // A model that was cut off ends a step later, and tells then.
    if (summarizer.traits.kind !== "neural" || !scope.signal.aborted) told.resolve();
    throw error;
  }
}

/** Adds a document to what is counted of all requests, and of this one. */
function count(server: ServerContext, { account }: RequestScope, result: SummaryResult): void {
  server.metrics.countDocument(result);
  const { usage, timingsMs, occupancy } = result;
  account.documents += 1;
  account.inputTokens += usage.inputTokens;
  account.outputTokens += usage.outputTokens;
  account.chunks += usage.chunks;
  addPhases(account, timingsMs);
  if (occupancy !== undefined) account.occupancy = Math.max(account.occupancy ?? 0, occupancy);
}

function addPhases(account: WorkAccount, timingsMs: SummaryResult["timingsMs"]): void {
  account.phasesMs ??= {};
  for (const [phase, ms] of Object.entries(timingsMs))
    account.phasesMs[phase] = (account.phasesMs[phase] ?? 0) + ms;
}

/** The summary that is kept for a document, which it is counted with; undefined where none is. @throws MODEL_NOT_FOUND */
export function findKept(
  server: ServerContext,
  scope: RequestScope,
  { document, model, parameters, onEvent }: Work,
): SummaryResult | undefined {
  const kept = server.cache?.find(getSummarizer(server.service, model), document, {
    ...(parameters && { parameters }),
    ...(onEvent && { onEvent }),
  });
  if (kept === undefined) return undefined;
  server.metrics.countCache("hit");
  count(server, scope, kept);
  scope.cache = "hit";
  return kept;
}

/**
 * Waits for a turn and summarizes one document, or answers at once what is kept for it.
 * @throws as withTurn and summarize
 */
export async function summarizeInTurn(
  server: ServerContext,
  scope: RequestScope,
  work: Work,
): Promise<SummaryResult> {
  return (
    findKept(server, scope, work) ??
    (await withTurn(server, scope, () => summarize(server, scope, work)))
  );
}

/** A summary as the native routes answer it. */
export function withId(result: SummaryResult): SummaryResult & { readonly id: string } {
  return { id: `sum_${randomUUID()}`, ...result };
}
