// Curves of a sweep: the best so far from trial to trial, and what single trials told while they trained.
import type { Goal, Sweep, Trial } from "../api/sweeps.js";
import type { Line } from "../charts/curves.js";
import type { Curve } from "../charts/plot-options.js";
import { bestSoFar, inOrder } from "./trials.js";

const lineOf = (points: readonly (readonly [x: number, y: number | null])[]): Line => {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  return { xs, ys, low: ys, high: ys };
};

const [green, brass, gray] = [0, 1, 9];

/** Each trial as a dot, and the best of them as a line. */
export function progressCurves(trials: readonly Trial[], goal: Goal): readonly Curve[] {
  const byNumber = [...trials].sort((a, b) => a.number - b.number);
  const dots = (state: Trial["state"]) =>
    lineOf(
      byNumber.flatMap((trial) =>
        trial.state === state && trial.value !== null ? [[trial.number, trial.value] as const] : [],
      ),
    );
  const best = bestSoFar(trials, goal).map(({ trial, best: y }) => [trial, y] as const);
  const curves: readonly Curve[] = [
    {
      id: "complete",
      label: "complete trials",
      color: green,
      line: dots("complete"),
      drawnAs: "dots",
    },
    { id: "pruned", label: "pruned trials", color: gray, line: dots("pruned"), drawnAs: "dots" },
    { id: "best", label: "best so far", color: brass, line: lineOf(best), drawnAs: "steps" },
  ];
  return curves.filter(({ line }) => line.xs.length > 0);
}

/** As many as colours tell apart. */
const mostCurves = 10;

/** What trials reported while they trained, of the best of those that reported more than once. */
export function reportCurves(sweep: Sweep): {
  readonly curves: readonly Curve[];
  /** Those that are not drawn. */
  readonly left: number;
} {
  const told = inOrder(sweep).filter(({ reports }) => reports.length > 1);
  const curves = told.slice(0, mostCurves).map(
    ({ number, reports, state }, color): Curve => ({
      id: String(number),
      label: `trial ${number}${state === "pruned" ? " (pruned)" : ""}`,
      color,
      line: lineOf(reports.map(({ step, value }) => [step, value])),
    }),
  );
  return { curves, left: told.length - curves.length };
}
