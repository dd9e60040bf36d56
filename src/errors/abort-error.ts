// Says why work was given up: from an AbortSignal's reason to an error a user can act on.
import { BridleError } from "./error.js";

/**
 * The error for a signal that was aborted: its reason where that is a BridleError, DEADLINE_EXCEEDED for a TimeoutError,
 * else CANCELLED.
 * @param startedAt when the work began, in `performance.now()`'s milliseconds
 */
export function abortError(signal: AbortSignal, startedAt: number): BridleError {
  const { reason } = signal;
  if (reason instanceof BridleError) return reason;
  if (reason instanceof Error && reason.name === "TimeoutError") {
    // The signal does not tell its deadline; the time that passed is that, to a few ms.
    const timeoutMs = Math.round(performance.now() - startedAt);
    return new BridleError("DEADLINE_EXCEEDED", { timeoutMs }, { cause: reason });
  }
  return new BridleError("CANCELLED", {}, { cause: reason });
}
