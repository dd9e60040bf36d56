// Tests reading rows and their columns, and what a bad row is told.
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../errors/codes.js";
import { BridleError } from "../errors/error.js";
import { documentOf, isBlank, parseRow, textsColumn } from "./row.js";

const line = (bytes: Uint8Array | string) => ({
  bytes: typeof bytes === "string" ? Buffer.from(bytes) : bytes,
  sizeBytes: bytes.length + 1,
  ended: true,
});

function errorOf(work: () => unknown): { code: ErrorCode; message: string } {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof BridleError) return { code: thrown.code, message: thrown.message };
    throw thrown;
  }
  throw new Error("nothing was thrown");
}

describe("parseRow", () => {
  it("reads an object, with or without a byte order mark", () => {
    expect(parseRow(line('\ufeff{"document": "Ä"}'), 1)).toEqual({ document: "Ä" });
  });

  it.each([
    ["[1]", "ROW_NOT_JSON", "a list"],
    ["null", "ROW_NOT_JSON", "null"],
    ['"text"', "ROW_NOT_JSON", "a string"],
    ['{"document": ', "ROW_NOT_JSON", "Line 7"],
    [Buffer.from([0x7b, 0xff, 0x7d]), "ROW_NOT_UTF8", "Line 7"],
  ] as const)("refuses %j as %s", (given, code, says) => {
    const error = errorOf(() => parseRow(line(given), 7));
    expect(error.code).toBe(code);
    expect(error.message).toContain(says);
  });

  it("refuses a line that was too long to be held", () => {
    const tooLong = { bytes: undefined, sizeBytes: 12, ended: true };
    const error = errorOf(() => parseRow(tooLong, 3, 10));
    expect(error).toEqual({
      code: "ROW_TOO_LARGE",
      message: "Line 3 has 12 bytes; the limit is 10.",
    });
  });
});

describe("isBlank", () => {
  it("is true for spaces only", () => {
    expect(isBlank(line(" \t\r"))).toBe(true);
    expect(isBlank(line(""))).toBe(true);
    expect(isBlank(line(" x"))).toBe(false);
  });
});

describe("documentOf", () => {
  it("takes the first column of the usual names, and the row's id", () => {
    expect(documentOf({ text: "t", article: "a", id: 5 }, 1)).toEqual({ document: "t", id: 5 });
    expect(documentOf({ text: "t", document: "d", id: {} }, 1)).toEqual({ document: "d" });
  });

  it("takes the named column and no other", () => {
    expect(documentOf({ body: "b", text: "t" }, 1, "body")).toEqual({ document: "b" });
    const error = errorOf(() => documentOf({ text: "t", n: 1 }, 4, "body"));
    expect(error.code).toBe("COLUMN_MISSING");
    expect(error.message).toBe("Line 4 has no text in body; its columns are text, n.");
  });

  it("refuses a column that holds no text, and a row without columns", () => {
    expect(errorOf(() => documentOf({ text: 5 }, 1)).code).toBe("COLUMN_MISSING");
    expect(errorOf(() => documentOf({}, 1)).message).toContain("its columns are none");
  });
});

describe("textsColumn", () => {
  it("takes a text or a list of texts, and nothing else", () => {
    expect(textsColumn({ s: "a" }, "s", 1)).toEqual(["a"]);
    expect(textsColumn({ s: ["a", "b"] }, "s", 1)).toEqual(["a", "b"]);
    for (const s of [[], ["a", 1], 1, null, undefined]) {
      expect(errorOf(() => textsColumn({ s }, "s", 1)).code).toBe("COLUMN_MISSING");
    }
  });
});
