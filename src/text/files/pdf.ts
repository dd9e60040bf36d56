// PDF to text with pdf.js: opens without running, fetching or drawing anything, and reads page by page.
import { getResolvedPDFJS } from "unpdf";
import { BridleError } from "../../errors/error.js";
import { formatBytes, type ReadLimits } from "./document-text.js";
import { PdfDataFactory } from "./pdf-cmaps.js";
import { type PdfPage, removeFurniture } from "./pdf-furniture.js";
import { buildLines, type PdfPiece } from "./pdf-lines.js";
import { buildParagraphs } from "./pdf-paragraphs.js";
import { hasStreamBeyond } from "./pdf-streams.js";

export interface PdfText {
  readonly text: string;
  readonly pages: number;
  readonly title?: string;
  readonly warnings: readonly string[];
}

type Pdfjs = Awaited<ReturnType<typeof getResolvedPDFJS>>;
type PdfDocument = Awaited<ReturnType<Pdfjs["getDocument"]>["promise"]>;

interface ReadPages {
  readonly pages: PdfPage[];
  readonly damaged: number[];
  readonly empty: number[];
}

/** A share of characters without meaning above which the text layer is worthless, and one worth a warning. */
const worthlessShare = 0.3;
const doubtfulShare = 0.02;
/** A page with less text and more bytes than these is a picture with a stamp on it. */
const stampCharacters = 100;
const pictureBytes = 15_000;
const maxListedPages = 10;

function damaged(where: string, reason: string, cause?: unknown): BridleError {
  return new BridleError("FILE_DAMAGED", { where, format: "pdf", reason }, { cause });
}

function reasonOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return message.replace(/\s+/g, " ").slice(0, 120).replace(/\.$/, "") || "it is not whole";
}

function openError(thrown: unknown, where: string): BridleError {
  if (thrown instanceof BridleError) return thrown;
  if (thrown instanceof Error && thrown.name === "PasswordException") {
    return new BridleError("FILE_ENCRYPTED", { where }, { cause: thrown });
  }
  return damaged(where, reasonOf(thrown), thrown);
}

async function readPage(document: PdfDocument, number: number): Promise<PdfPage> {
  const page = await document.getPage(number);
  const content = await page.getTextContent();
  const pieces: PdfPiece[] = [];
  for (const item of content.items) {
    if (!("str" in item)) continue;
    const vertical = content.styles[item.fontName]?.vertical === true;
    pieces.push({ ...item, vertical });
  }
  const [left = 0, bottom = 0, right = 612, top = 792] = page.view;
  const read = {
    number,
    lines: buildLines(pieces, number),
    box: [left, bottom, right, top] as const,
  };
  page.cleanup();
  return read;
}

async function readPages(document: PdfDocument, where: string, limits: ReadLimits) {
  const read: ReadPages = { pages: [], damaged: [], empty: [] };
  let characters = 0;
  let failure: unknown;
  for (let number = 1; number <= document.numPages; number++) {
    try {
      const page = await readPage(document, number);
      read.pages.push(page);
      if (page.lines.length === 0) read.empty.push(number);
      for (const { text } of page.lines) characters += text.length;
    } catch (thrown) {
      failure = thrown;
      read.damaged.push(number);
    }
    if (characters > limits.maxTextChars) {
      const size = `more than ${limits.maxTextChars} characters`;
      const limit = `${limits.maxTextChars} characters`;
      throw new BridleError("TEXT_TOO_LARGE", { where, size, limit });
    }
  }
  if (read.pages.length === 0) throw damaged(where, reasonOf(failure), failure);
  return read;
}

/** "page 3", "pages 1, 2 and 5": with an ellipsis beyond ten. */
function listPages(numbers: readonly number[]): string {
  if (numbers.length === 1) return `page ${numbers[0]}`;
  const listed = numbers.slice(0, maxListedPages);
  if (numbers.length > maxListedPages) return `pages ${listed.join(", ")}, … (${numbers.length})`;
  return `pages ${listed.slice(0, -1).join(", ")} and ${listed.at(-1)}`;
}

/** Share of characters that stand for nothing: private use, unassigned replacement, controls. */
function meaninglessShare(text: string): number {
  const visible = text.replace(/\s/g, "");
  const meaningless = visible.match(/[\p{Co}\p{Cc}\p{Cn}\uFFFD]/gu)?.length ?? 0;
  return visible.length === 0 ? 0 : meaningless / visible.length;
}

