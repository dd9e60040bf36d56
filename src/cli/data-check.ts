// `bridle data check` and `bridle data stats`: what data hold, what is wrong with them and where, with a page to look at.
import path from "node:path";
import { type Command, Option } from "commander";
import type { TestsResult } from "../data/checks/data-tests.js";
import type { Distribution } from "../data/checks/distribution.js";
import type { Finding } from "../data/checks/findings.js";
import type {
  DataProfile,
  ProfileOptions,
  SplitFiles,
  SplitProfile,
} from "../data/checks/profile.js";
import { BridleError } from "../errors/error.js";
import { addDataFlags, type DataFlags, dataFlagsOf } from "./data-flags.js";
import { addExamples, addJsonOption, share } from "./options.js";
import { checkNotInput } from "./output-file.js";
import { openProgress } from "./progress.js";
import { markTold, printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends DataFlags {
  readonly params?: string;
  readonly tests?: string;
  readonly max?: Readonly<Record<string, string>>;
  readonly report?: string;
  readonly similarity?: number;
  readonly documentColumn?: string;
  readonly summaryColumn?: string;
  readonly json?: boolean;
}

function addCommonOptions(command: Command): Command {
  command
    .argument("[data...]", "files of rows or folders of texts, each a split, in the order of use")
    .option("--params <file>", "take data.train and data.validation of a params.yaml as splits")
    .option("--report <file>", "write a page with plots")
    .option(
      "--similarity <share>",
      "share of their word triples from which on documents are near duplicates (default: 0.8)",
      share("--similarity"),
    )
    .option("--document-column <name>", "column of the documents")
    .option("--summary-column <name>", "column of the summaries");
  return addJsonOption(addDataFlags(command));
}

export function addDataCheckCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("check")
    .summary("find what is wrong with data; exit code 6 where a limit is passed")
    .description(
      "Reads every row once and tells of rows that cannot be read, empty texts, duplicates and near duplicates, documents " +
        "that an earlier split has too, summaries as long as their documents, mixed languages, faults of encoding, and " +
        "hints at personal data. Each is told with its places; what texts say is never printed.",
    );
  addCommonOptions(command)
    .option("--tests <file>", "run tests of your own, from a YAML file")
    .addOption(
      new Option(
        "--max <name=share>",
        "let so many of a split's rows have a fault, such as duplicates=0.05; none for no limit",
      ).argParser(readLimit),
    );
  addExamples(command, [
    [
      "bridle data check train.jsonl valid.jsonl test.jsonl",
      "three splits, looked at in this order",
    ],
    [
      "bridle data check --params params.yaml --report data.html",
      "what a run learns from, as a page",
    ],
    [
      "bridle data check train.jsonl --max duplicates=0.05 --max personalData=0",
      "with other limits",
    ],
    ["bridle data check --tests data.tests.yaml", "tests of your own alone"],
  ]).action((files: readonly string[], options: Options) => runCheck(files, options, terminal));
}

export function addDataStatsCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("stats")
    .summary("describe data: lengths, ratios, novelty, languages")
    .description(
      "Describes each split: rows and columns, lengths of documents and summaries, how much shorter summaries are, how many " +
        "of their words are new, and languages.",
    );
  addExamples(addCommonOptions(command), [
    ["bridle data stats train.jsonl test.jsonl", "two splits beside each other"],
    [
      "bridle data stats train.csv --report stats.html --json",
      "a page, and the figures for a program",
    ],
  ]).action((files: readonly string[], options: Options) => runStats(files, options, terminal));
}

function readLimit(word: string, before: Readonly<Record<string, string>> = {}) {
  const at = word.indexOf("=");
  return { ...before, [at < 0 ? word : word.slice(0, at)]: at < 0 ? "" : word.slice(at + 1) };
}

/** @throws INVALID_PARAMETER naming what there is */
async function limitsOf({ max = {} }: Options) {
  const { CheckLimits } = await import("../config/check-limits.js");
  const names = Object.keys(CheckLimits.shape);
  const given: Record<string, number | null> = {};
  for (const [name, text] of Object.entries(max)) {
    if (!names.includes(name)) {
      const expected = `one of ${names.join(", ")}, each with a share: duplicates=0.05`;
      throw new BridleError("INVALID_PARAMETER", { parameter: "--max", value: name, expected });
    }
    given[name] = text === "none" ? null : text === "0" ? 0 : share(`--max ${name}`)(text);
  }
  return CheckLimits.parse(given);
}

