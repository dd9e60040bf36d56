// Who listens to what goes on here: no more at once than the server has been told, and none of them holds its end back.
import type { ServerResponse } from "node:http";
import { BridleError } from "../errors/error.js";

export interface Listeners {
  /**
   * Lets somebody listen until the answer is over.
   * @param onEnd called where the server ends first
   * @returns to be called when the answer is over
   * @throws LISTENERS_FULL
   */
  add(outgoing: ServerResponse, onEnd: () => void): () => void;
  /** Ends all of them: those who read hear it, and those who do not are cut off. */
  endAll(): void;
}

/** Whoever reads at all has read the end by then. */
const lingerMs = 1000;
/** When somebody may have left. */
const retryAfterS = 10;

export function createListeners(limit: number): Listeners {
  const listening = new Map<ServerResponse, () => void>();
  return {
    add(outgoing, onEnd) {
      if (listening.size >= limit) throw new BridleError("LISTENERS_FULL", { limit, retryAfterS });
      listening.set(outgoing, onEnd);
      return () => listening.delete(outgoing);
    },
    endAll() {
      for (const [outgoing, onEnd] of listening) {
        onEnd();
        setTimeout(() => {
          if (!outgoing.writableFinished) outgoing.destroy();
        }, lingerMs).unref();
      }
    },
  };
}
