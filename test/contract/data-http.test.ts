// Versions of data over HTTP on every database: what runs, registered versions, evaluations and .dvc files name, joined.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, expect, it } from "vitest";
import { toyIdentity, toyRunId } from "../../scripts/toy-runs.mjs";
import { keepRegistry, keepRunRecords, migrationSets, openRegistry } from "../../src/compose.js";
import { resolveServeConfig, type ServeConfigInput } from "../../src/config/serve-config.js";
import { openProjectData } from "../../src/data/project-data.js";
import { toEvaluationRecords } from "../../src/package/evaluation-record.js";
import { packModel } from "../../src/package/pack-model.js";
import type { Database } from "../../src/ports/database.js";
import { startServer } from "../../src/server/server.js";
import { writeEvents } from "../../src/track/write.js";
import { describeEachDatabase } from "../support/databases.js";
import { makeTrainedModel, toyEvaluation } from "../support/model-packages.js";
import { createToyService } from "./toy-service.js";

// biome-ignore lint/suspicious/noExplicitAny: every route answers a shape of its own, which the tests look at
type Body = any;

const root = mkdtempSync(path.join(tmpdir(), "bridle-data-http-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const rows = Array.from({ length: 12 }, (_, index) =>
  JSON.stringify({
    document: `The harbour board has repaired crane number ${index} after the long storm of this week.`,
    summary: `Crane ${index} was repaired.`,
  }),
).join("\n");
const hash = (name: string, text = rows) => createHash(name).update(text).digest("hex");
const sha256 = hash("sha256");
const id = sha256.slice(0, 16);

/** A project that tracks the rows, and a file that nobody has used. */
function makeProject(name: string): string {
  const folder = path.join(root, name);
  for (const part of [".dvc", "data"]) mkdirSync(path.join(folder, part), { recursive: true });
  writeFileSync(path.join(folder, ".dvc", "config"), "");
  const track = (file: string, text: string) => {
    const base = path.basename(file);
    writeFileSync(path.join(folder, file), text);
    writeFileSync(
      path.join(folder, `${file}.dvc`),
      `outs:\n- md5: ${hash("md5", text)}\n  size: ${text.length}\n  hash: md5\n  path: ${base}\n`,
    );
  };
  track("data/train.jsonl", rows);
  track("data/new.jsonl", `${rows}\n`);
  return folder;
}

async function recordRun(
  database: Database,
  index: number,
  values: Readonly<Record<string, string>>,
): Promise<string> {
  const run = toyIdentity(index, { startedAt: 1_700_000_000_000 + index });
  await writeEvents(database, run, [
    { type: "start", run, fromStep: 0 },
    { type: "params", values },
    { type: "end", status: "finished", at: run.startedAt + 1000, error: "" },
  ]);
  return run.id;
}

describeEachDatabase("data over HTTP", (place) => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });
  const start = async ({
    project,
    config = {},
  }: {
    project?: string;
    config?: ServeConfigInput;
  } = {}) => {
    const db = await place.createUrl();
    const database = await place.open(migrationSets, db);
    const places = { db, store: path.join(root, "store"), env: {} };
    const [records, registry] = [keepRunRecords(places), keepRegistry(places)];
    const data = project === undefined ? undefined : openProjectData(project);
    const server = await startServer(
      resolveServeConfig({ port: 0, logLevel: "silent", ...config }, {}),
      { ...createToyService(), runs: records.find, registry: registry.find, project: data },
      { files: { dashboard: "/nonexistent", docs: "/nonexistent" } },
    );
    open.push(records, registry, ...(data ? [data] : []), server);
    const get = async (where: string, headers: Record<string, string> = {}) => {
      const response = await fetch(server.url + where, { headers });
      return { status: response.status, body: (await response.json()) as Body };
    };
    return { database, get, places };
  };
  const told = {
    "data.train": "data/train.jsonl",
    "data.rows.train": "12",
    "data.sha256.train": sha256,
    "data.sizeBytes.train": String(rows.length),
  };

  it("joins what runs, models and evaluations say of one content with the project's file", async () => {
    const { database, get, places } = await start({ project: makeProject(`joined-${place.kind}`) });
    expect((await get("/v1/data")).body.versions).toMatchObject([
      { path: "data/new.jsonl", isTracked: true, isHere: true, usedAs: [], lastUsedAt: null },
      { path: "data/train.jsonl", isTracked: true, sha256 },
    ]);
    const first = await recordRun(database, 0, told);
    const others = { "data.train": '["a.jsonl","b.jsonl"]', "data.sha256.train": '["aa","bb"]' };
    await recordRun(database, 1, {
      ...others,
      "data.validation": "data/train.jsonl",
      "data.sha256.validation": sha256,
    });
    // One that an earlier version of Bridle recorded: what it learned from is known from its model alone.
    const old = await recordRun(database, 2, { "data.train": "old.jsonl" });
    const registry = await openRegistry(places);
    open.push(registry);
    for (const [seed, runId, file, content] of [
      [1, first, "data/train.jsonl", sha256],
      [2, old, "old.jsonl", "7".repeat(64)],
    ] as const) {
      const data = [{ file, sha256: content }];
      const folder = path.join(root, `m${seed}-${place.kind}`);
      const packed = await packModel(await makeTrainedModel(folder, seed, { runId, data }));
      const { card } = packed;
      const added = await registry.add("news", packed, { card, by: "ada" });
      const scored = {
        model: `news:${seed}`,
        version: card.model.fingerprint,
        digest: added.digest,
      };
      const records = toEvaluationRecords(toyEvaluation(scored), "test");
      await registry.recordEvaluations("news", added.version, records, "ada");
    }
    const { body } = await get("/v1/data");
    const of = (name: string) => body.versions.find((each: Body) => each.path === name);
    expect(of("data/train.jsonl")).toMatchObject({
      ...{ id, sha256, md5: hash("md5"), rows: 12, sizeBytes: rows.length, runs: 2 },
      ...{ usedAs: ["train", "validation"], isTracked: true, isHere: true },
      models: [{ model: "news", version: 1, as: "train" }],
    });
    expect(of("old.jsonl")).toMatchObject({ sha256: "7".repeat(64), runs: 1, isHere: false });
    expect(of("b.jsonl")).toMatchObject({ sha256: "bb", rows: null });
    expect(of("test.jsonl")).toMatchObject({ usedAs: ["test"], models: [{}, {}] });
    const one = (await get(`/v1/data/${id}`)).body;
    expect(one.runs.map((run: Body) => [run.id, run.as])).toEqual([
      [toyRunId(1), "validation"],
      [first, "train"],
    ]);
    expect(one.together.map((each: Body) => each.path).sort()).toEqual(["a.jsonl", "b.jsonl"]);
  });

  it("reads what a version holds, and says where it cannot", async () => {
    const project = makeProject(`read-${place.kind}`);
    const { database, get } = await start({ project });
    await recordRun(database, 0, told);
    const statistics = async () => (await get(`/v1/data/${id}/statistics`)).body;
    expect((await statistics()).state).toBe("computing");
    await expect.poll(async () => (await statistics()).state, { timeout: 50_000 }).toBe("done");
    expect((await statistics()).split).toMatchObject({
      ...{ rows: 12, kind: "pairs", files: ["data/train.jsonl"] },
      documentWords: { count: 12, histogram: {} },
      ratio: { count: 12 },
      languages: [{ language: "en", rows: 12 }],
    });
    writeFileSync(path.join(project, "data", "train.jsonl"), "{}\n");
    expect(await statistics()).toEqual({ state: "unavailable", reason: "not-here" });
    const { database: other, get: elsewhere } = await start();
    await recordRun(other, 0, told);
    expect((await elsewhere("/v1/data")).body).toMatchObject({ project: null, versions: [{ id }] });
    expect((await elsewhere(`/v1/data/${id}/statistics`)).body.reason).toBe("no-project");
  });

  it("lists what other files track where one is broken, and names that one", async () => {
    const project = makeProject(`broken-${place.kind}`);
    const file = path.join(project, "data", "old.jsonl.dvc");
    writeFileSync(file, "outs:\n- md5: [\n");
    writeFileSync(path.join(project, "dvc.yaml"), "stages: 3\n");
    const { database, get } = await start({ project });
    await recordRun(database, 0, told);
    const { status, body } = await get("/v1/data");
    expect(status).toBe(200);
    expect(body.versions.map((each: Body) => each.path).sort()).toEqual([
      "data/new.jsonl",
      "data/train.jsonl",
    ]);
    expect(body.broken.map((each: Body) => each.path).sort()).toEqual([
      "data/old.jsonl.dvc",
      "dvc.yaml",
    ]);
    for (const { code, message, path: named } of body.broken) {
      expect(code).toBe("DVC_FILE_INVALID");
      expect(message).toContain(named);
    }
    expect((await get(`/v1/data/${id}`)).status).toBe(200);
    const settings = makeProject(`settings-${place.kind}`);
    writeFileSync(path.join(settings, ".dvc", "config"), "[core\nremote = x\n");
    const { get: other } = await start({ project: settings });
    expect((await other("/v1/data")).body).toMatchObject({
      versions: [],
      broken: [{ path: ".dvc/config" }],
    });
  });

  it("reads nothing outside the project, whatever a run calls its data", async () => {
    const secret = path.join(root, "secret.jsonl");
    writeFileSync(secret, rows);
    const { database, get } = await start({ project: makeProject(`closed-${place.kind}`) });
    for (const [index, file] of [secret, "../secret.jsonl"].entries()) {
      const own = { "data.train": file, "data.sha256.train": hash("sha256", rows) };
      await recordRun(database, index, own);
    }
    rmSync(path.join(root, `closed-${place.kind}`, "data", "train.jsonl"));
    expect((await get(`/v1/data/${id}`)).body.isHere).toBe(false);
    expect((await get(`/v1/data/${id}/statistics`)).body.reason).toBe("not-here");
  });

  it("is for operators, and names what is not there", async () => {
    const { get } = await start({ config: { apiKeys: ["reading-key-01=read"] } });
    expect((await get("/v1/data")).status).toBe(401);
    const headers = { "x-api-key": "reading-key-01" };
    expect((await get("/v1/data", headers)).body).toEqual({
      ...{ project: null, versions: [], broken: [] },
    });
    const { status, body } = await get("/v1/data/none", headers);
    expect([status, body.code]).toEqual([404, "DATA_VERSION_NOT_FOUND"]);
    expect((await get("/v1/data?limit=1", headers)).status).toBe(400);
  });
});
