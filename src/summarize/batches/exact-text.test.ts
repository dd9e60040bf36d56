// Tests that a database's column gives back what it was given, whatever characters that has.
import fc from "fast-check";
import { expect, it } from "vitest";
import { fromColumn, toColumn } from "./exact-text.js";

it("gives back any text, and hands the column none that it cannot hold", () => {
  const part = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("\0", "\ud800", "\udc00", "\u0001json:", '\u0001json:"a"'),
  );
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const text = parts.join("");
      const stored = toColumn(text);
      expect(stored).not.toMatch(/\p{Surrogate}|\0/u);
      expect(fromColumn(stored)).toBe(text);
    }),
  );
});

it("keeps what any column holds as it is, also what was kept before", () => {
  expect(toColumn("Ships came in.\n")).toBe("Ships came in.\n");
  expect(fromColumn("a\ufffdb")).toBe("a\ufffdb");
});
