// Points that came after charts were looked up, put behind them until they are looked up again.
import type { Chart, ChartPoint, NewPoint } from "../api/runs.js";

/** By metric, in the order of steps. */
export type Tail = ReadonlyMap<string, readonly ChartPoint[]>;

export const noTail: Tail = new Map();
/** With more of them a chart is looked up again, gathered to what can be seen. */
const longest = 400;

export function chartPointOf({ step, epoch, at, value }: NewPoint): ChartPoint {
  const notFinite = value === null ? 1 : 0;
  return {
    step,
    lastStep: step,
    epoch,
    at,
    mean: value,
    min: value,
    max: value,
    count: 1,
    notFinite,
  };
}

/** A tail with what has come behind it. */
export function longer(tail: Tail, points: readonly NewPoint[]): Tail {
  const next = new Map(tail);
  for (const point of points) {
    next.set(point.key, [...(next.get(point.key) ?? []), chartPointOf(point)]);
  }
  return next;
}

const lastStepOf = ({ points }: Chart) => points.at(-1)?.lastStep ?? -1;

/** What of a tail lies behind charts that were looked up since. */
export function behind(tail: Tail, charts: readonly Chart[]): Tail {
  if (tail.size === 0) return tail;
  const next = new Map<string, readonly ChartPoint[]>();
  for (const [key, points] of tail) {
    const chart = charts.find((each) => each.key === key);
    const left =
      chart === undefined ? points : points.filter(({ step }) => step > lastStepOf(chart));
    if (left.length > 0) next.set(key, left);
  }
  return next;
}

/** Charts with their tails. */
export function withTail(charts: readonly Chart[], tail: Tail): readonly Chart[] {
  if (tail.size === 0) return charts;
  return charts.map((chart) => {
    const more = tail.get(chart.key)?.filter(({ step }) => step > lastStepOf(chart)) ?? [];
    return more.length === 0 ? chart : { ...chart, points: [...chart.points, ...more] };
  });
}

export function isTooLong(tail: Tail): boolean {
  return [...tail.values()].some(({ length }) => length > longest);
}

/** Whether a run has told more than charts and tail have, such as while no stream was open. */
export function isBehind(
  charts: readonly Chart[],
  tail: Tail,
  steps: Readonly<Record<string, number>>,
): boolean {
  return withTail(charts, tail).some((chart) => (steps[chart.key] ?? -1) > lastStepOf(chart));
}
