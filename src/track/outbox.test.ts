// The outbox: nothing that goes wrong at a sink comes back to the run, and nothing is lost on the way.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeEach, expect, it } from "vitest";
import { madeRun, point } from "../../test/support/tracked-runs.js";
import { BridleError } from "../errors/error.js";
import type { EventSink, MetricPoint, RunEvent } from "../ports/event-sink.js";
import { deliverLeftSpools, openOutbox } from "./outbox.js";

const root = mkdtempSync(path.join(tmpdir(), "bridle-outbox-"));
afterAll(() => rmSync(root, { recursive: true }));
let folder: string;
let made = 0;
beforeEach(() => {
  folder = path.join(root, String(++made));
});

interface FakeSink extends EventSink {
  readonly got: RunEvent[];
  fault: Error | undefined;
  /** Never answers while true. */
  hangs: boolean;
}

function fakeSink(): FakeSink {
  const sink: FakeSink = {
    name: "fake",
    got: [],
    fault: undefined,
    hangs: false,
    async send(_, events) {
      if (sink.hangs) await new Promise(() => {});
      if (sink.fault) throw sink.fault;
      sink.got.push(...events);
    },
    async close() {},
  };
  return sink;
}

const run = madeRun("aaaa2222");
const steps = (sink: FakeSink) =>
  sink.got.flatMap((event) =>
    event.type === "points" ? event.points.map(({ step }) => step) : [],
  );
const push = (outbox: { push(event: RunEvent): void }, step: number, value = 1) =>
  outbox.push({ type: "points", points: [point("loss", step, value)] });

