// Runs a user's own tests of data: each rule over every row of its files, each failure with the rule's line and the row's.
import { type Range, type ReadDataTest, readDataTests } from "../../config/data-tests.js";
import { BridleError } from "../../errors/error.js";
import { detectLanguage } from "../../text/language.js";
import { countWords } from "../../text/words.js";
import { pairOf } from "../columns.js";
import type { Place, Row } from "../row.js";
import { openRows, type RowOptions } from "../rows.js";
import { addTo, type Tally } from "./profile.js";
import { SeenValues } from "./seen-values.js";

export interface TestFailure {
  /** `data.tests.yaml:12`, the line of the rule. */
  readonly test: string;
  /** Such as `words.document`. */
  readonly rule: string;
  readonly file: string;
  /** Rows that break it; undefined where it is about files rather than rows. */
  readonly rows: number | undefined;
  readonly message: string;
  /** What is wrong with the first rows, each with its place. */
  readonly examples: readonly string[];
}

export interface TestsResult {
  readonly file: string;
  readonly tests: number;
  readonly failures: readonly TestFailure[];
}

export interface RunTestsOptions extends Omit<RowOptions, "select"> {
  readonly signal?: AbortSignal;
  readonly onRow?: (done: { readonly rows: number; readonly file: string }) => void;
}

type Check = (row: Row, place: Place) => string | undefined | Promise<string | undefined>;

interface Rule {
  readonly name: string;
  /** What is wrong with a row; undefined where nothing is. */
  readonly check: Check;
  readonly tally: Tally;
}

function outside(count: number, { min, max }: Range): string | undefined {
  if (min !== undefined && max !== undefined && min === max) {
    return count === min ? undefined : `${min} is asked for`;
  }
  if (min !== undefined && count < min) return `at least ${min} is asked for`;
  if (max !== undefined && count > max) return `at most ${max} is allowed`;
  return undefined;
}

function textIn(row: Row, column: string): string | undefined {
  const value = row[column];
  if (typeof value === "string") return value;
  return Array.isArray(value) && value.every((each) => typeof each === "string")
    ? value.join("\n")
    : undefined;
}

/** A rule over a column's text. */
function overText(column: string, check: (text: string) => ReturnType<Check>): Check {
  return (row) => {
    const text = textIn(row, column);
    return text === undefined ? `has no text in ${column}` : check(text);
  };
}

function typeFault(value: unknown, type: string): string | undefined {
  const is = {
    any: true,
    text: typeof value === "string",
    number: typeof value === "number",
    integer: Number.isInteger(value),
    boolean: typeof value === "boolean",
    list: Array.isArray(value),
    object: typeof value === "object" && value !== null && !Array.isArray(value),
  }[type];
  if (is) return undefined;
  const found = value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
  return `${found} where ${type} is asked for`;
}

const shown = (value: unknown) => JSON.stringify(value)?.slice(0, 60) ?? "nothing";

function rulesOf({ test }: ReadDataTest): Rule[] {
  const rules: Rule[] = [];
  const add = (name: string, check: Check) =>
    rules.push({ name, check, tally: { rows: 0, examples: [] } });
  for (const [column, type] of Object.entries(test.columns ?? {})) {
    add(`columns.${column}`, (row) => {
      if (!Object.hasOwn(row, column)) return `has no column ${column}`;
      const fault = typeFault(row[column], type);
      return fault && `has in ${column} ${fault}`;
    });
  }
  for (const [unit, ranges, count] of [
    ["words", test.words, countWords],
    ["characters", test.characters, (text: string) => text.length],
  ] as const) {
    for (const [column, range] of Object.entries(ranges ?? {})) {
      const check = overText(column, (text) => {
        const found = count(text);
        const fault = outside(found, range);
        return fault && `has ${found} ${unit} in ${column}; ${fault}`;
      });
      add(`${unit}.${column}`, check);
    }
  }
  for (const [column, languages] of Object.entries(test.languages ?? {})) {
    const check = overText(column, async (text) => {
      const { language, reliable } = await detectLanguage(text);
      if (!reliable || language === undefined || languages.includes(language)) return undefined;
      return `is in ${language} in ${column}; ${languages.join(" or ")} is asked for`;
    });
    add(`languages.${column}`, check);
  }
  for (const [index, column] of (test.unique ?? []).entries()) {
    const seen = new SeenValues();
    const places: string[] = [];
    let rows = 0;
    add(`unique.${index}`, (row, { where }) => {
      const number = rows++;
      // Of a repeat, the first one's place is told too, unless it is too far down to be kept.
      if (number < placesKept) places.push(where);
      const before = seen.add(JSON.stringify(row[column]) ?? "", number);
      if (before === undefined) return undefined;
      return `has in ${column} what ${places[before] ?? `row ${before + 1}`} has`;
    });
  }
  for (const [column, values] of Object.entries(test.values ?? {})) {
    const allowed = new Set<unknown>(values);
    add(`values.${column}`, (row) =>
      allowed.has(row[column])
        ? undefined
        : `has ${shown(row[column])} in ${column}; allowed is ${values.map(shown).join(", ")}`,
    );
  }
  for (const [column, pattern] of Object.entries(test.matches ?? {})) {
    const expression = new RegExp(pattern, "u");
    const check = overText(column, (text) =>
      expression.test(text) ? undefined : `does not match ${pattern} in ${column}`,
    );
    add(`matches.${column}`, check);
  }
  const { ratio } = test;
  if (ratio !== undefined) {
    add("ratio", (row, place) => {
      const { document, references } = pairOf(row, place);
      const found = countWords(references[0]!) / Math.max(1, countWords(document));
      const fault = outside(found, ratio);
      return fault && `has a summary of ${found.toFixed(2)} times its document; ${fault}`;
    });
  }
  return rules;
}

