// Round numbers for an axis, and how they are written.
import { clock, lastPlace, value } from "../shell/format.js";
import type { XKind } from "./curves.js";

/** What stands on the axis: a place in a training, a time, or the number of a trial. */
export type AxisKind = XKind | "clock" | "trial";

/** A number as text; with the distance to its neighbours on an axis, in enough digits to differ from them. */
export type Write = (value: number, step?: number) => string;

const upTo = (last: number) => Array.from({ length: last + 1 }, (_, power) => power);
/** Distances between ticks that no count falls between. */
export const wholeSteps = upTo(15).flatMap((power) => [1, 2, 5].map((each) => each * 10 ** power));

const minute = 60;
const hour = 60 * minute;
/** Distances in seconds that make round times in each unit. */
const timeSteps = [
  ...[-3, -2, -1].flatMap((power) => [1, 2, 5].map((each) => Number(`${each}e${power}`))),
  ...[1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((each) => each * minute),
  ...upTo(4).flatMap((power) => [1, 2, 5].map((each) => each * 10 ** power * hour)),
];

/** Distances that ticks of an axis may have; undefined where any round number will do. */
export function stepsOf(kind: AxisKind): number[] | undefined {
  if (kind === "epoch") return undefined;
  return kind === "time" || kind === "clock" ? timeSteps : wholeSteps;
}

/** @param step the distance to its neighbours, where it is a tick */
export function xText(x: number, kind: AxisKind, step?: number): string {
  if (kind === "clock") return clock(x * 1000);
  if (kind === "time") return elapsed(x, step);
  return kind === "step" && x >= 10_000 ? thousands(x, step) : value(x, step);
}

/** 12340 as "12.34K". */
function thousands(x: number, step: number | undefined): string {
  const place = 3 * Math.floor(Math.log10(x) / 3);
  const digits = step === undefined ? 2 : Math.max(2, place - lastPlace(step));
  return x.toLocaleString("en", { notation: "compact", maximumFractionDigits: digits });
}

/** Seconds as "40 s", "12 min", "1.5 h": in the largest unit that takes no more than a digit or two of its neighbours. */
function elapsed(seconds: number, step?: number): string {
  const size = Math.abs(seconds);
  const isFine = (least: number) => step !== undefined && step < least;
  if (size < 2 * minute || isFine(minute / 2)) {
    return step === undefined ? `${Number(seconds.toFixed(1))} s` : `${value(seconds, step)} s`;
  }
  if (size < 2 * hour || isFine(hour / 4)) return `${Number((seconds / minute).toFixed(1))} min`;
  return `${Number((seconds / hour).toFixed(2))} h`;
}

/** Ticks as text, no two of which read the same. */
export function tickTexts(ticks: readonly number[], write: Write): readonly string[] {
  const step = Math.min(...ticks.slice(1).map((tick, index) => tick - (ticks[index] ?? 0)));
  return ticks.map((tick) => write(tick, Number.isFinite(step) ? step : undefined));
}

/** About five round numbers within a range; fewer where only whole ones are wanted of a short one. */
export function linearTicks(low: number, high: number, isWhole = false): readonly number[] {
  const rough = isWhole ? Math.max(1, (high - low) / 5) : (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough * 0.999) ?? 10);
  const ticks: number[] = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) {
    ticks.push(Number((index * step).toPrecision(12)));
  }
  return ticks;
}

/** Powers of ten, with 2 and 5 between them where there are few. */
export function logTicks(low: number, high: number): readonly number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const parts = last - first > 3 ? [1] : [1, 2, 5];
  const within = (each: number) => each >= low * 0.999 && each <= high * 1.001;
  const ticks: number[] = [];
  for (let power = first; power <= last; power += 1) {
    for (const part of parts) {
      const tick = Number((part * 10 ** power).toPrecision(6));
      if (within(tick)) ticks.push(tick);
    }
  }
  return ticks.length > 1 ? ticks : [low, high];
}
