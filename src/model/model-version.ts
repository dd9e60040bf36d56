// The version of a model folder: a fingerprint of what decides its answers.
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** Files that have no more are read whole. */
const wholeBytes = 1 << 23;
/**
 * Of larger ones so many samples are read, evenly from their beginning to their end; their sizes count too. Reading gigabytes would
 * delay every start. A matrix of a model of gigabytes is longer than from one sample to the next.
 */
const samples = 1024;
const sampleBytes = 1 << 8;

const counted =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json$|^merges\.txt$|^spiece\.model$|\.safetensors$|^pytorch_model.*\.bin$|\.index\.json$/;

/** Twelve hex digits that change when config or tokenizer do, or weights: the size of their files or what samples of them hold. */
export async function modelVersion(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(folder)).filter((file) => counted.test(file)).sort()) {
    const opened = openSync(join(folder, name), "r");
    try {
      const { size } = fstatSync(opened);
      hash.update(`${name}\0${size}\0`);
      const isWhole = size <= wholeBytes;
      const part = Buffer.alloc(isWhole ? size : sampleBytes);
      const count = isWhole ? 1 : samples;
      // At once: a turn of the event loop for each of them takes ten times as long.
      for (let i = 0; i < count; i++) {
        const at = isWhole ? 0 : Math.floor(((size - sampleBytes) * i) / (count - 1));
        hash.update(part.subarray(0, readSync(opened, part, 0, part.length, at)));
      }
    } finally {
      closeSync(opened);
    }
  }
  return hash.digest("hex").slice(0, 12);
}
