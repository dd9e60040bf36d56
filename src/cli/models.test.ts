// `bridle models` from the first version to a rollback, as somebody types it, and what is said to who types it wrongly.
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { hashesOf, makeTrainedModel, scratchFolder } from "../../test/support/model-packages.js";
import { openTracking } from "../compose.js";
import { checkRunConfig } from "../config/load.js";
import { recordTraining } from "../loop/record-training.js";
import type { TrainResult } from "../train/loop.js";
import { runProgram } from "./program.js";

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
const at = (...names: string[]) => path.join(scratch.folder, ...names);
const homeBefore = process.env.BRIDLE_HOME;

async function bridle(...args: string[]): Promise<{ out: string; err: string }> {
  const terminal = createMemoryTerminal({ env: { BRIDLE_HOME: at("home") } });
  await runProgram(args, terminal);
  return { out: terminal.out(), err: terminal.err() };
}

/** What a command prints with --json. */
// biome-ignore lint/suspicious/noExplicitAny: each command prints a shape of its own, which the tests look at
async function told(...args: string[]): Promise<any> {
  return JSON.parse((await bridle(...args, "--json")).out);
}

const rows = Array.from({ length: 6 }, (_, i) => ({
  document: `The harbour was closed on Monday after the storm number ${i}. Ferry and school closed.`,
  summary: "The storm closed the harbour.",
}));

