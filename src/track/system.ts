// Readings of the machine beside a run: processor, memory, disk, and NVIDIA's cards where there are any.
import { execFile } from "node:child_process";
import { statfs } from "node:fs/promises";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { promisify } from "node:util";
import { systemCode } from "../errors/file-errors.js";

const run = promisify(execFile);
/** So often in a row a program that never told of a card may fail before it is asked no more. */
const mostFailures = 3;

export type SystemReading = Readonly<Record<string, number>>;

/** What tells of NVIDIA's cards. */
export interface CardProgram {
  /** Default: nvidia-smi. */
  readonly program?: string;
  /** So long it may take for an answer. Default 5,000. */
  readonly timeoutMs?: number;
}

/**
 * A reader whose every call tells of the time since the one before.
 * @param folder whose disk is looked at
 */
export function createSystemReader(
  folder: string,
  cardProgram: CardProgram = {},
): () => Promise<SystemReading> {
  const readCards = createCardReader(cardProgram);
  let usage = process.cpuUsage();
  let at = performance.now();
  let times = machineTimes();
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
    const cards = await readCards();
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

/**
 * Reads the cards; nothing where there are none, or where they cannot be read just now: a driver under load answers late and
 * one that is reset not at all. Where the program is not there, or fails from the start, it is not asked again.
 */
function createCardReader({
  program = "nvidia-smi",
  timeoutMs = 5000,
}: CardProgram): () => Promise<SystemReading> {
  const query = "index,utilization.gpu,memory.used,temperature.gpu,power.draw";
  let hasTold = false;
  let failures = 0;
  return async () => {
    if (!hasTold && failures >= mostFailures) return {};
    try {
      const { stdout } = await run(
        program,
        [`--query-gpu=${query}`, "--format=csv,noheader,nounits"],
        // One that hangs in the driver hears of nothing else.
        { timeout: timeoutMs, killSignal: "SIGKILL", windowsHide: true },
      );
      const cards = parseCards(stdout);
      hasTold ||= Object.keys(cards).length > 0;
      failures = hasTold ? 0 : failures + 1;
      return cards;
    } catch (thrown) {
      failures = systemCode(thrown) === "ENOENT" ? mostFailures : failures + 1;
      return {};
    }
  };
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
