// Which of the text formats a decoded text is: what it shows first, then its name, then its declared media type.
import type { FileFormat, ReadHints } from "./document-text.js";

type TextFormat = Extract<FileFormat, "txt" | "md" | "html">;

const byExtension: Readonly<Record<string, FileFormat>> = {
  txt: "txt",
  text: "txt",
  log: "txt",
  md: "md",
  markdown: "md",
  mdown: "md",
  mkd: "md",
  mkdn: "md",
  mdx: "md",
  rmd: "md",
  qmd: "md",
  html: "html",
  htm: "html",
  xhtml: "html",
  shtml: "html",
  pdf: "pdf",
  docx: "docx",
  docm: "docx",
  dotx: "docx",
  dotm: "docx",
};

const byMediaType: Readonly<Record<string, FileFormat>> = {
  "text/plain": "txt",
  "text/markdown": "md",
  "text/x-markdown": "md",
  "text/html": "html",
  "application/xhtml+xml": "html",
  "application/pdf": "pdf",
  "application/x-pdf": "pdf",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.template": "docx",
  "application/vnd.ms-word.document.macroenabled.12": "docx",
};

/** The format the name claims, if it claims one read here. */
export function formatOfName({ fileName = "" }: ReadHints): FileFormat | undefined {
  const extension = /\.([a-z]{1,8})$/i.exec(fileName)?.[1]?.toLowerCase();
  return extension === undefined || !Object.hasOwn(byExtension, extension)
    ? undefined
    : byExtension[extension];
}

/** The format the media type claims, if it claims one read here. */
export function formatOfMediaType({ mediaType = "" }: ReadHints): FileFormat | undefined {
  const type = mediaType.split(";", 1)[0]!.trim().toLowerCase();
  return Object.hasOwn(byMediaType, type) ? byMediaType[type] : undefined;
}

/** The charset parameter of a media type. */
export function charsetOfMediaType(mediaType: string | undefined): string | undefined {
  return /;\s*charset\s*=\s*"?([^\s;"]{1,40})/i.exec(mediaType ?? "")?.[1];
}

/** Where the reading of a page's first bytes looks for its charset, as browsers do. */
const metaReach = 2048;

/** The charset that a page or XML file declares for itself near its start. */
export function charsetOfMarkup(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, metaReach));
  const text = head.toString("latin1");
  const meta = /<meta\s[^>]{0,200}charset\s*=\s*["']?\s*([a-z\d_.:-]{1,40})/i.exec(text)?.[1];
  return meta ?? /<\?xml\s[^>]{0,100}encoding\s*=\s*["']([\w.:-]{1,40})/i.exec(text)?.[1];
}

const sniffReach = 1500;
const surelyHtml = /^<(?:!doctype\s+html|html|head|body|title|meta\s)/i;
const maybeHtml =
  /^<(?:script|style|link\s|iframe|h[1-6]|div|p|table|font|a\s|b>|br|center|article|section|main|header|nav|ul|ol)\b/i;

/** What stands behind white space, comments, XML declarations and processing instructions at the start. */
function firstMarkup(text: string): string {
  let head = text.slice(0, sniffReach).trimStart();
  for (;;) {
    const end = head.startsWith("<!--") ? "-->" : head.startsWith("<?") ? ">" : undefined;
    const at = end === undefined ? -1 : head.indexOf(end);
    if (end === undefined || at < 0) return head;
    head = head.slice(at + end.length).trimStart();
  }
}

export interface TextFormatGuess {
  readonly format: TextFormat;
  /** A sentence where the content overrules the name. */
  readonly warning?: string;
}

/** Content that is surely HTML wins; content that may be wins where nothing says otherwise. */
export function guessTextFormat(text: string, hints: ReadHints): TextFormatGuess {
  const named = formatOfName(hints);
  const claimed = named ?? formatOfMediaType(hints);
  const markup = firstMarkup(text);
  if (surelyHtml.test(markup)) {
    const overruled = named !== undefined && named !== "html";
    return overruled
      ? {
          format: "html",
          warning: `The file is named .${named} but holds HTML and was read as that.`,
        }
      : { format: "html" };
  }
  // A page without a single tag keeps its lines only as plain text.
  if (claimed === "html") return { format: /<[a-z/!]/i.test(text) ? "html" : "txt" };
  if (claimed === "md" || claimed === "txt") return { format: claimed };
  if (claimed !== undefined) {
    return {
      format: maybeHtml.test(markup) ? "html" : "txt",
      warning: `The file claims to be ${claimed} but holds text and was read as that.`,
    };
  }
  const known = hints.fileName !== undefined && /\.[a-z\d]{1,8}$/i.test(hints.fileName);
  return { format: !known && maybeHtml.test(markup) ? "html" : "txt" };
}