function assemble(read: ReadPages, where: string, fileBytes: number): string {
  const characters = read.pages
    .flatMap(({ lines }) => lines)
    .reduce((sum, { text }) => sum + text.length, 0);
  const kept = removeFurniture(read.pages);
  const lines = kept.flatMap((page) => page.lines);
  const pictures = fileBytes / read.pages.length > pictureBytes;
  if (
    characters === 0 ||
    (lines.length === 0 && pictures && characters / read.pages.length < stampCharacters)
  ) {
    const reason = "no page has a letter that is not part of a picture";
    throw new BridleError("NO_TEXT_LAYER", { where, reason });
  }
  // A document of nothing but repeated lines, such as labels, is its text.
  return buildParagraphs(lines.length === 0 ? read.pages.flatMap((page) => page.lines) : lines);
}

async function readTitle(document: PdfDocument): Promise<string | undefined> {
  const { info } = await document.getMetadata();
  const title: unknown = "Title" in info ? info.Title : undefined;
  if (typeof title !== "string") return undefined;
  const clean = title.replace(/^Microsoft (?:Word|PowerPoint) - /, "").trim();
  return clean === "" || /^untitled|\.(?:docx?|dvi|tex|indd|qxd)$/i.test(clean) ? undefined : clean;
}

/** Every PDF ends in this mark, with at most a few odd bytes behind it. */
function hasEnd(bytes: Uint8Array): boolean {
  const tail = bytes.subarray(Math.max(0, bytes.length - 4096));
  return Buffer.from(tail.buffer, tail.byteOffset, tail.length).includes("%%EOF");
}

async function readOpen(
  document: PdfDocument,
  where: string,
  limits: ReadLimits,
  bytes: Uint8Array,
): Promise<PdfText> {
  const pages = document.numPages;
  if (pages > limits.maxPages) {
    throw new BridleError("TOO_MANY_PAGES", { where, pages, limit: limits.maxPages });
  }
  const read = await readPages(document, where, limits);
  const text = assemble(read, where, bytes.length);
  const share = meaninglessShare(text);
  if (share > worthlessShare) {
    const reason = "its fonts do not say which letters their shapes stand for";
    throw new BridleError("NO_TEXT_LAYER", { where, reason });
  }
  const warnings: string[] = [];
  if (share > doubtfulShare) warnings.push("Some characters could not be told from their shapes.");
  if (read.damaged.length > 0) {
    warnings.push(`The file is damaged; ${listPages(read.damaged)} could not be read.`);
  }
  if (read.empty.length > 0) {
    const verb = read.empty.length === 1 ? "has" : "have";
    warnings.push(`No text on ${listPages(read.empty)}, which ${verb} only pictures or nothing.`);
  }
  if (!hasEnd(bytes))
    warnings.push("The file seems to be cut short; what is there of it was read.");
  const title = await readTitle(document).catch(() => undefined);
  return { text, pages, ...(title === undefined ? {} : { title }), warnings };
}

/**
 * The text of a PDF in the order its pages draw it: lines joined to paragraphs, line-break hyphens taken back,
 * running heads, feet and page numbers left out. Files with only an owner's password are read.
 * @throws FILE_DAMAGED, FILE_ENCRYPTED, NO_TEXT_LAYER, TOO_MANY_PAGES, TEXT_TOO_LARGE, FILE_UNPACKS_TOO_LARGE
 */
export async function readPdf(
  bytes: Uint8Array,
  where: string,
  limits: ReadLimits,
): Promise<PdfText> {
  if (hasStreamBeyond(bytes, limits.maxUnzippedBytes)) {
    const limit = formatBytes(limits.maxUnzippedBytes);
    throw new BridleError("FILE_UNPACKS_TOO_LARGE", { where, limit });
  }
  const { getDocument } = await getResolvedPDFJS();
  const task = getDocument({
    // pdf.js takes the buffer for itself; the caller's stays whole.
    data: new Uint8Array(bytes),
    verbosity: 0,
    isEvalSupported: false,
    useSystemFonts: false,
    disableFontFace: true,
    useWorkerFetch: false,
    useWasm: false,
    enableXfa: false,
    cMapPacked: false,
    BinaryDataFactory: PdfDataFactory,
  });
  try {
    return await readOpen(await task.promise, where, limits, bytes);
  } catch (thrown) {
    throw openError(thrown, where);
  } finally {
    await task.destroy();
  }
}
