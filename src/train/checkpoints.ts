// Checkpoints of a run: everything that must be kept to go on as if nothing had happened, each whole or not there.
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../errors/error.js";
import { readSafetensorsHeader } from "../model/checkpoint/safetensors.js";
import { writeSafetensors } from "../model/checkpoint/write.js";
import type { Tensor } from "../runtime/tensor.js";
import { readFully } from "../runtime/weights.js";
import { syncFolder } from "../text/files/sync-files.js";
import { writeAtomically, writeFailed } from "../text/files/write-atomically.js";
import type { EvaluationReport } from "./events.js";
import type { Tensors } from "./tensor-memory.js";

/** Where a run stands besides its tensors. */
export interface Progress {
  /** Steps done. */
  readonly step: number;
  /** Evaluations since the best one, and the best one's figure; lower is better. */
  readonly sinceBest: number;
  readonly best: number | null;
  /** The last evaluation. */
  readonly last: EvaluationReport | null;
  /** Whether the step is to be evaluated still, before the next one; absent where it is not. */
  readonly evaluationPending?: true;
}

/** What decides a run: a checkpoint of another one must not be taken for this one's. */
export interface RunIdentity {
  /** Hash of everything that does. */
  readonly runHash: string;
  /** Parts of it, by which the error says what is another. */
  readonly startSha256: string;
  readonly threads: number;
  /** What it runs on; checkpoints of earlier versions do not say. */
  readonly device?: string;
}

interface Saved extends RunIdentity {
  readonly version: 1;
  readonly progress: Progress;
}

type State = Readonly<Record<string, Tensors>>;

const pattern = /^step-(\d+)$/;
const tensorsFile = "state.safetensors";
const progressFile = "progress.json";

/** The checkpoints in a folder of a run. */
export class Checkpoints {
  private readonly folder: string;
  private readonly run: RunIdentity;
  private readonly keep: number;

  constructor(folder: string, run: RunIdentity, keep: number) {
    this.folder = folder;
    this.run = run;
    this.keep = keep;
  }

