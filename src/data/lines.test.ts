// Tests cutting streams into lines: any chunking gives the same lines, and none past the limit is held.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readLines } from "./lines.js";

async function* chunksOf(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function linesOf(text: string, sizes: readonly number[] = [1000], maxBytes = 100) {
  const lines = [];
  for await (const { bytes, sizeBytes, ended } of readLines(
    chunksOf(Buffer.from(text), sizes),
    maxBytes,
  )) {
    lines.push({ text: bytes && Buffer.from(bytes).toString(), sizeBytes, ended });
  }
  return lines;
}

describe("readLines", () => {
  it("ends lines at LF and CRLF and gives a last line without an end", async () => {
    expect(await linesOf("a\r\nb\n\nc")).toEqual([
      { text: "a", sizeBytes: 3, ended: true },
      { text: "b", sizeBytes: 2, ended: true },
      { text: "", sizeBytes: 1, ended: true },
      { text: "c", sizeBytes: 1, ended: false },
    ]);
  });

  it("keeps a lone CR inside a line and at the end of an unended one", async () => {
    expect(await linesOf("a\rb\nc\r")).toEqual([
      { text: "a\rb", sizeBytes: 4, ended: true },
      { text: "c\r", sizeBytes: 2, ended: false },
    ]);
  });

  it("gives nothing for nothing", async () => {
    expect(await linesOf("")).toEqual([]);
  });

  it("takes a line of just the limit and drops the bytes of a longer one, wherever chunks end", async () => {
    for (const sizes of [[1], [3], [7, 1], [1000]]) {
      expect(await linesOf("12345\r\n123456\n12345\n123456", sizes, 5)).toEqual([
        { text: "12345", sizeBytes: 7, ended: true },
        { text: undefined, sizeBytes: 7, ended: true },
        { text: "12345", sizeBytes: 6, ended: true },
        { text: undefined, sizeBytes: 6, ended: false },
      ]);
    }
  });

  it("gives the same lines for any chunking", async () => {
    const text = fc.string({ unit: fc.constantFrom("a", "é", "\n", "\r", "x") });
    const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(text, sizes, async (given, chunking) => {
        const lines = await linesOf(given, chunking);
        expect(lines).toEqual(await linesOf(given));
        const total = lines.reduce((sum, line) => sum + line.sizeBytes, 0);
        expect(total).toBe(Buffer.byteLength(given));
      }),
    );
  });
});
