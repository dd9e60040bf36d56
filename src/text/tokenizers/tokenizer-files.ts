// A tokenizer's files, read within bounds, and what they all may tell: limits and added tokens.
import { readFile, stat } from "node:fs/promises";
import { BridleError } from "../../errors/error.js";
import { systemCode } from "../../errors/file-errors.js";
import { parseBoundedJson } from "../bounded-json.js";
import type { AddedToken } from "./added-tokens.js";

export type Json = Readonly<Record<string, unknown>>;

/** transformers writes this where a tokenizer has no limit. */
const noLimit = 1e15;

/** The largest tokenizers have some tens of megabytes, in some hundred thousand pieces of two values each. */
const limits = { sizeBytes: 256 * 1024 * 1024, depth: 64, values: 10_000_000 };

export async function readOptional(file: string): Promise<Buffer | undefined> {
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

export function parse(file: string, bytes: Buffer): Json {
  const parsed = parseBoundedJson(bytes, limits);
  if ("problem" in parsed)
    throw new BridleError("TOKENIZER_INVALID", { file, reason: parsed.problem });
  const { value } = parsed;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new BridleError("TOKENIZER_INVALID", { file, reason: "it holds no JSON object" });
  }
  return value as Json;
}

export async function readOptionalJson(file: string): Promise<Json> {
  const bytes = await readOptional(file);
  return bytes === undefined ? {} : parse(file, bytes);
}

/** Classes that say nothing of the tokenizer: transformers does all that tokenizer.json says, and nothing else. */
const anyClasses: ReadonlySet<unknown> = new Set(["TokenizersBackend", "PreTrainedTokenizerFast"]);

/** The class that a tokenizer_config.json names, where it says what the tokenizer is. */
export function classOf({ tokenizer_class: named }: Json): string | undefined {
  return named === undefined || anyClasses.has(named) ? undefined : String(named);
}

/** Whether what a tokenizer.json says is all there is, rather than what a class makes of its vocabulary. */
export const isByFile = ({ tokenizer_class: named }: Json): boolean => anyClasses.has(named);

/**
 * Tokens that a tokenizer.json puts around one text, by their names, with "" for the text.
 * @throws TOKENIZER_INVALID for what does it otherwise
 */
function readSurroundings(file: string, { post_processor: processor }: Json): string[] {
  const { type, cls, sep, single } = (processor ?? {}) as Json;
  const name = (entry: unknown) => (Array.isArray(entry) ? String(entry[0]) : undefined);
  if (processor == null || type === "ByteLevel") return [""];
  const [first, last] = [name(cls), name(sep)];
  if (type === "RobertaProcessing" && first !== undefined && last !== undefined)
    return [first, "", last];
  if (type === "TemplateProcessing" && Array.isArray(single)) {
    return (single as Json[]).map(({ SpecialToken: token }) => String((token as Json)?.id ?? ""));
  }
  const reason = `its post_processor is a ${JSON.stringify(type)}, which is not supported`;
  throw new BridleError("TOKENIZER_INVALID", { file, reason });
}

/**
 * Holds what a tokenizer.json puts around a text against what is put there.
 * @param expected names of tokens, with "" for the text
 * @throws TOKENIZER_INVALID
 */
export function checkSurroundings(file: string, json: Json, expected: readonly string[]): void {
  const found = readSurroundings(file, json);
  if (found.join("\0") === expected.join("\0")) return;
  const tell = (names: readonly string[]) => names.map((each) => each || "the text").join(" ");
  const reason = `it writes ${tell(found)}, which is not supported: ${tell(expected)} is`;
  throw new BridleError("TOKENIZER_INVALID", { file, reason });
}

/**
 * Of what kind a tokenizer.json's model is. Older files do not say: there, as for tokenizers, what it has tells.
 * @returns "BPE", "Unigram" or another's name
 */
export function modelKind({ model }: Json): string {
  const { type, vocab, merges } = (model ?? {}) as Json;
  if (typeof type === "string") return type;
  if (Array.isArray(vocab)) return "Unigram";
  return Array.isArray(merges) ? "BPE" : "of no known kind";
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
export function tokensOfConfig(file: string, decoder: unknown): AddedToken[] {
  return Object.entries((decoder ?? {}) as Json).map(([id, entry]) => {
    const where = `the entry ${JSON.stringify(id)} of its added_tokens_decoder`;
    if (!/^\d{1,9}$/.test(id)) {
      throw new BridleError("TOKENIZER_INVALID", { file, reason: `${where} is no token id` });
    }
    return addedToken(file, where, Number(id), entry);
  });
}

/** Tokens of a tokenizer.json. */
export function tokensOfConverted(file: string, json: Json): AddedToken[] {
  const entries = Array.isArray(json.added_tokens) ? (json.added_tokens as unknown[]) : [];
  return entries.map((entry, i) => {
    const where = `entry ${i} of its added_tokens`;
    const id = (entry as Json | null)?.id;
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= 1e9) {
      throw new BridleError("TOKENIZER_INVALID", { file, reason: `${where} has no token id` });
    }
    return addedToken(file, where, id, entry);
  });
}

