// The output of a batch: lines appended in order and made durable, taken up again where a killed run left off.

import { createReadStream } from "node:fs";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import writeFileAtomic from "write-file-atomic";
import { readLines } from "../data/lines.js";
import { BridleError } from "../errors/error.js";
import { readError, systemCode, writeError } from "../errors/file-errors.js";
import { isHere, takeProcessLock } from "../runtime/process-lock.js";
import { findOutput } from "../text/files/write-output.js";

/** What decides every line of an output; two batches that agree in it give the same file. */
export interface BatchIdentity {
  readonly input: { readonly sizeBytes: number; readonly sha256: string };
  readonly model: string;
  readonly version: string;
  /** Parameters and column as JSON, with sorted keys. */
  readonly request: string;
}

export interface BatchOutput {
  /** Rows that earlier runs have finished. */
  readonly finishedRows: number;
  /** How many of these hold an error. */
  readonly failedRows: number;
  /** Appends lines, each without its line end; they are on disk once `sync` or `close` has returned. */
  append(lines: readonly string[]): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

const stateFormat = "bridle-batch-1";
/** Longest line that is read back; a longer one counts as torn. */
const longestLineBytes = 1_000_000_000;
/** A batch of another machine, whose process cannot be asked for, is gone after so long without a sign. */
const silentMs = 60_000;

/** The file beside an output that says which batch it belongs to. */
export function stateFile(output: string): string {
  return `${output}.state.json`;
}

/** The file beside an output that a running batch holds. */
export function lockFile(output: string): string {
  return `${output}.lock`;
}

/**
 * Opens the output for appending: new, or repaired and positioned after its last whole line.
 * @param named a link is followed, so that who names the file otherwise goes on with the same
 * @throws BATCH_RUNNING, BATCH_OUTPUT_EXISTS, BATCH_CHANGED, FILE_NOT_WRITABLE, also for what is no regular file
 */
export async function openBatchOutput(
  named: string,
  identity: BatchIdentity,
  options: { readonly overwrite?: boolean } = {},
): Promise<BatchOutput> {
  const output = await placeOf(named);
  const unlock = await lock(output);
  try {
    const begun = options.overwrite === true ? undefined : await checkBegun(output, identity);
    const handle = await open(output, begun ? "r+" : "w");
    try {
      if (!begun) {
        const state = JSON.stringify({ format: stateFormat, ...identity }, null, 2);
        await writeFileAtomic(stateFile(output), `${state}\n`);
      }
      const finished = begun ? await scan(output) : { rows: 0, failed: 0, sizeBytes: 0 };
      await handle.truncate(finished.sizeBytes);
      return appendTo(handle, output, finished, unlock);
    } catch (thrown) {
      await handle.close();
      throw thrown;
    }
  } catch (thrown) {
    await unlock();
    throw writeError(thrown, output);
  }
}

/** @throws FILE_NOT_WRITABLE */
async function placeOf(named: string): Promise<string> {
  const { file, isStream, found } = await findOutput(named).catch((thrown) => {
    throw writeError(thrown, named);
  });
  if (!isStream && !found?.isDirectory()) return file;
  const reason = isStream
    ? "it is no regular file, and a batch reads its results again to go on"
    : "it is a folder";
  const hint = "Name a file for the results; to see or pass them on, read that file.";
  throw new BridleError("FILE_NOT_WRITABLE", { file: named, reason }, { hint });
}

function appendTo(
  handle: FileHandle,
  output: string,
  finished: Finished,
  unlock: () => Promise<void>,
): BatchOutput {
  let position = finished.sizeBytes;
  const guard = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (thrown) {
      throw writeError(thrown, output);
    }
  };
  return {
    finishedRows: finished.rows,
    failedRows: finished.failed,
    append: (lines) =>
      guard(async () => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        for (let written = 0; written < bytes.length; ) {
          const { bytesWritten } = await handle.write(bytes, written, undefined, position);
          written += bytesWritten;
          position += bytesWritten;
        }
      }),
    sync: () => guard(() => handle.datasync()),
    close: () =>
      guard(async () => {
        try {
          await handle.datasync();
        } finally {
          await handle.close();
          await unlock();
        }
      }),
  };
}

/** Whether there is an output to go on with; false where there is nothing in it. */
async function checkBegun(output: string, identity: BatchIdentity): Promise<boolean> {
  const { found } = await findOutput(output);
  const state = await readState(output);
  if (!found?.size) return false;
  if (state === undefined) {
    throw new BridleError("BATCH_OUTPUT_EXISTS", { file: output });
  }
  const what = difference(state, identity);
  if (what !== undefined) throw new BridleError("BATCH_CHANGED", { file: output, what });
  return true;
}

function difference(state: BatchIdentity, identity: BatchIdentity): string | undefined {
  if (state.input?.sha256 !== identity.input.sha256) return "another input";
  if (state.model !== identity.model) return `the model ${state.model}`;
  if (state.version !== identity.version) return `version ${state.version} of the model`;
  if (state.request !== identity.request) return `other parameters (${state.request})`;
  return undefined;
}

async function readState(output: string): Promise<BatchIdentity | undefined> {
  try {
    const state = JSON.parse(await readFile(stateFile(output), "utf8"));
    return state?.format === stateFormat ? state : undefined;
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT" || thrown instanceof SyntaxError) return undefined;
    throw readError(thrown, stateFile(output));
  }
}

interface Finished {
  readonly rows: number;
  readonly failed: number;
  /** Where the last whole line ends, in bytes. */
  readonly sizeBytes: number;
}

/** Counts the whole lines at the head of an output; a crash may leave a torn line or a block of zeros behind them. */
async function scan(output: string): Promise<Finished> {
  let rows = 0;
  let failed = 0;
  let sizeBytes = 0;
  for await (const line of readLines(createReadStream(output), longestLineBytes)) {
    const row = line.ended && line.bytes !== undefined ? parse(line.bytes) : undefined;
    if (row?.index !== rows) break;
    rows += 1;
    if (row.error !== undefined) failed += 1;
    sizeBytes += line.sizeBytes;
  }
  return { rows, failed, sizeBytes };
}

function parse(bytes: Uint8Array): { index?: unknown; error?: unknown } | undefined {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
  } catch {
    return undefined;
  }
}

/** Keeps a second run off the same output; the lock of a run that was killed is taken over. */
async function lock(output: string): Promise<() => Promise<void>> {
  const file = lockFile(output);
  const taken = await takeProcessLock(file, { silentMs }).catch((thrown) => {
    // The name of the lock is ours, and what is wrong with it is wrong with the output's.
    throw writeError(thrown, output);
  });
  if ("lock" in taken) return taken.lock.release;
  const { pid, host: name } = taken.holder;
  const elsewhere = name === hostname() ? `${name}, in another container,` : name;
  const host = isHere(taken.holder) ? name : elsewhere || "another machine";
  throw new BridleError("BATCH_RUNNING", { file: output, lock: file, pid, host });
}
