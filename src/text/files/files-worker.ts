// The thread that reads files: one at a time, within its own heap, ended without harm when a file is too much for it.
import { workerData } from "node:worker_threads";
import { BridleError } from "../../errors/error.js";
import { answering } from "../worker-answer.js";
import { guardAllocations } from "./allocation-guard.js";
import {
  type DocumentText,
  formatBytes,
  type ReadHints,
  type ReadLimits,
  subjectOf,
} from "./document-text.js";
import { readDocument } from "./read-document.js";

export interface FileTask {
  readonly bytes: Uint8Array;
  readonly hints: ReadHints;
}

const { limits } = workerData as { readonly limits: ReadLimits };
// Arrays grow by doubling, so that the last one of an allowed stream may be twice its size.
const guard = guardAllocations(2 * limits.maxUnzippedBytes);

async function read({ bytes, hints }: FileTask): Promise<DocumentText> {
  guard.takeRefusal();
  try {
    return await readDocument(bytes, hints, limits);
  } finally {
    // pdf.js goes on with what it has when memory runs out; half a document is no answer.
    if (guard.takeRefusal()) {
      const limit = formatBytes(limits.maxUnzippedBytes);
      // biome-ignore lint/correctness/noUnsafeFinally: the refusal is the cause of whatever came of it
      throw new BridleError("FILE_UNPACKS_TOO_LARGE", { where: subjectOf(hints), limit });
    }
  }
}

export default answering(read);
