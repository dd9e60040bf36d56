// Starts the process in which W&B's package runs, and has it tell things.
import { type ChildProcess, fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { BridleError } from "../../errors/error.js";

/** Something to tell: a run is begun there, or taken up, its rows are logged, and that ends. */
export interface ToWandbWorker {
  readonly baseUrl: string;
  /** What opens baseUrl, which is on this machine. */
  readonly apiKey: string;
  readonly run: {
    readonly id: string;
    readonly entity: string;
    readonly project: string;
    readonly name: string;
    readonly config: object;
  };
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly exitCode: number;
}

export type FromWandbWorker =
  | { readonly type: "told" }
  | { readonly type: "failed"; readonly reason: string };

export interface WandbProcess {
  /** Undefined while there is none. */
  readonly pid: number | undefined;
  /** Has something told; one at a time. @throws SINK_UNAVAILABLE where the process ends or falls silent over it */
  tell(work: ToWandbWorker): Promise<void>;
  close(): void;
}

/** Longer than its requests may take. */
const silentMs = 120_000;
/** How many letters are kept of what it says, and told of a line. */
const mostKept = 4000;
const mostSaid = 500;

/** @throws PEER_MISSING */
export function checkWandbPackage(): void {
  try {
    createRequire(import.meta.url).resolve("@wandb/sdk/package.json");
  } catch (cause) {
    const what = "Telling Weights & Biases of runs";
    throw new BridleError("PEER_MISSING", { what, package: "@wandb/sdk" }, { cause });
  }
}

/** Nothing is started before something is told; what ends is started again. */
export function openWandbProcess(sink: string): WandbProcess {
  let child: ChildProcess | undefined;
  const failure = (how: string) => {
    const reason = `its package @wandb/sdk ${how}`;
    return new BridleError("SINK_UNAVAILABLE", { sink, reason });
  };
  const forget = (gone: ChildProcess) => {
    if (child === gone) child = undefined;
    gone.kill("SIGKILL");
  };
  return {
    get pid() {
      return child?.pid;
    },
    async tell(work) {
      child ??= start(forget);
      const worker = child;
      hold(worker, true);
      const silent = AbortSignal.timeout(silentMs);
      try {
        await new Promise<void>((resolve, reject) => {
          endings.set(worker, (how) => reject(failure(how)));
          worker.once("message", (message: FromWandbWorker) => {
            if (message.type === "told") resolve();
            else reject(failure(`failed: ${message.reason.slice(0, mostSaid)}`));
          });
          silent.addEventListener("abort", () => reject(failure("does not end")));
          worker.send(work, (error) => {
            if (error !== null) reject(failure(`cannot be reached: ${error.message}`));
          });
        });
      } catch (thrown) {
        // In what state it is now, nobody knows.
        forget(worker);
        throw thrown;
      } finally {
        endings.delete(worker);
        worker.removeAllListeners("message");
        hold(worker, false);
      }
    },
    close() {
      if (child !== undefined) forget(child);
    },
  };
}

/** Who waits for something of a process is told how it ended. */
const endings = new WeakMap<ChildProcess, (how: string) => void>();

function start(forget: (gone: ChildProcess) => void): ChildProcess {
  const child = fork(fileURLToPath(new URL("./wandb-worker.js", import.meta.url)), [], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    execArgv: [],
    // Nothing of W&B's: neither the key nor what would lead it elsewhere.
    env: Object.fromEntries(
      ["PATH", "SystemRoot", "TEMP", "TMPDIR", "HOME", "USERPROFILE"].flatMap((name) => {
        const value = process.env[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
  });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-mostKept);
  });
  const end = (how: string) => {
    const line = said
      .split("\n")
      .find((each) => /error/i.test(each))
      ?.trim();
    endings.get(child)?.(line === undefined ? how : `${how}: ${line.slice(0, mostSaid)}`);
    forget(child);
  };
  child.on("error", (error) => end(`cannot be started: ${error.message}`));
  // When all that it said has come.
  child.on("close", (code, signal) =>
    end(signal === null ? `ended with code ${code}` : `was ended by ${signal}`),
  );
  return child;
}

/** Whether this process goes on for that one's sake. */
function hold(child: ChildProcess, isHeld: boolean): void {
  // A pipe, whatever its type says.
  const output = child.stderr as (NodeJS.ReadableStream & { ref(): void; unref(): void }) | null;
  for (const each of [child, child.channel, output]) {
    if (isHeld) each?.ref();
    else each?.unref();
  }
}
