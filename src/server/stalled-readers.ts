// Ends answers that nobody reads on, which would hold their connection, and a server that is to stop, for as long as they like.
import type { ServerResponse } from "node:http";

/**
 * Ends the connection of a caller who does not read on, so that what is left of the answer cannot be sent.
 * @param idleMs how long he may pause
 * @param deadlineAt when the request's time is over, by performance.now(): until then he may in any case
 */
export function endWhereStalled(
  outgoing: ServerResponse,
  idleMs: number,
  deadlineAt: number,
): void {
  outgoing.setTimeout(idleMs, () => {
    // Where nothing waits to be read, the answer is still being made.
    if ((outgoing.socket?.writableLength ?? 0) === 0) return;
    if (performance.now() < deadlineAt) outgoing.setTimeout(idleMs);
    else outgoing.destroy();
  });
  // Ahead of Node's own listener, which then says how long an idle connection is kept.
  outgoing.prependOnceListener("finish", () => outgoing.setTimeout(0));
}
