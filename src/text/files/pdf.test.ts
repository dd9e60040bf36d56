// Tests what is read of PDF files, column by column, and what broken or locked ones are answered with.
import { readFileSync } from "node:fs";
import iconv from "iconv-lite";
import { describe, expect, it } from "vitest";
import {
  column,
  makeOnePagePdf,
  makePdf,
  makePdfBomb,
  makeRawPdf,
  makeScannedPdf,
  pdfStream,
} from "../../../test/support/made-files.js";
import { defaultReadLimits, type ReadLimits } from "./document-text.js";
import { readPdf } from "./pdf.js";

async function read(bytes: Uint8Array, limits: Partial<ReadLimits> = {}) {
  return await readPdf(bytes, "The document", { ...defaultReadLimits, ...limits });
}

function readFixture(name: string): Buffer {
  const file = new URL(`../../../test/fixtures/encrypted-pdf/${name}.pdf.base64`, import.meta.url);
  return Buffer.from(readFileSync(file, "utf8"), "base64");
}

const left = [
  "Rivers carry water from the hills to the sea.",
  "Underway they take sand and stones along, all",
  "which they drop where the valley becomes wide.",
];
const right = [
  "Where they meet the sea they build new land. It",
  "is flat, wet and fertile, and people have long",
  "lived on it in spite of floods.",
];

