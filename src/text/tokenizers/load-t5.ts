// Opens the tokenizer of a T5 folder: tokenizer.json, or spiece.model with the tokens that T5 puts after it.
import { join } from "node:path";
import { BridleError } from "../../errors/error.js";
import type { AddedToken } from "./added-tokens.js";
import type { PieceTrie } from "./piece-trie.js";
import {
  checkBytePieces,
  indexPieces,
  pieceTypes,
  readSentencePieceModel,
} from "./sentencepiece-model.js";
import { createT5Tokenizer, type T5Vocabulary } from "./t5-tokenizer.js";
import type { Tokenizer } from "./tokenizer.js";
import {
  checkSurroundings,
  checkWords,
  classOf,
  isByFile,
  type Json,
  modelKind,
  moreSpecialTokens,
  readOptionalJson,
  readPreparation,
  readSettings,
  tokensOfConfig,
  tokensOfConverted,
  tokensOfLegacyFile,
} from "./tokenizer-files.js";

const classes = new Set(
  ["T5", "MT5"].flatMap((name) => [`${name}Tokenizer`, `${name}TokenizerFast`]),
);
const modelTypes = new Set(["t5", "mt5", "umt5"]);

/** Tokens that T5 puts after the vocabulary unless a folder says how many. */
const usualExtraIds = 100;
const mostExtraIds = 100_000;

/** Whether a folder's tokenizer is T5's: by its class, or where older folders name none by the model's type. */
export async function isT5Folder(own: Json, readModel: () => Promise<Json>): Promise<boolean> {
  const named = classOf(own);
  if (named !== undefined) return classes.has(named);
  return own.extra_ids !== undefined || modelTypes.has(String((await readModel()).model_type));
}

interface Files {
  readonly own: Json;
  readonly map: Json;
  readonly converted: Json | undefined;
  readonly spiece: Uint8Array | undefined;
}

/** @throws TOKENIZER_INVALID naming the file and what is wrong with it; TOKENIZER_NOT_FOUND */
export async function openT5Tokenizer(
  folder: string,
  { own, map, converted, spiece }: Files,
): Promise<Tokenizer> {
  const configFile = join(folder, "tokenizer_config.json");
  const settings = readSettings(configFile, own, map);
  const { extra_ids: extraIds = usualExtraIds } = own;
  if (
    typeof extraIds !== "number" ||
    !Number.isInteger(extraIds) ||
    extraIds < 0 ||
    extraIds > mostExtraIds
  ) {
    throw settings.wrong("extra_ids", extraIds);
  }
  const file = join(folder, converted === undefined ? "spiece.model" : "tokenizer.json");
  const { vocabulary, added } =
    converted !== undefined ? readConverted(file, converted) : readSpiece(folder, spiece, extraIds);
  if (converted !== undefined && isByFile(own)) {
    checkSurroundings(file, converted, ["", settings.token("eos_token", "</s>")]);
    checkWords(file, converted);
  }
  const legacy = join(folder, "added_tokens.json");
  const special = moreSpecialTokens(own, map);
  return createT5Tokenizer(
    vocabulary,
    {
      eosToken: settings.token("eos_token", "</s>"),
      padToken: settings.token("pad_token", "<pad>"),
      unkToken: settings.token("unk_token", "<unk>"),
      modelMaxLength: settings.modelMaxLength(),
      cleanUpTokenizationSpaces: own.clean_up_tokenization_spaces === true,
      added: [
        ...tokensOfLegacyFile(legacy, await readOptionalJson(legacy), special),
        ...added,
        ...tokensOfConfig(configFile, own.added_tokens_decoder),
      ],
    },
    file,
  );
}

interface Read {
  readonly vocabulary: T5Vocabulary;
  readonly added: readonly AddedToken[];
}

/** @throws TOKENIZER_INVALID */
function readConverted(file: string, json: Json): Read {
  const invalid = (reason: string) => new BridleError("TOKENIZER_INVALID", { file, reason });
  const model = (json.model ?? {}) as Json;
  const kind = modelKind(json);
  if (kind !== "Unigram") throw invalid(`its model is ${kind}, not Unigram`);
  const { vocab, unk_id: unknownId } = model;
  if (!Array.isArray(vocab) || typeof unknownId !== "number" || vocab[unknownId] === undefined)
    throw invalid("its model has no vocab or unk_id");
  const pieces = (vocab as unknown[]).map((entry, id) => {
    const [piece, score] = Array.isArray(entry) ? (entry as unknown[]) : [];
    const isPair = typeof piece === "string" && piece !== "" && Number.isFinite(score);
    if (!isPair) throw invalid(`vocab entry ${id} is no pair of piece and score`);
    return { piece, score: score as number };
  });
  const byteFallback = model.byte_fallback === true;
  const trie = index(pieces, byteFallback, invalid);
  const precompiledCharsmap = readPreparation(file, json);
  return {
    vocabulary: { pieces, trie, unknownId, precompiledCharsmap, byteFallback },
    added: tokensOfConverted(file, json),
  };
}

/** @throws TOKENIZER_INVALID, PROTOBUF_CORRUPT; TOKENIZER_NOT_FOUND */
function readSpiece(folder: string, bytes: Uint8Array | undefined, extraIds: number): Read {
  if (bytes === undefined) throw new BridleError("TOKENIZER_NOT_FOUND", { folder });
  const file = join(folder, "spiece.model");
  const invalid = (reason: string) => new BridleError("TOKENIZER_INVALID", { file, reason });
  const model = readSentencePieceModel(bytes, file);
  const extra = Array.from({ length: extraIds }, (_, i) => `<extra_id_${extraIds - 1 - i}>`).filter(
    (piece) => model.trie.find(piece) < 0,
  );
  const pieces = [
    ...model.pieces.map(({ piece, score }) => ({ piece, score })),
    ...extra.map((piece) => ({ piece, score: 0 })),
  ];
  const trie = index(pieces, model.byteFallback, invalid);
  const plain = { lstrip: false, rstrip: false };
  return {
    vocabulary: {
      ...{ pieces, trie, unknownId: model.unknownId, byteFallback: model.byteFallback },
      precompiledCharsmap: model.normalizer.precompiledCharsmap,
    },
    added: [
      ...model.pieces.flatMap(({ piece, type }, id) =>
        type === pieceTypes.control || type === pieceTypes.userDefined
          ? [{ ...plain, id, content: piece, special: type === pieceTypes.control }]
          : [],
      ),
      ...extra.map((content, i) => ({
        ...{ ...plain, id: model.pieces.length + i, content, special: true },
      })),
    ],
  };
}

/** The trie of a vocabulary. @throws TOKENIZER_INVALID for pieces that none has */
function index(
  pieces: readonly { readonly piece: string; readonly score: number }[],
  byteFallback: boolean,
  invalid: (reason: string) => BridleError,
): PieceTrie {
  const trie = indexPieces(pieces, invalid);
  if (!byteFallback) return trie;
  const byte = /^<0x[0-9A-F]{2}>$/;
  const typed = pieces.map(({ piece, score }) => ({
    ...{ piece, score },
    type: byte.test(piece) ? pieceTypes.byte : pieceTypes.normal,
  }));
  checkBytePieces(typed, invalid);
  return trie;
}
