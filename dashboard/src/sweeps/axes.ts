// The axes of parallel coordinates: where a value stands between the ends of its key, what is written there, where keys lead.
import type { Distribution, Trial } from "../api/sweeps.js";
import { linearTicks, logTicks, tickTexts } from "../charts/ticks.js";
import { value } from "../shell/format.js";
import { parameterText } from "./trials.js";

export interface Tick {
  /** From 0 at the lower end to 1 at the upper one. */
  readonly at: number;
  readonly text: string;
}

export interface Axis {
  readonly key: string;
  readonly ticks: readonly Tick[];
  readonly placeOf: (given: unknown) => number | undefined;
  /** What stands at a place. */
  readonly textAt: (place: number) => string;
  /** The place that so many steps lead to; a large step is a tenth of the axis. */
  readonly move: (place: number, steps: number, isLarge: boolean) => number;
}

const smallStep = 0.02;
const largeStep = 0.1;
const mostTicks = 12;
const clamp = (place: number) => Math.min(1, Math.max(0, place));

/** The axis of a key that was tried. @param given the values that trials have of it */
export function axisOf(
  key: string,
  distribution: Distribution | undefined,
  given: readonly unknown[],
): Axis {
  const numbers = given.filter((each): each is number => typeof each === "number");
  const isNumeric = distribution?.kind !== "choice" && numbers.length === given.length;
  if (distribution?.kind === "choice") return choiceAxis(key, distribution.values);
  if (!isNumeric) return choiceAxis(key, given);
  const isLog = distribution !== undefined && "log" in distribution && distribution.log;
  return distribution?.kind === "uniform"
    ? numberAxis(key, [distribution.low, distribution.high], isLog, numbers)
    : numberAxis(key, numbers, isLog);
}

/** An axis from the least to the greatest of some numbers. @param given what stands on it; whole where all of it is */
export function numberAxis(
  key: string,
  numbers: readonly number[],
  isLog = false,
  given = numbers,
): Axis {
  const finite = numbers.filter(Number.isFinite);
  let [low, high] = finite.length === 0 ? [0, 1] : [Math.min(...finite), Math.max(...finite)];
  const log = isLog && low > 0;
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  const to = log ? Math.log : (each: number) => each;
  const from = log ? Math.exp : (each: number) => each;
  const [first, last] = [to(low), to(high)];
  const placeOf = (each: number) => (to(each) - first) / (last - first);
  const isWhole = given.length > 0 && given.every(Number.isInteger);
  const places = log ? logTicks(low, high) : linearTicks(low, high, isWhole);
  const texts = tickTexts(places, value);
  const ticks = places.map((each, index) => ({ at: placeOf(each), text: texts[index] ?? "" }));
  return {
    key,
    ticks,
    placeOf: (each) =>
      typeof each === "number" && Number.isFinite(each) && (!log || each > 0)
        ? clamp(placeOf(each))
        : undefined,
    textAt: (place) => value(Number(from(first + place * (last - first)).toPrecision(4))),
    move: (place, steps, isLarge) => clamp(place + steps * (isLarge ? largeStep : smallStep)),
  };
}

/** An axis of values without an order of their own, evenly spread in the order they were named in. */
function choiceAxis(key: string, values: readonly unknown[]): Axis {
  const texts = [...new Set(values.map(parameterText))];
  const last = Math.max(1, texts.length - 1);
  const placeAt = (index: number) => (texts.length === 1 ? 0.5 : index / last);
  const nearest = (place: number) =>
    texts.length === 1 ? 0 : Math.min(texts.length - 1, Math.max(0, Math.round(place * last)));
  const every = Math.ceil(texts.length / mostTicks);
  return {
    key,
    ticks: texts
      .map((text, index) => ({ at: placeAt(index), text }))
      .filter((_, index) => index % every === 0),
    placeOf(given) {
      const index = texts.indexOf(parameterText(given));
      return index < 0 ? undefined : placeAt(index);
    },
    textAt: (place) => texts[nearest(place)] ?? "",
    move: (place, steps) =>
      texts.length === 1 ? clamp(place + steps) : clamp((nearest(place) + steps) / last),
  };
}

/** A part of an axis, both ends included. */
export type Brush = readonly [low: number, high: number];
export type Brushes = Readonly<Record<string, Brush>>;

/** What lies on the edge of a brush lies in it. */
const edge = 1e-9;

/** Whether a line goes through all parts that were chosen. */
export function isWithin(
  places: readonly (number | undefined)[],
  brushes: readonly (Brush | undefined)[],
): boolean {
  return brushes.every((brush, index) => {
    if (brush === undefined) return true;
    const place = places[index];
    return place !== undefined && place >= brush[0] - edge && place <= brush[1] + edge;
  });
}

/** Brushes with one of them changed; one that takes in all of its axis is none. */
export function withBrush(brushes: Brushes, key: string, brush: Brush | undefined): Brushes {
  const { [key]: _, ...rest } = brushes;
  if (brush === undefined || (brush[0] <= 0 && brush[1] >= 1)) return rest;
  return { ...rest, [key]: brush };
}

/** Where a trial stands on each axis, the objective's last. */
export function placesOf(
  trial: Pick<Trial, "parameters" | "value">,
  axes: readonly Axis[],
): readonly (number | undefined)[] {
  return axes.map((axis, index) =>
    axis.placeOf(index === axes.length - 1 ? trial.value : trial.parameters[axis.key]),
  );
}
