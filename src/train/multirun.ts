// Trains one run for each combination of values, each in a folder of its own, and keeps a record of all of them.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { resolveRunConfig } from "../config/load.js";
import { expandRuns } from "../config/multirun.js";
import type { RunConfig } from "../config/run-config.js";
import { BridleError, toBridleError } from "../errors/error.js";
import { systemCode } from "../errors/file-errors.js";
import { writeAtomically } from "../text/files/write-atomically.js";
import type { EvaluationReport, TrainEvent } from "./events.js";
import { type TrainOptions, type TrainResult, train } from "./loop.js";
import { openRunFolder } from "./run-folder.js";
import { sha256 } from "./trained-model.js";

export const multirunFile = "multirun.json";

/** One run of several, as the record keeps it. */
export interface RunOfSeveral {
  readonly number: number;
  readonly folder: string;
  /** The words that tell it from the others. */
  readonly words: readonly string[];
  /** Options of groups it is made of. */
  readonly choices: Readonly<Record<string, string>>;
  /** Resolved, every default filled in. */
  readonly config: RunConfig;
  readonly configSha256: string;
  readonly status: "waiting" | "running" | "done" | "failed";
  readonly step: number | null;
  readonly evaluation: EvaluationReport | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface MultirunRecord {
  readonly version: 1;
  readonly file: string | null;
  readonly words: readonly string[];
  readonly runs: readonly RunOfSeveral[];
}

export interface MultirunOptions extends Omit<TrainOptions, "onEvent"> {
  readonly onEvent?: (event: TrainEvent, run: RunOfSeveral) => void;
  /** Told before each run, and after it with what came of it. */
  readonly onRun?: (run: RunOfSeveral, result?: TrainResult) => void | Promise<void>;
}

/** Configurations of all runs, every one checked before the first is begun. */
async function planRuns(
  file: string | undefined,
  words: readonly string[],
): Promise<{ folder: string; runs: RunOfSeveral[] }> {
  const { runs, differing } = expandRuns(words);
  let folder = "";
  const planned: RunOfSeveral[] = [];
  for (const [number, each] of runs.entries()) {
    const { config, choices } = await resolveRunConfig(file, each);
    folder = config.train.output;
    const output = join(folder, String(number));
    const own = { ...config, train: { ...config.train, output } };
    planned.push({
      number,
      folder: output,
      words: differing[number]!,
      choices,
      config: own,
      configSha256: sha256(JSON.stringify(own)),
      status: "waiting",
      step: null,
      evaluation: null,
      error: null,
    });
  }
  return { folder, runs: planned };
}

async function readRecord(file: string): Promise<MultirunRecord | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw new BridleError("FILE_INVALID", { file, reason: (cause as Error).message }, { cause });
  }
  try {
    return JSON.parse(text) as MultirunRecord;
  } catch (cause) {
    throw new BridleError("FILE_INVALID", { file, reason: (cause as Error).message }, { cause });
  }
}

/** Refuses a folder of other runs, whose results these would be mixed with. */
function checkSame(folder: string, before: MultirunRecord | undefined, now: MultirunRecord): void {
  if (before === undefined) return;
  const hashes = ({ runs }: MultirunRecord) => runs.map(({ configSha256 }) => configSha256).join();
  if (hashes(before) === hashes(now)) return;
  const told = ({ file, words }: MultirunRecord) => [file ?? "no file", ...words].join(" ");
  throw new BridleError("MULTIRUN_CHANGED", { folder, before: told(before), now: told(now) });
}

/**
 * Trains every combination of the words' values, one after the other; run n's folder is n in train.output, and
 * multirun.json there has each one's resolved configuration and what came of it. One that fails does not stop the others.
 * Called again, it goes on where it was interrupted.
 * @throws what resolving and expanding the configuration throws, before anything is begun; MULTIRUN_CHANGED; MULTIRUN_FAILED once
 *   all have run; OUTPUT_IN_USE; WRITE_FAILED; CANCELLED
 */
export async function trainSeveral(
  file: string | undefined,
  words: readonly string[],
  options: MultirunOptions = {},
): Promise<MultirunRecord> {
  const { folder, runs } = await planRuns(file, words);
  const held = await openRunFolder(folder);
  try {
    const onEvent: MultirunOptions["onEvent"] = (event, run) => {
      void held.touch().catch(() => {});
      options.onEvent?.(event, run);
    };
    return await trainEach(folder, runs, { file: file ?? null, words }, { ...options, onEvent });
  } finally {
    await held.release();
  }
}

async function trainEach(
  folder: string,
  runs: readonly RunOfSeveral[],
  asked: Pick<MultirunRecord, "file" | "words">,
  { onEvent, onRun, ...options }: MultirunOptions,
): Promise<MultirunRecord> {
  const recordPath = join(folder, multirunFile);
  let record: MultirunRecord = { version: 1, ...asked, runs };
  checkSame(folder, await readRecord(recordPath), record);
  const note = async (number: number, change: Partial<RunOfSeveral>): Promise<RunOfSeveral> => {
    const changed = { ...record.runs[number]!, ...change };
    record = { ...record, runs: record.runs.with(number, changed) };
    await writeAtomically(recordPath, (handle) =>
      handle.writeFile(`${JSON.stringify(record, null, 2)}\n`),
    );
    return changed;
  };
  for (const { number, config } of runs) {
    const run = await note(number, { status: "running" });
    await onRun?.(run);
    try {
      const result = await train(config, {
        ...options,
        ...(onEvent && { onEvent: (event: TrainEvent) => onEvent(event, run) }),
      });
      const { step, evaluation } = result.record;
      const done = await note(number, { status: "done", step, evaluation });
      await onRun?.(done, result);
    } catch (thrown) {
      const error = toBridleError(thrown);
      // What another trainer is at work on has not failed.
      if (["CANCELLED", "OUTPUT_IN_USE"].includes(error.code) || error.kind === "bug") throw thrown;
      const { code, message } = error;
      const failed = await note(number, { status: "failed", error: { code, message } });
      await onRun?.(failed);
    }
  }
  const failed = record.runs.filter(({ status }) => status === "failed");
  if (failed.length > 0) {
    throw new BridleError("MULTIRUN_FAILED", {
      failed: failed.length,
      runs: runs.length,
      first: `${failed[0]!.words.join(" ")}: ${failed[0]!.error?.message}`,
      record: recordPath,
    });
  }
  return record;
}
