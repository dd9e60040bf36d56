// Tries documents of a pile again where what failed them is how things are, and not what they are.
import { setTimeout as sleep } from "node:timers/promises";
import { toBridleError } from "../errors/error.js";

const mostTries = 4;
/** Where so many in a row have lost whoever worked on them alone, it is no document's doing, and others need not wait for each other. */
const mostLostInARow = 3;

/** Who works on a document is gone: it may be the document that has ended it, or one beside it. */
const lost: ReadonlySet<string> = new Set(["WORKER_FAILED", "WORKER_LOST"]);
/** What has fewer reasons to fail with nothing beside it. */
const betterAlone: ReadonlySet<string> = new Set([...lost, "RUN_MEMORY_SHORT"]);

/**
 * Does a piece of work, and does it again after a pause, up to four times in all, where it fails for being busy or for something
 * that is not there just now, as memory or a thread.
 * @throws what the last try throws; what a try throws whose signal has fired is told at once
 */
export type Patience = <Result>(
  work: () => Promise<Result>,
  signal: AbortSignal | undefined,
) => Promise<Result>;

/**
 * Patience with the pieces of one pile. Those that have lost who worked on them, or found no memory, are tried again one at a time, with nothing of the
 * pile beside them: one that ends whoever works on it does not take the others along each time.
 * @param firstPauseMs twice as long before the first try anew, and each time twice as long again
 */
export function createPatience(firstPauseMs = 500): Patience {
  const turns = createTurns();
  let lostInARow = 0;
  return async (work, signal) => {
    let needsQuiet = false;
    for (let tries = 1; ; tries++) {
      const isAlone = needsQuiet && lostInARow < mostLostInARow;
      try {
        const done = await turns(isAlone, () => {
          // Who has waited for a turn may have been stopped meanwhile.
          signal?.throwIfAborted();
          return work();
        });
        lostInARow = 0;
        return done;
      } catch (thrown) {
        const { kind, code } = toBridleError(thrown);
        const passes = kind === "busy" || kind === "unavailable";
        if (!passes || tries === mostTries || signal?.aborted) {
          if (isAlone && lost.has(code)) lostInARow += 1;
          throw thrown;
        }
        needsQuiet ||= betterAlone.has(code);
        await sleep(firstPauseMs * 2 ** tries, undefined, signal && { signal }).catch(() => {});
        if (signal?.aborted) throw thrown;
      }
    }
  };
}

/** Runs work beside other work, or alone: then it waits for what has begun, and what comes after waits for it. */
function createTurns() {
  let running = 0;
  let isTaken = false;
  const waiting: { readonly isAlone: boolean; begin(): void }[] = [];
  const admit = (): void => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (isTaken || (next.isAlone && running > 0)) return;
      waiting.shift();
      running += 1;
      isTaken = next.isAlone;
      next.begin();
    }
  };
  return async <Result>(isAlone: boolean, work: () => Promise<Result>): Promise<Result> => {
    await new Promise<void>((begin) => {
      waiting.push({ isAlone, begin });
      admit();
    });
    try {
      return await work();
    } finally {
      running -= 1;
      if (isAlone) isTaken = false;
      admit();
    }
  };
}
