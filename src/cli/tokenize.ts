// `bridle tokenize`: texts to a model's tokens and back, with their places and counts.
import type { Command } from "commander";
import { BridleError } from "../errors/error.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";
import { addDataFlags, type DataFlags, dataFlagsOf } from "./data-flags.js";
import { addExamples, addJsonOption, oneOf, wholeNumber } from "./options.js";
import { showPreparation } from "./preparation-progress.js";
import { openProgress } from "./progress.js";
import { isStandardInput, readDocument, readInput, refuseUrl } from "./read-document.js";
import { addRegistryFlags, type RegistryFlags, sourcesOf } from "./registry-flags.js";
import { printJson, printLine, type Terminal } from "./terminal.js";
import { type EncodingFlags, encodeText, printTokens, toJson } from "./tokens.js";

const paddings = ["longest", "max-length"] as const;

interface Options extends DataFlags, EncodingFlags, RegistryFlags {
  readonly model: string;
  readonly text?: string;
  readonly raw?: boolean;
  readonly input?: string;
  readonly column?: string;
  readonly decode?: boolean;
  readonly skipSpecialTokens?: boolean;
  readonly cleanUp?: boolean;
}

export function addTokenizeCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("tokenize")
    .summary("show the tokens a model reads a text as")
    .description(
      "Shows the tokens that a model's tokenizer makes of a text: their ids, pieces and places. The text is that of a " +
        "document (txt, md, html, pdf, docx), of --text, or standard input as it is; with --input, each row of a file. With " +
        "--decode, token ids become text again.",
    )
    .argument("[file]", "the document; - for standard input")
    .requiredOption(
      "--model <name>",
      "a folder with a model, a registered version (news:3, news@champion), or an id on the Hugging Face hub",
    )
    .option("--text <text>", "the text itself, in place of a file")
    .option("--raw", "take a file as it is, as UTF-8 text, whatever kind of document it is")
    .option("--input <file>", "a file with one text a row (JSON Lines, CSV, Parquet, …)")
    .option(
      "--column <name>",
      "its column of texts (default: document, text, content, article or dialogue), or of ids with --decode (ids)",
    )
    .option("--count", "tell only how many tokens there are")
    .option("--decode", "the input is token ids; print their text")
    .option("--truncation", "cut what is longer than --max-length, or than the model reads")
    .option(
      "--max-length <n>",
      "tokens at most, the end token included",
      wholeNumber("--max-length"),
    )
    .option(
      "--padding <how>",
      "fill up to the longest text, or to --max-length: longest, max-length",
      oneOf("--padding", paddings),
    )
    .option(
      "--pad-to-multiple-of <n>",
      "fill up to a multiple of n tokens",
      wholeNumber("--pad-to-multiple-of"),
    )
    .option("--no-special-tokens", "leave out the end token")
    .option("--skip-special-tokens", "with --decode: leave special tokens out of the text")
    .option("--clean-up", "with --decode: take out spaces before punctuation");
  addJsonOption(addRegistryFlags(addDataFlags(command)));
  addExamples(command, [
    ["bridle tokenize --model google/pegasus-xsum --text 'Ships unloaded.'", "ids, pieces, places"],
    ["bridle tokenize report.pdf --model ./pegasus --count", "how long a document is to a model"],
    ["bridle tokenize --model ./pegasus --input news.jsonl --json", "a line of ids for each row"],
    ["echo 117 913 1 | bridle tokenize --model ./pegasus --decode", "ids back to text"],
  ]).action((file: string | undefined, options: Options) => run(file, options, terminal));
}

function contradiction(problem: string): BridleError {
  return new BridleError("COMMAND_LINE_INVALID", { problem, typed: "bridle tokenize" });
}

