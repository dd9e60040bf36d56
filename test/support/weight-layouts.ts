// Writes one set of weights in each layout that a checkpoint on the hub may have.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import JSZip from "jszip";
import { writeSafetensors } from "../../src/model/checkpoint/write.js";
import { float32, type Tensor } from "../../src/runtime/tensor.js";

export type TestWeights = ReadonlyMap<string, Tensor<"float32">>;
type Precision = "float32" | "float16" | "bfloat16";

const storageTypes: Readonly<Record<Precision, string>> = {
  float32: "FloatStorage",
  float16: "HalfStorage",
  bfloat16: "BFloat16Storage",
};

/** Weights that all three precisions hold exactly: multiples of 1/64, small. */
export function roundForHalf(weights: TestWeights): Map<string, Tensor<"float32">> {
  return new Map(
    [...weights].map(([name, { data, shape }]) => [
      name,
      float32(
        data.map((x) => Math.round(x * 64) / 64),
        shape,
      ),
    ]),
  );
}

/** Bits of a number that float16 holds exactly. */
function float16Bits(x: number): number {
  if (x === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(x)));
  const fraction = (Math.abs(x) / 2 ** exponent - 1) * 1024;
  return (x < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction;
}

function bytesOf(data: Float32Array, precision: Precision): Buffer {
  if (precision === "float32") return Buffer.from(Uint8Array.from(new Uint8Array(data.buffer)));
  const bits = new Uint32Array(data.slice().buffer);
  const halves = Uint16Array.from(data, (x, i) =>
    precision === "float16" ? float16Bits(x) : (bits[i] as number) >>> 16,
  );
  return Buffer.from(halves.buffer);
}

const raw = (...bytes: number[]) => Buffer.from(bytes);
const line = (text: string) => Buffer.from(text, "latin1");
const int = (value: number) => {
  const four = Buffer.alloc(5);
  four.write("J", "latin1");
  four.writeInt32LE(value, 1);
  return four;
};
const string = (text: string) => {
  const bytes = Buffer.from(text);
  const head = Buffer.alloc(5);
  head.write("X", "latin1");
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};
const tuple = (...items: Buffer[]) => Buffer.concat([line("("), ...items, line("t")]);
const protocol2 = raw(0x80, 2);

interface Entry {
  readonly key: string;
  readonly tensor: Tensor<"float32">;
}

/** The pickle of a state dict; names that share a tensor share its storage. */
function statePickle(names: ReadonlyMap<string, Entry>, precision: Precision, legacy: boolean) {
  const items: Buffer[] = [];
  for (const [name, { key, tensor }] of names) {
    const strides = tensor.shape.map((_, axis) =>
      tensor.shape.slice(axis + 1).reduce((product, dim) => product * dim, 1),
    );
    const storage = tuple(
      string("storage"),
      line(`ctorch\n${storageTypes[precision]}\n`),
      string(key),
      string("cpu"),
      int(tensor.data.length),
      ...(legacy ? [line("N")] : []),
    );
    items.push(
      string(name),
      line("ctorch._utils\n_rebuild_tensor_v2\n"),
      tuple(
        Buffer.concat([storage, line("Q")]),
        int(0),
        tuple(...tensor.shape.map(int)),
        tuple(...strides.map(int)),
        raw(0x89),
        line("ccollections\nOrderedDict\n)R"),
      ),
      line("R"),
    );
  }
  return Buffer.concat([protocol2, line("}("), ...items, line("u.")]);
}

function entriesOf(weights: TestWeights, tied: readonly string[]): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const [name, tensor] of weights) entries.set(name, { key: String(entries.size), tensor });
  const shared = entries.get("model.shared.weight");
  for (const name of tied) if (shared) entries.set(name, shared);
  return entries;
}

export const tiedNames = [
  "model.encoder.embed_tokens.weight",
  "model.decoder.embed_tokens.weight",
  "lm_head.weight",
];

/** As torch.save writes since 1.6: a zip with its storages uncompressed. */
async function torchZip(weights: TestWeights, precision: Precision, tied = tiedNames) {
  const entries = entriesOf(weights, tied);
  const zip = new JSZip();
  zip.file("archive/data.pkl", statePickle(entries, precision, false));
  zip.file("archive/byteorder", "little");
  for (const { key, tensor } of entries.values())
    zip.file(`archive/data/${key}`, bytesOf(tensor.data, precision));
  return await zip.generateAsync({ type: "nodebuffer", compression: "STORE" });
}

