// The document a command works on: a file of any known kind, or what is on standard input.
import path from "node:path";
import { BridleError } from "../errors/error.js";
import type { DocumentText } from "../text/files/document-text.js";
import type { Terminal } from "./terminal.js";

export const isStandardInput = (file: string | undefined): boolean =>
  file === undefined || file === "-";

/** @throws URL_NOT_FETCHED for a web address in place of a file */
export function refuseUrl(given: string | undefined): void {
  if (given === undefined || !/^[a-z][a-z0-9+.-]+:\/\//i.test(given)) return;
  throw new BridleError("URL_NOT_FETCHED", { url: given });
}

/**
 * The bytes of a file or of standard input.
 * @param typed the command, for the hint where nobody gives it anything
 * @throws COMMAND_LINE_INVALID when there is neither, URL_NOT_FETCHED, and what readBytes throws
 */
export async function readInput(
  file: string | undefined,
  terminal: Terminal,
  typed: string,
): Promise<Uint8Array> {
  refuseUrl(file);
  const { readBytes } = await import("./read-bytes.js");
  if (!isStandardInput(file)) return await readBytes(file, terminal);
  if (terminal.stdin.isTTY) {
    const problem = "it needs a FILE, or text on standard input.";
    throw new BridleError("COMMAND_LINE_INVALID", { problem, typed });
  }
  return await readBytes(undefined, terminal);
}

/** The text of a document (txt, md, html, pdf, docx). @throws what readInput and the reader throw */
export async function readDocument(
  file: string | undefined,
  terminal: Terminal,
  typed: string,
): Promise<DocumentText> {
  const bytes = await readInput(file, terminal, typed);
  const { createDocumentReader } = await import("../text/files/reader.js");
  const reader = createDocumentReader();
  const hints = isStandardInput(file) ? {} : { fileName: path.basename(file as string) };
  try {
    return await reader.read(bytes, hints, { signal: terminal.signal });
  } finally {
    await reader.close();
  }
}