  /** Steps of the checkpoints there are, latest first. */
  private async steps(): Promise<number[]> {
    const names = await readdir(this.folder).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT") return [];
      throw cause;
    });
    return names
      .flatMap((name) => pattern.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => b - a);
  }

  private path(step: number): string {
    return join(this.folder, `step-${step}`);
  }

  /**
   * Writes a checkpoint beside its place and moves it there whole, then drops those that are no longer kept; where its evaluation
   * is pending, `amend` drops them.
   * @throws WRITE_FAILED, as when the disk is full; the checkpoints that were there stay
   */
  async save(state: State, progress: Progress): Promise<string> {
    const target = this.path(progress.step);
    const temporary = `${target}.tmp`;
    const tensors = new Map<string, Tensor<"float32">>();
    for (const [part, of] of Object.entries(state)) {
      for (const [name, tensor] of of) tensors.set(`${part}/${name}`, tensor);
    }
    try {
      await mkdir(this.folder, { recursive: true });
      await this.sweep();
      await mkdir(temporary);
      await writeSafetensors(join(temporary, tensorsFile), tensors);
      await this.writeProgress(join(temporary, progressFile), progress);
      await syncFolder(temporary);
      const replaced = await this.hide(progress.step);
      await rename(temporary, target);
      await syncFolder(this.folder);
      await rm(replaced, { recursive: true, force: true });
      if (!progress.evaluationPending) await this.dropOld();
    } catch (cause) {
      await rm(temporary, { recursive: true, force: true }).catch(() => {});
      throw writeFailed(cause, target);
    }
    return target;
  }

  /**
   * Says anew where a run stands, in the checkpoint of that step, whose tensors stay as they are; then drops those that are no
   * longer kept.
   * @throws WRITE_FAILED; the checkpoint stays as it was
   */
  async amend(progress: Progress): Promise<void> {
    const target = this.path(progress.step);
    try {
      await this.sweep();
      // Beside the checkpoint, so that one that can be seen never holds half a file.
      const temporary = `${target}.progress.tmp`;
      await this.writeProgress(join(target, progressFile), progress, temporary);
      await this.dropOld();
    } catch (cause) {
      throw writeFailed(cause, target);
    }
  }

  private async writeProgress(file: string, progress: Progress, temporary?: string): Promise<void> {
    const saved: Saved = { version: 1, ...this.run, progress };
    const text = `${JSON.stringify(saved)}\n`;
    await writeAtomically(file, (handle) => handle.writeFile(text), temporary);
  }

  /** Takes back the checkpoint of a step, where there is one: a run goes on from the one before it. */
  async withdraw(step: number): Promise<void> {
    await this.drop(step);
  }

  private async dropOld(): Promise<void> {
    for (const step of (await this.steps()).slice(this.keep)) await this.drop(step);
  }

  private async drop(step: number): Promise<void> {
    await rm(await this.hide(step), { recursive: true, force: true });
  }

  /** Takes a checkpoint out of sight before its files go, so that one that can be seen is whole. @returns where it is then */
  private async hide(step: number): Promise<string> {
    const hidden = `${this.path(step)}.dropped.tmp`;
    await rename(this.path(step), hidden).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== "ENOENT") throw cause;
    });
    return hidden;
  }

  /** Removes what a run that was killed left half-written or half-removed. */
  private async sweep(): Promise<void> {
    for (const name of await readdir(this.folder)) {
      if (name.endsWith(".tmp"))
        await rm(join(this.folder, name), { recursive: true, force: true });
    }
  }

  /**
   * Fills the state from the latest checkpoint, or answers undefined when there is none.
   * @throws CHECKPOINT_MISMATCH when it is of another run, model or optimizer; WEIGHTS_CORRUPT
   */
  async restore(state: State): Promise<Progress | undefined> {
    const [latest] = await this.steps();
    if (latest === undefined) return undefined;
    const folder = this.path(latest);
    const saved = await readSaved(join(folder, progressFile));
    if (saved.runHash !== this.run.runHash) {
      throw new BridleError("CHECKPOINT_MISMATCH", { folder, reason: differing(saved, this.run) });
    }
    await fill(folder, state);
    return saved.progress;
  }
}

/** In what a checkpoint is of another run. */
function differing(saved: Partial<RunIdentity>, now: RunIdentity): string {
  if (saved.startSha256 === undefined) return "it was made by an earlier version of Bridle";
  if (saved.startSha256 !== now.startSha256)
    return "it is of a run that started from another model";
  if (saved.threads !== now.threads) {
    return `it was made with ${saved.threads} threads, now there are ${now.threads}, which add numbers up in another order (train.threads=${saved.threads} goes on with as many as then)`;
  }
  if (saved.device !== undefined && saved.device !== now.device) {
    return `it was made on ${saved.device}, and this is ${now.device}, which rounds numbers otherwise`;
  }
  return "it is of a run with another configuration or other data";
}

async function readSaved(file: string): Promise<Saved> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Saved;
  } catch (cause) {
    throw new BridleError("FILE_INVALID", { file, reason: (cause as Error).message }, { cause });
  }
}

async function fill(folder: string, state: State): Promise<void> {
  const file = join(folder, tensorsFile);
  const stored = await readSafetensorsHeader(file);
  const handle = await open(file, "r");
  try {
    for (const [part, tensors] of Object.entries(state)) {
      for (const [name, { data, shape }] of tensors) {
        const found = stored.get(`${part}/${name}`);
        if (found === undefined || found.shape.join() !== shape.join()) {
          throw new BridleError("CHECKPOINT_MISMATCH", {
            folder,
            reason: `${part} of ${name} is ${found ? `[${found.shape}]` : "missing"}, [${shape}] is needed`,
          });
        }
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        await readFully(handle, file, bytes, found.offset);
      }
    }
  } finally {
    await handle.close();
  }
}
