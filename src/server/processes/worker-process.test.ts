// Tests what becomes of those who wait for a process that ends or answers nothing, what it works on and whose turn it is.
import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { resolveServeConfig } from "../../config/serve-config.js";
import { BridleError, toErrorData } from "../../errors/error.js";
import type { ToProcess } from "./messages.js";
import { processConfig } from "./open-processes.js";
import { createTurns } from "./turns.js";
import { watchProcess } from "./worker-process.js";

/** A process that hears what it is told and says what the test says. */
function play(turns = createTurns()) {
  const heard: ToProcess[] = [];
  const child = Object.assign(new EventEmitter(), {
    pid: 7,
    connected: true,
    send: (message: ToProcess) => heard.push(message) > 0,
    kill: (signal: string) => child.emit("exit", null, signal),
  });
  const config = processConfig(resolveServeConfig({}, {}), 0);
  const watched = watchProcess(child as unknown as ChildProcess, config, turns);
  const lastId = () => (heard.at(-1) as { readonly id: number }).id;
  return { child, watched, lastId, heard };
}

const request = { model: "news", document: "x", parameters: undefined, priority: undefined };

describe("what a process works on", () => {
  it("is still its work when nobody waits for it, until it has let go of it", async () => {
    const { child, watched, lastId } = play();
    const controller = new AbortController();
    const asked = watched.summarize(request, controller.signal, undefined);
    const id = lastId();
    controller.abort();
    await expect(asked).rejects.toMatchObject({ code: "CANCELLED" });
    expect(watched.pendingCount).toBe(1);
    const error = toErrorData(new BridleError("CANCELLED"));
    child.emit("message", { type: "error", id, error, timingsMs: undefined });
    expect(watched.pendingCount).toBe(0);
  });
});

describe("a process that answers nothing", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is ended after half a minute, and who waits for it told why", async () => {
    const { child, watched } = play();
    child.emit("message", { type: "warm" });
    const asked = watched.summarize(request, undefined, undefined);
    const outcome = asked.catch((thrown) => thrown);
    vi.advanceTimersByTime(34_999);
    expect(watched.pendingCount).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await outcome).toMatchObject({
      code: "WORKER_LOST",
      message: expect.stringContaining("it had not answered for 30 s and was ended"),
    });
    expect(watched.pendingCount).toBe(0);
  });

  it("goes on where it says anything, and is not asked while it opens its models", async () => {
    const { child, heard } = play();
    const pings = () => heard.filter(({ type }) => type === "ping").length;
    vi.advanceTimersByTime(3_600_000);
    expect(pings()).toBe(0);
    child.emit("message", { type: "warm" });
    for (let i = 0; i < 20; i += 1) {
      vi.advanceTimersByTime(30_000);
      child.emit("message", i % 2 === 0 ? { type: "pong" } : { type: "loads", loads: [] });
    }
    expect(pings()).toBe(120);
    child.emit("exit", 0, null);
    vi.advanceTimersByTime(60_000);
    expect(pings()).toBe(120);
  });
});

describe("turns", () => {
  it("are had by one after the other, and ended with the process that has one", async () => {
    const turns = createTurns();
    const [one, other, third] = [play(turns), play(turns), play(turns)];
    const given = ({ heard }: typeof one) =>
      heard.flatMap((message) => (message.type === "turn" ? [message.id] : []));
    one.child.emit("message", { type: "turn-wanted", id: 5 });
    other.child.emit("message", { type: "turn-wanted", id: 6 });
    other.child.emit("message", { type: "turn-wanted", id: 7 });
    third.child.emit("message", { type: "turn-wanted", id: 8 });
    await vi.waitFor(() => expect(given(one)).toEqual([5]));
    expect(given(other)).toEqual([]);
    one.child.emit("message", { type: "turn-over", id: 5 });
    await vi.waitFor(() => expect(given(other)).toEqual([6]));
    // It is gone with the turn it has and the one it waits for.
    other.child.emit("exit", null, "SIGKILL");
    await vi.waitFor(() => expect(given(third)).toEqual([8]));
    expect(given(other)).toEqual([6]);
  });
});

describe("a process that ends", () => {
  it("leaves nobody waiting for its metrics or for its aliases", async () => {
    const { child, watched } = play();
    const asked = [watched.metrics(60_000), watched.refresh()];
    child.emit("exit", null, "SIGKILL");
    expect(await Promise.all(asked)).toEqual([undefined, undefined]);
    expect(await watched.ended).toBe("it was ended by SIGKILL");
    expect(await watched.metrics(60_000)).toBeUndefined();
    await watched.refresh();
  });
});

describe("asking a process", () => {
  it("hangs nothing on its end, however often it is asked", async () => {
    const { child, watched, lastId } = play();
    const reactions = vi.spyOn(watched.ended, "then");
    for (let i = 0; i < 3; i += 1) {
      const metrics = watched.metrics(60_000);
      child.emit("message", { type: "metrics", id: lastId(), metrics: [] });
      expect(await metrics).toEqual([]);
      const refreshed = watched.refresh();
      child.emit("message", { type: "refreshed", id: lastId() });
      await refreshed;
    }
    expect(reactions).not.toHaveBeenCalled();
  });
});
