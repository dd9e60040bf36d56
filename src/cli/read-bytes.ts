// Reads the whole of a file or of standard input, up to a limit.
import { createReadStream } from "node:fs";
import { BridleError } from "../errors/error.js";
import { readError } from "../errors/file-errors.js";
import { defaultReadLimits } from "../text/files/document-text.js";
import type { Terminal } from "./terminal.js";

/**
 * @param file a path, or undefined for standard input
 * @throws FILE_NOT_FOUND, FILE_NOT_READABLE, TEXT_TOO_LARGE, CANCELLED
 */
export async function readBytes(
  file: string | undefined,
  terminal: Terminal,
  limitBytes = defaultReadLimits.maxBytes,
): Promise<Uint8Array> {
  const where = file ?? "standard input";
  // One that has fired already tells nobody again.
  if (terminal.signal.aborted) throw new BridleError("CANCELLED");
  const stream = file === undefined ? terminal.stdin : createReadStream(file);
  const stop = () => stream.destroy();
  terminal.signal.addEventListener("abort", stop, { once: true });
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > limitBytes) {
        throw new BridleError("TEXT_TOO_LARGE", {
          where,
          size: `more than ${limitBytes} bytes`,
          limit: `${limitBytes} bytes`,
        });
      }
      chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
    }
  } catch (thrown) {
    if (terminal.signal.aborted) throw new BridleError("CANCELLED");
    throw readError(thrown, where);
  } finally {
    terminal.signal.removeEventListener("abort", stop);
  }
  if (terminal.signal.aborted) throw new BridleError("CANCELLED");
  return Buffer.concat(chunks, size);
}
