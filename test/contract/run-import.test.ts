// Runs of other trackers brought here: from MLflow's folder and its server, and from what W&B exports.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createMlflowSink } from "../../src/adapters/track/mlflow.js";
import { listForeignRuns, openArtifacts, openRuns } from "../../src/compose.js";
import type { BlobStore } from "../../src/ports/blob-store.js";
import type { Database } from "../../src/ports/database.js";
import type { ForeignRun } from "../../src/ports/event-sink.js";
import { putArtifact } from "../../src/track/artifacts.js";
import { findTrackingFaults } from "../../src/track/check.js";
import { readPoints } from "../../src/track/export.js";
import { importRun } from "../../src/track/import/import-runs.js";
import { readMlflowFiles } from "../../src/track/import/mlflow-files.js";
import { readWandbExport } from "../../src/track/import/wandb-export.js";
import { getRun, listArtifacts, listRuns, readLines } from "../../src/track/read.js";
import {
  hasRealMlflow,
  type MlflowServer,
  openRealMlflow,
  startFakeMlflow,
} from "../support/mlflow-servers.js";
import { homeEnvironment } from "../support/suite-database.js";
import { madeRun, point } from "../support/tracked-runs.js";

const root = mkdtempSync(path.join(tmpdir(), "bridle-import-"));
afterAll(() => rmSync(root, { recursive: true }));
let home: string;
let made = 0;
let database: Database;
let artifacts: BlobStore;
beforeEach(async () => {
  home = path.join(root, `home-${++made}`);
  database = await openRuns(undefined, await homeEnvironment(home));
  artifacts = await openArtifacts(undefined, { BRIDLE_HOME: home });
  return async () => {
    expect(await findTrackingFaults(database, artifacts)).toEqual([]);
    await database.close();
    await artifacts.close();
  };
});

/** Imports everything twice: the second time changes nothing. */
async function importAll(runs: readonly ForeignRun[]) {
  for (const foreign of [...runs, ...runs]) await importRun(database, artifacts, foreign);
  const { runs: all } = await listRuns(database, { sort: "name" });
  expect(all).toHaveLength(runs.length);
  return all;
}

async function pointsOf(id: string) {
  const points: Record<string, (readonly [number, number | null])[]> = {};
  for await (const some of readPoints(database, id)) {
    for (const { key, step, value } of some) {
      points[key] = [...(points[key] ?? []), [step, value] as const];
    }
  }
  return points;
}

function write(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return folder;
}

const mlruns = () =>
  write(path.join(root, `mlruns-${made}`), {
    "0/meta.yaml": "experiment_id: '0'\nname: Default\nlifecycle_stage: active\n",
    "7/meta.yaml": "experiment_id: '7'\nname: news\nlifecycle_stage: active\n",
    "7/r1/meta.yaml":
      "run_id: r1\nrun_name: brave-owl-1\nstatus: 3\nstart_time: 1700000000000\nend_time: 1700000009000\nlifecycle_stage: active\n",
    "7/r1/params/optimizer/lr": "0.001",
    "7/r1/params/note": "two\nlines",
    "7/r1/tags/mlflow.source.git.commit": "c0ffee",
    "7/r1/tags/team": "é",
    "7/r1/metrics/loss": "1700000001000 2.5 10\n1700000002000 nan 20\n1700000003000 1.5 30\n",
    "7/r1/metrics/val/acc": "1700000001000 0.5 0\n1700000002000 0.75 0\n1700000003000 inf 0\n",
    "7/r1/artifacts/model/card.md": "# It\n",
    "7/r2/meta.yaml":
      "run_id: r2\nrun_name: killed\nstatus: 1\nstart_time: 1700000000000\nend_time: null\nlifecycle_stage: active\n",
    "7/gone/meta.yaml": "run_id: gone\nstatus: 3\nlifecycle_stage: deleted\n",
    ".trash/9/meta.yaml": "name: old\n",
    "models/x/meta.yaml": "name: x\n",
  });

