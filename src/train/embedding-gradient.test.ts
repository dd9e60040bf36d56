// Tests adding looked-up rows to a table's gradient.
import fc from "fast-check";
import { expect, it } from "vitest";
import { addEmbeddingRows } from "./embedding-gradient.js";
import { allocateTensors } from "./tensor-memory.js";

function made(vocabulary: number, width: number, count: number) {
  const memory = allocateTensors([
    { name: "shared", parts: { gradient: [vocabulary, width], rows: [count, width] } },
  ]);
  const table = memory.tensors("gradient").get("shared")!;
  const rows = memory.tensors("rows").get("shared")!.data;
  return { table, rows };
}

it("adds rows one after the other, repeated ids and what was there included", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 9 }),
      fc.option(fc.nat(5), { nil: undefined }),
      (ids, width, paddingId) => {
        const { table, rows } = made(6, width, ids.length);
        table.data.forEach((_, i) => {
          table.data[i] = Math.cos(i);
        });
        rows.forEach((_, i) => {
          rows[i] = Math.sin(i) * 10 ** (i % 5);
        });
        const expected = Float32Array.from(table.data);
        for (const [at, id] of ids.entries()) {
          if (id === paddingId) continue;
          for (let j = 0; j < width; j++) expected[id * width + j]! += rows[at * width + j]!;
        }
        addEmbeddingRows(
          table,
          BigInt64Array.from(ids, BigInt),
          rows,
          paddingId === undefined ? {} : { paddingId },
        );
        expect([...table.data]).toEqual([...expected]);
      },
    ),
    { numRuns: 40 },
  );
});

it("refuses ids outside the table, naming the row, and rows of another size", () => {
  const { table, rows } = made(6, 4, 3);
  expect(() => addEmbeddingRows(table, [0, 6, 1], rows)).toThrow("row 1 has the id 6");
  expect(() => addEmbeddingRows(table, [0, 1, -1], rows)).toThrow("row 2 has the id -1");
  expect(() => addEmbeddingRows(table, [0, 1], rows)).toThrow("12 elements are no 2 rows");
});
