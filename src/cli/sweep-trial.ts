// Starts the process of a trial.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Its errors are piped, so that what a crash says can be told. */
export function startTrialProcess(): ChildProcess {
  const file = fileURLToPath(new URL("./sweep-trial-worker.js", import.meta.url));
  return fork(file, [], { stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv: [] });
}
