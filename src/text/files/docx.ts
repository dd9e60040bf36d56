// Word documents (Office Open XML) to text, through mammoth's HTML, with every part checked before it is parsed.
import mammoth from "mammoth";
import { BridleError } from "../../errors/error.js";
import { formatBytes } from "./document-text.js";
import { htmlToText } from "./html-text.js";
import type { ZipArchive } from "./zip-archive.js";

export interface DocxText {
  readonly text: string;
  readonly title?: string;
}

/** A tree of the XML takes some 45 times its size: 1.4 GB at this limit (measured with mammoth 1.13). */
const maxXmlBytes = 32 * 1024 * 1024;

/** Tables of contents repeat the headings with page numbers. */
const styleMap = ["p[style-name^='toc'] => !", "p[style-name='Title'] => h1:fresh"];

/** What mammoth reads a document's parts through; its own unzipping is never used. */
interface PartReader {
  exists(name: string): boolean;
  read(name: string, encoding?: string): Promise<Uint8Array | string>;
}

function decodeXml(part: Buffer): string {
  const utf16le = part[0] === 0xff && part[1] === 0xfe;
  const utf16be = part[0] === 0xfe && part[1] === 0xff;
  return new TextDecoder(utf16le ? "utf-16le" : utf16be ? "utf-16be" : "utf-8").decode(part);
}

function createPartReader(archive: ZipArchive, subject: string): PartReader {
  let xmlBytes = 0;
  return {
    exists: (name) => archive.has(name),
    read: async (name, encoding) => {
      const part = await archive.read(name);
      if (encoding === undefined) return part;
      if (encoding === "base64") return part.toString("base64");
      xmlBytes += part.length;
      if (xmlBytes > maxXmlBytes) {
        const limit = `${formatBytes(maxXmlBytes)} of XML`;
        throw new BridleError("FILE_UNPACKS_TOO_LARGE", { where: subject, limit });
      }
      const xml = decodeXml(part);
      // The format forbids document types; entities in one are how XML bombs and file inclusion are built.
      if (/<!(?:DOCTYPE|ENTITY)/i.test(xml)) {
        throw damaged(subject, `its part ${name.slice(0, 80)} declares a document type`);
      }
      return xml;
    },
  };
}

function damaged(where: string, reason: string, cause?: unknown): BridleError {
  return new BridleError("FILE_DAMAGED", { where, format: "docx", reason }, { cause });
}

/** What mammoth or its XML parser says, as the end of a sentence. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof RangeError) return "its XML is nested too deeply";
  if (thrown instanceof TypeError) return "its XML is not whole";
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const [line = ""] = message.split(/\n|@#\[/);
  const parser = /^(?:\w+: )?\[xmldom \w+\]\s*(.*)$/.exec(line);
  const said = (parser?.[1] ?? line)
    .trim()
    .replace(/[.:?]+$/, "")
    .slice(0, 160);
  return parser === null ? said : `its XML is broken (${said})`;
}

async function readTitle(archive: ZipArchive): Promise<string | undefined> {
  const name = "docProps/core.xml";
  if (!archive.has(name)) return undefined;
  const xml = decodeXml(await archive.read(name));
  const title = /<dc:title>([^<]{1,1000})<\/dc:title>/.exec(xml)?.[1];
  return title === undefined ? undefined : htmlToText(title).text || undefined;
}

/** Whether an archive is a Word document, by the content type of one of its parts or its usual main part. */
export async function isDocx(archive: ZipArchive): Promise<boolean> {
  if (archive.has("word/document.xml")) return true;
  if (!archive.has("[Content_Types].xml")) return false;
  const types = decodeXml(await archive.read("[Content_Types].xml"));
  return /wordprocessingml\.(?:document|template)\.main\+xml|ms-word\.\w+\.macroEnabledTemplate\.main\+xml|ms-word\.document\.macroEnabled\.main\+xml/i.test(
    types,
  );
}

/**
 * The text of a Word document: headings and paragraphs apart by blank lines, list items and table rows a line each,
 * footnotes at the end; no headers, footers, comments, deleted text, tables of contents or pictures.
 * @throws FILE_DAMAGED, FILE_ENCRYPTED, FILE_UNPACKS_TOO_LARGE
 */
export async function readDocx(archive: ZipArchive, subject: string): Promise<DocxText> {
  let html: string;
  try {
    // `file` is mammoth's own seam for a reader of parts, absent from its types; what was checked is what it reads.
    const input = { file: createPartReader(archive, subject) };
    const result = await mammoth.convertToHtml(input as unknown as { buffer: Buffer }, {
      styleMap,
      includeEmbeddedStyleMap: false,
      externalFileAccess: false,
      convertImage: mammoth.images.imgElement(async () => ({ src: "" })),
    });
    html = result.value;
  } catch (thrown) {
    if (thrown instanceof BridleError) throw thrown;
    throw damaged(subject, reasonOf(thrown), thrown);
  }
  const { text } = htmlToText(html, { keepChrome: true, keepCode: true });
  const title = await readTitle(archive).catch(() => undefined);
  return { text, ...(title === undefined ? {} : { title }) };
}
