// A run's folder: one trainer at a time works on it, and its events are kept in a file beside the model.
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { BridleError } from "../errors/error.js";
import { isHere, type ProcessLock, takeProcessLock } from "../runtime/process-lock.js";
import { writeAtomically } from "../text/files/write-atomically.js";
import type { TrainEvent } from "./events.js";

const lockFile = ".trainer.lock";
/** A trainer of another machine, whose process cannot be asked for, is gone after so long without a sign. */
const silentMs = 300_000;
export const eventsFile = "events.jsonl";

export interface RunFolder {
  readonly path: string;
  /** Drops the events of steps that will be done again, so that each step is told once. */
  rewind(step: number): Promise<void>;
  record(event: TrainEvent): Promise<void>;
  /** A sign of life, without which the folder is given to a trainer of another machine after some minutes. */
  touch(): Promise<void>;
  /** Lets others work on the folder. */
  release(): Promise<void>;
}

/**
 * Takes a folder for one run.
 * @throws OUTPUT_IN_USE while another living process has it, of this machine or of one that shares the folder; WRITE_FAILED
 */
export async function openRunFolder(path: string): Promise<RunFolder> {
  await writing(path, () => mkdir(path, { recursive: true }));
  const held = await lock(path);
  const events = join(path, eventsFile);
  return {
    path,
    async rewind(step) {
      const text = await readFile(events, "utf8").catch(() => "");
      const kept = text.split("\n").filter((line) => line !== "" && isBefore(line, step));
      await writeAtomically(events, (handle) =>
        handle.writeFile(kept.map((line) => `${line}\n`).join("")),
      );
    },
    async record(event) {
      await held.touch();
      await writing(events, () => appendFile(events, `${JSON.stringify(event)}\n`));
    },
    touch: held.touch,
    release: held.release,
  };
}

/** Whether a line tells of a step up to this one. A line that was cut off by a kill does not. */
function isBefore(line: string, step: number): boolean {
  try {
    const event = JSON.parse(line) as { step?: number; report?: { step?: number } };
    return (event.step ?? event.report?.step ?? 0) <= step;
  } catch {
    return false;
  }
}

async function writing<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new BridleError("WRITE_FAILED", { file, reason: (cause as Error).message }, { cause });
  }
}

/** @throws OUTPUT_IN_USE, WRITE_FAILED */
async function lock(folder: string): Promise<ProcessLock> {
  const file = join(folder, lockFile);
  const taken = await writing(file, () => takeProcessLock(file, { silentMs }));
  if ("lock" in taken) return taken.lock;
  const { pid, host } = taken.holder;
  const elsewhere =
    host === hostname() ? "in another container" : `on ${host || "another machine"}`;
  const where = isHere(taken.holder) ? "" : ` ${elsewhere}`;
  throw new BridleError("OUTPUT_IN_USE", { folder, pid, where });
}
