// The version of a model folder: a fingerprint of what decides its answers.
import { createHash } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Bytes read at each end of a weight file; their sizes count too. Reading gigabytes would delay every start. */
const sampleBytes = 1 << 16;

const counted =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json$|^merges\.txt$|^spiece\.model$|\.safetensors$|^pytorch_model.*\.bin$|\.index\.json$/;

/** Twelve hex digits that change when config, tokenizer, or the size, beginning or end of a weight file does. */
export async function modelVersion(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(folder)).filter((file) => counted.test(file)).sort()) {
    const handle = await open(join(folder, name), "r");
    try {
      const { size } = await handle.stat();
      hash.update(`${name}\0${size}\0`);
      const sample = Buffer.alloc(Math.min(size, sampleBytes));
      for (const position of new Set([0, Math.max(0, size - sampleBytes)])) {
        const { bytesRead } = await handle.read(sample, 0, sample.length, position);
        hash.update(sample.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
  }
  return hash.digest("hex").slice(0, 12);
}
