// Shows that the golden runner passes on figures as recorded, and fails when any one of them is changed, added or gone.
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Comparison } from "./golden/comparison.mjs";
import { legacyChoices } from "./golden/numpy-random.mjs";
import { splitUntrained } from "./golden/punkt-untrained.mjs";
import { recorded } from "./golden/recorded.js";
import { main, pendingSuites, runGolden, suites } from "./golden/run.mjs";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Place = readonly (string | number)[];

const fixtures = fileURLToPath(new URL("../../shared/fixtures", import.meta.url));
const files = ["rouge/rouge.json", "rouge/porter.json", "gsg/gsg.json"] as const;

/** Prose, and inputs of which a change need not change any figure. */
const unchecked =
  /^(versions|note|rules|bootstrap_indices\.note|multi\[\]\.(targets|prediction))\b/;
/** Lists of cases that stand by themselves: one more or less is no mistake. */
const freeLists = ["words", "multi", "sentence_split", "documents"];

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), "bridle-golden-"));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function copyOf(name: string, contents: Record<string, Json>): Promise<string> {
  const folder = path.join(scratch, name);
  for (const [file, content] of Object.entries(contents)) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), JSON.stringify(content));
  }
  return folder;
}

/** The suites whose figures are recorded here; the others need a model. */
const recordedSuites = ["rouge", "gsg"];

async function run(folder: string, only: string[] = recordedSuites) {
  const lines: string[] = [];
  const print = (line: string) => void lines.push(line);
  const outcome = await runGolden(folder, { only, print });
  return { ...outcome, lines };
}

/** Every value of a document, with the place where it stands. */
function* walk(value: Json, place: Place = []): Generator<[Place, Json]> {
  if (place.length > 0) yield [place, value];
  if (typeof value !== "object" || value === null) return;
  const entries: [string | number, Json][] = Array.isArray(value)
    ? value.map((entry, index) => [index, entry])
    : Object.entries(value);
  for (const [key, entry] of entries) yield* walk(entry, [...place, key]);
}

/** A place without its indices: which field it is. */
function kindOf(place: Place): string {
  return place
    .reduce<string>((kind, key) => (typeof key === "number" ? `${kind}[]` : `${kind}.${key}`), "")
    .slice(1);
}

/** Of each kind of place the one in the middle of all, so that neither first nor last entries are special. */
function oneOfEachKind(document: Json): [kind: string, place: Place, value: Json][] {
  const kinds = new Map<string, [Place, Json][]>();
  for (const found of walk(document)) {
    const kind = kindOf(found[0]);
    if (unchecked.test(kind)) continue;
    kinds.set(kind, [...(kinds.get(kind) ?? []), found]);
  }
  return [...kinds].map(([kind, places]) => {
    const [place, value] = places[Math.floor(places.length / 2)]!;
    return [kind, place, value];
  });
}

/** A copy of the document with the value at a place replaced; undefined takes it away. */
function changed(document: Json, place: Place, to: Json | undefined): Json {
  const copy = structuredClone(document);
  const parent = place.slice(0, -1).reduce<Json>((at, key) => (at as Json[])[key as number]!, copy);
  const key = place.at(-1)!;
  if (to !== undefined) (parent as Json[])[key as number] = to;
  else if (Array.isArray(parent)) parent.splice(key as number, 1);
  else delete (parent as { [key: string]: Json })[key];
  return copy;
}

/** A document of cases with those alone that stand next to a place, and where the place is then. */
function fewCases(document: Json, place: Place): [Json, Place] {
  const [list, index, ...rest] = place;
  if (list !== "cases" || typeof index !== "number") return [document, place];
  const { cases, ...others } = document as { cases: Json[] };
  const first = Math.max(0, index - 2);
  return [{ ...others, cases: cases.slice(first, index + 3) }, [list, index - first, ...rest]];
}

