// Small files of every kind that the page reads, made on the spot.
import JSZip from "jszip";
import { PDFDocument, StandardFonts } from "pdf-lib";

/** Seven sentences of which any two differ in all their content words. */
export const story = [
  "The bridge over the Arle was closed to lorries on Monday after divers found two cracked piers.",
  "Farmers now drive their milk forty kilometres around the valley to the dairy in Hallbeck.",
  "Engineers had warned the county about the foundations in three reports since 2015.",
  "A temporary crossing of steel pontoons will open in June and carry up to thirty tonnes.",
  "Its price of nine million crowns is paid from a fund that was meant for schools.",
  "Teachers in Hallbeck have announced a protest for the coming week.",
  "The old stone arches, built in 1788, are to be taken down and kept for a museum.",
] as const;

export async function toyPdf(sentences: readonly string[]): Promise<Buffer> {
  const pdf = await PDFDocument.create();
  const font = await pdf.embedFont(StandardFonts.Helvetica);
  for (const half of [sentences.slice(0, 4), sentences.slice(4)]) {
    const page = pdf.addPage([595, 842]);
    for (const [row, sentence] of half.entries()) {
      page.drawText(sentence, { x: 40, y: 780 - row * 24, size: 11, font });
    }
  }
  return Buffer.from(await pdf.save());
}

export async function toyDocx(paragraphs: readonly string[]): Promise<Buffer> {
  const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const body = paragraphs
    .map((text) => `<w:p><w:r><w:t>${escaped(text)}</w:t></w:r></w:p>`)
    .join("");
  const main = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
  const zip = new JSZip();
  zip.file(
    "[Content_Types].xml",
    `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`,
  );
  zip.file(
    "_rels/.rels",
    `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`,
  );
  zip.file(
    "word/document.xml",
    `<?xml version="1.0"?><w:document xmlns:w="${main}"><w:body>${body}</w:body></w:document>`,
  );
  return zip.generateAsync({ type: "nodebuffer" });
}
