// Tests which columns are taken for document and summary: every known pair, what is named, and what is refused.
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../errors/codes.js";
import { BridleError } from "../errors/error.js";
import { columnsInUse, columnTable, documentOf, pairColumnsOf, pairOf } from "./columns.js";
import type { Row } from "./row.js";

const place = { where: "Line 2 of x.jsonl", file: "x.jsonl", line: 2 };

function codeOf(work: () => unknown): [ErrorCode, string] {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof BridleError) return [thrown.code, `${thrown.message} ${thrown.hint}`];
    throw thrown;
  }
  throw new Error("nothing was thrown");
}

describe("pairColumnsOf", () => {
  const known = columnTable.flatMap(({ documents, summaries }) =>
    documents.flatMap((document) => summaries.map((summary) => [document, summary] as const)),
  );
  it.each(known)("knows %s with %s", (document, summary) => {
    const row = { id: 1, [summary]: "s", title: "t", [document]: "d" };
    expect(pairColumnsOf(row, place, {})).toEqual({ document, summary });
  });

  it("leaves out columns that go with other summaries, and those that are null", () => {
    expect(pairColumnsOf({ text: "t", summary: "s", description: "d" }, place, {})).toEqual({
      document: "text",
      summary: "summary",
    });
    expect(pairColumnsOf({ text: "t", article: null, summary: "s" }, place, {}).document).toBe(
      "text",
    );
  });

  it("takes a list of references before the summary beside it", () => {
    const row = { document: "d", summary: "s", references: ["s", "r"] };
    expect(pairColumnsOf(row, place, {}).summary).toBe("references");
  });

  it.each<[Row, string]>([
    [{ document: "d", text: "t", summary: "s" }, "document: document and text"],
    [{ article: "d", highlights: "h", summary: "s" }, "summary: summary and highlights"],
    [{ article: "a", highlights: "h", abstract: "b" }, "summary: highlights and abstract"],
    [{ text: "t", content: "c", dialogue: "d", summary: "s" }, "text, content and dialogue"],
  ])("refuses to choose in %j", (row, says) => {
    const [code, told] = codeOf(() => pairColumnsOf(row, place, {}));
    expect(code).toBe("COLUMN_AMBIGUOUS");
    expect(told).toContain("Line 2 of x.jsonl");
    expect(told).toContain(says);
  });

  it("takes what is named, and the one that goes with it", () => {
    const row = { document: "d", text: "t", title: "h", summary: "s", highlights: "g" };
    expect(pairColumnsOf(row, place, { document: "text", summary: "title" })).toEqual({
      document: "text",
      summary: "title",
    });
    expect(pairColumnsOf({ story: "t", summary: "s" }, place, { document: "story" })).toEqual({
      document: "story",
      summary: "summary",
    });
    expect(codeOf(() => pairColumnsOf(row, place, { document: "text" }))[0]).toBe(
      "COLUMN_AMBIGUOUS",
    );
  });

  it("names the columns that are there where one is missing", () => {
    const [code, told] = codeOf(() => pairColumnsOf({ txt: "t", sumary: "s" }, place, {}));
    expect(code).toBe("COLUMN_MISSING");
    expect(told).toContain("its columns are txt, sumary");
    expect(told).toContain("Did you mean txt?");
    expect(codeOf(() => pairColumnsOf({ text: "t", sumary: "s" }, place, {}))[1]).toContain(
      "Did you mean sumary?",
    );
    const named = codeOf(() => pairColumnsOf({ text: "t", gist: "s" }, place, { summary: "gits" }));
    expect(named[1]).toContain("no text in gits");
    expect(named[1]).toContain("Did you mean gist?");
  });

  it("takes no column of an object's prototype", () => {
    expect(codeOf(() => pairColumnsOf({ text: "t" }, place, { summary: "toString" }))[0]).toBe(
      "COLUMN_MISSING",
    );
  });
});

describe("pairOf", () => {
  it("keeps the id and the label", () => {
    const row = { document: "d", summary: "s", id: "a", label: "news", key: 7, topic: 2 };
    expect(pairOf(row, place)).toEqual({
      document: "d",
      references: ["s"],
      id: "a",
      label: "news",
    });
    expect(pairOf(row, place, { id: "key", label: "topic" })).toMatchObject({ id: 7, label: 2 });
    expect(pairOf({ document: "d", summary: "s", id: {}, label: null }, place)).toEqual({
      document: "d",
      references: ["s"],
    });
  });
});

describe("documentOf", () => {
  it("takes the one column of the usual names, and the row's id", () => {
    expect(documentOf({ text: "t", id: 5 }, place)).toEqual({ document: "t", id: 5 });
    expect(documentOf({ dialogue: "d", id: {} }, place)).toEqual({ document: "d" });
    expect(codeOf(() => documentOf({ text: "t", article: "a" }, place))[0]).toBe(
      "COLUMN_AMBIGUOUS",
    );
  });

  it("takes the named column and no other", () => {
    expect(documentOf({ body: "b", text: "t" }, place, "body")).toEqual({ document: "b" });
    expect(codeOf(() => documentOf({ text: "t", n: 1 }, place, "body"))[0]).toBe("COLUMN_MISSING");
    expect(codeOf(() => documentOf({ text: 5 }, place))[0]).toBe("COLUMN_NOT_TEXT");
  });
});

describe("columnsInUse", () => {
  const names = ["id", "url", "text", "summary", "gist", "html"];
  it("leaves out what no row is made of", () => {
    expect(columnsInUse(names, { kind: "pairs", columns: {} })).toEqual(["id", "text", "summary"]);
    expect(columnsInUse(names, { kind: "documents", columns: {} })).toEqual(["id", "text"]);
    const columns = { document: "html", summary: "gist", label: "url" };
    expect(columnsInUse(names, { kind: "pairs", columns })).toEqual(names);
  });

  it("takes all where a column is missing or could be several", () => {
    const bare = ["id", "url", "summary"];
    expect(columnsInUse(bare, { kind: "pairs", columns: {} })).toEqual(bare);
    const both = ["text", "article", "summary", "url"];
    expect(columnsInUse(both, { kind: "pairs", columns: {} })).toEqual(both);
  });
});
