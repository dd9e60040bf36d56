// A tokenizer's folder: written whole, never over another unless told so.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadTokenizer } from "../../text/tokenizers/load.js";
import {
  type TrainedTokenizer,
  trainTokenizer,
} from "../../text/tokenizers/train/train-tokenizer.js";
import { checkTokenizerFolder, saveTokenizer } from "./save-tokenizer.js";

let root: string;
let trained: TrainedTokenizer;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-save-"));
  const text = ["the harbour silted up", "ships unloaded on the island", "the ships left"];
  trained = await trainTokenizer(text, { vocabSize: 22, normalizer: "identity" });
});
afterAll(() => rm(root, { recursive: true }));

it("is made, with its folders, and opens", async () => {
  const folder = join(root, "a", "b");
  await saveTokenizer(folder, trained);
  expect((await readdir(folder)).sort()).toEqual([
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer_config.json",
  ]);
  const tokenizer = await loadTokenizer(folder);
  expect(tokenizer.vocabSize).toBe(trained.modelVocabSize);
  const text = "ships left the harbour";
  expect(tokenizer.decode(tokenizer.encode(text), { skipSpecialTokens: true })).toBe(text);
  // Pegasus's own ids below 105, the user-defined piece among SentencePiece's.
  const [mask, ...rest] = tokenizer.encode("<mask_1> <n>");
  expect(mask).toBe(2);
  expect(rest.slice(-2)).toEqual([106, 1]);
});

it("does not go over another, unless told so, and then takes away what would be read instead", async () => {
  const folder = join(root, "other");
  await saveTokenizer(folder, trained);
  await writeFile(join(folder, "tokenizer.json"), "{}");
  await writeFile(join(folder, "spiece.model"), "old");
  await writeFile(join(folder, "config.json"), "kept");
  await expect(saveTokenizer(folder, trained)).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
  await expect(checkTokenizerFolder(folder, false)).rejects.toMatchObject({
    code: "OUTPUT_EXISTS",
  });
  expect(await readFile(join(folder, "spiece.model"), "utf8")).toBe("old");
  await saveTokenizer(folder, trained, { overwrite: true });
  expect(await readdir(folder)).not.toContain("tokenizer.json");
  expect(await readFile(join(folder, "config.json"), "utf8")).toBe("kept");
  expect((await loadTokenizer(folder)).vocabSize).toBe(trained.modelVocabSize);
});

it("is refused where no folder can be, before anything is trained", async () => {
  const file = join(root, "file");
  await writeFile(file, "");
  for (const folder of [file, join(file, "x")]) {
    await expect(checkTokenizerFolder(folder, false)).rejects.toMatchObject({
      code: "FILE_NOT_WRITABLE",
    });
  }
});