describe("MLflow's folder", () => {
  it("comes with parameters, histories, tags and files", async () => {
    const [owl, killed] = await importAll(await readMlflowFiles(mlruns()));
    expect(owl).toMatchObject({
      ...{ name: "brave-owl-1", experiment: "news", status: "finished", source: "mlflow" },
      ...{ startedAt: 1_700_000_000_000, endedAt: 1_700_000_009_000, commit: "c0ffee" },
      params: { "optimizer/lr": "0.001", note: "two\nlines" },
      tags: { team: "é", "mlflow.run_id": "r1" },
    });
    expect(killed).toMatchObject({ name: "killed", status: "interrupted" });
    expect(await pointsOf(owl?.id ?? "")).toEqual({
      loss: [
        [10, 2.5],
        [20, null],
        [30, 1.5],
      ],
      // All were told without a step.
      "val/acc": [
        [0, 0.5],
        [1, 0.75],
        [2, Number.POSITIVE_INFINITY],
      ],
    });
    expect(await listArtifacts(database, owl?.id ?? "")).toMatchObject([
      { name: "model/card.md", sizeBytes: 5 },
    ]);
  });

  it("comes by one experiment, and says where it is none or spoilt", async () => {
    const folder = mlruns();
    await expect(readMlflowFiles(folder, "Default")).rejects.toMatchObject({
      code: "IMPORT_EMPTY",
    });
    expect(await readMlflowFiles(folder, "news")).toHaveLength(2);
    await expect(readMlflowFiles(path.join(root, "nowhere"))).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
    });
    write(folder, { "7/r1/metrics/loss": "1 2 3\nsoon much later\n" });
    const [spoilt] = await readMlflowFiles(folder);
    await expect(importRun(database, artifacts, spoilt as ForeignRun)).rejects.toThrow(
      /metrics.loss.*line 2 is not TIME VALUE STEP/,
    );
    for (const line of ["1 2 1e300", "1e300 2 3", "nan 2 3", "1 abc 2", "1700000002000"]) {
      write(folder, { "7/r1/metrics/loss": `${line}\n` });
      const [odd] = await readMlflowFiles(folder);
      await expect(importRun(database, artifacts, odd as ForeignRun)).rejects.toMatchObject({
        ...{
          code: "FILE_INVALID",
          message: expect.stringMatching(/line 1 is not TIME VALUE STEP/),
        },
      });
    }
    write(folder, { "7/r1/metrics/loss": "1.5 2 3.5\n" });
    const [fraction] = await readMlflowFiles(folder);
    expect(await importRun(database, artifacts, fraction as ForeignRun)).toMatchObject({
      points: 4,
    });
    write(folder, { "7/r1/meta.yaml": "run_id: r1\nstatus: 3\nstart_time: soon\n" });
    const [broken] = await readMlflowFiles(folder);
    await expect(importRun(database, artifacts, broken as ForeignRun)).rejects.toMatchObject({
      ...{ code: "FILE_INVALID", message: expect.stringMatching(/"soon" is no time/) },
    });
    // What came before it is there, as a run that broke off.
    await database.query("UPDATE track_run SET alive_at = 0");
  });
});

