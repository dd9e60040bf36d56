// Models with whole-number weights: what they answer, where their copies are kept, and what keeps a layer as it was.
import { createHash, randomUUID } from "node:crypto";
import { renameSync } from "node:fs";
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { relativeError } from "../../test/support/relative-error.js";
import { makeTinyPegasus, tinyConfig, tinyWeights } from "../../test/support/tiny-pegasus.js";
import { makeTinyT5 } from "../../test/support/tiny-t5.js";
import { readSafetensorsMetadata } from "../model/checkpoint/safetensors.js";
import { writeSafetensors } from "../model/checkpoint/write.js";
import type { RoundingProgress } from "../model/quantization/open.js";
import { saveQuantized } from "../model/quantization/save.js";
import { pidNamespace, processMark } from "../runtime/living-process.js";
import type { Tensor } from "../runtime/tensor.js";
import type { GenerateResult } from "./generator.js";
import { type Model, openModel } from "./model.js";
import { createRandom } from "./random.js";

let root: string;
let folder: string;
let home: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-quantized-"));
  folder = await makeTinyPegasus(join(root, "model"));
});
afterAll(() => rm(root, { recursive: true }));
beforeEach(async () => {
  home = await mkdtemp(join(root, "home-"));
  vi.stubEnv("BRIDLE_HOME", home);
});
afterEach(() => vi.unstubAllEnvs());

const cache = () => join(home, "cache", "quantized");
const copies = async () =>
  (await readdir(cache())).filter((name) => name.endsWith(".safetensors")).sort();

const input = {
  inputIds: [
    [110, 131, 127, 140, 155, 149, 1],
    [120, 144, 133, 128, 160, 171, 1],
  ],
  decoderInputIds: [
    [0, 112, 113],
    [0, 114, 115],
  ],
};

async function using<T>(
  options: Parameters<typeof openModel>[1],
  work: (model: Model) => Promise<T>,
  of = folder,
): Promise<T> {
  const model = await openModel(of, { threads: 1, ...options });
  try {
    return await work(model);
  } finally {
    await model.close();
  }
}

const logits = async (model: Model) => (await model.forward(input)).logits.data;

