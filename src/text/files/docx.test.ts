// Tests what is read of Word files, and what each broken or hostile one is answered with.
import { describe, expect, it } from "vitest";
import {
  createRandom,
  makeDocx,
  makeRawZip,
  wordParagraph,
  wordXml,
} from "../../../test/support/made-files.js";
import { isDocx, readDocx } from "./docx.js";
import { openZip } from "./zip-archive.js";

async function read(bytes: Uint8Array) {
  const archive = await openZip(bytes, {
    subject: "The document",
    format: "docx",
    maxUnzippedBytes: 100 * 1024 * 1024,
  });
  return await readDocx(archive, "The document");
}

const cell = (text: string) => `<w:tc>${wordParagraph(text)}</w:tc>`;
const w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"';
const styles = `<w:styles ${w}><w:style w:type="paragraph" w:styleId="H1"><w:name w:val="heading 1"/></w:style><w:style w:type="paragraph" w:styleId="T1"><w:name w:val="toc 1"/></w:style></w:styles>`;

describe("readDocx", () => {
  it("reads headings, paragraphs and tables and leaves out the table of contents", async () => {
    const body = [
      wordParagraph("Chapter 1 ..... 3", "T1"),
      wordParagraph("Chapter 1", "H1"),
      wordParagraph("Text with &amp; and “quotes”."),
      `<w:tbl><w:tr>${cell("Region")}${cell("Flow")}</w:tr><w:tr>${cell("North")}${cell("120")}</w:tr></w:tbl>`,
      wordParagraph("Last."),
    ].join("");
    const { text } = await read(await makeDocx(body, { "word/styles.xml": styles }));
    expect(text).toBe(
      "Chapter 1\n\nText with & and “quotes”.\n\nRegion | Flow\nNorth | 120\n\nLast.",
    );
  });

  it("reads footnotes without their marks, drops deleted text and fields' codes", async () => {
    const body = `<w:p><w:r><w:t>Before</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:t>.</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>`;
    const footnotes = `<w:footnotes ${w}><w:footnote w:id="2">${wordParagraph("A note.")}</w:footnote></w:footnotes>`;
    const { text } = await read(await makeDocx(body, { "word/footnotes.xml": footnotes }));
    expect(text).toBe("Before.\n\nA note.");
  });

  it("takes the title the file gives itself", async () => {
    const core =
      '<cp:coreProperties xmlns:cp="x" xmlns:dc="y"><dc:title>Report &amp; more</dc:title></cp:coreProperties>';
    const bytes = await makeDocx(wordParagraph("Text"), { "docProps/core.xml": core });
    expect((await read(bytes)).title).toBe("Report & more");
  });

  it("reads parts in UTF-16 and main parts of another name", async () => {
    const utf16 = Buffer.from(`\ufeff${wordXml(wordParagraph("Größe"))}`, "utf16le");
    const relations = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document2.xml"/></Relationships>`;
    const bytes = await makeDocx("", { "_rels/.rels": relations, "word/document2.xml": utf16 });
    expect((await read(bytes)).text).toBe("Größe");
  });

  it.each([
    [
      "entities that multiply",
      `<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>${wordXml(wordParagraph("&b;"))}`,
      "its part word/document.xml declares a document type",
    ],
    ["XML that ends early", wordXml(wordParagraph("text")).slice(0, -40), /^its XML is broken/],
    ["an entity nobody declared", wordXml(wordParagraph("&foo;")), /entity not found:&foo;\)$/],
    [
      "XML nested without end",
      wordXml(
        `${"<w:sdt><w:sdtContent>".repeat(20_000)}${"</w:sdtContent></w:sdt>".repeat(20_000)}`,
      ),
      "its XML is nested too deeply",
    ],
    ["no XML", "just text", "its XML is not whole"],
    ["another vocabulary", "<html/>", /body element/],
  ])("refuses %s", async (_, xml, reason) => {
    const bytes = await makeDocx("", { "word/document.xml": xml });
    const thrown = await read(bytes).catch((error) => error);
    expect(thrown).toMatchObject({ code: "FILE_DAMAGED" });
    expect(thrown.details.reason).toMatch(reason);
  });

  it("refuses a file without its main part", async () => {
    const zip = makeRawZip([{ name: "word/other.xml", data: Buffer.from("<a/>") }]);
    await expect(read(zip)).rejects.toMatchObject({ code: "FILE_DAMAGED" });
  });

  it("refuses more XML than a tree of it would fit in memory", async () => {
    const random = createRandom(13);
    const xml = Buffer.alloc(34 * 1024 * 1024, " ");
    // One digit in each hundred bytes keeps it from packing too well.
    for (let i = 0; i < xml.length; i += 100) xml[i] = 0x30 + Math.floor(10 * random());
    const zip = makeRawZip([{ name: "word/document.xml", data: xml }]);
    await expect(read(zip)).rejects.toMatchObject({
      code: "FILE_UNPACKS_TOO_LARGE",
      details: { limit: "32 MiB of XML" },
    });
  });
});

describe("isDocx", () => {
  it("goes by the main part or its content type", async () => {
    const open = async (bytes: Uint8Array) =>
      await openZip(bytes, { subject: "", format: "docx", maxUnzippedBytes: 1e6 });
    expect(await isDocx(await open(await makeDocx("")))).toBe(true);
    const types = Buffer.from(
      '<Types><Override PartName="/w.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml"/></Types>',
    );
    expect(
      await isDocx(await open(makeRawZip([{ name: "[Content_Types].xml", data: types }]))),
    ).toBe(true);
    expect(await isDocx(await open(makeRawZip([{ name: "xl/a.xml", data: types }])))).toBe(false);
  });
});
