// Writes YAML as DVC's writer lays it out, and reads it with integers and floats told apart.
import { LineCounter, parseDocument, type Scalar, visit } from "yaml";
import { BridleError } from "../../errors/error.js";
import { floatText, isRecord, PythonFloat, type PythonValue } from "./python-text.js";

/** Column past which a line is folded at its next space. */
const width = 80;

/** What a plain scalar would be taken for if it were not a string (YAML 1.2, as DVC's reader resolves it). */
const notStrings = [
  /^(?:true|True|TRUE|false|False|FALSE)$/,
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/,
  /^(?:[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|[-+]?[0-9_]+|[-+]?0x[0-9a-fA-F_]+)$/,
  /^(?:<<|=|~|null|Null|NULL|)$/,
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/,
  /^[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?(?:[Tt]|[ \t]+)[0-9][0-9]?:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9][0-9]?(?::[0-9][0-9])?))?$/,
];

/** Whether a string may stand without quotes in a block. */
function mayBePlain(text: string): boolean {
  if (notStrings.some((pattern) => pattern.test(text))) return false;
  if (/^(?:---|\.\.\.)/.test(text)) return false;
  if (/^[#,[\]{}&*!|>'"%@`]/.test(text)) return false;
  if (/^[?:-](?:[\s\u0085\u2028\u2029]|$)/.test(text)) return false;
  if (/:(?:[\s\u0085\u2028\u2029]|$)/.test(text.slice(1))) return false;
  if (/[\s\u0085\u2028\u2029]#/.test(text)) return false;
  if (/^ | $/.test(text)) return false;
  return !/[\n\u0085\u2028\u2029]/.test(text) && !hasSpecialCharacters(text);
}

/** Characters that only double quotes can hold. */
function hasSpecialCharacters(text: string): boolean {
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    const isFine =
      point === 0x0a ||
      (point >= 0x20 && point <= 0x7e) ||
      point === 0x85 ||
      (point >= 0xa0 && point <= 0xd7ff) ||
      (point >= 0xe000 && point <= 0xfffd && point !== 0xfeff) ||
      point > 0xffff;
    if (!isFine) return true;
  }
  return false;
}

/** Collects text and knows the column it stands at. */
class Output {
  text = "";
  column = 0;

  write(piece: string): void {
    this.text += piece;
    const at = piece.lastIndexOf("\n");
    this.column = at === -1 ? this.column + [...piece].length : [...piece.slice(at + 1)].length;
  }

  lineBreak(indent: number): void {
    this.write(`\n${" ".repeat(indent)}`);
  }
}

/** A document's text, ended by a line end. Dicts keep their order; lists stand at their key's indent. */
export function yamlText(value: PythonValue): string {
  const output = new Output();
  if (isRecord(value) && Object.keys(value).length > 0) writeRecord(output, value, 0);
  else if (Array.isArray(value) && value.length > 0) writeList(output, value, 0);
  else writeInline(output, value, 0);
  return `${output.text}\n`;
}

function writeRecord(
  output: Output,
  record: { readonly [key: string]: PythonValue },
  indent: number,
) {
  for (const [index, [key, value]] of Object.entries(record).entries()) {
    if (index > 0) output.lineBreak(indent);
    writeString(output, key, indent, false);
    output.write(":");
    if (Array.isArray(value) && value.length > 0) {
      output.lineBreak(indent);
      writeList(output, value, indent);
    } else if (isRecord(value) && Object.keys(value).length > 0) {
      output.lineBreak(indent + 2);
      writeRecord(output, value, indent + 2);
    } else if (value !== null) {
      output.write(" ");
      writeInline(output, value, indent + 2);
    }
  }
}

function writeList(output: Output, list: readonly PythonValue[], indent: number) {
  for (const [index, value] of list.entries()) {
    if (index > 0) output.lineBreak(indent);
    output.write("- ");
    if (value === null) continue;
    if (Array.isArray(value) && value.length > 0) writeList(output, value, indent + 2);
    else if (isRecord(value) && Object.keys(value).length > 0)
      writeRecord(output, value, indent + 2);
    else writeInline(output, value, indent + 2);
  }
}

/** What takes no lines of its own: a scalar, or an empty list or dict. */
function writeInline(output: Output, value: PythonValue, indent: number) {
  if (typeof value === "string") writeString(output, value, indent, true);
  else if (Array.isArray(value)) output.write("[]");
  else if (isRecord(value)) output.write("{}");
  else {
    const text = value instanceof PythonFloat ? yamlFloat(value.value) : String(value);
    writePlain(output, text, indent, true);
  }
}

function yamlFloat(value: number): string {
  if (Number.isNaN(value)) return ".nan";
  if (!Number.isFinite(value)) return value > 0 ? ".inf" : "-.inf";
  return floatText(value);
}

function writeString(output: Output, text: string, indent: number, split: boolean) {
  if (text !== "" && mayBePlain(text)) {
    writePlain(output, text, indent, split);
    return;
  }
  const spaceMeetsBreak = / [\n\u0085\u2028\u2029]|[\n\u0085\u2028\u2029] /.test(text);
  const needsDouble =
    /['\n]/.test(text) ||
    spaceMeetsBreak ||
    hasSpecialCharacters(text) ||
    (!split && /[\u0085\u2028\u2029]/.test(text));
  if (needsDouble) writeDoubleQuoted(output, text, indent, split);
  else writeSingleQuoted(output, text, indent, split);
}

/** A word that would pass the width gets a line of its own; a single space past it becomes a line break. */
function writePlain(output: Output, text: string, indent: number, split: boolean) {
  for (const [index, piece] of text.split(/( +)/).entries()) {
    const isSpace = index % 2 === 1;
    if (isSpace && piece === " " && output.column >= width && split) {
      output.lineBreak(indent);
      continue;
    }
    const isLong = !isSpace && output.column + [...piece].length > width;
    if (isLong && output.column > indent) output.lineBreak(indent);
    output.write(piece);
  }
}

/** Single quotes: a line breaks at a single space once it is past the width. */
function writeSingleQuoted(output: Output, text: string, indent: number, split: boolean) {
  output.write("'");
  const pieces = text.split(/( +)/);
  for (const [index, piece] of pieces.entries()) {
    const isSpace = index % 2 === 1;
    const isFirst = index === 1 && pieces[0] === "";
    const isLast = index === pieces.length - 2 && pieces.at(-1) === "";
    if (isSpace && piece === " " && output.column > width && split && !isFirst && !isLast) {
      output.lineBreak(indent);
    } else output.write(piece);
  }
  output.write("'");
}

const escapes: Readonly<Record<string, string>> = {
  "\0": "0",
  "\x07": "a",
  "\b": "b",
  "\t": "t",
  "\n": "n",
  "\v": "v",
  "\f": "f",
  "\r": "r",
  "\x1b": "e",
  '"': '"',
  "\\": "\\",
  "\x85": "N",
  "\xa0": "_",
  "\u2028": "L",
  "\u2029": "P",
};

function escapeOf(character: string): string {
  const named = escapes[character];
  if (named !== undefined) return `\\${named}`;
  const hex = (character.codePointAt(0) ?? 0).toString(16).toUpperCase();
  if (hex.length <= 2) return `\\x${hex.padStart(2, "0")}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

function needsEscape(character: string): boolean {
  if (/["\\\u0085\u2028\u2029\ufeff]/.test(character)) return true;
  const point = character.codePointAt(0) ?? 0;
  return !(
    (point >= 0x20 && point <= 0x7e) ||
    (point >= 0xa0 && point <= 0xd7ff) ||
    (point >= 0xe000 && point <= 0xfffd) ||
    point > 0xffff
  );
}

/**
 * Double quotes, folded as DVC's writer folds them: a backslash ends the line unless the fold falls on one space
 * between words without quotes, which reading the line break restores.
 */
function writeDoubleQuoted(output: Output, text: string, indent: number, split: boolean) {
  const characters = [...text];
  output.write('"');
  let start = 0;
  for (let end = 0; end <= characters.length; end++) {
    const character = characters[end];
    if (character === undefined || needsEscape(character)) {
      if (start < end) output.write(characters.slice(start, end).join(""));
      start = Math.max(start, Math.min(end, characters.length));
      if (character !== undefined) {
        output.write(escapeOf(character));
        start = end + 1;
      }
    }
    const mayFold = end > 0 && end < characters.length - 1 && (character === " " || start >= end);
    if (!mayFold || !split || output.column + (end - start) <= width) continue;
    const needsBackslash = !foldsAtSpace(characters, start, end);
    output.write(characters.slice(start, end).join("") + (needsBackslash ? "\\" : ""));
    start = Math.max(start, end);
    output.lineBreak(indent);
    if (characters[start] !== " ") continue;
    if (needsBackslash) output.write("\\");
    else start++;
  }
  output.write('"');
}

function foldsAtSpace(characters: readonly string[], start: number, end: number): boolean {
  const space = characters.indexOf(" ", end);
  if (space === -1) return false;
  const lineEnd = characters.slice(end, space).indexOf("\n");
  const at = lineEnd === -1 ? space : end + lineEnd;
  const next = characters[at + 1];
  if (characters[at] === "\n" && next !== " ") return false;
  const between = characters.slice(end, at);
  return (
    !between.includes('"') &&
    !between.includes("'") &&
    next !== undefined &&
    next !== " " &&
    next !== "\n" &&
    characters.slice(end - 1, end + 1).join("") !== "  " &&
    start !== end
  );
}

/**
 * Reads a document; an empty one is an empty dict.
 * @throws DVC_FILE_INVALID naming the file and the line
 */
export function readYaml(text: string, file: string): PythonValue {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, logLevel: "silent", merge: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const { line } = lines.linePos(problem.pos[0]);
    const reason = `line ${line}: ${problem.message.split("\n")[0]?.replace(/:$/, "")}`;
    throw new BridleError("DVC_FILE_INVALID", { file, reason }, { cause: problem });
  }
  visit(document, {
    Scalar(_, node) {
      if (isFloat(node)) node.value = new PythonFloat(node.value as number);
    },
  });
  return (document.toJS({ maxAliasCount: 1000 }) as PythonValue) ?? {};
}

function isFloat(node: Scalar): boolean {
  if (typeof node.value !== "number") return false;
  return !Number.isInteger(node.value) || /[.eE]/.test((node.source ?? "").replace(/^0x.*/, ""));
}
