// Tells whether a process of this machine still runs.
import { readFileSync, readlinkSync } from "node:fs";
import { systemCode } from "../errors/file-errors.js";

/**
 * True while the process runs; false for one that has ended, also where its parent has not yet asked how.
 * @param mark its processMark, where that was kept: then false too for another process that has its id now
 */
export function isRunning(pid: number, mark = ""): boolean {
  try {
    process.kill(pid, 0);
  } catch (thrown) {
    if (systemCode(thrown) !== "EPERM") return false;
  }
  if (isZombie(pid)) return false;
  const now = mark === "" ? "" : processMark(pid);
  return now === "" || now === mark;
}

/**
 * What tells a process from those that have its id at other times, as the first one of each container has: processStart as
 * letters and digits for names of files, empty where the system does not say.
 */
export function processMark(pid = process.pid): string {
  const [boot = "", began = ""] = processStart(pid)?.split("/") ?? [];
  const mark = `${boot.slice(0, 8)}${began}`;
  return /^[0-9a-f]{8}\d+$/.test(mark) ? mark : "";
}

/**
 * When a process began, as the system tells it: two processes that had the same id, one after the other or before and after a
 * restart, differ in it. Undefined where there is none, or the system does not tell.
 */
export function processStart(pid: number): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const fields = statFields(pid);
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    // Field 22 of proc_pid_stat(5), ticks since the machine was started; the first two are cut off here.
    return `${boot}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

/** Whether the process that had an id when its start was written down is still there; where no start is known the id decides. */
export function isSameRunning(pid: number, start: string | undefined): boolean {
  if (!isRunning(pid)) return false;
  const now = processStart(pid);
  return start === undefined || now === undefined || now === start;
}

/** Which process ids this process sees: containers of one machine have their own each. Undefined where the system does not tell. */
export function pidNamespace(): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return undefined;
  }
}

/** What Linux tells of a process, from its state on; the name before it may hold anything. */
function statFields(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Linux keeps a killed process in its table until the parent takes notice, which some parents never do. */
function isZombie(pid: number): boolean {
  if (process.platform !== "linux") return false;
  try {
    return statFields(pid)[0] === "Z";
  } catch (thrown) {
    return systemCode(thrown) === "ENOENT";
  }
}
