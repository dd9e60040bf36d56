// Tests the table of errors against the source: every row is raised somewhere, and every raise fills its row's blanks.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { codes, type ErrorCode, type ErrorRow, kinds } from "./codes.js";

const src = fileURLToPath(new URL("..", import.meta.url));
const rows = Object.entries(codes) as [ErrorCode, ErrorRow][];

interface Raise {
  readonly where: string;
  /** More than one where the code is picked by a condition; empty where it is a variable. */
  readonly codes: readonly string[];
  /** Names given in details; undefined where they cannot be read off the source. */
  readonly details: readonly string[] | undefined;
}

/** Finds every `new BridleError(…)` of a source file. */
function findRaises(file: string, text: string): Raise[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const raises: Raise[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isNewExpression(node) && node.expression.getText() === "BridleError") {
      const [code, details] = node.arguments ?? [];
      const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
      raises.push({
        where: `${file}:${line}`,
        codes: code === undefined ? [] : literals(code),
        details: detailNames(details),
      });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return raises;
}

function literals(node: ts.Expression): string[] {
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isParenthesizedExpression(node)) return literals(node.expression);
  if (ts.isConditionalExpression(node))
    return [...literals(node.whenTrue), ...literals(node.whenFalse)];
  return [];
}

function detailNames(node: ts.Expression | undefined): string[] | undefined {
  if (node === undefined) return [];
  if (!ts.isObjectLiteralExpression(node)) return undefined;
  if (node.properties.some((property) => ts.isSpreadAssignment(property))) return undefined;
  return node.properties.map((property) => property.name?.getText().replaceAll(/["']/g, "") ?? "");
}

function blanks(row: ErrorRow): string[] {
  return [...`${row.message} ${row.hint}`.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
}

/** What is wrong with one raise; empty where nothing is. */
function faults({ where, codes: raised, details }: Raise): string[] {
  return raised.flatMap((code) => {
    const row = (codes as Record<string, ErrorRow>)[code];
    if (row === undefined) return [`${where}: ${code} is not in the table`];
    if (details === undefined) return [];
    return blanks(row)
      .filter((name) => !details.includes(name))
      .map((name) => `${where}: ${code} leaves {${name}} unfilled`);
  });
}

function productFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return productFiles(file);
    return /\.ts$/.test(file) && !/\.test\.ts$/.test(file) ? [file] : [];
  });
}

describe("the table of errors", () => {
  it.each(rows)("%s says what happened and what to do", (code, row) => {
    expect(code).toMatch(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/);
    expect(Object.keys(kinds)).toContain(row.kind);
    for (const text of [row.message, row.hint]) {
      expect(text.trim()).toBe(text);
      expect(text).toMatch(/^[A-Z{`].{9,}/s);
    }
    expect(row.message).toMatch(/([.?!)]|\{\w+\})$/);
    expect(row.hint).not.toBe(row.message);
  });

  it("gives every kind an error status and a failing exit code", () => {
    for (const [kind, { status, exit }] of Object.entries(kinds)) {
      expect(status, kind).toBeGreaterThanOrEqual(400);
      expect(exit, kind).toBeGreaterThan(0);
    }
  });
});

describe("the table and the source", () => {
  const texts = productFiles(src)
    .map((file) => [path.relative(src, file).replaceAll(path.sep, "/"), file] as const)
    .filter(([name]) => name !== "errors/codes.ts")
    .map(([name, file]) => [name, readFileSync(file, "utf8")] as const);

  it.each(rows)("%s is raised somewhere", (code) => {
    const named = texts.filter(([, text]) => new RegExp(`["'\`]${code}["'\`]`).test(text));
    expect(named.map(([name]) => name)).not.toEqual([]);
  });

  it("every raise names a row and fills its blanks", () => {
    const raises = texts.flatMap(([name, text]) => findRaises(name, text));
    expect(raises.flatMap(faults)).toEqual([]);
  });

  it("a raise of no row, or with a blank left open, would be found", () => {
    const made = (source: string) => findRaises("made-up.ts", source).flatMap(faults);
    expect(made('throw new BridleError("NO_SUCH_CODE");')).toEqual([
      "made-up.ts:1: NO_SUCH_CODE is not in the table",
    ]);
    expect(made('\nthrow new BridleError("EMPTY_TEXT", { size: 3 });')).toEqual([
      "made-up.ts:2: EMPTY_TEXT leaves {where} unfilled",
    ]);
    expect(made('new BridleError(late ? "CANCELLED" : "EMPTY_TEXT")')).toEqual([
      "made-up.ts:1: EMPTY_TEXT leaves {where} unfilled",
    ]);
    expect(made('new BridleError("EMPTY_TEXT", { where, ...rest })')).toEqual([]);
    expect(made("new BridleError(code, details)")).toEqual([]);
  });
});
