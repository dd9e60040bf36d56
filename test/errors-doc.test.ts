// Keeps docs/errors.md and the table of errors the same, in both directions.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isUpToDate, readTable, renderErrors } from "../scripts/errors-doc.mjs";
import { codes, kinds } from "../src/errors/codes.js";

const page = readFileSync(new URL("../docs/errors.md", import.meta.url), "utf8");

describe("docs/errors.md", () => {
  it("is what the table renders to", async () => {
    const table = await readTable();
    expect(table.codes).toEqual(codes);
    expect(table.kinds).toEqual(kinds);
    expect(isUpToDate(renderErrors({ codes, kinds }))).toBe(true);
  });

  it("is out of date once a row, a kind or a status changes", () => {
    const { BUG, ...rest } = codes;
    expect(isUpToDate(renderErrors({ codes: rest, kinds }))).toBe(false);
    const reworded = { ...codes, BUG: { ...BUG, hint: "Report it." } };
    expect(isUpToDate(renderErrors({ codes: reworded, kinds }))).toBe(false);
    const moved = { ...kinds, bug: { status: 501, exit: 1 } };
    expect(isUpToDate(renderErrors({ codes, kinds: moved }))).toBe(false);
  });

  it("has a section for each code, and none for a code that is not there", () => {
    const sections = [...page.matchAll(/^## (\S+)$/gm)].map((match) => match[1]);
    expect(sections).toEqual(Object.keys(codes));
  });
});
