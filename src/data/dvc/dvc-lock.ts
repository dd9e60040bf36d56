// dvc's own lock of a repository, which Node cannot take by itself: the system's flock program holds it for us.
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { abortError } from "../../errors/abort-error.js";
import { BridleError } from "../../errors/error.js";

export interface DvcLock {
  release(): Promise<void>;
}

const pollMs = 100;

/**
 * Takes the lock that every command of dvc takes, `.dvc/tmp/lock`. It is given back with this process, however that ends.
 * @param waitMs how long dvc's work is waited for
 * @returns undefined where it cannot be taken here: there is no flock program, or the file system knows no such locks
 * @throws DVC_REPO_BUSY, CANCELLED
 */
export async function takeDvcLock(
  file: string,
  {
    waitMs = 5000,
    signal,
  }: { readonly waitMs?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<DvcLock | undefined> {
  const started = performance.now();
  for (;;) {
    if (signal?.aborted) throw abortError(signal, started);
    const taken = await tryTake(file);
    if (taken !== "busy") return taken;
    if (performance.now() - started >= waitMs) {
      const pid = (await readFile(file, "utf8").catch(() => "")).trim() || "unknown";
      throw new BridleError("DVC_REPO_BUSY", { pid, host: hostname(), command: "dvc", file });
    }
    await sleep(pollMs);
  }
}

/** `cat` lives until its input ends, which it does with this process, and its answer says that the lock is there. */
function tryTake(file: string): Promise<DvcLock | "busy" | undefined> {
  return new Promise((resolve) => {
    // In a group of its own: an interrupt of the terminal is for this process, which ends its work first.
    const holder = spawn("flock", ["-x", "-n", file, "cat"], { detached: true, stdio: "pipe" });
    const ended = new Promise<void>((done) => holder.once("close", () => done()));
    let complaint = "";
    holder.stderr.on("data", (text) => {
      complaint += text;
    });
    holder.once("error", () => resolve(undefined));
    // Somebody else holding it is told by this code alone; any other trouble is told in words.
    holder.once("close", (code) => resolve(code === 1 && complaint === "" ? "busy" : undefined));
    holder.stdout.once("data", () =>
      resolve({
        release: async () => {
          holder.stdin.end();
          await ended;
        },
      }),
    );
    // What ended without reading is told by its exit.
    holder.stdin.on("error", () => {});
    holder.stdin.write("\n");
  });
}
