// BART's tokenizer: byte-level BPE between a start and an end token.
// Source: transformers 5.23, RobertaTokenizer on tokenizers 0.23 (ByteLevel, RobertaProcessing).
import { BridleError } from "../../errors/error.js";
import { type AddedToken, createSplitter, type TextPart, tokensWithin } from "./added-tokens.js";
import type { ByteLevelBpe } from "./byte-level-bpe.js";
import {
  checkTexts,
  cleanUpSpaces,
  encodeBatch,
  isWhiteSpace,
  type Token,
  type Tokenizer,
  tooManyTokens,
} from "./tokenizer.js";

export interface BartTokenizerConfig {
  readonly bosToken: string;
  readonly eosToken: string;
  readonly padToken: string;
  readonly unkToken: string;
  readonly modelMaxLength: number;
  readonly cleanUpTokenizationSpaces: boolean;
  /** Whether spaces are cleaned up at all, whoever asks for it: what is written in bytes means its spaces. */
  readonly mayCleanUp: boolean;
  /** Puts a space before a text that begins without one, so that its first word is one like others. */
  readonly addPrefixSpace: boolean;
  readonly added: readonly AddedToken[];
  /** Rows of the model's tables, where they may be fewer than there are tokens. */
  readonly rows?: number;
}

/** @param file named in errors @throws TOKENIZER_INVALID when a special token has no id */
export function createBartTokenizer(
  bpe: ByteLevelBpe,
  config: BartTokenizerConfig,
  file: string,
): Tokenizer {
  const byContent = new Map(config.added.map((token) => [token.content, token]));
  const idOf = (name: string, content: string): number => {
    const id = byContent.get(content)?.id ?? bpe.idOf(content);
    if (id !== undefined) return id;
    const reason = `its ${name} ${JSON.stringify(content)} is not in the vocabulary`;
    throw new BridleError("TOKENIZER_INVALID", { file, reason });
  };
  const bosTokenId = idOf("bos_token", config.bosToken);
  const eosTokenId = idOf("eos_token", config.eosToken);
  const padTokenId = idOf("pad_token", config.padToken);
  const unkTokenId = idOf("unk_token", config.unkToken);
  const own = [
    ...[config.bosToken, config.eosToken, config.padToken, config.unkToken].map((content) => ({
      ...{ id: idOf("token", content), content },
      ...{ lstrip: false, rstrip: false, special: true },
    })),
  ];
  const tokens = new Map([...own, ...config.added].map((token) => [token.content, token]));
  const byId = new Map([...tokens.values()].map((token) => [token.id, token]));
  const split = createSplitter([...tokens.values()], isWhiteSpace);
  const named = [...byId.keys()].reduce((most, id) => Math.max(most, id + 1), 0);
  const { rows = Number.POSITIVE_INFINITY } = config;
  if (Math.max(named, bpe.reach) > rows)
    throw tooManyTokens(file, Math.max(named, bpe.reach), rows);
  const vocabSize = Math.min(Math.max(named, bpe.size), rows);

  /** A run with the space that is put before it, and how many of its bytes are that space. */
  function prefixed(part: string): { text: string; extra: number } {
    const adds = config.addPrefixSpace && !part.startsWith(" ");
    return { text: adds ? ` ${part}` : part, extra: adds ? 1 : 0 };
  }

  function encodeRun({ part, token }: TextPart): readonly number[] {
    if (token !== undefined) return [token.id];
    return bpe.encode(prefixed(part).text).map(({ id }) => id);
  }

  /** A run's tokens with their places in UTF-16 units; one that is a part of a character stands for all of it. */
  function placeRun({ part, token, start }: TextPart): Token[] {
    if (token !== undefined) {
      return [{ id: token.id, token: part, start, end: start + part.length }];
    }
    const { text, extra } = prefixed(part);
    const [starts, ends] = unitsOfBytes(part);
    const inText = (byte: number) => Math.min(Math.max(byte - extra, 0), starts.length - 1);
    return bpe.encode(text).map(({ id, startByte, endByte }) => ({
      id,
      token: bpe.pieceOf(id) as string,
      start: start + (starts[inText(startByte)] as number),
      end: start + (endByte <= extra ? 0 : (ends[inText(endByte - 1)] as number)),
    }));
  }

  const tokenizer: Tokenizer = {
    vocabSize,
    padTokenId,
    eosTokenId,
    unkTokenId,
    specialTokenIds: [...byId.values()]
      .filter(({ special }) => special)
      .map(({ id }) => id)
      .sort((a, b) => a - b),
    modelMaxLength: config.modelMaxLength,
    cleanUpTokenizationSpaces: config.cleanUpTokenizationSpaces,
    encode(text, { addSpecialTokens = true, pair } = {}) {
      checkTexts(pair === undefined ? [text] : [text, pair]);
      const ids = split(text).flatMap(encodeRun);
      const second = pair === undefined ? [] : split(pair).flatMap(encodeRun);
      if (!addSpecialTokens) return [...ids, ...second];
      const more = pair === undefined ? [] : [eosTokenId, ...second, eosTokenId];
      return [bosTokenId, ...ids, eosTokenId, ...more];
    },
    tokenize(text, { addSpecialTokens = true } = {}) {
      checkTexts([text]);
      const found = split(text).flatMap(placeRun);
      if (!addSpecialTokens) return found;
      const mark = (id: number, at: number) => ({
        ...{ id, token: tokenizer.tokenOf(id) },
        ...{ start: at, end: at },
      });
      return [mark(bosTokenId, 0), ...found, mark(eosTokenId, text.length)];
    },
    tokenOf(id) {
      const token = byId.get(id)?.content ?? bpe.pieceOf(id);
      if (token !== undefined && id < vocabSize) return token;
      throw new BridleError("INVALID_PARAMETER", {
        parameter: "token id",
        value: id,
        expected: `from 0 to ${vocabSize - 1}`,
      });
    },
    decode(
      ids,
      {
        skipSpecialTokens = false,
        cleanUpTokenizationSpaces = config.cleanUpTokenizationSpaces,
      } = {},
    ) {
      const bytes = ids.flatMap((id) => {
        if (skipSpecialTokens && byId.get(id)?.special) return [];
        // Tables of models are rounded up: what is beyond the vocabulary stands for no text.
        if (Number.isInteger(id) && id >= vocabSize) return [];
        return [...bpe.bytesOf(tokenizer.tokenOf(id))];
      });
      const text = utf8.decode(Uint8Array.from(bytes));
      return config.mayCleanUp && cleanUpTokenizationSpaces ? cleanUpSpaces(text) : text;
    },
    encodeBatch: (texts, options = {}) => encodeBatch(tokenizer, texts, options),
    within: (rows) =>
      vocabSize <= rows
        ? tokenizer
        : createBartTokenizer(
            bpe,
            { ...config, rows, added: tokensWithin(config.added, rows) },
            file,
          ),
  };
  return tokenizer;
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** For each byte of a text's UTF-8, where the character it belongs to starts and ends, in UTF-16 units. */
function unitsOfBytes(text: string): [starts: number[], ends: number[]] {
  const starts: number[] = [];
  const ends: number[] = [];
  let unit = 0;
  for (const character of text) {
    for (let byte = Buffer.byteLength(character); byte > 0; byte--) {
      starts.push(unit);
      ends.push(unit + character.length);
    }
    unit += character.length;
  }
  return [starts, ends];
}
