// What a file of data tests may ask of files of rows: one list of tests, each over a file or several.
import { z } from "zod";
import { BridleError } from "../errors/error.js";
import { nearestName } from "./nearest-name.js";
import { readYamlFile } from "./yaml-file.js";

const bound = z.number().min(0);
const range = z
  .union([
    bound,
    z
      .strictObject({ min: bound.optional(), max: bound.optional() })
      .refine(({ min, max }) => min !== undefined || max !== undefined, "give min, max or both")
      .refine(({ min = 0, max = Number.POSITIVE_INFINITY }) => min <= max, "min is above max"),
  ])
  .transform((given) => (typeof given === "number" ? { min: given, max: given } : given));

const column = z.string().min(1);
const types = z.enum(["text", "number", "integer", "boolean", "list", "object", "any"]);
const scalar = z.union([z.string(), z.number(), z.boolean()]);
const pattern = z.string().refine((text) => {
  try {
    return new RegExp(text, "u") instanceof RegExp;
  } catch {
    return false;
  }
}, "it is no regular expression");

const DataTest = z.strictObject({
  file: z
    .union([column, z.array(column).min(1)])
    .describe("file of rows, or several; that they are there is part of the test"),
  sizeBytes: range.optional().describe("size on disk, each file's own"),
  rows: range.optional().describe("rows of all files together: a number, or min and max"),
  columns: z
    .union([
      z
        .array(column)
        .min(1)
        .transform((names) => Object.fromEntries(names.map((name) => [name, "any" as const]))),
      z.record(column, types),
    ])
    .optional()
    .describe("columns that each row has, as a list or with their types"),
  words: z.record(column, range).optional().describe("words in a column's text"),
  characters: z.record(column, range).optional().describe("characters in a column's text"),
  languages: z
    .record(column, z.array(z.string().regex(/^[a-z]{2,3}$/)).min(1))
    .optional()
    .describe(
      "languages a column's text may be in, as ISO 639-1 codes; texts too short to tell pass",
    ),
  unique: z.array(column).min(1).optional().describe("columns in which no value stands twice"),
  values: z
    .record(column, z.array(scalar).min(1))
    .optional()
    .describe("the only values that a column may have"),
  matches: z
    .record(column, pattern)
    .optional()
    .describe("a regular expression that a column's text matches"),
  ratio: range.optional().describe("words of the summary over words of the document"),
  allow: z.number().min(0).lt(1).default(0).describe("share of the rows that may break a rule"),
});

export const DataTests = z.strictObject({
  tests: z.array(DataTest).min(1).describe("the tests, run in their order"),
});

export type DataTest = z.output<typeof DataTest>;
export type Range = { readonly min?: number | undefined; readonly max?: number | undefined };

/** A test with the lines of its rules. */
export interface ReadDataTest {
  readonly test: DataTest;
  /** `data.tests.yaml:12`, of the test itself or of one of its rules. */
  whereOf(rule?: string): string;
}

const names = Object.keys(DataTest.shape);

/** @throws FILE_NOT_FOUND, YAML_INVALID; DATA_TESTS_INVALID naming each key that is wrong, with its line */
export async function readDataTests(file: string): Promise<ReadDataTest[]> {
  const yaml = await readYamlFile(file);
  const checked = DataTests.safeParse(yaml.content);
  if (!checked.success) {
    const problems = checked.error.issues.flatMap((issue) => {
      const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
      if (issue.code !== "unrecognized_keys") {
        return [`line ${yaml.lineOf(path)}: ${path.join(".") || "the file"}: ${issue.message}`];
      }
      return issue.keys.map((key) => {
        const nearest = nearestName(key, path.length === 0 ? ["tests"] : names);
        const meant = nearest === undefined ? "" : `; did you mean ${nearest}?`;
        return `line ${yaml.lineOf([...path, key])}: there is no ${key}${meant}`;
      });
    });
    throw new BridleError("DATA_TESTS_INVALID", { file, problems: problems.join("; ") });
  }
  return checked.data.tests.map((test, index) => ({
    test,
    whereOf: (rule) => `${file}:${yaml.lineOf(["tests", index, ...(rule?.split(".") ?? [])])}`,
  }));
}