/**
 * Tokens of an added_tokens.json: ids by text, as transformers 4 writes.
 * @param special texts that the other files call special
 */
export function tokensOfLegacyFile(
  file: string,
  json: Json,
  special: ReadonlySet<string>,
): AddedToken[] {
  return Object.entries(json).map(([content, id]) => {
    const where = `the entry ${JSON.stringify(content.slice(0, 40))}`;
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= 1e9) {
      throw new BridleError("TOKENIZER_INVALID", { file, reason: `${where} has no token id` });
    }
    return addedToken(file, where, id, { content, special: special.has(content) });
  });
}

/** Special tokens beyond the class's own, under the names that transformers 4 and 5 give the list. */
export function moreSpecialTokens(...files: readonly Json[]): Set<string> {
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

/** Readers of a tokenizer's settings; each throws TOKENIZER_INVALID naming the key and its value. */
export function readSettings(file: string, own: Json, map: Json) {
  const wrong = (key: string, value: unknown) =>
    new BridleError("TOKENIZER_INVALID", {
      file,
      reason: `its ${key} is ${JSON.stringify(value)}`,
    });
  return {
    wrong,
    /** A special token's text: special_tokens_map.json's before tokenizer_config.json's. */
    token(key: string, fallback: string): string {
      const token = tokenText(map[key]) ?? tokenText(own[key]) ?? fallback;
      if (token === "" || token.length > longestToken) throw wrong(key, token);
      return token;
    },
    /** Longest input in tokens; infinite where none is said. */
    modelMaxLength: () => readLimit(own.model_max_length ?? own.max_len, wrong),
  };
}

/** The parts of a normalizer or pre-tokenizer in turn, with none in another. */
function partsOf(entry: unknown, list: "normalizers" | "pretokenizers"): Json[] {
  if (entry == null) return [];
  const { type, [list]: inner } = entry as Json;
  if (type !== "Sequence") return [entry as Json];
  return Array.isArray(inner) ? inner.flatMap((part) => partsOf(part, list)) : [];
}

/** What stands for a space in pieces. */
const spaceMark = "\u2581";

/**
 * Sees that text is cut where it has white space, whatever of it, and that each word begins as SentencePiece has it: without that a
 * tokenizer has pieces for runs of spaces, or for words that begin otherwise.
 * @throws TOKENIZER_INVALID
 */
export function checkWords(file: string, json: Json): void {
  const refuse = (reason: string) => new BridleError("TOKENIZER_INVALID", { file, reason });
  const cuts = partsOf(json.pre_tokenizer, "pretokenizers");
  const replaces = partsOf(json.normalizer, "normalizers").filter(({ type }) => type === "Replace");
  const at = (wanted: string) => cuts.findIndex(({ type }) => type === wanted);
  const [split, marks] = [at("WhitespaceSplit"), at("Metaspace")];
  if (split < 0 && replaces.length === 0)
    throw refuse("its pre_tokenizer has no WhitespaceSplit, so that spaces would be kept");
  if (marks < split) throw refuse("its pre_tokenizer has no Metaspace behind its WhitespaceSplit");
  const { prepend_scheme: scheme = "always", replacement = spaceMark } = cuts[marks] ?? {};
  if (scheme !== "always" || replacement !== spaceMark) {
    const told = JSON.stringify({ prepend_scheme: scheme, replacement });
    throw refuse(`its Metaspace has ${told}, which is not supported`);
  }
  for (const { content } of replaces) {
    if (content === " " || content === spaceMark) continue;
    throw refuse(`its Replace writes ${JSON.stringify(content)}, which is not supported`);
  }
}

/**
 * The charsmap of a converted tokenizer's normalizer. What else a conversion from SentencePiece writes does what
 * SentencePiece itself does with spaces.
 * @throws TOKENIZER_INVALID for a normalizer or pre-tokenizer of other kinds, which would give other ids
 */
export function readPreparation(file: string, json: Json): Uint8Array {
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
