// Lays figures of evaluations out as a table, for a terminal or as Markdown.
import path from "node:path";
import type { MeanScores, SummaryStatistics } from "../evaluate/evaluation.js";
import type { DataEvaluation } from "./evaluate.js";

export type TableRow = readonly string[];

const heading: TableRow = [
  "data",
  "rows",
  "system",
  "ROUGE-1",
  "ROUGE-2",
  "ROUGE-L",
  "ROUGE-Lsum",
  "words",
  "new pairs",
  "model − system, ROUGE-L",
];

const percent = (value: number) => (value * 100).toFixed(2);
const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value * 100).toFixed(2)}`;

/** A row for the model, then one for each system beside it. F-measures times 100. */
export function toRows(evaluation: DataEvaluation): TableRow[] {
  const { data, rows, model, scores, statistics, baselines, rivals } = evaluation;
  const name = path
    .basename(data)
    .replace(/\.(?:gz|zst)$/, "")
    .replace(/\.(?:jsonl?|csv|tsv|parquet)$/, "");
  const own = [name, String(rows.scored), model, ...figures(scores, statistics), ""];
  const others = [
    ...rivals.map((rival) => [rival.model, rival] as const),
    ...Object.entries(baselines),
  ];
  const beside = others.map(([system, { scores, statistics, difference }]) => {
    const { mean, low, high } = difference.rougeL;
    const interval = `${signed(mean)} (${signed(low)} … ${signed(high)})`;
    return [name, String(rows.scored), system, ...figures(scores, statistics), interval];
  });
  return [own, ...beside];
}

function figures(scores: MeanScores, statistics: SummaryStatistics): string[] {
  const { rouge1, rouge2, rougeL, rougeLsum } = scores;
  return [
    ...[rouge1, rouge2, rougeL, rougeLsum].map(({ fmeasure }) => percent(fmeasure.mean)),
    statistics.words.toFixed(1),
    `${(statistics.novelBigrams * 100).toFixed(1)} %`,
  ];
}

/** The whole table with its heading, ending in a line end. A last column that nobody fills is left out. */
export function formatTable(rows: readonly TableRow[], markdown: boolean): string {
  const used = rows.some((row) => row.at(-1) !== "");
  const table = [heading, ...rows].map((row) => (used ? row : row.slice(0, -1)));
  const widths = table[0]!.map((_, column) =>
    Math.max(...table.map((row) => (row[column] ?? "").length)),
  );
  const isNumber = (column: number) => column !== 0 && column !== 2;
  const pad = (cell: string, column: number) =>
    isNumber(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!);
  const lines = table.map((row) => row.map(pad));
  if (!markdown) return lines.map((cells) => `${cells.join("  ").trimEnd()}\n`).join("");
  const rule = widths.map((width, column) =>
    isNumber(column) ? `${"-".repeat(width - 1)}:` : "-".repeat(width),
  );
  const [first, ...rest] = lines;
  return [first!, rule, ...rest].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}
