// Reads documents without holding up the caller's thread: small plain text at once, everything else in a worker.
import { thisMachine } from "../../config/machine.js";
import { abortError } from "../../errors/abort-error.js";
import { BridleError } from "../../errors/error.js";
import { createWorkerPool } from "../worker-pool.js";
import {
  checkWholeNumber,
  type DocumentText,
  type ReadHints,
  type ReadLimits,
  resolveLimits,
  subjectOf,
} from "./document-text.js";
import type { FileTask } from "./files-worker.js";
import { checkBytes, isSmallPlainText, readDocument } from "./read-document.js";

export interface DocumentReader {
  /**
   * The text of a document; see `readDocument`. Aborting ends the work at once, even inside a library.
   * @throws what `readDocument` throws, and FILE_TOO_COMPLEX, CANCELLED, DEADLINE_EXCEEDED (for a TimeoutError reason)
   */
  read(
    bytes: Uint8Array,
    hints?: ReadHints,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<DocumentText>;
  /** Ends the threads; reads still under way are cancelled. */
  close(): Promise<void>;
}

export interface DocumentReaderOptions {
  /** Worker threads at most, 1 or more; default: one a processor, at most 4. */
  readonly threads?: number;
  readonly limits?: Partial<ReadLimits>;
  /** Heap of a thread in MB; a file that needs more ends it. Default 1500: what a docx at its XML limit takes. */
  readonly heapMb?: number;
}

const defaultHeapMb = 1500;

/**
 * A reader of documents with threads of its own, started when first needed and given back when idle. It does not
 * keep the process alive.
 * @throws INVALID_PARAMETER
 */
export function createDocumentReader(options: DocumentReaderOptions = {}): DocumentReader {
  const limits = resolveLimits(options.limits);
  const { threads = Math.min(4, thisMachine().threads), heapMb = defaultHeapMb } = options;
  checkWholeNumber("threads", threads);
  checkWholeNumber("heapMb", heapMb);
  const pool = createWorkerPool<FileTask, DocumentText>({
    worker: new URL("./files-worker.js", import.meta.url),
    threads,
    heapMb,
    data: { limits },
    outOfMemory: (cause, { hints }) =>
      new BridleError("FILE_TOO_COMPLEX", { where: subjectOf(hints), limitMb: heapMb }, { cause }),
  });
  let closed = false;

  return {
    async read(bytes, hints = {}, { signal } = {}) {
      const startedAt = performance.now();
      if (closed) throw new BridleError("CANCELLED");
      if (signal?.aborted) throw abortError(signal, startedAt);
      checkBytes(bytes, hints, limits);
      if (isSmallPlainText(bytes, hints)) return await readDocument(bytes, hints, limits);
      const { fileName, mediaType, charset } = hints;
      // A view may show a part of a larger buffer, all of which would travel; and the caller keeps what is its own.
      const copy = new Uint8Array(bytes);
      const task = { bytes: copy, hints: { fileName, mediaType, charset } };
      return await pool.run(task, { signal, transfer: [copy.buffer] });
    },
    async close() {
      closed = true;
      await pool.close();
    },
  };
}