/** What a value can be spoilt into, each of which must be noticed. */
function spoilt(value: Json): [how: string, to: Json | undefined][] {
  const gone: [string, undefined] = ["gone", undefined];
  if (typeof value === "number") {
    return [["a little more", value + 1e-6], ["null", null], ["a text", String(value)], gone];
  }
  if (typeof value === "string") return [["another text", `${value} zzz`], gone];
  if (Array.isArray(value)) return [["one entry longer", [...value, value.at(-1) ?? "zzz"]], gone];
  return [["with one entry more", { ...(value as object), zzz: 1 }], gone];
}

describe("the golden runner on the recorded figures", () => {
  const contents = recorded.files as unknown as Record<(typeof files)[number], Json>;

  it("passes, with a line for each suite and the count at the end", async () => {
    const { passed, failed, lines } = await run(await copyOf("whole", contents));
    expect([passed, failed]).toEqual([2, 0]);
    expect(lines[0]).toMatch(/^rouge +passed +\d{4,} values, worst deviation \S+ /);
    expect(lines[1]).toMatch(/^gsg +passed +\d{3,} values, worst deviation \S+ /);
    expect(lines.at(-1)).toBe("2 passed, 0 failed");
  });

  it("names what is pending, and fails the suites whose files are absent", async () => {
    const lines: string[] = [];
    const print = (line: string) => void lines.push(line);
    const outcome = await runGolden(await copyOf("part", contents), { print });
    expect(outcome).toEqual({ passed: 2, failed: suites.length - 2 });
    expect(lines).toContainEqual(expect.stringMatching(/^drift +pending$/));
    expect(lines.at(-1)).toBe(`2 passed, ${suites.length - 2} failed`);
  });

  it.each(files)("fails on every kind of figure of %s, however it is spoilt", async (file) => {
    const folder = await copyOf(`spoilt-${path.basename(file)}`, contents);
    const suite = path.dirname(file);
    const kinds = oneOfEachKind(contents[file]);
    expect(kinds.length).toBeGreaterThanOrEqual(3);
    const unnoticed: string[] = [];
    for (const [index, [kind, place, value]] of kinds.entries()) {
      // Of the ways after the first, each kind gets one in turn: all are the same to the comparison.
      const [first, ...others] = spoilt(value);
      for (const [how, to] of [first!, others[index % others.length]!]) {
        if (freeLists.includes(kind) && how === "one entry longer") continue;
        if (freeLists.some((list) => kind === `${list}[]`) && how === "gone") continue;
        await writeFile(
          path.join(folder, file),
          JSON.stringify(changed(contents[file], place, to)),
        );
        const { failed } = await run(folder, [suite]);
        if (failed !== 1) unnoticed.push(`${kind} ${how}`);
      }
    }
    expect(unnoticed).toEqual([]);
  });

  it.each([
    ["absent", async (file: string) => rm(file), "is absent"],
    ["no JSON", async (file: string) => writeFile(file, "{"), "is not JSON"],
    ["holding NaN", async (file: string) => writeFile(file, '{"words": [NaN]}'), "is not JSON"],
    ["no UTF-8", async (file: string) => writeFile(file, Buffer.from([0x22, 0xff])), "is not JSON"],
    ["a bare list", async (file: string) => writeFile(file, "[1]"), "does not hold a record"],
    ["empty of entries", async (file: string) => writeFile(file, "{}"), "has no entries"],
    [
      "a folder",
      async (file: string) => {
        await rm(file);
        await mkdir(file);
      },
      "is unreadable",
    ],
  ])("fails where a file is %s, and runs the other suites", async (how, spoil, message) => {
    for (const file of files) {
      const folder = await copyOf(`${how}-${path.basename(file)}`, contents);
      await spoil(path.join(folder, file));
      const { passed, failed, lines } = await run(folder);
      expect([passed, failed]).toEqual([1, 1]);
      expect(lines.join("\n")).toContain(`FAILED   ${file} ${message}`);
      expect(lines.at(-1)).toBe("1 passed, 1 failed");
    }
  });

  it("fails for a file of which all lists are empty", async () => {
    const empty = { words: [], versions: {}, note: "" };
    const folder = await copyOf("empty", { ...contents, "rouge/porter.json": empty });
    expect(await run(folder)).toMatchObject({ passed: 1, failed: 1 });
  });

  it("ends with code 0 when all pass, 1 when one fails, 2 for wrong arguments", async () => {
    const log = vi.spyOn(console, "log").mockReturnValue();
    const error = vi.spyOn(console, "error").mockReturnValue();
    try {
      const folder = await copyOf("codes", contents);
      const both = [folder, "--suite", "rouge", "--suite", "gsg"];
      expect(await main(both)).toBe(0);
      expect(log).toHaveBeenLastCalledWith("2 passed, 0 failed");
      await rm(path.join(folder, "gsg/gsg.json"));
      expect(await main(both)).toBe(1);
      expect(log).toHaveBeenLastCalledWith("1 passed, 1 failed");
      expect(await main([folder, "--suite", "rouge"])).toBe(0);
      expect(await main([path.join(folder, "nowhere")])).toBe(1);
      for (const args of [[], [folder, folder], [folder, "--suite", "drift"], ["--help"]]) {
        expect(await main(args)).toBe(2);
      }
      expect(error).toHaveBeenCalledWith(expect.stringContaining("Usage: npm run golden"));
    } finally {
      log.mockRestore();
      error.mockRestore();
    }
  });
});

