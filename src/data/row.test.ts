// Tests reading rows and their columns as texts, and what a bad one is told.
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../errors/codes.js";
import { BridleError } from "../errors/error.js";
import { parseRow, textColumn, textsColumn } from "./row.js";

const bytesOf = (bytes: Uint8Array | string) => ({
  bytes: typeof bytes === "string" ? Buffer.from(bytes) : bytes,
  sizeBytes: bytes.length + 1,
});

const at = (line: number) => ({ where: `Line ${line} of x.jsonl`, file: "x.jsonl", line });

function errorOf(work: () => unknown): { code: ErrorCode; message: string; hint: string } {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof BridleError) {
      return { code: thrown.code, message: thrown.message, hint: thrown.hint };
    }
    throw thrown;
  }
  throw new Error("nothing was thrown");
}

describe("parseRow", () => {
  it("reads an object, with or without a byte order mark", () => {
    expect(parseRow(bytesOf('\ufeff{"document": "Ä"}'), at(1))).toEqual({ document: "Ä" });
  });

  it.each([
    ["[1]", "ROW_NOT_JSON", "a list"],
    ["null", "ROW_NOT_JSON", "null"],
    ['"text"', "ROW_NOT_JSON", "a string"],
    ['{"document": ', "ROW_NOT_JSON", "Line 7"],
    [Buffer.from([0x7b, 0xff, 0x7d]), "ROW_NOT_UTF8", "Line 7"],
  ] as const)("refuses %j as %s", (given, code, says) => {
    const error = errorOf(() => parseRow(bytesOf(given), at(7)));
    expect(error.code).toBe(code);
    expect(error.message).toContain(says);
  });

  it("names the encoding that bytes look like", () => {
    const latin = Buffer.from('{"document": "Die Brücke über den großen Fluß"}', "latin1");
    expect(errorOf(() => parseRow(bytesOf(latin), at(2))).hint).toContain("windows-1252");
  });

  it("refuses a row that was too long to be held", () => {
    const error = errorOf(() => parseRow({ bytes: undefined, sizeBytes: 12 }, at(3), 10));
    expect(error.code).toBe("ROW_TOO_LARGE");
    expect(error.message).toBe("Line 3 of x.jsonl has 12 bytes; the limit is 10.");
  });
});

describe("textColumn", () => {
  it("takes a text, and null as one without letters", () => {
    expect(textColumn({ t: "a" }, "t", at(1))).toBe("a");
    expect(textColumn({ t: null }, "t", at(1))).toBe("");
  });

  it.each<[unknown, string]>([
    [5, "a number"],
    [true, "a boolean"],
    [{}, "an object"],
    [["a"], "a list"],
  ])("refuses %j by its kind", (value, kind) => {
    const error = errorOf(() => textColumn({ t: value }, "t", at(4)));
    expect(error.code).toBe("COLUMN_NOT_TEXT");
    expect(error.message).toContain(`Line 4 of x.jsonl has ${kind}`);
  });

  it("names the columns that are there, and the one that may have been meant", () => {
    const error = errorOf(() => textColumn({ documnet: "a", n: 1 }, "document", at(4)));
    expect(error.code).toBe("COLUMN_MISSING");
    expect(error.message).toBe(
      "Line 4 of x.jsonl has no text in document; its columns are documnet, n.",
    );
    expect(error.hint).toContain("Did you mean documnet?");
    expect(errorOf(() => textColumn({}, "t", at(1))).message).toContain("its columns are none");
  });
});

describe("textsColumn", () => {
  it("takes a text or a list of texts", () => {
    expect(textsColumn({ s: "a" }, "s", at(1))).toEqual(["a"]);
    expect(textsColumn({ s: ["a", "b"] }, "s", at(1))).toEqual(["a", "b"]);
    expect(textsColumn({ s: null }, "s", at(1))).toEqual([""]);
  });

  it.each([[[]], [["a", 1]], [1], [{}]])("refuses %j", (s) => {
    expect(errorOf(() => textsColumn({ s }, "s", at(1))).code).toBe("COLUMN_NOT_TEXT");
  });
});
