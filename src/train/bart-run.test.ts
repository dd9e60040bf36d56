// A BART made from nothing by a whole run: it says of itself what every BART does, and begins with norms that leave scale alone.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyPegasus } from "../../test/support/tiny-pegasus.js";
import { toyRows } from "../../test/support/train-toy.js";
import { RunConfig, type RunConfigInput } from "../config/run-config.js";
import { openModel } from "../generate/model.js";
import { holdWeights } from "../runtime/weights.js";
import { train } from "./loop.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-bart-run-"));
  await writeFile(join(root, "rows.jsonl"), toyRows(12));
  await writeVocabulary(join(root, "vocabulary"));
});
afterAll(() => rm(root, { recursive: true }));

/** Bytes as GPT-2 writes them, of which the toy rows need the printable ones and the space, and BART's own tokens. */
async function writeVocabulary(folder: string): Promise<void> {
  const printable = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
  const pieces = ["<s>", "<pad>", "</s>", "<unk>", ...printable, "\u0120", "<mask>"];
  const vocabulary = Object.fromEntries(pieces.map((piece, id) => [piece, id]));
  await mkdir(folder);
  await writeFile(join(folder, "vocab.json"), JSON.stringify(vocabulary));
  await writeFile(join(folder, "merges.txt"), "#version: 0.2\n");
  await writeFile(
    join(folder, "tokenizer_config.json"),
    JSON.stringify({ tokenizer_class: "BartTokenizer", model_max_length: 256 }),
  );
}

const sizes = {
  ...{ vocab_size: 200, d_model: 16, encoder_layers: 1, decoder_layers: 1 },
  ...{ encoder_attention_heads: 2, decoder_attention_heads: 2 },
  ...{ encoder_ffn_dim: 24, decoder_ffn_dim: 24, max_position_embeddings: 256 },
};
const architectures = ["BartForConditionalGeneration"];

async function run(name: string, model: RunConfigInput["model"]): Promise<string> {
  const output = join(root, name);
  const config = RunConfig.parse({
    model,
    data: { train: join(root, "rows.jsonl"), maxTargetTokens: 16 },
    train: { output, maxSteps: 2, threads: 1, device: "cpu", learningRate: 1e-4 },
  });
  await train(config);
  return output;
}

describe("a BART from nothing", () => {
  it("is told by its architecture and sizes alone", async () => {
    const tokenizer = join(root, "vocabulary");
    const output = await run("fresh", { tokenizer, config: { architectures, ...sizes } });
    const json = JSON.parse(await readFile(join(output, "config.json"), "utf8"));
    // As transformers' BartConfig has them.
    expect(json).toMatchObject({
      ...{ model_type: "bart", pad_token_id: 1, bos_token_id: 0, eos_token_id: 2 },
      ...{ decoder_start_token_id: 2, forced_eos_token_id: 2 },
      ...{ scale_embedding: false, activation_function: "gelu" },
    });
    const model = await openModel(output, { threads: 1, device: "cpu" });
    expect(model.config).toMatchObject({ family: "bart", padTokenId: 1, decoderStartTokenId: 2 });
    const norms = [...(await holdWeights(model.weights))].filter(([name]) =>
      /layer_?norm\w*\.weight$/.test(name),
    );
    await model.close();
    expect(norms).toHaveLength(7);
    // Two steps at 1e-4 move a weight by hardly more than that each.
    for (const [name, { data }] of norms) {
      const off = Math.max(...Array.from(data as Float32Array, (x) => Math.abs(x - 1)));
      expect(off, name).toBeLessThan(1e-3);
    }
  });

  it("is refused on a tokenizer that numbers padding or the end otherwise, and learns on it when told", async () => {
    const tokenizer = join(root, "pegasus");
    await makeTinyPegasus(tokenizer);
    const config = { architectures, ...sizes, vocab_size: 220 };
    const refused = (key: string, own: number, given: string) => ({
      code: "INVALID_PARAMETER",
      message: expect.stringContaining(`model.config.${key} is ${own}; it must be ${given}`),
    });
    await expect(run("pad", { tokenizer, config })).rejects.toMatchObject(
      refused("pad_token_id", 1, '0, which is "<pad>"'),
    );
    const padded = { ...config, pad_token_id: 0 };
    await expect(run("eos", { tokenizer, config: padded })).rejects.toMatchObject(
      refused("eos_token_id", 2, '1, which is "</s>"'),
    );
    const told = { ...padded, eos_token_id: 1, forced_eos_token_id: 1, decoder_start_token_id: 0 };
    const model = await openModel(await run("told", { tokenizer, config: told }), { threads: 1 });
    expect(model.config).toMatchObject({ family: "bart", padTokenId: 0, eosTokenId: 1 });
    await model.close();
  });

  it("is one where only its type is named", async () => {
    const named = { tokenizer: join(root, "vocabulary"), config: { model_type: "bart", ...sizes } };
    const folder = await run("type", named);
    const json = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
    expect(json.architectures).toEqual(["BartForConditionalGeneration"]);
  });
});
