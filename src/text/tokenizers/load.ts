// Opens a model folder's tokenizer: spiece.model, or what a tokenizer.json says of it.
import { join } from "node:path";
import { BridleError } from "../../errors/error.js";
import type { AddedToken } from "./added-tokens.js";
import { isBartFolder, openBartTokenizer } from "./load-bart.js";
import { isT5Folder, openT5Tokenizer } from "./load-t5.js";
import { createPegasusTokenizer, type PegasusTokenizerConfig } from "./pegasus-tokenizer.js";
import { createSentencePiece, type SentencePiece } from "./sentencepiece.js";
import {
  checkBytePieces,
  defaultUnknownSurface,
  indexPieces,
  type Piece,
  pieceTypes,
  readSentencePieceModel,
  type SentencePieceModel,
} from "./sentencepiece-model.js";
import type { Tokenizer } from "./tokenizer.js";
import {
  classOf,
  type Json,
  modelKind,
  moreSpecialTokens,
  parse,
  readOptional,
  readOptionalJson,
  readPreparation,
  readSettings,
  tokensOfConfig,
  tokensOfConverted,
  tokensOfLegacyFile,
} from "./tokenizer-files.js";

/** Pre-training tokens below the vocabulary; published models have 103. */
const largestOffset = 100_000;

/** Pegasus's; BART's and T5's are told by files of their own. */
const classes = new Set(["PegasusTokenizer", "PegasusTokenizerFast"]);

function readConfig(
  file: string,
  own: Json,
  map: Json,
  added: readonly AddedToken[],
): PegasusTokenizerConfig {
  const named = classOf(own);
  if (named !== undefined && !classes.has(named)) {
    throw new BridleError("TOKENIZER_INVALID", {
      file,
      reason: `its class is ${named}, which is not supported`,
    });
  }
  const settings = readSettings(file, own, map);
  const { offset = 103, clean_up_tokenization_spaces: clean } = own;
  if (
    typeof offset !== "number" ||
    !Number.isInteger(offset) ||
    offset < 0 ||
    offset > largestOffset
  ) {
    throw settings.wrong("offset", offset);
  }
  return {
    offset,
    padToken: settings.token("pad_token", "<pad>"),
    eosToken: settings.token("eos_token", "</s>"),
    unkToken: settings.token("unk_token", "<unk>"),
    maskToken: settings.token("mask_token", "<mask_2>"),
    maskTokenSent:
      own.mask_token_sent === null ? undefined : settings.token("mask_token_sent", "<mask_1>"),
    modelMaxLength: settings.modelMaxLength(),
    cleanUpTokenizationSpaces: clean === true,
    added: [...added, ...tokensOfConfig(file, own.added_tokens_decoder)],
  };
}

/**
 * The SentencePiece model that a converted tokenizer.json came from. Ids below the offset are Pegasus's own;
 * a score of 0 marks a user-defined piece, because learned pieces have the logarithm of a probability below 1.
 */
function fromTokenizerJson(
  file: string,
  json: Json,
  config: PegasusTokenizerConfig,
): SentencePieceModel {
  const invalid = (reason: string) => new BridleError("TOKENIZER_INVALID", { file, reason });
  const model = (json.model ?? {}) as Json;
  const kind = modelKind(json);
  if (kind !== "Unigram") throw invalid(`its model is ${kind}, not Unigram`);
  const byteFallback = model.byte_fallback === true;
  const { vocab, unk_id: unknown } = model;
  if (!Array.isArray(vocab) || typeof unknown !== "number")
    throw invalid("its model has no vocab or unk_id");
  const unknownId = unknown - config.offset;
  const own = new Set([config.padToken, config.eosToken]);
  const pieces: Piece[] = [];
  for (const [id, entry] of vocab.entries()) {
    if (id < config.offset) continue;
    const [piece, score] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (
      typeof piece !== "string" ||
      piece === "" ||
      typeof score !== "number" ||
      !Number.isFinite(score)
    ) {
      throw invalid(`vocab entry ${id} is no pair of piece and score`);
    }
    const reserved = own.has(piece) || /^<unk_\d+>$/.test(piece);
    let type: number = pieceTypes.normal;
    if (id === unknown) type = pieceTypes.unknown;
    else if (reserved) type = pieceTypes.control;
    else if (byteFallback && /^<0x[0-9A-F]{2}>$/.test(piece)) type = pieceTypes.byte;
    else if (score === 0) type = pieceTypes.userDefined;
    pieces.push({ piece, score: Math.fround(score), type });
  }
  if (pieces[unknownId] === undefined) throw invalid(`its unk_id ${unknown} is no piece`);
  const trie = indexPieces(pieces, invalid);
  if (byteFallback) checkBytePieces(pieces, invalid);
  const precompiledCharsmap = readPreparation(file, json);
  return {
    pieces,
    trie,
    unknownId,
    unknownSurface: defaultUnknownSurface,
    byteFallback,
    denormalizer: undefined,
    normalizer: {
      precompiledCharsmap,
      addDummyPrefix: true,
      removeExtraWhitespaces: true,
      escapeWhitespaces: true,
      whitespaceAsSuffix: false,
    },
  };
}

