// Who may work now, who waits and who is sent away: bounded concurrency, a bounded queue and a bound on held bytes.
import { BridleError } from "../errors/error.js";
import { createDeferred } from "./deferred.js";

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
  /** Resolves when it is this place's turn; rejects with the signal's reason when that comes first. */
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
   * @param leftMs how soon it must be done; whoever would wait in vain, by the rate measured so far, is told at once
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
  readonly start: () => void;
}

/** Weight of the newest measurement in the running mean of how long one piece of work takes. */
const newestWeight = 0.1;
const mostRetryAfterS = 300;

/** @param now milliseconds of a clock that never goes back */
export function createAdmission(limits: AdmissionLimits, now = () => performance.now()): Admission {
  const line = new Set<Waiter>();
  let active = 0;
  let bufferedBytes = 0;
  let meanMs: number | undefined;

  /** Seconds until the line as it stands has been worked off, at the rate measured so far. */
  function retryAfterS(): number {
    const wholeLineMs = ((line.size + active + 1) * (meanMs ?? 1000)) / limits.concurrency;
    return Math.min(mostRetryAfterS, Math.max(1, Math.ceil(wholeLineMs / 1000)));
  }

  function busy(): BridleError {
    return new BridleError("BUSY", {
      queued: line.size,
      limit: limits.queueLimit,
      retryAfterS: retryAfterS(),
    });
  }

  function checkRoom(): void {
    if (active >= limits.concurrency && line.size >= limits.queueLimit) throw busy();
  }

  /** Refuses whoever has to wait and would not be done in time. @throws DEADLINE_OUT_OF_REACH */
  function checkReach(leftMs: number): void {
    if (meanMs === undefined || (active < limits.concurrency && line.size === 0)) return;
    const neededMs = meanMs * ((line.size + 1) / limits.concurrency + 1);
    if (neededMs <= leftMs) return;
    throw new BridleError("DEADLINE_OUT_OF_REACH", {
      neededS: Math.ceil(neededMs / 1000),
      leftS: Math.max(0, Math.round(leftMs / 100) / 10),
      // By then the line is short enough.
      retryAfterS: Math.min(mostRetryAfterS, Math.max(1, Math.ceil((neededMs - leftMs) / 1000))),
    });
  }

  function enter(signal: AbortSignal, leftMs = Number.POSITIVE_INFINITY): Place {
    signal.throwIfAborted();
    checkRoom();
    checkReach(leftMs);
    let startedAt: number | undefined;
    let left = false;
    const start = (): void => {
      active += 1;
      startedAt = now();
    };
    const finish = (): void => {
      active -= 1;
      const tookMs = now() - (startedAt ?? now());
      meanMs = meanMs === undefined ? tookMs : meanMs + newestWeight * (tookMs - meanMs);
      for (const next of line) {
        line.delete(next);
        next.start();
        break;
      }
    };

    if (active < limits.concurrency && line.size === 0) {
      start();
      return {
        turn: Promise.resolve(),
        leave() {
          if (!left) finish();
          left = true;
        },
      };
    }

    const { promise: turn, resolve, reject } = createDeferred();
    const waiter: Waiter = {
      start() {
        signal.removeEventListener("abort", giveUp);
        start();
        resolve();
      },
    };
    const giveUp = (): void => {
      line.delete(waiter);
      reject(signal.reason);
    };
    line.add(waiter);
    signal.addEventListener("abort", giveUp, { once: true });
    return {
      turn,
      leave() {
        if (left) return;
        left = true;
        if (startedAt !== undefined) finish();
        else line.delete(waiter);
        signal.removeEventListener("abort", giveUp);
      },
    };
  }

  return {
    get active() {
      return active;
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
