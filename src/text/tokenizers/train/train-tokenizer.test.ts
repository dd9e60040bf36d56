// A trained tokenizer: the reference's pieces and scores, the same bytes for any threads, and what is wrong told by name.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BridleError } from "../../../errors/error.js";
import { seededRandom } from "../../seeded-random.js";
import { createSentencePiece } from "../sentencepiece.js";
import { readSentencePieceModel } from "../sentencepiece-model.js";
import type { TrainTokenizerOptions } from "./train-options.js";
import { type TrainedTokenizer, trainTokenizer } from "./train-tokenizer.js";

interface Case {
  readonly name: string;
  readonly text: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly pieces: readonly [string, number, number][];
}

/** Recorded by test/golden/record-tokenizer-training.py. */
const golden = JSON.parse(
  readFileSync(new URL("../../../../test/golden/tokenizer-training.json", import.meta.url), "utf8"),
) as { readonly cases: readonly Case[] };

const ours: Readonly<Record<string, keyof TrainTokenizerOptions>> = {
  vocab_size: "vocabSize",
  character_coverage: "characterCoverage",
  normalization_rule_name: "normalizer",
  split_digits: "splitDigits",
  split_by_unicode_script: "splitByScript",
  split_by_number: "splitByNumber",
  max_sentencepiece_length: "maxPieceLength",
  shrinking_factor: "shrinkingFactor",
  num_sub_iterations: "subIterations",
  seed_sentencepiece_size: "seedPieces",
};

function optionsOf({ options }: Case): TrainTokenizerOptions {
  const named = Object.entries(options).map(([name, value]) => [ours[name], value]);
  return Object.fromEntries(named) as TrainTokenizerOptions;
}

function modelOf({ files }: TrainedTokenizer) {
  return readSentencePieceModel(files.get("spiece.model") as Uint8Array, "trained");
}

const random = seededRandom(11);
/** Words enough that the work is shared out to threads. */
const manyWords = Array.from({ length: 20_000 }, () => {
  const letters = Array.from({ length: 2 + random.nextBelow(9) }, () =>
    String.fromCharCode(97 + Math.floor((random.nextBelow(26) * random.nextBelow(26)) / 26)),
  );
  return letters.join("");
});
const manySentences = Array.from({ length: 2500 }, () =>
  Array.from(
    { length: 1 + random.nextBelow(12) },
    () => manyWords[Math.floor((random.nextBelow(20_000) * random.nextBelow(20_000)) / 20_000)],
  ).join(" "),
);

/** Few enough to be worked on where the training is called. */
const fewSentences = manySentences.slice(0, 400);

async function fault(work: Promise<unknown>): Promise<BridleError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(BridleError);
  return thrown as BridleError;
}

describe("what is learned", () => {
  it.each(golden.cases)("is what sentencepiece learns: $name", async (recorded) => {
    const trained = await trainTokenizer(recorded.text, optionsOf(recorded));
    const pieces = modelOf(trained).pieces.map(({ piece, score, type }) => [piece, score, type]);
    expect(pieces).toEqual(recorded.pieces);
  });

  it("is the same bytes here, in one thread and in three", async () => {
    const options = { vocabSize: 400, normalizer: "identity" } as const;
    const [one, three] = [
      await trainTokenizer(manySentences, { ...options, threads: 1 }),
      await trainTokenizer(manySentences, { ...options, threads: 3 }),
    ];
    expect(three.sha256).toBe(one.sha256);
    expect(one.words).toBeGreaterThan(5000);
    // Order counts for nothing but the last sentence, nor does how the sentences are handed over.
    const joined = await trainTokenizer([Buffer.from(manySentences.join("\n"))], options);
    expect(joined.sha256).toBe(one.sha256);
  });

  it("is a model that cuts text, with its own pieces whole", async () => {
    const trained = await trainTokenizer(fewSentences, {
      vocabSize: 300,
      normalizer: "identity",
      userDefined: ["<sep>", "é"],
    });
    const sentencePiece = createSentencePiece(modelOf(trained), "trained");
    const encoded = sentencePiece.encode("abé<sep>ab").map(({ piece }) => piece);
    expect(encoded.filter((piece) => piece === "<sep>" || piece === "é")).toEqual(["é", "<sep>"]);
    expect(encoded.join("")).toBe("▁abé<sep>ab");
    expect(sentencePiece.pieceOf(3)).toBe("<n>");
    expect(sentencePiece.pieceOf(4)).toBe("<sep>");
  });

  it("covers the characters that are required, however rare", async () => {
    const text = [...fewSentences, "ñ"];
    const options = { vocabSize: 300, normalizer: "identity", characterCoverage: 0.99 } as const;
    const without = modelOf(await trainTokenizer(text, options)).pieces.map(({ piece }) => piece);
    expect(without).not.toContain("ñ");
    const trained = await trainTokenizer(text, { ...options, requiredCharacters: "ñ☃" });
    const pieces = modelOf(trained).pieces.map(({ piece }) => piece);
    expect(pieces).toContain("ñ");
    expect(pieces).toContain("☃");
  });

  it("takes words too long for one lattice in parts", async () => {
    const long = `${manyWords.join("")}${manyWords.join("")}`;
    const trained = await trainTokenizer([long], { vocabSize: 200, normalizer: "identity" });
    expect(trained.words).toBe(Math.ceil((long.length + 3) / 65_536));
    expect(createSentencePiece(modelOf(trained), "trained").encode(long).length).toBeLessThan(
      long.length * 0.9,
    );
  });
});

