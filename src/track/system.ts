// Readings of the machine beside a run: processor, memory, disk, and NVIDIA's cards where there are any.
import { execFile } from "node:child_process";
import { statfs } from "node:fs/promises";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { promisify } from "node:util";

const run = promisify(execFile);
const smiMs = 5000;

export type SystemReading = Readonly<Record<string, number>>;

/**
 * A reader whose every call tells of the time since the one before.
 * @param folder whose disk is looked at
 */
export function createSystemReader(folder: string): () => Promise<SystemReading> {
  let usage = process.cpuUsage();
  let at = performance.now();
  let times = machineTimes();
  let hasCards = true;
  return async () => {
    const now = performance.now();
    const { user, system } = process.cpuUsage(usage);
    const cores = (user + system) / 1000 / Math.max(1, now - at);
    usage = process.cpuUsage();
    at = now;
    const machine = machineTimes();
    const all = machine.all - times.all;
    const busy = all > 0 ? (machine.busy - times.busy) / all : 0;
    times = machine;
    const disk = await statfs(folder).catch(() => undefined);
    const cards = hasCards ? await readCards() : undefined;
    hasCards = cards !== undefined;
    return {
      "system/process_cpu_cores": cores,
      "system/cpu_percent": busy * 100,
      "system/rss_bytes": process.memoryUsage.rss(),
      "system/memory_free_bytes": freemem(),
      ...(disk && { "system/disk_free_bytes": disk.bavail * disk.bsize }),
      ...cards,
    };
  };
}

function machineTimes(): { readonly all: number; readonly busy: number } {
  let all = 0;
  let busy = 0;
  for (const { times } of cpus()) {
    const { user, nice, sys, idle, irq } = times;
    all += user + nice + sys + idle + irq;
    busy += user + nice + sys + irq;
  }
  return { all, busy };
}

/** Undefined where there is no card, or nothing that tells of it. */
async function readCards(): Promise<SystemReading | undefined> {
  const query = "index,utilization.gpu,memory.used,temperature.gpu,power.draw";
  try {
    const { stdout } = await run(
      "nvidia-smi",
      [`--query-gpu=${query}`, "--format=csv,noheader,nounits"],
      { timeout: smiMs, windowsHide: true },
    );
    return parseCards(stdout);
  } catch {
    return undefined;
  }
}

/** Reads what nvidia-smi prints; what a card does not tell (`[N/A]`) is left out. */
export function parseCards(printed: string): SystemReading {
  const reading: Record<string, number> = {};
  for (const line of printed.split("\n")) {
    const [index = "", ...values] = line.split(",").map((cell) => cell.trim());
    if (!/^\d+$/.test(index)) continue;
    const names = ["percent", "memory_bytes", "celsius", "watts"];
    for (const [i, name] of names.entries()) {
      const value = Number.parseFloat(values[i] ?? "");
      if (Number.isNaN(value)) continue;
      // nvidia-smi counts in MiB.
      reading[`system/gpu${index}_${name}`] = name === "memory_bytes" ? value * 2 ** 20 : value;
    }
  }
  return reading;
}

/** What the machine is, for a run's environment. */
export function describeMachine(): Readonly<Record<string, string | number>> {
  return {
    platform: process.platform,
    arch: process.arch,
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
    processors: availableParallelism(),
    memoryBytes: totalmem(),
  };
}
