// Tracking on both databases: what runs tell is kept once, found again, and charted without losing a spike.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { openBlobStore } from "../../src/compose.js";
import { BridleError } from "../../src/errors/error.js";
import type { BlobStore } from "../../src/ports/blob-store.js";
import type { Database } from "../../src/ports/database.js";
import type { RunEvent } from "../../src/ports/event-sink.js";
import { processMark } from "../../src/runtime/living-process.js";
import { putArtifact } from "../../src/track/artifacts.js";
import { chartSql, planChart, readCharts } from "../../src/track/charts.js";
import { findTrackingFaults } from "../../src/track/check.js";
import { readPoints } from "../../src/track/export.js";
import { followRuns } from "../../src/track/follow.js";
import { markIfPossible, markInterrupted } from "../../src/track/interrupted.js";
import { trackMigrations } from "../../src/track/migrations.js";
import {
  differingParams,
  getRun,
  getRuns,
  lastLineOf,
  listArtifacts,
  listChanges,
  listExperiments,
  listRunIds,
  listRuns,
  type RunQuery,
  readLines,
} from "../../src/track/read.js";
import { writeEvents } from "../../src/track/write.js";
import { describeEachDatabase } from "../support/databases.js";
import { madeRun, point } from "../support/tracked-runs.js";

const tell = (database: Database, id: string, ...events: RunEvent[]) =>
  writeEvents(database, madeRun(id), events);

