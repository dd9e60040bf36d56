// A session on a thread of its own answers as one that is here does, and keeps nobody waiting who does not wait for it.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { afterEach, expect, it, vi } from "vitest";
import type { BridleError } from "../errors/error.js";
import * as ops from "../graph/index.js";
import { type Graph, GraphBuilder } from "../graph/index.js";
import { openSession } from "./session.js";
import { beginSessionThread, createOnThread, type SessionWorkerData } from "./session-thread.js";
import { float32, type Tensor } from "./tensor.js";

afterEach(() => void vi.restoreAllMocks());

function graph(): Graph {
  const g = new GraphBuilder();
  const [x, y] = [g.input("x", "float32", ["n", 2]), g.input("y", "float32", ["m", 2])];
  return g.finish([
    g.output("product", ops.matmul(g, x, ops.transpose(g, y, [1, 0]))),
    g.output("rectified", ops.relu(g, x)),
  ]);
}

const feeds = () => ({
  x: float32(Float32Array.of(1, -2, 3, 4), [2, 2]),
  // Part of a larger memory, of which the rest is nobody's business.
  y: float32(Float32Array.of(9, 9, 5, 6, 9).subarray(2, 4), [1, 2]),
});

const plain = (answer: Record<string, Tensor>) =>
  Object.fromEntries(
    Object.entries(answer).map(([name, { dtype, shape, data }]) => [
      name,
      { dtype, shape: [...shape], data: [...(data as Float32Array)] },
    ]),
  );

it("answers as a session that is here does, also several that ask at once", async () => {
  const said = vi.spyOn(Worker.prototype, "postMessage");
  const [here, there] = await Promise.all([
    openSession(graph(), new Map(), { threads: 1 }),
    openSession(graph(), new Map(), { threads: 1, ownThread: true }),
  ]);
  const expected = plain(await here.run(feeds()));
  // The one there was told what to open.
  expect(said).toHaveBeenCalledTimes(1);
  expect(expected.product).toEqual({ dtype: "float32", shape: [2, 1], data: [-7, 39] });
  const answers = await Promise.all([1, 2, 3].map(() => there.run(feeds())));
  for (const answer of answers) expect(plain(answer)).toEqual(expected);
  expect(said).toHaveBeenCalledTimes(4);
  expect(Object.keys(await there.run(feeds(), {}, ["product"]))).toEqual(["rectified"]);
  const none = [await here.run(feeds(), {}, ["product", "rectified"])];
  none.push(await there.run(feeds(), {}, ["product", "rectified"]));
  expect(none).toEqual([{}, {}]);
  const given = feeds();
  await there.run(given);
  expect(plain(given)).toEqual(plain(feeds()));
  await here.close();
  await there.close();
});

it("opens on the thread that was begun early, if that is still there", async () => {
  const threads: Worker[] = [];
  for (const program of [undefined, "throw new Error('no memory')"]) {
    const start = (workerData: SessionWorkerData): Worker => {
      const worker = new Worker(program ?? new URL("./session-worker.js", import.meta.url), {
        ...{ eval: program !== undefined, workerData },
      });
      threads.push(worker);
      return worker;
    };
    beginSessionThread(start);
    beginSessionThread(start);
    const own = threads.at(-1) as Worker;
    if (program !== undefined) await new Promise((resolve) => own.once("exit", resolve));
    const said = vi.spyOn(own, "postMessage");
    const session = await openSession(graph(), new Map(), { threads: 1, ownThread: true });
    expect(plain(await session.run(feeds())).product?.data).toEqual([-7, 39]);
    const ended = program === undefined && once(own, "exit");
    await session.close();
    await ended;
    // What to open, a run, and the end.
    expect(said).toHaveBeenCalledTimes(program === undefined ? 3 : 0);
  }
  expect(threads).toHaveLength(2);
});

