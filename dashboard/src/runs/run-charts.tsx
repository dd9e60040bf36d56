// Charts of one run or of several: one a metric, zoomed together, looked up again at the fineness that is seen.
import { memo, useCallback, useDeferredValue, useEffect, useMemo, useState } from "react";
import type { Chart, ChartQuery } from "../api/runs.js";
import { ChartCard } from "../charts/chart-card.js";
import {
  type ChartSettings,
  ChartSettingsBar,
  useChartSettings,
} from "../charts/chart-settings.js";
import { lineOf, smooth, stepsWithin, type XKind } from "../charts/curves.js";
import type { Range } from "../charts/line-chart.js";
import type { Curve } from "../charts/plot-options.js";
import type { Write } from "../charts/ticks.js";
import { counted } from "../shell/figures.js";
import { bytes, value } from "../shell/format.js";
import { Shown, Waiting } from "../shell/states.js";
import { type Resource, useResource } from "../shell/use-resource.js";
import { behind, isBehind, isTooLong, longer, noTail, type Tail, withTail } from "./live-tail.js";
import classes from "./run-charts.module.css";
import { type RunStream, useNews } from "./use-run-stream.js";

/** About as many points as a chart has pixels: what is finer is nothing one could see. */
const chartPoints = 800;

export interface ChartedRun {
  readonly id: string;
  readonly name: string;
  readonly startedAt: number;
  /** Its place among the colours. */
  readonly color: number;
}

export interface RunChartsProps {
  readonly runs: readonly ChartedRun[];
  /** Tells what is looked up; changes when there is something new. */
  readonly resourceKey: string;
  readonly load: (query: ChartQuery, signal: AbortSignal) => Promise<readonly Chart[]>;
  readonly keys: readonly string[];
  /** Readings of the machine have seconds in place of steps, and no epochs. */
  readonly isSystem?: boolean;
  /** Of a single run that goes on: its points are drawn as they come. */
  readonly stream?: RunStream | undefined;
  /** Counts up when there is something new to be looked up. */
  readonly turn?: number;
}

export function RunCharts(props: RunChartsProps) {
  const { runs, keys, resourceKey, load, isSystem = false, stream, turn = 0 } = props;
  const [settings, setSettings] = useChartSettings();
  const [range, setRange] = useState<Range>();
  // The slider goes on while curves are drawn, which take what it says by then.
  const smoothing = useDeferredValue(settings.smoothing);
  const { xKind, isLog } = isSystem ? systemSettings : settings;
  const all = useResource(
    keys.length === 0 ? undefined : `${resourceKey} ${keys.join(" ")}`,
    (signal) => load({ keys, points: chartPoints }, signal),
    { holdsOver: true },
  );
  const steps = useMemo(
    () => (range === undefined ? undefined : stepsOf(all.data ?? [], runs, xKind, range)),
    [all.data, runs, xKind, range],
  );
  const finer = useResource(
    steps === undefined ? undefined : `${resourceKey} ${keys.join(" ")} ${steps.join("-")}`,
    (signal) =>
      load({ keys, points: chartPoints, fromStep: steps?.[0], toStep: steps?.[1] }, signal),
  );
  const tail = useTail(all, stream, turn);
  const drawn = finer.data ?? all.data ?? none;
  const byKey = useMemo(
    () =>
      new Map(
        keys.map((key) => [
          key,
          withTail(
            drawn.filter((chart) => chart.key === key),
            tail,
          ),
        ]),
      ),
    [keys, drawn, tail],
  );
  const onRange = useCallback((asked: Range | undefined) => setRange(asked), []);
  const change = (next: ChartSettings) => {
    // A part of one axis is no part of another.
    if (next.xKind !== settings.xKind) setRange(undefined);
    setSettings(next);
  };
  return (
    <>
      {!isSystem && <ChartSettingsBar settings={settings} onChange={change} />}
      <Shown of={all} waiting={<Waiting lines={6} />}>
        {() => (
          <div className={classes.grid}>
            {keys.map((key) => (
              <OneChart
                key={key}
                metric={key}
                charts={byKey.get(key) ?? none}
                runs={runs}
                xKind={xKind}
                smoothing={smoothing}
                isLog={isLog}
                range={range}
                onRange={onRange}
                isLoading={steps !== undefined && finer.isLoading}
                syncKey={resourceKey}
              />
            ))}
          </div>
        )}
      </Shown>
    </>
  );
}