/** Options that only one direction has. */
const encodingOnly = ["truncation", "maxLength", "padding", "padToMultipleOf", "raw"] as const;
const decodingOnly = ["skipSpecialTokens", "cleanUp"] as const;
const flagOf = (name: string) =>
  `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function check(file: string | undefined, options: Options): void {
  const { text, input, decode, count, padding } = options;
  const given = [file, text, input].filter((each) => each !== undefined).length;
  if (given > 1) throw contradiction("FILE, --text and --input exclude each other.");
  const misplaced = decode
    ? encodingOnly.find((name) => options[name] !== undefined)
    : decodingOnly.find((name) => options[name] !== undefined);
  if (misplaced !== undefined) {
    throw contradiction(`${flagOf(misplaced)} goes ${decode ? "without" : "with"} --decode.`);
  }
  const { maxLength, truncation } = options;
  if (maxLength !== undefined && !truncation && padding !== "max-length") {
    throw contradiction("--max-length goes with --truncation or --padding max-length.");
  }
  if (decode && count) throw contradiction("--count goes without --decode.");
  const rowsOnly = ["column", ...Object.keys(dataFlagsOf(options))].find(
    (name) => input === undefined && options[name as keyof Options] !== undefined,
  );
  if (rowsOnly !== undefined) throw contradiction(`${flagOf(rowsOnly)} goes with --input.`);
  if (input !== undefined && padding === "longest") {
    throw contradiction(
      "--padding longest needs all rows at once; with --input use --padding max-length.",
    );
  }
  for (const each of [file, input]) refuseUrl(each);
}

async function run(file: string | undefined, options: Options, terminal: Terminal): Promise<void> {
  check(file, options);
  const tokenizer = await openTokenizer(options, terminal);
  if (options.input !== undefined) {
    if (options.decode) await decodeRows(tokenizer, options.input, options, terminal);
    else await encodeRows(tokenizer, options.input, options, terminal);
    return;
  }
  if (options.decode) {
    const typed = options.text ?? decodeUtf8(await readInput(file, terminal, "bridle tokenize"));
    const ids = readIds(typed, file ?? "standard input");
    const text = tokenizer.decode(ids, decodingOf(options));
    if (options.json) await printJson(terminal, { model: options.model, count: ids.length, text });
    else await printLine(terminal, text);
    return;
  }
  const text = await readText(file, options, terminal);
  const encoded = encodeText(tokenizer, text, options);
  if (options.json)
    await printJson(terminal, { model: options.model, ...toJson(encoded, options.count === true) });
  else if (options.count) await printLine(terminal, String(encoded.count));
  else await printTokens(terminal, text, encoded);
}

async function openTokenizer(
  { model, ...flags }: RegistryFlags & { readonly model: string },
  terminal: Terminal,
): Promise<Tokenizer> {
  const [{ resolveModel }, { loadTokenizer }] = await Promise.all([
    import("../compose.js"),
    import("../text/tokenizers/load.js"),
  ]);
  const sources = await sourcesOf(flags, terminal);
  const folder = await showPreparation(terminal, (downloading) =>
    resolveModel(model, { needs: ["tokenizer"], sources, ...downloading }),
  );
  return await loadTokenizer(folder);
}

async function readText(
  file: string | undefined,
  options: Options,
  terminal: Terminal,
): Promise<string> {
  if (options.text !== undefined) return options.text;
  if (options.raw || isStandardInput(file))
    return decodeUtf8(await readInput(file, terminal, "bridle tokenize"), file);
  const read = await readDocument(file, terminal, "bridle tokenize");
  for (const warning of read.warnings) terminal.stderr.write(`note: ${warning}\n`);
  return read.text;
}

/** Bytes as they are; a byte order mark is not text. */
function decodeUtf8(bytes: Uint8Array, file = "standard input"): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new BridleError("FILE_NOT_READABLE", { file, reason: "it is not UTF-8 text" }, { cause });
  }
}

const decodingOf = ({ skipSpecialTokens, cleanUp }: Options) => ({
  skipSpecialTokens: skipSpecialTokens === true,
  ...(cleanUp === undefined ? {} : { cleanUpTokenizationSpaces: cleanUp }),
});

/** Token ids as people write them: numbers with spaces or commas between them, in brackets or not. */
function readIds(typed: string, where: string): number[] {
  const words = typed.replaceAll(/[[\],\s]+/g, " ").trim();
  if (words === "") return [];
  return words.split(" ").map((word) => {
    if (/^\d{1,15}$/.test(word)) return Number(word);
    throw new BridleError("INVALID_PARAMETER", {
      parameter: `a token id in ${where}`,
      value: JSON.stringify(word.slice(0, 100)),
      expected: "a whole number of 0 or more",
    });
  });
}

/** Rows with progress on standard error, unless each prints a line by itself. */
async function* readRows(input: string, options: Options, terminal: Terminal, silent: boolean) {
  const { openRows } = await import("../data/rows.js");
  const { rows, readBytes, sizeBytes } = await openRows(input, dataFlagsOf(options));
  const progress = silent ? undefined : await openProgress(terminal, "rows");
  let items = 0;
  try {
    for await (const { place, read } of rows) {
      if (terminal.signal.aborted) throw new BridleError("CANCELLED");
      yield { place, row: read() };
      items += 1;
      progress?.update({ done: readBytes(), total: sizeBytes, items, itemsInAll: items });
    }
  } finally {
    progress?.stop();
  }
}

async function encodeRows(
  tokenizer: Tokenizer,
  input: string,
  options: Options,
  terminal: Terminal,
): Promise<void> {
  const { documentOf } = await import("../data/columns.js");
  const counts: number[] = [];
  const limit = options.maxLength ?? tokenizer.modelMaxLength;
  for await (const { row, place } of readRows(input, options, terminal, options.count !== true)) {
    const { document, id } = documentOf(row, place, options.column);
    const encoded = encodeText(tokenizer, document, options);
    counts.push(encoded.count);
    if (options.count) continue;
    const named = id === undefined ? {} : { id };
    await printLine(
      terminal,
      options.json
        ? JSON.stringify({ ...named, ...toJson(encoded, false) })
        : encoded.ids.join(" "),
    );
  }
  if (!options.count) return;
  const total = counts.reduce((sum, n) => sum + n, 0);
  const summary = {
    rows: counts.length,
    tokens: total,
    mean: counts.length === 0 ? 0 : total / counts.length,
    shortest: counts.reduce((least, n) => Math.min(least, n), counts[0] ?? 0),
    longest: counts.reduce((most, n) => Math.max(most, n), 0),
    limit: Number.isFinite(limit) ? limit : null,
    overLimit: counts.filter((n) => n > limit).length,
  };
  if (options.json) return await printJson(terminal, { model: options.model, ...summary });
  const { rows, tokens, mean, shortest, longest, overLimit } = summary;
  await printLine(
    terminal,
    `${tokens} tokens in ${rows} rows; ${shortest} to ${longest} a row, ${mean.toFixed(1)} on average`,
  );
  if (summary.limit !== null)
    await printLine(terminal, `rows with more than ${summary.limit}: ${overLimit}`);
}

async function decodeRows(
  tokenizer: Tokenizer,
  input: string,
  options: Options,
  terminal: Terminal,
): Promise<void> {
  const { columnMissing } = await import("../data/row.js");
  const column = options.column ?? "ids";
  for await (const { row, place } of readRows(input, options, terminal, true)) {
    if (!Object.hasOwn(row, column)) throw columnMissing(row, column, place);
    const value = row[column];
    const ids = readIds(Array.isArray(value) ? value.join(" ") : String(value), place.where);
    const text = tokenizer.decode(ids, decodingOf(options));
    await printLine(
      terminal,
      options.json ? JSON.stringify({ text }) : JSON.stringify(text).slice(1, -1),
    );
  }
}
