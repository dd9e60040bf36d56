// The outbox: nothing that goes wrong at a sink comes back to the run, and nothing is lost on the way.
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { canMount, mountSmallDisk } from "../../test/support/small-disk.js";
import { madeRun, point } from "../../test/support/tracked-runs.js";
import { BridleError } from "../errors/error.js";
import type { EventSink, MetricPoint, RunEvent } from "../ports/event-sink.js";
import { deliverLeftSpools, openOutbox } from "./outbox.js";
import { listSetAside, listSpools } from "./spool.js";

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
  /** Answers nothing while true. */
  hangs: boolean;
  /** Has what was sent meanwhile answered. */
  answer: () => void;
}

function fakeSink(destination = "here"): FakeSink {
  const asked: (() => void)[] = [];
  const sink: FakeSink = {
    name: "fake",
    destination,
    got: [],
    fault: undefined,
    hangs: false,
    answer() {
      sink.hangs = false;
      for (const each of asked.splice(0)) each();
    },
    async send(_, events) {
      if (sink.hangs) await new Promise<void>((resolve) => asked.push(resolve));
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
  expect(JSON.parse(first)).toMatchObject({ sink: "fake", destination: "here", run });
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
    /^fake does not take what the run tells: it is away\. It is kept in .* and sent again\.$/,
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

/** As if the process that holds the one spool of the folder were gone. */
function orphan(): string {
  const [name = ""] = readdirSync(folder);
  const gone = name.replace(/-\d+-[0-9a-f]+-([0-9a-f]{8})\.jsonl$/, "-1073741824-0-$1.jsonl");
  expect(gone).not.toBe(name);
  renameSync(path.join(folder, name), path.join(folder, gone));
  return path.join(folder, gone);
}

it("leaves a spool when its process is killed, which another one delivers", async () => {
  const sink = fakeSink();
  const outbox = openOutbox(sink, run, { folder, onWarning: () => {}, gatherMs: 60_000 });
  for (let step = 0; step < 3; step++) push(outbox, step);
  await outbox.keep();
  // It lives: its spool is its own.
  expect(await deliverLeftSpools(folder, [sink], () => {})).toEqual([]);
  // Killed while it wrote a line.
  writeFileSync(orphan(), '{"type":"points","poi', { flag: "a" });
  sink.fault = new Error("away");
  const warnings: string[] = [];
  for (let tries = 0; tries < 2; tries++) {
    // One that failed is nobody's: each next one tries again, in this process too.
    const [failed] = await deliverLeftSpools(folder, [sink], (told) => warnings.push(told));
    expect(failed).toMatchObject({ sink: "fake", run, error: { message: expect.any(String) } });
    expect(readdirSync(folder)).toEqual([path.basename(failed?.file ?? "")]);
    expect(await listSpools(folder)).toMatchObject([{ sink: "fake", run, isHeld: false }]);
  }
  expect(warnings[1]).toMatch(/^fake does not take what run aaaa2222 told yet: .*away/);
  sink.fault = undefined;
  expect(await deliverLeftSpools(folder, [sink], () => {})).toMatchObject([{ error: undefined }]);
  expect(steps(sink)).toEqual([0, 1, 2]);
  expect(readdirSync(folder)).toEqual([]);
});

it.runIf(process.platform === "linux")(
  "takes over what an earlier process with the same id left, as the first of a container has",
  async () => {
    const sink = fakeSink();
    const outbox = openOutbox(sink, run, { folder, onWarning: () => {}, gatherMs: 60_000 });
    push(outbox, 1);
    await outbox.keep();
    const [name = ""] = readdirSync(folder);
    const earlier = name.replace(/\d+(-[0-9a-f]{8}\.jsonl)$/, "7$1");
    expect(earlier).toContain(`-${process.pid}-`);
    renameSync(path.join(folder, name), path.join(folder, earlier));
    await deliverLeftSpools(folder, [sink], () => {});
    expect(steps(sink)).toEqual([1]);
  },
);

it("leaves another machine's spool alone while that one writes, and takes it when it is silent", async () => {
  const sink = fakeSink();
  const outbox = openOutbox(sink, run, { folder, onWarning: () => {}, gatherMs: 60_000 });
  push(outbox, 1);
  await outbox.keep();
  const [name = ""] = readdirSync(folder);
  const far = path.join(
    folder,
    name.replace(/-[0-9a-f]{8}(-\d+-[0-9a-f]+-[0-9a-f]{8}\.jsonl)$/, "-0badf00d$1"),
  );
  renameSync(path.join(folder, name), far);
  expect(await deliverLeftSpools(folder, [sink], () => {})).toEqual([]);
  expect(await listSpools(folder)).toMatchObject([{ isHeld: true }]);
  const before = new Date(Date.now() - 10 * 60_000);
  utimesSync(far, before, before);
  await deliverLeftSpools(folder, [sink], () => {});
  expect(steps(sink)).toEqual([1]);
  // Whose it was begins anew, with nothing twice.
  push(outbox, 2);
  await outbox.keep();
  expect(spooledSteps()).toEqual([2]);
  expect(await outbox.close(1000)).toBe(true);
  expect(steps(sink)).toEqual([1, 2]);
  expect(readdirSync(folder)).toEqual([]);
});

it("sends what waits for one place to no other", async () => {
  const [here, there] = [fakeSink(), fakeSink("there")];
  here.fault = new Error("away");
  const outbox = openOutbox(here, run, { folder, onWarning: () => {}, gatherMs: 60_000 });
  push(outbox, 1);
  expect(await outbox.close(1000)).toBe(false);
  expect(await deliverLeftSpools(folder, [there], () => {})).toEqual([]);
  expect(there.got).toEqual([]);
  expect(await listSpools(folder)).toMatchObject([{ destination: "here", isHeld: false }]);
  here.fault = undefined;
  await deliverLeftSpools(folder, [there, here], () => {});
  expect([steps(here), steps(there)]).toEqual([[1], []]);
});

it("sets files aside that are no spools, and deletes only what has nothing in it", async () => {
  const sink = fakeSink();
  const outbox = openOutbox(sink, run, { folder, onWarning: () => {}, gatherMs: 60_000 });
  push(outbox, 1);
  await outbox.keep();
  const [name = ""] = readdirSync(folder);
  const free = (mark: string) =>
    path.join(
      folder,
      name.replace(/-[0-9a-f]{8}-\d+-[0-9a-f]+-[0-9a-f]{8}\.jsonl$/, `-free-${mark}.jsonl`),
    );
  writeFileSync(free("aaaaaaaa"), '{"sink":"fake","dest');
  writeFileSync(free("bbbbbbbb"), '{"sink":"fa{"sink":"fake"}\n{"type":"tags","values":{}}\n');
  const warnings: string[] = [];
  expect(await deliverLeftSpools(folder, [sink], (told) => warnings.push(told))).toEqual([]);
  expect(warnings).toEqual([
    expect.stringMatching(/cannot be read, and is kept in .*\.unreadable/),
  ]);
  expect(await listSetAside(folder)).toHaveLength(1);
  expect(readdirSync(folder)).toHaveLength(2);
});

it("ends in time though a sink hangs, and tells it nothing after the end but what it was being told", async () => {
  const sink = fakeSink();
  const warnings: string[] = [];
  sink.hangs = true;
  const outbox = openOutbox(sink, run, {
    folder,
    onWarning: (told) => warnings.push(told),
    gatherMs: 60_000,
  });
  push(outbox, 1);
  await outbox.keep();
  const flushed = outbox.flush();
  push(outbox, 2);
  outbox.push({ type: "end", status: "finished", at: 5, error: "" });
  expect(await outbox.close(20)).toBe(false);
  expect(warnings).toEqual([
    expect.stringMatching(/^fake does not have all that run aaaa2222 told\. .*bridle runs sync$/),
  ]);
  // What a kill now leaves is whole, and nothing is added to it.
  outbox.push({ type: "alive", at: 6 });
  const [name = ""] = readdirSync(folder);
  const left = readFileSync(path.join(folder, name), "utf8");
  expect(
    left
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => JSON.parse(line).type),
  ).toEqual([...["points", "points", "end"]]);
  sink.answer();
  await flushed;
  while (readdirSync(folder).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(sink.got.map(({ type }) => type)).toEqual(["points", "points", "end"]);
  expect(warnings).toHaveLength(1);
});

it("gives up what a sink fails to answer after the end, so that others can send it at once", async () => {
  const sink = fakeSink();
  sink.hangs = true;
  const outbox = openOutbox(sink, run, { folder, onWarning: () => {}, gatherMs: 60_000 });
  push(outbox, 1);
  expect(await outbox.close(20)).toBe(false);
  expect(await listSpools(folder)).toMatchObject([{ isHeld: true }]);
  sink.fault = new Error("away");
  sink.answer();
  while ((await listSpools(folder))[0]?.isHeld !== false) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  sink.fault = undefined;
  await deliverLeftSpools(folder, [sink], () => {});
  expect(steps(sink)).toEqual([1]);
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
  push(outbox, 1);
  outbox.push({ type: "tags", values: { a: "1" } });
  outbox.push({ type: "alive", at: 1 });
  outbox.push({ type: "tags", values: { a: "2" } });
  expect(await outbox.close(1000)).toBe(true);
  expect(sink.got.map(({ type }) => type)).toEqual(["points", "alive"]);
  // Once for each kind, however many there are.
  expect(warnings).toEqual([
    expect.stringMatching(/^fake refused tags of run aaaa2222: .*no tags/),
  ]);
  const [file = ""] = await listSetAside(folder);
  expect(readdirSync(folder)).toEqual([path.basename(file)]);
  const kept = readFileSync(file, "utf8").trim().split("\n");
  expect(kept.map((line) => JSON.parse(line).events[0].values.a)).toEqual(["1", "2"]);
});

describe("where the spool cannot be written", () => {
  const openWithout = (sink: FakeSink, warnings: string[]) => {
    writeFileSync(path.join(root, "file"), "");
    return openOutbox(sink, run, {
      folder: path.join(root, "file", "spool"),
      onWarning: (told) => warnings.push(told),
      gatherMs: 60_000,
      retryMs: 0,
    });
  };

  it("keeps events in memory, and sends them from there", async () => {
    const sink = fakeSink();
    sink.fault = new Error("away");
    const warnings: string[] = [];
    const outbox = openWithout(sink, warnings);
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

  it("loses the oldest points past a bound, says so once, and never how a run began", async () => {
    const sink = fakeSink();
    sink.fault = new Error("away");
    const warnings: string[] = [];
    const outbox = openWithout(sink, warnings);
    outbox.push({ type: "start", run, fromStep: 0 });
    for (let step = 0; step < 25_000; step++) {
      push(outbox, step);
      if (step % 5000 === 0) await outbox.flush();
    }
    await outbox.flush();
    sink.fault = undefined;
    expect(await outbox.close(1000)).toBe(false);
    expect(sink.got[0]?.type).toBe("start");
    const got = steps(sink);
    expect(got.length).toBeGreaterThan(19_000);
    expect(got).toEqual(Array.from({ length: got.length }, (_, i) => 25_000 - got.length + i));
    expect(warnings.filter((told) => /is being lost/.test(told))).toHaveLength(1);
    expect(warnings.at(-1)).toBe(
      `${25_000 - got.length} things that run aaaa2222 told fake are lost.`,
    );
  });
});

describe.skipIf(!canMount)("on a full disk", () => {
  it("keeps what does not fit in memory, and writes it whole once there is room", async () => {
    const disk = mountSmallDisk(1);
    if (disk === undefined) throw new Error("no disk can be mounted");
    onTestFinished(() => disk.unmount());
    folder = path.join(disk.folder, "spool");
    const sink = fakeSink();
    sink.hangs = true;
    const outbox = openOutbox(sink, run, { folder, onWarning: () => {}, gatherMs: 60_000 });
    push(outbox, 0);
    await outbox.keep();
    disk.fill();
    // Room for a part of what comes next.
    const filler = path.join(disk.folder, "filler");
    truncateSync(filler, statSync(filler).size - 4096);
    for (let step = 1; step < 2000; step++) push(outbox, step);
    await outbox.keep();
    await outbox.keep();
    expect(spooledSteps()).toEqual([0]);
    push(outbox, 2000);
    disk.drain();
    await outbox.keep();
    expect(spooledSteps()).toEqual(Array.from({ length: 2001 }, (_, step) => step));
    sink.answer();
    expect(await outbox.close(5000)).toBe(true);
    expect(steps(sink)).toEqual(Array.from({ length: 2001 }, (_, step) => step));
    expect(readdirSync(folder)).toEqual([]);
  });
});
