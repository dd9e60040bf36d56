// Goes on trying while the database is busy or away, which comes to an end by itself.
import { setTimeout as sleep } from "node:timers/promises";
import { toBridleError } from "../../errors/error.js";

const firstPauseMs = 50;
const longestPauseMs = 5000;

/**
 * Does work until the database takes it.
 * @param onWait told once where it has to wait
 * @throws what else the work throws, and the signal's reason once that fires
 */
export async function persistently<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal | undefined,
  onWait?: (reason: string) => void,
): Promise<Result> {
  for (let pause = firstPauseMs; ; pause = Math.min(longestPauseMs, pause * 2)) {
    try {
      return await work();
    } catch (thrown) {
      signal?.throwIfAborted();
      const { code, message } = toBridleError(thrown);
      if (code !== "DATABASE_BUSY" && code !== "DATABASE_UNAVAILABLE") throw thrown;
      if (pause === firstPauseMs) onWait?.(message);
      await sleep(pause, undefined, signal && { signal }).catch(() => signal?.throwIfAborted());
    }
  }
}
