// How much a decoded text reads like writing: the judge between character encodings that all decode without an error.

const letter = /\p{L}/u;
const upper = /\p{Lu}/u;
const lower = /\p{Ll}/u;
const han = /\p{Script=Han}/u;
const punctuation = /\p{P}/u;
const mark = /\p{M}/u;
const symbolOrNumber = /[\p{S}\p{N}]/u;
const scripts: readonly (readonly [string, RegExp])[] = [
  ["latin", /\p{Script=Latin}/u],
  ["cyrillic", /\p{Script=Cyrillic}/u],
  ["greek", /\p{Script=Greek}/u],
];
/** Punctuation beyond ASCII that stands right behind a letter in ordinary text. */
const closingPunctuation = /[’‐‑–—…»”“。、，！？：；·]/;
const openingPunctuation = /[¿¡‚„]/;

interface Verdict {
  good: number;
  bad: number;
}

function scriptOf(character: string): string {
  return scripts.find(([, pattern]) => pattern.test(character))?.[0] ?? "other";
}

function judgeLetter(character: string, code: number, before: string, verdict: Verdict): void {
  if (/\p{Lo}/u.test(character)) {
    const halfWidthKana = code >= 0xff61 && code <= 0xff9f;
    const ordinalIndicator = code === 0xaa || code === 0xba;
    if (halfWidthKana || ordinalIndicator) verdict.bad += 0.5;
    else if (!han.test(character)) verdict.good += 1;
    else if ((code >= 0x3400 && code < 0x4e00) || code > 0x20000) verdict.bad += 1;
    else if (/[a-z]/.test(before)) verdict.bad += 0.5;
    else verdict.good += 1;
  } else if (!letter.test(before)) {
    verdict.good += 0.8;
  } else {
    const capitalInside = upper.test(character) && lower.test(before);
    if (capitalInside || scriptOf(character) !== scriptOf(before)) verdict.bad += 1;
    else verdict.good += 1;
  }
}

function judge(character: string, code: number, before: string, verdict: Verdict): void {
  const control = code < 0xa0 && code !== 0x85;
  const privateUse = code >= 0xe000 && code <= 0xf8ff;
  if (code === 0xfffd || control || privateUse) {
    verdict.bad += 3;
  } else if (letter.test(character)) {
    judgeLetter(character, code, before, verdict);
  } else if (punctuation.test(character)) {
    const behindLetter = letter.test(before);
    if (!behindLetter || closingPunctuation.test(character)) verdict.good += 0.6;
    if (behindLetter && openingPunctuation.test(character)) verdict.bad += 1;
  } else if (mark.test(character)) {
    verdict.good += 0.5;
  } else if (symbolOrNumber.test(character) && letter.test(before)) {
    verdict.bad += 1;
  } else {
    verdict.good += 0.3;
  }
}

/**
 * From -1 (noise) to 1 (writing), by the characters beyond ASCII: letters beside letters of their script speak
 * for a text; capitals inside words, symbols glued to letters, controls and replacement characters against it.
 * ASCII alone gives 1.
 */
export function plausibility(text: string): number {
  const verdict: Verdict = { good: 0, bad: 0 };
  let before = " ";
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code >= 0x80) judge(character, code, before, verdict);
    before = character;
  }
  const total = verdict.good + verdict.bad;
  return total === 0 ? 1 : (verdict.good - verdict.bad) / total;
}

/** Share of the characters that no text holds: controls other than tab, line and page breaks, escape; and U+FFFE, U+FFFF. */
export function controlShare(text: string): number {
  let controls = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x20 && code < 0x7f) continue;
    const allowed = (code >= 0x09 && code <= 0x0d) || code === 0x1b;
    if (code >= 0xfffe || code === 0x7f || (code < 0x20 && !allowed)) controls++;
  }
  return text.length === 0 ? 0 : controls / text.length;
}
