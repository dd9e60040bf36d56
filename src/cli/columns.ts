// Lays rows of texts out in columns for a terminal, and draws curves in a line.
import { plainLine } from "./plain-text.js";

/** Lines of a table, without control characters; numbers stand to the right. The last column is not padded. */
export function layOut(texts: readonly (readonly string[])[]): string[] {
  const rows = texts.map((row) => row.map(plainLine));
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(0, ...rows.map((row) => widthOf(row[column] ?? ""))),
  );
  const isNumber = widths.map((_, column) => {
    const cells = rows.slice(1).map((row) => row[column] ?? "");
    return (
      cells.some((cell) => cell !== "") &&
      cells.every((cell) => /^([−-]?[\d.,]+(e[+-]?\d+)?|–)?$/.test(cell))
    );
  });
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const space = " ".repeat((widths[column] ?? 0) - widthOf(cell));
        return isNumber[column] ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd(),
  );
}

/** Letters as a terminal counts them, for most scripts. */
function widthOf(text: string): number {
  return [...text].length;
}

/** A number in five digits or so. */
export function shortNumber(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e7 ? String(Number(value.toPrecision(5))) : value.toExponential(2);
}

const bars = "▁▂▃▄▅▆▇█";

/** A curve of one letter a value; a gap where there is none. */
export function sparkline(values: readonly (number | null)[]): string {
  const finite = values.filter((value) => value !== null);
  const low = Math.min(...finite);
  const range = Math.max(...finite) - low;
  return values
    .map((value) => {
      if (value === null) return " ";
      const share = range > 0 ? (value - low) / range : 0;
      return bars[Math.min(bars.length - 1, Math.floor(share * bars.length))];
    })
    .join("");
}

/** A moment in this machine's time zone, to the minute. */
export function shortTime(at: number | null): string {
  if (at === null) return "–";
  const date = new Date(at);
  const two = (number: number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
