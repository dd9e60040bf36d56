// Columns of runs: what there is, what is shown at first, how values read.
import { describe, expect, it } from "vitest";
import type { Run } from "../api/runs.js";
import {
  columnOf,
  columnsOf,
  differingKeys,
  lengthOf,
  shortCommit,
  usualColumns,
} from "./columns.js";

const run = (more: Partial<Run> = {}): Run => ({
  id: "k3vd8wpq",
  experiment: "news",
  name: "base",
  status: "finished",
  source: "train",
  startedAt: 1000,
  endedAt: 61_000,
  aliveAt: 60_000,
  takenUpAt: 0,
  host: "h",
  pid: 1,
  output: "/runs/base",
  configSha256: "",
  commit: "",
  parent: "",
  error: "",
  changedAt: 61_000,
  params: {},
  tags: {},
  metrics: {},
  ...more,
});
const summary = { last: 1.5, lastStep: 9, min: 0.25, max: 4, count: 10 };

describe("columnOf", () => {
  const one = run({
    params: { "train.seed": "7", "train.learningRate": "0.00030000000000000003" },
    metrics: { "eval/loss": summary, broken: { ...summary, last: null } },
    tags: { host: "a" },
  });

  it.each([
    ["metrics.eval/loss", "1.5"],
    ["min.eval/loss", "0.25"],
    ["max.eval/loss", "4"],
    ["metrics.broken", ""],
    ["metrics.absent", ""],
    ["params.train.seed", "7"],
    ["params.train.learningRate", "0.0003"],
    ["tags.host", "a"],
    ["duration", "1 min 00 s"],
    ["experiment", "news"],
  ])("%s reads %j", (field, text) => expect(columnOf(field)?.text(one, 99_000)).toBe(text));

  it.each(["nothing", "params.", "other.key", ""])("%j is none", (field) =>
    expect(columnOf(field)).toBeUndefined(),
  );
});

it("counts a run that goes on up to now, and one that was cut off up to its last word", () => {
  expect(lengthOf(run({ status: "running", endedAt: null }), 100_000)).toBe(99_000);
  expect(lengthOf(run({ status: "interrupted", endedAt: null }), 100_000)).toBe(59_000);
});

it("shortens commits and keeps the sign of changed files", () => {
  expect(shortCommit("0123456789abcdef+")).toBe("0123456+");
  expect(shortCommit("")).toBe("");
});

describe("what is shown at first", () => {
  const runs = [
    run({
      params: { "train.seed": "1", "train.steps": "9", "train.output": "a" },
      metrics: { "system/rss": summary, "train/loss": summary, "eval/loss": summary, a: summary },
    }),
    run({ params: { "train.seed": "2", "train.steps": "9", "train.output": "b" } }),
  ];

  it("is what tells most, and what differs", () => {
    expect(usualColumns(runs)).toEqual([
      "status",
      "started",
      "duration",
      "metrics.eval/loss",
      "metrics.train/loss",
      "metrics.a",
      "params.train.seed",
    ]);
    expect(usualColumns([...runs, run({ experiment: "other" })])).toContain("experiment");
    expect(usualColumns([])).toEqual(["status", "started", "duration"]);
  });

  it("comes out of all there is, the machine's own readings last", () => {
    const fields = columnsOf(runs).map(({ field }) => field);
    expect(fields.indexOf("metrics.train/loss")).toBeLessThan(fields.indexOf("metrics.system/rss"));
    expect(fields).toContain("max.system/rss");
    expect(new Set(fields).size).toBe(fields.length);
  });

  it("takes a missing value for another one", () => {
    expect(differingKeys([{ a: "1", b: "2" }, { a: "1" }])).toEqual(["b"]);
  });
});
