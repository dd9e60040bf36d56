// Reads a folder of text files as rows: each document with the summary that lies beside it or in a folder of its own.
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { BridleError } from "../errors/error.js";
import { readError } from "../errors/file-errors.js";
import { decodeText } from "../text/files/text-encoding.js";
import type { Row } from "./row.js";

/** A document's file and, where there is one, its summary's; paths from the folder, with forward slashes. */
interface TextPair {
  readonly id: string;
  readonly document: string;
  readonly summary: string | undefined;
}

export interface TextFolder {
  readonly pairs: readonly TextPair[];
  readonly sizeBytes: number;
}

export interface TextRow {
  readonly row: Row;
  readonly sizeBytes: number;
}

const summaryEnding = ".summary.txt";

function invalid(folder: string, reason: string): BridleError {
  return new BridleError("FOLDER_NOT_DATA", { folder, reason });
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.name.startsWith("."))
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
      .sort();
  } catch (thrown) {
    throw readError(thrown, folder);
  }
}

function isText(name: string): boolean {
  return name.endsWith(".txt");
}

/** `x.txt` with `x.summary.txt` beside it. */
function beside(folder: string, names: readonly string[]): TextPair[] {
  const summaries = new Set(names.filter((name) => name.endsWith(summaryEnding)));
  const pairs = names
    .filter((name) => isText(name) && !summaries.has(name))
    .map((document) => {
      const id = document.slice(0, -".txt".length);
      const summary = `${id}${summaryEnding}`;
      return { id, document, summary: summaries.delete(summary) ? summary : undefined };
    });
  const [alone] = summaries;
  if (alone === undefined) return pairs;
  const document = `${alone.slice(0, -summaryEnding.length)}.txt`;
  throw invalid(folder, `${alone} has no ${document} beside it`);
}

/** `documents/x.txt` with `summaries/x.txt`. */
async function apart(folder: string): Promise<TextPair[]> {
  const [documents, summaries] = await Promise.all([
    namesIn(path.join(folder, "documents")),
    namesIn(path.join(folder, "summaries")),
  ]);
  const left = new Set(summaries.filter(isText));
  const pairs = documents.filter(isText).map((name) => ({
    id: name.slice(0, -".txt".length),
    document: `documents/${name}`,
    summary: left.delete(name) ? `summaries/${name}` : undefined,
  }));
  const [alone] = left;
  if (alone !== undefined) throw invalid(folder, `summaries/${alone} has no documents/${alone}`);
  return pairs;
}

/**
 * Finds the pairs of a folder: `x.txt` with `x.summary.txt`, or `documents/x.txt` with `summaries/x.txt`, in the order of
 * their names. Either every document has a summary or none has. Other files are no part of it.
 * @throws FOLDER_NOT_DATA, FILE_NOT_FOUND, FILE_NOT_READABLE
 */
export async function openTextFolder(folder: string): Promise<TextFolder> {
  const names = await namesIn(folder);
  const isApart = names.includes("documents/") && names.includes("summaries/");
  const pairs = isApart ? await apart(folder) : beside(folder, names.filter(isText));
  if (pairs.length === 0) {
    throw invalid(
      folder,
      "it holds neither x.txt with x.summary.txt nor documents/ with summaries/",
    );
  }
  const bare = pairs.find(({ summary }) => summary === undefined);
  if (bare !== undefined && pairs.some(({ summary }) => summary !== undefined)) {
    const wanted = isApart ? `summaries/${bare.id}.txt` : `${bare.id}${summaryEnding}`;
    throw invalid(folder, `${bare.document} has no ${wanted}, while others have their summaries`);
  }
  let sizeBytes = 0;
  for (const { document, summary } of pairs) {
    for (const name of summary === undefined ? [document] : [document, summary]) {
      const file = path.join(folder, name);
      sizeBytes += await stat(file).then(
        ({ size }) => size,
        (thrown) => {
          throw readError(thrown, file);
        },
      );
    }
  }
  return { pairs, sizeBytes };
}

async function textOf(
  file: string,
  maxBytes: number,
): Promise<{ text: string; sizeBytes: number }> {
  let bytes: Buffer;
  try {
    const { size } = await stat(file);
    if (size > maxBytes) {
      const place = { where: file, file, line: 1 };
      throw new BridleError("ROW_TOO_LARGE", { ...place, size, limit: maxBytes });
    }
    bytes = await readFile(file);
  } catch (thrown) {
    throw readError(thrown, file);
  }
  const decoded = decodeText(bytes);
  if (decoded === undefined) throw new BridleError("UNKNOWN_ENCODING", { where: file });
  return { text: decoded.text.replace(/^\ufeff/, ""), sizeBytes: bytes.length };
}

/**
 * The row of a pair: `id`, `document` and, where there is one, `summary`. Texts may be in any common encoding.
 * @throws FILE_NOT_FOUND, FILE_NOT_READABLE, ROW_TOO_LARGE, UNKNOWN_ENCODING
 */
export async function readTextPair(
  folder: string,
  { id, document, summary }: TextPair,
  maxBytes: number,
): Promise<TextRow> {
  const read = await textOf(path.join(folder, document), maxBytes);
  if (summary === undefined) return { row: { id, document: read.text }, sizeBytes: read.sizeBytes };
  const second = await textOf(path.join(folder, summary), maxBytes);
  return {
    row: { id, document: read.text, summary: second.text },
    sizeBytes: read.sizeBytes + second.sizeBytes,
  };
}
