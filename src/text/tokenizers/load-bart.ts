// Opens the tokenizer of a BART folder: tokenizer.json, or vocab.json and merges.txt.
import { access } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../../errors/error.js";
import type { AddedToken } from "./added-tokens.js";
import { type BartTokenizerConfig, createBartTokenizer } from "./bart-tokenizer.js";
import { ByteLevelBpe } from "./byte-level-bpe.js";
import type { Tokenizer } from "./tokenizer.js";
import {
  checkSurroundings,
  classOf,
  isByFile,
  type Json,
  modelKind,
  moreSpecialTokens,
  readOptional,
  readOptionalJson,
  readSettings,
  tokensOfConfig,
  tokensOfConverted,
  tokensOfLegacyFile,
} from "./tokenizer-files.js";

const classes = new Set(
  ["Bart", "Roberta"].flatMap((name) => [`${name}Tokenizer`, `${name}TokenizerFast`]),
);

/** Whether a folder's tokenizer is BART's: by its class, or where older folders name none by its files. */
export async function isBartFolder(
  folder: string,
  own: Json,
  { converted, hasSpiece }: { readonly converted: Json | undefined; readonly hasSpiece: boolean },
): Promise<boolean> {
  const named = classOf(own);
  if (named !== undefined) return classes.has(named);
  if (hasSpiece) return false;
  if (converted !== undefined) return modelKind(converted) === "BPE";
  const there = ["vocab.json", "merges.txt"].map((name) => isThere(join(folder, name)));
  return (await Promise.all(there)).every(Boolean);
}

const isThere = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

const insisting = "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output";

interface Files {
  readonly own: Json;
  readonly map: Json;
  readonly converted: Json | undefined;
}

/** @throws TOKENIZER_INVALID naming the file and what is wrong with it; TOKENIZER_NOT_FOUND */
export async function openBartTokenizer(
  folder: string,
  { own, map, converted }: Files,
): Promise<Tokenizer> {
  const configFile = join(folder, "tokenizer_config.json");
  const settings = readSettings(configFile, own, map);
  const file = join(folder, converted === undefined ? "vocab.json" : "tokenizer.json");
  const { bpe, added } =
    converted === undefined
      ? await readPlainFiles(folder, settings.token("unk_token", "<unk>"), {
          content: settings.token("mask_token", "<mask>"),
          lstrip: (own.mask_token as Json | null | undefined)?.lstrip === true,
        })
      : readConverted(file, converted);
  const legacy = join(folder, "added_tokens.json");
  const special = moreSpecialTokens(own, map);
  const [bosToken, eosToken] = [
    settings.token("bos_token", "<s>"),
    settings.token("eos_token", "</s>"),
  ];
  const mayCleanUp = own[insisting] === true;
  let { add_prefix_space: addsSpace } = own;
  if (converted !== undefined && isByFile(own)) {
    checkSurroundings(file, converted, [bosToken, "", eosToken]);
    const { ignore_merges: ignores, fuse_unk: fuses } = (converted.model ?? {}) as Json;
    if (ignores === true || fuses === true) {
      const reason = `its model has ${ignores === true ? "ignore_merges" : "fuse_unk"}, which is not supported`;
      throw new BridleError("TOKENIZER_INVALID", { file, reason });
    }
    addsSpace = (converted.pre_tokenizer as Json).add_prefix_space;
  }
  const config: BartTokenizerConfig = {
    bosToken,
    eosToken,
    padToken: settings.token("pad_token", "<pad>"),
    unkToken: settings.token("unk_token", "<unk>"),
    modelMaxLength: settings.modelMaxLength(),
    // Since transformers 5 spaces are cleaned up for no BPE that does not insist on it.
    cleanUpTokenizationSpaces: mayCleanUp && own.clean_up_tokenization_spaces === true,
    mayCleanUp,
    addPrefixSpace: addsSpace === true,
    added: [
      ...tokensOfLegacyFile(legacy, await readOptionalJson(legacy), special),
      ...added,
      ...tokensOfConfig(configFile, own.added_tokens_decoder),
    ],
  };
  return createBartTokenizer(bpe, config, file);
}