describe("the suites", () => {
  const models = ["pegasus-tiny", "bart-tiny", "t5-tiny"];
  const promised = [
    "rouge",
    "gsg",
    ...["tokenizer", "forward", "generate"].flatMap((part) => models.map((m) => `${part}:${m}`)),
    ...["generate:groups", "generate:sampling", "train:gradients", "train:runs", "train:lora"],
    ...["dvc", "drift"],
  ];

  it("are each either built or pending, none both or neither", async () => {
    const all = [...suites.map(({ name }) => name), ...(await pendingSuites())];
    expect(all.toSorted()).toEqual(promised.toSorted());
  });
});

describe.skipIf(!existsSync(fixtures))("the golden runner on ../shared/fixtures", () => {
  it("passes", async () => {
    const all = suites.map(({ name }) => name);
    const { lines, ...outcome } = await run(fixtures, all);
    // As `npm run golden` prints it: the deviations are what parity is known by.
    process.stdout.write(`${lines.join("\n")}\n`);
    expect(outcome).toEqual({ passed: suites.length, failed: 0 });
  }, 600_000);

  it.each([
    ["tokenizer:pegasus-tiny", "tokenizer/strings.json", ["rows", 200, "ids", 0], 77],
    [
      "tokenizer:pegasus-tiny",
      "tokenizer/variants.json",
      ["variants", 20, "slow", "attention_mask", 0, 0],
      0,
    ],
    ["tokenizer:pegasus-tiny", "tokenizer/decode.json", ["cases", 50, "decode", 3], "zzz"],
    ["forward:pegasus-tiny", "forward/pegasus-tiny.json", ["batches", 3, "loss"], 1.5],
    ["generate:pegasus-tiny", "generate/pegasus-tiny.json", ["cases", 120, "sequences", 0, 1], 5],
    [
      "generate:groups",
      "generate/pegasus-tiny-groups.json",
      ["cases", 9, "sequences_scores", 0],
      -9,
    ],
    ["generate:sampling", "generate/sampling.json", ["cases", 30, "probs", 1, 0], 0.9],
  ] as const)("%s fails when %s says otherwise at %j", async (suite, file, place, to) => {
    const folder = path.join(scratch, `model-${place.join("-")}`);
    for (const part of ["pegasus-tiny", path.dirname(file)]) {
      await cp(path.join(fixtures, part), path.join(folder, part), { recursive: true });
    }
    const whole: Json = JSON.parse(await readFile(path.join(fixtures, file), "utf8"));
    const [content, at] = fewCases(whole, place);
    await rm(path.join(folder, file), { force: true });
    await writeFile(path.join(folder, file), JSON.stringify(content));
    expect(await run(folder, [suite])).toMatchObject({ passed: 1, failed: 0 });
    await writeFile(path.join(folder, file), JSON.stringify(changed(content, at, to)));
    expect(await run(folder, [suite])).toMatchObject({ passed: 0, failed: 1 });
  });

  it.each([
    [
      "the hash of a file",
      ["snapshots", 0, "files"],
      (files: Json) => Object.values(files as object)[0],
      "md5",
    ],
    [
      "an answer",
      ["commands"],
      (commands: Json) =>
        (commands as { stdout: string }[]).find(({ stdout }) => stdout.startsWith('{"')),
      "stdout",
    ],
  ] as const)("dvc fails when expected.json has another %s", async (what, place, pick, key) => {
    const folder = path.join(scratch, `dvc-${what.replaceAll(" ", "-")}`);
    await cp(path.join(fixtures, "dvc"), path.join(folder, "dvc"), { recursive: true });
    const file = path.join(folder, "dvc/expected.json");
    const content = JSON.parse(await readFile(file, "utf8"));
    const at = place.reduce((value: Json, part) => (value as Json[])[part as number]!, content);
    const spoiled = pick(at) as Record<string, string>;
    spoiled[key] = key === "md5" ? "0".repeat(32) : '{"zzz": 1}';
    await rm(file, { force: true });
    await writeFile(file, JSON.stringify(content));
    expect(await run(folder, ["dvc"])).toMatchObject({ passed: 0, failed: 1 });
  });

  // One run of a few, so that each of these takes seconds.
  it.each([
    [["runs", "adamw", "lr", 4], 1e-3],
    [["runs", "adamw", "loss_float64", 0], 8.54],
    [["runs", "adamw", "loss", 7], 9],
    [["runs", "adamw", "final_float64", "model.shared.weight", "moved"], 7.5],
    [["runs", "adamw", "config", "weight_decay"], 0.1],
    [["runs", "adamw", "config", "optimizer"], "lion"],
  ] as const)(
    "train:runs fails when train/runs.json says otherwise at %j",
    async (place, to) => {
      const folder = path.join(scratch, `runs-${place.join("-")}`);
      await cp(path.join(fixtures, "pegasus-tiny"), path.join(folder, "pegasus-tiny"), {
        recursive: true,
      });
      await mkdir(path.join(folder, "train"));
      const weights = "train/final-adamw.safetensors";
      await cp(path.join(fixtures, weights), path.join(folder, weights));
      const { runs, ...rest } = JSON.parse(
        await readFile(path.join(fixtures, "train/runs.json"), "utf8"),
      );
      const content: Json = { ...rest, runs: { adamw: runs.adamw } };
      await writeFile(
        path.join(folder, "train/runs.json"),
        JSON.stringify(changed(content, place, to)),
      );
      expect(await run(folder, ["train:runs"])).toMatchObject({ passed: 0, failed: 1 });
    },
    300_000,
  );

  it.each([
    [["runs", "lora", "lr", 4], 1e-3],
    [["runs", "lora", "loss", 0], 8.6],
    [["runs", "lora", "trainable_parameters"], 14337],
    [["runs", "lora", "grad_norm_before_clip", 2], 9],
    [["runs", "lora", "config", "lr"], 0.004],
  ] as const)(
    "train:lora fails when train/lora.json says otherwise at %j",
    async (place, to) => {
      const folder = path.join(scratch, `lora-${place.join("-")}`);
      await cp(path.join(fixtures, "pegasus-tiny"), path.join(folder, "pegasus-tiny"), {
        recursive: true,
      });
      await mkdir(path.join(folder, "train"));
      for (const part of [
        ...["runs.json", "lora-init", "lora-final"],
        ...["lora-logits-batch1.safetensors", "lora-merged-qv.safetensors"],
      ]) {
        await cp(path.join(fixtures, "train", part), path.join(folder, "train", part), {
          recursive: true,
        });
      }
      const { runs, ...rest } = JSON.parse(
        await readFile(path.join(fixtures, "train/lora.json"), "utf8"),
      );
      const content: Json = { ...rest, runs: { lora: runs.lora } };
      await writeFile(
        path.join(folder, "train/lora.json"),
        JSON.stringify(changed(content, place, to)),
      );
      expect(await run(folder, ["train:lora"])).toMatchObject({ passed: 0, failed: 1 });
    },
    300_000,
  );

  // One figure of each section; every kind of field is spoilt on the recorded figures above.
  it.each([
    ["rouge/porter.json", ["words", 1000, 1], "zzz"],
    ["rouge/rouge.json", ["pairs", 75, "tokens", 0, 2], "zzz"],
    ["rouge/rouge.json", ["pairs", 75, "tokens_stem", 1, 0], "zzz"],
    [
      "rouge/rouge.json",
      ["scores", "stemmer=true,split_summaries=true", 75, "rougeLsum", 2],
      0.123,
    ],
    [
      "rouge/rouge.json",
      ["scores", "stemmer=false,split_summaries=false", 140, "rouge3", 0],
      0.123,
    ],
    [
      "rouge/rouge.json",
      ["aggregate", "stemmer=true,split_summaries=false", "mean", "rougeL", 1],
      0.5,
    ],
    ["rouge/rouge.json", ["bootstrap_indices", "rows", 399, 149], 150],
    ["rouge/rouge.json", ["multi", 9, "scores", "rougeLsum", 2], 0.123],
    ["gsg/gsg.json", ["documents", 21, "selections", 2, "seq_uniq_scores", 0, 1], 0.123],
    ["gsg/gsg.json", ["documents", 21, "selections", 2, "m"], 99],
  ] as const)("fails when %s says otherwise at %j", async (file, place, to) => {
    const folder = path.join(scratch, `shared-${place.join("-")}`);
    for (const suite of ["rouge", "gsg"]) {
      await cp(path.join(fixtures, suite), path.join(folder, suite), { recursive: true });
    }
    const content: Json = JSON.parse(await readFile(path.join(fixtures, file), "utf8"));
    const spoiltFile = path.join(folder, file);
    // The copy is as read-only as the original, so it is replaced rather than written over.
    await rm(spoiltFile, { force: true });
    await writeFile(spoiltFile, JSON.stringify(changed(content, place, to)));
    expect(await run(folder, [path.dirname(file)])).toMatchObject({ passed: 0, failed: 1 });
  });
});

