// What every bench ends with: the machine, a table of every case, and one line of JSON.
// @ts-check
import os from "node:os";

/**
 * @typedef {object} Row one case, peer and metric
 * @property {string} case
 * @property {string} peer
 * @property {string} metric
 * @property {number} bridle
 * @property {number} other
 * @property {number} ratio above 1 where Bridle is ahead
 * @property {string | null} bar word for word from the work's description; null where none is set
 * @property {boolean | null} held whether the bar is; null where none is set
 */

/**
 * A row of a metric of which less is better.
 * @param {Pick<Row, "case" | "peer" | "metric" | "bridle" | "other"> & Partial<Row>} row
 * @returns {Row}
 */
export function lessIsBetter({ bar = null, held = null, ...row }) {
  return { ...row, ratio: row.other / row.bridle, bar, held };
}

/** What the figures were measured on. */
export function machine() {
  const [cpu] = os.cpus();
  const load = os.loadavg()[0] ?? 0;
  return `${os.availableParallelism()} × ${cpu?.model.trim() ?? "unknown"}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}, Node ${process.version}, load ${load.toFixed(1)} at the start`;
}

/** @param {number} value */
const figure = (value) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

/** @param {readonly string[][]} rows the first is the head */
function table(rows) {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  // Words stand left, numbers right.
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column < 3 || column === 6
            ? cell.padEnd(widths[column] ?? 0)
            : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/**
 * Prints the table and, as the last line, the JSON object; the exit code is 1 where a bar is missed.
 * @param {string} name @param {readonly Row[]} cases @param {readonly string[]} notes
 */
export function report(name, cases, notes) {
  const held = cases.every((row) => row.held !== false);
  const peers = [...new Set(cases.map(({ peer }) => peer))];
  const geomean = Object.fromEntries(
    peers.map((peer) => {
      const logs = cases.filter((row) => row.peer === peer).map(({ ratio }) => Math.log(ratio));
      return [peer, Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length)];
    }),
  );
  const head = ["case", "peer", "metric", "Bridle", "other", "ratio", "bar"];
  const lines = cases.map((row) => [
    row.case,
    row.peer,
    row.metric,
    figure(row.bridle),
    figure(row.other),
    figure(row.ratio),
    row.bar === null ? "" : `${row.held ? "held" : "MISSED"}: ${row.bar}`,
  ]);
  console.log(`\n${table([head, ...lines])}\n`);
  for (const note of notes) console.log(note);
  for (const [peer, ratio] of Object.entries(geomean)) {
    console.log(
      `Geometric mean of the ratios to ${peer}: ${figure(ratio)} (above 1 Bridle is ahead)`,
    );
  }
  console.log(JSON.stringify({ name, cases, geomean, held }));
  process.exitCode = held ? 0 : 1;
}