/** As torch.save wrote before: pickles, then each storage with its length. */
function torchLegacy(weights: TestWeights): Buffer {
  const entries = entriesOf(weights, tiedNames);
  const storages = new Map([...entries.values()].map(({ key, tensor }) => [key, tensor]));
  const magic = raw(0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19);
  const keys = [line("]("), ...[...storages.keys()].map(string), line("e.")];
  const data = [...storages.values()].flatMap((tensor) => {
    const count = Buffer.alloc(8);
    count.writeBigInt64LE(BigInt(tensor.data.length));
    return [count, bytesOf(tensor.data, "float32")];
  });
  return Buffer.concat([
    Buffer.concat([protocol2, magic, line(".")]),
    Buffer.concat([protocol2, int(1001), line(".")]),
    Buffer.concat([protocol2, line("}("), string("little_endian"), raw(0x88), line("u.")]),
    statePickle(entries, "float32", true),
    Buffer.concat([protocol2, ...keys]),
    ...data,
  ]);
}

function halfSafetensors(weights: TestWeights): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let end = 0;
  const parts: Buffer[] = [];
  for (const [name, { shape, data }] of weights) {
    const bytes = bytesOf(data, "float16");
    header[name] = { dtype: "F16", shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
    parts.push(bytes);
  }
  const json = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([head, json, ...parts]);
}

/** The weights in three parts, by name. */
function shardsOf(weights: TestWeights): TestWeights[] {
  const all = [...weights];
  const third = Math.ceil(all.length / 3);
  return [0, 1, 2].map((i) => new Map(all.slice(i * third, (i + 1) * third)));
}

async function writeShards(
  folder: string,
  weights: TestWeights,
  base: string,
  extension: string,
  write: (file: string, shard: TestWeights) => Promise<void>,
): Promise<void> {
  const map: Record<string, string> = {};
  for (const [i, shard] of shardsOf(weights).entries()) {
    const file = `${base}-0000${i + 1}-of-00003.${extension}`;
    await write(join(folder, file), shard);
    for (const name of shard.keys()) map[name] = file;
  }
  const index = JSON.stringify({ metadata: { total_size: 0 }, weight_map: map });
  await writeFile(join(folder, `${base}.${extension}.index.json`), index);
}

/** Each layout and how a folder gets it. */
export const weightLayouts: Readonly<
  Record<string, (folder: string, weights: TestWeights) => Promise<void>>
> = {
  "model.safetensors": (folder, weights) =>
    writeSafetensors(join(folder, "model.safetensors"), weights),
  "pytorch_model.bin": async (folder, weights) =>
    writeFile(join(folder, "pytorch_model.bin"), await torchZip(weights, "float32")),
  "legacy pytorch_model.bin": (folder, weights) =>
    writeFile(join(folder, "pytorch_model.bin"), torchLegacy(weights)),
  "float16 pytorch_model.bin": async (folder, weights) =>
    writeFile(join(folder, "pytorch_model.bin"), await torchZip(weights, "float16")),
  "bfloat16 pytorch_model.bin": async (folder, weights) =>
    writeFile(join(folder, "pytorch_model.bin"), await torchZip(weights, "bfloat16", [])),
  "float16 model.safetensors": (folder, weights) =>
    writeFile(join(folder, "model.safetensors"), halfSafetensors(weights)),
  "sharded pytorch_model.bin": (folder, weights) =>
    writeShards(folder, weights, "pytorch_model", "bin", async (file, shard) =>
      writeFile(file, await torchZip(shard, "float32", [])),
    ),
  "sharded model.safetensors": (folder, weights) =>
    writeShards(folder, weights, "model", "safetensors", writeSafetensors),
};

/** Writes a folder with config.json and the weights in one layout. */
export async function writeLayout(
  folder: string,
  layout: string,
  config: object,
  weights: TestWeights,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  await weightLayouts[layout]?.(folder, weights);
  return folder;
}
