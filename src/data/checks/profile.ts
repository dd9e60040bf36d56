// Looks at every row of some splits once and tells what they hold and what is wrong with them, without keeping their texts.
import { BridleError } from "../../errors/error.js";
import { type EncodingFault, findEncodingFaults } from "../../text/encoding-faults.js";
import { detectLanguage } from "../../text/language.js";
import { documentGrams, novelty } from "../../text/novelty.js";
import { findPersonalData, type PersonalKind } from "../../text/personal-data.js";
import { tokenize } from "../../text/rouge/tokenize.js";
import { countWords } from "../../text/words.js";
import { columnsInUse, documentOf, type PairColumns, pairColumnsOf, pairOf } from "../columns.js";
import { RowHashes } from "../duplicates.js";
import { NumberColumn } from "../number-column.js";
import type { Place, Row } from "../row.js";
import { openRows, type RowFile, type RowOptions } from "../rows.js";
import { type Distribution, Values } from "./distribution.js";
import { NearDuplicates } from "./near-duplicates.js";

/** Rows with something about them, and where the first of them stand. */
export interface Tally {
  rows: number;
  readonly examples: string[];
}

export interface ColumnProfile {
  readonly name: string;
  /** Rows that have it. */
  rows: number;
  /** Rows by the kind of value they have in it: text, number, boolean, list, object, null. */
  readonly kinds: Record<string, number>;
}

export interface SplitProfile {
  readonly name: string;
  readonly files: readonly string[];
  /** Whether rows have summaries. */
  readonly kind: "pairs" | "documents";
  /** Rows that were found, broken ones counted. */
  readonly rows: number;
  readonly sizeBytes: number;
  readonly columns: readonly ColumnProfile[];
  readonly broken: Tally;
  readonly emptyDocuments: Tally;
  readonly emptySummaries: Tally;
  /** Exact repeats of an earlier document of the split, and how many of them with the same summary. */
  readonly duplicates: Tally & { readonly pairs: number };
  readonly nearDuplicates: Tally;
  readonly longSummaries: Tally;
  readonly languageMismatch: Tally;
  readonly encodingFaults: Tally & {
    readonly kinds: Readonly<Partial<Record<EncodingFault, number>>>;
  };
  readonly personalData: Tally & {
    readonly kinds: Readonly<Partial<Record<PersonalKind, number>>>;
  };
  /** In words; see `words.ts` for what one is. */
  readonly documentWords: Distribution | undefined;
  readonly summaryWords: Distribution | undefined;
  readonly documentCharacters: Distribution | undefined;
  readonly summaryCharacters: Distribution | undefined;
  /** Words of a summary over words of its document. */
  readonly ratio: Distribution | undefined;
  /** Shares of a summary's words and pairs of words that its document does not have, 0..1. */
  readonly novelWords: Distribution | undefined;
  readonly novelPairs: Distribution | undefined;
  /** Rows by the language of their document, the most frequent first; `unknown` where it cannot be told. */
  readonly languages: readonly { readonly language: string; readonly rows: number }[];
}

/** Documents of one split that an earlier one has too. */
export interface SplitLeakage {
  /** The split that is looked at, and the one before it. */
  readonly split: string;
  readonly from: string;
  readonly exact: Tally;
  readonly near: Tally;
}

export interface DataProfile {
  readonly similarity: number;
  readonly splits: readonly SplitProfile[];
  /** Each pair of splits that have something in common. */
  readonly leakage: readonly SplitLeakage[];
}

export interface SplitFiles {
  readonly name: string;
  readonly files: readonly string[];
}

export interface ProfileOptions extends Omit<RowOptions, "select"> {
  readonly columns?: PairColumns;
  /** Share of their word triples from which on two documents are near duplicates. Default 0.8. */
  readonly similarity?: number;
  readonly onRead?: (progress: {
    readonly readBytes: number;
    readonly sizeBytes: number;
    readonly rows: number;
  }) => void;
  /** Told every row that can be read, for checks of one's own. */
  readonly onRow?: (row: Row, place: Place) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

export const standardSimilarity = 0.8;
const examplesKept = 5;
/** Columns that are profiled; more of them are a sign of something else. */
const mostColumns = 200;
/** A summary or document shorter than this, in characters, tells no language well enough to be held against the other. */
const leastForLanguage = 80;

const newTally = (): Tally => ({ rows: 0, examples: [] });

export function addTo(tally: Tally, example: string): void {
  tally.rows++;
  if (tally.examples.length < examplesKept) tally.examples.push(example);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "list";
  return typeof value === "string" ? "text" : typeof value;
}

const isBlank = (text: string) => text.trim() === "";

/** Rows of all splits by one number, with where they stand. */
class Places {
  readonly lines = new NumberColumn(Uint32Array);
  readonly #files: { file: string; unit: string; start: number }[] = [];

