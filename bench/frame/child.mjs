// Runs one side of a bench as a process of its own: from its start to its line of results, and what memory it took.
// @ts-check
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * @template T
 * @typedef {{seconds: number, result: T}} Run seconds from the start of the process to its line
 */

/**
 * Starts a program that prints one line of JSON when it is done, and waits for that line and the program's end.
 * @template T
 * @param {string} program @param {readonly string[]} args @param {Readonly<Record<string, string>>} [env] added to this process's
 * @returns {Promise<Run<T>>}
 */
export function runToLine(program, args, env = {}) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, complaints] = ["", ""];
    /** @type {Run<T> | undefined} */
    let found;
    child.stdout.setEncoding("utf8").on("data", (/** @type {string} */ chunk) => {
      out += chunk;
      const line = /^\{.*\}$/m.exec(out)?.[0];
      if (line === undefined || found !== undefined) return;
      found = { seconds: (performance.now() - started) / 1000, result: JSON.parse(line) };
    });
    child.stderr.setEncoding("utf8").on("data", (/** @type {string} */ chunk) => {
      complaints = (complaints + chunk).slice(-20_000);
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0 && found !== undefined) resolve(found);
      else
        reject(
          new Error(`${program} ${args[0]} ended with ${signal ?? code}:\n${complaints}${out}`),
        );
    });
  });
}

/**
 * Resident memory of this process: now, and at most so far.
 * @returns {{residentBytes: number, peakBytes: number}}
 */
export function memory() {
  try {
    const status = readFileSync("/proc/self/status", "utf8");
    const kilobytes = (/** @type {string} */ key) =>
      Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? Number.NaN);
    return { residentBytes: 1024 * kilobytes("VmRSS"), peakBytes: 1024 * kilobytes("VmHWM") };
  } catch {
    // Where there is no /proc the system's own count is what there is.
    return {
      residentBytes: process.memoryUsage.rss(),
      peakBytes: 1024 * process.resourceUsage().maxRSS,
    };
  }
}

/** @param {readonly number[]} values not empty */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[middle - 1] ?? Number.NaN, sorted[middle] ?? Number.NaN];
  return sorted.length % 2 === 1 ? high : (low + high) / 2;
}
