// From points as the server gathers them to lines as a chart draws them: the axis, smoothing, and what both share.
import type { ChartPoint } from "../api/runs.js";

export type XKind = "step" | "epoch" | "time";

/** A line on a chart, its points from left to right. `low` and `high` are the extremes of what a point stands for. */
export interface Line {
  readonly xs: readonly number[];
  readonly ys: readonly (number | null)[];
  readonly low: readonly (number | null)[];
  readonly high: readonly (number | null)[];
}

/**
 * Points along an axis. What has no place on it, such as a point without an epoch, is left out, and so is what would go
 * back: a run taken up again tells of earlier epochs once more.
 * @param startedAt where the time axis begins, in ms; it counts seconds
 */
export function lineOf(points: readonly ChartPoint[], kind: XKind, startedAt: number): Line {
  const xs: number[] = [];
  const ys: (number | null)[] = [];
  const low: (number | null)[] = [];
  const high: (number | null)[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const point of points) {
    const x = placeOf(point, kind, startedAt);
    if (x === null || x <= last) continue;
    last = x;
    xs.push(x);
    ys.push(point.mean);
    low.push(point.min);
    high.push(point.max);
  }
  return { xs, ys, low, high };
}

function placeOf(point: ChartPoint, kind: XKind, startedAt: number): number | null {
  if (kind === "epoch") return point.epoch;
  if (kind === "time") return (point.at - startedAt) / 1000;
  return (point.step + point.lastStep) / 2;
}

/** The steps of the points that lie in a range of an axis, so that the server can be asked for more of them. */
export function stepsWithin(
  points: readonly ChartPoint[],
  kind: XKind,
  startedAt: number,
  [from, to]: readonly [number, number],
): readonly [number, number] | undefined {
  let first: number | undefined;
  let last: number | undefined;
  for (const point of points) {
    const x = placeOf(point, kind, startedAt);
    if (x === null || x < from || x > to) continue;
    first = Math.min(first ?? point.step, point.step);
    last = Math.max(last ?? point.lastStep, point.lastStep);
  }
  return first === undefined || last === undefined ? undefined : [first, last];
}

/** So many steps of smoothing lie side by side in what is seen, however far one has zoomed in. */
const placesInSight = 1000;

/**
 * An exponential moving average over the axis rather than over points: a point counts the less the further back it lies, so
 * that points close together do not drag. The first points are not pulled towards zero. Gaps stay gaps.
 * @param weight 0 leaves everything as it is; towards 1 it gets smoother
 */
export function smooth(
  xs: readonly number[],
  ys: readonly (number | null)[],
  weight: number,
): readonly (number | null)[] {
  if (weight <= 0 || xs.length < 3) return ys;
  const range = (xs.at(-1) ?? 0) - (xs[0] ?? 0);
  if (range <= 0) return ys;
  const keep = Math.min(Math.sqrt(weight), 0.999);
  let sum = 0;
  let mass = 0;
  let before = xs[0] ?? 0;
  return ys.map((y, index) => {
    if (y === null) return null;
    const x = xs[index] ?? 0;
    const faded = keep ** (((x - before) / range) * placesInSight);
    before = x;
    sum = sum * faded + y;
    mass = mass * faded + 1;
    return sum / mass;
  });
}

/** The place of the point nearest to x; -1 where there is none. */
export function nearest(xs: ArrayLike<number>, x: number): number {
  if (xs.length === 0) return -1;
  let low = 0;
  let high = xs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((xs[middle] ?? 0) < x) low = middle;
    else high = middle;
  }
  return Math.abs((xs[low] ?? 0) - x) <= Math.abs((xs[high] ?? 0) - x) ? low : high;
}

/** Values as a file for spreadsheets: a column for each curve, a row for each place. */
export function toCsv(
  xName: string,
  curves: readonly { readonly label: string; readonly line: Pick<Line, "xs" | "ys"> }[],
): string {
  const rows = new Map<number, (number | null)[]>();
  for (const [column, { line }] of curves.entries()) {
    for (const [index, x] of line.xs.entries()) {
      const row = rows.get(x) ?? curves.map(() => null);
      row[column] = line.ys[index] ?? null;
      rows.set(x, row);
    }
  }
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const head = [xName, ...curves.map(({ label }) => label)].map(quoted).join(",");
  const body = [...rows].sort(([a], [b]) => a - b).map(([x, row]) => [x, ...row].join(","));
  return `${[head, ...body].join("\r\n")}\r\n`;
}
