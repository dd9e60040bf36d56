// Which strings may be pieces: one word, one script, not too long.
// Source: google/sentencepiece 0.2.3, trainer_interface.cc, IsValidSentencePiece.
import { spaceSymbol } from "../normalizer.js";
import { inheritedScript, scriptOf } from "./scripts.js";
import { unknownSymbol } from "./word-counts.js";

export interface PieceRules {
  /** Longest piece, in characters. */
  readonly maxPieceLength: number;
  /** No piece of two scripts. */
  readonly splitByScript: boolean;
  /** Digits are a script of their own. */
  readonly splitByNumber: boolean;
  /** Every digit is a piece of its own. */
  readonly splitDigits: boolean;
}

const spaceMark = spaceSymbol.codePointAt(0) as number;
const unknownMark = unknownSymbol.codePointAt(0) as number;
const anyScript = -1;

function isDigit(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0xff10 && code <= 0xff19);
}

/** @param codes code points of the string */
export function isValidPiece(codes: readonly number[], rules: PieceRules): boolean {
  if (codes.length === 0 || codes.length > rules.maxPieceLength) return false;
  let before = anyScript;
  for (const [at, code] of codes.entries()) {
    if (code === unknownMark || code === 0 || code === 0x1f || code === 0x20) return false;
    if (code === spaceMark) {
      if (at > 0) return false;
      continue;
    }
    let script = scriptOf(code);
    if (script === inheritedScript) script = before;
    if (isDigit(code)) {
      if (!rules.splitByNumber) script = anyScript;
      if (rules.splitDigits && codes.length > 1) return false;
    }
    const differs = script !== anyScript && before !== anyScript && script !== before;
    if (rules.splitByScript && differs) return false;
    before = script;
  }
  return true;
}
