// What registered models were trained on outlives a clean-up of data, wherever that is typed and wherever the registry is.
import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runProgram } from "../../src/cli/program.js";
import { openDatabase } from "../../src/compose.js";
import { describeEachDatabase } from "../support/databases.js";
import { DvcProject } from "../support/dvc-project.js";
import { createMemoryTerminal } from "../support/memory-terminal.js";
import { makeTrainedModel } from "../support/model-packages.js";

let project: DvcProject;
const before = process.cwd();

beforeEach(async () => {
  project = await DvcProject.create();
  await mkdir(project.at("data"));
  process.chdir(project.root);
});
afterEach(async () => {
  process.chdir(before);
  await project.remove();
});

async function bridle(args: readonly string[], env: Record<string, string> = {}) {
  const terminal = createMemoryTerminal({ env });
  await runProgram(args, terminal);
  return { out: terminal.out(), err: terminal.err() };
}

const rowsOf = (text: string) => `{"document": "${text}"}\n`;
const hashOf = (name: string, text: string) => createHash(name).update(rowsOf(text)).digest("hex");
const hasObject = (text: string) => {
  const id = hashOf("md5", text);
  return project.has(`.dvc/cache/files/md5/${id.slice(0, 2)}/${id.slice(2)}`);
};

/** A version of data/train.jsonl in the cache. */
async function addData(text: string): Promise<void> {
  await project.write("data/train.jsonl", rowsOf(text));
  await bridle(["data", "add", "data/train.jsonl"]);
}

/** A model that was trained on the first version of data, which has changed since it was registered. */
async function registerOne(more: readonly string[], env: Record<string, string> = {}) {
  await addData("one");
  await makeTrainedModel(project.at("model"), 1, {
    data: [{ file: "data/train.jsonl", sha256: hashOf("sha256", "one") }],
  });
  await bridle(["models", "add", "model", "--name", "news", ...more], env);
  await addData("two");
}

const gc = async (env: Record<string, string> = {}, ...more: string[]) =>
  JSON.parse((await bridle(["data", "gc", "--workspace", "--json", ...more], env)).out);
const notes = () => project.at(".dvc/tmp/bridle/registries");

describe("a clean-up of data", () => {
  it("keeps what the project's registry needs when it is typed in a folder below", async () => {
    await registerOne([]);
    await rm(notes(), { recursive: true });
    process.chdir(project.at("data"));
    expect(await gc()).toMatchObject({ deleted: 0, registries: [project.at(".bridle/bridle.db")] });
    expect(hasObject("one")).toBe(true);
    expect(existsSync(project.at("data/.bridle"))).toBe(false);
  });

  it("keeps what a registry below needs when it is typed at the top", async () => {
    await registerOne(["--db", project.at("team/.bridle/bridle.db")]);
    await rm(notes(), { recursive: true });
    expect(await gc()).toMatchObject({ deleted: 0 });
    expect(hasObject("one")).toBe(true);
  });

  it("is refused where a registry that is named is not there", async () => {
    await registerOne(["--db", project.at("away.db")]);
    await rm(notes(), { recursive: true });
    // With the log that SQLite may keep beside it.
    for (const name of readdirSync(project.root).filter((each) => each.startsWith("away.db"))) {
      await rename(project.at(name), path.join(project.folder, name));
    }
    const away = project.at("away.db");
    for (const [env, more] of [
      [{ BRIDLE_DB: `sqlite:${away}` }, []],
      [{ BRIDLE_HOME: project.at("gone") }, []],
      [{}, ["--db", away]],
    ] as const) {
      await expect(gc(env, ...more)).rejects.toMatchObject({
        code: "REGISTRY_NOT_ASKED",
        message: expect.stringContaining("is not there"),
      });
    }
    expect(hasObject("one")).toBe(true);
    expect(await gc({}, "--db", path.join(project.folder, "away.db"))).toMatchObject({
      deleted: 0,
    });
  });

  it("is refused where a trained model's record or a run names a version that no registry has", async () => {
    await addData("one");
    await addData("two");
    const parent = { name: "news", version: 3, digest: "7".repeat(64) };
    await project.write("model/bridle.json", JSON.stringify({ version: 1, parent }));
    await expect(gc()).rejects.toMatchObject({
      code: "REGISTRY_NOT_ASKED",
      message: expect.stringMatching(/model\/bridle\.json started from news:3/),
      hint: expect.stringContaining("--allow-unasked"),
    });
    await rm(project.at("model"), { recursive: true });
    await mkdir(project.at(".bridle"));
    const runs = await openDatabase(project.at(".bridle/bridle.db"));
    await runs.query("INSERT INTO track_experiment (name, created_at) VALUES ('default', 1)");
    const addRun = async (id: string, status: string, output: string) => {
      await runs.query(
        `INSERT INTO track_run (id, experiment_id, name, status, source, started_at, alive_at, host, pid, output,
           config_sha256, code_commit, parent, error, changed_at)
         VALUES ($1, 1, 'r', $2, 'train', 1, 1, 'h', 1, $3, '', '', '', '', 1)`,
        [id, status, output],
      );
      await runs.query("INSERT INTO track_param (run_id, key, value) VALUES ($1, $2, $3)", [
        ...[id, "model.name", "sport@champion"],
      ]);
    };
    await addRun("elsewhere", "finished", path.join(project.folder, "other"));
    await addRun("slip", "failed", project.at("out"));
    expect(await gc({}, "--dry-run")).toMatchObject({ deleted: 1 });
    await addRun("ours", "finished", project.at("out"));
    await runs.close();
    await expect(gc()).rejects.toMatchObject({
      message: expect.stringContaining("the run ours started from sport@champion"),
    });
    expect(hasObject("one")).toBe(true);
    const { err } = await bridle(["data", "gc", "--workspace", "--allow-unasked"]);
    expect(err).toContain("note: the run ours started from sport@champion");
    expect(hasObject("one")).toBe(false);
  });

  it("keeps what is registered while it waits for its turn", async () => {
    await addData("one");
    await makeTrainedModel(project.at("model"), 1, {
      data: [{ file: "data/train.jsonl", sha256: hashOf("sha256", "one") }],
    });
    let done = Promise.resolve<unknown>(undefined);
    await project.open((repository) =>
      repository.locked("a test", async () => {
        done = gc();
        done.catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 500));
        await bridle(["models", "add", "model", "--name", "news"]);
        const named = project.read("data/train.jsonl.dvc");
        const other = named.replace(hashOf("md5", "one"), hashOf("md5", "two"));
        await project.write("data/train.jsonl.dvc", other);
      }),
    );
    expect(await done).toMatchObject({ deleted: 0 });
    expect(hasObject("one")).toBe(true);
  });

  it("tells that there was no registry to ask", async () => {
    await addData("one");
    expect((await bridle(["data", "gc", "--workspace"])).err).toContain("no registry of models");
  });

  it("takes a note that nobody can read for a registry that cannot be asked", async () => {
    await registerOne([]);
    const [note = ""] = readdirSync(notes());
    await writeFile(path.join(notes(), note), "{");
    await expect(gc()).rejects.toMatchObject({
      code: "REGISTRY_NOT_ASKED",
      message: expect.stringContaining(note),
    });
  });
});

