// Files for tests, made on the spot: PDF, docx and zip, well-formed and not, so that no document of anyone else is kept here.
import { deflateRawSync, deflateSync } from "node:zlib";
import JSZip from "jszip";
import { degrees, PDFDocument, type PDFFont, type PDFPage, StandardFonts } from "pdf-lib";

export interface PdfText {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly size?: number;
  /** Quarter turns counter-clockwise. */
  readonly turns?: number;
}

/** A PDF of US letter pages with each text drawn where it says, in Helvetica. */
export async function makePdf(
  pages: readonly (readonly PdfText[])[],
  title?: string,
): Promise<Uint8Array> {
  const document = await PDFDocument.create();
  if (title !== undefined) document.setTitle(title);
  const font = await document.embedFont(StandardFonts.Helvetica);
  for (const texts of pages) {
    const page = document.addPage([612, 792]);
    for (const text of texts) draw(page, font, text);
  }
  return await document.save();
}

function draw(page: PDFPage, font: PDFFont, { text, x, y, size = 11, turns = 0 }: PdfText): void {
  page.drawText(text, { x, y, size, font, rotate: degrees(90 * turns) });
}

/** Lines below each other from the top, 14 units apart, as one column at x. */
export function column(lines: readonly string[], x = 72, top = 700, size = 11): PdfText[] {
  return lines.map((text, i) => ({ text, x, y: top - 14 * i, size }));
}

/** A page that is one picture, as a scanner makes it: noise, so that it does not compress to nothing. */
export async function makeScannedPdf(stamp?: string): Promise<Uint8Array> {
  const document = await PDFDocument.create();
  const font = await document.embedFont(StandardFonts.Helvetica);
  const picture = await document.embedPng(makePng(200, 200));
  for (let i = 0; i < 3; i++) {
    const page = document.addPage([612, 792]);
    page.drawImage(picture, { x: 36, y: 36, width: 540, height: 720 });
    if (stamp !== undefined) page.drawText(stamp, { x: 72, y: 20, size: 8, font });
  }
  return await document.save();
}

const crcTable = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  return crc;
});

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ crcTable[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
}

/** A grey PNG of noise from a fixed seed. */
export function makePng(width: number, height: number): Uint8Array {
  const chunk = (type: string, data: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const framed = Buffer.alloc(body.length + 8);
    framed.writeUInt32BE(data.length, 0);
    body.copy(framed, 4);
    framed.writeUInt32BE(crc32(body), body.length + 4);
    return framed;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const random = createRandom(7);
  const rows = Buffer.alloc((width + 1) * height);
  for (let i = 0; i < rows.length; i++) rows[i] = i % (width + 1) === 0 ? 0 : random() * 256;
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", new Uint8Array()),
  ]);
}

/** Numbers from 0 to 1 that are the same in every run. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

/** A PDF from the bodies of its objects, of which the first is the catalog. */
export function makeRawPdf(objects: readonly (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "latin1")];
  const offsets: number[] = [];
  let length = parts[0]!.length;
  const add = (part: Buffer): void => {
    parts.push(part);
    length += part.length;
  };
  for (const [i, body] of objects.entries()) {
    offsets.push(length);
    add(Buffer.from(`${i + 1} 0 obj\n`));
    add(typeof body === "string" ? Buffer.from(body, "latin1") : body);
    add(Buffer.from("\nendobj\n"));
  }
  const start = length;
  const rows = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`);
  add(Buffer.from(`xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows.join("")}`));
  add(Buffer.from(`trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\n`));
  add(Buffer.from(`startxref\n${start}\n%%EOF\n`));
  return Buffer.concat(parts);
}

/** The stream object of a PDF: a dictionary's further entries and the data. */
export function pdfStream(entries: string, data: Uint8Array): Buffer {
  const head = Buffer.from(`<< /Length ${data.length} ${entries} >>\nstream\n`, "latin1");
  return Buffer.concat([head, data, Buffer.from("\nendstream")]);
}

/** A PDF of one page that draws `content`, with the given font objects behind /F1. */
export function makeOnePagePdf(content: Buffer, fonts: readonly string[] = []): Buffer {
  const font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>";
  return makeRawPdf([
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
    content,
    ...(fonts.length === 0 ? [font] : fonts),
  ]);
}

/** Zeros beyond zeros: `megabytes` of spaces behind a line of text, compressed once or twice. */
export function makePdfBomb(megabytes: number, layers: 1 | 2): Buffer {
  const text = Buffer.from("BT /F1 12 Tf 72 700 Td (Hello) Tj ET\n");
  const once = deflateSync(Buffer.concat([text, Buffer.alloc(megabytes * 1e6, " ")]), { level: 9 });
  if (layers === 1) return makeOnePagePdf(pdfStream("/Filter /FlateDecode", once));
  const twice = deflateSync(once, { level: 9 });
  return makeOnePagePdf(pdfStream("/Filter [/FlateDecode /FlateDecode]", twice));
}

const relations = `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`;
const contentTypes = `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`;

/** The main part of a Word document around the XML of its body. */
export function wordXml(body: string): string {
  return `<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>${body}</w:body></w:document>`;
}

export function wordParagraph(text: string, style?: string): string {
  const properties = style === undefined ? "" : `<w:pPr><w:pStyle w:val="${style}"/></w:pPr>`;
  return `<w:p>${properties}<w:r><w:t xml:space="preserve">${text}</w:t></w:r></w:p>`;
}

/** A Word document with the given body, and other parts beside or in place of the usual ones. */
export async function makeDocx(
  body: string,
  parts: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<Uint8Array> {
  const zip = new JSZip();
  const all = {
    "[Content_Types].xml": contentTypes,
    "_rels/.rels": relations,
    "word/document.xml": wordXml(body),
    ...parts,
  };
  for (const [name, content] of Object.entries(all)) zip.file(name, content);
  return await zip.generateAsync({ type: "uint8array", compression: "DEFLATE" });
}

export interface RawZipEntry {
  readonly name: string;
  readonly data: Uint8Array;
  /** What the directory says, where that is not the truth. */
  readonly declaredSize?: number;
  readonly flags?: number;
}

/** A zip archive byte by byte, which may lie. */
export function makeRawZip(entries: readonly RawZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const { name, data, declaredSize = data.length, flags = 0 } of entries) {
    const packed = deflateRawSync(data, { level: 9 });
    const bytes = Buffer.from(name);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(flags, 2);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt32LE(crc32(data), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(declaredSize, 18);
    fields.writeUInt16LE(bytes.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), fields, bytes, packed]);
    const central = Buffer.alloc(14);
    central.writeUInt32LE(offset, 10);
    centrals.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), fields, central, bytes]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

/** The start of an Office file behind a password: the older container with the encrypted package in it. */
export function makeOle(streamName: string): Buffer {
  const file = Buffer.alloc(2048);
  file.set([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]);
  file.write(streamName, 1024, "utf16le");
  return file;
}