it("writes into memory that it is given", async () => {
  const session = await openSession(graph(), new Map(), { threads: 1, ownThread: true });
  const into = float32(new Float32Array(4), [2, 2]);
  const { rectified, product } = await session.run(feeds(), { rectified: into });
  expect(rectified === into).toBe(true);
  expect([...into.data]).toEqual([1, 0, 3, 4]);
  expect([...(product as Tensor<"float32">).data]).toEqual([-7, 39]);
  const other = float32(new Float32Array(6), [3, 2]);
  await expect(session.run(feeds(), { rectified: other })).rejects.toThrow(
    /rectified is \[2,2\], the memory for it \[3,2\]/,
  );
  await session.close();
});

it("tells what onnxruntime says, and goes on", async () => {
  const session = await openSession(graph(), new Map(), { threads: 1, ownThread: true });
  const wrong = { ...feeds(), y: float32(new Float32Array(3), [1, 3]) };
  const failed = session.run(wrong);
  await expect(failed).rejects.toMatchObject({ code: "RUN_FAILED" });
  await expect(failed).rejects.toThrow(/dimension/i);
  expect(plain(await session.run(feeds())).product?.data).toEqual([-7, 39]);
  await session.close();
  const nonsense = createOnThread({ bytes: Uint8Array.of(1, 2, 3), settings: {} });
  await expect(nonsense).rejects.toMatchObject({ code: "RUN_FAILED" });
});

it("closes once, and what it can no longer answer fails", async () => {
  const session = await openSession(graph(), new Map(), { threads: 1, ownThread: true });
  const late = session.run(feeds()).then(
    () => "answered",
    (thrown: BridleError) => thrown.code,
  );
  await Promise.all([session.close(), session.close()]);
  expect(["answered", "RUN_FAILED"]).toContain(await late);
  await expect(session.run(feeds())).rejects.toThrow(/the session is closed/);
  await session.close();
});

it.each([false, true])(
  "tells that memory is short (on a thread of its own: %s)",
  async (ownThread) => {
    const g = new GraphBuilder();
    const [x, y] = [g.input("x", "float32", ["n", 1]), g.input("y", "float32", [1, "m"])];
    const outer = g.finish([g.output("outer", ops.add(g, x, y))]);
    const session = await openSession(outer, new Map(), { threads: 1, ownThread });
    const length = 2 ** 21;
    const wide = {
      x: float32(new Float32Array(length), [length, 1]),
      y: float32(new Float32Array(length), [1, length]),
    };
    await expect(session.run(wide)).rejects.toMatchObject({
      code: "RUN_MEMORY_SHORT",
      kind: "unavailable",
    });
    const one = float32(Float32Array.of(2), [1, 1]);
    expect([...((await session.run({ x: one, y: one })).outer?.data ?? [])]).toEqual([4]);
    await session.close();
  },
);

const run = promisify(execFile);
const dist = new URL("../../dist/", import.meta.url);
/** A program that opens a session with a thread of its own. */
const program = (rest: string) => `
  import { writeSync } from "node:fs";
  import { GraphBuilder, relu } from ${JSON.stringify(new URL("graph/index.js", dist).href)};
  import { openSession } from ${JSON.stringify(new URL("runtime/session.js", dist).href)};
  const g = new GraphBuilder();
  const graph = g.finish([g.output("y", relu(g, g.input("x", "float32", [1])))]);
  const session = await openSession(graph, new Map(), { threads: 1, ownThread: true });
  const x = { dtype: "float32", shape: [1], data: Float32Array.of(3) };
  ${rest}`;
const start = (rest: string) =>
  run(process.execPath, ["--input-type=module", "--eval", program(rest)], {
    cwd: fileURLToPath(dist),
    timeout: 30_000,
  });

it("a process ends while a session is open, and not before it has answered", async () => {
  const told = "writeSync(1, String((await session.run({ x })).y.data[0]));";
  expect((await start(told)).stdout).toBe("3");
  expect((await start(`${told} await session.close(); writeSync(1, "!");`)).stdout).toBe("3!");
});

it("whose thread dies ends the one that needs it", async () => {
  const dying = `
    const { Worker } = await import("node:worker_threads");
    Worker.prototype.postMessage = function () { void this.terminate(); };
    session.run({ x }).catch(() => {});
    setTimeout(() => writeSync(1, "still there"), 10000);`;
  await expect(start(dying)).rejects.toMatchObject({
    stdout: "",
    stderr: expect.stringContaining("its thread ended with code 1"),
  });
});
