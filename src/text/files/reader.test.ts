// Tests that files are read in threads that can be stopped, replaced and outlived.
import { afterAll, describe, expect, it } from "vitest";
import {
  column,
  createRandom,
  makeDocx,
  makePdf,
  makePdfBomb,
  makeRawPdf,
  pdfStream,
  wordParagraph,
} from "../../../test/support/made-files.js";
import { createDocumentReader } from "./reader.js";

const reader = createDocumentReader({ threads: 2 });
afterAll(async () => await reader.close());

/** A Word document whose tree takes far more time and memory than a test would wait. */
async function makeLargeDocx(paragraphs: number): Promise<Uint8Array> {
  const random = createRandom(9);
  const words = Array.from({ length: 50 }, () => Math.floor(random() * 1e9).toString(36));
  const body = Array.from({ length: paragraphs }, (_, i) => wordParagraph(words[i % 50]!));
  return await makeDocx(body.join(""));
}

/** A PDF bomb that cannot be looked through beforehand: its filters are named elsewhere. */
function makeHiddenBomb(): Buffer {
  const plain = makePdfBomb(300, 2);
  const start = plain.indexOf("stream\n") + 7;
  const data = plain.subarray(start, plain.indexOf("\nendstream"));
  return makeRawPdf([
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
    // The dictionary claims a picture, which the first look passes over and pdf.js does not mind.
    pdfStream("/Subtype /Image /Filter [/FlateDecode /FlateDecode]", data),
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
  ]);
}

describe("createDocumentReader", () => {
  it("reads the same in a thread and out of it", async () => {
    const docx = await makeDocx(wordParagraph("Word text"));
    const pdf = await makePdf([column(["PDF text"])]);
    const read = await Promise.all([
      reader.read(Buffer.from("plain")),
      reader.read(Buffer.from("<html><p>page"), { mediaType: "text/html" }),
      reader.read(Buffer.from("# *md*"), { fileName: "a.md" }),
      reader.read(docx, { fileName: "a.docx" }),
      reader.read(pdf),
    ]);
    expect(read.map(({ text, format }) => [text, format])).toEqual([
      ["plain", "txt"],
      ["page", "html"],
      ["md", "md"],
      ["Word text", "docx"],
      ["PDF text", "pdf"],
    ]);
  });

  it("gives errors of a thread with their code, details and hint", async () => {
    await expect(
      reader.read(Buffer.from("%PDF-1.4 x"), { fileName: "a.pdf" }),
    ).rejects.toMatchObject({
      name: "BridleError",
      code: "FILE_DAMAGED",
      message: expect.stringContaining('"a.pdf" cannot be read as pdf'),
      details: { format: "pdf" },
    });
    await expect(reader.read(new Uint8Array())).rejects.toMatchObject({ code: "EMPTY_TEXT" });
  });

  it("leaves the caller's bytes usable", async () => {
    const bytes = Buffer.from("# text");
    await reader.read(bytes, { fileName: "a.md" });
    expect(bytes.toString()).toBe("# text");
  });

  it("ends work under way when aborted, and goes on with the next", async () => {
    const slow = await makeLargeDocx(60_000);
    const controller = new AbortController();
    const reading = reader.read(slow, {}, { signal: controller.signal });
    setTimeout(() => controller.abort(), 100);
    await expect(reading).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await reader.read(Buffer.from("*next*"), { fileName: "a.md" })).text).toBe("next");
  });

  it("tells a deadline from a caller who left", async () => {
    const slow = await makeLargeDocx(60_000);
    const signal = AbortSignal.timeout(50);
    await expect(reader.read(slow, {}, { signal })).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
    await expect(
      reader.read(Buffer.from("x"), {}, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("survives a file that takes more memory than a thread has", async () => {
    const small = createDocumentReader({ threads: 1, heapMb: 48 });
    await expect(
      small.read(await makeLargeDocx(100_000), { fileName: "a.docx" }),
    ).rejects.toMatchObject({
      code: "FILE_TOO_COMPLEX",
      message: 'Reading "a.docx" took more than 48 MB of memory.',
    });
    expect((await small.read(Buffer.from("*next*"), { fileName: "a.md" })).text).toBe("next");
    await small.close();
  });

  it("stops pdf.js from unpacking what could not be looked through beforehand", async () => {
    const bounded = createDocumentReader({ threads: 1, limits: { maxUnzippedBytes: 4_000_000 } });
    await expect(bounded.read(makeHiddenBomb())).rejects.toMatchObject({
      code: "FILE_UNPACKS_TOO_LARGE",
      details: { limit: "3.8 MiB" },
    });
    expect((await bounded.read(await makePdf([column(["text"])]))).text).toBe("text");
    await bounded.close();
  });

  it("cancels what is under way when closed, and takes nothing more", async () => {
    const closing = createDocumentReader({ threads: 1 });
    const reading = closing.read(await makeLargeDocx(60_000));
    const outcome = expect(reading).rejects.toMatchObject({ code: "CANCELLED" });
    await closing.close();
    await outcome;
    await expect(closing.read(Buffer.from("x"))).rejects.toMatchObject({ code: "CANCELLED" });
    await closing.close();
  });

  it.each([{ threads: 0 }, { heapMb: 1.5 }, { limits: { maxPages: -1 } }])(
    "takes no %j",
    (options) => {
      expect(() => createDocumentReader(options)).toThrowError(
        expect.objectContaining({ code: "INVALID_PARAMETER" }),
      );
    },
  );
});
