// Opens the repository a command runs in, and shows how far its work is.
import { existsSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import type { StepOptions, StepProgress } from "../data/dvc/add.js";
import type { DvcRepository } from "../data/dvc/repository.js";
import { openProgress, type Progress } from "./progress.js";
import type { Terminal } from "./terminal.js";

/** What a command works with: the repository and what it hands on to the work. */
export interface OpenRepository {
  readonly repository: DvcRepository;
  /** The folder the command was typed in. */
  readonly folder: string;
  readonly steps: StepOptions;
  readonly env: NodeJS.ProcessEnv;
}

const words = {
  hash: "hashed",
  place: "placed",
  push: "pushed",
  fetch: "fetched",
  delete: "deleted",
} as const satisfies Record<StepProgress["step"], string>;

/** Below this much a step is over before anybody reads of it. */
const shownBytes = 50_000_000;
const shownFiles = 2000;

/**
 * @param at a folder in the repository (default: the one the command was typed in)
 * @throws DVC_REPO_NOT_FOUND and what the work throws
 */
export async function withRepository<Result>(
  terminal: Terminal,
  work: (open: OpenRepository) => Promise<Result>,
  at = process.cwd(),
): Promise<Result> {
  const { DvcRepository } = await import("../data/dvc/repository.js");
  const env = { ...terminal.env };
  const folder = process.cwd();
  const repository = await DvcRepository.open(at, { env });
  const display = createDisplay(terminal);
  try {
    const steps = { signal: terminal.signal, onProgress: display.update };
    return await work({ repository, folder, steps, env });
  } finally {
    await display.stop();
    await repository.close();
  }
}

function createDisplay(terminal: Terminal): {
  readonly update: (progress: StepProgress) => void;
  stop(): Promise<void>;
} {
  let open: { readonly step: StepProgress["step"]; readonly progress: Progress } | undefined;
  let shown = Promise.resolve();
  const show = async (state: StepProgress): Promise<void> => {
    const { step, files, fileCount, bytes, sizeBytes } = state;
    if (sizeBytes < shownBytes && fileCount < shownFiles) return;
    if (open?.step !== step) {
      open?.progress.stop();
      open = { step, progress: await openProgress(terminal, `files ${words[step]}`) };
    }
    const byBytes = sizeBytes > 0;
    const megabytes = `${(bytes / 1e6).toFixed(0)} of ${(sizeBytes / 1e6).toFixed(0)} MB`;
    open.progress.update({
      done: byBytes ? bytes : files,
      total: byBytes ? sizeBytes : fileCount,
      items: files,
      itemsInAll: files,
      note: megabytes,
    });
  };
  return {
    update: (state) => {
      shown = shown.then(() => show(state));
    },
    async stop() {
      await shown;
      open?.progress.stop();
    },
  };
}

/** Targets as typed: paths become ones from the root, names of stages stay. */
export function targetsOf(
  { repository, folder }: OpenRepository,
  typed: readonly string[],
): string[] {
  // A name of a stage is no path; one that is both a path and a stage means the path.
  const isThere = (place: string) => existsSync(place) || existsSync(`${place}.dvc`);
  return typed
    .map((each) => {
      // `train`'s item `train@0`, `dvc.yaml:train`, `:train`; file names may have such signs too.
      const mayBeStage = /^[^/\\]*@|^:|\.ya?ml:/.test(each);
      if (mayBeStage && !isThere(path.resolve(folder, each))) return each;
      return repository.pathOf(each, folder) || ".";
    })
    .filter((each) => each !== ".");
}

/** `5 files modified, 1 file added and 1 file deleted`; empty where nothing was done. */
export function countText(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} file${count === 1 ? "" : "s"} ${what}`);
  return parts.length > 1
    ? `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`
    : (parts[0] ?? "");
}

export function sizeText(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