/** A file's name without its folder and endings; `rows.train.jsonl.gz` is `rows.train`. */
function nameOf(file: string): string {
  return path
    .basename(file)
    .replace(/(\.(jsonl|jsonlines|ndjson|json|csv|tsv|tab|parquet))?(\.(gz|gzip|zst|zstd))?$/i, "");
}

/** @throws COMMAND_LINE_INVALID where nothing is named */
async function splitsOf(
  files: readonly string[],
  options: Options,
  typed: string,
): Promise<{ splits: SplitFiles[]; reading: ProfileOptions }> {
  const names = files.map(nameOf);
  const splits = files.map((file, at) => ({
    name: names.indexOf(names[at]!) === names.lastIndexOf(names[at]!) ? names[at]! : file,
    files: [file],
  }));
  let { documentColumn: document, summaryColumn: summary, encoding, delimiter } = options;
  if (options.params !== undefined) {
    const { loadRunConfig } = await import("../config/load.js");
    const { data } = await loadRunConfig(options.params);
    const listed = { train: data.train, validation: data.validation };
    for (const [name, of] of Object.entries(listed)) {
      if (of !== undefined) splits.push({ name, files: [of].flat() });
    }
    document ??= data.documentColumn;
    summary ??= data.summaryColumn;
    encoding ??= data.encoding;
    delimiter ??= data.delimiter;
  }
  if (splits.length === 0 && options.tests === undefined) {
    throw new BridleError("COMMAND_LINE_INVALID", {
      problem: "name files of rows, or a params.yaml with --params.",
      typed,
    });
  }
  if (options.report !== undefined) {
    const read = [...splits.flatMap(({ files: of }) => of), options.params, options.tests];
    await checkNotInput({ flag: "--report", output: options.report }, read);
  }
  const flags = { ...options, ...(encoding && { encoding }), ...(delimiter && { delimiter }) };
  const columns = { ...(document && { document }), ...(summary && { summary }) };
  return { splits, reading: { ...dataFlagsOf(flags), columns } };
}

async function profile(
  files: readonly string[],
  options: Options,
  typed: string,
  terminal: Terminal,
): Promise<DataProfile> {
  const { profileData } = await import("../data/checks/profile.js");
  const { splits, reading } = await splitsOf(files, options, typed);
  const progress = await openProgress(terminal, "rows");
  try {
    return await profileData(splits, {
      ...reading,
      ...(options.similarity !== undefined && { similarity: options.similarity }),
      signal: terminal.signal,
      onRead: ({ readBytes, sizeBytes, rows }) =>
        progress.update({ done: readBytes, total: sizeBytes, items: rows, itemsInAll: rows }),
    });
  } finally {
    progress.stop();
  }
}

async function runTests(options: Options, terminal: Terminal): Promise<TestsResult | undefined> {
  if (options.tests === undefined) return undefined;
  const { runDataTests } = await import("../data/checks/data-tests.js");
  const progress = await openProgress(terminal, "rows");
  try {
    return await runDataTests(options.tests, {
      ...dataFlagsOf(options),
      signal: terminal.signal,
      onRow: ({ rows, file }) =>
        progress.update({
          done: 0,
          total: 0,
          items: rows,
          itemsInAll: rows,
          note: `tests of ${file}`,
        }),
    });
  } finally {
    progress.stop();
  }
}

async function writeReport(
  { report }: Options,
  content: { profile: DataProfile; findings: readonly Finding[]; tests?: TestsResult },
): Promise<void> {
  if (report === undefined) return;
  const [{ renderDataReport }, { writeOutput }] = await Promise.all([
    import("../report/data-report.js"),
    import("../text/files/write-output.js"),
  ]);
  await writeOutput(report, (handle) => handle.writeFile(renderDataReport(content)));
}

