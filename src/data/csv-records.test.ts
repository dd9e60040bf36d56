// Tests reading CSV: any table written by the rules of RFC 4180 comes back, cut anywhere, with the lines it stands on.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCsv } from "./csv-records.js";

async function recordsOf(text: string, size = 1000, delimiter?: string) {
  const bytes = Buffer.from(text);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const options = { maxRowBytes: 1e6, ...(delimiter === undefined ? {} : { delimiter }) };
  const records = [];
  for await (const { row, line } of readCsv(chunks(), "x.csv", options)) {
    records.push({ row, line });
  }
  return records;
}

const field = fc.string({ unit: fc.constantFrom("a", "é", ",", '"', "\n", ";", " ", "\t") });

describe("readCsv", () => {
  it("gives back any table, wherever it is cut and however its lines end", async () => {
    const table = fc.array(fc.tuple(field, field), { maxLength: 6 });
    const ending = fc.constantFrom("\n", "\r\n");
    await fc.assert(
      fc.asyncProperty(table, ending, fc.integer({ min: 1, max: 12 }), async (rows, end, size) => {
        const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
        const lines = rows.map((fields) => fields.map(quote).join(","));
        const records = await recordsOf(["a,b", ...lines, ""].join(end), size);
        let line = 2;
        const expected = rows.map(([a, b]) => {
          const began = line;
          line += 1 + (a + b).split("\n").length - 1;
          return { row: { a, b }, line: began };
        });
        expect(records).toEqual(expected);
      }),
    );
  });

  it("tells the delimiter by the first line, outside of quotes", async () => {
    expect(await recordsOf('"a,b,c";d\n1;2\n')).toEqual([
      { row: { "a,b,c": "1", d: "2" }, line: 2 },
    ]);
    expect(await recordsOf("a\tb\n1,5\t2")).toEqual([{ row: { a: "1,5", b: "2" }, line: 2 }]);
    expect(await recordsOf("a;b\n1;2", 3, ";")).toEqual([{ row: { a: "1", b: "2" }, line: 2 }]);
  });

  it("keeps quotes in the middle of a field that does not begin with one", async () => {
    expect(await recordsOf('a,b\n5" pipe,he said "hi"\n')).toEqual([
      { row: { a: '5" pipe', b: 'he said "hi"' }, line: 2 },
    ]);
  });
});
