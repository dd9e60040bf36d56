// Tries documents of a pile again where what failed them is how things are, and not what they are.
import { setTimeout as sleep } from "node:timers/promises";
import { toBridleError } from "../errors/error.js";

const mostTries = 4;
const firstPauseMs = 500;

/**
 * Does a piece of work, and does it again after a pause, up to four times in all, where it fails for being busy or for something
 * that is not there just now, as memory or a thread.
 * @throws what the last try throws; what a try throws whose signal has fired is told at once
 */
export async function withPatience<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (thrown) {
      const { kind } = toBridleError(thrown);
      const passes = kind === "busy" || kind === "unavailable";
      if (!passes || tries === mostTries || signal?.aborted) throw thrown;
      await sleep(firstPauseMs * 2 ** tries, undefined, signal && { signal }).catch(() => {});
      if (signal?.aborted) throw thrown;
    }
  }
}