describe("what W&B exports", () => {
  it("comes out of a folder a run, in the forms that its own folders and its program have", async () => {
    const folder = write(path.join(root, "wandb"), {
      "run-20240131_101112-abcd1234/files/config.yaml":
        "wandb_version: 1\n_wandb:\n  value: {}\nlr:\n  desc: null\n  value: 0.01\nmodel:\n  value:\n    layers: 2\n",
      "run-20240131_101112-abcd1234/files/wandb-summary.json":
        '{"_step": 2, "loss": 1.5, "verdict": "good"}',
      "run-20240131_101112-abcd1234/files/wandb-metadata.json":
        '{"startedAt": "2024-01-31T10:11:12.000000", "host": "far", "git": {"commit": "c0ffee"}, "program": "train.py"}',
      "run-20240131_101112-abcd1234/files/output.log": "one\ntwo\n",
      "run-20240131_101112-abcd1234/files/requirements.txt": "numpy\n",
      "run-20240131_101112-abcd1234/files/wandb-history.jsonl":
        '{"_step": 0, "_timestamp": 1706695872.5, "loss": 3, "epoch": 0.5}\n{"_step": 2, "_timestamp": 1706695873, "loss": "NaN", "lm": {"ppl": 7}, "table": {"_type": "table-file"}}\n',
      "second/history.csv": "Step,loss,text,acc\n0,2.5,a,\n5,1.5,b,0.5\n",
      "second/config.json": '{"lr": 0.02}',
      "second/summary.json": '{"_wandb_exit_code": 1}',
    });
    const [first, second] = await importAll(await readWandbExport(folder, "news"));
    expect(first).toMatchObject({
      ...{ name: "run-20240131_101112-abcd1234", experiment: "news", source: "wandb" },
      ...{ host: "far", commit: "c0ffee", status: "finished" },
      params: { lr: "0.01", "model.layers": "2" },
      tags: { "wandb.run_id": "abcd1234", "summary.verdict": "good" },
    });
    expect(await pointsOf(first?.id ?? "")).toEqual({
      epoch: [[0, 0.5]],
      "lm.ppl": [[2, 7]],
      loss: [
        [0, 3],
        [2, null],
      ],
    });
    expect((await readLines(database, first?.id ?? "")).map(({ text }) => text)).toEqual([
      "one",
      "two",
    ]);
    expect((await listArtifacts(database, first?.id ?? "")).map(({ name }) => name)).toContain(
      "requirements.txt",
    );
    expect(second).toMatchObject({ name: "second", status: "failed", params: { lr: "0.02" } });
    expect(await pointsOf(second?.id ?? "")).toEqual({
      acc: [[5, 0.5]],
      loss: [
        [0, 2.5],
        [5, 1.5],
      ],
    });
    expect(await readWandbExport(path.join(folder, "second"), "news")).toHaveLength(1);
  });

  it("takes folders of the same name in two projects for two runs, and one that grew for itself", async () => {
    const projects = ["one", "two"].map((name, i) =>
      write(path.join(root, `wandb-${name}`, "exported"), {
        "base/history.csv": `_step,loss\n0,${i + 1}\n`,
        "base/output.log": `of ${name}\n`,
      }),
    );
    const read = async () =>
      (await Promise.all(projects.map((each) => readWandbExport(each)))).flat();
    const runs = await importAll(await read());
    expect(runs.map(({ name, experiment }) => [name, experiment])).toEqual(
      Array(2).fill(["base", "exported"]),
    );
    const linesOf = async (id = "") => (await readLines(database, id)).map(({ text }) => text);
    expect(await Promise.all(runs.map(({ id }) => linesOf(id))).then((all) => all.sort())).toEqual([
      ["of one"],
      ["of two"],
    ]);
    write(projects[0] as string, {
      "base/history.csv": "_step,loss,acc\n0,1,\n1,0.5,0.7\n",
      "base/output.log": "again of one\nand more\n",
    });
    const grown = await importAll(await read());
    expect(grown.map(({ id }) => id).sort()).toEqual(runs.map(({ id }) => id).sort());
    const curves = await Promise.all(grown.map(({ id }) => pointsOf(id)));
    expect(curves).toContainEqual({
      acc: [[1, 0.7]],
      loss: [
        [0, 1],
        [1, 0.5],
      ],
    });
    const told = await Promise.all(grown.map(({ id }) => linesOf(id)));
    expect(told).toContainEqual(["again of one", "and more"]);
  });

  it("takes an empty cell of CSV for nothing, and an index that was written along for no metric", async () => {
    const folder = write(path.join(root, "wandb-pandas"), {
      "a/history.csv":
        ",_step,_timestamp,train/loss,epoch,eval/loss\n0,0,1700000000,3,0.5,\n1,1,,,,1.9\n",
    });
    const [run] = await importAll(await readWandbExport(folder));
    expect(await pointsOf(run?.id ?? "")).toEqual({
      epoch: [[0, 0.5]],
      "eval/loss": [[1, 1.9]],
      "train/loss": [[0, 3]],
    });
  });

  it("says what was looked for where there is none, and which row has no step", async () => {
    const folder = write(path.join(root, "wandb-empty"), { "a/config.json": "{}" });
    await expect(readWandbExport(folder)).rejects.toMatchObject({
      code: "IMPORT_EMPTY",
      hint: expect.stringMatching(/Looked for: history\.csv/),
    });
    write(folder, { "a/history.csv": "_step,loss\n0,1\nsoon,2\n" });
    const [run] = await readWandbExport(folder);
    await expect(importRun(database, artifacts, run as ForeignRun)).rejects.toThrow(
      /row 2 has _step "soon"/,
    );
    write(folder, { "a/history.csv": "_step,loss\n0,1\n,2\n" });
    const [stepless] = await readWandbExport(folder);
    await expect(importRun(database, artifacts, stepless as ForeignRun)).rejects.toThrow(
      /row 2 has _step ""/,
    );
    await database.query("UPDATE track_run SET alive_at = 0");
  });
});