describe("what a version names of its data", () => {
  const md5 = hashOf("md5", "one");
  const told = async (...args: string[]) => JSON.parse((await bridle([...args, "--json"])).out);
  const train = async (more: object = {}) => {
    const data = [{ file: "data/train.jsonl", sha256: hashOf("sha256", "one"), ...more }];
    await makeTrainedModel(project.at("model"), 1, { data });
  };

  it("is looked for in an import as in an addition", async () => {
    await registerOne([]);
    await bridle(["models", "export", "news:1", project.at("news.tar")]);
    await bridle(["models", "export", "news:1", project.at("news")]);
    const there = ["models", "import", "news.tar", "--name", "other", "--db", "other.db"];
    const { err } = await bridle(there);
    expect(err).toContain("note: data/train.jsonl: not here as trained on; data gc cannot keep it");
    await addData("one");
    // Again, when the data are there: what was not known then is.
    expect(await told(...there)).toMatchObject({
      ...{ isNew: false, version: 1, dataObjects: [md5], unkeptData: [] },
    });
    expect(
      await told("models", "import", "news", "--name", "third", "--db", "other.db"),
    ).toMatchObject({ isNew: true, dataObjects: [md5] });
    await addData("two");
    await rm(project.at(".bridle"), { recursive: true });
    await rm(notes(), { recursive: true });
    expect(await gc({ BRIDLE_DB: "other.db" })).toMatchObject({ deleted: 0 });
    expect(hasObject("one")).toBe(true);
  });

  it("is completed by another addition of the same package", async () => {
    await addData("two");
    await train();
    const add = ["models", "add", "model", "--name", "news"];
    expect(await told(...add)).toMatchObject({
      ...{ dataObjects: [], unkeptData: ["data/train.jsonl"] },
    });
    await addData("one");
    expect(await told(...add)).toMatchObject({ isNew: false, dataObjects: [md5], unkeptData: [] });
    await addData("two");
    expect(await told(...add)).toMatchObject({ isNew: false, dataObjects: [md5] });
    await gc();
    expect(hasObject("one")).toBe(true);
  });

  it("is what the training recorded, where the files have changed by then", async () => {
    await addData("one");
    await addData("two");
    await train({ dvc: { path: "data/train.jsonl", md5 } });
    expect(await told("models", "add", "model", "--name", "news")).toMatchObject({
      ...{ dataObjects: [md5], unkeptData: [] },
    });
    await gc();
    expect(hasObject("one")).toBe(true);
    const list = `${"8".repeat(32)}.dir`;
    await train({ dvc: { path: "data", md5: list }, md5 });
    expect(await told("models", "add", "model", "--name", "news")).toMatchObject({
      ...{ dataObjects: [md5, list], unkeptData: [] },
    });
  });
});

describeEachDatabase("a registry elsewhere", (place) => {
  it("is known to the repository whose data its versions were trained on", async () => {
    const url = await place.createUrl();
    const store = path.join(project.folder, "store");
    await registerOne(["--db", url, "--store", store]);
    process.chdir(project.at("data"));
    const { deleted, registries } = await gc();
    expect(deleted).toBe(0);
    expect(registries).toHaveLength(1);
    expect(hasObject("one")).toBe(true);
    // Named by another as well, it is asked once.
    expect((await gc({ BRIDLE_DB: url })).registries).toEqual(registries);
    process.chdir(project.root);
    await addData("three");
    expect(await gc()).toMatchObject({ deleted: 1 });
    expect([hasObject("one"), hasObject("two"), hasObject("three")]).toEqual([true, false, true]);
  });
});
