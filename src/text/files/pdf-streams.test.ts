// Tests that streams that unpack to too much are found before pdf.js unpacks them.
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  makeOnePagePdf,
  makePdfBomb,
  makeRawPdf,
  pdfStream,
} from "../../../test/support/made-files.js";
import { hasStreamBeyond } from "./pdf-streams.js";

const megabyte = 1_000_000;
const zeros = deflateSync(Buffer.alloc(5 * megabyte));

function ascii85(data: Buffer): Buffer {
  const padded = Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
  let out = "";
  for (let i = 0; i < padded.length; i += 4) {
    let group = padded.readUInt32BE(i);
    let digits = "";
    for (let k = 0; k < 5; k++) {
      digits = String.fromCharCode(0x21 + (group % 85)) + digits;
      group = Math.floor(group / 85);
    }
    out += digits;
  }
  return Buffer.from(`${out}~>`);
}

describe("hasStreamBeyond", () => {
  it.each([
    ["one layer", makePdfBomb(5, 1)],
    ["two layers", makePdfBomb(5, 2)],
    [
      "ASCII 85 around it",
      makeOnePagePdf(pdfStream("/Filter [/ASCII85Decode /FlateDecode]", ascii85(zeros))),
    ],
    [
      "hexadecimal around it",
      makeOnePagePdf(pdfStream("/Filter [/AHx /Fl]", Buffer.from(`${zeros.toString("hex")}>`))),
    ],
  ])("finds a stream too large behind %s", (_, file) => {
    expect(hasStreamBeyond(file, megabyte)).toBe(true);
    expect(hasStreamBeyond(file, 10 * megabyte)).toBe(false);
  });

  it("adds up what many streams unpack to", () => {
    const half = pdfStream("/Filter /FlateDecode", deflateSync(Buffer.alloc(megabyte / 2)));
    const file = (count: number) => makeRawPdf(Array.from({ length: count }, () => half));
    expect(hasStreamBeyond(file(15), megabyte)).toBe(false);
    expect(hasStreamBeyond(file(25), megabyte)).toBe(true);
  });

  it("takes compression within compression without end for a bomb", () => {
    let data = Buffer.from("text");
    for (let layer = 0; layer < 9; layer++) data = deflateSync(data);
    expect(hasStreamBeyond(makeOnePagePdf(pdfStream("", data)), megabyte)).toBe(true);
  });

  it("passes over pictures, which reading text does not unpack", () => {
    const file = makeOnePagePdf(pdfStream("/Subtype /Image /Filter /FlateDecode", zeros));
    expect(hasStreamBeyond(file, megabyte)).toBe(false);
  });

  it("bears streams that are broken, empty, or never end", () => {
    const broken = Buffer.concat([zeros.subarray(0, 50), Buffer.from("garbage")]);
    expect(hasStreamBeyond(makeOnePagePdf(pdfStream("/Filter /FlateDecode", broken)), 10)).toBe(
      true,
    );
    const ends = ["1 0 obj << >> stream\n", "stream", "endstream endstream stream\r\n\x78\x9c"];
    for (const text of ends) expect(hasStreamBeyond(Buffer.from(text, "latin1"), 10)).toBe(false);
  });
});
