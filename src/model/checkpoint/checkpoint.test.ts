// Weight files: what is read, what is refused, and that no damaged or hostile one does harm.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import JSZip from "jszip";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytesOf, legacyFile, legacyPickles, stateDict } from "../../../test/fuzz/pickles.mjs";
import { BridleError } from "../../errors/error.js";
import { float32 } from "../../runtime/tensor.js";
import { readWeightHeaders } from "./folder.js";
import { readPickle } from "./pickle.js";
import { readSafetensorsHeader } from "./safetensors.js";
import { fromBfloat16, fromFloat16, readFloat32 } from "./stored.js";
import { readTorchHeader } from "./torch-file.js";
import { writeSafetensors } from "./write.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-weights-"));
});
afterAll(() => rm(root, { recursive: true }));

const bytes = (...parts: (string | number[])[]) =>
  Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === "string" ? [...part].map((c) => c.charCodeAt(0)) : part,
    ),
  );
const text = (value: string): (string | number[])[] => ["X", [value.length, 0, 0, 0], value];
const persistent = (type: string, key: string, elements: number) => [
  "(",
  ...text("storage"),
  `ctorch\n${type}\n`,
  ...text(key),
  ...text("cpu"),
  "K",
  [elements],
  "tQ",
];

/** A state dict with one 2 × 3 tensor, as torch.save pickles it. */
const statePickle = (type = "FloatStorage", strides = [3, 1], elements = 6) =>
  bytes(
    [0x80, 2],
    "}",
    ...text("w"),
    "ctorch._utils\n_rebuild_tensor_v2\n",
    "(",
    ...persistent(type, "0", elements),
    "K",
    [0],
    "K",
    [2],
    "K",
    [3],
    [0x86],
    "K",
    [strides[0]!],
    "K",
    [strides[1]!],
    [0x86],
    [0x89],
    "ccollections\nOrderedDict\n",
    ")R",
    "tR",
    "s.",
  );

async function torchZip(name: string, pickle: Uint8Array, data: Uint8Array): Promise<string> {
  const zip = new JSZip();
  zip.file("archive/data.pkl", pickle);
  zip.file("archive/byteorder", "little");
  zip.file("archive/data/0", data);
  const file = join(root, name);
  await writeFile(file, await zip.generateAsync({ type: "nodebuffer", compression: "STORE" }));
  return file;
}

const six = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);

