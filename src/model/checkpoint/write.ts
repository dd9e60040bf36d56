// Writes a model folder as save_pretrained would: safetensors and config, each file whole or not at all.
import { dtypes } from "../../graph/index.js";
import type { Tensor, TensorDType } from "../../runtime/tensor.js";
import { readWeight, sizeBytes, type Weight } from "../../runtime/weights.js";
import { writeAtomically } from "../../text/files/write-atomically.js";

/** A tensor that is made when its turn to be written comes. */
export interface TensorToMake {
  readonly dtype: TensorDType;
  readonly shape: readonly number[];
  make(): Promise<Tensor>;
}

type Stored = Weight | TensorToMake;

const codes: ReadonlyMap<TensorDType, string> = new Map([
  ["float32", "F32"],
  ["int8", "I8"],
  ["uint8", "U8"],
]);

/**
 * Writes tensors as one safetensors file, sorted by name, its header padded to eight bytes. Those in files are
 * read one at a time.
 * @throws WRITE_FAILED naming the file, such as when the disk is full; the file that was there stays.
 * Source: huggingface/safetensors, README, "Format".
 */
export async function writeSafetensors(
  file: string,
  tensors: ReadonlyMap<string, Stored>,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): Promise<void> {
  // Wider elements first, so that each tensor starts at a multiple of its element's bytes.
  const bytesOf = (name: string) => dtypes[(tensors.get(name) as Stored).dtype].bytes;
  const names = [...tensors.keys()].sort(
    (a, b) => bytesOf(b) - bytesOf(a) || (a < b ? -1 : Number(a > b)),
  );
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const name of names) {
    const weight = tensors.get(name) as Stored;
    const start = end;
    end += sizeBytes(weight);
    const { dtype, shape } = weight;
    header[name] = { dtype: codes.get(dtype), shape, data_offsets: [start, end] };
  }
  let json = JSON.stringify(header);
  json += " ".repeat((8 - (Buffer.byteLength(json) % 8)) % 8);
  const head = Buffer.alloc(8 + Buffer.byteLength(json));
  head.writeBigUInt64LE(BigInt(head.length - 8), 0);
  head.write(json, 8);
  await writeAtomically(file, async (handle) => {
    await handle.writeFile(head);
    for (const name of names) {
      const stored = tensors.get(name) as Stored;
      const { data } = "make" in stored ? await stored.make() : await readWeight(stored);
      await handle.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  });
}
