// Checkpoints of a run: everything that must be kept to go on as if nothing had happened, each whole or not there.
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../errors/error.js";
import { readSafetensorsHeader } from "../model/checkpoint/safetensors.js";
import { writeSafetensors } from "../model/checkpoint/write.js";
import type { Tensor } from "../runtime/tensor.js";
import { readFully } from "../runtime/weights.js";
import { writeAtomically } from "../text/files/write-atomically.js";
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
}

interface Saved {
  readonly version: 1;
  /** Hash of what decides the run: a checkpoint of another run must not be taken for this one's. */
  readonly runHash: string;
  readonly progress: Progress;
}

type State = Readonly<Record<string, Tensors>>;

const pattern = /^step-(\d+)$/;
const tensorsFile = "state.safetensors";
const progressFile = "progress.json";

/** The checkpoints in a folder of a run. */
export class Checkpoints {
  private readonly folder: string;
  private readonly runHash: string;
  private readonly keep: number;

  constructor(folder: string, runHash: string, keep: number) {
    this.folder = folder;
    this.runHash = runHash;
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
   * Writes a checkpoint beside its place and moves it there whole, then drops those that are no longer kept.
   * @throws WRITE_FAILED, as when the disk is full; the checkpoints that were there stay
   */
  async save(state: State, progress: Progress): Promise<string> {
    const target = this.path(progress.step);
    const temporary = `${target}.tmp`;
    const tensors = new Map<string, Tensor<"float32">>();
    for (const [part, of] of Object.entries(state)) {
      for (const [name, tensor] of of) tensors.set(`${part}/${name}`, tensor);
    }
    const saved: Saved = { version: 1, runHash: this.runHash, progress };
    try {
      await mkdir(this.folder, { recursive: true });
      await this.sweep();
      await mkdir(temporary);
      await writeSafetensors(join(temporary, tensorsFile), tensors);
      await writeAtomically(join(temporary, progressFile), (handle) =>
        handle.writeFile(`${JSON.stringify(saved)}\n`),
      );
      await syncFolder(temporary);
      await this.drop(progress.step);
      await rename(temporary, target);
      await syncFolder(this.folder);
      for (const step of (await this.steps()).slice(this.keep)) await this.drop(step);
    } catch (cause) {
      await rm(temporary, { recursive: true, force: true }).catch(() => {});
      if (cause instanceof BridleError) throw cause;
      throw new BridleError(
        "WRITE_FAILED",
        { file: target, reason: (cause as Error).message },
        { cause },
      );
    }
    return target;
  }

  /** Takes a checkpoint out of sight before its files go, so that one that can be seen is whole. */
  private async drop(step: number): Promise<void> {
    const dropped = `${this.path(step)}.dropped.tmp`;
    try {
      await rename(this.path(step), dropped);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return;
      throw cause;
    }
    await rm(dropped, { recursive: true, force: true });
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
    if (saved.runHash !== this.runHash) {
      throw new BridleError("CHECKPOINT_MISMATCH", {
        folder,
        reason: "it is of a run with another configuration or other data",
      });
    }
    await fill(folder, state);
    return saved.progress;
  }
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

/** Makes a folder's entries last. Some systems open no folders; there nothing more can be done. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