it("gathers events and sends them in order", async () => {
  const sink = fakeSink();
  const outbox = openOutbox(sink, run, { folder, onWarning: () => {}, gatherMs: 60_000 });
  for (let step = 0; step < 5; step++) push(outbox, step);
  outbox.push({ type: "tags", values: { a: "b" } });
  push(outbox, 5);
  expect(sink.got).toEqual([]);
  await outbox.flush();
  expect(sink.got.map(({ type }) => type)).toEqual(["points", "tags", "points"]);
  expect(steps(sink)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(await outbox.close(1000)).toBe(true);
  expect(readdirSync(folder)).toEqual([]);
});

/** The steps in the one spool of the folder, after the line that says whose it is. */
function spooledSteps(): number[] {
  const [name = ""] = readdirSync(folder);
  const [first = "", ...lines] = readFileSync(path.join(folder, name), "utf8").trim().split("\n");
  expect(JSON.parse(first)).toMatchObject({ id: run.id });
  return lines.flatMap((line) => JSON.parse(line).points.map(({ step }: MetricPoint) => step));
}

/** How many steps are on the disk; none while the file is being made. */
function stepsOnDisk(): number {
  try {
    return spooledSteps().length;
  } catch {
    return 0;
  }
}

it("has on the disk what was told before it is asked to keep it, however long the sink takes", async () => {
  const sink = fakeSink();
  const outbox = openOutbox(sink, run, { folder, onWarning: () => {}, gatherMs: 60_000 });
  sink.hangs = true;
  push(outbox, 1);
  push(outbox, 2);
  await outbox.keep();
  // What a kill now leaves.
  expect(spooledSteps()).toEqual([1, 2]);
  void outbox.flush();
  push(outbox, 3);
  await outbox.keep();
  expect(spooledSteps()).toEqual([1, 2, 3]);
  expect(sink.got).toEqual([]);
});

it("puts each second on the disk while a sink lets the ones before wait", async () => {
  const sink = fakeSink();
  sink.hangs = true;
  const outbox = openOutbox(sink, run, { folder, onWarning: () => {}, gatherMs: 5 });
  for (let step = 1; step < 4; step++) {
    push(outbox, step);
    while (stepsOnDisk() < step) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(spooledSteps()).toEqual([1, 2, 3]);
});

it("sends by itself once the time is up", async () => {
  const sink = fakeSink();
  const outbox = openOutbox(sink, run, { folder, onWarning: () => {}, gatherMs: 5 });
  push(outbox, 1);
  while (sink.got.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  push(outbox, 2);
  while (steps(sink).length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await outbox.close(1000)).toBe(true);
});

it("keeps what fails in a spool, says so once, and sends it in its order when the sink works again", async () => {
  const sink = fakeSink();
  const warnings: string[] = [];
  const outbox = openOutbox(sink, run, {
    folder,
    onWarning: (told) => warnings.push(told),
    gatherMs: 60_000,
    retryMs: 0,
  });
  push(outbox, 0);
  await outbox.flush();
  sink.fault = new Error("it is away.");
  for (let step = 1; step < 40; step++) {
    push(outbox, step, step === 3 ? Number.NaN : 1);
    await outbox.flush();
  }
  expect(steps(sink)).toEqual([0]);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(
    /^fake does not take .* it is away\. It is kept in .*fake-aaaa2222-\d+\.jsonl/,
  );
  sink.fault = undefined;
  push(outbox, 40);
  expect(await outbox.close(1000)).toBe(true);
  expect(steps(sink)).toEqual(Array.from({ length: 41 }, (_, i) => i));
  const third = sink.got.flatMap((event) => (event.type === "points" ? event.points : []))[3];
  expect(third?.value).toBeNaN();
  expect(warnings).toHaveLength(2);
  expect(readdirSync(folder)).toEqual([]);
});

it("leaves a spool when its process ends, which another one delivers", async () => {
  const sink = fakeSink();
  sink.fault = new Error("away");
  const outbox = openOutbox(sink, run, { folder, onWarning: () => {}, gatherMs: 60_000 });
  for (let step = 0; step < 3; step++) push(outbox, step);
  expect(await outbox.close(1000)).toBe(false);
  const [name = ""] = readdirSync(folder);
  // As if a process that is gone had left it, killed while it wrote a line.
  const left = path.join(folder, name.replace(/-\d+\.jsonl$/, "-1073741824.jsonl"));
  renameSync(path.join(folder, name), left);
  writeFileSync(left, '{"type":"points","poi', { flag: "a" });
  await deliverLeftSpools(folder, [sink], () => {});
  expect(readdirSync(folder)).toHaveLength(1);
  // It is this process's now; to be left again it must be renamed.
  const taken = path.join(folder, readdirSync(folder)[0]!);
  renameSync(taken, left);
  sink.fault = undefined;
  await deliverLeftSpools(folder, [sink], () => {});
  expect(steps(sink)).toEqual([0, 1, 2]);
  expect(readdirSync(folder)).toEqual([]);
});

it("does not wait for a sink that hangs, and keeps what was on its way", async () => {
  const sink = fakeSink();
  sink.hangs = true;
  const outbox = openOutbox(sink, run, { folder, onWarning: () => {}, gatherMs: 60_000 });
  push(outbox, 1);
  void outbox.flush();
  push(outbox, 2);
  expect(await outbox.close(20)).toBe(false);
  expect(spooledSteps()).toEqual([1, 2]);
});

it("sets aside what a sink will never take, and delivers the rest", async () => {
  const sink = fakeSink();
  const { send } = sink;
  sink.send = async (who, events) => {
    if (events.some(({ type }) => type === "tags"))
      throw new BridleError("BUG", { reason: "no tags" });
    await send(who, events);
  };
  const warnings: string[] = [];
  const outbox = openOutbox(sink, run, {
    folder,
    onWarning: (told) => warnings.push(told),
    gatherMs: 60_000,
  });
  mkdirSync(folder);
  push(outbox, 1);
  outbox.push({ type: "tags", values: {} });
  outbox.push({ type: "alive", at: 1 });
  expect(await outbox.close(1000)).toBe(true);
  expect(sink.got.map(({ type }) => type)).toEqual(["points", "alive"]);
  expect(warnings[0]).toMatch(/refused a tags/);
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/\.refused\.jsonl$/)]);
});

it("keeps events in memory where the spool cannot be written, and loses the oldest only past a bound", async () => {
  const sink = fakeSink();
  sink.fault = new Error("away");
  writeFileSync(path.join(root, "file"), "");
  const warnings: string[] = [];
  const outbox = openOutbox(sink, run, {
    folder: path.join(root, "file", "spool"),
    onWarning: (told) => warnings.push(told),
    gatherMs: 60_000,
    retryMs: 0,
  });
  for (let i = 0; i < 3; i++) {
    push(outbox, i);
    outbox.push({ type: "tags", values: { i: String(i) } });
    await outbox.flush();
  }
  sink.fault = undefined;
  expect(await outbox.close(1000)).toBe(true);
  expect(steps(sink)).toEqual([0, 1, 2]);
  expect(warnings.filter((told) => /lost/.test(told))).toEqual([]);
});