describe("torch files", () => {
  it("reads a tensor, and one whose elements lie transposed", async () => {
    const plain = (await readTorchHeader(await torchZip("plain.bin", statePickle(), six))).get(
      "w",
    )!;
    expect([plain.shape, [...(await readFloat32(plain))]]).toEqual([
      [2, 3],
      [1, 2, 3, 4, 5, 6],
    ]);
    const turned = (
      await readTorchHeader(await torchZip("turned.bin", statePickle("FloatStorage", [1, 2]), six))
    ).get("w")!;
    expect([...(await readFloat32(turned))]).toEqual([1, 3, 5, 2, 4, 6]);
  });

  it.each<[string, Uint8Array, string]>([
    [
      "os.system by GLOBAL",
      bytes([0x80, 2], "cos\nsystem\n", ...text("true"), [0x85], "R."),
      "os.system",
    ],
    [
      "builtins.eval by STACK_GLOBAL",
      bytes([0x80, 4], [0x8c, 8], "builtins", [0x8c, 4], "eval", [0x93], "."),
      "builtins.eval",
    ],
    [
      "a storage that loads bytes",
      bytes([0x80, 2], "ctorch.storage\n_load_from_bytes\n", "."),
      "torch.storage._load_from_bytes",
    ],
    [
      "numpy's reconstruct",
      bytes([0x80, 2], "cnumpy.core.multiarray\n_reconstruct\n", "."),
      "numpy.core.multiarray._reconstruct",
    ],
  ])("never runs %s, and names it", async (_, pickle, name) => {
    const file = await torchZip("hostile.bin", pickle, six);
    await expect(readTorchHeader(file)).rejects.toMatchObject({
      code: "PICKLE_FORBIDDEN",
      message: expect.stringContaining(name),
    });
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["INST", bytes("(ios\nsystem\n."), /opcode 0x69/],
    ["OBJ", bytes("(K", [1], "o."), /opcode 0x6f/],
    ["an empty stack", bytes("."), /empty stack/],
    ["a group never begun", bytes("t."), /not begun/],
    ["an unknown memo", bytes("h", [7], "."), /unknown memo 7/],
    ["a cut string", bytes("X", [200, 0, 0, 0], "abc"), /cut off/],
    ["a call of a type", bytes("ctorch\nFloatStorage\n)R."), /which is a type/],
    ["no tensors", bytes("}."), /no state dict/],
    [
      "a tensor past its storage",
      statePickle("FloatStorage", [30, 1]),
      /needs \d+ bytes of a storage of 24/,
    ],
    ["a type that makes no sense", statePickle("OrderedDict"), /torch\.OrderedDict/],
  ])("refuses %s", async (_, pickle, message) => {
    await expect(torchZip("bad.bin", pickle, six).then(readTorchHeader)).rejects.toThrow(message);
  });

  it("counts values instead of keeping as many as a file asks for", () => {
    for (const opcode of ["(", "]", "}", "N2"]) {
      const bomb = bytes([0x80, 2], opcode.repeat(2_000_001));
      expect(() => readPickle(bomb, 0, "bomb.bin")).toThrow(/more than 2000000 values/);
    }
  });

  it("counts what a list that is handed over again and again would make", () => {
    const pair = [...text("k"), "K", [1], [0x86]];
    const list = ["(l", ...Array.from({ length: 2000 }, () => [...pair, "a"]).flat(), "q", [0]];
    // OrderedDict of the same list, a thousand and one times.
    const calls = Array.from({ length: 1001 }, () => ["h", [1], "h", [0], [0x85], "R0"]).flat();
    const bomb = bytes(
      [0x80, 2],
      ...list,
      "0ccollections\nOrderedDict\nq",
      [1],
      "0",
      ...calls,
      "N.",
    );
    expect(() => readPickle(bomb, 0, "bomb.bin")).toThrow(/more than 2000000 values/);
  });

  it("makes no large tensor out of a small storage", async () => {
    const wide = (rows: number[], strides: number[]) =>
      bytes(
        [0x80, 2],
        "}",
        ...text("w"),
        "ctorch._utils\n_rebuild_tensor_v2\n(",
        ...persistent("FloatStorage", "0", 6),
        "K",
        [0],
        "(",
        ...rows.flatMap((dim) => [
          "J",
          [dim & 255, (dim >> 8) & 255, (dim >> 16) & 255, dim >> 24],
        ]),
        "t(",
        ...strides.flatMap((stride) => ["K", [stride]]),
        "t",
        [0x89],
        "ccollections\nOrderedDict\n)RtRs.",
      );
    const repeated = await torchZip("repeated.bin", wide([1 << 30, 1 << 30], [0, 0]), six);
    await expect(readTorchHeader(repeated)).rejects.toThrow(/by repeating its elements/);
    // Tied tensors lie on one storage; a thousand names for it are no model.
    const tied = (count: number) =>
      torchZip(
        "tied.bin",
        bytes(
          [0x80, 2],
          "}",
          "ctorch._utils\n_rebuild_tensor_v2\n((",
          ...text("storage"),
          "ctorch\nFloatStorage\n",
          ...text("0"),
          ...text("cpu"),
          "M",
          [0xe8, 3],
          "tQ",
          "K",
          [0],
          "M",
          [0xe8, 3],
          [0x85],
          "K",
          [1],
          [0x85],
          [0x89],
          "NtRq",
          [9],
          "0",
          ...Array.from({ length: count }, (_, i) => [...text(`w${i}`), "h", [9], "s"]).flat(),
          ".",
        ),
        new Uint8Array(4000),
      ).then(readTorchHeader);
    expect((await tied(4)).size).toBe(4);
    await expect(tied(1000)).rejects.toThrow(/more than 8 times the bytes of the file/);
  });

  it("tells where a file was cut", async () => {
    const file = await torchZip("whole.bin", statePickle(), six);
    const whole = await readFile(file);
    await writeFile(file, whole.subarray(0, whole.length - 40));
    await expect(readTorchHeader(file)).rejects.toThrow(/zip directory cannot be read/);
    const older = legacyFile(bytesOf(stateDict(true)), bytesOf(legacyPickles.after[0] ?? []));
    await writeFile(file, older);
    expect((await readTorchHeader(file)).size).toBe(6);
    await writeFile(file, older.subarray(0, older.length - 5));
    await expect(readTorchHeader(file)).rejects.toThrow(
      new RegExp(`ends at byte ${older.length - 2}, the file at ${older.length - 5}|ends at byte`),
    );
    await writeFile(file, older.subarray(0, 200));
    await expect(readTorchHeader(file)).rejects.toThrow(/it is cut off/);
  });

  it("refuses files that are neither zip nor torch's older format", async () => {
    const file = join(root, "noise.bin");
    await writeFile(file, "This is no weight file, but a text of some length.");
    await expect(readTorchHeader(file)).rejects.toBeInstanceOf(BridleError);
    await writeFile(file, "PK\u0003\u0004 and nothing more");
    await expect(readTorchHeader(file)).rejects.toMatchObject({ code: "WEIGHTS_CORRUPT" });
  });
});

