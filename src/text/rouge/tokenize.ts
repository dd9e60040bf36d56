// Splits text into the tokens that ROUGE counts: as google's rouge_score does, or by Unicode properties for any script.
import { BridleError } from "../../errors/error.js";
import { porterStem } from "./porter.js";

/**
 * - `google`: rouge_score's tokens: lower case, runs of a–z and 0–9. Other scripts give no tokens at all.
 * - `unicode`: runs of letters, marks and numbers of any script; a letter of a script that is written
 *   without spaces (Han, Hiragana, Katakana, Thai, Lao, Khmer, Myanmar) is a token by itself, with its marks.
 */
export type RougeMode = "google" | "unicode";

export const rougeModes: readonly RougeMode[] = ["google", "unicode"];

export interface TokenizeOptions {
  /** Replace ASCII tokens longer than 3 letters by their Porter stem. Default false. */
  readonly stemmer?: boolean;
  /** Default `google`. */
  readonly mode?: RougeMode;
}

const asciiToken = /[a-z0-9]+/g;
const onlyAscii = /^[a-z0-9]+$/;

// Script extensions, so that the long-vowel mark and the iteration marks belong to the kana they prolong.
const spaceless =
  "[[\\p{L}\\p{Nl}]&&[\\p{scx=Han}\\p{scx=Hira}\\p{scx=Kana}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Mymr}]]";
const inWord = `[[\\p{L}\\p{M}\\p{N}]--${spaceless}]`;
const unicodeToken = new RegExp(`${inWord}+|${spaceless}\\p{M}*`, "gv");
const oneSpaceless = new RegExp(spaceless, "v");
const oneInWord = new RegExp(inWord, "v");
const oneMark = /\p{M}/u;

/** Soft hyphen, joiners and variation selectors: they change how a word looks, not which word it is. */
const invisible = /[\u00ad\u200c\u2060\ufeff]|\u200d|\p{Variation_Selector}/gu;

/**
 * NFKC rather than NFC: Pegasus and T5 normalize with nmt_nfkc, so a full-width reference would otherwise
 * never meet the model's half-width answer. Lower-casing İ leaves a dot that Turkish i does not carry.
 */
function fold(text: string): string {
  return text.replace(invisible, "").normalize("NFKC").toLowerCase().replaceAll("i\u0307", "i");
}

function unicodeTokens(text: string): string[] {
  try {
    return text.match(unicodeToken) ?? [];
  } catch (thrown) {
    // Millions of letters without anything between them are more than a regular expression remembers.
    if (thrown instanceof RangeError) return tokensByCharacter(text);
    throw thrown;
  }
}

/** What `unicodeToken` finds, character by character: slower, and for words of any length. */
function tokensByCharacter(text: string): string[] {
  const tokens: string[] = [];
  let from = 0;
  let kind: "word" | "spaceless" | undefined;
  const end = (at: number) => {
    if (kind !== undefined) tokens.push(text.slice(from, at));
    from = at;
    kind = undefined;
  };
  let at = 0;
  for (const character of text) {
    if (oneSpaceless.test(character)) {
      end(at);
      kind = "spaceless";
    } else if (!(kind === "spaceless" && oneMark.test(character))) {
      const isWord = oneInWord.test(character);
      if (kind !== "word" || !isWord) end(at);
      if (isWord) kind = "word";
    }
    at += character.length;
  }
  end(at);
  return tokens;
}

/**
 * The tokens of a text, in order.
 * @throws INVALID_PARAMETER for an unknown mode.
 * Source: rouge_score 0.1.2, tokenize.py (mode `google`).
 */
export function tokenize(text: string, options: TokenizeOptions = {}): string[] {
  const { mode = "google" } = options;
  if (!rougeModes.includes(mode)) {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "mode",
      value: String(mode),
      expected: rougeModes.join(" or "),
    });
  }
  const tokens: string[] =
    mode === "unicode" ? unicodeTokens(fold(text)) : (text.toLowerCase().match(asciiToken) ?? []);
  if (!options.stemmer) return tokens;
  const stems = new Map<string, string>();
  return tokens.map((token) => {
    if (token.length <= 3 || !onlyAscii.test(token)) return token;
    let stem = stems.get(token);
    if (stem === undefined) {
      stem = porterStem(token);
      stems.set(token, stem);
    }
    return stem;
  });
}
