// Pegasus's tokenizer: SentencePiece ids moved up by an offset, with pre-training tokens below it.
// Source: transformers 4.57, PegasusTokenizer (the slow one, which the model's ids come from).
import { BridleError } from "../../errors/error.js";
import { type AddedToken, createSplitter, tokensWithin } from "./added-tokens.js";
import type { SentencePiece } from "./sentencepiece.js";
import {
  checkTexts,
  cleanUpSpaces,
  encodeBatch,
  isPythonSpace,
  stripPython,
  type Token,
  type Tokenizer,
  tooManyTokens,
} from "./tokenizer.js";

export interface PegasusTokenizerConfig {
  readonly offset: number;
  readonly padToken: string;
  readonly eosToken: string;
  readonly unkToken: string;
  readonly maskToken: string;
  /** undefined where the vocabulary has no pre-training tokens (offset 0). */
  readonly maskTokenSent: string | undefined;
  readonly modelMaxLength: number;
  readonly cleanUpTokenizationSpaces: boolean;
  /** Tokens beyond the class's own. */
  readonly added: readonly AddedToken[];
}

function ownTokens(config: PegasusTokenizerConfig, sentencePiece: SentencePiece): AddedToken[] {
  const names = [config.padToken, config.eosToken];
  if (config.maskTokenSent !== undefined) names.push(config.maskTokenSent, config.maskToken);
  for (let i = 2; i < config.offset; i++) names.push(`<unk_${i}>`);
  const plain = { lstrip: false, rstrip: false, special: true };
  const tokens = names.map((content, id) => ({ id, content, ...plain }));
  const unknown = sentencePiece.idOf(config.unkToken) + config.offset;
  return [...tokens, { id: unknown, content: config.unkToken, ...plain }];
}

/** @param file named in errors @throws TOKENIZER_INVALID when two added tokens share an id */
export function createPegasusTokenizer(
  sentencePiece: SentencePiece,
  config: PegasusTokenizerConfig,
  file: string,
): Tokenizer {
  const { offset } = config;
  const tokens = new Map<string, AddedToken>();
  const byId = new Map<number, AddedToken>();
  // The file's own tokens first, because the class's go before them where both name an id.
  for (const token of [...config.added, ...ownTokens(config, sentencePiece)]) {
    const before = byId.get(token.id);
    if (before !== undefined) tokens.delete(before.content);
    tokens.set(token.content, token);
    byId.set(token.id, token);
  }
  const vocabSize = sentencePiece.size + offset;
  for (const { id, content } of tokens.values()) {
    if (!Number.isSafeInteger(id) || id < 0 || content === "") {
      throw new BridleError("TOKENIZER_INVALID", {
        file,
        reason: `the added token ${JSON.stringify(content)} has the id ${id}`,
      });
    }
  }
  const special = new Set(
    [...tokens.values()].filter((token) => token.special).map(({ content }) => content),
  );
  const split = createSplitter([...tokens.values()], isPythonSpace);
  const eosTokenId =
    tokens.get(config.eosToken)?.id ?? sentencePiece.idOf(config.eosToken) + offset;

  const idOfPiece = (piece: string) => tokens.get(piece)?.id ?? sentencePiece.idOf(piece) + offset;

  const tokenizer: Tokenizer = {
    vocabSize: [...byId.keys()].reduce((most, id) => Math.max(most, id + 1), vocabSize),
    padTokenId: tokens.get(config.padToken)?.id ?? 0,
    eosTokenId,
    unkTokenId: sentencePiece.unknownId + offset,
    specialTokenIds: [...tokens.values()].filter((token) => token.special).map(({ id }) => id),
    modelMaxLength: config.modelMaxLength,
    cleanUpTokenizationSpaces: config.cleanUpTokenizationSpaces,
    encode(text, { addSpecialTokens = true, pair } = {}) {
      const texts = pair === undefined ? [text] : [text, pair];
      checkTexts(texts);
      const ids: number[] = [];
      for (const { part, token } of texts.flatMap(split)) {
        if (token !== undefined) ids.push(token.id);
        else for (const { piece } of sentencePiece.encode(part)) ids.push(idOfPiece(piece));
      }
      if (addSpecialTokens) ids.push(eosTokenId);
      return ids;
    },
    tokenize(text, { addSpecialTokens = true } = {}) {
      checkTexts([text]);
      const found: Token[] = [];
      for (const { part, token, start } of split(text)) {
        if (token !== undefined) {
          found.push({ id: token.id, token: part, start, end: start + part.length });
        } else {
          for (const placed of sentencePiece.encodePlaced(part)) {
            found.push({
              id: idOfPiece(placed.piece),
              token: placed.piece,
              start: start + placed.start,
              end: start + placed.end,
            });
          }
        }
      }
      if (addSpecialTokens) {
        const end = text.length;
        found.push({ id: eosTokenId, token: tokenizer.tokenOf(eosTokenId), start: end, end });
      }
      return found;
    },
    tokenOf(id) {
      const added = byId.get(id);
      if (added !== undefined) return added.content;
      if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
        throw new BridleError("INVALID_PARAMETER", {
          parameter: "token id",
          value: id,
          expected: `from 0 to ${vocabSize - 1}`,
        });
      }
      return sentencePiece.pieceOf(id < offset ? id : id - offset);
    },
    decode(
      ids,
      {
        skipSpecialTokens = false,
        cleanUpTokenizationSpaces = config.cleanUpTokenizationSpaces,
      } = {},
    ) {
      const texts: string[] = [];
      let part: string[] = [];
      const flush = () => {
        if (part.length > 0) {
          const text = toText(part);
          if (text !== "") texts.push(text);
        }
        part = [];
      };
      for (const id of ids) {
        const token = tokenizer.tokenOf(id);
        if (special.has(token) && skipSpecialTokens) continue;
        // Tokens beyond the vocabulary stand apart, as do those that are not special.
        if (tokens.has(token) && (id >= vocabSize || !special.has(token))) {
          flush();
          texts.push(token);
        } else part.push(token);
      }
      flush();
      const text = texts.join(" ");
      return cleanUpTokenizationSpaces ? cleanUpSpaces(text) : text;
    },
    encodeBatch: (texts, options = {}) => encodeBatch(tokenizer, texts, options),
    within(rows) {
      if (tokenizer.vocabSize <= rows) return tokenizer;
      if (vocabSize > rows) throw tooManyTokens(file, vocabSize, rows);
      const added = tokensWithin(config.added, rows);
      return createPegasusTokenizer(sentencePiece, { ...config, added }, file);
    },
  };

  /** Special tokens as they are, the runs between them through SentencePiece. */
  function toText(sequence: readonly string[]): string {
    let text = "";
    let pieces: string[] = [];
    for (const token of sequence) {
      if (special.has(token)) {
        text += sentencePiece.decode(pieces) + token;
        pieces = [];
      } else pieces.push(token);
    }
    return stripPython(text + sentencePiece.decode(pieces));
  }
  return tokenizer;
}