describe("safetensors", () => {
  const file = () => join(root, "model.safetensors");
  const tensors = new Map([
    ["b", float32(Float32Array.of(1.5, -2, 0), [3])],
    ["a", float32(Float32Array.of(7), [1, 1])],
  ]);
  const withHeader = async (header: unknown, data = new Uint8Array(12)) => {
    const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
    const head = Buffer.alloc(8);
    head.writeBigUInt64LE(BigInt(json.length));
    await writeFile(file(), Buffer.concat([head, json, data]));
    return readSafetensorsHeader(file());
  };

  it("come back as they were written, and leave no temporary file", async () => {
    await writeSafetensors(file(), tensors);
    const read = await readSafetensorsHeader(file());
    expect([...read.keys()].sort()).toEqual(["a", "b"]);
    expect([...(await readFloat32(read.get("b")!))]).toEqual([1.5, -2, 0]);
    expect(read.get("a")!.shape).toEqual([1, 1]);
    expect((await readFile(file())).readBigUInt64LE(0) % 8n).toBe(0n);
    expect((await readdir(root)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("keep the file that was there when writing fails", async () => {
    await writeSafetensors(file(), tensors);
    const before = await readFile(file());
    const broken = new Map([
      [
        "a",
        {
          dtype: "float32",
          shape: [1],
          get data(): Float32Array {
            throw new Error("disk full");
          },
        } as never,
      ],
    ]);
    await expect(writeSafetensors(file(), broken)).rejects.toMatchObject({ code: "WRITE_FAILED" });
    expect(await readFile(file())).toEqual(before);
    await expect(
      writeSafetensors(join(root, "absent", "x.safetensors"), tensors),
    ).rejects.toMatchObject({ code: "WRITE_FAILED" });
  });

  const ok = { dtype: "F32", shape: [3], data_offsets: [0, 12] };
  it.each<[string, unknown, RegExp]>([
    ["no JSON", "{not json", /no JSON/],
    ["a list", [], /no JSON object/],
    ["an unknown dtype", { w: { ...ok, dtype: "F8_E4M3" } }, /F8_E4M3/],
    ["a dtype that objects have", { w: { ...ok, dtype: "constructor" } }, /"constructor"/],
    ["a negative size", { w: { ...ok, shape: [-3] } }, /no valid shape/],
    ["a range of another size", { w: { ...ok, data_offsets: [0, 8] } }, /needs 12/],
    ["a range past the end", { w: { ...ok, shape: [5], data_offsets: [0, 20] } }, /cut off/],
    ["a gap", { w: { ...ok, shape: [2], data_offsets: [4, 12] } }, /start at 4, not at 0/],
    [
      "an overlap",
      {
        v: { ...ok, shape: [2], data_offsets: [0, 8] },
        w: { ...ok, shape: [2], data_offsets: [4, 12] },
      },
      /start at 4, not at 8/,
    ],
    ["bytes left over", { w: { ...ok, shape: [2], data_offsets: [0, 8] } }, /4 bytes follow/],
  ])("refuse %s", async (_, header, message) => {
    await expect(withHeader(header)).rejects.toThrow(message);
  });

  it("refuse a header nested deeper than any, before it is parsed", async () => {
    await expect(withHeader("[".repeat(5_000_000))).rejects.toThrow(/nested deeper than 8 levels/);
    await expect(withHeader(`{"a":[${"1,".repeat(4_000_000)}1]}`)).rejects.toThrow(
      /more than 4000000 values/,
    );
  });

  it("refuse a folder of their name", async () => {
    const folder = await mkdtemp(join(root, "folder-"));
    await mkdir(join(folder, "model.safetensors"));
    await expect(readWeightHeaders(folder)).rejects.toMatchObject({
      code: "FILE_NOT_READABLE",
      message: expect.stringContaining("model.safetensors"),
    });
  });

  it("may hold whole numbers, which are no weights", async () => {
    const tensors = await withHeader({ w: { dtype: "I32", shape: [3], data_offsets: [0, 12] } });
    await expect(readFloat32(tensors.get("w")!)).rejects.toThrow(/w is int32, not a floating type/);
  });

  it("refuse a header longer than the file, and a file too short for one", async () => {
    await writeFile(file(), Buffer.from([255, 255, 255, 255, 255, 0, 0, 0]));
    await expect(readSafetensorsHeader(file())).rejects.toThrow(/header claims/);
    await writeFile(file(), Buffer.from([1]));
    await expect(readSafetensorsHeader(file())).rejects.toThrow(/too short/);
  });
});

describe("shards", () => {
  it("refuse names that lead out of the folder, shards that are absent and tensors that are not in theirs", async () => {
    const folder = await mkdtemp(join(root, "shards-"));
    const index = (map: unknown) =>
      writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
    for (const name of ["../outside.safetensors", "x".repeat(300), "", ".hidden", 7]) {
      await index({ w: name });
      await expect(readWeightHeaders(folder)).rejects.toThrow(/no file name/);
    }
    await index({ w: "gone.safetensors" });
    await expect(readWeightHeaders(folder)).rejects.toMatchObject({
      code: "WEIGHTS_NOT_FOUND",
      message: expect.stringContaining("gone"),
    });
    await writeSafetensors(
      join(folder, "one.safetensors"),
      new Map([["v", float32(Float32Array.of(1), [1])]]),
    );
    await index({ w: "one.safetensors" });
    await expect(readWeightHeaders(folder)).rejects.toThrow(/w is not in it/);
  });
});

describe("half precision", () => {
  it.each([
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x8000, -0],
    [0x7c00, Number.POSITIVE_INFINITY],
  ])("float16 bits %i are %d", (bits, value) => expect(fromFloat16(bits)).toBe(value));
  it.each([
    [0x3f80, 1],
    [0xc000, -2],
    [0x4049, 3.140625],
  ])("bfloat16 bits %i are %d", (bits, value) => expect(fromBfloat16(bits)).toBe(value));
});