describeEachDatabase("tracking", (place) => {
  const open = () => place.open([trackMigrations]);

  it("keeps everything a run tells, and the same told twice leaves what it leaves once", async () => {
    const database = await open();
    const run = madeRun("aaaa2222", { experiment: "news", commit: "c0ffee+" });
    const artifact = {
      name: "a.json",
      sha256: "0".repeat(64),
      sizeBytes: 3,
      mediaType: "x/y",
      blob: "k",
      uri: "",
      at: 5,
    };
    const events: RunEvent[] = [
      { type: "start", run, fromStep: 0 },
      { type: "params", values: { "train.seed": "7", name: "x" } },
      { type: "tags", values: { team: "é" } },
      {
        type: "points",
        points: [
          point("loss", 1, 4),
          point("loss", 2, 2),
          point("loss", 1, 3),
          point("acc", 2, Number.NaN),
          point("acc", 3, Number.NEGATIVE_INFINITY),
        ],
      },
      { type: "lines", lines: [{ number: 0, at: 1, level: "info", text: "hello" }] },
      { type: "artifact", artifact },
      { type: "end", status: "finished", at: 2_000_000, error: "" },
    ];
    await writeEvents(database, run, events);
    const once = await getRun(database, run.id);
    await writeEvents(database, run, events);
    const twice = await getRun(database, run.id);
    expect({ ...twice, changedAt: 0 }).toEqual({ ...once, changedAt: 0 });
    expect(twice).toMatchObject({
      experiment: "news",
      status: "finished",
      endedAt: 2_000_000,
      aliveAt: 2_000_000,
      commit: "c0ffee+",
      params: { "train.seed": "7", name: "x" },
      tags: { team: "é" },
      metrics: {
        loss: { last: 2, lastStep: 2, min: 2, max: 3, count: 2 },
        acc: { last: null, lastStep: 3, min: null, max: null, count: 2 },
      },
    });
    expect(await readLines(database, run.id)).toEqual([
      { number: 0, at: 1, level: "info", text: "hello" },
    ]);
    expect(await lastLineOf(database, run.id)).toBe(0);
    expect(await listArtifacts(database, run.id)).toEqual([artifact]);
    expect(await findTrackingFaults(database)).toEqual([]);
    const [loss, acc] = await readCharts(database, {
      runIds: [run.id],
      keys: ["loss", "acc"],
    }).then((charts) => charts.toSorted((a, b) => (a.key < b.key ? 1 : -1)));
    expect(loss).toMatchObject({
      isExact: true,
      points: [
        { step: 1, mean: 3 },
        { step: 2, mean: 2, epoch: 0.2 },
      ],
    });
    expect(acc?.points).toMatchObject([
      { mean: null, notFinite: 1 },
      { mean: null, notFinite: 1 },
    ]);
  });

  it("takes back what was told of steps that are done again, but not the machine's readings", async () => {
    const database = await open();
    const points = Array.from({ length: 200 }, (_, i) => point("loss", i + 1, i));
    await tell(
      database,
      "aaaa2222",
      { type: "points", points },
      { type: "points", points: [point("system/cpu", 500, 1)] },
    );
    await tell(database, "aaaa2222", { type: "start", run: madeRun("aaaa2222"), fromStep: 100 });
    expect((await getRun(database, "aaaa2222")).metrics).toMatchObject({
      loss: { count: 100, lastStep: 100, last: 99, min: 0, max: 99 },
      "system/cpu": { count: 1, lastStep: 500 },
    });
    expect(await findTrackingFaults(database)).toEqual([]);
    await tell(database, "aaaa2222", { type: "points", points: [point("loss", 101, -5)] });
    expect((await getRun(database, "aaaa2222")).metrics.loss).toMatchObject({
      count: 101,
      last: -5,
      min: -5,
    });
    expect(await findTrackingFaults(database)).toEqual([]);
  });

  it("charts a long run in few points that keep its spikes, the same as from the points themselves", async () => {
    const database = await open();
    const count = 30_000;
    const value = (step: number) =>
      step === 17_777 ? 1e6 : step === 12_345 ? -1e6 : Math.sin(step / 900);
    for (let first = 0; first < count; first += 5000) {
      const points = Array.from({ length: 5000 }, (_, i) =>
        point("loss", first + i, value(first + i)),
      );
      await tell(database, "aaaa2222", { type: "points", points });
    }
    await tell(database, "aaaa2222", {
      type: "points",
      points: [point("loss", 20_000, Number.NaN)],
    });
    const range = { runIds: ["aaaa2222"], keys: ["loss"], points: 100 };
    for (const [fromStep, toStep] of [
      [0, count - 1],
      [10_000, 19_999],
      [17_000, 18_023],
      [17_770, 17_780],
    ] as const) {
      const [chart] = await readCharts(database, { ...range, fromStep, toStep });
      const { points } = chart!;
      expect(points.length).toBeLessThanOrEqual(102);
      // Bins reach past the ends of a range by less than one of them.
      const all = { first: points[0]!.step, last: points.at(-1)!.lastStep };
      expect(all.first).toBeLessThanOrEqual(fromStep);
      expect(all.last).toBeGreaterThanOrEqual(toStep);
      let next = all.first;
      for (const each of points) {
        expect(each.step).toBe(next);
        next = each.lastStep + 1;
        const own = Array.from({ length: next - each.step }, (_, i) => each.step + i)
          .map((step) => (step === 20_000 ? Number.NaN : value(step)))
          .filter(Number.isFinite);
        expect(each.count).toBe(next - each.step);
        expect(each.notFinite).toBe(each.count - own.length);
        expect(each.min).toBe(Math.min(...own));
        expect(each.max).toBe(Math.max(...own));
        expect(each.mean).toBeCloseTo(own.reduce((sum, one) => sum + one, 0) / own.length, 3);
      }
      if (fromStep <= 17_777 && toStep >= 17_777) {
        expect(Math.max(...points.map(({ max }) => max ?? 0))).toBe(1e6);
      }
    }
    expect(await findTrackingFaults(database)).toEqual([]);
  });

  it("charts values whose sum is no number any more, and finds no fault with them", async () => {
    const database = await open();
    const series: Readonly<Record<string, (step: number) => number>> = {
      huge: () => 1.5e308,
      mixed: (step) => (step % 2 === 0 ? 1e308 : -1e308),
      // Squares of these are no numbers, and their sum is one.
      wide: (step) => (step % 2 === 0 ? 3 * 2 ** 660 : -(2 ** 660)),
      tiny: () => 5e-324,
    };
    for (let first = 0; first < 600; first += 200) {
      const points = Object.entries(series).flatMap(([key, value]) =>
        Array.from({ length: 200 }, (_, i) => point(key, first + i, value(first + i))),
      );
      await tell(database, "aaaa2222", { type: "points", points });
    }
    for (const most of [20, 4]) {
      const charts = await readCharts(database, { runIds: ["aaaa2222"], points: most });
      const told = Object.fromEntries(
        charts.map(({ key, points }) => [key, new Set(points.map(({ mean }) => mean))]),
      );
      expect(charts[0]?.points.length).toBeLessThanOrEqual(most + 2);
      expect(told).toEqual({
        huge: new Set([1.5e308]),
        mixed: new Set([0]),
        wide: new Set([2 ** 660]),
        tiny: new Set([5e-324]),
      });
    }
    expect((await getRun(database, "aaaa2222")).metrics.huge).toMatchObject({ max: 1.5e308 });
    expect(await findTrackingFaults(database)).toEqual([]);
  });

  it("reads few rows for a chart of however many points, by way of the key they lie in", async () => {
    for (const steps of [1e3, 1e5, 1e7, 1e9]) {
      for (const points of [10, 500, 10_000]) {
        const { level, group, values } = planChart(steps, 0, steps - 1, points);
        const rows = values[1] - values[0] + 1;
        // A chart of levels × 64 rows at the most for each of its points.
        if (level < 4) expect(rows).toBeLessThanOrEqual(Math.max(64 * points, points));
        expect(Math.ceil(rows / group)).toBeLessThanOrEqual(
          Math.max(points, steps > points ? 0 : rows),
        );
      }
    }
    const database = await open();
    const points = Array.from({ length: 5000 }, (_, i) => point("loss", i, i));
    await tell(database, "aaaa2222", { type: "points", points });
    for (const plan of [
      planChart(100, 0, 99, 500),
      planChart(5000, 0, 4999, 500),
      planChart(5000, 0, 4999, 50),
    ]) {
      const sql = chartSql(plan);
      const { rows } = await database.transaction(async (client) => {
        // A table as small as this one is read whole unless that is forbidden.
        if (place.kind === "postgres") await client.query("SET LOCAL enable_seqscan = off");
        return await client.query(
          place.kind === "sqlite" ? `EXPLAIN QUERY PLAN ${sql}` : `EXPLAIN ${sql}`,
          [1, ...plan.values],
        );
      });
      const told = rows.map((row) => Object.values(row).join(" ")).join("\n");
      if (place.kind === "sqlite") {
        expect(told).toMatch(/SEARCH track_(point|bin) USING PRIMARY KEY \(series_id=\? AND /);
        expect(told).not.toMatch(/SCAN/);
      } else {
        expect(told).toMatch(/(Index|Bitmap).* track_(point|bin)_pkey/);
        expect(told).not.toMatch(/Seq Scan/);
      }
    }
  });

  it("finds runs by conditions, sorts and pages them", async () => {
    const database = await open();
    for (const [i, id] of ["aaaa2222", "bbbb2222", "cccc2222", "dddd2222"].entries()) {
      const run = madeRun(id, {
        experiment: i < 2 ? "one" : "two",
        startedAt: 1000 * i,
        name: `name%${i}`,
      });
      const events: RunEvent[] = [
        {
          type: "params",
          values: { "train.learningRate": ["1e-3", "0.01", "9e-5", "auto"][i]!, seed: String(i) },
        },
        ...(i === 3
          ? []
          : [
              {
                type: "points" as const,
                points: [point("eval/loss", 1, 5), point("eval/loss", 2, [3, 1, 2][i]!)],
              },
            ]),
        ...(i === 2
          ? [{ type: "end" as const, status: "failed" as const, at: 9000, error: "broke" }]
          : []),
      ];
      await writeEvents(database, run, events);
    }
    const ids = async (query: RunQuery) => {
      const paged = (await listRuns(database, query)).runs.map(({ id }) => id);
      expect(await listRunIds(database, query)).toEqual(paged);
      return paged.map((id) => id[0]).join("");
    };
    expect(await ids({})).toBe("dcba");
    expect(await ids({ sort: "metrics.eval/loss" })).toBe("bcad");
    expect(await ids({ sort: "-max.eval/loss", filters: ["experiment = one"] })).toBe("ba");
    expect(await ids({ sort: "params.train.learningRate" })).toBe("cabd");
    expect(await ids({ filters: ["params.train.learningRate < 0.005"] })).toBe("ca");
    expect(await ids({ filters: ["params.train.learningRate = 0.001"] })).toBe("a");
    expect(await ids({ filters: ["params.train.learningRate = auto"] })).toBe("d");
    expect(await ids({ filters: ["status!=failed", "metrics.eval/loss <= 1"] })).toBe("b");
    expect(await ids({ filters: ["name ~ %2"] })).toBe("c");
    expect(await ids({ filters: ["name ~ 'e%'"] })).toBe("dcba");
    expect(await ids({ filters: ["started >= 1970-01-01T00:00:02Z"] })).toBe("dc");
    expect(await ids({ filters: ["tags.none != x"] })).toBe("dcba");
    expect(await ids({ filters: ["tags.none ~ x"] })).toBe("");
    expect(await ids({ filters: ["params.train.learningRate ~ e-", "name ~ e"] })).toBe("ca");
    expect(await ids({ filters: ["duration >= 0.5", "metrics.eval/loss = 2"] })).toBe("c");
    const page = await listRuns(database, { sort: "started", limit: 2, offset: 1 });
    expect([page.total, page.runs.map(({ id }) => id[0])]).toEqual([4, ["b", "c"]]);
    for (const filter of [
      "nothing = 1",
      "status",
      "metrics.x < abc",
      "params = 1",
      "metrics.x = abc",
      "metrics.x ~ 5",
      "started = yesterday",
      "started ~ 2024",
      "name < 5",
      "tags.team >= 5",
      "r.id = 1",
      "x'; DROP TABLE track_run = 1",
    ]) {
      await expect(listRuns(database, { filters: [filter] })).rejects.toMatchObject({
        code: "RUN_QUERY_INVALID",
      });
    }
    await expect(listRuns(database, { sort: "size" })).rejects.toMatchObject({
      code: "RUN_QUERY_INVALID",
    });
    expect(await listExperiments(database)).toMatchObject([
      { name: "two", runs: 2, running: 1, lastStartedAt: 3000 },
      { name: "one", runs: 2, running: 2, lastStartedAt: 1000 },
    ]);
    const two = [await getRun(database, "aaaa"), await getRun(database, "name%1")];
    expect(differingParams(two)).toEqual([
      { key: "seed", values: ["0", "1"] },
      { key: "train.learningRate", values: ["1e-3", "0.01"] },
    ]);
    await expect(getRun(database, "zz")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
    await expect(getRun(database, "")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
    await writeEvents(database, madeRun("aaaa3333"), []);
    await expect(getRun(database, "aaaa")).rejects.toMatchObject({ code: "RUN_AMBIGUOUS" });
  });

  it("shows killed runs as interrupted, and running again when they tell something", async () => {
    const database = await open();
    const [mine, gone, far, silent] = [
      madeRun("aaaa2222"),
      madeRun("bbbb2222", { pid: 2 ** 30 }),
      madeRun("cccc2222", { host: "far", pid: 2 ** 30, startedAt: 5_000_000 }),
      madeRun("dddd2222", { host: "far" }),
    ];
    for (const run of [mine, gone, far, silent]) await writeEvents(database, run, []);
    expect((await markInterrupted(database, "here", 5_000_000)).toSorted()).toEqual([
      gone.id,
      silent.id,
    ]);
    expect(await markInterrupted(database, "here", 5_000_000)).toEqual([]);
    expect(await getRun(database, gone.id)).toMatchObject({
      status: "interrupted",
      endedAt: gone.startedAt,
    });
    await writeEvents(database, silent, [{ type: "alive", at: 6_000_000 }]);
    expect(await getRun(database, silent.id)).toMatchObject({
      status: "running",
      aliveAt: 6_000_000,
      endedAt: null,
    });
    // What was late on its way does not bring a run back.
    await writeEvents(database, gone, [{ type: "points", points: [point("loss", 1, 1)] }]);
    expect(await getRun(database, gone.id)).toMatchObject({ status: "interrupted" });
    expect(await findTrackingFaults(database)).toEqual([]);
    const running = [mine.id, far.id, silent.id].toSorted();
    const changed = await listChanges(database, 5_999_999);
    expect(changed.map(({ id }) => id).toSorted()).toEqual([...running, gone.id].toSorted());
    // Later on those that run are looked at, and those that are asked for.
    const later = await listChanges(database, Date.now() + 1000, [gone.id, "nobody22"]);
    expect(later.find(({ id }) => id === gone.id)).toMatchObject({ isRecent: false });
    expect(later.map(({ id }) => id).toSorted()).toEqual([...running, gone.id].toSorted());
    const found = await getRuns(database, [gone.id, "nobody22", mine.id]);
    expect(found.map(({ id }) => id)).toEqual([gone.id, mine.id]);
    // Whoever looks on hears of each change once, and of the end of a run whose clock is far behind.
    const look = followRuns(database);
    expect((await look()).map(({ id }) => id)).toEqual(expect.arrayContaining(running));
    expect(await look()).toEqual([]);
    await writeEvents(database, far, [{ type: "end", status: "failed", at: 7, error: "x" }]);
    await database.query("UPDATE track_run SET changed_at = 8 WHERE id = $1", [far.id]);
    expect(await look()).toMatchObject([{ id: far.id, status: "failed" }]);
    expect(await look()).toEqual([]);
  });

  it("finds what cannot be", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "bridle-artifacts-"));
    const blobs = (await openBlobStore({ url: folder, options: {}, env: {} })) as BlobStore;
    const database = await open();
    const points = Array.from({ length: 100 }, (_, i) => point("loss", i, i));
    const artifact = await putArtifact(blobs, "a.txt", "text", "text/plain");
    expect(await putArtifact(blobs, "b.txt", "text", "text/plain")).toMatchObject({
      blob: artifact.blob,
    });
    await tell(database, "aaaa2222", { type: "points", points }, { type: "artifact", artifact });
    expect(await findTrackingFaults(database, blobs)).toEqual([]);
    await database.query("DELETE FROM track_point WHERE step = 7");
    await database.query("UPDATE track_run SET status = 'failed'");
    await database.query("INSERT INTO track_point (series_id, step, at) VALUES (999, 1, 1)");
    await blobs.delete(artifact.blob);
    const faults = (await findTrackingFaults(database, blobs)).join("\n");
    expect(faults).toMatch(/1 points of no series/);
    expect(faults).toMatch(/1 runs that ended without a time/);
    expect(faults).toMatch(/loss of run aaaa2222: it has 99 points, and its row says 100/);
    expect(faults).toMatch(/loss of run aaaa2222: 1 bins of level 1 are not the sum/);
    expect(faults).toMatch(/a\.txt of run aaaa2222 is not in/);
    rmSync(folder, { recursive: true });
  });

  it.each([
    ["UPDATE track_point SET value = 0.5 WHERE step = 40", /1 bins of level 1 are not the sum/],
    ["UPDATE track_point SET value = 5000 WHERE step = 40", /1 bins of level 1 are not the sum/],
    ["UPDATE track_bin SET count = 5 WHERE level = 3", /1 bins of level 3 are not the sum/],
    ["DELETE FROM track_bin WHERE level = 2", /1 bins of level 2 are not the sum/],
    ["DELETE FROM track_bin", /2 bins of level 1 are not the sum/],
    [
      "DELETE FROM track_point",
      /it has 0 points, and its row says 100[\s\S]*2 bins of level 1 have no points/,
    ],
    ["UPDATE track_series SET last_value = 5", /its last, least or greatest value/],
    ["UPDATE track_series SET min_value = -1", /its last, least or greatest value/],
    ["UPDATE track_run SET ended_at = 5", /1 runs that go on and have ended/],
  ])("finds what %s does", async (change, found) => {
    const database = await open();
    const points = Array.from({ length: 100 }, (_, i) => point("loss", i, Math.sin(i)));
    points.push(point("odd", 1, Number.NaN), point("odd", 2, Number.POSITIVE_INFINITY));
    await tell(database, "aaaa2222", { type: "points", points });
    expect(await findTrackingFaults(database)).toEqual([]);
    await database.query(change);
    expect((await findTrackingFaults(database)).join("\n")).toMatch(found);
  });

  it("fills in what an earlier process told late, and changes nothing that is newer", async () => {
    const database = await open();
    const first = madeRun("aaaa2222", { startedAt: 1000, takenUpAt: 1000, pid: 2 ** 30 });
    const second = { ...first, takenUpAt: 9000, pid: process.pid, commit: "new" };
    const loss = (step: number, value: number) => point("loss", step, value);
    // Of the first, steps 3 and 4 came; it was killed, and the second went on from step 5.
    await writeEvents(database, first, [
      { type: "start", run: first, fromStep: Number.MAX_SAFE_INTEGER },
      { type: "start", run: first, fromStep: 0 },
      { type: "points", points: [loss(3, 3), loss(4, 4), loss(6, 6)] },
    ]);
    await writeEvents(database, second, [
      { type: "start", run: second, fromStep: 5 },
      { type: "params", values: { device: "cuda" } },
      { type: "tags", values: { "checkpoint.step": "8" } },
      { type: "points", points: [loss(6, 60), loss(7, 70), point("system/cpu", 20, 1)] },
      { type: "lines", lines: [{ number: 1, at: 9500, level: "info", text: "second" }] },
      { type: "end", status: "finished", at: 10_000, error: "" },
    ]);
    const before = await getRun(database, first.id);
    const artifact = {
      ...{ name: "late.txt", sha256: "0", sizeBytes: 1, mediaType: "x/y", blob: "", uri: "/late" },
      at: 1500,
    };
    const late: RunEvent[] = [
      { type: "start", run: first, fromStep: Number.MAX_SAFE_INTEGER },
      { type: "params", values: { device: "cpu", seed: "1" } },
      { type: "start", run: first, fromStep: 0 },
      { type: "tags", values: { "checkpoint.step": "5" } },
      { type: "points", points: [1, 2, 3, 4, 5, 6, 7, 8].map((step) => loss(step, -step)) },
      { type: "points", points: [point("system/cpu", 10, 2)] },
      {
        type: "lines",
        lines: [0, 1].map((number) => ({ number, at: 1, level: "info", text: "first" })),
      },
      { type: "artifact", artifact },
      { type: "alive", at: 20_000 },
      { type: "end", status: "interrupted", at: 20_001, error: "killed" },
    ];
    for (let times = 0; times < 2; times++) {
      await writeEvents(database, first, late);
      expect(await getRun(database, first.id)).toMatchObject({
        ...{ status: "finished", endedAt: 10_000, error: "", commit: "new", pid: process.pid },
        params: { device: "cuda", seed: "1" },
        tags: { "checkpoint.step": "8" },
      });
      const { runs } = await listRuns(database);
      expect(runs).toHaveLength(1);
      const points = [];
      for await (const some of readPoints(database, first.id)) points.push(...some);
      expect(points.map(({ key, step, value }) => [key, step, value])).toEqual(
        expect.arrayContaining([
          ...[1, 2].map((step) => ["loss", step, -step]),
          ...[3, 4].map((step) => ["loss", step, step]),
          ["loss", 5, -5],
          ...[6, 7].map((step) => ["loss", step, 10 * step]),
          ...[10, 20].map((step) => ["system/cpu", step, step === 10 ? 2 : 1]),
        ]),
      );
      expect(points).toHaveLength(9);
      expect((await readLines(database, first.id)).map(({ text }) => text)).toEqual([
        ...["first", "second"],
      ]);
      expect(await listArtifacts(database, first.id)).toEqual([artifact]);
      expect(await findTrackingFaults(database)).toEqual([]);
    }
    expect(before).toMatchObject({ takenUpAt: 9000 });
  });

  it("shows a run as interrupted whose process id another one has now", async () => {
    const database = await open();
    const mark = processMark();
    await writeEvents(database, madeRun("aaaa2222", { process: mark }), []);
    await writeEvents(database, madeRun("bbbb2222", { process: "00000000123" }), []);
    expect(await markInterrupted(database, "here")).toEqual(mark === "" ? [] : ["bbbb2222"]);
  });

  it("is looked at where nothing can be written", async () => {
    const database = await open();
    const gone = madeRun("aaaa2222", { pid: 2 ** 30 });
    await writeEvents(database, gone, []);
    for (const code of ["DATABASE_FULL", "DATABASE_DENIED", "DATABASE_BUSY"] as const) {
      const readOnly = new Proxy(database, {
        get(target, name) {
          if (name !== "query") return Reflect.get(target, name);
          return async (sql: string) => {
            if (sql.startsWith("UPDATE"))
              throw new BridleError(code, { database: "x", reason: "y" });
            return await target.query(sql);
          };
        },
      });
      await markIfPossible(readOnly, "here");
    }
    expect(await getRun(database, gone.id)).toMatchObject({ status: "running" });
    await markIfPossible(database, "here");
    expect(await getRun(database, gone.id)).toMatchObject({ status: "interrupted" });
  });

  it("keeps metrics whose names a database cannot hold as they are", async () => {
    const database = await open();
    for (let step = 1; step <= 2; step++) {
      for (const key of ["a\0b", "c\ud800d"]) {
        await tell(database, "aaaa2222", { type: "points", points: [point(key, step, step)] });
      }
    }
    expect(Object.keys((await getRun(database, "aaaa2222")).metrics)).toEqual([
      "a\ufffdb",
      "c\ufffdd",
    ]);
    expect((await getRun(database, "aaaa2222")).metrics["a\ufffdb"]).toMatchObject({ count: 2 });
  });

  it("finds a run by its id whatever others are called", async () => {
    const database = await open();
    await writeEvents(database, madeRun("aaaa2222", { startedAt: 1 }), []);
    for (let i = 0; i < 25; i++) {
      await writeEvents(database, madeRun(`bbbb22${10 + i}`, { name: "aaaa2222" }), []);
    }
    expect(await getRun(database, "aaaa2222")).toMatchObject({ name: "run of aaaa2222" });
    // Of more than anybody reads, it says that there are more.
    await expect(getRun(database, "bbbb")).rejects.toThrow(/(bbbb22\d\d, ){20}…/);
  });
});
