// BART folders as they are published: a table without the mask token's row, plain files of a nameless tokenizer, no output layer.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openModel } from "../../src/generate/model.js";
import { writeSafetensors } from "../../src/model/checkpoint/write.js";
import { findFamily } from "../../src/model/families.js";
import { forwardGraph } from "../../src/model/forward.js";
import { initialWeights } from "../../src/model/initial-weights.js";
import { describeModel } from "../../src/package/describe-model.js";
import type { Tensor } from "../../src/runtime/tensor.js";
import type { Weight } from "../../src/runtime/weights.js";
import { createSummarizer } from "../../src/summarize/create-summarizer.js";
import { byteLetters } from "../support/byte-letters.js";
import { tinyBartConfig } from "../support/tiny-bart.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-published-bart-"));
});
afterAll(() => rm(root, { recursive: true }));

const pieces = ["<s>", "<pad>", "</s>", "<unk>", ...byteLetters, "he", "<mask>"];
const tokenizerFiles = {
  "vocab.json": JSON.stringify(Object.fromEntries(pieces.map((piece, id) => [piece, id]))),
  "merges.txt": "#version: 0.2\nh e\n",
  "tokenizer_config.json": JSON.stringify({ model_max_length: 64 }),
};
const config = {
  ...tinyBartConfig,
  ...{ model_type: "bart", max_position_embeddings: 64, bos_token_id: 0 },
  // One less than the tokenizer has: nobody learned the mask.
  vocab_size: pieces.length - 1,
};

interface Variant {
  readonly json?: object;
  readonly nameOf?: (name: string) => string | undefined;
  /** What the checkpoint holds besides. */
  readonly more?: (weights: ReadonlyMap<string, Weight>) => Record<string, Tensor<"float32">>;
}

/** A folder with the same random weights, under the names that are asked for. */
async function makeFolder(
  name: string,
  { json = config, nameOf = (own) => own, more }: Variant = {},
) {
  const folder = join(root, name);
  await mkdir(folder);
  const family = findFamily(config);
  const read = family.readConfig(config);
  const { parameters } = forwardGraph(family, read);
  const weights = initialWeights(family, read, parameters, { seed: 3, deviation: 0.5 });
  const stored = new Map<string, Tensor<"float32">>();
  for (const [own, weight] of weights) {
    const asked = nameOf(own);
    if (asked !== undefined) stored.set(asked, weight as Tensor<"float32">);
  }
  for (const [own, weight] of Object.entries(more?.(weights) ?? {})) stored.set(own, weight);
  await writeSafetensors(join(folder, "model.safetensors"), stored);
  await writeFile(join(folder, "config.json"), JSON.stringify(json));
  for (const [file, text] of Object.entries(tokenizerFiles))
    await writeFile(join(folder, file), text);
  return folder;
}

const parameters = { maxNewTokens: 8, minNewTokens: 4, numBeams: 2 };

describe("a BART whose tables have no row for the mask", () => {
  it.each(["fp32", "int8"] as const)("reads it as text any other, %s", async (dtype) => {
    const folder = await makeFolder(`no mask ${dtype}`);
    const summarizer = await createSummarizer({ model: folder, threads: 1, dtype });
    try {
      const masked = await summarizer.summarize("she read <mask> here", { parameters });
      expect(masked.usage.outputTokens).toBeGreaterThan(0);
      // Two tokens around, a letter each but for what is joined.
      expect(masked.usage.inputTokens).toBe(2 + "she read <mask> here".length - 2);
    } finally {
      await summarizer.close();
    }
    expect((await describeModel(folder)).architecture).toBe("BartForConditionalGeneration");
  });

  it("is refused where text would come to rows that are missing", async () => {
    const folder = await makeFolder("too few");
    const tooFew = JSON.stringify({ ...config, vocab_size: pieces.length - 2 });
    await writeFile(join(folder, "config.json"), tooFew);
    const reason = /it has 261 tokens, the model 260/;
    await expect(describeModel(folder)).rejects.toThrow(reason);
  });
});

