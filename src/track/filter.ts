// What runs are looked for and sorted by: `metrics.eval/loss < 2`, `params.train.seed = 1`, turned into SQL.
import { BridleError } from "../errors/error.js";
import type { SqlValue } from "../ports/database.js";

/** Fields of a run itself, and the SQL that gives each; the run is `r`, its experiment `e`. */
const fields: Readonly<Record<string, { readonly sql: string; readonly isNumber: boolean }>> = {
  id: { sql: "r.id", isNumber: false },
  name: { sql: "r.name", isNumber: false },
  experiment: { sql: "e.name", isNumber: false },
  status: { sql: "r.status", isNumber: false },
  source: { sql: "r.source", isNumber: false },
  commit: { sql: "r.code_commit", isNumber: false },
  output: { sql: "r.output", isNumber: false },
  parent: { sql: "r.parent", isNumber: false },
  started: { sql: "r.started_at", isNumber: true },
  ended: { sql: "r.ended_at", isNumber: true },
  duration: { sql: "(COALESCE(r.ended_at, r.alive_at) - r.started_at)", isNumber: true },
};

/** Tables of what a run told, by the word before the point. */
const tables: Readonly<Record<string, { readonly text: string; readonly number: string }>> = {
  params: {
    text: "(SELECT value FROM track_param WHERE run_id = r.id AND key = KEY)",
    number: "(SELECT number FROM track_param WHERE run_id = r.id AND key = KEY)",
  },
  tags: { text: "(SELECT value FROM track_tag WHERE run_id = r.id AND key = KEY)", number: "" },
  metrics: {
    text: "",
    number: "(SELECT last_value FROM track_series WHERE run_id = r.id AND key = KEY)",
  },
  min: {
    text: "",
    number: "(SELECT min_value FROM track_series WHERE run_id = r.id AND key = KEY)",
  },
  max: {
    text: "",
    number: "(SELECT max_value FROM track_series WHERE run_id = r.id AND key = KEY)",
  },
};

const comparison = /^\s*([A-Za-z]+(?:\.[^\s=<>!~]+)?)\s*(!=|<=|>=|=|<|>|~)\s*(.*?)\s*$/s;

function unreadable(what: string, text: string, reason: string): BridleError {
  return new BridleError("RUN_QUERY_INVALID", { what, text, reason });
}

const expected = `a field is one of ${Object.keys(fields).join(", ")}, or params.KEY, tags.KEY, metrics.KEY (the last value), min.KEY, max.KEY`;

/** The field that a condition is about. @throws RUN_QUERY_INVALID */
export function fieldOf(text: string): string {
  return partsOf(text).field;
}

interface Condition {
  readonly field: string;
  readonly operator: string;
  readonly raw: string;
}

function partsOf(text: string): Condition {
  const [, field = "", operator = "", raw = ""] = comparison.exec(text) ?? [];
  if (field !== "") return { field, operator, raw };
  const reason = "it is not FIELD OPERATOR VALUE, such as metrics.eval/loss < 2";
  throw unreadable("condition", text, reason);
}

/** SQL of a condition over `r` and `e`, with its values appended to those there are. @throws RUN_QUERY_INVALID */
export function filterSql(text: string, values: SqlValue[]): string {
  const { field, operator, raw } = partsOf(text);
  const value = /^(["'])(.*)\1$/s.exec(raw)?.[2] ?? raw;
  const add = (one: SqlValue) => `$${values.push(one)}`;
  const kinds = kindsOf(field, "condition", text);
  if (operator === "~") {
    if (!kinds.isText)
      throw unreadable("condition", text, `${field} is a number, and ~ looks in texts`);
    // The text is looked for as it stands.
    const pattern = `%${value.replaceAll(/[%_\\]/g, "\\$&")}%`;
    return `${fieldSql(field, false, add)} LIKE ${add(pattern)} ESCAPE '\\'`;
  }
  const number = value === "" ? Number.NaN : numberOf(field, value);
  const isOrder = ["<", "<=", ">", ">="].includes(operator);
  if (isOrder && !kinds.isNumber)
    throw unreadable("condition", text, `${field} is a text, and ${operator} compares numbers`);
  const wantsNumber = isOrder || !kinds.isText || (kinds.isNumber && Number.isFinite(number));
  if (wantsNumber && !Number.isFinite(number)) {
    throw unreadable("condition", text, `${JSON.stringify(value)} is not a number to compare with`);
  }
  const sql = fieldSql(field, wantsNumber, add);
  // A database that types its parameters would take the type of what it is compared with, a whole number for one.
  const operand = wantsNumber ? `CAST(${add(number)} AS DOUBLE PRECISION)` : add(value);
  if (operator === "!=") return `(${sql} IS NULL OR ${sql} <> ${operand})`;
  return `${sql} ${operator} ${operand}`;
}

/** Dates where times are compared. */
function numberOf(field: string, value: string): number {
  if ((field === "started" || field === "ended") && !/^\d+$/.test(value)) return Date.parse(value);
  return Number(value);
}

/** What a field may be compared as. @throws RUN_QUERY_INVALID where there is none of this name */
function kindsOf(
  field: string,
  what: string,
  text: string,
): { isText: boolean; isNumber: boolean } {
  const dot = field.indexOf(".");
  const own = dot === -1 && Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (own !== undefined) return { isText: !own.isNumber, isNumber: own.isNumber };
  const kind = field.slice(0, Math.max(0, dot));
  const table = Object.hasOwn(tables, kind) ? tables[kind] : undefined;
  if (table === undefined) throw unreadable(what, text, expected);
  return { isText: table.text !== "", isNumber: table.number !== "" };
}

/** SQL of a field that there is, as a number where that is wanted and can be had. */
function fieldSql(field: string, wantsNumber: boolean, add: (value: SqlValue) => string): string {
  const dot = field.indexOf(".");
  if (dot === -1) return fields[field]?.sql ?? "NULL";
  const table = tables[field.slice(0, dot)];
  const sql = (wantsNumber ? table?.number : table?.text) || table?.number || table?.text || "NULL";
  return sql.replace("KEY", () => add(field.slice(dot + 1)));
}

/**
 * SQL to order runs by; `-` before the field sorts from the greatest down. Runs without the field come last.
 * @throws RUN_QUERY_INVALID
 */
export function sortSql(text: string, values: SqlValue[]): string {
  const isDown = text.startsWith("-");
  const field = isDown ? text.slice(1) : text;
  const add = (one: SqlValue) => `$${values.push(one)}`;
  const direction = isDown ? "DESC" : "ASC";
  kindsOf(field, "order", text);
  const number = fieldSql(field, true, add);
  const order = `${number} ${direction} NULLS LAST`;
  if (!field.startsWith("params.")) return order;
  return `${order}, ${fieldSql(field, false, add)} ${direction} NULLS LAST`;
}