describe("readPdf", () => {
  it("reads two columns one after the other and joins their lines", async () => {
    const page = [
      { text: "On rivers", x: 72, y: 740, size: 20 },
      ...column(left),
      ...column(right, 330),
    ];
    const { text, pages, title, warnings } = await read(await makePdf([page], "Of rivers"));
    expect(text).toBe(`On rivers\n\n${left.join(" ")}\n\n${right.join(" ")}`);
    expect({ pages, title, warnings }).toEqual({ pages: 1, title: "Of rivers", warnings: [] });
  });

  it("leaves out running heads and page numbers, and joins a paragraph over the page", async () => {
    const page = (n: number, lines: string[]) => [
      { text: "The Journal of Rivers", x: 72, y: 760, size: 9 },
      ...column(lines),
      { text: `- ${n} -`, x: 300, y: 30, size: 9 },
    ];
    const cut = [
      "A sentence that is cut by the end of the page here",
      "and a line as long as the other one, and with the",
    ];
    const bytes = await makePdf([
      page(1, cut),
      page(2, ["rest of it on the next page."]),
      page(3, ["The last page."]),
    ]);
    const { text } = await read(bytes);
    expect(text).toBe(`${cut.join(" ")} rest of it on the next page.\n\nThe last page.`);
  });

  it("keeps a document of one repeated line", async () => {
    const label = [{ text: "Fragile: this side up", x: 72, y: 760 }];
    expect((await read(await makePdf([label, label, label]))).text).toContain("Fragile");
  });

  it("names pages without text", async () => {
    const bytes = await makePdf([column(left), [], column(right), []]);
    expect((await read(bytes)).warnings).toEqual([
      "No text on pages 2 and 4, which have only pictures or nothing.",
    ]);
  });

  it.each([
    ["90ms-RKSJ-H", "Japan1", "shift_jis", "吾輩は猫である。ABC"],
    ["EUC-V", "Japan1", "euc-jp", "名前はまだ無い。"],
    ["UniJIS-UTF16-H", "Japan1", "utf-16be", "どこで生れたか"],
    ["GBK-EUC-H", "GB1", "gb18030", "今天天气很好，我们去公园散步。"],
    ["ETen-B5-H", "CNS1", "big5", "今天天氣很好，我們去公園散步。"],
    ["KSCms-UHC-H", "Korea1", "euc-kr", "오늘은 날씨가 매우 좋습니다."],
  ])("reads fonts that only name the encoding %s", async (encoding, ordering, charset, text) => {
    const codes = iconv.encode(text, charset).toString("hex");
    const content = pdfStream("", Buffer.from(`BT /F1 12 Tf 72 700 Td <${codes}> Tj ET`));
    const bytes = makeOnePagePdf(content, [
      `<< /Type /Font /Subtype /Type0 /BaseFont /Any /Encoding /${encoding} /DescendantFonts [6 0 R] >>`,
      `<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Any /CIDSystemInfo << /Registry (Adobe) /Ordering (${ordering}) /Supplement 2 >> /DW 1000 /FontDescriptor 7 0 R >>`,
      "<< /Type /FontDescriptor /FontName /Any /Flags 4 /FontBBox [0 -200 1000 900] /ItalicAngle 0 /Ascent 900 /Descent -200 /CapHeight 700 /StemV 80 >>",
    ]);
    expect((await read(bytes)).text).toBe(text);
  });

  it("reads a file that only an owner's password restricts", async () => {
    const { text } = await read(readFixture("owner"));
    expect(text).toBe("Rivers carry water from the hills to the sea.");
  });

  it.each(["user", "rc4"])("refuses a file that asks for a password (%s)", async (name) => {
    await expect(read(readFixture(name))).rejects.toMatchObject({
      code: "FILE_ENCRYPTED",
      hint: expect.stringContaining("qpdf --decrypt"),
    });
  });

  it.each([
    ["pictures alone", undefined],
    ["pictures with a stamp on each", "Scanned by the library"],
  ])("refuses %s and says what to run", async (_, stamp) => {
    await expect(read(await makeScannedPdf(stamp))).rejects.toMatchObject({
      code: "NO_TEXT_LAYER",
      hint: expect.stringContaining("ocrmypdf"),
    });
  });

  it("refuses fonts whose letters have no names", async () => {
    const map = Buffer.from(
      "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfrange <41> <5a> <e041> endbfrange endcmap",
    );
    const content = pdfStream("", Buffer.from("BT /F1 12 Tf 72 700 Td (ABCDEFGHIJ) Tj ET"));
    const bytes = makeOnePagePdf(content, [
      "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>",
      pdfStream("", map).toString("latin1"),
    ]);
    await expect(read(bytes)).rejects.toMatchObject({
      code: "NO_TEXT_LAYER",
      details: { reason: expect.stringContaining("fonts") },
    });
  });

  it.each([
    ["a head and nothing else", Buffer.from("%PDF-1.7\nnothing")],
    ["a catalog without pages", makeRawPdf(["<< /Type /Catalog >>"])],
    [
      "a page tree that is its own parent",
      makeRawPdf([
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [2 0 R] /Count 1 >>",
      ]),
    ],
  ])("refuses %s", async (_, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({
      code: "FILE_DAMAGED",
      details: { format: "pdf" },
    });
  });

  it("says when the end is missing", async () => {
    const file = makeOnePagePdf(pdfStream("", Buffer.from("BT /F1 12 Tf 72 700 Td (Text) Tj ET")));
    const { text, warnings } = await read(file.subarray(0, file.lastIndexOf("startxref")));
    expect(text).toBe("Text");
    expect(warnings).toEqual([expect.stringContaining("cut short")]);
  });

  it("says which pages are damaged and reads the others", async () => {
    const good =
      "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R /Resources << /Font << /F1 6 0 R >> >> >>";
    const bytes = makeRawPdf([
      "<< /Type /Catalog /Pages 2 0 R >>",
      "<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>",
      good,
      "null",
      pdfStream("", Buffer.from("BT /F1 12 Tf 72 700 Td (Text) Tj ET")),
      "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]);
    const { text, pages, warnings } = await read(bytes);
    expect({ text, pages }).toEqual({ text: "Text", pages: 2 });
    expect(warnings).toEqual(["The file is damaged; page 2 could not be read."]);
  });

  it("refuses more pages, text and unpacked bytes than allowed", async () => {
    const three = await makePdf([column(left), column(left), column(left)]);
    await expect(read(three, { maxPages: 2 })).rejects.toMatchObject({
      code: "TOO_MANY_PAGES",
      details: { pages: 3, limit: 2 },
    });
    await expect(read(three, { maxTextChars: 200 })).rejects.toMatchObject({
      code: "TEXT_TOO_LARGE",
    });
    await expect(read(makePdfBomb(20, 2), { maxUnzippedBytes: 1e7 })).rejects.toMatchObject({
      code: "FILE_UNPACKS_TOO_LARGE",
    });
  });

  it("leaves the caller's bytes as they were", async () => {
    const bytes = await makePdf([column(left)]);
    const copy = Uint8Array.from(bytes);
    await read(bytes);
    expect(bytes).toEqual(copy);
  });
});