describe("a model in whole numbers", () => {
  it("has the same summaries where its encoder has a thread of its own", async () => {
    const said = vi.spyOn(Worker.prototype, "postMessage");
    const asked = { numBeams: 3, maxNewTokens: 8 };
    const generate = (model: Model) => model.generate({ inputIds: input.inputIds }, asked);
    const here = await using({ dtype: "int8" }, generate);
    const exact = await using({ encoderThread: true }, generate);
    expect(said).not.toHaveBeenCalled();
    const there = await using({ dtype: "int8", encoderThread: true }, async (model) => {
      expect(await generate(model)).toEqual(here);
      return await generate(model);
    });
    // What to open, two runs, and the end.
    expect(said).toHaveBeenCalledTimes(4);
    said.mockRestore();
    expect(there).toEqual(here);
    expect(exact.sequences.length).toBe(here.sequences.length);
    // Closed before anybody asked.
    await using({ dtype: "int8", encoderThread: true }, async () => {});
  });

  it.each([
    ["int8", 0.05],
    ["int4", 0.4],
  ] as const)("in %s is off by less than %d", async (dtype, most) => {
    const exact = await using({ dtype: "fp32" }, logits);
    const rounded = await using({ dtype }, logits);
    const error = relativeError(exact, rounded);
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(most);
    await using({ dtype }, async (model) => {
      expect(model.dtype).toBe(dtype);
      const { sequences } = await model.generate(
        { inputIds: input.inputIds },
        { maxLength: 8, numBeams: 3 },
      );
      expect(sequences).toHaveLength(2);
    });
  });

  /** Bytes of keys and values while three beams are written for two documents. */
  async function cacheBytesOf(model: Model): Promise<number> {
    let most = 0;
    const onTokens = () => {
      most = Math.max(most, model.load()?.cacheBytes ?? 0);
    };
    const asked = { numBeams: 3, minNewTokens: 4, maxNewTokens: 4 };
    const result = await model.generate({ inputIds: input.inputIds }, asked, { onTokens });
    expect(result.sequences).toHaveLength(2);
    return most;
  }

  it("holds what cross-attention reads in a quarter of the bytes, unless its copy says otherwise", async () => {
    const exact = await using({ dtype: "fp32" }, cacheBytesOf);
    const rounded = await using({ dtype: "int8" }, cacheBytesOf);
    // Two layers' keys and values of two documents of 16 places of 32 numbers, whose scales are 32 numbers more.
    const numbers = 2 * 2 * 2 * 32;
    expect(exact - rounded).toBe(numbers * 16 * 3 - numbers * 4);
    expect(await using({ dtype: "int4" }, cacheBytesOf)).toBe(rounded);
    const target = join(home, "noted");
    await saveQuantized(folder, target, { dtype: "int8" });
    const file = join(target, "model.int8.safetensors");
    const bytes = await readFile(file);
    const withNote = async (note: string) => {
      const old = '"exact_memory":""';
      const at = bytes.indexOf(old);
      expect(at).toBeGreaterThan(0);
      const header = Number(bytes.readBigUInt64LE(0));
      const text = bytes.toString("utf8", 8, 8 + header).replace(old, note);
      const padded = text.padEnd(8 * Math.ceil(text.length / 8));
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(padded.length));
      await writeFile(
        file,
        Buffer.concat([length, Buffer.from(padded), bytes.subarray(8 + header)]),
      );
      return await using({}, cacheBytesOf, target);
    };
    const one = "model.decoder.layers.1.encoder_attn";
    expect(await withNote(`"exact_memory":"${one}"`)).toBe((exact + rounded) / 2);
    // As those were written that were made before this was measured.
    expect(await withNote('"other":"x"')).toBe(exact);
  });

  it("of T5 writes for documents together what it writes for each", async () => {
    const at = await makeTinyT5(join(home, "t5"));
    const random = createRandom(5);
    const documents = [9, 30, 30, 47].map((length) => [
      ...Array.from({ length }, () => 10 + Math.floor(random() * 100)),
      1,
    ]);
    const asked = { numBeams: 3, minNewTokens: 6, maxNewTokens: 6 };
    await using(
      { dtype: "int8" },
      async (model) => {
        const alone: unknown[] = [];
        for (const ids of documents)
          alone.push(...(await model.generate({ inputIds: [ids] }, asked)).sequences);
        const together = await Promise.all(
          documents.map((ids) => model.generate({ inputIds: [ids] }, asked)),
        );
        expect(together.flatMap(({ sequences }) => sequences)).toEqual(alone);
      },
      at,
    );
  });

  it("writes for a document what it writes for it in any of a thousand batches", async () => {
    const longer = { ...tinyConfig, max_position_embeddings: 200 };
    const long = await makeTinyPegasus(join(home, "long"), { config: longer });
    const work = async (model: Model) => {
      const random = createRandom(5, 0);
      const whole = (most: number) => Math.floor(random() * most);
      // Those of up to 128 tokens are padded, longer ones are not.
      const documents = Array.from({ length: 24 }, (_, i) => [
        ...Array.from(
          { length: 1 + whole(i < 18 ? 40 : 160) },
          () => 104 + whole(tinyConfig.vocab_size - 104),
        ),
        1,
      ]);
      const options = { maxNewTokens: 5, minNewTokens: 5, numBeams: 2 };
      const pad = (row: number[], length: number) => [
        ...row,
        ...Array(length - row.length).fill(0),
      ];
      const generate = async (rows: number[][], extra: number) => {
        const length = Math.max(...rows.map((row) => row.length)) + extra;
        const { sequences } = await model.generate(
          {
            inputIds: rows.map((row) => pad(row, length)),
            attentionMask: rows.map((row) =>
              pad(
                row.map(() => 1),
                length,
              ),
            ),
          },
          options,
        );
        return sequences;
      };
      const alone: number[][] = [];
      for (const row of documents) alone.push((await generate([row], 0))[0] as number[]);
      for (let batch = 0; batch < 1000; batch++) {
        const chosen = Array.from({ length: 1 + whole(6) }, () => whole(documents.length));
        const found = await generate(
          chosen.map((i) => documents[i] as number[]),
          whole(8),
        );
        expect(found).toEqual(chosen.map((i) => alone[i]));
      }
    };
    await using({ dtype: "int8", threads: 2 }, work, long);
  }, 240_000);

  it.each([2, 4, 8])(
    "has the same scores for a document with %i beams whoever is at other steps beside it",
    async (numBeams) => {
      await using({ dtype: "int8", threads: 2 }, async (model) => {
        const random = createRandom(9, numBeams);
        const whole = (most: number) => Math.floor(random() * most);
        const calls = Array.from({ length: 60 }, () => ({
          ids: Array.from(
            { length: 4 + whole(30) },
            () => 104 + whole(tinyConfig.vocab_size - 104),
          ),
          maxNewTokens: 20 + whole(40),
        }));
        const run = ({ ids, maxNewTokens }: (typeof calls)[number]) =>
          model.generate(
            { inputIds: [ids] },
            { numBeams, maxNewTokens, minNewTokens: maxNewTokens },
          );
        const alone: GenerateResult[] = [];
        for (const call of calls) alone.push(await run(call));
        for (let first = 0; first < calls.length; first += 12) {
          const together = await Promise.all(calls.slice(first, first + 12).map(run));
          expect(together).toEqual(alone.slice(first, first + 12));
        }
      });
    },
  );

  it("has no gradients, and saves what it was made from", async () => {
    await using({ dtype: "int8" }, async (model) => {
      const labelled = {
        inputIds: input.inputIds,
        labels: [
          [112, 1],
          [113, 1],
        ],
      };
      await expect(model.gradients(labelled)).rejects.toMatchObject({
        code: "INVALID_PARAMETER",
        details: { parameter: "dtype" },
      });
      await model.save(join(root, "saved"));
    });
    const exact = await using({ dtype: "fp32" }, logits);
    expect(await using({ dtype: "fp32" }, logits, join(root, "saved"))).toEqual(exact);
  });

  it.each([
    [{ dtype: "int8", device: "webgpu" }, "device"],
    [{ dtype: "int4", device: "cuda" }, "device"],
    [{ dtype: "int3" as "int4" }, "dtype"],
  ] as const)("refuses %j", async (options, parameter) => {
    await expect(openModel(folder, options)).rejects.toMatchObject({
      code: "INVALID_PARAMETER",
      details: { parameter },
    });
  });
});

