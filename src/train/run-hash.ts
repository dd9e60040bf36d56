// One hash of everything that decides a run's weights, by which a checkpoint is known to be of this very run.
import type { RunConfig } from "../config/run-config.js";
import type { Device } from "../runtime/devices.js";
import { sha256 } from "./trained-model.js";

/** What decides a run besides its configuration. */
export interface RunCircumstances {
  /** What it runs on, whatever the configuration asked for. */
  readonly device: Device;
  readonly threads: number;
  readonly startSha256: string;
  /** SHA-256 of the files of data, in their order. */
  readonly dataHashes: readonly string[];
}

/** @param config with the version that an alias meant */
export function hashRun(config: RunConfig, circumstances: RunCircumstances): string {
  const { device, threads, startSha256, dataHashes } = circumstances;
  // How many threads there are decides, not whether the configuration said so.
  const {
    output: _,
    logEvery: __,
    keepCheckpoints: ___,
    threads: ____,
    ...decisive
  } = config.train;
  // Where nobody chose, the CPU goes unsaid, as in the hashes of checkpoints from before this was asked.
  const isChosen = decisive.device === "auto" && device !== "cpu";
  return sha256(
    JSON.stringify({
      ...config,
      train: decisive,
      data: { ...config.data, hashes: dataHashes },
      threads,
      startSha256,
      ...(isChosen && { device }),
    }),
  );
}
