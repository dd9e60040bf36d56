// A run's folder: one trainer at a time works on it, and its events are kept in a file beside the model.
import { appendFile, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../errors/error.js";
import { systemCode } from "../errors/file-errors.js";
import { isRunning } from "../runtime/living-process.js";
import { writeAtomically } from "../text/files/write-atomically.js";
import type { TrainEvent } from "./events.js";

const lockFile = ".trainer.lock";
export const eventsFile = "events.jsonl";

export interface RunFolder {
  readonly path: string;
  /** Drops the events of steps that will be done again, so that each step is told once. */
  rewind(step: number): Promise<void>;
  record(event: TrainEvent): Promise<void>;
  /** Lets others work on the folder. */
  release(): Promise<void>;
}

/**
 * Takes a folder for one run.
 * @throws OUTPUT_IN_USE while another living process has it; WRITE_FAILED
 */
export async function openRunFolder(path: string): Promise<RunFolder> {
  await writing(path, () => mkdir(path, { recursive: true }));
  await lock(path);
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
    record: (event) => writing(events, () => appendFile(events, `${JSON.stringify(event)}\n`)),
    release: () => rm(join(path, lockFile), { force: true }),
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

async function lock(folder: string): Promise<void> {
  const file = join(folder, lockFile);
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const handle = await open(file, "wx");
      await handle.writeFile(String(process.pid));
      await handle.close();
      return;
    } catch (cause) {
      if (systemCode(cause) !== "EEXIST") {
        throw new BridleError(
          "WRITE_FAILED",
          { file, reason: (cause as Error).message },
          { cause },
        );
      }
      const pid = Number(await readFile(file, "utf8").catch(() => ""));
      if (pid > 0 && isRunning(pid)) throw new BridleError("OUTPUT_IN_USE", { folder, pid });
      // Its holder was killed.
      await rm(file, { force: true });
    }
  }
  throw new BridleError("OUTPUT_IN_USE", { folder, pid: "unknown" });
}
