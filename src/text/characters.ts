// What kind of character stands at a position of a text: the questions the sentence and line scanners ask.

const upperPattern = /^[\p{Lu}\p{Lt}]/u;
const lowerPattern = /^\p{Ll}/u;
const letterPattern = /^\p{L}/u;
const markPattern = /^\p{M}/u;
const digitPattern = /^\p{Nd}/u;

/** White space as JavaScript's `\s` has it, and the next-line control U+0085. */
export function isSpaceCode(code: number): boolean {
  if (code <= 0x20) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  if (code < 0x85) return false;
  return (
    code === 0x85 ||
    code === 0xa0 ||
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000 ||
    code === 0xfeff
  );
}

/** The code point that starts at `index` as a string; empty past the end. */
export function characterAt(text: string, index: number): string {
  const high = text.charCodeAt(index);
  if (high >= 0xd800 && high <= 0xdbff) {
    const low = text.charCodeAt(index + 1);
    if (low >= 0xdc00 && low <= 0xdfff) return text.slice(index, index + 2);
  }
  return text.charAt(index);
}

/** The code point that ends right before `index`; empty at the start. */
export function characterBefore(text: string, index: number): string {
  if (index <= 0) return "";
  const low = text.charCodeAt(index - 1);
  if (low >= 0xdc00 && low <= 0xdfff && index > 1) {
    const high = text.charCodeAt(index - 2);
    if (high >= 0xd800 && high <= 0xdbff) return text.slice(index - 2, index);
  }
  return text.charAt(index - 1);
}

export function isUpper(character: string): boolean {
  const code = character.charCodeAt(0);
  if (code < 128) return code >= 65 && code <= 90;
  return upperPattern.test(character);
}

export function isLower(character: string): boolean {
  const code = character.charCodeAt(0);
  if (code < 128) return code >= 97 && code <= 122;
  return lowerPattern.test(character);
}

export function isDigit(character: string): boolean {
  const code = character.charCodeAt(0);
  if (code < 128) return code >= 48 && code <= 57;
  return digitPattern.test(character);
}

export function isLetter(character: string): boolean {
  const code = character.charCodeAt(0);
  if (code < 128) return (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
  return letterPattern.test(character);
}

export function isMark(character: string): boolean {
  return character.charCodeAt(0) >= 0x300 && markPattern.test(character);
}

/** Han, Hiragana, Katakana, Bopomofo, and their full-width punctuation: scripts written without spaces between sentences. */
export function isEastAsian(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return (
    (code >= 0x2e80 && code <= 0x30ff) ||
    (code >= 0x3100 && code <= 0x312f) ||
    (code >= 0x31a0 && code <= 0x4dbf) ||
    (code >= 0x4e00 && code <= 0x9fff) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xff00 && code <= 0xffef) ||
    (code >= 0x20000 && code <= 0x3ffff)
  );
}

/** Thai and Lao: no sentence punctuation, spaces between clauses. */
export function isThaiOrLao(character: string): boolean {
  const code = character.charCodeAt(0);
  return code >= 0x0e01 && code <= 0x0eff;
}