/** Each part of rounding is told step by step, from its first to its last. */
function expectEachPart(told: readonly RoundingProgress[], phases: readonly string[]): void {
  expect([...new Set(told.map(({ phase }) => phase))]).toEqual(phases);
  for (const each of phases) {
    const steps = told.filter(({ phase }) => phase === each);
    expect(steps.map(({ done }) => done)).toEqual(steps.map((_, i) => i + 1));
    expect(new Set(steps.map(({ total }) => total))).toEqual(new Set([steps.length]));
  }
}

describe("copies in whole numbers", () => {
  it("are made once, by dtype, and found by the weights' content", async () => {
    const told: RoundingProgress[] = [];
    const onRounding = (progress: RoundingProgress) => told.push(progress);
    await using({ dtype: "int8", onRounding }, async () => {});
    expectEachPart(told, ["rounding", "measuring"]);
    expect(told[0]).toMatchObject({ folder, dtype: "int8" });
    told.length = 0;
    await using({ dtype: "int8", onRounding }, async () => {});
    expect(told).toEqual([]);
    const [first] = await copies();
    const { mtimeMs } = await stat(join(cache(), first as string));
    const elsewhere = join(home, "moved");
    await cp(folder, elsewhere, { recursive: true });
    await using({ dtype: "int8" }, async () => {}, elsewhere);
    expect(await copies()).toEqual([first]);
    expect((await stat(join(cache(), first as string))).mtimeMs).toBe(mtimeMs);
    await using({ dtype: "int4" }, async () => {});
    expect(await copies()).toHaveLength(2);
  });

  it("of weights that have changed are made anew", async () => {
    const changing = await makeTinyPegasus(join(home, "changing"));
    const before = await using({ dtype: "int8" }, logits, changing);
    const weights = new Map(tinyWeights());
    const name = "model.decoder.layers.1.fc2.weight";
    const { data, ...rest } = weights.get(name) as Tensor<"float32">;
    weights.set(name, { ...rest, data: data.map((x) => -2 * x) });
    await writeSafetensors(join(changing, "model.safetensors"), weights);
    expect(await using({ dtype: "int8" }, logits, changing)).not.toEqual(before);
    expect(await copies()).toHaveLength(2);
  });

  it("of weights that were written over in place are made anew, whatever time is said of it", async () => {
    const changing = await makeTinyPegasus(join(home, "in-place"));
    const file = join(changing, "model.safetensors");
    const then = new Date("2024-01-01T00:00:00Z");
    await utimes(file, then, then);
    const before = await using({ dtype: "int8" }, logits, changing);
    await writeSafetensors(join(home, "others.safetensors"), tinyWeights(2));
    const { ino, size, mtimeMs } = await stat(file);
    await writeFile(file, await readFile(join(home, "others.safetensors")));
    await utimes(file, then, then);
    expect(await stat(file)).toMatchObject({ ino, size, mtimeMs });
    expect(await using({ dtype: "int8" }, logits, changing)).not.toEqual(before);
    expect(await copies()).toHaveLength(2);
  });

  it("may be made by several at once, each of which then generates", async () => {
    const alone = await using({ dtype: "int8" }, logits);
    await rm(cache(), { recursive: true });
    const found = await Promise.all(
      Array.from({ length: 4 }, () =>
        using({ dtype: "int8" }, async (model) => {
          const { sequences } = await model.generate({ inputIds: input.inputIds });
          return { sequences, logits: await logits(model) };
        }),
      ),
    );
    for (const each of found) {
      expect(each.logits).toEqual(alone);
      expect(each.sequences).toEqual(found[0]?.sequences);
    }
    expect(await copies()).toHaveLength(1);
    const others = (await readdir(cache())).filter((name) => !name.endsWith(".safetensors"));
    expect(others).toEqual([expect.stringMatching(/\.hash$/)]);
  });

  it.each<[string, (file: string) => Promise<void>]>([
    ["was cut off", async (file) => truncate(file, (await stat(file)).size - 100)],
    ["is of another format", (file) => writeFile(file, "no tensors at all")],
    [
      "says it was made from other weights",
      async (file) => {
        const bytes = await readFile(file);
        const at = bytes.indexOf('"weights":"') + 11;
        bytes.write("0".repeat(64), at);
        await writeFile(file, bytes);
      },
    ],
  ])("that %s are not used", async (_, spoil) => {
    const exact = await using({ dtype: "int8" }, logits);
    const [name] = await copies();
    await spoil(join(cache(), name as string));
    expect(await using({ dtype: "int8" }, logits)).toEqual(exact);
  });

  it("that builds made which measured no keys and values are left to them", async () => {
    const exact = await using({ dtype: "int8" }, logits);
    const [name] = (await copies()) as [string];
    const before = name.replace("-m.", ".");
    await cp(join(cache(), name), join(cache(), before));
    await rm(join(cache(), name));
    expect(await using({ dtype: "int8" }, logits)).toEqual(exact);
    expect(await copies()).toEqual([name, before].sort());
  });

  it("are made in memory where nothing can be written", async () => {
    const exact = await using({ dtype: "int8" }, logits);
    await writeFile(join(home, "file"), "");
    vi.stubEnv("BRIDLE_HOME", join(home, "file"));
    expect(await using({ dtype: "int8" }, logits)).toEqual(exact);
  });

  it("that were not measured to the end are not found", async () => {
    await using({ dtype: "int8" }, async () => {});
    const [name] = await copies();
    // As a process killed between making and measuring leaves it.
    await cp(join(cache(), name as string), join(cache(), `${name}.draft`));
    await rm(join(cache(), name as string));
    await using({ dtype: "int8" }, async () => {});
    expect(await readdir(cache())).not.toContain(`${name}.draft`);
    expect(await copies()).toEqual([name]);
  });

  it("that killed processes were about to make are dropped when the next is made", async () => {
    await using({ dtype: "int8" }, async () => {});
    const [name] = (await copies()) as [string];
    const host = (of: string) => createHash("md5").update(of).digest("hex").slice(0, 8);
    const own = /\d+/.exec(pidNamespace() ?? "")?.[0] ?? "";
    const draft = (of: string, pid: number, mark: string, namespace = own) =>
      `${name}.${host(of)}-${pid}-${mark}-t0n${namespace}-${randomUUID()}.draft`;
    const gone = draft(hostname(), 2 ** 30, processMark());
    const left = {
      gone,
      halfWritten: `${gone}.${randomUUID()}.tmp`,
      // Another process had the id that this one has now.
      earlier: draft(hostname(), process.pid, `${processMark()}0`),
      elsewhereLongAgo: draft("elsewhere", process.pid, processMark()),
      // A container of this machine's name that has said nothing for half an hour.
      besideBefore: draft(hostname(), 1, "", "1"),
    };
    const kept = {
      alive: draft(hostname(), process.pid, processMark()),
      elsewhere: draft("elsewhere", 2 ** 30, ""),
      // One that counts its processes for itself.
      beside: draft(hostname(), 2 ** 30, "", "1"),
    };
    for (const each of [...Object.values(left), ...Object.values(kept)])
      await writeFile(join(cache(), each), "");
    const longAgo = new Date(Date.now() - 25 * 3600 * 1000);
    await utimes(join(cache(), left.elsewhereLongAgo), longAgo, longAgo);
    const before = new Date(Date.now() - 31 * 60 * 1000);
    await utimes(join(cache(), left.besideBefore), before, before);
    await utimes(join(cache(), kept.elsewhere), before, before);
    await using({ dtype: "int4" }, async () => {});
    const drafts = (await readdir(cache())).filter((each) => each.includes(".draft"));
    expect(drafts.sort()).toEqual(Object.values(kept).sort());
  });
});

