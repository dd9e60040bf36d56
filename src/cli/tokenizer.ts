// `bridle tokenizer train`: learns a vocabulary from files of text and writes the tokenizer's folder.
import { join } from "node:path";
import { type Command, Option } from "commander";
import type { ReadTextsOptions } from "../data/corpus.js";
import type { NormalizerName } from "../text/tokenizers/train/charsmap.js";
import type { LayoutName } from "../text/tokenizers/train/layouts.js";
import type { TokenizerProgress } from "../text/tokenizers/train/train-options.js";
import type { TrainedTokenizer } from "../text/tokenizers/train/train-tokenizer.js";
import { type DataFlags, dataFlagsOf } from "./data-flags.js";
import { addExamples, addJsonOption, oneOf, share, wholeNumber } from "./options.js";
import { openProgress, type Progress } from "./progress.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends Omit<DataFlags, "format"> {
  readonly vocabSize: number;
  readonly output: string;
  readonly layout?: LayoutName;
  readonly normalizer?: NormalizerName;
  readonly characterCoverage?: number;
  readonly requiredCharacters?: string;
  readonly userDefined?: readonly string[];
  readonly byteFallback?: boolean;
  readonly maxPieceLength?: number;
  readonly splitDigits?: boolean;
  readonly modelMaxLength?: number;
  readonly sample?: number;
  readonly seed?: number;
  readonly textColumn?: readonly string[];
  readonly format?: NonNullable<ReadTextsOptions["format"]>;
  readonly threads?: number;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

/** As the trainer and the reader have them, which are not imported so that `--help` loads neither. */
const layouts = ["pegasus", "t5"] as const satisfies LayoutName[];
const normalizers = [
  "nmt_nfkc",
  "nfkc",
  "nmt_nfkc_cf",
  "nfkc_cf",
  "identity",
] as const satisfies NormalizerName[];
const formats = [
  "lines",
  "jsonl",
  "json",
  "csv",
  "tsv",
  "parquet",
  "text",
] as const satisfies NonNullable<ReadTextsOptions["format"]>[];

const another = (value: string, before: readonly string[] | undefined) => [
  ...(before ?? []),
  value,
];

export function addTokenizerCommand(program: Command, terminal: Terminal): void {
  const tokenizer = program
    .command("tokenizer")
    .summary("train tokenizers")
    .description("Trains tokenizers.");
  const command = tokenizer
    .command("train")
    .summary("learn a vocabulary from text")
    .description(
      "Learns a SentencePiece Unigram vocabulary from files of text and writes the folder of a tokenizer: spiece.model " +
        "and the files that transformers reads beside it. Files named .txt give a text a line; others are rows " +
        "(JSON Lines, CSV, Parquet, …) whose documents and summaries are taken. Both may be packed.",
    )
    .argument("<input...>", "files of text")
    .addOption(
      new Option("--vocab-size <n>", "pieces of the vocabulary, the reserved ones among them")
        .argParser(wholeNumber("--vocab-size"))
        .makeOptionMandatory(),
    )
    .requiredOption("--output <folder>", "folder to write, which is made if need be")
    .addOption(
      new Option(
        "--layout <family>",
        `whose ids and files: ${layouts.join(", ")} (default: pegasus)`,
      ).argParser(oneOf("--layout", layouts)),
    )
    .addOption(
      new Option(
        "--normalizer <name>",
        `what is done to a text first: ${normalizers.join(", ")} (default: nmt_nfkc)`,
      ).argParser(oneOf("--normalizer", normalizers)),
    )
    .option(
      "--character-coverage <r>",
      "share of all characters that the vocabulary must cover, 0.98 to 1 (default: 0.9995)",
      share("--character-coverage"),
    )
    .option("--required-characters <text>", "characters it must hold however rare they are")
    .option("--user-defined <piece>", "a piece that is never cut; repeat it for several", another)
    .option("--byte-fallback", "have 256 pieces for bytes, and cut rare characters into those")
    .option(
      "--max-piece-length <n>",
      "longest piece in characters (default: 16)",
      wholeNumber("--max-piece-length"),
    )
    .option("--split-digits", "make every digit a piece of its own")
    .option(
      "--model-max-length <n>",
      "longest input in tokens, for the tokenizer's config",
      wholeNumber("--model-max-length"),
    )
    .option("--sample <n>", "train on so many sentences drawn from all", wholeNumber("--sample"))
    .option("--seed <n>", "seed of the sample (default: 0)", wholeNumber("--seed", 0))
    .option("--text-column <name>", "column of the texts; repeat it for several", another)
    .addOption(
      new Option(
        "--format <name>",
        `format of the files: ${formats.join(", ")} (default: told by content and name)`,
      ).argParser(oneOf("--format", formats)),
    )
    .option("--encoding <name>", "encoding of files that are not UTF-8, such as windows-1252")
    .option("--delimiter <character>", "what stands between the fields of CSV files")
    .option(
      "--threads <n>",
      "threads at most; the result is the same (default: one a core)",
      wholeNumber("--threads"),
    )
    .option("--overwrite", "replace a tokenizer that is in the folder");
  addJsonOption(command);
  addExamples(command, [
    [
      "bridle tokenizer train train.jsonl.gz --vocab-size 16000 --output my-model",
      "from documents and summaries",
    ],
    [
      "bridle tokenizer train books.txt notes.txt --vocab-size 32000 --output my-model --sample 1000000",
      "from a million lines drawn from two files",
    ],
    [
      "bridle tokenizer train pages.parquet --text-column body --vocab-size 8000 --layout t5 --output t5",
      "from one column, for T5",
    ],
  ]).action((inputs: readonly string[], options: Options) => run(inputs, options, terminal));
}