/**
 * Tokens of a tokenizer.json beyond its vocabulary. Those within it are SentencePiece's own pieces, which the
 * conversion lists besides, and with which it takes other ids than SentencePiece.
 */
function beyondVocabulary(json: Json, tokens: readonly AddedToken[]): AddedToken[] {
  const { vocab } = (json.model ?? {}) as Json;
  const size = Array.isArray(vocab) ? vocab.length : 0;
  return tokens.filter(({ id }) => id >= size);
}

/**
 * A spiece.model by itself.
 * @throws TOKENIZER_INVALID, PROTOBUF_CORRUPT; TOKENIZER_NOT_FOUND when the file is absent
 */
export async function loadSentencePiece(file: string): Promise<SentencePiece> {
  const bytes = await readOptional(file);
  if (bytes === undefined) throw new BridleError("TOKENIZER_NOT_FOUND", { folder: file });
  return createSentencePiece(readSentencePieceModel(bytes, file), file);
}

/**
 * The tokenizer of a model folder. `spiece.model` goes before `tokenizer.json`: the ids a model was trained on are
 * SentencePiece's, and where the converted file differs from it, it is the converted file that is wrong.
 * @throws TOKENIZER_INVALID naming the file and what is wrong with it; TOKENIZER_NOT_FOUND
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const configFile = join(folder, "tokenizer_config.json");
  const own = await readOptionalJson(configFile);
  const map = await readOptionalJson(join(folder, "special_tokens_map.json"));
  const converted = join(folder, "tokenizer.json");
  const bytes = await readOptional(converted);
  const json = bytes === undefined ? {} : parse(converted, bytes);
  const spiece = join(folder, "spiece.model");
  const spieceBytes = await readOptional(spiece);
  const files = { converted: bytes && json, hasSpiece: spieceBytes !== undefined };
  if (await isBartFolder(folder, own, files)) {
    return openBartTokenizer(folder, { own, map, converted: bytes && json });
  }
  if (await isT5Folder(own, () => readOptionalJson(join(folder, "config.json")))) {
    return openT5Tokenizer(folder, { own, map, converted: bytes && json, spiece: spieceBytes });
  }
  const legacy = join(folder, "added_tokens.json");
  // Where files disagree on an id the later one goes before.
  const config = readConfig(configFile, own, map, [
    ...tokensOfLegacyFile(legacy, await readOptionalJson(legacy), moreSpecialTokens(own, map)),
    ...beyondVocabulary(json, tokensOfConverted(converted, json)),
  ]);
  if (spieceBytes !== undefined) {
    const model = readSentencePieceModel(spieceBytes, spiece);
    return createPegasusTokenizer(createSentencePiece(model, spiece), config, spiece);
  }
  if (bytes === undefined) throw new BridleError("TOKENIZER_NOT_FOUND", { folder });
  const model = fromTokenizerJson(converted, json, config);
  return createPegasusTokenizer(createSentencePiece(model, converted), config, converted);
}