describe("the layouts", () => {
  it("pegasus: 103 ids below the pieces, told in the files", async () => {
    const trained = await trainTokenizer(fewSentences, {
      vocabSize: 100,
      normalizer: "identity",
      modelMaxLength: 512,
    });
    expect([trained.vocabSize, trained.modelVocabSize]).toEqual([100, 203]);
    expect([...trained.files.keys()].at(-1)).toBe("spiece.model");
    const config = JSON.parse(
      Buffer.from(trained.files.get("tokenizer_config.json") as Uint8Array).toString(),
    );
    expect(config).toMatchObject({
      tokenizer_class: "PegasusTokenizer",
      offset: 103,
      model_max_length: 512,
    });
    expect(config.added_tokens_decoder["104"].content).toBe("<unk_102>");
    expect(config.added_tokens_decoder["105"].content).toBe("<unk>");
    expect(config.additional_special_tokens).toHaveLength(102);
  });

  it("t5: 100 ids after the pieces, and no <n>", async () => {
    const trained = await trainTokenizer(fewSentences, {
      vocabSize: 100,
      normalizer: "identity",
      layout: "t5",
    });
    expect(trained.modelVocabSize).toBe(200);
    expect(modelOf(trained).pieces.map(({ piece }) => piece)).not.toContain("<n>");
  });
});

describe("a sample", () => {
  const options = { vocabSize: 100, normalizer: "identity", sample: 200 } as const;

  it("is the same for a seed, another for another, and told", async () => {
    const first = await trainTokenizer(fewSentences, { ...options, seed: 1 });
    const again = await trainTokenizer(fewSentences, { ...options, seed: 1 });
    const other = await trainTokenizer(fewSentences, { ...options, seed: 2 });
    expect(again.sha256).toBe(first.sha256);
    expect(other.sha256).not.toBe(first.sha256);
    expect([first.sentences, first.sentencesInAll]).toEqual([200, 400]);
  });

  it("is everything where there is no more", async () => {
    const drawn = await trainTokenizer(fewSentences, { ...options, sample: 400 });
    const { sample: _, ...rest } = options;
    const all = await trainTokenizer(fewSentences, rest);
    expect(modelOf(drawn).pieces).toEqual(modelOf(all).pieces);
  });
});

describe("what is wrong", () => {
  it.each([
    ["no sentence", []],
    ["empty ones", ["", "\n\n"]],
    ["blank ones", ["  ", "\u3000"]],
  ])("a corpus of %s", async (_, text) => {
    expect((await fault(trainTokenizer(text, { vocabSize: 100 }))).code).toBe("CORPUS_EMPTY");
  });

  it("a vocabulary too small for its characters names how many it needs", async () => {
    const error = await fault(
      trainTokenizer(["abcdef ghijkl"], { vocabSize: 10, normalizer: "identity" }),
    );
    expect(error.code).toBe("VOCABULARY_TOO_SMALL");
    expect(error.details).toMatchObject({ wanted: 10, alphabet: 13, reserved: 4, least: 17 });
  });

  it("a vocabulary too large for the corpus names the largest, which then works", async () => {
    const text = fewSentences;
    const options = { normalizer: "identity" } as const;
    const error = await fault(trainTokenizer(text, { ...options, vocabSize: 50_000 }));
    expect(error.code).toBe("VOCABULARY_TOO_LARGE");
    const largest = error.details.largest as number;
    const trained = await trainTokenizer(text, { ...options, vocabSize: largest });
    expect(trained.vocabSize).toBe(largest);
  });

  it("bytes that are not UTF-8 are told with the number of the sentence", async () => {
    const text = [Buffer.from("good"), Buffer.from([0x63, 0xe9])];
    const error = await fault(trainTokenizer(text, { vocabSize: 100, normalizer: "identity" }));
    expect(error.code).toBe("ROW_NOT_UTF8");
    expect(error.message).toContain("Sentence 2");
  });

  it.each([
    [{ vocabSize: 0 }, "vocabSize"],
    [{ vocabSize: 1.5 }, "vocabSize"],
    [{ characterCoverage: 0.5 }, "characterCoverage"],
    [{ sample: 5 }, "sample"],
    [{ seed: -1 }, "seed"],
    [{ threads: 0 }, "threads"],
    [{ maxPieceLength: 61 }, "maxPieceLength"],
    [{ userDefined: ["a b"] }, "userDefined"],
    [{ userDefined: ["<n>"] }, "userDefined"],
    [{ userDefined: ["x", "x"] }, "userDefined"],
    [{ userDefined: ["\ud800"] }, "userDefined"],
    [{ normalizer: "nfd" as "nfkc" }, "normalizer"],
    [{ layout: "bart" as "t5" }, "layout"],
  ])("%j", async (options, parameter) => {
    const error = await fault(trainTokenizer(["a"], { vocabSize: 100, ...options }));
    expect(error.code).toBe("INVALID_PARAMETER");
    expect(error.details.parameter).toBe(parameter);
  });

  it.each([
    ["here", fewSentences],
    ["in threads", manySentences],
  ])("a signal ends the training in the midst of a round %s", async (_, sentences) => {
    const controller = new AbortController();
    const error = await fault(
      trainTokenizer(sentences, {
        vocabSize: 400,
        normalizer: "identity",
        threads: 1,
        signal: controller.signal,
        onProgress: ({ phase }) => phase === "round" && controller.abort(),
      }),
    );
    expect(error.code).toBe("CANCELLED");
  });
});
