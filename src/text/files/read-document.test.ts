// Tests that a file is read by what it holds, whatever it is called, and refused by name where it cannot be.
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import iconv from "iconv-lite";
import { beforeAll, describe, expect, it } from "vitest";
import {
  column,
  createRandom,
  makeDocx,
  makeOle,
  makePdf,
  makePng,
  makeRawZip,
  makeScannedPdf,
  wordParagraph,
} from "../../../test/support/made-files.js";
import { BridleError } from "../../errors/error.js";
import type { ReadHints, ReadLimits } from "./document-text.js";
import { isSmallPlainText, readDocument } from "./read-document.js";

const german = "Die Flüsse führen das Wasser über große Höhen hinab. Schön ist das für alle.";

const zip = (...names: string[]) =>
  makeRawZip(names.map((name) => ({ name, data: Buffer.from("<a/>") })));

function noise(length: number): Uint8Array {
  const random = createRandom(11);
  return Uint8Array.from({ length }, () => random() * 256);
}

describe("readDocument on what it reads", () => {
  it.each<[string, Uint8Array, ReadHints, object]>([
    [
      "plain text",
      Buffer.from("Hello\r\nworld"),
      {},
      { text: "Hello\nworld", format: "txt", encoding: "utf-8" },
    ],
    [
      "text of any other name",
      Buffer.from("a,b\n1,2"),
      { fileName: "t.csv" },
      { text: "a,b\n1,2", format: "txt" },
    ],
    [
      "Latin-1",
      iconv.encode(german, "latin1"),
      { fileName: "a.txt" },
      { text: german, encoding: "windows-1252" },
    ],
    [
      "UTF-16",
      iconv.encode(german, "utf-16", { addBOM: true }),
      {},
      { text: german, encoding: "utf-16le" },
    ],
    [
      "a declared charset",
      iconv.encode("Škoda", "cp1250"),
      { mediaType: "text/plain; charset=windows-1250" },
      { text: "Škoda", encoding: "windows-1250" },
    ],
    [
      "a charset given apart",
      iconv.encode("Škoda", "cp1250"),
      { charset: "windows-1250" },
      { text: "Škoda" },
    ],
    [
      "Markdown by name",
      Buffer.from("# Head\n\n*text*"),
      { fileName: "a.MD" },
      { text: "Head\n\ntext", format: "md", title: "Head" },
    ],
    [
      "Markdown by media type",
      Buffer.from("*text*"),
      { mediaType: "text/markdown" },
      { text: "text", format: "md" },
    ],
    [
      "Markdown that begins with a tag",
      Buffer.from("<div>logo</div>\n\n*text*"),
      { fileName: "README.md" },
      { text: "logo\n\ntext", format: "md" },
    ],
    [
      "HTML by content",
      Buffer.from("<!-- c --><!DOCTYPE html><title>T</title><p>text"),
      {},
      { text: "text", format: "html", title: "T" },
    ],
    [
      "HTML in UTF-16",
      iconv.encode("<html><p>größer", "utf-16", { addBOM: true }),
      {},
      { text: "größer", format: "html" },
    ],
    [
      "HTML by media type",
      Buffer.from("text <b>bold</b>"),
      { mediaType: "text/html" },
      { text: "text bold", format: "html" },
    ],
    [
      "HTML with its charset in it",
      iconv.encode("<html><meta charset=windows-1251><p>Ответ", "cp1251"),
      {},
      { text: "Ответ", encoding: "windows-1251" },
    ],
    [
      "XHTML in an encoding of its declaration",
      iconv.encode('<?xml version="1.0" encoding="koi8-r"?><html><p>Да', "koi8-r"),
      {},
      { text: "Да", encoding: "koi8-r" },
    ],
    ["a fragment", Buffer.from("<p>one</p><p>two</p>"), {}, { text: "one\n\ntwo", format: "html" }],
    [
      "code that has tags in it",
      Buffer.from("<div>x</div>"),
      { fileName: "page.vue" },
      { text: "<div>x</div>", format: "txt" },
    ],
    [
      "a page without tags",
      Buffer.from("line\nline"),
      { fileName: "a.html" },
      { text: "line\nline", format: "txt" },
    ],
    ["text about PDF", Buffer.from("About %PDF-1.4 and its obj"), {}, { format: "txt" }],
    ["a novel", Buffer.from("MZ was how he signed. BZh, ID3 and RIFF too."), {}, { format: "txt" }],
  ])("reads %s", async (_, bytes, hints, expected) => {
    expect(await readDocument(bytes, hints)).toMatchObject(expected);
  });

  it("reads a docx and a PDF whatever they are called", async () => {
    const docx = await makeDocx(wordParagraph("Word text"));
    const pdf = await makePdf([column(["PDF text"])]);
    expect(await readDocument(docx, { fileName: "a.txt", mediaType: "text/plain" })).toMatchObject({
      text: "Word text",
      format: "docx",
      warnings: [],
    });
    expect(await readDocument(pdf, {})).toMatchObject({
      text: "PDF text",
      format: "pdf",
      pages: 1,
    });
    const mailed = Buffer.concat([Buffer.from("\r\n\r\n"), pdf]);
    expect(await readDocument(mailed, {})).toMatchObject({ text: "PDF text" });
    const headless = { fileName: "a.pdf" };
    expect(await readDocument(pdf.subarray(10), headless)).toMatchObject({ text: "PDF text" });
  });

  it("warns where content overrules name or type", async () => {
    const page = Buffer.from("<!doctype html><p>Please log in</p>");
    expect(await readDocument(page, { fileName: "report.pdf" })).toMatchObject({
      format: "html",
      warnings: ["The file is named .pdf but holds HTML and was read as that."],
    });
    expect(await readDocument(Buffer.from("text"), { mediaType: "application/pdf" })).toMatchObject(
      {
        format: "txt",
        warnings: ["The file claims to be pdf but holds text and was read as that."],
      },
    );
  });

  it("reads a view of a larger buffer as what it shows", async () => {
    const buffer = Buffer.from("xxxThe text itselfxxx");
    expect((await readDocument(buffer.subarray(3, 18))).text).toBe("The text itself");
  });

  it("reads 20 MB of text, and one word of a megabyte", async () => {
    const text = "Twenty megabytes of the same sentence. ".repeat(512 * 1024);
    expect((await readDocument(Buffer.from(text))).text).toHaveLength(text.length - 1);
    expect((await readDocument(Buffer.alloc(1_000_000, "a"))).text).toHaveLength(1_000_000);
  });
});