type Defined<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> };

/** What was said, without what was not. */
function defined<T extends object>(values: T): Defined<T> {
  const said = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as Defined<T>;
}

async function run(inputs: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  const [{ trainTokenizer }, { readTexts }, { checkTokenizerFolder, saveTokenizer }] =
    await Promise.all([
      import("../text/tokenizers/train/train-tokenizer.js"),
      import("../data/corpus.js"),
      import("../compose.js"),
    ]);
  const { output, overwrite = false, textColumn, format } = options;
  await checkTokenizerFolder(output, overwrite);
  let read = { readBytes: 0, sizeBytes: 0 };
  const { format: _, ...flags } = options;
  const texts = readTexts(inputs, {
    ...dataFlagsOf(flags),
    ...defined({ format, columns: textColumn }),
    onRead: (now) => {
      read = now;
    },
  });
  const display = await openTrainingProgress(terminal, () => read);
  let trained: TrainedTokenizer;
  try {
    trained = await trainTokenizer(texts, {
      vocabSize: options.vocabSize,
      ...defined({
        layout: options.layout,
        normalizer: options.normalizer,
        characterCoverage: options.characterCoverage,
        requiredCharacters: options.requiredCharacters,
        userDefined: options.userDefined,
        byteFallback: options.byteFallback,
        maxPieceLength: options.maxPieceLength,
        splitDigits: options.splitDigits,
        modelMaxLength: options.modelMaxLength,
        sample: options.sample,
        seed: options.seed,
        threads: options.threads,
      }),
      signal: terminal.signal,
      onProgress: display.update,
    });
  } finally {
    display.stop();
  }
  await saveTokenizer(output, trained, { overwrite });
  const { files, ...figures } = trained;
  if (options.json) {
    await printJson(terminal, { output, files: [...files.keys()], ...figures });
    return;
  }
  await report(output, trained, terminal);
}

async function report(
  output: string,
  trained: TrainedTokenizer,
  terminal: Terminal,
): Promise<void> {
  const { vocabSize, modelVocabSize, alphabetSize, words, sentences, sentencesInAll, leftOut } =
    trained;
  const drawn = sentences < sentencesInAll ? `, drawn from ${sentencesInAll}` : "";
  await printLine(
    terminal,
    `${join(output, "spiece.model")}: ${vocabSize} pieces, ${alphabetSize} of them single characters of the corpus.`,
  );
  await printLine(
    terminal,
    `Learned from ${sentences} sentences${drawn}, with ${words} different words. A model's vocab_size is ${modelVocabSize}.`,
  );
  if (leftOut > 0) {
    await printLine(
      terminal,
      `${leftOut} sentences hold U+2585, which SentencePiece keeps for itself, and were left out.`,
    );
  }
}

/** Two displays one after the other: sentences read, then rounds of training. */
async function openTrainingProgress(
  terminal: Terminal,
  read: () => { readonly readBytes: number; readonly sizeBytes: number },
): Promise<{ update(progress: TokenizerProgress): void; stop(): void }> {
  let shown: Progress | undefined = await openProgress(terminal, "sentences");
  let isReading = true;
  let isStopped = false;
  const openRounds = async () => {
    shown?.stop();
    shown = undefined;
    const opened = await openProgress(terminal, "rounds");
    if (!isStopped) shown = opened;
  };
  return {
    update(progress) {
      if (progress.phase === "read") {
        const { readBytes, sizeBytes } = read();
        const { sentences } = progress;
        shown?.update({
          done: readBytes,
          total: sizeBytes,
          items: sentences,
          itemsInAll: sentences,
        });
        return;
      }
      if (isReading) {
        isReading = false;
        void openRounds();
      }
      if (progress.phase !== "round") return;
      const { round, rounds, pieces } = progress;
      const note = `${pieces} pieces`;
      shown?.update({ done: round, total: rounds, items: round, itemsInAll: round, note });
    },
    stop() {
      isStopped = true;
      shown?.stop();
    },
  };
}