const servers: [string, boolean, () => Promise<MlflowServer>][] = [
  ["a server of our own", true, startFakeMlflow],
  ["the real mlflow server", hasRealMlflow, openRealMlflow],
];

describe.each(servers)("runs of %s", (_, isThere, start) => {
  let server: MlflowServer;
  beforeAll(async () => {
    if (isThere) server = await start();
  }, 120_000);
  afterAll(async () => await server?.close());

  it.skipIf(!isThere)(
    "come as they were told to it",
    async () => {
      const run = madeRun("aaaa2222", {
        experiment: "imported",
        startedAt: 1_700_000_000_000,
        commit: "c0ffee",
      });
      const at = run.startedAt;
      const config = await putArtifact(artifacts, "code/config.json", "{}\n", "application/json");
      await createMlflowSink({ url: server.url, env: {}, artifacts }).send(run, [
        { type: "params", values: { "train.seed": "7" } },
        { type: "tags", values: { team: "é" } },
        {
          type: "points",
          points: [
            ...Array.from({ length: 1500 }, (__, i) => point("loss", i, 1 / (i + 1), at + i)),
            point("odd", 1, Number.NaN, at),
            point("odd", 2, Number.NEGATIVE_INFINITY, at),
          ],
        },
        { type: "artifact", artifact: config },
        { type: "end", status: "failed", at: at + 5000, error: "x" },
      ]);
      const [found] = await importAll(await listForeignRuns(server.url, "imported", {}));
      expect(found).toMatchObject({
        ...{ name: run.name, experiment: "imported", status: "failed", commit: "c0ffee" },
        ...{
          startedAt: at,
          endedAt: at + 5000,
          params: { "train.seed": "7" },
          tags: { team: "é" },
        },
      });
      const points = await pointsOf(found?.id ?? "");
      expect(points.loss).toHaveLength(1500);
      expect(points.loss?.[1499]).toEqual([1499, 1 / 1500]);
      expect(points.odd?.map(([step]) => step)).toEqual([1, 2]);
      expect(await listArtifacts(database, found?.id ?? "")).toMatchObject([
        { name: "code/config.json", sha256: config.sha256 },
      ]);
      expect((await getRun(database, "aaaa2222").catch((thrown) => thrown)).code).toBe(
        "RUN_NOT_FOUND",
      );
      await expect(listForeignRuns(server.url, "nothing", {})).rejects.toMatchObject({
        code: "IMPORT_EMPTY",
      });
    },
    60_000,
  );
});
