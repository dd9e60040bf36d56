// One document from bytes to text: what it is, how it is read, and what is too large, broken or no document at all.
import { isUtf8 } from "node:buffer";
import { BridleError } from "../../errors/error.js";
import { cleanText, hasText } from "./clean-text.js";
import {
  type DocumentText,
  type ReadHints,
  type ReadLimits,
  resolveLimits,
  subjectOf,
  whereOf,
} from "./document-text.js";
import { type FileKind, findFileKind, isOle, oleKind, zipKind } from "./file-signatures.js";
import { decodeText } from "./text-encoding.js";
import {
  charsetOfMarkup,
  charsetOfMediaType,
  formatOfMediaType,
  formatOfName,
  guessTextFormat,
} from "./text-format.js";

/** Everything a reader of one format needs. */
interface Reading {
  readonly bytes: Uint8Array;
  readonly hints: ReadHints;
  readonly limits: ReadLimits;
  /** How errors name the document, at the start of a sentence. */
  readonly where: string;
}

/** Readers may put the marker of a PDF behind other bytes, which some mailers and scanners prepend. */
const pdfMarkerReach = 1024;

function isPdf(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, pdfMarkerReach));
  const at = head.indexOf("%PDF-");
  if (at <= 0) return at === 0;
  // Behind text, the marker may be what the text is about; a PDF also has its objects.
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return file.includes(" obj") && (file.includes("startxref") || file.includes("endobj"));
}

/** A PDF by its name whose first bytes are lost: pdf.js finds the objects all the same. */
function isHeadlessPdf(bytes: Uint8Array, hints: ReadHints): boolean {
  const claimed = formatOfName(hints) ?? formatOfMediaType(hints);
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return claimed === "pdf" && file.includes("endobj");
}

function isZip(bytes: Uint8Array): boolean {
  const [p, k, a, b] = bytes;
  return p === 0x50 && k === 0x4b && ((a === 3 && b === 4) || (a === 5 && b === 6));
}

function unsupported(where: string, { looksLike, advice }: FileKind): BridleError {
  return new BridleError("UNSUPPORTED_FILE_TYPE", { where, looksLike, advice });
}

async function readZip({ bytes, limits, where }: Reading): Promise<DocumentText> {
  const [{ openZip }, { isDocx, readDocx }] = await Promise.all([
    import("./zip-archive.js"),
    import("./docx.js"),
  ]);
  const { maxUnzippedBytes } = limits;
  const archive = await openZip(bytes, { subject: where, format: "docx", maxUnzippedBytes });
  if (!(await isDocx(archive))) throw unsupported(where, zipKind(archive.names));
  const { text, title } = await readDocx(archive, where);
  return { text, format: "docx", ...(title === undefined ? {} : { title }), warnings: [] };
}

async function readPdfFile({ bytes, limits, where }: Reading): Promise<DocumentText> {
  const { readPdf } = await import("./pdf.js");
  return { format: "pdf", ...(await readPdf(bytes, where, limits)) };
}

function binaryError(bytes: Uint8Array, where: string): BridleError {
  if (!bytes.includes(0)) return new BridleError("UNKNOWN_ENCODING", { where });
  const advice = "open it in its own program and save it as docx, PDF or text";
  return unsupported(where, { looksLike: "binary data", advice });
}

/** What was promised by name or type and is not there: the file is damaged rather than of another kind. */
function brokenPromise({ hints, where }: Reading): BridleError | undefined {
  const claimed = formatOfName(hints) ?? formatOfMediaType(hints);
  if (claimed !== "pdf" && claimed !== "docx") return undefined;
  const reason = `it does not begin as a ${claimed} does`;
  return new BridleError("FILE_DAMAGED", { where, format: claimed, reason });
}

