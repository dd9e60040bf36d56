// Runs out of what W&B's pages export and of MLflow's stores, whole or spoilt, brought into every database.
import { execFile } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import {
  listForeignRuns,
  migrationSets,
  openArtifacts,
  openDatabase,
  openForeignDatabase,
} from "../../src/compose.js";
import { BridleError } from "../../src/errors/error.js";
import type { BlobStore } from "../../src/ports/blob-store.js";
import type { Database } from "../../src/ports/database.js";
import type { ForeignRun } from "../../src/ports/event-sink.js";
import { findTrackingFaults } from "../../src/track/check.js";
import { readPoints } from "../../src/track/export.js";
import { importRun, isFaultOfRun } from "../../src/track/import/import-runs.js";
import { findMlflowDatabase, readMlflowDatabase } from "../../src/track/import/mlflow-database.js";
import { readMlflowFiles } from "../../src/track/import/mlflow-files.js";
import { readWandbExport } from "../../src/track/import/wandb-export.js";
import { listArtifacts, listRuns } from "../../src/track/read.js";
import { describeEachDatabase } from "../support/databases.js";
import { mlflowProgram, startFakeMlflow } from "../support/mlflow-servers.js";

const run = promisify(execFile);
/** What MLflow's own client is told, in a store that its first argument names. */
const tellMlflow = `
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("news")
mlflow.start_run(run_name="owl")
mlflow.log_param("lr", 0.001)
mlflow.set_tag("store", sys.argv[1])
for step, value in [(-1, 9), (0, 2.5), (1, float("nan")), (2, float("inf"))]:
    mlflow.log_metric("loss", value, step=step)
mlflow.log_artifact("card.md")
mlflow.end_run("FAILED")
`;
const root = mkdtempSync(path.join(tmpdir(), "bridle-import-"));
afterAll(() => rmSync(root, { recursive: true }));
let made = 0;
/** A folder of its own with some files. */
function write(files: Readonly<Record<string, string>>): string {
  const folder = path.join(root, String(++made));
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return folder;
}

