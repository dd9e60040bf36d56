// Tests telling living processes from ended ones.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { isRunning, isSameRunning, processMark, processStart } from "./living-process.js";

describe("isRunning", () => {
  it("is true for this process and its parent, and false for an id nobody has", () => {
    expect(isRunning(process.pid)).toBe(true);
    expect(isRunning(process.ppid)).toBe(true);
    expect(isRunning(2 ** 30)).toBe(false);
  });

  it("is false for a process that has ended", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "exit");
    expect(isRunning(child.pid!)).toBe(false);
  });

  it.runIf(process.platform === "linux")(
    "tells a process from another one that had its id at another time",
    () => {
      const mark = processMark();
      expect(mark).toMatch(/^[0-9a-f]{8}\d+$/);
      expect(processMark(process.ppid)).not.toBe(mark);
      expect(processMark(2 ** 30)).toBe("");
      expect(isRunning(process.pid, mark)).toBe(true);
      expect(isRunning(process.pid, `${mark}0`)).toBe(false);
      expect(isRunning(process.ppid, mark)).toBe(false);
      // Before it was kept, the id alone tells.
      expect(isRunning(process.pid, "")).toBe(true);
    },
  );

  it.runIf(process.platform === "linux")(
    "is false for one that nobody has waited for",
    async () => {
      // The shell becomes a sleep before its child ends, and a sleep knows nothing of the child that the shell had.
      const parent = spawn("sh", ["-c", "sleep 0.3 & echo $!; exec sleep 60"]);
      const [line] = (await once(parent.stdout, "data")) as [Buffer];
      const pid = Number(line.toString());
      while (isRunning(pid)) await sleep(10);
      expect(() => process.kill(pid, 0)).not.toThrow();
      parent.kill("SIGKILL");
    },
  );
});

describe.runIf(process.platform === "linux")("processStart", () => {
  it("tells processes apart that have one id after the other", async () => {
    const own = processStart(process.pid);
    expect(own).toMatch(/^[0-9a-f-]{36}\/\d+$/);
    expect(processStart(process.pid)).toBe(own);
    expect(isSameRunning(process.pid, own)).toBe(true);
    expect(isSameRunning(process.pid, `${own}0`)).toBe(false);
    expect(isSameRunning(process.pid, undefined)).toBe(true);
    expect(processStart(2 ** 30)).toBeUndefined();
    expect(isSameRunning(2 ** 30, own)).toBe(false);
    const [boot, ticks] = own!.split("/") as [string, string];
    const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"]);
    try {
      const [theirBoot, theirTicks] = processStart(child.pid!)!.split("/") as [string, string];
      expect(theirBoot).toBe(boot);
      expect(Number(theirTicks)).toBeGreaterThanOrEqual(Number(ticks));
    } finally {
      child.kill("SIGKILL");
    }
  });
});
