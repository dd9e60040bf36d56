// A lock between processes: one holder at a time, on one machine or several, and none that waits for the dead.
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { pidNamespace, processStart } from "./living-process.js";
import { takeProcessLock, withProcessLock } from "./process-lock.js";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bridle-process-lock-"));
  file = join(folder, ".work.lock");
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true });
});

const silentMs = 300_000;
const taken = async () => {
  const found = await takeProcessLock(file, { silentMs });
  return "lock" in found ? found.lock : undefined;
};
const lockOf = (holder: object) => writeFile(file, JSON.stringify({ token: "theirs", ...holder }));
const here = hostname();

it("is one trainer's at a time, and leaves nothing behind", async () => {
  const several = await Promise.all(Array.from({ length: 8 }, taken));
  const held = several.filter((lock) => lock !== undefined);
  expect(held).toHaveLength(1);
  expect(await taken()).toBeUndefined();
  await held[0]!.release();
  expect(await readdir(folder)).toEqual([]);
  await (await taken())?.release();
  expect(await readdir(folder)).toEqual([]);
});

it.each([
  ["a process that is not there", { pid: 2 ** 30, host: here }],
  ["another process of the same id", { pid: process.ppid, host: here, start: "earlier/1" }],
])("is taken from %s", async (what, holder) => {
  await lockOf(holder);
  const isTold = process.platform === "linux" || !what.startsWith("another");
  expect((await taken()) !== undefined).toBe(isTold);
});

it("is not taken from a process that runs, of this version or an earlier one", async () => {
  await lockOf({ pid: process.ppid, host: here, start: processStart(process.ppid) });
  expect(await taken()).toBeUndefined();
  await lockOf({ pid: process.ppid, host: here });
  expect(await taken()).toBeUndefined();
  for (const text of [String(process.ppid), JSON.stringify({ pid: process.ppid, host: here })]) {
    await writeFile(file, text);
    const holder = { pid: process.ppid, host: here };
    expect(await takeProcessLock(file, { silentMs })).toMatchObject({ holder });
    expect(await readFile(file, "utf8")).toBe(text);
  }
});

it.each([String(process.pid), JSON.stringify({ pid: process.pid, host: here })])(
  "is taken from who had this process's id before, by %s",
  async (text) => {
    await writeFile(file, text);
    expect(await taken()).toBeDefined();
  },
);

it("is one holder's too where many find a dead one's at once", async () => {
  for (let round = 0; round < 20; round++) {
    await lockOf({ pid: 2 ** 30, host: here });
    const several = await Promise.all(Array.from({ length: 6 }, taken));
    const held = several.filter((lock) => lock !== undefined);
    expect(held).toHaveLength(1);
    await held[0]!.release();
  }
  expect(await readdir(folder)).toEqual([]);
});

describe("of a holder whose process cannot be asked for", () => {
  const far = { token: "theirs", pid: process.pid, host: "far" };
  const texts: readonly [string, string][] = [
    ["on another machine", JSON.stringify(far)],
    ["that wrote nothing", ""],
    ["that wrote no lock", "{"],
    ["that wrote something else", JSON.stringify({ pid: process.ppid, host: here, start: 5 })],
  ];
  /** What the clock of a machine far away says. */
  const sign = (moment: string) => utimes(file, new Date(moment), new Date(moment));
  const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
  beforeEach(() => vi.useFakeTimers({ toFake: ["Date"] }));

  it.each(texts)("%s, is taken once nothing is heard of it between two tries", async (_, text) => {
    await writeFile(file, text);
    // Clocks differ: its last sign looks old at once, and says nothing.
    await sign("2001-01-01");
    expect(await taken()).toBeUndefined();
    pass(silentMs - 1000);
    expect(await taken()).toBeUndefined();
    pass(2000);
    const lock = await taken();
    expect(lock).toBeDefined();
    await lock!.release();
    expect(await readdir(folder)).toEqual([]);
  });

  it("is theirs as long as they give signs, whatever their clock says", async () => {
    await writeFile(file, JSON.stringify(far));
    for (const moment of ["2001-01-01", "2001-01-02", "2099-01-01", "2098-01-01"]) {
      await sign(moment);
      expect(await taken()).toBeUndefined();
      pass(silentMs + 1000);
    }
    expect(await taken()).toBeDefined();
  });

  it("is not taken by what was noted of another holder, or at a later time", async () => {
    await writeFile(file, JSON.stringify(far));
    await sign("2001-01-01");
    expect(await taken()).toBeUndefined();
    pass(silentMs + 1000);
    await writeFile(file, JSON.stringify({ ...far, token: "others" }));
    await sign("2001-01-01");
    expect(await taken()).toBeUndefined();
    pass(-10 * silentMs);
    expect(await taken()).toBeUndefined();
    pass(silentMs + 1000);
    expect(await taken()).toBeDefined();
  });

  it("is told by its signs in another container, which may have its id and this host's name", async () => {
    const [boot] = processStart(process.pid)?.split("/") ?? [];
    const other = { namespace: "pid:[1]", host: here, pid: 2 ** 30, start: `${boot}/1` };
    await lockOf(other);
    const isTold = pidNamespace() !== undefined;
    expect((await taken()) === undefined).toBe(isTold);
    if (!isTold) return;
    // One machine, one clock: what is old is over.
    const old = new Date(Date.now() - silentMs - 1000);
    await utimes(file, old, old);
    expect(await taken()).toBeDefined();
  });
});

it("is not let go of by whoever has lost it", async () => {
  const lock = await taken();
  await lockOf({ pid: process.ppid, host: here });
  await lock!.release();
  expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ token: "theirs" });
});

describe("work under a lock", () => {
  const never = () => new TypeError("nobody else has it");

  it("is done one after the other, and lets go where it fails", async () => {
    let inWork = 0;
    const work = async () => {
      inWork += 1;
      await new Promise(setImmediate);
      expect(inWork).toBe(1);
      inWork -= 1;
    };
    const options = { silentMs, waitMs: 60_000 };
    const several = Array.from({ length: 8 }, () => withProcessLock(file, options, work, never));
    await Promise.all(several);
    const failing = withProcessLock(file, options, () => Promise.reject("broken"), never);
    await expect(failing).rejects.toBe("broken");
    expect(await readdir(folder)).toEqual([]);
  });

  it("is refused where another does not let go in time", async () => {
    await lockOf({ pid: process.ppid, host: here });
    const refused = new TypeError("busy");
    const work = vi.fn();
    const trying = withProcessLock(file, { silentMs, waitMs: 30 }, work, () => refused);
    await expect(trying).rejects.toBe(refused);
    expect(work).not.toHaveBeenCalled();
  });
});
