// Who may work now, who waits and who is sent away: bounded concurrency, a bounded queue and a bound on held bytes.
import { BridleError } from "../errors/error.js";
import { createDeferred } from "./deferred.js";
import { type Begun, type Crowd, createWorkTimes, type Ending } from "./work-times.js";

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
  /**
   * Gives the place up; the next in line moves on. Calling it again does nothing.
   * @param hasFailed whether the work did: how long that took says nothing of other work
   */
  leave(hasFailed?: boolean): void;
}

/** `batch` for a pile of many documents, which gives way to what somebody waits for. */
export type WorkClass = "interactive" | "batch";

/** Does one document's work of a pile, and learns how long it took. @throws what the work throws */
export type Measure = <T>(work: () => Promise<T>) => Promise<T>;

export interface Admission {
  /** Requests that have a place to work. */
  readonly active: number;
  /** Requests that wait for one. */
  readonly waiting: number;
  readonly bufferedBytes: number;
  /**
   * @param of what would come, one document unless said
   * @throws BUSY when nobody else may wait; costs nothing, so that a full server answers before it reads a body
   */
  checkRoom(of?: WorkClass): void;
  /**
   * Takes a place to work on one document, now or when its turn comes.
   * @param leftMs how soon it must be done; whoever might wait in vain, by what was measured so far, is told at once
   * @throws BUSY when the queue is full, DEADLINE_OUT_OF_REACH
   */
  enter(signal: AbortSignal, leftMs?: number): Place;
  /** Does the work when its turn comes. @throws as enter, or the signal's reason */
  run<T>(signal: AbortSignal, work: () => Promise<T>, leftMs?: number): Promise<T>;
  /**
   * The same for a pile of documents, which has one place for all of them. Piles hold half of the places at most, and those who
   * work on one document go before them.
   * @param documents how many it has
   * @throws as enter, or the signal's reason
   */
  runPile<T>(
    signal: AbortSignal,
    documents: number,
    work: (measure: Measure) => Promise<T>,
    leftMs?: number,
  ): Promise<T>;
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
  const { concurrency, queueLimit } = limits;
  const line: Record<WorkClass, Set<Waiter>> = { interactive: new Set(), batch: new Set() };
  const held: Record<WorkClass, number> = { interactive: 0, batch: 0 };
  const mostPiles = Math.ceil(concurrency / 2);
  /** Documents of piles at work. */
  let pileDocuments = 0;
  /** Documents of piles that are at work or wait, and have not been done. */
  let pileDocumentsLeft = 0;
  const times = createWorkTimes(now);
  let bufferedBytes = 0;

  const active = () => held.interactive + held.batch;
  const waiting = () => line.interactive.size + line.batch.size;

  /** A pile keeps its place for nobody knows how long, so that whoever has one document cannot count on it. */
  const crowd = (of: WorkClass): Crowd => ({
    places: of === "batch" ? mostPiles : Math.max(1, concurrency - held.batch),
    pieces: Math.max(concurrency, concurrency - held.batch + pileDocuments),
  });

  const inSeconds = (ms: number) => Math.min(mostRetryAfterS, Math.max(1, Math.ceil(ms / 1000)));

  /**
   * Seconds until the line as it stands has been worked off, at the rate measured so far: of those that go before, each with one
   * document, in the places that become theirs; or of everybody, with all that piles still have.
   */
  function retryAfterS(of: WorkClass): number {
    const pieceMs = times.pieceMs(crowd("interactive")) ?? 1000;
    const single = line.interactive.size + held.interactive + 1;
    if (of === "interactive") return inSeconds((single * pieceMs) / crowd(of).places);
    return inSeconds(((single + pileDocumentsLeft) * pieceMs) / concurrency);
  }

  function busy(of: WorkClass): BridleError {
    return new BridleError("BUSY", {
      queued: waiting(),
      limit: queueLimit,
      retryAfterS: retryAfterS(of),
    });
  }

  const mayStart = (of: WorkClass) =>
    active() < concurrency && (of === "interactive" || held.batch < mostPiles);

  /** How many go before one that comes now. */
  const ahead = (of: WorkClass) => (of === "interactive" ? line.interactive.size : waiting());
  const mustWait = (of: WorkClass) => !mayStart(of) || ahead(of) > 0;

  /** Piles that wait take nobody's place in the queue who goes before them. */
  function checkRoom(of: WorkClass): void {
    if (mustWait(of) && ahead(of) >= queueLimit) throw busy(of);
  }

  function outOfReach(neededMs: number, leftMs: number, retryAfterS: number): BridleError {
    return new BridleError("DEADLINE_OUT_OF_REACH", {
      neededS: Math.ceil(neededMs / 1000),
      leftS: Math.max(0, Math.round(leftMs / 100) / 10),
      retryAfterS,
    });
  }

