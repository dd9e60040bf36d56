// What every tokenizer does: text to token ids and back, with padding and truncation as transformers names them.
import { BridleError } from "../../errors/error.js";

export interface EncodeOptions {
  /** Adds the tokens that stand around a text, such as the end token; true unless said. */
  readonly addSpecialTokens?: boolean;
  /** A second text, joined to the first as the model's own pairs are. */
  readonly pair?: string;
}

export interface DecodeOptions {
  /** Leaves special tokens out; false unless said. */
  readonly skipSpecialTokens?: boolean;
  /** Takes out spaces before punctuation; as the tokenizer's own config says unless said. */
  readonly cleanUpTokenizationSpaces?: boolean;
}

export interface BatchOptions extends Omit<EncodeOptions, "pair"> {
  /** `longest` (or true) to the longest text, `maxLength` to maxLength. */
  readonly padding?: boolean | "longest" | "maxLength" | "doNotPad";
  /** Pads to a multiple of this. */
  readonly padToMultipleOf?: number;
  /** Cuts at maxLength, which is the tokenizer's modelMaxLength unless said. Nothing is cut unless this is true. */
  readonly truncation?: boolean | "longestFirst" | "onlyFirst" | "doNotTruncate";
  readonly maxLength?: number;
}

export interface Encoding {
  readonly inputIds: number[][];
  /** 1 for a token, 0 for padding. */
  readonly attentionMask: number[][];
}

/** One token of a text, and the part of the text that it stands for, in UTF-16 units. */
export interface Token {
  readonly id: number;
  /** As `tokenOf` names it; of an unknown piece its own characters. */
  readonly token: string;
  readonly start: number;
  readonly end: number;
}

export interface Tokenizer {
  readonly vocabSize: number;
  readonly padTokenId: number;
  readonly eosTokenId: number;
  readonly unkTokenId: number;
  readonly specialTokenIds: readonly number[];
  /** Longest input the model was made for, in tokens; infinite where nothing is said. */
  readonly modelMaxLength: number;
  /** Whether `decode` takes out spaces before punctuation unless told otherwise. */
  readonly cleanUpTokenizationSpaces: boolean;
  encode(text: string, options?: EncodeOptions): number[];
  /** The same tokens with their places. Added tokens, such as the end token, stand at no width. */
  tokenize(text: string, options?: EncodeOptions): Token[];
  /** @throws INVALID_PARAMETER naming the id when it is outside the vocabulary. */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  tokenOf(id: number): string;
  /** @throws INVALID_PARAMETER for lengths that contradict each other. */
  encodeBatch(texts: readonly string[], options?: BatchOptions): Encoding;
  /**
   * The tokenizer of a model whose tables have so many rows. Added tokens beyond them are text as any other, such as the mask token of
   * BART models that were fine-tuned without it.
   * @throws TOKENIZER_INVALID where text would come to other ids beyond them
   */
  within(rows: number): Tokenizer;
}

/** What is wrong with a tokenizer whose tokens a model lacks. @param size how many it has, without added ones */
export function tooManyTokens(file: string, size: number, rows: number): BridleError {
  const reason = `it has ${size} tokens, the model ${rows}`;
  return new BridleError("TOKENIZER_INVALID", { file, reason });
}

function checkChoice(parameter: string, value: unknown, choices: readonly unknown[]): void {
  if (choices.includes(value)) return;
  throw new BridleError("INVALID_PARAMETER", {
    parameter,
    value: JSON.stringify(value) ?? "undefined",
    expected: `one of ${choices.join(", ")}`,
  });
}

/** @throws INVALID_PARAMETER for what is no text */
export function checkTexts(texts: readonly unknown[]): void {
  const bad = Array.isArray(texts) ? texts.find((text) => typeof text !== "string") : texts;
  if (Array.isArray(texts) && texts.every((text) => typeof text === "string")) return;
  throw new BridleError("INVALID_PARAMETER", {
    parameter: "text",
    value: JSON.stringify(bad) ?? "undefined",
    expected: "a text, or a list of texts where several are taken",
  });
}