/** What came by the stream since the charts were looked up; where something was missed they are looked up again. */
function useTail(
  { data = none, reload }: Resource<readonly Chart[]>,
  stream: RunStream | undefined,
  turn: number,
): Tail {
  const [tail, setTail] = useState(noTail);
  useEffect(() => {
    if (turn > 0) reload();
  }, [turn, reload]);
  useEffect(() => setTail((before) => behind(before, data)), [data]);
  useEffect(() => {
    if (isTooLong(tail)) reload();
  }, [tail, reload]);
  useNews(stream, (news) => {
    if (news.type === "points") setTail((before) => longer(before, news.points));
    if (news.type === "rewound") {
      setTail(noTail);
      reload();
    }
    if (news.type === "position" && isBehind(data, tail, news.steps)) reload();
  });
  return tail;
}

const none: readonly Chart[] = [];
const systemSettings = { xKind: "time", isLog: false } as const;

/** Steps that lie in a range of the axis in any of the charts. */
function stepsOf(
  charts: readonly Chart[],
  runs: readonly ChartedRun[],
  xKind: XKind,
  range: Range,
): readonly [number, number] | undefined {
  let found: readonly [number, number] | undefined;
  for (const { runId, points } of charts) {
    const startedAt = runs.find(({ id }) => id === runId)?.startedAt ?? 0;
    const own = stepsWithin(points, xKind, startedAt, range);
    if (own === undefined) continue;
    found = found === undefined ? own : [Math.min(found[0], own[0]), Math.max(found[1], own[1])];
  }
  return found;
}

const OneChart = memo(function OneChart({
  metric,
  charts,
  runs,
  xKind,
  smoothing,
  isLog,
  range,
  onRange,
  isLoading,
  syncKey,
}: {
  readonly metric: string;
  readonly charts: readonly Chart[];
  readonly runs: readonly ChartedRun[];
  readonly xKind: XKind;
  readonly smoothing: number;
  readonly isLog: boolean;
  readonly range: Range | undefined;
  readonly onRange: (range: Range | undefined) => void;
  readonly isLoading: boolean;
  readonly syncKey: string;
}) {
  const onlyLabel = runs.length === 1 ? metric : undefined;
  const lines = useMemo(
    () => curvesOf(charts, runs, xKind, onlyLabel),
    [charts, runs, xKind, onlyLabel],
  );
  const curves = useMemo(
    () =>
      smoothing === 0
        ? lines
        : lines.map((curve) => {
            const { xs, ys } = curve.line;
            return { ...curve, smoothed: smooth(xs, ys, smoothing) };
          }),
    [lines, smoothing],
  );
  const odd = charts.reduce(
    (sum, { points }) => sum + points.reduce((own, { notFinite }) => own + notFinite, 0),
    0,
  );
  const last = curves.length === 1 ? curves[0]?.line.ys.findLast((y) => y !== null) : undefined;
  const write = textOf(metric);
  return (
    <ChartCard
      title={metric}
      aside={typeof last === "number" ? write(last) : undefined}
      curves={curves}
      xKind={xKind}
      isLog={isLog}
      range={range}
      onRange={onRange}
      isLoading={isLoading}
      yText={write}
      syncKey={syncKey}
      hasLegend={runs.length > 1}
      note={odd > 0 ? `${counted(odd, "value")} NaN or infinite, not drawn.` : undefined}
    />
  );
});

function curvesOf(
  charts: readonly Chart[],
  runs: readonly ChartedRun[],
  xKind: XKind,
  onlyLabel: string | undefined,
): readonly Curve[] {
  return runs.flatMap(({ id, name, startedAt, color }): readonly Curve[] => {
    const chart = charts.find(({ runId }) => runId === id);
    if (chart === undefined) return [];
    const line = lineOf(chart.points, xKind, startedAt);
    return [{ id, label: onlyLabel ?? name, color, line }];
  });
}

const percentText: Write = (number, step) => `${value(number, step)} %`;

/** How values of a metric are written, by the unit in its name. */
function textOf(metric: string): Write {
  if (metric.endsWith("_bytes")) return bytes;
  if (metric.endsWith("_percent")) return percentText;
  return value;
}
