// What `bridle tokenize` makes of one text: its tokens with padding and truncation, and how they are shown.
import type { Token, Tokenizer } from "../text/tokenizers/tokenizer.js";
import { printLine, type Terminal } from "./terminal.js";

/** The options that say how a text is encoded. */
export interface EncodingFlags {
  readonly count?: boolean;
  readonly truncation?: boolean;
  readonly maxLength?: number;
  readonly padding?: "longest" | "max-length";
  readonly padToMultipleOf?: number;
  /** `--no-special-tokens` */
  readonly specialTokens: boolean;
}

export interface Encoded {
  /** Tokens of the whole text. */
  readonly count: number;
  readonly truncated: boolean;
  /** Those that are left, without padding. */
  readonly tokens: readonly Token[];
  readonly ids: readonly number[];
  readonly attentionMask: readonly number[];
  readonly limit: number;
}

/** @throws INVALID_PARAMETER for lengths that contradict each other */
export function encodeText(tokenizer: Tokenizer, text: string, flags: EncodingFlags): Encoded {
  const { specialTokens: addSpecialTokens, maxLength, padding, padToMultipleOf } = flags;
  const pads = padding === "longest" || padToMultipleOf !== undefined;
  const { inputIds, attentionMask } = tokenizer.encodeBatch([text], {
    addSpecialTokens,
    truncation: flags.truncation === true,
    padding: padding === "max-length" ? "maxLength" : pads,
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(padToMultipleOf === undefined ? {} : { padToMultipleOf }),
  });
  const [ids = [], mask = []] = [inputIds[0], attentionMask[0]];
  const all = tokenizer.tokenize(text, { addSpecialTokens });
  const kept = mask.filter((use) => use === 1).length;
  const truncated = kept < all.length;
  // What is cut goes from before the end token.
  const tokens =
    truncated && addSpecialTokens
      ? [...all.slice(0, kept - 1), ...all.slice(-1)]
      : all.slice(0, kept);
  const limit = maxLength ?? tokenizer.modelMaxLength;
  return { count: all.length, truncated, tokens, ids, attentionMask: mask, limit };
}

export function toJson(encoded: Encoded, countOnly: boolean): Record<string, unknown> {
  const { count, truncated, tokens, ids, attentionMask, limit } = encoded;
  const numbers = { count, limit: Number.isFinite(limit) ? limit : null };
  return countOnly ? numbers : { ...numbers, truncated, ids, attentionMask, tokens };
}

/** A line for each token, and one with the counts. */
export async function printTokens(
  terminal: Terminal,
  text: string,
  encoded: Encoded,
): Promise<void> {
  const { tokens, ids, count, truncated, limit } = encoded;
  const wide = String(text.length).length;
  for (const { id, token, start, end } of tokens) {
    const place = `${String(start).padStart(wide)}–${String(end).padEnd(wide)}`;
    await printLine(terminal, `${String(id).padStart(7)}  ${place}  ${visible(token)}`);
  }
  const padded = ids.length - tokens.length;
  const said = [
    `${count} tokens`,
    `${text.length} characters`,
    ...(truncated ? [`cut to ${tokens.length}`] : []),
    ...(padded > 0 ? [`filled up to ${ids.length}`] : []),
    ...(Number.isFinite(limit) && count > limit && !truncated
      ? [`more than the model's ${limit}`]
      : []),
  ];
  await printLine(terminal, said.join(", "));
}

/** A piece on one line of a terminal. */
const visible = (token: string) => {
  const quoted = JSON.stringify(token);
  return quoted.slice(1, -1) === token ? token : quoted;
};
