// Opens a model folder's tokenizer: spiece.model, or what a tokenizer.json says of it.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../../errors/error.js";
import { systemCode } from "../../errors/file-errors.js";
import { parseBoundedJson } from "../bounded-json.js";
import {
  type AddedToken,
  createPegasusTokenizer,
  type PegasusTokenizerConfig,
} from "./pegasus-tokenizer.js";
import { createSentencePiece, type SentencePiece } from "./sentencepiece.js";
import {
  checkBytePieces,
  checkPieceLengths,
  defaultUnknownSurface,
  type Piece,
  pieceTypes,
  readSentencePieceModel,
  type SentencePieceModel,
} from "./sentencepiece-model.js";
import type { Tokenizer } from "./tokenizer.js";

type Json = Readonly<Record<string, unknown>>;

/** Pre-training tokens below the vocabulary; published models have 103. */
const largestOffset = 100_000;

/** transformers writes this where a tokenizer has no limit. */
const noLimit = 1e15;

const classes = new Set(["PegasusTokenizer", "PegasusTokenizerFast"]);

/** The largest tokenizers have some tens of megabytes, in some hundred thousand pieces of two values each. */
const limits = { sizeBytes: 256 * 1024 * 1024, depth: 64, values: 10_000_000 };

async function readOptional(file: string): Promise<Buffer | undefined> {
  try {
    const { size } = await stat(file);
    if (size > limits.sizeBytes) {
      const reason = `it has ${size} bytes, more than ${limits.sizeBytes}`;
      throw new BridleError("TOKENIZER_INVALID", { file, reason });
    }
    return await readFile(file);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    if (cause instanceof BridleError) throw cause;
    throw new BridleError(
      "TOKENIZER_INVALID",
      { file, reason: (cause as Error).message },
      { cause },
    );
  }
}

function parse(file: string, bytes: Buffer): Json {
  const parsed = parseBoundedJson(bytes, limits);
  if ("problem" in parsed)
    throw new BridleError("TOKENIZER_INVALID", { file, reason: parsed.problem });
  const { value } = parsed;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new BridleError("TOKENIZER_INVALID", { file, reason: "it holds no JSON object" });
  }
  return value as Json;
}

async function readOptionalJson(file: string): Promise<Json> {
  const bytes = await readOptional(file);
  return bytes === undefined ? {} : parse(file, bytes);
}

/** A token in a config: its text, or a record with the text in `content`. */
function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const content = (value as Json | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}

/** A token is looked for at every place of a text. */
const longestToken = 500;

/**
 * An added token as any of a tokenizer's files tells it.
 * @throws TOKENIZER_INVALID
 */
function addedToken(file: string, where: string, id: number, entry: unknown): AddedToken {
  const content = tokenText(entry);
  const { lstrip, rstrip, special, single_word: singleWord } = (entry ?? {}) as Json;
  const invalid = (reason: string) =>
    new BridleError("TOKENIZER_INVALID", { file, reason: `${where} ${reason}` });
  if (content === undefined || content === "") throw invalid("has no content");
  if (content.length > longestToken) throw invalid(`has ${content.length} characters`);
  if (singleWord === true) throw invalid("is for single words alone, which is not supported");
  return {
    id,
    content,
    lstrip: lstrip === true,
    rstrip: rstrip === true,
    special: special === true,
  };
}

/** Tokens of a tokenizer_config.json: entries by id. */
function tokensOfConfig(file: string, decoder: unknown): AddedToken[] {
  return Object.entries((decoder ?? {}) as Json).map(([id, entry]) => {
    const where = `the entry ${JSON.stringify(id)} of its added_tokens_decoder`;
    if (!/^\d{1,9}$/.test(id)) {
      throw new BridleError("TOKENIZER_INVALID", { file, reason: `${where} is no token id` });
    }
    return addedToken(file, where, Number(id), entry);
  });
}

/**
 * Tokens of a tokenizer.json beyond its vocabulary. Those within it are SentencePiece's own pieces, which the
 * conversion lists besides, and with which it takes other ids than SentencePiece.
 */
