// The rules that decide, at one mark of punctuation, whether a sentence ends there.
import { type AbbreviationKind, isStarter } from "./abbreviations.js";
import {
  characterAt,
  characterBefore,
  isDigit,
  isEastAsian,
  isLetter,
  isLower,
  isMark,
  isSpaceCode,
  isThaiOrLao,
  isUpper,
} from "./characters.js";

/** What the rules need to know of the text around a mark. */
export interface BoundaryContext {
  readonly text: string;
  /** Where the sentence that may end here began. */
  readonly start: number;
  /** End of the unit (paragraph, line) that holds it. */
  readonly end: number;
  readonly abbreviations: ReadonlyMap<string, AbbreviationKind>;
  /** Ordinals are written with a full stop and nouns with a capital, as in German. */
  readonly ordinalDots: boolean;
  /** A small letter after a long word's full stop is taken for a slip of typing, not for an abbreviation. */
  readonly lowerSlips: boolean;
  /** True where the unit has no capitals at all, so that a small letter may open a sentence. */
  uncased(): boolean;
}

export interface Boundary {
  /** Whether a sentence ends at `end`. */
  readonly ends: boolean;
  /** End of the run of punctuation that was read; the search goes on from here. */
  readonly end: number;
}

const terminator = /^[\p{Sentence_Terminal}…]/u;
const closer = /^[\p{Pe}\p{Pf}"'”’*_`]/u;
const opener = /^[\p{Ps}\p{Pi}"'“‘„‚«¿¡*_`#–—•·-]/u;
const bracket = /^\p{Ps}/u;
const footnote = /^(?:\[[\p{L}\d]{1,4}\]){1,8}/u;
const roman = /^[IVXLC]{1,7}$/;
/** An identifier opens a sentence with a small letter: iPhone, eval_loss, main(). */
const identifier = /^\p{Ll}[\p{Ll}\d]*(?:\p{Lu}|_|\.\p{L}|\()/u;
const acronym = /^\p{Lu}(?:\.-?\p{Lu})*$/u;
const enumerator = /^[([*_]*(?:\d{1,3}(?:\.\d{1,3}){0,4}|\p{L}|[ivx]{1,5}|[IVX]{1,5})$/u;
/** "(ii)", "b)": an item of a list inside the paragraph. */
const listedItem = /^\(?(?:[ivx]{1,4}|\p{Ll}|\d{1,2})\)\s/u;
/** "5 V.", "20 °C.": a unit of measure. */
const measured = /(?:°|\p{Nd}\s?)$/u;
/** "X Y Z.": letters spelled out. */
const spelled = /(?:^|\s)\p{Lu} $/u;
/** Particles that open sentences as well as they stand in names. */
const particles = /^(?:A|De|Del|Der|El|Il|La|Las|Le|Lo|Los|O|Al|Da|Di|Du)$/;
/** In these languages no common abbreviation has six letters or more, so a small letter after a longer word's stop is a slip. */
const minSlipLength = 6;
const longWord = /^\p{Ll}{6}$/u;
const timeWords =
  /^(?:E[SD]?T|P[SD]?T|C[SD]?T|M[SD]?T|GMT|UTC|CE?T|Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/;
/** Japanese and Chinese words after a closing quote that carry the same sentence on. */
const afterQuote =
  /^(?:[とてのはがをにでもやへ、，,]|など|から|[^，。！？、]{0,6}[说說道问問喊叫答笑])/u;
/** Thai words that do not open a sentence: and, or, that, which, by, to, from, in, of, with, because, so, namely. */
const thaiLinks =
  /^(?:และ|หรือ|ที่|ซึ่ง|โดย|เพื่อ|จาก|ใน|ของ|กับ|เพราะ|จึง|ก็|อัน|ว่า|แก่|คือ|เช่น|ได้แก่|รวมทั้ง|ตลอดจน|ເຊິ່ງ|ແລະ|ຫຼື|ທີ່)/;
const minThaiSentence = 30;

const maxTokenLength = 24;
const maxOpeners = 8;
const maxWordLength = 32;

function skipSpace(text: string, at: number, end: number): number {
  while (at < end && isSpaceCode(text.charCodeAt(at))) at++;
  return at;
}

/** The run of letters, digits, inner full stops and hyphens that ends right before `index`. */
function tokenBefore(text: string, index: number, start: number): string {
  let at = index;
  while (at > start && index - at < maxTokenLength) {
    const character = characterBefore(text, at);
    if (
      !(
        isLetter(character) ||
        isDigit(character) ||
        isMark(character) ||
        character === "." ||
        character === "-" ||
        character === "’" ||
        character === "'" ||
        character === "&" ||
        character === "№" ||
        character === "§"
      )
    ) {
      break;
    }
    at -= character.length;
  }
  return text.slice(at, index).replace(/^[.'’&-]+/, "");
}

function wordAt(text: string, at: number, end: number): string {
  const limit = Math.min(end, at + maxWordLength);
  let to = at;
  while (to < limit) {
    const character = characterAt(text, to);
    if (
      !(
        isLetter(character) ||
        isMark(character) ||
        isDigit(character) ||
        character === "’" ||
        character === "'"
      )
    )
      break;
    to += character.length;
  }
  return text.slice(at, to);
}

/** One base letter with its marks: an initial in scripts with and without capitals. */
function isSingleLetter(token: string): boolean {
  const first = characterAt(token, 0);
  if (!isLetter(first)) return false;
  for (let at = first.length; at < token.length; ) {
    const character = characterAt(token, at);
    if (!isMark(character)) return false;
    at += character.length;
  }
  return true;
}

/** What follows the punctuation: its first word and how it is written. */
interface Next {
  readonly kind: "end" | "upper" | "lower" | "digit" | "caseless" | "link" | "symbol";
  readonly word: string;
  readonly at: number;
  readonly bracketed: boolean;
}

function nextAfter(context: BoundaryContext, from: number): Next {
  const { text, end } = context;
  let at = skipSpace(text, from, end);
  if (listedItem.test(text.slice(at, Math.min(end, at + 8)))) {
    return { kind: "symbol", word: "", at, bracketed: true };
  }
  let bracketed = false;
  let inverted = false;
  for (let count = 0; at < end && count < maxOpeners; count++) {
    const character = characterAt(text, at);
    if (!opener.test(character)) break;
    bracketed ||= bracket.test(character);
    inverted ||= character === "¿" || character === "¡";
    at = skipSpace(text, at + character.length, end);
  }
  if (at >= end) return { kind: "end", word: "", at, bracketed };
  const character = characterAt(text, at);
  if (inverted) return { kind: "symbol", word: "", at, bracketed: false };
  const next = (kind: Next["kind"]): Next => ({ kind, word: wordAt(text, at, end), at, bracketed });
  if (isUpper(character)) return next("upper");
  if (isLower(character)) {
    const head = text.slice(at, Math.min(end, at + maxWordLength));
    return next(identifier.test(head) || context.uncased() ? "upper" : "lower");
  }
  if (isDigit(character)) return next("digit");
  if (isLetter(character)) return next("caseless");
  if (/[,;:،؛、，；：/%&=+)\]}]/u.test(character)) return next("link");
  return next("symbol");
}

/** Whether a full stop after `token` leaves the sentence open, given what follows. */
function staysOpen(
  context: BoundaryContext,
  token: string,
  tokenStart: number,
  next: Next,
): boolean {
  const { text, start, end } = context;
  const goesOnLower = isLower(characterAt(text, skipSpace(text, next.at + next.word.length, end)));
  // "No. I have not": the pronoun is no Roman one.
  const pronoun = next.word === "I" && goesOnLower;
  const starter =
    pronoun ||
    (next.kind === "upper" &&
      isStarter(next.word) &&
      !/[.,]/.test(characterAt(text, next.at + next.word.length)));
  const numeric =
    next.kind === "digit" ||
    next.bracketed ||
    (!pronoun && (roman.test(next.word) || /^\p{L}$/u.test(next.word)));

  const spaced = token.length <= 4 ? spacedBefore(text, tokenStart, start) : "";
  const spacedKind = spaced === "" ? undefined : context.abbreviations.get(`${spaced}${token}`);
  if (spacedKind) return spacedKind === "never" || !starter;
  const kind = context.abbreviations.get(token);
  if (kind === "never") return true;
  if (kind === "number" && numeric) return true;
  if (kind === "maybe") {
    if (/^[ap]\.m$/i.test(token)) return timeWords.test(next.word) || next.bracketed;
    return !starter;
  }

  if (isSingleLetter(token)) {
    // z. B., i. e., J. R. R.: spaced abbreviations are looked up as one, their inner stops never end a sentence.
    if (/^\p{L}\p{M}*\.(?!\p{L}\p{L})/u.test(text.slice(next.at, Math.min(end, next.at + 6))))
      return true;
    if (next.kind === "symbol") return false;
    if (measured.test(text.slice(Math.max(start, tokenStart - 2), tokenStart))) return false;
    if (spelled.test(text.slice(Math.max(start, tokenStart - 3), tokenStart))) return false;
    if (isUpper(token) || next.kind === "caseless") {
      if (isEastAsian(token) || /^\p{Script=Hangul}/u.test(token)) return false;
      // "So do I. He …", "Plan B. Then …": a starter and a small letter after it outweigh the initial.
      return !((starter || particles.test(next.word)) && goesOnLower);
    }
    return false;
  }
  if (acronym.test(token)) return !starter;

  if (/^\d+$/.test(token) && context.ordinalDots && next.kind === "upper")
    return token.length <= 2 && !starter;
  if (context.ordinalDots && roman.test(token) && next.kind === "upper") return !starter;
  return false;
}

/** The single letters with full stops that stand before a token, without spaces: `d.` for the `h` of "d. h.". */
function spacedBefore(text: string, tokenStart: number, start: number): string {
  const before = text.slice(Math.max(start, tokenStart - 12), tokenStart);
  const match = /(?:^|[\s(])((?:\p{L}\p{M}*\.\s?){1,3})$/u.exec(before);
  return match ? match[1]!.replaceAll(/\s/g, "") : "";
}

function isEnumerator(context: BoundaryContext, index: number): boolean {
  return index - context.start <= 18 && enumerator.test(context.text.slice(context.start, index));
}

/** Decides at a space inside Thai or Lao text, which has no full stop. */
function thaiBoundary(context: BoundaryContext, index: number): Boundary {
  const { text, start, end } = context;
  const next = skipSpace(text, index, end);
  const before = text.charCodeAt(index - 1);
  // ๆ repeats the word before it and ฯ shortens it; the clause goes on after both.
  const repeats = before === 0x0e46 || before === 0x0e2f || before === 0x0ec6;
  const ends =
    !repeats &&
    index - start >= minThaiSentence &&
    isThaiOrLao(characterAt(text, next)) &&
    !thaiLinks.test(text.slice(next, next + 8)) &&
    nextThaiSpace(text, next, end) - next >= minThaiSentence / 2;
  return { ends, end: next };
}

function nextThaiSpace(text: string, at: number, end: number): number {
  const limit = Math.min(end, at + minThaiSentence);
  let to = at;
  while (to < limit && !isSpaceCode(text.charCodeAt(to))) to++;
  return to === end ? at + minThaiSentence : to;
}

/**
 * Decides whether a sentence ends at the mark at `index`: a sentence terminator, an ellipsis, a Greek question mark,
 * or a space inside Thai or Lao text.
 */
export function boundaryAt(context: BoundaryContext, index: number): Boundary {
  const { text, start, end } = context;
  if (isSpaceCode(text.charCodeAt(index))) return thaiBoundary(context, index);

  const mark = characterAt(text, index);
  let at = index + mark.length;
  let marks = 1;
  let strong = mark !== "." && mark !== "…";
  for (;;) {
    const character = characterAt(text, at);
    if (at < end && terminator.test(character)) {
      strong ||= character !== "." && character !== "…";
      marks++;
      at += character.length;
      continue;
    }
    // A spaced ellipsis ". . ." is one mark.
    const spaced = skipSpace(text, at, end);
    if (mark === "." && spaced > at && spaced < end && text.charAt(spaced) === ".") {
      const after = text.charCodeAt(spaced + 1);
      if (spaced + 1 >= end || isSpaceCode(after) || after === 0x2e) {
        marks++;
        at = spaced + 1;
        continue;
      }
    }
    break;
  }
  const marksEnd = at;
  let closesBracket = false;
  for (;;) {
    if (at >= end) break;
    const character = characterAt(text, at);
    if (isLetter(character)) break;
    if (closer.test(character)) {
      closesBracket ||= /^[)\]}]/.test(character);
      at += character.length;
      continue;
    }
    const note = character === "[" ? footnote.exec(text.slice(at, Math.min(end, at + 40))) : null;
    if (note) {
      at += note[0].length;
      continue;
    }
    // French sets a space before a closing guillemet.
    const spaced = skipSpace(text, at, end);
    if (spaced > at && spaced - at <= 2 && /^[»›]/.test(characterAt(text, spaced))) {
      at = spaced + 1;
      continue;
    }
    break;
  }
  if (at >= end) return { ends: true, end: at };
  const stays = { ends: false, end: at };
  const ends = { ends: true, end: at };

  const before = characterBefore(text, index);
  const following = characterAt(text, at);
  const spaceFollows = isSpaceCode(following.charCodeAt(0));

  // "(!)", "[…]": a mark alone in brackets comments on the sentence and does not end it.
  if (closesBracket && index > start && /^[([{]/.test(before)) return stays;

  if (!spaceFollows) {
    if (mark === "." || mark === "…") {
      return marks === 1 && mark === "." && isEastAsian(before) && isEastAsian(following)
        ? ends
        : stays;
    }
    if (mark === "．" && isDigit(following)) return stays;
    if (at > marksEnd && isEastAsian(mark) && afterQuote.test(text.slice(at, at + 10)))
      return stays;
    if (isEastAsian(mark)) return /^[，、,：:；;]/u.test(following) ? stays : ends;
    if (mark.charCodeAt(0) < 0x2e80 && mark.charCodeAt(0) >= 0x250)
      return isLetter(following) ? ends : stays;
    return isEastAsian(following) && isLetter(following) ? ends : stays;
  }

  const next = nextAfter(context, at);
  if (next.kind === "link") return stays;
  if (next.kind === "lower") {
    const slip =
      context.lowerSlips &&
      mark === "." &&
      marks === 1 &&
      at === marksEnd &&
      longWord.test(text.slice(Math.max(start, index - minSlipLength), index));
    return slip ? ends : stays;
  }
  if (mark !== "." || strong) {
    if (mark === "!" && /Yahoo$/.test(text.slice(Math.max(start, index - 5), index))) {
      return isStarter(next.word) ? ends : stays;
    }
    if (mark === ":" || mark === ";") return next.kind === "upper" ? ends : stays;
    return ends;
  }
  if (marks > 1) {
    const token = tokenBefore(text, index, start);
    return context.abbreviations.get(token) === "never" ? stays : ends;
  }
  if (isEnumerator(context, index)) return stays;
  const token = tokenBefore(text, index, start);
  if (token === "") return ends;
  const open = staysOpen(context, token, index - token.length, next);
  // "(… Inc.) Then": the stop belongs to the abbreviation and the bracket only closes a remark.
  if (closesBracket && (context.abbreviations.has(token) || acronym.test(token))) {
    return isStarter(next.word) ? ends : stays;
  }
  return open ? stays : ends;
}
