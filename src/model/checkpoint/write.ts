// Writes a model folder as save_pretrained would: safetensors and config, each file whole or not at all.
import { size } from "../../runtime/tensor.js";
import { readWeight, type Weight } from "../../runtime/weights.js";
import { writeAtomically } from "../../text/files/write-atomically.js";

/**
 * Writes float32 tensors as one safetensors file, sorted by name, its header padded to eight bytes. Those in files are
 * read one at a time.
 * @throws WRITE_FAILED naming the file, such as when the disk is full; the file that was there stays.
 * Source: huggingface/safetensors, README, "Format".
 */
export async function writeSafetensors(
  file: string,
  tensors: ReadonlyMap<string, Weight>,
): Promise<void> {
  const names = [...tensors.keys()].sort();
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let end = 0;
  for (const name of names) {
    const { shape } = tensors.get(name) as Weight;
    const start = end;
    end += size(shape) * 4;
    header[name] = { dtype: "F32", shape, data_offsets: [start, end] };
  }
  let json = JSON.stringify(header);
  json += " ".repeat((8 - (Buffer.byteLength(json) % 8)) % 8);
  const head = Buffer.alloc(8 + Buffer.byteLength(json));
  head.writeBigUInt64LE(BigInt(head.length - 8), 0);
  head.write(json, 8);
  await writeAtomically(file, async (handle) => {
    await handle.writeFile(head);
    for (const name of names) {
      const { data } = await readWeight(tensors.get(name) as Weight);
      await handle.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  });
}