describe("a folder with a quantized copy", () => {
  it("opens by itself, and answers as the model does in that dtype", async () => {
    const target = join(home, "int8");
    const saved = await saveQuantized(folder, target, { dtype: "int8" });
    expect(saved.sizeBytes).toBeLessThan(saved.floatBytes);
    expect(saved.kept).toEqual([]);
    expect(await readdir(target)).not.toContain("model.safetensors");
    const expected = await using({ dtype: "int8" }, logits);
    await using(
      {},
      async (model) => {
        expect(model.dtype).toBe("int8");
        expect(await logits(model)).toEqual(expected);
      },
      target,
    );
    for (const dtype of ["fp32", "int4"] as const) {
      await expect(openModel(target, { dtype })).rejects.toMatchObject({
        code: "WEIGHTS_QUANTIZED",
        message: `${target} holds its weights as int8 alone; this needs those they were made from.`,
      });
    }
    await expect(saveQuantized(folder, target, { dtype: "int8" })).rejects.toMatchObject({
      code: "OUTPUT_EXISTS",
    });
    const none = { dtype: "int8", documents: [], overwrite: true } as const;
    await expect(saveQuantized(folder, target, none)).rejects.toMatchObject({
      code: "INVALID_PARAMETER",
    });
  });

  /** All files of a folder with what is in them. */
  const contents = async (of: string) =>
    Object.fromEntries(
      await Promise.all(
        (await readdir(of))
          .sort()
          .map(async (name) => [name, await readFile(join(of, name), "base64")] as const),
      ),
    );
  /** A folder of the same model with other weights. */
  const makeOther = async (name: string) => {
    const other = await makeTinyPegasus(join(home, name));
    const weights = new Map(tinyWeights());
    const bias = "model.encoder.layers.0.fc1.bias";
    const { data, ...rest } = weights.get(bias) as Tensor<"float32">;
    weights.set(bias, { ...rest, data: data.map((x) => x + 1) });
    await writeSafetensors(join(other, "model.safetensors"), weights);
    return other;
  };

  it("is put into no folder with another model, which stays as it was", async () => {
    const other = await makeOther("other");
    const copied = join(home, "copied");
    await saveQuantized(other, copied, { dtype: "int4" });
    const foreign = join(home, "foreign");
    await cp(folder, foreign, { recursive: true });
    for (const name of await readdir(foreign))
      if (/safetensors|\.bin/.test(name)) await rm(join(foreign, name));
    for (const target of [other, copied, foreign]) {
      const before = await contents(target);
      for (const overwrite of [false, true]) {
        await expect(
          saveQuantized(folder, target, { dtype: "int8", overwrite }),
        ).rejects.toMatchObject({ code: "OUTPUT_NOT_REPLACEABLE" });
      }
      expect(await contents(target)).toEqual(before);
    }
  });

  it("lies beside the model or another copy of it, whose files it lets be", async () => {
    const own = await makeTinyPegasus(join(home, "own"));
    const before = await contents(own);
    await saveQuantized(own, own, { dtype: "int8" });
    const { "model.int8.safetensors": made, ...others } = await contents(own);
    expect(made).toBeDefined();
    expect(others).toEqual(before);
    const copied = join(home, "copied");
    await saveQuantized(folder, copied, { dtype: "int8" });
    await saveQuantized(folder, copied, { dtype: "int4" });
    expect(await readdir(copied)).toEqual(
      expect.arrayContaining(["model.int4.safetensors", "model.int8.safetensors"]),
    );
  });

  it("drops what killed processes were making in its folder, and nothing else that is called a draft", async () => {
    const target = join(home, "shared");
    const host = createHash("md5").update(hostname()).digest("hex").slice(0, 8);
    const own = /\d+/.exec(pidNamespace() ?? "")?.[0] ?? "";
    const left = `.quantize.${host}-${2 ** 30}-${processMark()}-t0n${own}-${randomUUID()}.draft`;
    await mkdir(join(target, left), { recursive: true });
    await writeFile(join(target, "chapter.draft"), "mine");
    await saveQuantized(folder, target, { dtype: "int8" });
    const names = await readdir(target);
    expect(names).toContain("chapter.draft");
    expect(names).not.toContain(left);
    expect(names.filter((each) => each.startsWith(".quantize"))).toEqual([]);
  });

  it("leaves nothing of the copy that it replaces", async () => {
    const other = await makeOther("other");
    await writeFile(join(other, "generation_config.json"), '{"num_beams": 3}');
    const target = join(home, "copied");
    await saveQuantized(other, target, { dtype: "int8" });
    await chmod(join(target, "config.json"), 0o444);
    const source = await makeTinyPegasus(join(home, "source"));
    await rm(join(source, "generation_config.json"), { force: true });
    await saveQuantized(source, target, { dtype: "int8", overwrite: true });
    const fresh = join(home, "fresh");
    await saveQuantized(source, fresh, { dtype: "int8" });
    expect(await contents(target)).toEqual(await contents(fresh));
  });

  it("is given up when told so, and leaves the folder as it was", async () => {
    const target = join(home, "stopped");
    for (const phase of ["rounding", "measuring", "writing"]) {
      const stopping = new AbortController();
      const saving = saveQuantized(folder, target, {
        dtype: "int8",
        signal: stopping.signal,
        onRounding: (progress) => {
          if (progress.phase === phase) stopping.abort();
        },
      });
      await expect(saving).rejects.toMatchObject({ code: "CANCELLED" });
      expect(await readdir(target)).toEqual([]);
    }
  });

  it("is not made of weights that change meanwhile, nor kept under the name of those", async () => {
    const changing = await makeTinyPegasus(join(home, "changing"));
    const other = await makeOther("other");
    let changed = false;
    const onRounding = () => {
      if (changed) return;
      changed = true;
      renameSync(join(other, "model.safetensors"), join(changing, "model.safetensors"));
    };
    await expect(openModel(changing, { dtype: "int8", onRounding })).rejects.toMatchObject({
      code: "WEIGHTS_CHANGED",
    });
    expect(await copies()).toEqual([]);
  });

  it("in the cache that lacks what the model reads is made anew", async () => {
    const expected = await using({ dtype: "int8" }, logits);
    const [name] = (await copies()) as [string];
    const file = join(cache(), name);
    const bytes = await readFile(file);
    const at = bytes.indexOf("encoder.layers.0.fc1.bias");
    bytes.write("encoder.layers.0.fcX.bias", at);
    await writeFile(file, bytes);
    expect(await using({ dtype: "int8" }, logits)).toEqual(expected);
    expect((await readFile(file)).includes("fcX.bias")).toBe(false);
  });

  it("is refused where it was made from other weights than lie beside it", async () => {
    const target = join(home, "both");
    await cp(folder, target, { recursive: true });
    await saveQuantized(folder, target, { dtype: "int8" });
    await using({ dtype: "int8" }, async () => {}, target);
    const weights = new Map(tinyWeights());
    const name = "model.encoder.layers.0.fc1.bias";
    const { data, ...rest } = weights.get(name) as Tensor<"float32">;
    weights.set(name, { ...rest, data: data.map((x) => x + 1) });
    await writeSafetensors(join(target, "model.safetensors"), weights);
    await expect(openModel(target, { dtype: "int8" })).rejects.toMatchObject({
      code: "QUANTIZED_STALE",
    });
  });

  it("keeps float32 keys and values of an attention that could not be measured, and says so", async () => {
    const weights = new Map(tinyWeights());
    const attention = "model.decoder.layers.1.encoder_attn";
    const name = `${attention}.v_proj.weight`;
    const { data, ...rest } = weights.get(name) as Tensor<"float32">;
    weights.set(name, { ...rest, data: data.map((x) => x * 1e30) });
    const spoilt = await makeTinyPegasus(join(home, "spoilt"));
    await writeSafetensors(join(spoilt, "model.safetensors"), weights);
    const saved = await saveQuantized(spoilt, join(home, "kept"), { dtype: "int8" });
    expect(saved.kept).toContain(attention);
    expect(saved.kept).not.toContain("model.decoder.layers.0.encoder_attn");
    expect(saved.errors["model.decoder.layers.0.encoder_attn"]).toBeLessThan(0.05);
    expect((await readSafetensorsMetadata(saved.file)).exact_memory).toBe(attention);
    // A copy beside the weights it was made from is measured and made anew.
    const again = { dtype: "int8", overwrite: true } as const;
    await cp(join(spoilt, "model.safetensors"), join(home, "kept", "model.safetensors"));
    expect((await saveQuantized(join(home, "kept"), join(home, "kept"), again)).kept).toEqual(
      saved.kept,
    );
  });

  it("keeps a layer whose inputs have outliers as it was, and is the nearer for it", async () => {
    const weights = new Map(tinyWeights());
    // One channel of what fc1 reads is a thousand times the others, and fc1 hardly looks at it.
    const edit = (name: string, change: (data: Float32Array) => void) => {
      const { data, ...rest } = weights.get(name) as Tensor<"float32">;
      const copy = data.slice();
      change(copy);
      weights.set(name, { ...rest, data: copy });
    };
    const layer = "model.encoder.layers.1";
    edit(`${layer}.final_layer_norm.weight`, (data) => {
      data[3] = 2000;
    });
    edit(`${layer}.fc1.weight`, (data) => {
      for (let row = 0; row < tinyConfig.encoder_ffn_dim; row++) data[row * 32 + 3] = 0;
    });
    const outlying = await makeTinyPegasus(join(home, "outlying"));
    await writeSafetensors(join(outlying, "model.safetensors"), weights);
    const told: RoundingProgress[] = [];
    const saved = await saveQuantized(outlying, join(home, "kept"), {
      dtype: "int8",
      onRounding: (progress) => told.push(progress),
    });
    expectEachPart(told, ["rounding", "measuring", "rounding-again", "writing"]);
    expect(saved.kept).toEqual([`${layer}.fc1.weight`]);
    expect(saved.errors[`${layer}.fc1.weight`]).toBeGreaterThan(0.1);
    const exact = await using({ dtype: "fp32" }, logits, outlying);
    const rounded = await using({}, logits, join(home, "kept"));
    expect(relativeError(exact, rounded)).toBeLessThan(0.05);
  });
});
