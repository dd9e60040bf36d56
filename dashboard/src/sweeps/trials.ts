// What pages make of a sweep's trials: the keys that tell them apart, the best so far, and how good each is among all.
import type { Goal, Sweep, Trial } from "../api/sweeps.js";
import { value } from "../shell/format.js";

/** Keys that differ between trials; constants tell them not apart. */
export function triedKeys({ space }: Pick<Sweep, "space">): readonly string[] {
  return Object.entries(space).flatMap(([key, { kind }]) => (kind === "constant" ? [] : [key]));
}

/** `train.optimizer.name` as `optimizer.name`, unless two keys would be called the same. */
export function shortKeys(keys: readonly string[]): ReadonlyMap<string, string> {
  const short = (key: string) =>
    key
      .split(".")
      .slice(-2)
      .join(".")
      .replace(/^train\./, "");
  const all = keys.map(short);
  return new Map(
    keys.map((key) => [
      key,
      all.indexOf(short(key)) === all.lastIndexOf(short(key)) ? short(key) : key,
    ]),
  );
}

/** A parameter as a table shows it. */
export function parameterText(given: unknown): string {
  if (given === undefined) return "";
  if (typeof given === "number") return value(given);
  return typeof given === "string" ? given : JSON.stringify(given);
}

export const isBetter = (goal: Goal, a: number, b: number) => (goal === "minimize" ? a < b : a > b);

export interface Progress {
  readonly trial: number;
  readonly best: number;
}

/** The best of the complete trials up to each that has a value. */
export function bestSoFar(trials: readonly Trial[], goal: Goal): readonly Progress[] {
  let best: number | undefined;
  const progress: Progress[] = [];
  for (const { number, state, value: own } of [...trials].sort((a, b) => a.number - b.number)) {
    if (own === null) continue;
    if (state === "complete" && (best === undefined || isBetter(goal, own, best))) best = own;
    if (best !== undefined) progress.push({ trial: number, best });
  }
  return progress;
}

export interface Standing {
  /** 1 for the best value, 0 for the worst that colours tell apart. */
  readonly of: (own: number) => number;
  readonly best: number;
  readonly worst: number;
  /** Whether some are worse than the worst that colours tell apart. */
  readonly isCut: boolean;
}

/** Of the values that colours tell apart: a trial that went astray would make all others look alike. */
const toldApart = 0.9;

/** How good values are among all of them; undefined where there are none. */
export function standingOf(values: readonly number[], goal: Goal): Standing | undefined {
  const sorted = [...values].sort((a, b) => (goal === "minimize" ? a - b : b - a));
  const best = sorted[0];
  const worst = sorted[Math.floor((sorted.length - 1) * toldApart)];
  const last = sorted.at(-1);
  if (best === undefined || worst === undefined || last === undefined) return undefined;
  return {
    best,
    worst,
    isCut: isBetter(goal, worst, last),
    of: (own) => (best === worst ? 1 : Math.min(1, Math.max(0, (own - worst) / (best - worst)))),
  };
}

/** The colour of a standing, as CSS writes it. */
export function colorOf(standing: number): string {
  const percent = (share: number) => `${Math.round(share * 100)}%`;
  return standing < 0.5
    ? `color-mix(in oklab, var(--scale-middle) ${percent(standing * 2)}, var(--scale-worst))`
    : `color-mix(in oklab, var(--scale-best) ${percent(standing * 2 - 1)}, var(--scale-middle))`;
}

/** Complete trials, the best first, then the others in the order of their numbers. */
export function inOrder({ trials, ranked }: Pick<Sweep, "trials" | "ranked">): readonly Trial[] {
  const places = new Map(ranked.map((number, place) => [number, place]));
  const placeOf = ({ number }: Trial) => places.get(number) ?? Number.POSITIVE_INFINITY;
  return [...trials].sort((a, b) => {
    const [one, other] = [placeOf(a), placeOf(b)];
    return one === other ? a.number - b.number : one - other;
  });
}