describe("readDocument on what it does not read", () => {
  it.each<[string, Uint8Array, string, string]>([
    ["a PNG", makePng(8, 8), "UNSUPPORTED_FILE_TYPE", "a PNG picture"],
    [
      "a JPEG",
      Buffer.from("\xff\xd8\xff\xe0\0\x10JFIF", "latin1"),
      "UNSUPPORTED_FILE_TYPE",
      "a JPEG picture",
    ],
    ["gzip", gzipSync("text"), "UNSUPPORTED_FILE_TYPE", "a gzip archive"],
    [
      "a program",
      Buffer.from("\x7fELF\x02\x01\x01\0", "latin1"),
      "UNSUPPORTED_FILE_TYPE",
      "a program (ELF)",
    ],
    [
      "a Windows program",
      Buffer.from("MZ\x90\0\x03\0\0\0", "latin1"),
      "UNSUPPORTED_FILE_TYPE",
      "a Windows program",
    ],
    ["rich text", Buffer.from("{\\rtf1 text}"), "UNSUPPORTED_FILE_TYPE", "a rich text file (RTF)"],
    [
      "a sound",
      Buffer.from("ID3\x03\0\0\0\0", "latin1"),
      "UNSUPPORTED_FILE_TYPE",
      "a sound file (MP3)",
    ],
    [
      "a spreadsheet",
      zip("[Content_Types].xml", "xl/workbook.xml"),
      "UNSUPPORTED_FILE_TYPE",
      "a spreadsheet (xlsx)",
    ],
    [
      "a presentation",
      zip("ppt/presentation.xml"),
      "UNSUPPORTED_FILE_TYPE",
      "a presentation (pptx)",
    ],
    [
      "OpenDocument",
      zip("mimetype", "content.xml"),
      "UNSUPPORTED_FILE_TYPE",
      "an OpenDocument file (odt, ods, odp)",
    ],
    ["an e-book", zip("META-INF/container.xml"), "UNSUPPORTED_FILE_TYPE", "an e-book (EPUB)"],
    ["a zip of documents", zip("a.docx", "b.pdf"), "UNSUPPORTED_FILE_TYPE", "a zip archive"],
    [
      "an empty zip",
      Buffer.concat([Buffer.from("PK\x05\x06"), Buffer.alloc(18)]),
      "UNSUPPORTED_FILE_TYPE",
      "a zip archive",
    ],
    ["old Word", makeOle("WordDocument"), "UNSUPPORTED_FILE_TYPE", "an old Word file (doc)"],
    ["old Excel", makeOle("Workbook"), "UNSUPPORTED_FILE_TYPE", "an old Excel file (xls)"],
    ["another old file", makeOle("Contents"), "UNSUPPORTED_FILE_TYPE", "an old Office file"],
    [
      "binary posing as text",
      Buffer.from("\x01\x02text\0\0\0more\x03\x04\0", "latin1"),
      "UNSUPPORTED_FILE_TYPE",
      "binary data",
    ],
  ])("names %s", async (_, bytes, code, looksLike) => {
    await expect(readDocument(bytes, { fileName: "a.txt" })).rejects.toMatchObject({
      code,
      kind: "unsupported-media",
      details: { looksLike },
      message: `"a.txt" looks like ${looksLike}, which is not read here.`,
      hint: expect.stringMatching(/^Accepted are txt, md, html, pdf and docx; \w.*\.$/),
    });
  });

  it("knows a password on an Office file", async () => {
    await expect(readDocument(makeOle("EncryptedPackage"))).rejects.toMatchObject({
      code: "FILE_ENCRYPTED",
      message: "The document is encrypted and opens only with a password.",
    });
  });

  it("knows a PDF of pictures", async () => {
    await expect(readDocument(await makeScannedPdf())).rejects.toMatchObject({
      code: "NO_TEXT_LAYER",
    });
  });

  it("tells what was to be a PDF or docx and is noise from noise that was to be text", async () => {
    const bytes = noise(3000).filter((byte) => byte > 0);
    await expect(readDocument(bytes, { fileName: "a.pdf" })).rejects.toMatchObject({
      code: "FILE_DAMAGED",
      details: { format: "pdf" },
    });
    await expect(
      readDocument(bytes, {
        mediaType: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
      }),
    ).rejects.toMatchObject({ code: "FILE_DAMAGED", details: { format: "docx" } });
    await expect(readDocument(bytes, { fileName: "a.txt" })).rejects.toMatchObject({
      code: "UNKNOWN_ENCODING",
    });
  });

  it.each<[string, Uint8Array, ReadHints]>([
    ["no bytes", new Uint8Array(), { fileName: "a.txt" }],
    ["blanks", Buffer.from(" \n\t \u00a0\ufeff"), { fileName: "a.txt" }],
    [
      "a page without text",
      Buffer.from("<html><body><img src=x></body></html>"),
      { fileName: "a.txt" },
    ],
  ])("finds no text in %s", async (_, bytes, hints) => {
    await expect(readDocument(bytes, hints)).rejects.toMatchObject({
      code: "EMPTY_TEXT",
      message: 'There is no text to summarize in "a.txt".',
    });
  });

  it("finds no text in a docx without any", async () => {
    await expect(readDocument(await makeDocx("<w:p/>"))).rejects.toMatchObject({
      code: "EMPTY_TEXT",
      details: { where: "the document" },
    });
  });

  it("refuses a zip bomb dressed as docx: 10 KB that unpack to more than 1 GB", async () => {
    const page = { name: "word/document.xml", data: Buffer.alloc(10_000_000) };
    const bytes = makeRawZip([{ ...page, declaredSize: 1_100_000_000 }]);
    expect(bytes.length).toBeLessThan(10_240);
    await expect(readDocument(bytes)).rejects.toMatchObject({
      code: "FILE_UNPACKS_TOO_LARGE",
      kind: "too-large",
    });
  });

  it("refuses a zip within a zip without looking inside", async () => {
    const inner = makeRawZip([{ name: "word/document.xml", data: Buffer.alloc(1_000_000) }]);
    const outer = makeRawZip([{ name: "inner.docx", data: inner }]);
    await expect(readDocument(outer)).rejects.toMatchObject({ code: "UNSUPPORTED_FILE_TYPE" });
  });

  it.each<[Partial<ReadLimits>, string]>([
    [{ maxBytes: 10 }, "FILE_TOO_LARGE"],
    [{ maxTextChars: 10 }, "TEXT_TOO_LARGE"],
  ])("holds to %j", async (limits, code) => {
    const bytes = Buffer.from("more than ten characters");
    await expect(readDocument(bytes, {}, limits)).rejects.toMatchObject({
      code,
      kind: "too-large",
    });
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "takes no limit of %d",
    async (maxBytes) => {
      await expect(readDocument(Buffer.from("x"), {}, { maxBytes })).rejects.toMatchObject({
        code: "INVALID_PARAMETER",
        details: { parameter: "maxBytes" },
      });
    },
  );

  it("takes bytes only", async () => {
    for (const bytes of ["text", null, [1, 2]]) {
      await expect(readDocument(bytes as unknown as Uint8Array)).rejects.toMatchObject({
        code: "INVALID_PARAMETER",
      });
    }
  });

  it("shows no more of a name than fits a line", async () => {
    const fileName = `../../secret/\x1b[31m\u202e"evil"\n${"x".repeat(200)}.txt`;
    const thrown = await readDocument(new Uint8Array(), { fileName }).catch((error) => error);
    expect(thrown.message).toMatch(/^There is no text to summarize in "\[31mevilx{70,}…"\.$/);
  });
});

describe("readDocument on damage", () => {
  const samples: [string, Uint8Array, ReadHints][] = [];

  beforeAll(async () => {
    const body = [1, 2, 3].map((i) => wordParagraph(`Paragraph ${i} of a document.`)).join("");
    samples.push(
      ["docx", await makeDocx(body), { fileName: "a.docx" }],
      ["pdf", await makePdf([column(["A line of text", "and one more"])]), { fileName: "a.pdf" }],
      ["html", Buffer.from(`<html><title>T</title><table><tr><td>${german}</table><ul><li>x`), {}],
      [
        "md",
        Buffer.from(`# T\n\n> ${german}\n\n- [a](b)\n\n|a|\n|-|\n|1|\n`),
        { fileName: "a.md" },
      ],
      ["utf-16", iconv.encode(german, "utf-16", { addBOM: true }), {}],
      ["shift_jis", iconv.encode("吾輩は猫である。名前はまだ無い。", "shift_jis"), {}],
    );
  });

  /** Text or an error of the table; BUG is neither. */
  async function survives(bytes: Uint8Array, hints: ReadHints): Promise<void> {
    try {
      expect((await readDocument(bytes, hints)).text).not.toBe("");
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(BridleError);
      expect((thrown as BridleError).kind).not.toBe("bug");
    }
  }

  it("gives text or an error of the table for any file cut off anywhere", async () => {
    for (const [, bytes, hints] of samples) {
      const step = Math.max(1, Math.floor(bytes.length / 25));
      for (let end = 0; end < bytes.length; end += step) {
        await survives(bytes.subarray(0, end), hints);
      }
    }
  });

  it("gives text or an error of the table whichever bytes are wrong", async () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.nat(samples.length - 1), flips, async (which, places) => {
        const [, bytes, hints] = samples[which]!;
        const broken = Uint8Array.from(bytes);
        for (const [at, value] of places) broken[at % broken.length] = value;
        await survives(broken, hints);
      }),
      { numRuns: 150, seed: 5 },
    );
  });

  it("gives text or an error of the table for any bytes under any name", async () => {
    const names = fc.constantFrom("a.txt", "a.md", "a.html", "a.pdf", "a.docx", "a", "");
    const start = fc.constantFrom(
      "",
      "%PDF-1.4\n",
      "PK\x03\x04",
      "<html>",
      "\xff\xfe",
      "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    );
    await fc.assert(
      fc.asyncProperty(
        names,
        start,
        fc.uint8Array({ maxLength: 300 }),
        async (fileName, head, tail) => {
          await survives(Buffer.concat([Buffer.from(head, "latin1"), tail]), { fileName });
        },
      ),
      { numRuns: 150, seed: 6 },
    );
  });
});