describeEachDatabase("imported runs", (place) => {
  let database: Database;
  let artifacts: BlobStore;
  beforeEach(async () => {
    database = await place.open(migrationSets);
    artifacts = await openArtifacts(undefined, { BRIDLE_HOME: path.join(root, `home-${++made}`) });
    return async () => {
      expect(await findTrackingFaults(database, artifacts)).toEqual([]);
      await artifacts.close();
    };
  });

  /** Imports everything twice, as `bridle runs import` does. @returns what is there, by name, and what was told of runs */
  async function importTwice(runs: readonly ForeignRun[]) {
    const told: string[] = [];
    for (const foreign of [...runs, ...runs]) {
      try {
        await importRun(database, artifacts, foreign);
      } catch (thrown) {
        if (!isFaultOfRun(thrown)) throw thrown;
        told.push(`${foreign.known.name}: ${thrown.message}`);
      }
    }
    const all = (await listRuns(database, { sort: "name" })).runs;
    const half = told.length / 2;
    expect(told.slice(half)).toEqual(told.slice(0, half));
    return { all, told: told.slice(0, half) };
  }

  async function pointsOf(id = "") {
    const points: Record<string, (readonly [number, number | null])[]> = {};
    for await (const some of readPoints(database, id)) {
      for (const { key, step, value } of some) {
        points[key] = [...(points[key] ?? []), [step, value] as const];
      }
    }
    return points;
  }

  describe("out of W&B's CSV files", () => {
    const table = [
      '"Name","State","Notes","User","Tags","Created","Runtime","Sweep","lr","model.layers","loss"',
      '"brave-owl-1","finished","","ada","good, first","2024-01-31T10:11:12.000Z","60.5","","0.001","2","1.25"',
      '"calm-fox-2","crashed","a\nnote","ada","","2024-01-31T11:00:00.000Z","5","","0.01","2",""',
      '"dry-elk-3","failed","","ada","","2024-01-31 12:00:00","7","abc123","0.1","4","NaN"',
      '"even-ape-4","killed","","","","","","","","",""',
    ];
    const chart = [
      '"Step","brave-owl-1 - loss","brave-owl-1 - loss__MIN","brave-owl-1 - loss__MAX","odd - name - loss","odd - name - loss__MIN","odd - name - loss__MAX"',
      '"0","3","2.9","3.1","","",""',
      '"10","1.25","1.2","1.3","NaN","NaN","NaN"',
      '"20","","","","Infinity","1","Infinity"',
    ];

    it("come from the table of runs, each with its state, times and columns", async () => {
      const folder = write({ "wandb_export_2024-01-31T10_11_12.345+01_00.csv": table.join("\n") });
      const file = path.join(folder, "wandb_export_2024-01-31T10_11_12.345+01_00.csv");
      const { all, told } = await importTwice(await readWandbExport(file, "news"));
      expect(told).toEqual([]);
      expect(all).toMatchObject([
        {
          ...{ name: "brave-owl-1", experiment: "news", status: "finished", source: "wandb" },
          ...{ startedAt: Date.UTC(2024, 0, 31, 10, 11, 12) },
          endedAt: Date.UTC(2024, 0, 31, 10, 12, 12, 500),
          params: { lr: "0.001", "model.layers": "2", loss: "1.25" },
          tags: { "wandb.user": "ada", "wandb.tags": "good, first" },
        },
        { name: "calm-fox-2", status: "interrupted", tags: { "wandb.notes": "a\nnote" } },
        {
          ...{ name: "dry-elk-3", status: "failed", startedAt: Date.UTC(2024, 0, 31, 12) },
          tags: { "wandb.sweep": "abc123" },
        },
        { name: "even-ape-4", status: "stopped", params: {} },
      ]);
      const sorted = await listRuns(database, { sort: "params.lr" });
      expect(sorted.runs[0]?.name).toBe("brave-owl-1");
      // Without a name for the experiment it is called by the file.
      expect((await readWandbExport(file))[0]?.known.experiment).toMatch(/^wandb_export_2024/);
    });

    it("come from a chart, a run for each column, in the runs of the table where both are there", async () => {
      const folder = write({ "chart.csv": chart.join("\r\n"), "runs.csv": table.join("\n") });
      const alone = await readWandbExport(path.join(folder, "chart.csv"), "news");
      const { all } = await importTwice(alone);
      expect(all.map(({ name, status }) => [name, status])).toEqual([
        ["brave-owl-1", "finished"],
        ["odd - name", "finished"],
      ]);
      expect(await pointsOf(all[0]?.id)).toEqual({
        loss: [
          [0, 3],
          [10, 1.25],
        ],
      });
      expect(await pointsOf(all[1]?.id)).toEqual({
        loss: [
          [10, null],
          [20, Number.POSITIVE_INFINITY],
        ],
      });
      const both = await importTwice(await readWandbExport(folder, "news"));
      expect(both.all).toHaveLength(5);
      expect(both.all.find(({ name }) => name === "brave-owl-1")).toMatchObject({
        ...{ id: all[0]?.id, status: "finished", params: { lr: "0.001" } },
        metrics: { loss: { count: 2, last: 1.25 } },
      });
    });

    it("keep the end that the table told where a chart comes later", async () => {
      const folder = write({
        "runs.csv": "Name,State,Created\nsad-emu,failed,2024-01-31T10:00:00Z\n",
        "chart.csv": "Step,sad-emu - loss,sad-emu - loss__MIN\n0,2,2\n",
      });
      await importTwice(await readWandbExport(path.join(folder, "runs.csv"), "news"));
      const { all } = await importTwice(
        await readWandbExport(path.join(folder, "chart.csv"), "news"),
      );
      expect(all).toMatchObject([
        {
          ...{ name: "sad-emu", status: "failed", startedAt: Date.UTC(2024, 0, 31, 10) },
          metrics: { loss: { count: 1 } },
        },
      ]);
    });

    it("come without the rows that are spoilt, which are named by line", async () => {
      const folder = write({
        "runs.csv":
          "Name,State,Created\na,finished,\n,finished,\nc,asleep,\nd,finished,soon\nsame,finished,2024-01-01T00:00:00Z\nsame,failed,2024-01-02T00:00:00Z\n",
        "chart.csv":
          "Step,a - loss,a - acc,same - acc\n0,1,0.5,1\nsoon,2,0.6,1\n-1,3,0.7,1\n2,much,0.8,1\n",
      });
      const { all, told } = await importTwice(await readWandbExport(folder, "news"));
      expect(all.map(({ name, status }) => [name, status])).toEqual([
        ["a", "finished"],
        ["same", expect.any(String)],
        ["same", expect.any(String)],
      ]);
      expect(await pointsOf(all[0]?.id)).toEqual({
        acc: [
          [0, 0.5],
          [2, 0.8],
        ],
        loss: [[0, 1]],
      });
      expect(told.map((text) => text.replaceAll(folder, "…"))).toEqual([
        'chart.csv: …/chart.csv cannot be used: line 3 has Step "soon", which is no step; line 4 has Step "-1", which is no step; line 5 has "much" as a - loss; the rest of it is imported.',
        "line 3: …/runs.csv cannot be used: line 3 has no Name.",
        'c: …/runs.csv cannot be used: line 4 has the State "asleep", which is none of finished, failed, killed, crashed, running, pending, preempting, preempted.',
        'd: …/runs.csv cannot be used: line 5 has Created "soon", which is no time.',
        "same: …/chart.csv cannot be used: 2 runs of the table are called same, and it does not say whose points it has.",
      ]);
    });

    it("are refused where the file is another, by what it has", async () => {
      const folder = write({
        "other.csv": "id,text\n1,a\n",
        "empty.csv": "Name,State\n",
        "time.csv":
          "Relative Time (Process),a - loss,a - loss__MIN,a - loss__MAX\n0.5,1,1,1\n1.5,2,2,2\n",
        "torn.csv": "Name,State\na,finished\nb,finished,much\n",
      });
      const read = (name: string) => readWandbExport(path.join(folder, name), "news");
      await expect(read("other.csv")).rejects.toThrow(
        /its columns are id, text: neither a table of runs/,
      );
      await expect(read("empty.csv")).rejects.toThrow(/it holds no rows/);
      await expect(read("nowhere.csv")).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
      const time = await importTwice(await read("time.csv"));
      expect(time.told[0]).toMatch(/its first column is Relative Time \(Process\)/);
      const torn = await importTwice(await read("torn.csv"));
      expect(torn.told[0]).toMatch(/Line 3 of .*torn\.csv/);
      expect(torn.all).toEqual([]);
    });
  });

  describe("out of MLflow's folder", () => {
    const meta = (id: string, more = "") =>
      `run_id: ${id}\nrun_name: ${id}\nstatus: 3\nstart_time: 1700000000000\nend_time: 1700000009000\nlifecycle_stage: active\n${more}`;

    it("leave out what is spoilt of one, and tell of it", async () => {
      const folder = write({
        "7/meta.yaml": "experiment_id: '7'\nname: news\n",
        "7/good/meta.yaml": meta("good"),
        "7/good/metrics/loss": "1700000001000 2 -2\n1700000002000 1 -1\n1700000003000 0.5 0\n",
        "7/good/metrics/acc": "1700000001000 0.5 3\n",
        "7/good/params/lr": "0.1",
        "7/torn/meta.yaml": "run_id: [\n",
        "7/when/meta.yaml": meta("when").replace("1700000000000", "soon"),
        "8/meta.yaml": "name: [\n",
      });
      const { all, told } = await importTwice(await readMlflowFiles(folder));
      expect(all).toMatchObject([{ name: "good", status: "finished", params: { lr: "0.1" } }]);
      expect(await pointsOf(all[0]?.id)).toEqual({ acc: [[3, 0.5]], loss: [[0, 0.5]] });
      expect(told).toEqual([
        expect.stringMatching(
          /^good: .*metrics cannot be used: steps begin at 0, and points before it are left out: loss has 2; the rest/,
        ),
        expect.stringMatching(/^torn: .*7.torn.meta\.yaml cannot be used: line/),
        expect.stringMatching(/^when: .*"soon" is no time/),
        expect.stringMatching(/^8: .*8.meta\.yaml cannot be used/),
      ]);
    });

    const uri = (text: string) => `artifact_uri: ${text}\n`;
    const filesOf = async (id: string) =>
      (await listArtifacts(database, id)).map(({ name, uri: at, sizeBytes }) => [
        ...[name, at, sizeBytes],
      ]);

    it("have files from where they lie in the store, or the place where they lie", async () => {
      const elsewhere = write({ "secret/id_rsa": "key", "secret/7/g/artifacts/key": "key" });
      const secret = path.join(elsewhere, "secret");
      const folder = write({
        "7/meta.yaml": "name: news\n",
        "7/b/meta.yaml": meta("b", uri("s3://bucket/b")),
        "7/c/meta.yaml": meta("c", uri("file:///gone/other/place")),
        // The whole folder was moved since.
        "7/d/meta.yaml": meta("d", uri("file:///home/ada/mlruns/7/d/artifacts")),
        "7/d/artifacts/note.txt": "x",
        "7/e/meta.yaml": meta("e", uri("file:///home/ada/mlruns/7/e/artifacts")),
        "7/f/meta.yaml": meta("f", uri(`file://${secret}`)),
        // The folder was copied, and what it was copied from is there.
        "7/g/meta.yaml": meta("g", uri(path.join(secret, "7/g/artifacts"))),
        "7/h/meta.yaml": meta("h"),
        "shared/model/card.md": "# It\n",
      });
      mkdirSync(path.join(folder, "7/a"));
      const within = uri(`file://${folder}/shared`);
      writeFileSync(path.join(folder, "7/a/meta.yaml"), meta("a", within));
      symlinkSync(secret, path.join(folder, "7/h/artifacts"));
      const read = () => readMlflowFiles(folder);
      const { all, told } = await importTwice(await read());
      expect(told).toEqual([]);
      expect(await Promise.all(all.map(({ id }) => filesOf(id)))).toEqual([
        [["model/card.md", "", 5]],
        [["artifacts", "s3://bucket/b", 0]],
        [["artifacts", "file:///gone/other/place", 0]],
        [["note.txt", "", 1]],
        [],
        [["artifacts", `file://${secret}`, 0]],
        [["artifacts", path.join(secret, "7/g/artifacts"), 0]],
        [["artifacts", path.join(folder, "7/h/artifacts"), 0]],
      ]);
      const of = async (name: string) =>
        (await read()).find(({ known }) => known.name === name) as ForeignRun;
      expect(await importRun(database, artifacts, await of("f"))).toMatchObject({
        ...{ files: 1, named: 1 },
      });
      expect(await importRun(database, artifacts, await of("d"))).toMatchObject({
        ...{ files: 1, named: 0 },
      });
    });

    it("have files from elsewhere on this machine where that is asked for", async () => {
      const elsewhere = write({ "far/model/card.md": "# It\n", "params/lr": "0.1" });
      const folder = write({
        "7/meta.yaml": "name: news\n",
        "7/a/meta.yaml": meta("a", uri(`file://${elsewhere}/far`)),
      });
      symlinkSync(path.join(elsewhere, "params"), path.join(folder, "7/a/params"));
      const refused = await importTwice(await readMlflowFiles(folder));
      expect(refused.told).toEqual([
        expect.stringMatching(/7.a.params cannot be used: it leads out/),
      ]);
      expect(refused.all).toEqual([]);
      const followed = await readMlflowFiles(folder, undefined, { followFiles: true });
      const { all, told } = await importTwice(followed);
      expect(told).toEqual([]);
      expect(all).toMatchObject([{ params: { lr: "0.1" } }]);
      expect(await filesOf(all[0]?.id ?? "")).toEqual([["model/card.md", "", 5]]);
    });
  });

  describe("out of MLflow's database", () => {
    /** The columns that MLflow 3 has, as far as they say something of a run. */
    const tables = [
      "CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name VARCHAR(256), lifecycle_stage VARCHAR(32))",
      "CREATE TABLE runs (run_uuid VARCHAR(32) PRIMARY KEY, name VARCHAR(250), status VARCHAR(9), start_time BIGINT, end_time BIGINT, lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER)",
      "CREATE TABLE params (key VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32))",
      "CREATE TABLE tags (key VARCHAR(250), value VARCHAR(5000), run_uuid VARCHAR(32))",
      "CREATE TABLE metrics (key VARCHAR(250), value DOUBLE, timestamp BIGINT, run_uuid VARCHAR(32), step BIGINT, is_nan BOOLEAN)",
    ];
    const rows = [
      "INSERT INTO experiments VALUES (0, 'Default', 'active'), (1, 'news', 'active')",
      "INSERT INTO runs VALUES ('r1', 'brave-owl-1', 'FINISHED', 1700000000000, 1700000009000, 'active', '/home/ada/mlruns/1/r1/artifacts', 1)",
      "INSERT INTO runs VALUES ('r2', NULL, 'RUNNING', 1700000000001, NULL, 'active', 's3://bucket/1/r2/artifacts', 1)",
      "INSERT INTO runs VALUES ('r4', 'sly', 'FINISHED', 1700000000002, 3, 'active', 'BESIDE', 1)",
      "INSERT INTO runs VALUES ('r3', 'gone', 'FINISHED', 1, 2, 'deleted', '', 1)",
      "INSERT INTO params VALUES ('lr', '0.001', 'r1')",
      "INSERT INTO tags VALUES ('mlflow.source.git.commit', 'c0ffee', 'r1'), ('team', 'é', 'r1')",
      "INSERT INTO metrics VALUES ('loss', 2.5, 1700000001000, 'r1', 10, 0), ('loss', 0, 1700000002000, 'r1', 20, 1), ('loss', 1.7976931348623157e308, 1700000003000, 'r1', 30, 0)",
      "INSERT INTO metrics VALUES ('acc', 0.5, 1700000001000, 'r1', 0, 0), ('acc', 0.75, 1700000002000, 'r1', 0, 0)",
      "INSERT INTO metrics VALUES ('loss', 1, 1700000001000, 'r2', -1, 0)",
    ];
    async function makeDatabase(statements: readonly string[]) {
      const folder = write({ "mlruns/1/r1/artifacts/model/card.md": "# It\n", ".ssh/id": "key" });
      const file = path.join(folder, "mlflow.db");
      const made = await openDatabase(`sqlite:${file}`, []);
      for (const statement of statements) {
        await made.query(statement.replace("BESIDE", `file://${folder}/.ssh`));
      }
      await made.close();
      return { folder, file };
    }

    it("come as from a server, and nothing is written to it", async () => {
      const { folder, file } = await makeDatabase([...tables, ...rows]);
      for (const named of [file, folder, `sqlite:///${file}`]) {
        expect(await findMlflowDatabase(named)).toBe(file);
      }
      const before = [readFileSync(file), statSync(file).mtimeMs];
      const opened = await openForeignDatabase(file);
      const { all, told } = await importTwice(await readMlflowDatabase(opened));
      expect(await readMlflowDatabase(opened, "news")).toHaveLength(3);
      await expect(readMlflowDatabase(opened, "Default")).rejects.toMatchObject({
        code: "IMPORT_EMPTY",
      });
      await expect(opened.query("DELETE FROM runs")).rejects.toBeInstanceOf(BridleError);
      await opened.close();
      expect([readFileSync(file), statSync(file).mtimeMs]).toEqual(before);
      expect(all).toMatchObject([
        {
          ...{ name: "brave-owl-1", experiment: "news", status: "finished", commit: "c0ffee" },
          ...{ startedAt: 1_700_000_000_000, endedAt: 1_700_000_009_000 },
          ...{ params: { lr: "0.001" }, tags: { team: "é", "mlflow.run_id": "r1" } },
        },
        { name: "r2", status: "interrupted" },
        { name: "sly", status: "finished" },
      ]);
      expect(await pointsOf(all[0]?.id)).toEqual({
        acc: [
          [0, 0.5],
          [1, 0.75],
        ],
        loss: [
          [10, 2.5],
          [20, null],
          [30, Number.POSITIVE_INFINITY],
        ],
      });
      const files = [];
      for (const { id } of all) files.push(...(await listArtifacts(database, id)));
      expect(files.map(({ name, uri }) => [name, uri])).toEqual([
        ["model/card.md", ""],
        ["artifacts", "s3://bucket/1/r2/artifacts"],
        ["artifacts", `file://${folder}/.ssh`],
      ]);
      expect(told).toEqual([expect.stringMatching(/^r2: .*left out: loss has 1; the rest/)]);
    });

    it("are refused where it is another's, with the way over a server", async () => {
      const { folder, file } = await makeDatabase(tables.slice(0, 2));
      const opened = await openForeignDatabase(file);
      await expect(readMlflowDatabase(opened)).rejects.toMatchObject({
        message: expect.stringMatching(/it has no table params, tags, metrics/),
        hint: expect.stringMatching(/mlflow server --backend-store-uri/),
      });
      await opened.close();
      const text = path.join(folder, "mlruns/1/r1/artifacts/model/card.md");
      await expect(findMlflowDatabase(text)).rejects.toThrow(/neither a folder `mlruns` nor/);
      expect(await findMlflowDatabase(path.join(folder, "mlruns"))).toBeUndefined();
      await expect(readMlflowFiles(path.join(folder, "mlruns"))).rejects.toMatchObject({
        ...{ code: "IMPORT_EMPTY", hint: expect.stringMatching(/mlflow\.db/) },
      });
    });
  });

  // Of the database here nothing is asked but what all the others ask, and MLflow takes ten seconds to start.
  it.skipIf(mlflowProgram === undefined || place.kind === "postgres")(
    "out of the database and the folder that the real mlflow writes are those that it was told",
    async () => {
      for (const [name, uri] of [
        ["mlflow.db", "sqlite:///mlflow.db"],
        ["mlruns", "file:./mlruns"],
      ] as const) {
        const folder = write({ "tell.py": tellMlflow, "card.md": "# It\n" });
        const python = path.join(path.dirname(mlflowProgram ?? ""), "python");
        await run(python, ["tell.py", uri], {
          cwd: folder,
          env: {
            ...process.env,
            MLFLOW_ALLOW_FILE_STORE: "true",
            MLFLOW_DISABLE_TELEMETRY: "true",
          },
        });
        const file = await findMlflowDatabase(path.join(folder, name));
        const opened = file === undefined ? undefined : await openForeignDatabase(file);
        expect(opened === undefined).toBe(name === "mlruns");
        const found =
          opened === undefined
            ? await readMlflowFiles(path.join(folder, name), "news")
            : await readMlflowDatabase(opened, "news");
        const { all, told } = await importTwice(found);
        await opened?.close();
        const [owl] = all.filter(({ tags }) => tags.store === uri);
        expect(owl).toMatchObject({
          ...{ name: "owl", experiment: "news", status: "failed", params: { lr: "0.001" } },
          metrics: { loss: { count: 3 } },
        });
        expect(await pointsOf(owl?.id)).toEqual({
          loss: [
            [0, 2.5],
            [1, null],
            [2, Number.POSITIVE_INFINITY],
          ],
        });
        expect(await listArtifacts(database, owl?.id ?? "")).toMatchObject([
          { name: "card.md", sizeBytes: 5, uri: "" },
        ]);
        expect(told).toEqual([expect.stringMatching(/^owl: .*left out: loss has 1; the rest/)]);
      }
    },
    120_000,
  );

  it("of a server leave out points before step 0, and tell of them", async () => {
    const server = await startFakeMlflow();
    try {
      const call = async (method: string, body: object) => {
        const response = await fetch(`${server.url}/api/2.0/mlflow/${method}`, {
          method: "POST",
          body: JSON.stringify(body),
        });
        // biome-ignore lint/suspicious/noExplicitAny: each method answers a shape of its own
        return (await response.json()) as any;
      };
      const { experiment_id } = await call("experiments/create", { name: "news" });
      const asked = { experiment_id, start_time: 1_700_000_000_000, run_name: "owl", tags: [] };
      const { run } = await call("runs/create", asked);
      const metrics = [-1, 0, 5].map((step) => ({
        ...{ key: "loss", value: step + 2, step, timestamp: 1_700_000_000_000 },
      }));
      await call("runs/log-batch", { run_id: run.info.run_id, metrics });
      await call("runs/update", { run_id: run.info.run_id, status: "FINISHED" });
      const { all, told } = await importTwice(await listForeignRuns(server.url, "news", {}));
      expect(all).toMatchObject([{ name: "owl", status: "finished" }]);
      expect(await pointsOf(all[0]?.id)).toEqual({
        loss: [
          [0, 2],
          [5, 7],
        ],
      });
      expect(told).toEqual([expect.stringMatching(/^owl: .*left out: loss has 1; the rest/)]);
    } finally {
      await server.close();
    }
  });
});
