// Sentences as NLTK's Punkt finds them without a trained model: what the ROUGE goldens were split with.
// @ts-check

// Python's regex takes these for white space, and its strip() these and four separators more; JavaScript's \s differs.
const space = "[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const noSpace = space.replace("[", "[^");
const trailingSpace = new RegExp(`${space.replace("[", "[\\x1c-\\x1f")}+$`, "u");
const closers = ")\";}\\]*:@'({[\\u2018\\u2019\\u201c\\u201d\\u00ab\\u00bb?!";
const multiple = `(?:-{2,}|\\.{2,}|(?:\\.${space}){2,}\\.)`;
const wordEnd = `${space}|$|[${closers}]|${multiple}`;

/** A possible end of a sentence: the mark, and within a look-ahead what follows it. */
const possibleEnd = new RegExp(
  `[.?!](?=(?<after>[${closers}]|${space}+(?<next>${noSpace}+)))`,
  "dgu",
);
const word = new RegExp(
  `${multiple}|(?=[^("\`{[:;&#*@)}\\]\\-,])${noSpace}+?(?=${wordEnd}|,(?=${wordEnd}))|${noSpace}`,
  "gu",
);
/** Quotes and brackets that still belong to the sentence before them. */
const belongsBefore = new RegExp(
  `^["')\\]}\\u2018\\u2019\\u201c\\u201d\\u00ab\\u00bb]+?(?:${space}+|(?=--)|$)`,
  "u",
);
const number = /^-?[.,]?\p{Nd}[\p{Nd},.-]*\.?$/u;
const initial = /^(?!\p{Nd})[\p{Alphabetic}\p{M}\p{Pc}]\.$/u;

/** @param {string} text */
const trimmedLength = (text) => text.replace(trailingSpace, "").length;

/** The start of the word that ends at `end`, not before `floor`. @param {string} text @param {number} floor @param {number} end */
function afterLastSpace(text, floor, end) {
  for (let i = end - 1; i > floor; i--) if (" \t\n\r\v\f".includes(text[i] ?? "")) return i + 1;
  return undefined;
}

/**
 * Whether a stretch of words around a possible end holds a sentence's end before its last word.
 * Without a model every word with a final period ends one, unless it is an initial before a word or
 * punctuation, or a number before a small letter or punctuation.
 * @param {string} context
 */
function holdsBreak(context) {
  const words = context
    .split("\n")
    .flatMap((line) => (trimmedLength(line) > 0 && line.match(word)) || []);
  return words.slice(0, -1).some((token, index) => {
    if (token === "?" || token === "!") return true;
    if (!token.endsWith(".") || (token !== "." && token.endsWith(".."))) return false;
    const next = words[index + 1] ?? "";
    const continues = /^(?:[;:,.!?]$|\p{Lowercase})/u.test(next);
    if (initial.test(token)) return !continues && !/^\p{Uppercase}/u.test(next);
    return !(number.test(token) && continues);
  });
}

/** @typedef {{at: number, context: string, next: number | undefined}} PossibleEnd */

/**
 * Possible ends with the words around them; of several in one word only the last.
 * @param {string} text
 */
function* possibleEnds(text) {
  /** @type {{start: number, end: number}} */
  let before = { start: 0, end: 0 };
  /** @type {PossibleEnd | undefined} */
  let last;
  for (const match of text.matchAll(possibleEnd)) {
    const { after = "" } = match.groups ?? {};
    const start = afterLastSpace(text, before.end, match.index) ?? before.start;
    if (last !== undefined && before.end <= start) yield last;
    before = { start, end: match.index };
    const context = text.slice(start, match.index + 1) + after;
    last = { at: match.index, context, next: match.indices?.groups?.next?.[0] };
  }
  if (last !== undefined) yield last;
}

/**
 * The sentences of a text.
 * Source: Kiss, Strunk 2006; nltk 3.10.4, PunktSentenceTokenizer() with empty parameters.
 * @param {string} text
 * @returns {string[]}
 */
export function splitUntrained(text) {
  /** @type {{start: number, end: number}[]} */
  const slices = [];
  let start = 0;
  for (const { at, context, next } of possibleEnds(text)) {
    if (!holdsBreak(context)) continue;
    slices.push({ start, end: at + 1 });
    start = next ?? at + 1;
  }
  slices.push({ start, end: trimmedLength(text) });

  const sentences = [];
  let taken = 0;
  for (const [index, slice] of slices.entries()) {
    const from = slice.start + taken;
    const following = slices[index + 1];
    const moved = following && belongsBefore.exec(text.slice(following.start, following.end));
    taken = moved ? moved[0].length : 0;
    const end = moved ? (following?.start ?? 0) + trimmedLength(moved[0]) : slice.end;
    if (moved || end > from) sentences.push(text.slice(from, end));
  }
  return sentences;
}
