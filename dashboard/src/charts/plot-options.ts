// How a chart of curves is drawn: axes, grid, lines, bands and what the mouse does, as uPlot takes it.
import uPlot from "uplot";
import type { ChartColors } from "./colors.js";
import { lookOf } from "./colors.js";
import type { Line } from "./curves.js";
import { createRawLayer } from "./raw-layer.js";
import { type AxisKind, stepsOf, type Write, wholeSteps, xText } from "./ticks.js";

export interface Curve {
  readonly id: string;
  readonly label: string;
  /** Its place among the colours. */
  readonly color: number;
  readonly line: Line;
  /** What is drawn in full; the line itself stays behind it, faint. */
  readonly smoothed?: readonly (number | null)[];
  /** Points that nothing joins, or a line that goes on level until its next point; a line from point to point unless said. */
  readonly drawnAs?: "dots" | "steps";
}

export type Values = readonly (number | null | undefined)[];

/** What is drawn: shared places, and for each curve its columns among the values. */
export interface Table {
  readonly data: uPlot.AlignedData;
  readonly columns: readonly Column[];
}

interface Column {
  readonly curve: number;
  /** `low` and `high` hold a band between them; `raw` is what was smoothed. */
  readonly part: "low" | "high" | "raw" | "main";
}

/** Curves put on shared places. A single one has its extremes as a band; of many that would be a smear. */
export function tableOf(curves: readonly Curve[], isLog: boolean): Table {
  const columns: Column[] = [];
  const tables: [number[], ...(number | null)[][]][] = [];
  // What is not changed stays the same list, so that whoever draws it can tell.
  const drawable = (ys: readonly (number | null)[]) =>
    isLog ? ys.map((y) => (y !== null && y > 0 ? y : null)) : (ys as (number | null)[]);
  for (const [curve, { line, smoothed }] of curves.entries()) {
    const own: (number | null)[][] = [];
    const add = (part: Column["part"], ys: readonly (number | null)[]) => {
      columns.push({ curve, part });
      own.push(drawable(ys));
    };
    const isGathered = line.low.some((low, index) => low !== line.high[index]);
    if (curves.length === 1 && isGathered) {
      add("high", line.high);
      add("low", line.low);
    }
    if (smoothed !== undefined) add("raw", line.ys);
    add("main", smoothed ?? line.ys);
    tables.push([line.xs as number[], ...own]);
  }
  if (tables.length === 0) return { data: [[]], columns };
  const data = tables.length === 1 ? tables[0] : uPlot.join(tables);
  return { data: data as uPlot.AlignedData, columns };
}

const axisFont = '12px "Inter", "Segoe UI", system-ui, sans-serif';

export interface PlotSettings {
  readonly curves: readonly Curve[];
  readonly columns: readonly Column[];
  readonly colors: ChartColors;
  readonly isLog: boolean;
  readonly xKind: AxisKind;
  readonly yText: Write;
  /** Whether all values are whole, as counts and bytes are: so are its ticks then. */
  readonly isWhole: boolean;
  readonly size: { readonly width: number; readonly height: number };
  readonly range: readonly [number, number] | undefined;
  readonly onRange: (range: readonly [number, number]) => void;
  readonly onCursor: (plot: uPlot) => void;
  readonly syncKey: string | undefined;
}