  add({ where, file, line }: Place): void {
    const last = this.#files.at(-1);
    const unit = where.startsWith("Line ") ? "Line" : "Row";
    if (last?.file !== file || last.unit !== unit) {
      this.#files.push({ file, unit, start: this.lines.length });
    }
    this.lines.push(line);
  }

  of(row: number): string {
    const { file, unit } = this.#files.findLast(({ start }) => start <= row)!;
    return `${unit} ${this.lines.at(row)} of ${file}`;
  }
}

/** What is collected of one split while its rows go by. */
class Collecting {
  rows = 0;
  kind: "pairs" | "documents" | undefined;
  readonly columns = new Map<string, ColumnProfile>();
  readonly broken = newTally();
  readonly emptyDocuments = newTally();
  readonly emptySummaries = newTally();
  readonly longSummaries = newTally();
  readonly languageMismatch = newTally();
  readonly encodingFaults = { ...newTally(), kinds: {} as Partial<Record<EncodingFault, number>> };
  readonly personalData = { ...newTally(), kinds: {} as Partial<Record<PersonalKind, number>> };
  readonly values = {
    documentWords: new Values("counts"),
    summaryWords: new Values("counts"),
    documentCharacters: new Values("counts"),
    summaryCharacters: new Values("counts"),
    ratio: new Values("shares"),
    novelWords: new Values("shares"),
    novelPairs: new Values("shares"),
  };
  readonly languages = new Map<string, number>();
  /** Of the rows with a document, in their order; so are the numbers beside it. */
  readonly hashes = new RowHashes();
  /** Number of the split's first such row among those of all splits. */
  readonly start: number;

  constructor(start: number) {
    this.start = start;
  }

