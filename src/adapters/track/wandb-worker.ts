// The process in which W&B's package runs: it ends with what it cannot do, and takes over signals, so that no training may
// share a process with it. It knows an address on this machine alone, and no key.
import type { FromWandbWorker, ToWandbWorker } from "./wandb-process.js";

/** As far as it is used. */
interface WandbRun {
  log(values: Record<string, unknown>): void;
  finish(code?: number): Promise<void>;
}
interface Wandb {
  init(options: object): Promise<WandbRun>;
}

let loaded: Promise<Wandb> | undefined;

/** Whose process this is for has ended, also where it was killed. */
process.on("disconnect", () => process.exit(0));
holdSignals();
shortenWaits();

process.on("message", (work: ToWandbWorker) => {
  tell(work).then(
    () => answer({ type: "told" }),
    (thrown) => answer({ type: "failed", reason: String(thrown) }),
  );
});

function answer(message: FromWandbWorker): void {
  process.send?.(message);
}

/**
 * Ctrl-C in a terminal reaches all its processes; when this one ends is for the training to say. The package would end it, and listens
 * from the middle of its `init` on: it is not let to.
 */
function holdSignals(): void {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, () => {});
  const held = new Set<unknown>([...signals, "beforeExit"]);
  for (const listen of ["on", "once"] as const) {
    const heard = process[listen].bind(process) as (...asked: unknown[]) => NodeJS.Process;
    const deaf = (...asked: unknown[]) => (held.has(asked[0]) ? process : heard(...asked));
    Object.assign(process, { [listen]: deaf });
  }
}

/**
 * The package looks for work once a second; nothing else waits here, and whoever does should not wait for that. It also takes
 * what has not come within 100 ms for nothing: what is on its way comes first here, also on a machine that is busy.
 */
function shortenWaits(): void {
  const wait = globalThis.setTimeout;
  const shorter = (done: (...rest: unknown[]) => void, ms = 0, ...rest: unknown[]) =>
    wait(() => setImmediate(() => done(...rest)), ms < 1000 ? ms : 25);
  globalThis.setTimeout = Object.assign(shorter, wait) as typeof setTimeout;
}

async function tell({ run, rows, exitCode, ...settings }: ToWandbWorker): Promise<void> {
  loaded ??= import("@wandb/sdk").then(({ default: wandb }) => wandb as unknown as Wandb);
  const wandb = await loaded;
  const begun = await wandb.init({ ...run, settings: { ...settings, silent: true } });
  for (const row of rows) begun.log({ ...row });
  await begun.finish(exitCode);
}
