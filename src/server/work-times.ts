// How long work takes by what has been measured of it, and how far estimates made of that have been off.

/** What has begun and not ended. */
export interface Begun {
  readonly at: number;
  /** The share of the machine given out until then, to one piece of work that would always have been there. */
  readonly shareMs: number;
}

/** What it is like with all places taken, for those who wait. */
export interface Crowd {
  /** Places that become theirs one after another, 1 or more. */
  readonly places: number;
  /** Pieces at work at once. */
  readonly pieces: number;
}

/**
 * How a piece ended: `whole`; `cut` off, so that it would have taken longer than it did; or `failed`, which tells nothing of how
 * long work takes.
 */
export type Ending = "whole" | "cut" | "failed";

export interface WorkTimes {
  begin(): Begun;
  end(begun: Begun, ending: Ending): void;
  /** How long one piece takes in the crowd; undefined before the first has ended. */
  pieceMs(crowd: Crowd): number | undefined;
  /** What even a quick piece takes; undefined before the first has ended. */
  leastMs(crowd: Crowd): number | undefined;
  /**
   * What waiting and working take together with hardly an exception, as far as independent pieces explain it.
   * @param place in the line, counted from 1; 0 for who need not wait
   */
  expectMs(place: number, crowd: Crowd): number | undefined;
  /** How much longer than expected it has been taking lately for all but a few: 1 or more. */
  readonly margin: number;
  /** Takes note of what something was expected to take, waiting included, and took. */
  learn(expectedMs: number, tookMs: number): void;
}

/** Weight of the newest measurement in running means, once there are enough of them. */
const newestWeight = 0.1;
/** Standard deviations that are added to a mean for what hardly anything exceeds, and taken away for what little is below. */
const deviationsUp = 3;
const deviationsDown = 2;
/** A deviation as large as the mean says that the mean says little; what goes beyond it is left to the margin. */
const mostRelativeDeviation = 1;
/** Estimates whose outcome is remembered, and the share of these that the margin covers. */
const remembered = 128;
const covered = 0.98;
const mostMargin = 3;

/**
 * Work is measured in time, and in time divided by how many were at work meanwhile. What is expected with all places taken lies
 * between the two: halfway, by factors, between pieces that are in nobody's way and those that share one processor. Measured
 * with all places taken, as under lasting load, both are the same.
 * @param now milliseconds of a clock that never goes back
 */
export function createWorkTimes(now: () => number): WorkTimes {
  let active = 0;
  let beganSum = 0;
  let shareMs = 0;
  let sharedUntil = now();
  let count = 0;
  let meanMs = 0;
  let variance = 0;
  let meanShareMs = 0;
  const errors: number[] = [];
  let margin = 1;

  /** Gives out what has passed, to as many as were there. */
  function share(): number {
    const at = now();
    if (active > 0) shareMs += (at - sharedUntil) / active;
    sharedUntil = at;
    return at;
  }

  const measuredMs = ({ pieces }: Crowd) => Math.sqrt(meanMs * meanShareMs * pieces);
  const relativeDeviation = () =>
    meanMs === 0 ? 0 : Math.min(mostRelativeDeviation, Math.sqrt(variance) / meanMs);

  /** Those at work for longer than was measured tell that it is true no more. */
  function pieceMs(crowd: Crowd): number | undefined {
    if (count === 0) return undefined;
    const meanAgeMs = active === 0 ? 0 : now() - beganSum / active;
    return Math.max(measuredMs(crowd), meanAgeMs);
  }

  return {
    begin() {
      const at = share();
      active += 1;
      beganSum += at;
      return { at, shareMs };
    },
    end(begun, ending) {
      const at = share();
      active -= 1;
      beganSum -= begun.at;
      const tookMs = at - begun.at;
      if (ending === "failed" || (ending === "cut" && tookMs <= meanMs)) return;
      count += 1;
      const weight = Math.max(newestWeight, 1 / count);
      const off = tookMs - meanMs;
      // Source: Finch 2009, Incremental calculation of weighted mean and variance, §9.
      variance = (1 - weight) * (variance + weight * off * off);
      meanMs += weight * off;
      meanShareMs += weight * (shareMs - begun.shareMs - meanShareMs);
    },
    pieceMs,
    leastMs: (crowd) =>
      count === 0
        ? undefined
        : measuredMs(crowd) * Math.max(0, 1 - deviationsDown * relativeDeviation()),
    expectMs(place, crowd) {
      const piece = pieceMs(crowd);
      if (piece === undefined) return undefined;
      // Of the pieces before it, each one's deviation is spread over all places; its own counts whole.
      const spread = deviationsUp * relativeDeviation() * Math.sqrt(place / crowd.places ** 2 + 1);
      return piece * (place / crowd.places + 1 + spread);
    },
    get margin() {
      return margin;
    },
    learn(expectedMs, tookMs) {
      if (expectedMs <= 0) return;
      errors.push(tookMs / expectedMs);
      if (errors.length > remembered) errors.shift();
      const sorted = errors.toSorted((a, b) => a - b);
      const upper = sorted[Math.ceil(covered * sorted.length) - 1] ?? 1;
      margin = Math.min(mostMargin, Math.max(1, upper));
    },
  };
}
