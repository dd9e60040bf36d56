// The default summarizer: principal sentences of the document; short documents at once, long ones in a worker thread.
import { thisMachine } from "../config/machine.js";
import { abortError } from "../errors/abort-error.js";
import { BridleError } from "../errors/error.js";
import { createWorkerPool } from "../text/worker-pool.js";
import { checkDocument } from "./check-document.js";
import { extractSummary } from "./extractive/extract.js";
import {
  checkSummaryParameters,
  defaultParameters,
  extractiveModel,
  extractiveParameters,
  extractiveTraits,
} from "./extractive/parameters.js";
import { extractiveVersion } from "./extractive/version.js";
import type { ExtractiveTask } from "./extractive-worker.js";
import type { Summarizer, SummaryResult } from "./summarizer.js";

export interface ExtractiveSummarizerOptions {
  /** Worker threads for long documents, 1 or more. Default: one a processor, at most 4. */
  readonly threads?: number;
  /** Documents of at most so many UTF-16 units are summarized on the caller's thread. Default 50,000: some 10 ms. */
  readonly inlineLimit?: number;
  /** Heap of a worker thread in MB. Default 800; 20 MB of prose take some 200. */
  readonly heapMb?: number;
}

const defaultInlineLimit = 50_000;
const defaultHeapMb = 800;

function checkWholeNumber(parameter: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new BridleError("INVALID_PARAMETER", {
    parameter,
    value: String(value),
    expected: `a whole number of at least ${least}`,
  });
}

const warmUpText =
  "Bridle reads a text. It keeps the sentences that say most. The rest is left out.";

/**
 * A summarizer that needs no model: the same document and parameters give the same summary on every machine.
 * Besides the interface's errors, `summarize` throws DOCUMENT_TOO_COMPLEX where a document needs more than `heapMb`, and
 * WORKER_ENDED where a thread died; the summarizer goes on with another thread after both.
 * @throws INVALID_PARAMETER
 */
export function createExtractiveSummarizer(options: ExtractiveSummarizerOptions = {}): Summarizer {
  const {
    threads = Math.min(4, thisMachine().threads),
    inlineLimit = defaultInlineLimit,
    heapMb = defaultHeapMb,
  } = options;
  checkWholeNumber("threads", threads, 1);
  checkWholeNumber("inlineLimit", inlineLimit, 0);
  checkWholeNumber("heapMb", heapMb, 1);
  const pool = createWorkerPool<ExtractiveTask, SummaryResult>({
    worker: new URL("./extractive-worker.js", import.meta.url),
    threads,
    heapMb,
    outOfMemory: (cause) => new BridleError("DOCUMENT_TOO_COMPLEX", { limitMb: heapMb }, { cause }),
  });
  let closed = false;

  return {
    model: extractiveModel,
    version: extractiveVersion,
    traits: extractiveTraits,
    supportedParameters: extractiveParameters,
    defaults: defaultParameters,
    async summarize(document, { parameters = {}, signal } = {}) {
      const startedAt = performance.now();
      if (closed) throw new BridleError("CANCELLED");
      if (signal?.aborted) throw abortError(signal, startedAt);
      checkDocument(document);
      checkSummaryParameters(parameters);
      const result =
        document.length <= inlineLimit
          ? extractSummary(document, parameters)
          : await pool.run({ document, parameters }, { signal });
      const total = performance.now() - startedAt;
      return { ...result, timingsMs: { ...result.timingsMs, total } };
    },
    async warmUp() {
      extractSummary(warmUpText);
      await pool.run({ document: warmUpText, parameters: {} });
    },
    async close() {
      closed = true;
      await pool.close();
    },
  };
}