function tokensOfConverted(file: string, json: Json): AddedToken[] {
  const { vocab } = (json.model ?? {}) as Json;
  const size = Array.isArray(vocab) ? vocab.length : 0;
  const entries = Array.isArray(json.added_tokens) ? (json.added_tokens as unknown[]) : [];
  const tokens = entries.map((entry, i) => {
    const where = `entry ${i} of its added_tokens`;
    const id = (entry as Json | null)?.id;
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= 1e9) {
      throw new BridleError("TOKENIZER_INVALID", { file, reason: `${where} has no token id` });
    }
    return addedToken(file, where, id, entry);
  });
  return tokens.filter(({ id }) => id >= size);
}

/**
 * Tokens of an added_tokens.json: ids by text, as transformers 4 writes.
 * @param special texts that the other files call special
 */
function tokensOfLegacyFile(file: string, json: Json, special: ReadonlySet<string>): AddedToken[] {
  return Object.entries(json).map(([content, id]) => {
    const where = `the entry ${JSON.stringify(content.slice(0, 40))}`;
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= 1e9) {
      throw new BridleError("TOKENIZER_INVALID", { file, reason: `${where} has no token id` });
    }
    return addedToken(file, where, id, { content, special: special.has(content) });
  });
}

/** Special tokens beyond the class's own, under the names that transformers 4 and 5 give the list. */
function moreSpecialTokens(...files: readonly Json[]): Set<string> {
  const lists = files.flatMap((json) => [
    json.additional_special_tokens,
    json.extra_special_tokens,
  ]);
  const texts = lists.flatMap((list) =>
    (Array.isArray(list) ? list : Object.values((list ?? {}) as Json)).map(tokenText),
  );
  return new Set(texts.filter((text) => text !== undefined));
}

/** Longest input in tokens; one that holds the end token alone holds no text. */
function readLimit(limit: unknown, wrong: (key: string, value: unknown) => BridleError): number {
  if (limit == null) return Number.POSITIVE_INFINITY;
  if (typeof limit !== "number" || limit < 2) throw wrong("model_max_length", limit);
  if (limit >= noLimit) return Number.POSITIVE_INFINITY;
  if (!Number.isInteger(limit)) throw wrong("model_max_length", limit);
  return limit;
}

function readConfig(
  file: string,
  own: Json,
  map: Json,
  added: readonly AddedToken[],
): PegasusTokenizerConfig {
  const tokenizerClass = own.tokenizer_class;
  if (tokenizerClass !== undefined && !classes.has(String(tokenizerClass))) {
    throw new BridleError("TOKENIZER_INVALID", {
      file,
      reason: `its class is ${String(tokenizerClass)}, which is not supported`,
    });
  }
  const wrong = (key: string, value: unknown) =>
    new BridleError("TOKENIZER_INVALID", {
      file,
      reason: `its ${key} is ${JSON.stringify(value)}`,
    });
  const text = (key: string, fallback: string) => {
    const token = tokenText(map[key]) ?? tokenText(own[key]) ?? fallback;
    if (token === "" || token.length > longestToken) throw wrong(key, token);
    return token;
  };
  const { offset = 103, model_max_length: limit, clean_up_tokenization_spaces: clean } = own;
  if (
    typeof offset !== "number" ||
    !Number.isInteger(offset) ||
    offset < 0 ||
    offset > largestOffset
  ) {
    throw wrong("offset", offset);
  }
  return {
    offset,
    padToken: text("pad_token", "<pad>"),
    eosToken: text("eos_token", "</s>"),
    unkToken: text("unk_token", "<unk>"),
    maskToken: text("mask_token", "<mask_2>"),
    maskTokenSent: own.mask_token_sent === null ? undefined : text("mask_token_sent", "<mask_1>"),
    modelMaxLength: readLimit(limit, wrong),
    cleanUpTokenizationSpaces: clean === true,
    added: [...added, ...tokensOfConfig(file, own.added_tokens_decoder)],
  };
}

