// A run's folder: one trainer at a time works on it, and its events are kept in a file beside the model.
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { removeSpools } from "../data/spool.js";
import { BridleError } from "../errors/error.js";
import { isHere, type ProcessLock, takeProcessLock } from "../runtime/process-lock.js";
import { writeAtomically, writeFailed } from "../text/files/write-atomically.js";
import type { TrainEvent } from "./events.js";

const lockFile = ".trainer.lock";
/** A trainer of another machine, whose process cannot be asked for, is gone after so long without a sign. */
const silentMs = 300_000;
export const eventsFile = "events.jsonl";

export interface RunFolder {
  readonly path: string;
  /**
   * Drops the events of steps and evaluations that will be done again, so that each is told once, and lines that were cut off.
   * @param evaluated the last step whose evaluation stays. Default: `step`
   */
  rewind(step: number, evaluated?: number): Promise<void>;
  /** Keeps an event; one before `rewind` once that comes, so that a run that turns out to be done leaves the file as it is. */
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
  // Data are copied into the folder where they cannot be read in place.
  await removeSpools(path).catch(() => {});
  const events = join(path, eventsFile);
  /** Events before `rewind`. */
  let early: TrainEvent[] | undefined = [];
  return {
    path,
    async rewind(step, evaluated = step) {
      const before = parseEvents(await readFile(events, "utf8").catch(() => ""));
      const kept = [...before.filter((event) => isKept(event, step, evaluated)), ...(early ?? [])];
      early = undefined;
      await writeAtomically(events, (handle) => handle.writeFile(kept.map(lineOf).join("")));
    },
    async record(event) {
      await held.touch();
      if (early !== undefined) early.push(event);
      else await writing(events, () => appendFile(events, lineOf(event)));
    },
    touch: held.touch,
    release: held.release,
  };
}

const lineOf = (event: TrainEvent) => `${JSON.stringify(event)}\n`;

/** The events of a run's file of them. A line that was cut off by a kill or a full disk is none. */
export function parseEvents(text: string): TrainEvent[] {
  return text.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line) as TrainEvent];
    } catch {
      return [];
    }
  });
}

/** Whether an event tells of a step up to the one, or of an evaluation up to the other. */
function isKept(event: TrainEvent, step: number, evaluated: number): boolean {
  if (event.type === "evaluation") return event.report.step <= evaluated;
  return !("step" in event) || event.step <= step;
}

async function writing<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw writeFailed(cause, file);
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