describe("a BART without its output layer", () => {
  const inputs = { inputIds: [[0, 70, 80, 90, 2]], decoderInputIds: [[2, 75]] };
  const base = (own: string) =>
    own === "final_logits_bias" ? undefined : own.replace(/^model\./, "");

  it("is the same model, and is saved as a whole one", async () => {
    const whole = await openModel(await makeFolder("whole"), { threads: 1 });
    const folder = await makeFolder("base", {
      json: { ...config, architectures: ["BartModel"] },
      nameOf: base,
    });
    const model = await openModel(folder, { threads: 1 });
    const saved = join(root, "saved");
    try {
      const expected = await whole.forward(inputs);
      expect((await model.forward(inputs)).logits.data).toEqual(expected.logits.data);
      await model.save(saved);
      const json = JSON.parse(await readFile(join(saved, "config.json"), "utf8"));
      expect(json.architectures).toEqual(["BartForConditionalGeneration"]);
      const again = await openModel(saved, { threads: 1 });
      expect((await again.forward(inputs)).logits.data).toEqual(expected.logits.data);
      await again.close();
    } finally {
      await whole.close();
      await model.close();
    }
  });

  it("may say its type alone, and no other architecture", async () => {
    const { architectures: _, ...nameless } = config;
    const model = await openModel(await makeFolder("nameless", { json: nameless }), { threads: 1 });
    await model.close();
    const classifier = { ...config, architectures: ["BartForSequenceClassification"] };
    const folder = await makeFolder("classifier", { json: classifier });
    await expect(openModel(folder)).rejects.toThrow(/BartForSequenceClassification/);
  });
});

describe("a BART whose tables differ though its config shares one", () => {
  it("has each of them, as transformers does, and is saved with them", async () => {
    const inputs = { inputIds: [[0, 70, 80, 90, 2]], decoderInputIds: [[2, 75]] };
    const logitsOf = async (folder: string, saved?: string) => {
      const model = await openModel(folder, { threads: 1 });
      try {
        const { logits } = await model.forward(inputs);
        if (saved !== undefined) await model.save(saved);
        return { data: [...logits.data], names: [...model.weights.keys()] };
      } finally {
        await model.close();
      }
    };
    const shared = await logitsOf(await makeFolder("shared"));
    const folder = await makeFolder("own output", {
      more: (weights) => {
        const table = weights.get("model.shared.weight") as Tensor<"float32">;
        const own = { ...table, data: table.data.map((x) => 2 * x) };
        // The same under another name is the same.
        return { "lm_head.weight": own, "model.encoder.embed_tokens.weight": table };
      },
    });
    const saved = join(root, "own output saved");
    const own = await logitsOf(folder, saved);
    expect(own.names).toContain("lm_head.weight");
    expect(own.names).not.toContain("model.encoder.embed_tokens.weight");
    for (const [i, logit] of own.data.entries())
      expect(Math.abs(logit - 2 * (shared.data[i] as number))).toBeLessThan(1e-4);
    expect((await logitsOf(saved)).data).toEqual(own.data);
  });
});

it("whose own minimum is above its own maximum writes as much as that", async () => {
  const folder = await makeFolder("min above max", {
    json: { ...config, min_length: 56, max_length: 12 },
  });
  const summarizer = await createSummarizer({ model: folder, threads: 1 });
  try {
    expect(summarizer.defaults).toMatchObject({ minLength: 12, maxLength: 12 });
    expect((await summarizer.summarize("she read here")).usage.outputTokens).toBe(11);
    const asked = summarizer.summarize("she", { parameters: { minLength: 20, maxLength: 10 } });
    await expect(asked).rejects.toMatchObject({ code: "INVALID_PARAMETER" });
  } finally {
    await summarizer.close();
  }
});

// Its 261 tokens leave what onnxruntime lays out behind their bias where its kernels must not read, which ended the process.
it("in float32, of a size that cannot be mapped laid out, runs from weights of its own", async () => {
  vi.stubEnv("BRIDLE_HOME", join(root, "home"));
  try {
    const folder = await makeFolder("shared weights");
    const inputIds = [[0, 70, 80, 90, 2]];
    const said = [];
    for (const sharesWeights of [false, true, true]) {
      const model = await openModel(folder, { threads: 1, sharesWeights });
      said.push(await model.generate({ inputIds }, { numBeams: 4, maxNewTokens: 8 }));
      await model.close();
    }
    expect(said[1]).toEqual(said[0]);
    expect(said[2]).toEqual(said[0]);
  } finally {
    vi.unstubAllEnvs();
  }
});
