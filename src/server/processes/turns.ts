// One after the other: processes that share a machine's memory open a version beside the one that answers in turns.
import { createDeferred } from "../deferred.js";

export interface Turns {
  /** Waits for those who asked before to be done. @returns what ends the turn */
  take(): Promise<() => void>;
}

/** A queue in the order of asking; each turn has to be ended for the next to begin. */
export function createTurns(): Turns {
  let last = Promise.resolve();
  return {
    async take() {
      const before = last;
      const mine = createDeferred();
      last = mine.promise;
      await before;
      return mine.resolve;
    },
  };
}
