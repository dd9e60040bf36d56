// Normalization tables as SentencePiece keeps them in a model: a double-array trie of what is replaced, by what.
// Source: google/sentencepiece 0.2.3, builder.cc and doc/normalization.md; its tables are Unicode 17's.
import { existsSync, readFileSync } from "node:fs";
import { buildDoubleArray } from "./double-array.js";
import { changingCodePoints, compose, decompose, fold } from "./unicode-forms.js";

export const normalizerNames = ["nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf", "identity"] as const;

/** What is done to a text before it is cut: `nmt_` also tidies spaces and controls, `_cf` folds case. */
export type NormalizerName = (typeof normalizerNames)[number];

type Rules = Map<string, string>;

/** Every sequence of characters that has this NFKD form character by character. */
function spellings(form: string, originals: ReadonlyMap<string, readonly string[]>): string[] {
  let found = [""];
  for (const character of form) {
    const forms = originals.get(character) ?? [character];
    found = found.flatMap((start) => forms.map((each) => start + each));
  }
  return found;
}

function nfkcRules(): Rules {
  const rules: Rules = new Map();
  const decomposed = new Set<string>();
  const originals = new Map<string, string[]>();
  for (const code of changingCodePoints()) {
    const character = String.fromCodePoint(code);
    const composed = compose(character);
    if (composed !== character) rules.set(character, composed);
    const form = decompose(character);
    if (form === character) continue;
    if ([...form].length > 1) decomposed.add(form);
    else originals.set(form, [...(originals.get(form) ?? [form]), character]);
  }
  for (const form of decomposed) {
    const composed = compose(form);
    if (composed === form) continue;
    for (const spelling of spellings(form, originals)) {
      if (spelling !== composed) rules.set(spelling, composed);
    }
  }
  return withoutRedundant(rules);
}

/** Applies rules of at most `most` characters, longest first; `ends` is where each character ends, in units. */
function applyRules(rules: Rules, text: string, ends: readonly number[], most: number): string {
  let result = "";
  let from = 0;
  for (let at = 0; at < ends.length; ) {
    let last = Math.min(at + most, ends.length) - 1;
    let replacement: string | undefined;
    for (; last >= at; last--) {
      replacement = rules.get(text.slice(from, ends[last]));
      if (replacement !== undefined) break;
    }
    if (replacement === undefined) last = at;
    const to = ends[last] as number;
    result += replacement ?? text.slice(from, to);
    from = to;
    at = last + 1;
  }
  return result;
}

/** Rules for several characters that shorter ones give too are left out. */
function withoutRedundant(rules: Rules): Rules {
  const kept: Rules = new Map();
  const longer: { from: string; ends: number[]; to: string }[] = [];
  for (const [from, to] of rules) {
    const ends: number[] = [];
    for (const character of from) ends.push((ends.at(-1) ?? 0) + character.length);
    if (ends.length === 1) kept.set(from, to);
    else longer.push({ from, ends, to });
  }
  // Stable, and no rule is weighed by others of its own length: their order does not count.
  longer.sort((a, b) => a.ends.length - b.ends.length);
  for (const { from, ends, to } of longer) {
    if (applyRules(kept, from, ends, ends.length - 1) !== to) kept.set(from, to);
  }
  return kept;
}

/** Read as a space: tabs and line ends, marks without width, the mark for a space itself, what could not be decoded. */
const spaces = [
  0x09, 0x0a, 0x0c, 0x0d, 0x061c, 0x1680, 0x200b, 0x200c, 0x200e, 0x200f, 0x2028, 0x2029, 0x2581,
  0xfeff, 0xfffd,
];

/** Controls that are dropped. */
const dropped = [
  ...Array.from({ length: 8 }, (_, i) => 0x01 + i),
  0x0b,
  ...Array.from({ length: 18 }, (_, i) => 0x0e + i),
  0x7f,
  0x8f,
  0x9f,
];

function addNmtRules(rules: Rules): Rules {
  for (const code of spaces) rules.set(String.fromCodePoint(code), " ");
  for (const code of dropped) rules.set(String.fromCodePoint(code), "");
  // The full-width tilde is another character than the tilde in Japanese.
  rules.delete("\uff5e");
  return withoutRedundant(rules);
}

function addFolding(rules: Rules): Rules {
  for (const [from, to] of rules) rules.set(from, [...to].map(fold).join(""));
  for (const code of changingCodePoints()) {
    const character = String.fromCodePoint(code);
    if (rules.has(character)) continue;
    const folded = fold(character);
    if (folded !== character) rules.set(character, folded);
  }
  return withoutRedundant(rules);
}

/** What a normalizer replaces. */
export function normalizationRules(name: NormalizerName): ReadonlyMap<string, string> {
  if (name === "identity") return new Map();
  let rules = nfkcRules();
  if (name.startsWith("nmt_")) rules = addNmtRules(rules);
  if (name.endsWith("_cf")) rules = addFolding(rules);
  return rules;
}

/** Tables made so far; one takes a second or two. */
const made = new Map<NormalizerName, Uint8Array>();

/** The table of a normalizer: the trie's size in bytes, the trie, the replacements. Empty for `identity`. */
export function buildCharsmap(name: NormalizerName): Uint8Array {
  const table = made.get(name) ?? readBuilt(name) ?? makeCharsmap(name);
  made.set(name, table);
  return table;
}

/** The table that scripts/build.mjs wrote beside the compiled file; undefined for others, and where sources run. */
function readBuilt(name: NormalizerName): Uint8Array | undefined {
  const file = new URL(`./${name}.charsmap`, import.meta.url);
  return existsSync(file) ? readFileSync(file) : undefined;
}

function makeCharsmap(name: NormalizerName): Uint8Array {
  const rules = normalizationRules(name);
  if (rules.size === 0) return new Uint8Array();
  const replacements = [...new Set(rules.values())]
    .map((text) => ({ text, bytes: Buffer.from(text) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  const places = new Map<string, number>();
  let size = 0;
  for (const { text, bytes } of replacements) {
    places.set(text, size);
    size += bytes.length + 1;
  }
  const units = buildDoubleArray(
    Array.from(rules, ([from, to]) => ({
      key: Buffer.from(from).toString("latin1"),
      value: places.get(to) as number,
    })),
  );
  const table = Buffer.alloc(4 + units.length * 4 + size);
  table.writeUInt32LE(units.length * 4, 0);
  for (let i = 0; i < units.length; i++) table.writeUInt32LE(units[i] as number, 4 + i * 4);
  for (const { text, bytes } of replacements) {
    table.set(bytes, 4 + units.length * 4 + (places.get(text) as number));
  }
  return table;
}
