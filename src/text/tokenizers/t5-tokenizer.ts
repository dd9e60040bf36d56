// T5's tokenizer: words cut at white space, each by a Unigram vocabulary, and an end token after each text.
// Source: transformers 5.24, T5Tokenizer on tokenizers 0.23 (Precompiled, WhitespaceSplit, Metaspace, Unigram).
import { BridleError } from "../../errors/error.js";
import { type AddedToken, createSplitter, type TextPart, tokensWithin } from "./added-tokens.js";
import { createGraphemeNormalizer } from "./grapheme-normalizer.js";
import { spaceSymbol } from "./normalizer.js";
import type { PieceTrie } from "./piece-trie.js";
import { bytePiece, pieceTypes } from "./sentencepiece-model.js";
import {
  checkTexts,
  cleanUpSpaces,
  encodeBatch,
  isWhiteSpace,
  type Token,
  type Tokenizer,
  tooManyTokens,
} from "./tokenizer.js";
import { createUnigram } from "./unigram.js";

export interface T5Vocabulary {
  /** Every piece by its id, with its score. */
  readonly pieces: readonly { readonly piece: string; readonly score: number }[];
  /** Over all of the pieces. */
  readonly trie: PieceTrie;
  readonly unknownId: number;
  readonly precompiledCharsmap: Uint8Array;
  /** Writes characters that are in no piece as the bytes of their UTF-8. */
  readonly byteFallback: boolean;
}