describe("Comparison", () => {
  it("accepts numbers within the tolerance and keeps the worst deviation", () => {
    const comparison = new Comparison(1e-9).same("x", { a: [1, 2 + 5e-10] }, { a: [1, 2] });
    expect(comparison).toMatchObject({ values: 2, mismatchCount: 0 });
    expect(comparison.worst).toBeCloseTo(5e-10, 12);
  });

  it.each<[unknown, unknown]>([
    [1 + 2e-9, 1],
    [Number.NaN, 1],
    [Number.NaN, null],
    [Number.POSITIVE_INFINITY, 1],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    [1, "1"],
    [1, null],
    [undefined, null],
    [[1], [1, 2]],
    [[1, 2], [1]],
    [[], {}],
    [{}, null],
    [{ a: 1 }, {}],
    [{}, { a: 1 }],
    [{}, { a: undefined }],
  ])("takes %j for other than %j", (actual, expected) => {
    expect(new Comparison(1e-9).same("x", actual, expected).mismatchCount).toBeGreaterThan(0);
  });
});

describe("what stands in for the reference", () => {
  it("draws as numpy's legacy generator", () => {
    // np.random.seed(5); [np.random.choice(np.arange(7), size=7).tolist() for _ in range(2)]
    expect(legacyChoices(5, 2, 7)).toEqual([
      [3, 6, 5, 6, 6, 0, 1],
      [0, 4, 6, 3, 0, 6, 0],
    ]);
    expect(legacyChoices(5, 2, 1)).toEqual([[0], [0]]);
    expect(() => legacyChoices(5.5, 1, 7)).toThrow(RangeError);
  });

  it.each([
    [
      "Dr. Who came. he left. J. Smith stayed!",
      ["Dr.", "Who came.", "he left.", "J. Smith stayed!"],
    ],
    [
      '"Stop." (He did.) 3. then 4. Then... and so on?! Yes',
      ['"Stop."', "(He did.)", "3. then 4.", "Then... and so on?!", "Yes"],
    ],
  ])("splits as an untrained Punkt: %s", (text, sentences) => {
    expect(splitUntrained(text)).toEqual(sentences);
  });
});
