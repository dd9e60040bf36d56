// Which columns of a row hold the document and its summaries: one table of the names in use, and the rule for choosing.
import { BridleError } from "../errors/error.js";
import { columnMissing, type Place, type Row, textColumn, textsColumn } from "./row.js";

/** Which columns hold what; a column named here must be there, in every row. */
export interface PairColumns {
  /** Default: the one column of `columnTable` that is there. */
  readonly document?: string;
  /** Default: `references` (a list of texts) where a row has it, else the one column of `columnTable` that is there. */
  readonly summary?: string;
  /** Default `id`. */
  readonly id?: string;
  /** What a row is about, to look at parts of the data by. Default `label`. */
  readonly label?: string;
}

/**
 * Names that documents go by, and those that their summaries then have. The first group is Bridle's own; the others are
 * those of data sets in wide use, as transformers' run_summarization.py knows them, and of big_patent, arxiv and billsum.
 */
export const columnTable: readonly {
  readonly documents: readonly string[];
  readonly summaries: readonly string[];
}[] = [
  {
    documents: ["document", "text", "content", "article"],
    summaries: ["references", "summary", "highlights", "target"],
  },
  { documents: ["dialogue", "report", "body"], summaries: ["references", "summary"] },
  { documents: ["article", "description"], summaries: ["abstract"] },
  { documents: ["review_body"], summaries: ["review_title"] },
  { documents: ["extract_text"], summaries: ["summary_text"] },
  { documents: ["news_body"], summaries: ["news_title"] },
];

/** Names of a document that stands by itself, without a summary. */
export const documentColumns: readonly string[] = [
  "document",
  "text",
  "content",
  "article",
  "dialogue",
];

const summaryColumns = [...new Set(columnTable.flatMap(({ summaries }) => summaries))];

/** The columns among some names that hold something; where none does, those that are there at all. */
function present(row: Row, names: Iterable<string>): string[] {
  const there = [...new Set(names)].filter((name) => Object.hasOwn(row, name));
  const filled = there.filter((name) => row[name] !== null && row[name] !== undefined);
  return filled.length > 0 ? filled : there;
}

/** The only one of some names, or what is told where there are several. */
function only(names: readonly string[], what: string, option: string, place: Place): string {
  if (names.length < 2) return names[0]!;
  const columns = `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  throw new BridleError("COLUMN_AMBIGUOUS", { ...place, what, columns, option });
}

/**
 * The column that holds the document.
 * @param named the column to take, whatever the others
 * @throws COLUMN_MISSING, COLUMN_AMBIGUOUS
 */
export function documentColumnOf(row: Row, place: Place, named?: string): string {
  if (named !== undefined) {
    if (!Object.hasOwn(row, named)) throw columnMissing(row, named, place);
    return named;
  }
  const found = present(row, documentColumns);
  if (found.length === 0) {
    throw columnMissing(row, documentColumns.join(", "), place, documentColumns);
  }
  return only(found, "document", "document column", place);
}

/**
 * The columns that hold the document and its summaries.
 * @throws COLUMN_MISSING, COLUMN_AMBIGUOUS
 */
export function pairColumnsOf(
  row: Row,
  place: Place,
  named: PairColumns,
): { readonly document: string; readonly summary: string } {
  const pairs = columnTable.flatMap(({ documents, summaries }) => {
    const ofDocument = named.document === undefined ? present(row, documents) : [named.document];
    const ofSummary = named.summary === undefined ? present(row, summaries) : [named.summary];
    return ofDocument.flatMap((document) => ofSummary.map((summary) => ({ document, summary })));
  });
  for (const column of [named.document, named.summary]) {
    if (column !== undefined && !Object.hasOwn(row, column))
      throw columnMissing(row, column, place);
  }
  // What a list of references says goes before a single summary beside it.
  const documents = present(row, new Set(pairs.map(({ document }) => document)));
  const summaries = present(row, new Set(pairs.map(({ summary }) => summary)));
  if (documents.length === 0 || summaries.length === 0) throw noPair(row, place, named);
  return {
    document: only(documents, "document", "document column", place),
    summary: summaries.includes("references")
      ? "references"
      : only(summaries, "summary", "summary column", place),
  };
}

function noPair(row: Row, place: Place, named: PairColumns): BridleError {
  const documents = [...new Set(columnTable.flatMap(({ documents }) => documents))];
  const lacksDocument = named.document === undefined && present(row, documents).length === 0;
  const names = lacksDocument ? documents : summaryColumns;
  const told = lacksDocument ? documentColumns : ["references", "summary", "highlights", "target"];
  return columnMissing(row, told.join(", "), place, names);
}

export interface DocumentRow {
  readonly document: string;
  /** The row's own name, handed back with its result. */
  readonly id?: string | number;
}

function idOf(row: Row, column: string): string | number | undefined {
  const id = row[column];
  return typeof id === "string" || typeof id === "number" ? id : undefined;
}

/**
 * The document of a row, and the row's id.
 * @param column the column that holds the text; the one of `documentColumns` unless said
 * @throws COLUMN_MISSING, COLUMN_AMBIGUOUS, COLUMN_NOT_TEXT
 */
export function documentOf(row: Row, place: Place, column?: string): DocumentRow {
  const document = textColumn(row, documentColumnOf(row, place, column), place);
  const id = idOf(row, "id");
  return id === undefined ? { document } : { document, id };
}

export interface PairRow {
  readonly document: string;
  /** At least one; may be blank. */
  readonly references: readonly string[];
  readonly id?: string | number;
  readonly label?: string | number | boolean;
}

/**
 * The document and the summaries of a row, its id and its label.
 * @throws COLUMN_MISSING, COLUMN_AMBIGUOUS, COLUMN_NOT_TEXT
 */
export function pairOf(row: Row, place: Place, named: PairColumns = {}): PairRow {
  const { document, summary } = pairColumnsOf(row, place, named);
  const id = idOf(row, named.id ?? "id");
  const label = row[named.label ?? "label"];
  const isLabel =
    typeof label === "string" || typeof label === "number" || typeof label === "boolean";
  return {
    document: textColumn(row, document, place),
    references: textsColumn(row, summary, place),
    ...(id === undefined ? {} : { id }),
    ...(isLabel ? { label } : {}),
  };
}

/**
 * Which of a file's columns rows are made of: every one that may hold a document, a summary, an id or a label. All of
 * them where these would not do, so that what is told of a missing column names what is there.
 */
export function columnsInUse(
  names: readonly string[],
  { kind, columns }: { readonly kind: "pairs" | "documents"; readonly columns: PairColumns },
): readonly string[] {
  const header = Object.fromEntries(names.map((name) => [name, ""]));
  const place = { where: "", file: "", line: 0 };
  try {
    if (kind === "pairs") pairColumnsOf(header, place, columns);
    else documentColumnOf(header, place, columns.document);
  } catch {
    return names;
  }
  const known = columnTable.flatMap(({ documents, summaries }) => [...documents, ...summaries]);
  const wanted = new Set([
    ...(kind === "pairs" ? known : documentColumns),
    ...[columns.document, columns.summary].filter((name) => name !== undefined),
    columns.id ?? "id",
    columns.label ?? "label",
  ]);
  return names.filter((name) => wanted.has(name));
}