  addColumns(row: Row): void {
    for (const [name, value] of Object.entries(row)) {
      let column = this.columns.get(name);
      if (column === undefined) {
        if (this.columns.size === mostColumns) continue;
        column = { name, rows: 0, kinds: {} };
        this.columns.set(name, column);
      }
      column.rows++;
      const kind = kindOf(value);
      column.kinds[kind] = (column.kinds[kind] ?? 0) + 1;
    }
  }
}

interface Texts {
  readonly document: string;
  /** Undefined where rows have none. */
  readonly summary: string | undefined;
}

/** Whether rows have summaries, by the first one that can be read. */
function kindOfRows(row: Row, place: Place, columns: PairColumns): "pairs" | "documents" {
  try {
    pairColumnsOf(row, place, columns);
    return "pairs";
  } catch (thrown) {
    const isMissing = thrown instanceof BridleError && thrown.code === "COLUMN_MISSING";
    if (columns.summary === undefined && isMissing) {
      documentOf(row, place, columns.document);
      return "documents";
    }
    throw thrown;
  }
}

function textsOf(split: Collecting, row: Row, place: Place, columns: PairColumns): Texts {
  split.kind ??= kindOfRows(row, place, columns);
  if (split.kind === "documents") {
    return { document: documentOf(row, place, columns.document).document, summary: undefined };
  }
  const { document, references } = pairOf(row, place, columns);
  return { document, summary: references.find((each) => !isBlank(each)) ?? "" };
}

function addCounts<K extends string>(
  tally: Tally & { kinds: Partial<Record<K, number>> },
  counts: readonly (Partial<Record<K, number>> | undefined)[],
  where: string,
): void {
  const found = counts.filter((each) => each !== undefined);
  if (found.length === 0) return;
  const kinds = new Set(found.flatMap((each) => Object.keys(each) as K[]));
  for (const kind of kinds) tally.kinds[kind] = (tally.kinds[kind] ?? 0) + 1;
  addTo(tally, `${where} (${[...kinds].join(", ")})`);
}

async function addLanguages(split: Collecting, { document, summary }: Texts, where: string) {
  const told = await detectLanguage(document);
  const language = told.language ?? "unknown";
  split.languages.set(language, (split.languages.get(language) ?? 0) + 1);
  if (summary === undefined || !told.reliable) return;
  if (Math.min(summary.length, document.length) < leastForLanguage) return;
  const other = await detectLanguage(summary);
  if (other.reliable && other.language !== told.language) {
    addTo(split.languageMismatch, `${where} (${told.language}, summary ${other.language})`);
  }
}

function addSummary(
  split: Collecting,
  document: string,
  summary: string,
  words: number,
  where: string,
) {
  const { values } = split;
  const summaryWords = countWords(summary);
  values.summaryWords.push(summaryWords);
  values.summaryCharacters.push(summary.length);
  if (words > 0) values.ratio.push(summaryWords / words);
  if (summaryWords >= words) addTo(split.longSummaries, where);
  const said = documentGrams(tokenize(document, { mode: "unicode" }));
  const { unigrams, bigrams } = novelty(tokenize(summary, { mode: "unicode" }), said);
  if (unigrams !== undefined) values.novelWords.push(unigrams);
  if (bigrams !== undefined) values.novelPairs.push(bigrams);
}

/** Opens the rows of a split, broken files told where they break. */
async function* rowsIn(
  split: Collecting,
  input: RowFile,
): AsyncGenerator<{ row: Row; place: Place }> {
  const rows = input.rows[Symbol.asyncIterator]();
  for (;;) {
    let place: Place | undefined;
    try {
      const found = await rows.next();
      if (found.done) return;
      split.rows++;
      place = found.value.place;
      yield { row: found.value.read(), place };
    } catch (thrown) {
      if (!(thrown instanceof BridleError) || !isOfData(thrown)) throw thrown;
      addTo(split.broken, thrown.message);
      // What is wrong with one row leaves the next one to be read; a broken file or table does not.
      if (place === undefined) {
        split.rows++;
        return;
      }
    }
  }
}

/** Whether an error tells of what stands in the data, rather than of a file that is not there or a mistaken option. */
function isOfData({ code }: BridleError): boolean {
  return /^(ROW_|COLUMN_|GZIP_|ZSTD_|FILE_DAMAGED|UNKNOWN_ENCODING|PARQUET_)/.test(code);
}

/**
 * Profiles splits: each row is read once, in order. Memory holds about 250 bytes a row and no text.
 * @param splits in the order of use: what is learned from first
 * @throws FILE_NOT_FOUND, FILE_NOT_READABLE, FOLDER_NOT_DATA, INVALID_PARAMETER, CANCELLED. What is wrong with rows is counted.
 */
export async function profileData(
  splits: readonly SplitFiles[],
  options: ProfileOptions = {},
): Promise<DataProfile> {
  const {
    columns = {},
    similarity = standardSimilarity,
    onRead,
    onRow,
    signal,
    ...reading
  } = options;
  const near = new NearDuplicates();
  const places = new Places();
  const opened: { name: string; inputs: RowFile[] }[] = [];
  for (const { name, files } of splits) {
    const inputs = [];
    const select = (names: readonly string[]) =>
      onRow === undefined ? columnsInUse(names, { kind: "pairs", columns }) : names;
    for (const file of files) inputs.push(await openRows(file, { ...reading, select }));
    opened.push({ name, inputs });
  }
  const sizeBytes = opened
    .flatMap(({ inputs }) => inputs)
    .reduce((sum, input) => sum + input.sizeBytes, 0);
  let doneBytes = 0;
  let rows = 0;
  const collected: Collecting[] = [];
  for (const { inputs } of opened) {
    const split = new Collecting(near.length);
    collected.push(split);
    for (const input of inputs) {
      for await (const { row, place } of rowsIn(split, input)) {
        if (signal?.aborted) throw new BridleError("CANCELLED", {}, { cause: signal.reason });
        rows++;
        split.addColumns(row);
        await onRow?.(row, place);
        await addRow(split, row, place, { columns, near, places });
        onRead?.({ readBytes: doneBytes + input.readBytes(), sizeBytes, rows });
      }
      doneBytes += input.sizeBytes;
    }
  }
  const groups = near.groups(similarity);
  const profiles = opened.map(({ name, inputs }, at) =>
    finish(name, inputs, collected[at]!, groups, places),
  );
  const leakage = findLeaks(opened, collected, groups, places);
  return { similarity, splits: profiles, leakage };
}

async function addRow(
  split: Collecting,
  row: Row,
  place: Place,
  shared: { columns: PairColumns; near: NearDuplicates; places: Places },
): Promise<void> {
  const { where } = place;
  let texts: Texts;
  try {
    texts = textsOf(split, row, place, shared.columns);
  } catch (thrown) {
    if (!(thrown instanceof BridleError) || !isOfData(thrown)) throw thrown;
    addTo(split.broken, thrown.message);
    return;
  }
  const { document, summary } = texts;
  const both = summary === undefined ? [document] : [document, summary];
  addCounts(split.encodingFaults, both.map(findEncodingFaults), where);
  addCounts(split.personalData, both.map(findPersonalData), where);
  const noSummary = summary !== undefined && isBlank(summary);
  if (noSummary) addTo(split.emptySummaries, where);
  if (isBlank(document)) {
    addTo(split.emptyDocuments, where);
    return;
  }
  const words = countWords(document);
  split.values.documentWords.push(words);
  split.values.documentCharacters.push(document.length);
  split.hashes.add(document, summary ?? "");
  shared.near.add(document);
  shared.places.add(place);
  await addLanguages(split, texts, where);
  if (summary !== undefined && !noSummary) addSummary(split, document, summary, words, where);
}

function finish(
  name: string,
  inputs: readonly RowFile[],
  split: Collecting,
  groups: Uint32Array,
  places: Places,
): SplitProfile {
  const { start, hashes, values, kind = "pairs", languages, columns, ...tallies } = split;
  const told = (row: number, as: number) => `${places.of(start + row)} as ${places.of(start + as)}`;
  const exact = newTally();
  const isExact = new Set<number>();
  const repeats = hashes.repeats(({ row, as }) => {
    isExact.add(row);
    addTo(exact, told(row, as));
  });
  const near = newTally();
  const firstOf = new Map<number, number>();
  for (let row = 0; row < hashes.rows; row++) {
    const group = groups[start + row]!;
    const as = firstOf.get(group);
    if (as === undefined) firstOf.set(group, row);
    else if (!isExact.has(row)) addTo(near, told(row, as));
  }
  const distributions = Object.fromEntries(
    Object.entries(values).map(([of, each]) => [of, each.distribution()]),
  ) as Record<keyof typeof values, Distribution | undefined>;
  return {
    ...tallies,
    ...distributions,
    name,
    files: inputs.map(({ file }) => file),
    kind,
    sizeBytes: inputs.reduce((sum, input) => sum + input.sizeBytes, 0),
    columns: [...columns.values()],
    duplicates: { ...exact, pairs: kind === "pairs" ? repeats.pairs : 0 },
    nearDuplicates: near,
    languages: [...languages]
      .map(([language, rows]) => ({ language, rows }))
      .sort((a, b) => b.rows - a.rows || (a.language < b.language ? -1 : 1)),
  };
}

function findLeaks(
  opened: readonly { readonly name: string }[],
  collected: readonly Collecting[],
  groups: Uint32Array,
  places: Places,
): SplitLeakage[] {
  const found: SplitLeakage[] = [];
  for (const [at, later] of collected.entries()) {
    for (const [before, earlier] of collected.slice(0, at).entries()) {
      const told = (row: number, as: number) =>
        `${places.of(later.start + row)} as ${places.of(earlier.start + as)}`;
      const exact = newTally();
      const isExact = new Set<number>();
      later.hashes.sharedWith(earlier.hashes, ({ row, as }) => {
        isExact.add(row);
        addTo(exact, told(row, as));
      });
      const firstOf = new Map<number, number>();
      for (let row = 0; row < earlier.hashes.rows; row++) {
        const group = groups[earlier.start + row]!;
        if (!firstOf.has(group)) firstOf.set(group, row);
      }
      const near = newTally();
      for (let row = 0; row < later.hashes.rows; row++) {
        const as = firstOf.get(groups[later.start + row]!);
        if (as !== undefined && !isExact.has(row)) addTo(near, told(row, as));
      }
      if (exact.rows + near.rows > 0) {
        found.push({ split: opened[at]!.name, from: opened[before]!.name, exact, near });
      }
    }
  }
  return found;
}
