// Tells whether a process of this machine still runs.
import { readFileSync } from "node:fs";
import { systemCode } from "../errors/file-errors.js";

/** True while the process runs; false for one that has ended, also where its parent has not yet asked how. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (thrown) {
    return systemCode(thrown) === "EPERM";
  }
  return !isZombie(pid);
}

/** Linux keeps a killed process in its table until the parent takes notice, which some parents never do. */
function isZombie(pid: number): boolean {
  if (process.platform !== "linux") return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
  } catch (thrown) {
    return systemCode(thrown) === "ENOENT";
  }
}
