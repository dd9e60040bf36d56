// A model in other processes behind the Summarizer interface: what a dying process leaves undone another does.
import { fromErrorData, toBridleError } from "../../errors/error.js";
import type { SummarizeOptions, Summarizer, SummaryResult } from "../../summarize/summarizer.js";
import { createReplay } from "./replay.js";
import type { Supervisor } from "./supervisor.js";
import type { WorkerProcess } from "./worker-process.js";

/** How often a document is given to a process at most. */
const mostAttempts = 2;

/** What went wrong with who did the work, rather than with the work. */
const lost: ReadonlySet<string> = new Set(["WORKER_LOST", "WORKER_FAILED"]);

/**
 * A document whose process is lost is given to another once. The same work gives the same summary, so that a stream goes
 * on where it was cut off.
 * @param onRetry told of every document that is given to another process
 */
export function createRemoteSummarizer(
  name: string,
  supervisor: Supervisor,
  onRetry: () => void = () => {},
): Summarizer {
  async function attempt(
    document: string,
    { parameters, priority, signal, onFailure }: SummarizeOptions,
    onEvent: SummarizeOptions["onEvent"],
    not: WorkerProcess | undefined,
  ): Promise<
    { readonly result: SummaryResult } | { readonly lost: WorkerProcess; error: unknown }
  > {
    const process = await supervisor.pick(signal, not);
    try {
      const request = { model: name, document, parameters, priority };
      return { result: await process.summarize(request, signal, onEvent, onFailure) };
    } catch (thrown) {
      if (!lost.has(toBridleError(thrown).code)) throw thrown;
      return { lost: process, error: thrown };
    }
  }

  return {
    get model() {
      return supervisor.describe(name).model;
    },
    get version() {
      return supervisor.describe(name).version;
    },
    get digest() {
      return supervisor.describe(name).digest as string;
    },
    get licence() {
      return supervisor.describe(name).licence as string | null;
    },
    get pending() {
      const { pending } = supervisor.describe(name);
      return pending && { version: pending.version, error: fromErrorData(pending.error) };
    },
    get traits() {
      return supervisor.describe(name).traits;
    },
    get supportedParameters() {
      return supervisor.describe(name).supportedParameters;
    },
    get defaults() {
      return supervisor.describe(name).defaults;
    },
    async summarize(document, options = {}) {
      const startedAt = performance.now();
      const replay = options.onEvent && createReplay(options.onEvent);
      let not: WorkerProcess | undefined;
      for (let attempts = 1; ; attempts++) {
        const found = await attempt(document, options, replay?.onEvent, not);
        if ("result" in found) return timed(found.result, performance.now() - startedAt);
        if (attempts === mostAttempts) throw found.error;
        not = found.lost;
        replay?.again();
        onRetry();
      }
    },
    get engines() {
      return supervisor.states().length;
    },
    load: () => supervisor.load(name),
    warmUp: () => supervisor.warm,
    // The processes are closed with their supervisor: they may hold other models too.
    close: async () => {},
  };
}

/** Times as the caller sees them: what was spent on the way to and from a process was waiting. */
function timed(result: SummaryResult, total: number): SummaryResult {
  const { timingsMs } = result;
  if (timingsMs.queue === undefined) return { ...result, timingsMs: { ...timingsMs, total } };
  const queue = timingsMs.queue + Math.max(0, total - timingsMs.total);
  return { ...result, timingsMs: { ...timingsMs, queue, total } };
}