export interface T5TokenizerConfig {
  readonly eosToken: string;
  readonly padToken: string;
  readonly unkToken: string;
  readonly modelMaxLength: number;
  readonly cleanUpTokenizationSpaces: boolean;
  readonly added: readonly AddedToken[];
}

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** @param file named in errors @throws TOKENIZER_INVALID when a special token has no id, or a table is damaged */
export function createT5Tokenizer(
  { pieces, trie, unknownId, precompiledCharsmap, byteFallback }: T5Vocabulary,
  config: T5TokenizerConfig,
  file: string,
): Tokenizer {
  const byContent = new Map(config.added.map((token) => [token.content, token]));
  const idOf = (name: string, content: string): number => {
    const added = byContent.get(content)?.id;
    if (added !== undefined) return added;
    const id = trie.find(content);
    if (id >= 0) return id;
    const reason = `its ${name} ${JSON.stringify(content)} is not in the vocabulary`;
    throw new BridleError("TOKENIZER_INVALID", { file, reason });
  };
  const own = Object.entries({
    eos_token: config.eosToken,
    pad_token: config.padToken,
    unk_token: config.unkToken,
  }).map(([name, content]) => ({
    ...{ id: idOf(name, content), content },
    ...{ lstrip: false, rstrip: false, special: true },
  }));
  const [eosTokenId, padTokenId, unkTokenId] = own.map(({ id }) => id) as [number, number, number];
  const tokens = new Map([...config.added, ...own].map((token) => [token.content, token]));
  const byId = new Map([...tokens.values()].map((token) => [token.id, token]));
  const split = createSplitter([...tokens.values()], isWhiteSpace);
  const vocabSize = [...byId.keys()].reduce((most, id) => Math.max(most, id + 1), pieces.length);
  const normalizer = createGraphemeNormalizer(precompiledCharsmap, file);
  const unigram = createUnigram(
    pieces.map(({ piece, score }) => ({ piece, score, type: pieceTypes.normal })),
    trie,
    unknownId,
    { precision: "double" },
  );
  const byteIds = Array.from({ length: 256 }, (_, byte) => {
    const id = trie.find(bytePiece(byte));
    return id < 0 ? unknownId : id;
  });
  const bytes = new Map(byteFallback ? byteIds.map((id, byte) => [id, byte]) : []);

  /** Tokens of a character run that no piece has: the unknown one, or those of its bytes. */
  function* unknownRun(text: string, start: number): Generator<Token> {
    if (!byteFallback) {
      yield { id: unknownId, token: text, start, end: start + text.length };
      return;
    }
    let at = start;
    for (const character of text) {
      const parts = [...utf8Encoder.encode(character)];
      for (const [i, byte] of parts.entries()) {
        const end = i === parts.length - 1 ? at + character.length : at;
        yield { id: byteIds[byte] as number, token: bytePiece(byte), start: at, end };
      }
      at += character.length;
    }
  }

  /** Tokens of a word of normalized text, with places in that text. */
  function* cutWord(word: string, start: number): Generator<Token> {
    const extra = word.startsWith(spaceSymbol) ? 0 : 1;
    let from = start - extra;
    for (const piece of `${extra > 0 ? spaceSymbol : ""}${word}`.split(pieceBorder)) {
      for (const { id, ...place } of unigram.cut(piece)) {
        const token = piece.slice(place.start, place.end);
        const at = Math.max(start, from + place.start);
        const end = Math.max(start, from + place.end);
        if (id === unknownId) yield* unknownRun(token, at);
        else yield { id, token, start: at, end };
      }
      from += piece.length;
    }
  }

  function* encodeRun({ part, token, start }: TextPart): Generator<Token> {
    if (token !== undefined) {
      yield { id: token.id, token: part, start, end: start + part.length };
      return;
    }
    const { text, origins } = normalizer.align(part);
    const placeOf = (at: number) => start + (origins[at] as number);
    for (const { 0: word, index } of text.matchAll(words)) {
      for (const cut of cutWord(word, index))
        yield { ...cut, start: placeOf(cut.start), end: placeOf(cut.end) };
    }
  }

  const encodeText = (text: string): Token[] => split(text).flatMap((part) => [...encodeRun(part)]);
  const idsOf = (text: string): number[] => encodeText(text).map(({ id }) => id);

  /** What an id stands for; undefined for those that a model's table has beyond the vocabulary. */
  const findToken = (id: number) => byId.get(id)?.content ?? pieces[id]?.piece;

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
      const end = addSpecialTokens ? [eosTokenId] : [];
      return [...idsOf(text), ...end, ...(pair === undefined ? [] : [...idsOf(pair), ...end])];
    },
    tokenize(text, { addSpecialTokens = true } = {}) {
      checkTexts([text]);
      const end = { id: eosTokenId, token: config.eosToken, start: text.length, end: text.length };
      return [...encodeText(text), ...(addSpecialTokens ? [end] : [])];
    },
    tokenOf(id) {
      const token = findToken(id);
      if (token !== undefined) return token;
      throw new BridleError("INVALID_PARAMETER", {
        parameter: "token id",
        value: id,
        expected: `from 0 to ${vocabSize - 1}`,
      });
    },
    decode(
      sequence,
      {
        skipSpecialTokens = false,
        cleanUpTokenizationSpaces = config.cleanUpTokenizationSpaces,
      } = {},
    ) {
      let text = "";
      let held: number[] = [];
      let isFirst = true;
      const flush = () => {
        text += utf8Decoder.decode(Uint8Array.from(held));
        held = [];
      };
      for (const id of sequence) {
        if (skipSpecialTokens && byId.get(id)?.special) continue;
        // Tables of models are rounded up beyond the vocabulary; what they have there says nothing.
        const token = Number.isInteger(id) && id >= vocabSize ? "" : tokenizer.tokenOf(id);
        const byte = bytes.get(id);
        if (byte !== undefined) held.push(byte);
        else {
          flush();
          text += token.replaceAll(spaceSymbol, isFirst ? "" : " ");
        }
        isFirst &&= token === "";
      }
      flush();
      return cleanUpTokenizationSpaces ? cleanUpSpaces(text) : text;
    },
    encodeBatch: (texts, options = {}) => encodeBatch(tokenizer, texts, options),
    within(rows) {
      if (vocabSize <= rows) return tokenizer;
      if (pieces.length > rows) throw tooManyTokens(file, pieces.length, rows);
      const vocabulary = { pieces, trie, unknownId, precompiledCharsmap, byteFallback };
      return createT5Tokenizer(
        vocabulary,
        { ...config, added: tokensWithin(config.added, rows) },
        file,
      );
    },
  };
  return tokenizer;
}

/** Runs without white space. */
const words = /\P{White_Space}+/gu;

/** Every mark of a space begins a piece of its own. */
const pieceBorder = new RegExp(`(?=${spaceSymbol})`, "u");
