// What a file becomes when it is read, what a caller may say about it beforehand, and how much of it is taken.
import { BridleError } from "../../errors/error.js";

export type FileFormat = "txt" | "md" | "html" | "pdf" | "docx";

/** A document's text: LF newlines, no control characters, paragraphs apart by a blank line. */
export interface DocumentText {
  readonly text: string;
  readonly format: FileFormat;
  /** The character encoding the bytes were read in, by its WHATWG name; absent for pdf and docx, which name their own. */
  readonly encoding?: string;
  /** Number of pages, where the format has pages. */
  readonly pages?: number;
  /** The title that the file gives itself. */
  readonly title?: string;
  /** Whole sentences about what was guessed, left out or odd. */
  readonly warnings: readonly string[];
}

/** What came with the bytes. The content has the first word; these decide where it leaves a choice. */
export interface ReadHints {
  readonly fileName?: string | undefined;
  /** Media type, with or without parameters: `text/html; charset=iso-8859-1`. */
  readonly mediaType?: string | undefined;
  /** Charset label; it goes before one in `mediaType`. */
  readonly charset?: string | undefined;
}

export interface ReadLimits {
  /** Size of the file, in bytes. */
  readonly maxBytes: number;
  /** Length of the text, in UTF-16 units. */
  readonly maxTextChars: number;
  /** What compressed parts may unpack to, in bytes: a docx in all, a PDF for each stream. */
  readonly maxUnzippedBytes: number;
  /** Pages of a PDF. */
  readonly maxPages: number;
}

export const defaultReadLimits: ReadLimits = {
  maxBytes: 50 * 1024 * 1024,
  maxTextChars: 25_000_000,
  maxUnzippedBytes: 100 * 1024 * 1024,
  maxPages: 2000,
};

/** @throws INVALID_PARAMETER unless the value is a whole number above 0 */
export function checkWholeNumber(parameter: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  const expected = "a whole number above 0";
  throw new BridleError("INVALID_PARAMETER", { parameter, value: String(value), expected });
}

/**
 * Limits with the defaults filled in.
 * @throws INVALID_PARAMETER where one is no whole number above 0.
 */
export function resolveLimits(limits: Partial<ReadLimits> = {}): ReadLimits {
  const resolved = { ...defaultReadLimits };
  for (const name of Object.keys(resolved) as (keyof ReadLimits)[]) {
    resolved[name] = limits[name] ?? resolved[name];
    checkWholeNumber(name, resolved[name]);
  }
  return resolved;
}

const longestName = 80;

/** The words an error uses for the file: its base name in quotes, or "the document". */
export function whereOf(hints: ReadHints): string {
  const base = (hints.fileName ?? "").split(/[/\\]/).pop() ?? "";
  // A name comes from outside and ends in logs and terminals.
  const name = base.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}"]/gu, "").trim();
  if (name === "") return "the document";
  return `"${name.length > longestName ? `${name.slice(0, longestName)}…` : name}"`;
}

/** The same at the start of a sentence. */
export function subjectOf(hints: ReadHints): string {
  const where = whereOf(hints);
  return where.charAt(0).toUpperCase() + where.slice(1);
}

/** Whole bytes as people write them: 1536 → "1.5 KiB". */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}
