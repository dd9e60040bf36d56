// Tests cutting JSON lists: any list in any chunking gives the elements JSON.parse gives, on the lines they stand on.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readJsonList } from "./json-list.js";

async function elementsOf(text: string, size = 1000, maxBytes = 1e6) {
  const bytes = Buffer.from(text);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const elements = [];
  for await (const element of readJsonList(chunks(), "x.json", maxBytes)) {
    elements.push({
      text: element.bytes && Buffer.from(element.bytes).toString(),
      line: element.line,
      sizeBytes: element.sizeBytes,
    });
  }
  return elements;
}

describe("readJsonList", () => {
  it("gives what JSON.parse gives, for any list, layout and chunking", async () => {
    const list = fc.array(fc.jsonValue({ maxDepth: 3 }));
    const layout = fc.constantFrom(undefined, 1, "\t");
    await fc.assert(
      fc.asyncProperty(
        list,
        layout,
        fc.integer({ min: 1, max: 9 }),
        async (values, space, size) => {
          const elements = await elementsOf(JSON.stringify(values, null, space), size);
          expect(elements.map(({ text }) => JSON.parse(text!))).toEqual(
            JSON.parse(JSON.stringify(values)),
          );
        },
      ),
    );
  });

  it("tells the line each element begins on", async () => {
    const text = '[\n{"a":\n"]},{"},\n\n\n{"b":1}, {"c":"\\\\\\""}\n]\n';
    for (const size of [1, 2, 100]) {
      expect((await elementsOf(text, size)).map(({ line }) => line)).toEqual([2, 6, 6]);
    }
  });

  it("drops the bytes of an element past the limit and goes on", async () => {
    for (const size of [1, 3, 100]) {
      expect(await elementsOf(`["${"x".repeat(20)}",1]`, size, 10)).toEqual([
        { text: undefined, sizeBytes: 22, line: 1 },
        { text: "1", sizeBytes: 1, line: 1 },
      ]);
    }
  });
});
