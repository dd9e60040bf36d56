// Who may work now, who waits and who is sent away: bounded concurrency, a bounded queue and a bound on held bytes.
import { BridleError } from "../errors/error.js";
import { createDeferred } from "./deferred.js";
import { type Begun, createWorkTimes } from "./work-times.js";

export interface AdmissionLimits {
  /** Documents worked on at once, 1 or more. */
  readonly concurrency: number;
  /** Requests that may wait, 0 or more. */
  readonly queueLimit: number;
  /** Bytes of request bodies held at once. */
  readonly maxBufferedBytes: number;
}

/** A place among the working or the waiting. */
export interface Place {
  /**
   * Resolves when it is this place's turn; rejects with the signal's reason when that comes first, with
   * DEADLINE_OUT_OF_REACH where the turn comes too late for even quick work.
   */
  readonly turn: Promise<void>;
  /** Gives the place up; the next in line moves on. Calling it again does nothing. */
  leave(): void;
}

export interface Admission {
  readonly active: number;
  readonly waiting: number;
  readonly bufferedBytes: number;
  /** @throws BUSY when nobody else may wait; costs nothing, so that a full server answers before it reads a body */
  checkRoom(): void;
  /**
   * Takes a place, working or waiting.
   * @param leftMs how soon it must be done; whoever might wait in vain, by what was measured so far, is told at once
   * @throws BUSY when the queue is full, DEADLINE_OUT_OF_REACH
   */
  enter(signal: AbortSignal, leftMs?: number): Place;
  /** Does the work when its turn comes. @throws as enter, or the signal's reason */
  run<T>(signal: AbortSignal, work: () => Promise<T>, leftMs?: number): Promise<T>;
  /** Counts bytes that a request begins to hold. @throws TOO_MUCH_IN_FLIGHT */
  hold(bytes: number): void;
  /** Counts bytes that it holds no longer. */
  release(bytes: number): void;
}

interface Waiter {
  /** @returns false where its turn comes too late, which it is told */
  readonly start: () => boolean;
}

const mostRetryAfterS = 300;
/**
 * So many times as long as all that was measured says may it take, since a machine's pace can drop while somebody waits. A line
 * that is shorter for it does as much, as long as it is never empty.
 */
const unforeseen = 1.2;

/** @param now milliseconds of a clock that never goes back */
export function createAdmission(limits: AdmissionLimits, now = () => performance.now()): Admission {
  const line = new Set<Waiter>();
  const times = createWorkTimes(limits.concurrency, now);
  let bufferedBytes = 0;

  const inSeconds = (ms: number) => Math.min(mostRetryAfterS, Math.max(1, Math.ceil(ms / 1000)));

  /** Seconds until the line as it stands has been worked off, at the rate measured so far. */
  const retryAfterS = () =>
    inSeconds(((line.size + times.active + 1) * (times.pieceMs() ?? 1000)) / limits.concurrency);

  function busy(): BridleError {
    return new BridleError("BUSY", {
      queued: line.size,
      limit: limits.queueLimit,
      retryAfterS: retryAfterS(),
    });
  }

  function checkRoom(): void {
    if (times.active >= limits.concurrency && line.size >= limits.queueLimit) throw busy();
  }

  const hasFreePlace = () => times.active < limits.concurrency && line.size === 0;

  function outOfReach(neededMs: number, leftMs: number, retryAfterS: number): BridleError {
    return new BridleError("DEADLINE_OUT_OF_REACH", {
      neededS: Math.ceil(neededMs / 1000),
      leftS: Math.max(0, Math.round(leftMs / 100) / 10),
      retryAfterS,
    });
  }

  /**
   * Refuses whoever has to wait and might not be done in time.
   * @returns what it is expected to take; undefined where nothing is known yet
   * @throws DEADLINE_OUT_OF_REACH
   */
  function checkReach(leftMs: number): number | undefined {
    const expectedMs = times.expectMs(line.size + 1);
    if (expectedMs === undefined) return undefined;
    const neededMs = unforeseen * expectedMs * times.margin;
    // So much later the line is short enough.
    if (neededMs > leftMs) throw outOfReach(neededMs, leftMs, inSeconds(neededMs - leftMs));
    return expectedMs;
  }

  /** The next in line that can still be done in time takes the place of one that has ended. */
  function callNext(): void {
    for (const next of line) {
      line.delete(next);
      if (next.start()) return;
    }
  }

  function enter(signal: AbortSignal, leftMs = Number.POSITIVE_INFINITY): Place {
    signal.throwIfAborted();
    checkRoom();
    let begun: Begun | undefined;
    let left = false;
    const mustWait = !hasFreePlace();
    const expectedMs = mustWait ? checkReach(leftMs) : times.expectMs(0);
    const enteredAt = now();
    /** Whoever has gone by himself would have taken nobody knows how long. */
    const learn = (): void => {
      if (expectedMs === undefined || (signal.aborted && !isTimeOut(signal.reason))) return;
      times.learn(expectedMs, now() - enteredAt);
    };
    const finish = (from: Begun): void => {
      learn();
      times.end(from, !signal.aborted);
      callNext();
    };

    if (!mustWait) {
      const from = times.begin();
      return {
        turn: Promise.resolve(),
        leave() {
          if (!left) finish(from);
          left = true;
        },
      };
    }

    const { promise: turn, resolve, reject } = createDeferred();
    const waiter: Waiter = {
      start() {
        signal.removeEventListener("abort", giveUp);
        const stillMs = enteredAt + leftMs - now();
        const leastMs = times.leastMs() ?? 0;
        if (leastMs > stillMs) {
          left = true;
          learn();
          reject(outOfReach(leastMs, stillMs, retryAfterS()));
          return false;
        }
        begun = times.begin();
        resolve();
        return true;
      },
    };
    const giveUp = (): void => {
      line.delete(waiter);
      learn();
      reject(signal.reason);
    };
    line.add(waiter);
    signal.addEventListener("abort", giveUp, { once: true });
    return {
      turn,
      leave() {
        if (left) return;
        left = true;
        signal.removeEventListener("abort", giveUp);
        if (begun === undefined) {
          line.delete(waiter);
          return;
        }
        finish(begun);
      },
    };
  }

  return {
    get active() {
      return times.active;
    },
    get waiting() {
      return line.size;
    },
    get bufferedBytes() {
      return bufferedBytes;
    },
    checkRoom,
    enter,
    async run(signal, work, leftMs) {
      const place = enter(signal, leftMs);
      try {
        await place.turn;
        return await work();
      } finally {
        place.leave();
      }
    },
    hold(bytes) {
      if (bufferedBytes + bytes > limits.maxBufferedBytes) {
        throw new BridleError("TOO_MUCH_IN_FLIGHT", {
          limit: limits.maxBufferedBytes,
          retryAfterS: retryAfterS(),
        });
      }
      bufferedBytes += bytes;
    },
    release(bytes) {
      bufferedBytes -= bytes;
    },
  };
}

function isTimeOut(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "TimeoutError";
}