/** Truncation and padding, the same for every tokenizer: right side, the end token kept. */
export function encodeBatch(
  tokenizer: Pick<Tokenizer, "encode" | "padTokenId" | "modelMaxLength">,
  texts: readonly string[],
  options: BatchOptions,
): Encoding {
  const {
    padding = false,
    truncation = false,
    addSpecialTokens = true,
    padToMultipleOf = 1,
    maxLength: _,
    ...unknown
  } = options;
  checkTexts(texts);
  const [odd] = Object.entries(unknown);
  if (odd !== undefined) {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: odd[0],
      value: JSON.stringify(odd[1]) ?? "undefined",
      expected: "left out: no such option exists",
    });
  }
  checkChoice("padding", padding, [true, false, "longest", "maxLength", "doNotPad"]);
  checkChoice("truncation", truncation, [
    ...[true, false],
    ...["longestFirst", "onlyFirst", "doNotTruncate"],
  ]);
  const cut = truncation !== false && truncation !== "doNotTruncate";
  const limit = options.maxLength ?? tokenizer.modelMaxLength;
  const check = (name: string, value: number, least: number) => {
    if (value !== Number.POSITIVE_INFINITY && (!Number.isInteger(value) || value < least)) {
      throw new BridleError("INVALID_PARAMETER", {
        parameter: name,
        value,
        expected: `a whole number from ${least}`,
      });
    }
  };
  check("maxLength", limit, addSpecialTokens ? 1 : 0);
  check("padToMultipleOf", padToMultipleOf, 1);
  const toMaximum = padding === "maxLength";
  if (toMaximum && !Number.isFinite(limit)) {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "maxLength",
      value: "missing",
      expected: "given with padding: maxLength",
    });
  }
  if (cut && toMaximum && padToMultipleOf > 1 && limit % padToMultipleOf !== 0) {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "maxLength",
      value: limit,
      expected: `a multiple of padToMultipleOf, ${padToMultipleOf}`,
    });
  }
  const rows = texts.map((text) => {
    const ids = tokenizer.encode(text, { addSpecialTokens });
    if (!cut || ids.length <= limit) return ids;
    return addSpecialTokens
      ? [...ids.slice(0, limit - 1), ids.at(-1) as number]
      : ids.slice(0, limit);
  });
  if (padding === false || padding === "doNotPad") {
    return { inputIds: rows, attentionMask: rows.map((row) => row.map(() => 1)) };
  }
  const longest = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const wanted = Math.ceil((toMaximum ? limit : longest) / padToMultipleOf) * padToMultipleOf;
  const fill = (row: readonly number[], filler: number) => [
    ...row,
    ...new Array<number>(Math.max(0, wanted - row.length)).fill(filler),
  ];
  return {
    inputIds: rows.map((row) => fill(row, tokenizer.padTokenId)),
    attentionMask: rows.map((row) =>
      fill(
        row.map(() => 1),
        0,
      ),
    ),
  };
}

/** transformers' clean_up_tokenization: spaces before punctuation and English contractions taken out. */
export function cleanUpSpaces(text: string): string {
  return text
    .replaceAll(" .", ".")
    .replaceAll(" ?", "?")
    .replaceAll(" !", "!")
    .replaceAll(" ,", ",")
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");
}

/** The longest of what `cleanUpSpaces` takes for one thing, the space in front included. */
const longestCleanUp = 4;

/**
 * The part of a decoded text that further tokens leave as it is: without characters whose bytes are still to come, and
 * without what cleaning up may yet draw together.
 */
export function settledText(text: string, cleansUp: boolean): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === "\ufffd") end--;
  if (!cleansUp) return text.slice(0, end);
  // What stands before a space that goes may hold the next one that does.
  for (;;) {
    const space = end === 0 ? -1 : text.lastIndexOf(" ", end - 1);
    if (space < 0 || space < end - longestCleanUp) return text.slice(0, end);
    end = space;
  }
}

/** What Python's str.strip() takes off: \s without U+FEFF, with U+0085 and the separators U+001C to U+001F. */
export function isPythonSpace(unit: number): boolean {
  return (unit >= 0x1c && unit <= 0x1f) || isWhiteSpace(unit);
}

/** Unicode's White_Space, by which the tokenizers library strips: \s without U+FEFF, with U+0085. */
export function isWhiteSpace(unit: number): boolean {
  return unit === 0x85 || (unit !== 0xfeff && /\s/u.test(String.fromCharCode(unit)));
}

/** Python's str.strip(). */
export function stripPython(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isPythonSpace(text.charCodeAt(start))) start++;
  while (end > start && isPythonSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}