/** @throws TOKENIZER_INVALID for a vocabulary that is none */
function readVocabulary(file: string, vocabulary: unknown): Map<string, number> {
  const entries = Object.entries((vocabulary ?? {}) as Json);
  const taken = new Set<number>();
  for (const [piece, id] of entries) {
    const isId = typeof id === "number" && Number.isInteger(id) && id >= 0 && id < 1e7;
    if (isId && !taken.has(id)) taken.add(id);
    else {
      const reason = `its piece ${JSON.stringify(piece.slice(0, 40))} has the id ${JSON.stringify(id)}`;
      throw new BridleError("TOKENIZER_INVALID", { file, reason });
    }
  }
  if (entries.length === 0) {
    throw new BridleError("TOKENIZER_INVALID", { file, reason: "its vocabulary is empty" });
  }
  return new Map(entries as [string, number][]);
}

/** @throws TOKENIZER_INVALID */
function readPair(file: string, rank: number, merge: unknown): [string, string] {
  const parts = typeof merge === "string" ? merge.split(" ") : merge;
  const [left, right, ...more] = Array.isArray(parts) ? (parts as unknown[]) : [];
  const isPair = typeof left === "string" && typeof right === "string" && more.length === 0;
  if (isPair && left !== "" && right !== "") return [left, right];
  const reason = `its pair ${rank} is ${JSON.stringify(merge)?.slice(0, 60)}`;
  throw new BridleError("TOKENIZER_INVALID", { file, reason });
}

/** What a tokenizer.json holds. @throws TOKENIZER_INVALID for what is no byte-level BPE, which would give other ids */
function readConverted(file: string, json: Json): { bpe: ByteLevelBpe; added: AddedToken[] } {
  const refuse = (reason: string) => new BridleError("TOKENIZER_INVALID", { file, reason });
  const model = (json.model ?? {}) as Json;
  const kind = modelKind(json);
  if (kind !== "BPE") throw refuse(`its model is ${kind}, not BPE`);
  for (const key of ["dropout", "continuing_subword_prefix", "end_of_word_suffix"] as const) {
    if (model[key] != null && model[key] !== "" && model[key] !== 0) {
      throw refuse(`its ${key} is ${JSON.stringify(model[key])}, which is not supported`);
    }
  }
  const before = json.pre_tokenizer as Json | null | undefined;
  if (before?.type !== "ByteLevel" || before.use_regex === false) {
    throw refuse(`its pre_tokenizer is ${JSON.stringify(before?.type)}, not ByteLevel`);
  }
  if (json.normalizer != null) {
    throw refuse(`it has a normalizer, ${JSON.stringify((json.normalizer as Json).type)}`);
  }
  const merges = Array.isArray(model.merges) ? (model.merges as unknown[]) : [];
  const bpe = new ByteLevelBpe(
    readVocabulary(file, model.vocab),
    merges.map((merge, rank) => readPair(file, rank, merge)),
    typeof model.unk_token === "string" ? model.unk_token : undefined,
    file,
  );
  return { bpe, added: tokensOfConverted(file, json) };
}

/** What vocab.json and merges.txt hold, as the slow tokenizer reads them. @throws TOKENIZER_INVALID, TOKENIZER_NOT_FOUND */
async function readPlainFiles(
  folder: string,
  unknown: string,
  mask: { readonly content: string; readonly lstrip: boolean },
): Promise<{ bpe: ByteLevelBpe; added: AddedToken[] }> {
  const [vocabularyFile, mergesFile] = ["vocab.json", "merges.txt"].map((name) =>
    join(folder, name),
  ) as [string, string];
  const merges = await readOptional(mergesFile);
  const vocabulary = await readOptionalJson(vocabularyFile);
  if (merges === undefined || Object.keys(vocabulary).length === 0) {
    throw new BridleError("TOKENIZER_NOT_FOUND", { folder });
  }
  const pairs = merges
    .toString("utf8")
    .split("\n")
    .filter((line, i) => line.trim() !== "" && !(i === 0 && line.startsWith("#version")))
    .map((line, rank) => readPair(mergesFile, rank, line.trimEnd()));
  const ids = readVocabulary(vocabularyFile, vocabulary);
  const maskId = ids.get(mask.content);
  const added = maskId === undefined ? [] : [{ id: maskId, ...mask, rstrip: false, special: true }];
  return { bpe: new ByteLevelBpe(ids, pairs, unknown, vocabularyFile), added };
}