async function readText(reading: Reading): Promise<DocumentText> {
  const { bytes, hints, where } = reading;
  const declared = [
    hints.charset,
    charsetOfMediaType(hints.mediaType),
    charsetOfMarkup(bytes),
  ].filter((label) => label !== undefined);
  const decoded = decodeText(bytes, declared);
  if (decoded === undefined) throw brokenPromise(reading) ?? binaryError(bytes, where);
  const { text, encoding } = decoded;
  const { format, warning } = guessTextFormat(text, hints);
  const warnings = [...decoded.warnings, ...(warning === undefined ? [] : [warning])];
  if (format === "html") {
    const { readHtml } = await import("./html-document.js");
    const page = readHtml(text);
    return { ...page, format, encoding, warnings: [...warnings, ...page.warnings] };
  }
  if (format === "md") {
    const { markdownToText } = await import("./markdown-text.js");
    const page = markdownToText(text.replace(/\r\n?/g, "\n"));
    return { ...page, format, encoding, warnings: [...warnings, ...page.warnings] };
  }
  return { text, format, encoding, warnings };
}

async function readAny(reading: Reading): Promise<DocumentText> {
  const { bytes, hints, where } = reading;
  if (isPdf(bytes) || isHeadlessPdf(bytes, hints)) return await readPdfFile(reading);
  if (isZip(bytes)) return await readZip(reading);
  if (isOle(bytes)) {
    const kind = oleKind(bytes);
    if (kind === "encrypted") throw new BridleError("FILE_ENCRYPTED", { where });
    throw unsupported(where, kind);
  }
  const kind = findFileKind(bytes);
  if (kind !== undefined) throw unsupported(where, kind);
  return await readText(reading);
}

const smallBytes = 256 * 1024;

/** Whether reading a file is sure to take no longer than decoding a little text. */
export function isSmallPlainText(bytes: Uint8Array, hints: ReadHints): boolean {
  if (bytes.length > smallBytes || isPdf(bytes) || isZip(bytes) || isOle(bytes)) return false;
  // What another encoding may be takes a look at all of them; what is a PDF by its name alone is read as one.
  if (!isUtf8(bytes) || isHeadlessPdf(bytes, hints)) return false;
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 4096));
  return guessTextFormat(head.toString("latin1"), hints).format === "txt";
}

/** @throws INVALID_PARAMETER, FILE_TOO_LARGE, EMPTY_TEXT for no bytes at all */
export function checkBytes(bytes: Uint8Array, hints: ReadHints, limits: ReadLimits): void {
  if (!(bytes instanceof Uint8Array)) {
    const value = bytes === null ? "null" : typeof bytes;
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "bytes",
      value,
      expected: "a Uint8Array",
    });
  }
  if (bytes.length > limits.maxBytes) {
    throw new BridleError("FILE_TOO_LARGE", {
      where: subjectOf(hints),
      sizeBytes: bytes.length,
      limitBytes: limits.maxBytes,
    });
  }
  if (bytes.length === 0) throw new BridleError("EMPTY_TEXT", { where: whereOf(hints) });
}

/**
 * The text of a document given as bytes: txt, md, html, pdf or docx, told apart by content first, then by name, then
 * by media type. Works in the calling thread: a hostile file may take seconds; `createDocumentReader` keeps such
 * work off it and can be aborted.
 * @throws EMPTY_TEXT, FILE_TOO_LARGE, TEXT_TOO_LARGE, TOO_MANY_PAGES, FILE_UNPACKS_TOO_LARGE, UNSUPPORTED_FILE_TYPE,
 * UNKNOWN_ENCODING, FILE_ENCRYPTED, FILE_DAMAGED, NO_TEXT_LAYER, INVALID_PARAMETER
 */
export async function readDocument(
  bytes: Uint8Array,
  hints: ReadHints = {},
  limits?: Partial<ReadLimits>,
): Promise<DocumentText> {
  const resolved = resolveLimits(limits);
  checkBytes(bytes, hints, resolved);
  const read = await readAny({ bytes, hints, limits: resolved, where: subjectOf(hints) });
  const text = cleanText(read.text);
  if (!hasText(text)) throw new BridleError("EMPTY_TEXT", { where: whereOf(hints) });
  if (text.length > resolved.maxTextChars) {
    throw new BridleError("TEXT_TOO_LARGE", {
      where: subjectOf(hints),
      size: `${text.length} characters`,
      limit: `${resolved.maxTextChars} characters`,
    });
  }
  return { ...read, text };
}