describe("isSmallPlainText", () => {
  it("is so sure only of small text", async () => {
    expect(isSmallPlainText(Buffer.from("text"), { fileName: "a.txt" })).toBe(true);
    expect(isSmallPlainText(Buffer.alloc(300_000, "a"), {})).toBe(false);
    expect(isSmallPlainText(Buffer.from("# md"), { fileName: "a.md" })).toBe(false);
    expect(isSmallPlainText(Buffer.from("<html>"), {})).toBe(false);
    expect(isSmallPlainText(await makePdf([[]]), { fileName: "a.txt" })).toBe(false);
    // A PDF by its name whose first bytes were lost may unpack to anything; another encoding has to be guessed.
    const headless = (await makePdf([[]])).subarray(8);
    expect(isSmallPlainText(headless, { fileName: "a.pdf" })).toBe(false);
    expect(isSmallPlainText(Buffer.from("1 0 obj\nendobj\n"), { fileName: "a.pdf" })).toBe(false);
    expect(isSmallPlainText(Buffer.from("Gr\u00fc\u00dfe", "latin1"), { fileName: "a.txt" })).toBe(
      false,
    );
    expect(isSmallPlainText(Buffer.from("Gr\u00fc\u00dfe"), { fileName: "a.txt" })).toBe(true);
    expect(isSmallPlainText(await makeDocx(""), { fileName: "a.txt" })).toBe(false);
  });
});