beforeAll(async () => {
  scratch = await scratchFolder("models-cli");
  process.env.BRIDLE_HOME = at("home");
  for (const seed of [1, 2, 3]) await makeTrainedModel(at(`m${seed}`), seed);
  await writeFile(at("test.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  await writeFile(at("gates.yaml"), "minimumRows: 5\nagainstCurrent:\n  margin: 0.9\n");
});
afterAll(async () => {
  if (homeBefore === undefined) delete process.env.BRIDLE_HOME;
  else process.env.BRIDLE_HOME = homeBefore;
  await scratch.remove();
});

describe("the registry on the command line", () => {
  it("is empty where nothing was added", async () => {
    expect((await bridle("models", "list")).out).toContain("No model is registered");
    expect(await told("models", "list")).toEqual({ models: [] });
  });

  it("adds versions with their facts, and shows the card", async () => {
    const first = await bridle("models", "add", at("m1"), "--name", "news", "--by", "alice");
    expect(first.out).toMatch(/^Added news:1, \d+\.\d kB, package [0-9a-f]{12}\.\n$/);
    expect(first.err).toContain("no licence is stated");
    expect(first.err).toContain("train.jsonl is not what was trained on any more");
    const again = await bridle("models", "add", at("m1"), "--name", "news");
    expect(again.out).toContain("news:1 is this very package already");
    const second = await told(
      ...[
        "models",
        "add",
        at("m2"),
        "--name",
        "news",
        "--licence",
        "apache-2.0",
        "--language",
        "en",
      ],
      ...["--intended-use", "Tests.", "--note", "second", "--alias", "candidate", "--run", "run-7"],
    );
    expect(second).toMatchObject({
      version: 2,
      isNew: true,
      aliases: ["candidate"],
      note: "second",
    });
    expect(second.card).toMatchObject({ languages: ["en"], lineage: { runId: "run-7" } });
    const { out } = await bridle("models", "show", "news@candidate");
    for (const text of [
      "news:2 @candidate",
      "Tests.",
      "apache-2.0",
      "run-7",
      "64 tokens",
      "google/pegasus-xsum → news:2",
    ]) {
      expect(out).toContain(text);
    }
    const list = await bridle("models", "show", "news");
    expect(list.out).toMatch(/ 2 {2}@candidate.*second\n {2}1 /);
    expect(await told("models", "show", "news:1")).toMatchObject({
      createdBy: "alice",
      signature: { task: "summarization" },
      lineage: { edges: [{ from: "google/pegasus-xsum", to: "news:1" }] },
    });
  });

  it("promotes through gates, from files or by evaluating now, and goes back", async () => {
    await expect(bridle("models", "promote", "news:1")).rejects.toMatchObject({
      code: "PROMOTION_GATES_FAILED",
      hint: expect.stringContaining("bridle evaluate DATA --model news:1 --json"),
    });
    const evaluation = await told(
      "evaluate",
      at("test.jsonl"),
      "--model",
      "news:1",
      "--max-new-tokens",
      "4",
    );
    expect(evaluation.evaluations[0]).toMatchObject({ model: "news:1", version: "1" });
    await writeFile(at("e.json"), JSON.stringify(evaluation));
    const { out } = await bridle("models", "promote", "news:1", "--evaluation", at("e.json"));
    expect(out).toMatch(
      /pass {2}rows: 6 rows of .*\npass {2}failed.*\nnews@champion is version 1 now\.\n$/,
    );
    expect((await bridle("models", "promote", "news:1")).out).toContain("at version 1 already");
    await expect(
      bridle("models", "promote", "news:2", "--evaluation", at("e.json")),
    ).rejects.toMatchObject({ code: "EVALUATION_INVALID" });
    await bridle("models", "gates", "news", "--set", at("gates.yaml"));
    expect(await told("models", "gates", "news")).toMatchObject({ gates: { minimumRows: 5 } });
    await expect(
      bridle("models", "promote", "news@candidate", "--data", at("test.jsonl"), "--limit", "4"),
    ).rejects.toMatchObject({ message: expect.stringContaining("4 rows") });
    const moved = await told(
      "models",
      "promote",
      "news@candidate",
      "--data",
      at("test.jsonl"),
      "--expect",
      "1",
    );
    expect(moved).toMatchObject({ version: 2, previous: 1, forced: false });
    expect(moved.gates.map(({ gate }: { gate: string }) => gate)).toContain(
      "rouge1 against news:1",
    );
    const { evaluations } = await told("models", "show", "news:2");
    expect(evaluations).toHaveLength(2);
    const again = ["models", "promote", "news:2", "--data", at("test.jsonl")];
    const { out: already } = await bridle(...again, "--force", "--reason", "once more");
    expect(already).toBe("news@champion is at version 2 already.\n");
    expect((await told("models", "show", "news:2")).evaluations).toEqual(evaluations);
    await expect(bridle("models", "rollback", "news", "--expect", "1")).rejects.toMatchObject({
      code: "PROMOTION_CONFLICT",
    });
    const back = await bridle(
      "models",
      "rollback",
      "news",
      "--reason",
      "repeats itself",
      "--by",
      "bob",
    );
    expect(back.out).toBe("news@champion is version 1 now (was 2).\n");
    await expect(bridle("models", "promote", "news:2", "--force")).rejects.toMatchObject({
      code: "INVALID_PARAMETER",
    });
    const history = await bridle("models", "history", "news", "--alias", "champion");
    expect(history.out).toMatch(/@champion {2}2 → 1 {2}rollback {2}bob {5,}repeats itself\n/);
    expect((await told("models", "history", "news")).moves).toHaveLength(4);
  });

  it("takes names of versions wherever a model is named", async () => {
    const text = rows[0]?.document ?? "";
    await writeFile(at("doc.txt"), text);
    const named = (...more: string[]) =>
      told("summarize", at("doc.txt"), "--max-new-tokens", "4", ...more);
    expect(await named("--model", "news")).toMatchObject({ model: "news", version: "1" });
    expect(await named("--model", "news@champion")).toMatchObject({ version: "1" });
    expect(await named("--model", "news:2")).toMatchObject({ model: "news:2", version: "2" });
    expect(await told("tokenize", "--model", "news:2", "--text", "the storm")).toMatchObject({
      model: "news:2",
    });
    await expect(named("--model", "news:9")).rejects.toMatchObject({
      code: "MODEL_VERSION_NOT_FOUND",
    });
    await expect(named("--model", "nwes")).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      hint: expect.stringContaining("news (is that what you mean?)"),
    });
    await bridle("quantize", "news:2", "--output", at("rounded"));
    expect(existsSync(at("rounded", "model.int8.safetensors"))).toBe(true);
    await writeFile(at("empty.txt"), "");
    const measured = ["--calibration", at("empty.txt"), "--output", at("unmeasured")];
    await expect(bridle("quantize", "news:2", ...measured)).rejects.toMatchObject({
      code: "DATA_EMPTY",
      message: expect.stringContaining(at("empty.txt")),
    });
    expect(existsSync(at("unmeasured"))).toBe(false);
  });

  it("records the version that a training started from, pinned, and its licence for the child", async () => {
    await writeFile(at("train.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    await bridle(
      ...[
        "train",
        "model.name=news@candidate",
        `data.train=${at("train.jsonl")}`,
        "train.maxSteps=1",
      ],
      ...[`train.output=${at("child")}`, "train.device=cpu"],
    );
    const record = JSON.parse(await readFile(at("child", "bridle.json"), "utf8"));
    expect(record.config.model.name).toBe("news:2");
    const { digest } = await told("models", "show", "news:2");
    expect(record.parent).toEqual({ name: "news", version: 2, digest });
    const added = await told("models", "add", at("child"), "--name", "news");
    expect(added).toMatchObject({ version: 3, unkeptData: [] });
    expect(added.card).toMatchObject({
      licence: { id: "apache-2.0", source: "parent" },
      lineage: { parent: { name: "news", version: 2, digest } },
    });
    expect(added.dataObjects).toHaveLength(1);
    const { lineage } = await told("models", "show", "news:3");
    expect(lineage.edges).toContainEqual({ from: "news:2", to: "news:3" });
  });

  describe("in the registry that --db and --store name", () => {
    const team = () => ["--db", at("team.db"), "--store", at("team-store")];

    beforeAll(async () => {
      await bridle("models", "add", at("m3"), "--name", "wire", ...team());
      await bridle("models", "add", at("m3"), "--name", "news", ...team());
    });

    it.each([
      ["summarize", "DOC", "--model", "NAME"],
      ["evaluate", "ROWS", "--model", "NAME"],
      ["evaluate", "ROWS", "--against", "NAME"],
      ["tokenize", "--text", "a", "--model", "NAME"],
      ["profile", "summarize", "DOC", "--model", "NAME"],
      ["profile", "train", "model.name=NAME", "data.train=ROWS", "train.maxSteps=1"],
      ["quantize", "NAME", "--output", "OUT"],
      ["train", "model.name=NAME", "data.train=ROWS", "train.maxSteps=1", "train.output=OUT"],
      ["models", "add", "NAME", "--name", "other"],
      ["models", "pull", "NAME"],
    ])("looks up what %j names", async (...words) => {
      const places = { DOC: at("doc.txt"), ROWS: at("train.jsonl"), OUT: at("nothing") };
      const typed = (name: string) =>
        words.map((word) =>
          Object.entries({ ...places, NAME: name }).reduce(
            (text, [key, value]) => text.replace(key, value),
            word,
          ),
        );
      // Only a registry that has the model can say which versions it has not.
      await expect(bridle(...typed("wire:9"), ...team())).rejects.toMatchObject({
        code: "MODEL_VERSION_NOT_FOUND",
      });
      await expect(bridle(...typed("wire:9"))).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
    });

    it("looks up what every run of several starts from", async () => {
      const typed = ["train", "-m", "model.name=wire:9", `data.train=${at("train.jsonl")}`];
      const runs = [...typed, "train.seed=1,2", `train.output=${at("several")}`];
      await expect(bridle(...runs, ...team())).rejects.toMatchObject({
        message: expect.stringContaining("The model wire has no version 9"),
      });
    });

    it("starts a training there, and does it again, and takes a version as another model", async () => {
      const { digest } = await told("models", "show", "news:1", ...team());
      expect(digest).not.toBe((await told("models", "show", "news:1")).digest);
      await bridle(
        ...["train", "model.name=news:1", `data.train=${at("train.jsonl")}`, "train.maxSteps=1"],
        ...[`train.output=${at("of-team")}`, "train.device=cpu", ...team()],
      );
      const record = JSON.parse(await readFile(at("of-team", "bridle.json"), "utf8"));
      expect(record.parent).toEqual({ name: "news", version: 1, digest });
      expect(await told("reproduce", at("of-team"), ...team())).toMatchObject({ same: true });
      const added = await told("models", "add", "news:1", "--name", "copy", ...team());
      expect(added).toMatchObject({ model: "copy", digest });
    });
  });

  it("exports to a folder and a file, and takes both back as the same package", async () => {
    expect((await bridle("models", "export", "news:2", at("out"))).out).toContain("news:2 is in");
    await bridle("models", "export", "news:2", at("out.tar"));
    await expect(bridle("models", "export", "news:2", at("out.tar"))).rejects.toMatchObject({
      code: "OUTPUT_EXISTS",
    });
    await bridle("models", "export", "news:2", at("out.tar"), "--overwrite");
    await bridle("models", "export", "news:3", at("out"), "--overwrite");
    await bridle("models", "export", "news:2", at("out"), "--overwrite");
    await mkdir(at("project", "src"), { recursive: true });
    await writeFile(at("project", "notes.md"), "a year's work");
    await expect(
      bridle("models", "export", "news:2", at("project"), "--overwrite"),
    ).rejects.toMatchObject({
      code: "OUTPUT_NOT_REPLACEABLE",
      message: expect.stringContaining("notes.md"),
      hint: expect.stringContaining("delete it by hand"),
    });
    expect(await readFile(at("project", "notes.md"), "utf8")).toBe("a year's work");
    expect((await readdir(at("."))).filter((name) => name.includes(".tmp"))).toEqual([]);
    const { digest } = await told("models", "show", "news:2");
    for (const source of [at("out"), at("out.tar")]) {
      const taken = await told("models", "import", source, "--name", "other");
      expect(taken).toMatchObject({ version: 1, digest });
    }
    await bridle("models", "import", at("m3"), "--name", "plain");
    await bridle("models", "export", "plain:1", at("plain"));
    expect(hashesOf(at("plain")).length).toBeGreaterThan(8);
    const bytes = await readFile(at("out.tar"));
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await writeFile(at("spoiled.tar"), bytes);
    await expect(
      bridle("models", "import", at("spoiled.tar"), "--name", "other"),
    ).rejects.toMatchObject({ code: "PACKAGE_ALTERED" });
    expect((await told("models", "show", "other")).versions).toHaveLength(1);
  });

  it("deletes what nothing needs, and says what would go first", async () => {
    const dry = await told("models", "gc", "--keep", "1", "--dry-run");
    expect(dry.versions).toEqual([]);
    await bridle("models", "promote", "news:3", "--alias", "candidate");
    const { out } = await bridle("models", "gc", "--keep", "1");
    expect(out).toMatch(/^0 packages deleted/);
  });

  it("takes an alias in a name where a model is asked for, and says what to do about a version", async () => {
    const moves = await told("models", "history", "news@candidate");
    expect(moves).toEqual(await told("models", "history", "news", "--alias", "candidate"));
    expect(moves.moves.map(({ version }: { version: number }) => version)).toEqual([3, 2]);
    expect(await told("models", "rollback", "news@candidate")).toMatchObject({
      ...{ model: "news", alias: "candidate", version: 2 },
    });
    const refused = { code: "MODEL_NAME_TOO_NARROW" };
    for (const [words, hint] of [
      [["rollback", "news:3"], "`bridle models promote news:3`"],
      [["rollback", "news@candidate", "--alias", "champion"], "news@candidate or news@champion"],
      [["history", "news:3"], "`bridle models show news:3`"],
      [["gates", "news@champion"], "`bridle models gates news`"],
      [["gates", "news:3"], "`bridle models gates news`"],
      [["sync", "news:3"], "`bridle models sync news`"],
    ] as const) {
      await expect(bridle("models", ...words), words.join(" ")).rejects.toMatchObject({
        ...refused,
        hint: expect.stringContaining(hint),
      });
    }
  });

  it("tells of a version that was added though its gates keep it from the alias", async () => {
    const add = async (...more: string[]) => {
      const terminal = createMemoryTerminal({ env: { BRIDLE_HOME: at("home") } });
      const words = ["models", "add", at("m1"), "--name", "gated", "--alias", "champion", ...more];
      await expect(runProgram(words, terminal)).rejects.toMatchObject({
        code: "PROMOTION_GATES_FAILED",
      });
      return terminal.out();
    };
    expect(await add()).toMatch(/^Added gated:1, /);
    expect(JSON.parse(await add("--json"))).toMatchObject({
      ...{ model: "gated", version: 1, isNew: false, aliases: [] },
      error: { code: "PROMOTION_GATES_FAILED", kind: "gate-failed" },
    });
    // An alias that cannot be is refused before anything is added.
    await expect(
      bridle("models", "add", at("m1"), "--name", "unadded", "--alias", "4"),
    ).rejects.toMatchObject({ code: "MODEL_NAME_INVALID" });
    await expect(bridle("models", "show", "unadded")).rejects.toMatchObject({
      code: "MODEL_NOT_REGISTERED",
    });
  });

  it.each([
    [["models", "add", "NOWHERE", "--name", "news"], "MODEL_NOT_FOUND"],
    [["models", "add", "M1", "--name", "News"], "MODEL_NAME_INVALID"],
    [["models", "add", "M1"], "COMMAND_LINE_INVALID"],
    [["models", "add", "M1", "--name", "news", "--language", "English!"], "FILE_INVALID"],
    [["models", "add", "M1", "--name", "news", "--card", "none.yaml"], "FILE_NOT_FOUND"],
    [["models", "add", "M1", "--name", "news", "--evaluation", "none.json"], "FILE_NOT_FOUND"],
    [["models", "import", "none.tar", "--name", "news"], "FILE_NOT_FOUND"],
    [["models", "show", "sport"], "MODEL_NOT_REGISTERED"],
    [["models", "show", "a/b"], "MODEL_NAME_INVALID"],
    [["models", "history", "sport"], "MODEL_NOT_REGISTERED"],
    [["models", "promote", "sport:1"], "MODEL_NOT_REGISTERED"],
    [["models", "promote", "news:1", "--alias", "4"], "MODEL_NAME_INVALID"],
    [["models", "rollback", "news", "--alias", "nobody"], "MODEL_VERSION_NOT_FOUND"],
    [["models", "gates", "news", "--set", "none.yaml"], "FILE_NOT_FOUND"],
    [["models", "export", "news:77", "x"], "MODEL_VERSION_NOT_FOUND"],
    [["models", "list", "--db", "mysql://x"], "DATABASE_URL_UNSUPPORTED"],
    [["models", "list", "--store", "ftp://x"], "DVC_REMOTE_UNSUPPORTED"],
    [["models", "list", "--store", "https://example.invalid"], "BLOB_READ_ONLY"],
  ])("answers %j with %s", async (args, code) => {
    const typed = args.map((word) => (word === "M1" ? at("m1") : word));
    await expect(bridle(...typed)).rejects.toMatchObject({ code });
  });
});

/** Records a run that ends with the model in a folder. @returns its id */
async function recordRun(folder: string): Promise<string> {
  const parts = await openTracking({ env: { BRIDLE_HOME: at("home") }, onWarning: () => {} });
  const config = checkRunConfig({
    ...{ model: { name: "x" }, data: { train: "x.jsonl" }, train: { output: folder } },
  });
  const record = recordTraining(config, parts);
  const about = { totalSteps: 3, learnedParameters: 1, parameters: 1, device: "cpu" } as const;
  // A folder that holds a model begins no run before it is known whether another is made.
  record.onEvent({ type: "start", step: 0, ...about });
  await record.fail(new TypeError("once more"));
  const again = recordTraining(config, parts);
  again.onEvent({ type: "start", step: 0, ...about });
  await again.finish({ folder, record: { step: 3 } } as TrainResult);
  await parts.close();
  return again.run?.id ?? "";
}

describe("the run that trained a model", () => {
  it("is found by the record that it kept, wherever the folder is, unless --run says another", async () => {
    const own = { createdAt: "2026-02-03T04:05:06.000Z" };
    await makeTrainedModel(at("tracked"), 5, own);
    await makeTrainedModel(at("moved"), 6, own);
    const id = await recordRun(at("tracked"));
    expect(id).not.toBe("");
    const { out } = await bridle("models", "add", at("tracked"), "--name", "linked");
    expect(out).toContain(`It was trained by the run ${id}.\n`);
    const runOf = async (...words: string[]) =>
      (await told("models", "add", ...words, "--name", "linked")).card.lineage.runId;
    expect(await runOf(at("moved"))).toBe(id);
    expect(await runOf(at("moved"), "--run", "other")).toBe("other");
    // Another training of the same folder, and one that nobody recorded.
    await makeTrainedModel(at("tracked"), 7, { createdAt: "2026-03-03T04:05:06.000Z" });
    expect(await runOf(at("tracked"))).toBeNull();
  });

  it("is none where two kept the same record", async () => {
    await makeTrainedModel(at("twice"), 8, { createdAt: "2026-04-03T04:05:06.000Z" });
    await makeTrainedModel(at("copy"), 8, { createdAt: "2026-04-03T04:05:06.000Z" });
    expect(await recordRun(at("twice"))).not.toBe(await recordRun(at("copy")));
    const { card } = await told("models", "add", at("twice"), "--name", "linked");
    expect(card.lineage.runId).toBeNull();
  });
});