/** The parts of a normalizer or pre-tokenizer in turn, with none in another. */
function partsOf(entry: unknown, list: "normalizers" | "pretokenizers"): Json[] {
  if (entry == null) return [];
  const { type, [list]: inner } = entry as Json;
  if (type !== "Sequence") return [entry as Json];
  return Array.isArray(inner) ? inner.flatMap((part) => partsOf(part, list)) : [];
}

/**
 * The charsmap of a converted tokenizer's normalizer. What else a conversion from SentencePiece writes does what
 * SentencePiece itself does with spaces.
 * @throws TOKENIZER_INVALID for a normalizer or pre-tokenizer of other kinds, which would give other ids
 */
function readPreparation(file: string, json: Json): Uint8Array {
  const refuse = (key: string, part: Json) =>
    new BridleError("TOKENIZER_INVALID", {
      file,
      reason: `its ${key} has a ${JSON.stringify(part.type)} that is none of a conversion from SentencePiece`,
    });
  let charsmap: Uint8Array = new Uint8Array();
  for (const part of partsOf(json.normalizer, "normalizers")) {
    if (part.type === "Precompiled") {
      const text = part.precompiled_charsmap;
      if (typeof text === "string") charsmap = Buffer.from(text, "base64");
    } else if (part.type === "Replace") {
      if ((part.pattern as Json | undefined)?.Regex !== " {2,}") throw refuse("normalizer", part);
    } else if (part.type !== "Strip") throw refuse("normalizer", part);
  }
  for (const part of partsOf(json.pre_tokenizer, "pretokenizers")) {
    const { type, prepend_scheme: scheme, add_prefix_space: prefix } = part;
    const isPrepending = type === "Metaspace" && scheme !== "never" && prefix !== false;
    if (!isPrepending && type !== "WhitespaceSplit") throw refuse("pre_tokenizer", part);
  }
  return charsmap;
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
  if (model.type !== "Unigram") throw invalid(`its model is ${String(model.type)}, not Unigram`);
  const byteFallback = model.byte_fallback === true;
  const { vocab, unk_id: unknown } = model;
  if (!Array.isArray(vocab) || typeof unknown !== "number")
    throw invalid("its model has no vocab or unk_id");
  const unknownId = unknown - config.offset;
  const own = new Set([config.padToken, config.eosToken]);
  const pieces: Piece[] = [];
  const seen = new Set<string>();
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
    if (seen.has(piece)) throw invalid(`the piece ${JSON.stringify(piece)} stands in it twice`);
    seen.add(piece);
    const reserved = own.has(piece) || /^<unk_\d+>$/.test(piece);
    let type: number = pieceTypes.normal;
    if (id === unknown) type = pieceTypes.unknown;
    else if (reserved) type = pieceTypes.control;
    else if (byteFallback && /^<0x[0-9A-F]{2}>$/.test(piece)) type = pieceTypes.byte;
    else if (score === 0) type = pieceTypes.userDefined;
    pieces.push({ piece, score: Math.fround(score), type });
  }
  if (pieces[unknownId] === undefined) throw invalid(`its unk_id ${unknown} is no piece`);
  checkPieceLengths(pieces, invalid);
  if (byteFallback) checkBytePieces(pieces, invalid);
  const precompiledCharsmap = readPreparation(file, json);
  return {
    pieces,
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
  const legacy = join(folder, "added_tokens.json");
  // Where files disagree on an id the later one goes before.
  const config = readConfig(configFile, own, map, [
    ...tokensOfLegacyFile(legacy, await readOptionalJson(legacy), moreSpecialTokens(own, map)),
    ...tokensOfConverted(converted, json),
  ]);
  const spiece = join(folder, "spiece.model");
  if ((await readOptional(spiece)) !== undefined) {
    return createPegasusTokenizer(await loadSentencePiece(spiece), config, spiece);
  }
  if (bytes === undefined) throw new BridleError("TOKENIZER_NOT_FOUND", { folder });
  const model = fromTokenizerJson(converted, json, config);
  return createPegasusTokenizer(createSentencePiece(model, converted), config, converted);
}
