// Finds what goes wrong with a text on its way between encodings: signs that stand for lost ones, and letters read wrongly.

export const encodingFaults = ["replacement", "control", "surrogate", "mark", "mojibake"] as const;

/**
 * - `replacement`: U+FFFD, which stands where something could not be read.
 * - `control`: control characters other than tab and line ends, and code points that are no characters.
 * - `surrogate`: half of a character.
 * - `mark`: a byte order mark inside of a text, as files that were put together have.
 * - `mojibake`: UTF-8 that was read as Windows-1252, such as Ã© for é and â€™ for ’.
 */
export type EncodingFault = (typeof encodingFaults)[number];

const suspicious = /(?![\t\n\r])\p{Cc}|[\ufeff\ufffd-\uffff\u00c2-\u00f4]|\p{Surrogate}/u;
const controls = /(?![\t\n\r])\p{Cc}|[\ufffe\uffff]/gu;
const surrogates = /\p{Surrogate}/gu;

/** What Windows-1252 has at 0x80..0x9f; five of them are nothing there, and are often left as control characters. */
const windows1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";
const trail = `[\u0080-\u00bf${windows1252}]`;
/** Signs that may well follow an accented capital or an ß: closing quotes, dashes, an ellipsis. */
const closing = /^[‘’“”–—…›»]/;

const byteOf = new Map([...windows1252].map((sign, at) => [sign, 0x80 + at]));
const toByte = (sign: string) => byteOf.get(sign) ?? sign.charCodeAt(0);

const doubles = new RegExp(`([\u00c2-\u00c5])(${trail})`, "gu");
/** Greek, Cyrillic, Hebrew and Arabic: one such pair may be chance, two side by side are not. */
const runs = new RegExp(`(?:[\u00ce-\u00d1\u00d7-\u00d9]${trail}){2,}`, "gu");
const longer = new RegExp(`[\u00e0-\u00ef]${trail}{2}|[\u00f0-\u00f4]${trail}{3}`, "gu");

/** Whether the bytes that some signs were read from are a character that texts have. */
function isCharacter(signs: string): boolean {
  const bytes = Uint8Array.from([...signs], toByte);
  // The block after à and a no-break space is one that nobody writes, while "à «" is ordinary French.
  if (bytes[0] === 0xe0 && bytes[1]! < 0xa4) return false;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes) !== "";
  } catch {
    return false;
  }
}

/** Takes what was read wrongly out of a text, and counts the characters it was. */
function withoutMojibake(text: string): { readonly rest: string; readonly count: number } {
  let count = 0;
  const take = (characters: number) => {
    count += characters;
    return " ";
  };
  const rest = text
    .replace(longer, (signs) => (isCharacter(signs) ? take(1) : signs))
    .replace(runs, (signs) => take(signs.length / 2))
    .replace(doubles, (signs: string, lead: string, sign: string, index: number, whole: string) => {
      if (lead === "\u00c2" && byteOf.has(sign)) return signs;
      const after = whole.slice(index + signs.length, index + signs.length + 1);
      return closing.test(sign) && !/\p{L}/u.test(after) ? signs : take(1);
    });
  return { rest, count };
}

const countOf = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0;

/** How often each fault stands in a text; undefined where none does. In linear time. */
export function findEncodingFaults(
  text: string,
): Partial<Record<EncodingFault, number>> | undefined {
  if (!suspicious.test(text)) return undefined;
  // Read as Latin-1, half of the bytes become control characters: they are one fault, not two.
  const { rest, count } = withoutMojibake(text);
  const counts = {
    replacement: countOf(text, /\ufffd/g),
    control: countOf(rest, controls),
    surrogate: countOf(text, surrogates),
    mark: countOf(text, /\ufeff/g),
    mojibake: count,
  };
  const found = Object.entries(counts).filter(([, of]) => of > 0);
  return found.length === 0 ? undefined : Object.fromEntries(found);
}
