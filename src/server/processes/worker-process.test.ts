// Tests what becomes of those who wait for a process that ends, and that asking it often leaves nothing behind.
import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { describe, expect, it, vi } from "vitest";
import { resolveServeConfig } from "../../config/serve-config.js";
import type { ToProcess } from "./messages.js";
import { processConfig } from "./open-processes.js";
import { watchProcess } from "./worker-process.js";

/** A process that hears what it is told and says what the test says. */
function play() {
  const heard: ToProcess[] = [];
  const child = Object.assign(new EventEmitter(), {
    pid: 7,
    connected: true,
    send: (message: ToProcess) => heard.push(message) > 0,
    kill: () => true,
  });
  const config = processConfig(resolveServeConfig({}, {}), 0);
  const watched = watchProcess(child as unknown as ChildProcess, config);
  const lastId = () => (heard.at(-1) as { readonly id: number }).id;
  return { child, watched, lastId };
}

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