export function plotOptions(settings: PlotSettings): uPlot.Options {
  const { colors, columns, curves, isLog, xKind, yText, isWhole, size, range, onRange } = settings;
  const xSteps = stepsOf(xKind);
  const bands = columns[0]?.part === "high" ? [{ series: [1, 2], fill: "" }] : [];
  const hueOf = (curve: number) => colors.curves[lookOf(curves[curve]?.color ?? 0).hue] ?? "";
  const raw = columns.flatMap(({ curve, part }, index) =>
    part === "raw" ? [{ column: index + 1, color: `${hueOf(curve)}48` }] : [],
  );
  return {
    ...size,
    padding: [12, 22, 0, 2],
    legend: { show: false },
    focus: { alpha: 0.28 },
    cursor: {
      focus: { prox: curves.length > 1 ? 24 : -1 },
      points: { size: 7, width: 2, fill: colors.surface },
      drag: { x: true, y: false, setScale: false, dist: 6 },
      // A double click is the page's own, which looks the whole range up again.
      bind: { dblclick: () => null },
      ...(settings.syncKey !== undefined && {
        sync: { key: settings.syncKey, scales: ["x", null], setSeries: false },
      }),
    },
    scales: {
      x: {
        time: false,
        range: (_plot, low, high) => {
          if (range !== undefined) return [range[0], range[1]];
          return low === high ? [low - 1, high + 1] : [low, high];
        },
      },
      y: isLog ? { distr: 3 } : { range: (_plot, low, high) => yRange(low, high) },
    },
    axes: [
      {
        stroke: colors.ink,
        font: axisFont,
        grid: { stroke: colors.grid, width: 1 },
        ticks: { show: false },
        gap: 6,
        size: 30,
        space: 64,
        ...(xSteps !== undefined && { incrs: xSteps }),
        values: (_plot, ticks, _axis, _space, step) =>
          ticks.map((tick) => xText(tick, xKind, step)),
      },
      {
        stroke: colors.ink,
        font: axisFont,
        grid: { stroke: colors.grid, width: 1 },
        ticks: { show: false },
        gap: 8,
        size: (plot, texts) => widthOf(plot, texts),
        space: 32,
        ...(isWhole && !isLog && { incrs: wholeSteps }),
        values: (_plot, ticks, _axis, _space, step) =>
          ticks.map((tick) => (tick === null ? "" : yText(tick, isLog ? undefined : step))),
      },
    ],
    series: [
      {},
      ...columns.map(({ curve, part }): uPlot.Series => {
        const hue = hueOf(curve);
        const shared = { spanGaps: true, points: { show: false } } as const;
        if (part === "low" || part === "high") return { ...shared, stroke: `${hue}00`, width: 0 };
        // Drawn by the layer below: here it only has its part in the range of the axis.
        if (part === "raw") return { ...shared, paths: () => null };
        const look = lookOf(curves[curve]?.color ?? 0);
        const single = (curves[curve]?.line.xs.length ?? 0) === 1;
        const drawnAs = curves[curve]?.drawnAs;
        if (drawnAs === "dots") {
          const points = { show: true, size: 7, fill: hue, width: 0 };
          return { label: curves[curve]?.label ?? "", stroke: hue, paths: () => null, points };
        }
        return {
          ...(drawnAs === "steps" &&
            uPlot.paths.stepped && { paths: uPlot.paths.stepped({ align: 1 }) }),
          label: curves[curve]?.label ?? "",
          stroke: hue,
          width: curves.length > 8 ? 1.5 : 2,
          spanGaps: true,
          points: { show: single, size: 6, fill: hue },
          ...(look.isDashed && { dash: [6, 4] }),
        };
      }),
    ],
    bands: bands.map(({ series }) => ({
      series: series as [number, number],
      fill: `${hueOf(0)}22`,
    })),
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < 6) return;
          onRange([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      setCursor: [settings.onCursor],
      ...(raw.length > 0 && { drawAxes: [createRawLayer(raw)] }),
    },
  };
}

/** A little more than the values take up; uPlot would draw what is always 0 on an axis up to 100. */
function yRange(low: number | null, high: number | null): uPlot.Range.MinMax {
  if (low === null || high === null) return [null, null];
  if (low === 0 && high === 0) return [0, 1];
  return uPlot.rangeNum(low, high, { min: { pad: 0.06 }, max: { pad: 0.06 } });
}

/** As wide as the widest of what stands there. */
function widthOf(plot: uPlot, texts: readonly string[] | null): number {
  if (texts === null) return 40;
  plot.ctx.font = axisFont;
  const widest = Math.max(0, ...texts.map((text) => plot.ctx.measureText(text ?? "").width));
  // Canvas units are device pixels where the font is not scaled.
  return Math.max(34, Math.ceil(widest) + 16);
}