  /**
   * Refuses whoever has to wait and might not be done in time; of a pile it is known only what its first document takes.
   * @returns what it is expected to take; undefined where nothing is known yet
   * @throws DEADLINE_OUT_OF_REACH
   */
  function checkReach(of: WorkClass, leftMs: number): number | undefined {
    const expectedMs = times.expectMs(ahead(of) + 1, crowd(of));
    if (expectedMs === undefined) return undefined;
    const neededMs = unforeseen * expectedMs * times.margin;
    // So much later the line is short enough.
    if (neededMs > leftMs) throw outOfReach(neededMs, leftMs, inSeconds(neededMs - leftMs));
    return expectedMs;
  }

  /** The next in line that can still be done in time takes the place of one that has ended. */
  function callNext(): void {
    for (const of of ["interactive", "batch"] as const) {
      if (!mayStart(of)) continue;
      for (const next of line[of]) {
        line[of].delete(next);
        if (next.start()) return;
      }
    }
  }

  const endingOf = (signal: AbortSignal, hasFailed: boolean): Ending =>
    signal.aborted ? "cut" : hasFailed ? "failed" : "whole";

  function enter(of: WorkClass, signal: AbortSignal, leftMs = Number.POSITIVE_INFINITY): Place {
    signal.throwIfAborted();
    checkRoom(of);
    const waits = mustWait(of);
    let isAtWork = false;
    /** A pile is no piece, but its documents are. */
    let begun: Begun | undefined;
    let left = false;
    const expectedMs = waits ? checkReach(of, leftMs) : times.expectMs(0, crowd(of));
    const enteredAt = now();
    /** Whoever has gone by himself would have taken nobody knows how long, and a pile takes as long as it is. */
    const learn = (): void => {
      if (expectedMs === undefined || of === "batch") return;
      if (signal.aborted && !isTimeOut(signal.reason)) return;
      times.learn(expectedMs, now() - enteredAt);
    };
    const begin = (): void => {
      isAtWork = true;
      held[of] += 1;
      if (of === "interactive") begun = times.begin();
    };
    const finish = (hasFailed: boolean): void => {
      held[of] -= 1;
      const ending = endingOf(signal, hasFailed);
      if (ending !== "failed") learn();
      if (begun !== undefined) times.end(begun, ending);
      callNext();
    };

    if (!waits) {
      begin();
      return {
        turn: Promise.resolve(),
        leave(hasFailed = false) {
          if (!left) finish(hasFailed);
          left = true;
        },
      };
    }

    const { promise: turn, resolve, reject } = createDeferred();
    const waiter: Waiter = {
      start() {
        signal.removeEventListener("abort", giveUp);
        const stillMs = enteredAt + leftMs - now();
        const leastMs = times.leastMs(crowd(of)) ?? 0;
        if (leastMs > stillMs) {
          left = true;
          learn();
          reject(outOfReach(leastMs, stillMs, retryAfterS(of)));
          return false;
        }
        begin();
        resolve();
        return true;
      },
    };
    const giveUp = (): void => {
      line[of].delete(waiter);
      learn();
      reject(signal.reason);
    };
    line[of].add(waiter);
    signal.addEventListener("abort", giveUp, { once: true });
    return {
      turn,
      leave(hasFailed = false) {
        if (left) return;
        left = true;
        signal.removeEventListener("abort", giveUp);
        if (isAtWork) finish(hasFailed);
        else line[of].delete(waiter);
      },
    };
  }

  async function inTurn<T>(place: Place, work: () => Promise<T>): Promise<T> {
    let hasFailed = true;
    try {
      await place.turn;
      const result = await work();
      hasFailed = false;
      return result;
    } finally {
      place.leave(hasFailed);
    }
  }

  /**
   * How a pile's documents are measured that ends with the signal.
   * @param onDone told of each that is over
   */
  const measureUntil =
    (signal: AbortSignal, onDone: () => void): Measure =>
    async (work) => {
      const begun = times.begin();
      pileDocuments += 1;
      let hasFailed = true;
      try {
        const result = await work();
        hasFailed = false;
        return result;
      } finally {
        pileDocuments -= 1;
        times.end(begun, endingOf(signal, hasFailed));
        onDone();
      }
    };

  return {
    get active() {
      return active();
    },
    get waiting() {
      return waiting();
    },
    get bufferedBytes() {
      return bufferedBytes;
    },
    checkRoom: (of = "interactive") => checkRoom(of),
    enter: (signal, leftMs) => enter("interactive", signal, leftMs),
    async run(signal, work, leftMs) {
      return await inTurn(enter("interactive", signal, leftMs), work);
    },
    async runPile(signal, documents, work, leftMs) {
      const place = enter("batch", signal, leftMs);
      let left = documents;
      pileDocumentsLeft += left;
      const onDone = (): void => {
        if (left === 0) return;
        left -= 1;
        pileDocumentsLeft -= 1;
      };
      try {
        return await inTurn(place, () => work(measureUntil(signal, onDone)));
      } finally {
        pileDocumentsLeft -= left;
      }
    },
    hold(bytes) {
      if (bufferedBytes + bytes > limits.maxBufferedBytes) {
        throw new BridleError("TOO_MUCH_IN_FLIGHT", {
          limit: limits.maxBufferedBytes,
          retryAfterS: retryAfterS("interactive"),
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