async function runCheck(
  files: readonly string[],
  options: Options,
  terminal: Terminal,
): Promise<void> {
  const limits = await limitsOf(options);
  const { findFaults } = await import("../data/checks/findings.js");
  const found = await profile(files, options, "bridle data check", terminal);
  const findings = findFaults(found, limits);
  const tests = await runTests(options, terminal);
  await writeReport(options, { profile: found, findings, ...(tests && { tests }) });
  const failed = findings.filter((each) => each.failed);
  const names = [
    ...failed.map(({ check }) => check),
    ...(tests?.failures ?? []).map(({ rule }) => rule),
  ];
  if (options.json) {
    await printJson(terminal, {
      passed: names.length === 0,
      limits,
      findings,
      tests: tests ?? null,
      ...found,
    });
  } else await tellFindings(found, findings, tests, options, terminal);
  if (names.length === 0) return;
  const unique = [...new Set(names)];
  const advice = [
    ...(failed.length === 0 ? [] : ["--max NAME=SHARE lets more pass, --max NAME=none all of it."]),
    ...(failed.length === names.length
      ? []
      : [`Rules of ${options.tests} stand there: \`allow: SHARE\` lets so many rows break them.`]),
  ].join(" ");
  const error = new BridleError("DATA_CHECK_FAILED", {
    count: unique.length,
    names: unique.join(", "),
    advice,
  });
  throw options.json ? markTold(error) : error;
}

const percent = (value: number) =>
  `${value === 0 ? 0 : (100 * value).toFixed(value < 0.1 ? 2 : 1)} %`;

async function tellFindings(
  { splits }: DataProfile,
  findings: readonly Finding[],
  tests: TestsResult | undefined,
  { report }: Options,
  terminal: Terminal,
): Promise<void> {
  for (const { name, rows } of splits) {
    const own = findings.filter(({ split }) => split === name);
    await printLine(terminal, `${name}: ${rows} rows${own.length === 0 ? ", nothing found" : ""}`);
    for (const { check, failed, message, share: of, limit, examples } of own) {
      const bound = limit === null ? "no limit" : `at most ${percent(limit)}`;
      const verdict = failed ? "FAIL" : "note";
      await printLine(terminal, `  ${verdict}  ${check}: ${message} (${percent(of)}, ${bound})`);
      for (const example of examples.slice(0, 3)) await printLine(terminal, `          ${example}`);
    }
  }
  if (tests !== undefined) {
    const { file, failures } = tests;
    await printLine(terminal, `${file}: ${tests.tests} tests, ${failures.length} rules broken`);
    for (const { test, rule, message } of failures) {
      await printLine(terminal, `  FAIL  ${test} ${rule}: ${message}`);
    }
  }
  if (report !== undefined) await printLine(terminal, `The page is ${report}.`);
}

async function runStats(
  files: readonly string[],
  options: Options,
  terminal: Terminal,
): Promise<void> {
  const found = await profile(files, options, "bridle data stats", terminal);
  await writeReport(options, { profile: found, findings: [] });
  if (options.json) return await printJson(terminal, found);
  for (const split of found.splits) await tellSplit(split, terminal);
  if (options.report !== undefined) await printLine(terminal, `The page is ${options.report}.`);
}

async function tellSplit(split: SplitProfile, terminal: Terminal): Promise<void> {
  const { name, files, rows, sizeBytes, languages } = split;
  const size = `${(sizeBytes / 1e6).toFixed(1)} MB`;
  await printLine(terminal, `${name}: ${rows} rows, ${size} (${files.join(", ")})`);
  const columns = split.columns.map(
    ({ name: column, kinds }) => `${column} (${Object.keys(kinds).join(", ")})`,
  );
  await printLine(terminal, `  columns                ${columns.join(", ") || "none"}`);
  const row = async (title: string, of: Distribution | undefined, digits: number) => {
    if (of === undefined) return;
    const [median, p5, p95, mean, most] = [of.median, of.p5, of.p95, of.mean, of.most].map((each) =>
      each.toFixed(digits),
    );
    const range = `${p5} to ${p95} in nine of ten, mean ${mean}, most ${most}`;
    await printLine(terminal, `  ${title.padEnd(22)} median ${median}, ${range}`);
  };
  await row("words of documents", split.documentWords, 0);
  await row("words of summaries", split.summaryWords, 0);
  await row("summary to document", split.ratio, 3);
  await row("novel words", split.novelWords, 3);
  await row("novel pairs of words", split.novelPairs, 3);
  const all = languages.reduce((sum, each) => sum + each.rows, 0);
  const told = languages
    .slice(0, 6)
    .map(({ language, rows: of }) => `${language} ${percent(of / all)}`);
  await printLine(terminal, `  languages              ${told.join(", ") || "none"}`);
}
