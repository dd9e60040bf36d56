// Data that nobody wrote, for pictures and tests of the page: rows of news about a harbour, the same every time.
// @ts-check
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

/** @typedef {{ readonly file: string, readonly text: string, readonly sha256: string, readonly rows: number }} ToyFile */

const who = [
  "The harbour board",
  "A ferry company",
  "The mayor",
  "Two fishermen",
  "A team of divers",
  "The lighthouse keeper",
];
const did = [
  "has repaired",
  "will sell",
  "inspected",
  "opened",
  "refused to pay for",
  "found a fault in",
  "has painted",
];
const what = [
  "the old crane",
  "a new pier",
  "the customs house",
  "the northern breakwater",
  "three tugboats",
  "the tide gauge",
];
const when = [
  "on Monday morning",
  "after a long storm",
  "before the summer season",
  "for the second time this year",
  "late in the evening",
];
const why = [
  "because the insurance demands it",
  "although nobody had asked for it",
  "which the council welcomed without a debate",
  "and the work is to be paid for by the county",
  "while hundreds of people looked on from the quay",
];
const german =
  "Der Hafenmeister hat am Montag den alten Kran besichtigt und dabei einen Fehler gefunden, den die Werft bis zum Sommer beheben soll. " +
  "Die Stadt bezahlt die Arbeiten, obwohl der Rat darüber noch nicht entschieden hat, und die Fähre legt solange am anderen Ufer an.";

/** A value in 0..1 that looks like chance and is the same every time. @param {number} a @param {number} b */
function chance(a, b) {
  const wave = Math.sin(a * 12.9898 + b * 78.233) * 43758.5453;
  return wave - Math.floor(wave);
}

/** @param {readonly string[]} words @param {number} a @param {number} b */
const pick = (words, a, b) => words[Math.floor(chance(a, b) * words.length)] ?? "";

/** @param {number} row @param {number} place */
function sentence(row, place) {
  const of = row * 31 + place;
  return `${pick(who, of, 1)} ${pick(did, of, 2)} ${pick(what, of, 3)} ${pick(when, of, 4)}, ${pick(why, of, 5)}.`;
}

/** @param {number} row */
function toyRow(row) {
  if (row % 19 === 7)
    return {
      document: `${german} Nummer ${row}.`,
      summary: "Der Hafenmeister fand einen Fehler am alten Kran.",
    };
  const length = 4 + Math.floor(14 * (chance(row, 11) + chance(row, 12)) * chance(row, 13));
  const sentences = Array.from({ length }, (_, place) => sentence(row, place));
  const first = sentences[0] ?? "";
  const short = first.split(",")[0] ?? "";
  return {
    document: sentences.join(" "),
    summary: row % 3 === 0 ? `${short}, it was said.` : `${short}.`,
  };
}

/** @param {string} file @param {number} first @param {number} rows @returns {ToyFile} */
function fileOf(file, first, rows) {
  const lines = Array.from({ length: rows }, (_, index) => JSON.stringify(toyRow(first + index)));
  const text = `${lines.join("\n")}\n`;
  return { file, text, rows, sha256: createHash("sha256").update(text).digest("hex") };
}

/** The rows that earlier runs learned from, and those that later ones do: more of them. */
export const toyTrain = [fileOf("data/train.jsonl", 0, 400), fileOf("data/train.jsonl", 0, 480)];
export const toyValidation = fileOf("data/valid.jsonl", 9000, 60);

/** Makes a folder into a project that has and tracks the later version. @param {string} folder */
export function writeToyProject(folder) {
  mkdirSync(path.join(folder, "data"), { recursive: true });
  mkdirSync(path.join(folder, ".dvc"), { recursive: true });
  writeFileSync(path.join(folder, ".dvc", "config"), "");
  writeFileSync(path.join(folder, "params.yaml"), "data:\n  train: data/train.jsonl\n");
  for (const { file, text } of [...toyTrain.slice(1), toyValidation]) {
    writeFileSync(path.join(folder, file), text);
    const md5 = createHash("md5").update(text).digest("hex");
    writeFileSync(
      path.join(folder, `${file}.dvc`),
      `outs:\n- md5: ${md5}\n  size: ${Buffer.byteLength(text)}\n  hash: md5\n  path: ${path.basename(file)}\n`,
    );
  }
}