/** Places of the first rows that are kept to be told. */
const placesKept = 10_000;

/**
 * Runs the tests of a file, in their order. Memory holds 32 bytes a row for each column that is to be unique.
 * @throws FILE_NOT_FOUND, YAML_INVALID and DATA_TESTS_INVALID for the tests' file, CANCELLED. What is wrong with the data is a
 *   failure.
 */
export async function runDataTests(
  file: string,
  options: RunTestsOptions = {},
): Promise<TestsResult> {
  const tests = await readDataTests(file);
  const failures: TestFailure[] = [];
  for (const test of tests) failures.push(...(await runTest(test, options)));
  return { file, tests: tests.length, failures };
}

async function runTest(read: ReadDataTest, options: RunTestsOptions): Promise<TestFailure[]> {
  const { test, whereOf } = read;
  const { signal, onRow, ...reading } = options;
  const files = typeof test.file === "string" ? [test.file] : test.file;
  const name = files.join(", ");
  const rules = rulesOf(read);
  const failures: TestFailure[] = [];
  const fail = (rule: string, of: string, message: string) =>
    failures.push({ test: whereOf(rule), rule, file: of, rows: undefined, message, examples: [] });
  const broken: Tally = { rows: 0, examples: [] };
  let rows = 0;
  for (const each of files) {
    try {
      const input = await openRows(each, reading);
      const size = test.sizeBytes && outside(input.sizeBytes, test.sizeBytes);
      if (size) fail("sizeBytes", each, `${each} has ${input.sizeBytes} bytes; ${size}`);
      for await (const found of input.rows) {
        if (signal?.aborted) throw new BridleError("CANCELLED", {}, { cause: signal.reason });
        rows++;
        onRow?.({ rows, file: each });
        await checkRow(found, rules, broken);
      }
    } catch (thrown) {
      if (!(thrown instanceof BridleError) || thrown.code === "CANCELLED") throw thrown;
      fail("file", each, thrown.message);
    }
  }
  // Rules over no rows would pass, whatever they ask; how many there must be is a rule of its own.
  if (rows === 0 && test.rows === undefined && rules.length > 0 && failures.length === 0) {
    fail("rows", name, `${name} has no rows, so that no rule was looked at`);
  }
  const count = test.rows && outside(rows, test.rows);
  if (count) fail("rows", name, `${name} has ${rows} rows; ${count}`);
  const tallies = [{ name: "file", tally: broken }, ...rules];
  for (const { name: rule, tally } of tallies) {
    if (tally.rows === 0 || tally.rows / rows <= test.allow) continue;
    const more = tally.rows === 1 ? "" : `, and ${tally.rows - 1} more of ${rows} rows`;
    const message = `${tally.examples[0]}${more}`;
    failures.push({ test: whereOf(rule), rule, file: name, ...tally, message });
  }
  return failures;
}

async function checkRow(
  found: { readonly place: Place; read(): Row },
  rules: readonly Rule[],
  broken: Tally,
): Promise<void> {
  const { place } = found;
  try {
    const row = found.read();
    for (const { check, tally } of rules) {
      const fault = await check(row, place);
      if (fault !== undefined) addTo(tally, `${place.where} ${fault}`);
    }
  } catch (thrown) {
    if (!(thrown instanceof BridleError)) throw thrown;
    addTo(broken, thrown.message);
  }
}
