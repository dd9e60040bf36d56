// Files of objects that have come in part: each has one owner, and what an owner that is gone left is gone on with.
import { readdir, rename, rm, stat } from "node:fs/promises";
import nodePath from "node:path";
import { systemCode, writeError } from "../../errors/file-errors.js";
import { isRunning } from "../../runtime/living-process.js";
import type { ObjectRef } from "./object-hash.js";
import { host, staleMs } from "./scratch.js";

/** Names that this process writes to now: several of its transfers may share a cache. */
const held = new Set<string>();
let counter = 0;

export interface PartFiles {
  /** A file for an object that nobody else writes to, with what of it came before. It is made when it is first opened. */
  take(ref: ObjectRef): Promise<string>;
  /** Leaves a file, whole or not, to whoever asks for its object next. */
  giveBack(part: string): void;
}

/** The parts in a cache's folder for files that are not yet whole; the folder is listed once. */
export async function partFiles(folder: string): Promise<PartFiles> {
  const names = new Map<string, string[]>();
  for (const name of await readdir(folder)) {
    const stem = /^([0-9a-f]{32}(?:\.dir)?(?:\.dvc2)?)\..*part$/.exec(name)?.[1];
    if (stem !== undefined) names.set(stem, [...(names.get(stem) ?? []), name]);
  }
  return {
    async take(ref) {
      // DVC 2 and 3 hash a file differently, so that one id may mean two contents.
      const stem = ref.hashName === "md5" ? ref.id : `${ref.id}.dvc2`;
      const part = nodePath.join(folder, `${stem}.${host}.${process.pid}-${++counter}.part`);
      held.add(part);
      let isFound = false;
      for (const name of names.get(stem) ?? []) {
        const left = nodePath.join(folder, name);
        if (!(await isLeft(name.slice(stem.length + 1), left))) continue;
        if (isFound) await rm(left, { force: true });
        else isFound = await takeOver(left, part);
      }
      return part;
    },
    giveBack: (part) => void held.delete(part),
  };
}

/** Whether nobody writes to a part any more. */
async function isLeft(rest: string, file: string): Promise<boolean> {
  const [, machine, pid] = /^([0-9a-f]{8})\.(\d+)-\d+\.part$/.exec(rest) ?? [];
  if (machine === host) {
    return Number(pid) === process.pid ? !held.has(file) : !isRunning(Number(pid));
  }
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && found.mtimeMs < Date.now() - staleMs;
}

/** Of several who want a part the one whose rename succeeds has it. */
async function takeOver(left: string, part: string): Promise<boolean> {
  try {
    await rename(left, part);
    return true;
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return false;
    throw writeError(thrown, left);
  }
}
