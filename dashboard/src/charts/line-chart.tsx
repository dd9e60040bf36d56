// Curves on shared axes: drawn by uPlot on a canvas, looked along by mouse or arrow keys, zoomed by dragging.
import "uplot/dist/uPlot.min.css";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import { value } from "../shell/format.js";
import { lookOf, useChartColors } from "./colors.js";
import { nearest } from "./curves.js";
import classes from "./line-chart.module.css";
import { type Curve, plotOptions, type Table, tableOf } from "./plot-options.js";
import { type AxisKind, type Write, xText } from "./ticks.js";

export type Range = readonly [number, number];

export interface LineChartProps {
  /** What it shows, for who does not see it. */
  readonly label: string;
  readonly curves: readonly Curve[];
  readonly xKind: AxisKind;
  readonly isLog?: boolean;
  readonly height?: number;
  /** The part of the axis that is shown; all of it where undefined. */
  readonly range?: Range | undefined;
  /** Somebody asks for another part, or with undefined for all of it. */
  readonly onRange?: (range: Range | undefined) => void;
  readonly yText?: Write;
  /** Charts of one key show the same place at once. */
  readonly syncKey?: string;
}

const shownAtOnce = 12;
const noRange = () => {};

export function LineChart({
  label,
  curves,
  xKind,
  isLog = false,
  height = 240,
  range,
  onRange = noRange,
  yText = value,
  syncKey,
}: LineChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const said = useRef<HTMLParagraphElement>(null);
  const plot = useRef<uPlot>(undefined);
  const colors = useChartColors();
  const [width, setWidth] = useState(0);
  const table = useMemo(() => tableOf(curves, isLog), [curves, isLog]);
  const isWhole = useMemo(() => areWhole(curves), [curves]);
  const latest = useRef({ table, curves, onRange, range });
  useEffect(() => {
    latest.current = { table, curves, onRange, range };
  });

  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) setWidth(Math.floor(entry.contentRect.width));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  // A chart is made anew when what it is made of changes, and only then: new points are put into the one there is.
  const shape = JSON.stringify([
    curves.map(({ id, label: name, color, drawnAs }) => [id, name, color, drawnAs]),
    table.columns,
    curves.some(({ line }) => line.xs.length === 1),
  ]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: shape stands for curves and table
  useEffect(() => {
    const element = box.current;
    if (element === null || width === 0) return undefined;
    const made = new uPlot(
      plotOptions({
        curves,
        columns: table.columns,
        colors,
        isLog,
        xKind,
        yText,
        isWhole,
        size: { width, height },
        range,
        onRange: (asked) => latest.current.onRange(asked),
        onCursor: (of) => {
          const { table: now, curves: all } = latest.current;
          showTip(of, tip.current, readAt(of, now, all, xKind, yText));
        },
        syncKey,
      }),
      table.data,
      element,
    );
    plot.current = made;
    return () => {
      plot.current = undefined;
      made.destroy();
    };
  }, [shape, colors, isLog, xKind, yText, isWhole, width, height, range, syncKey]);

  useEffect(() => {
    if (plot.current !== undefined && plot.current.data !== table.data) {
      plot.current.setData(table.data);
    }
  }, [table]);

  const onKeyDown = (event: KeyboardEvent) => {
    const of = plot.current;
    if (of === undefined) return;
    const moved = moveByKey(of, event.key, latest.current.range, onRange);
    if (moved === undefined) return;
    event.preventDefault();
    if (moved && said.current !== null) {
      const { heading, rows } = readAt(of, table, curves, xKind, yText);
      said.current.textContent = `${heading}: ${rows.map((row) => `${row.label} ${row.text}`).join(", ")}`;
    }
  };

  return (
    <div className={classes.chart} data-zoomed={range !== undefined || undefined}>
      <div
        className={classes.canvas}
        style={{ height }}
        ref={box}
        role="application"
        aria-roledescription="chart"
        aria-label={`${label}. ${summaryOf(curves, yText)} Arrow keys read values, plus and minus zoom, 0 shows all.`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it answers to keys
        tabIndex={0}
        onKeyDown={onKeyDown}
        onBlur={() => plot.current?.setCursor({ left: -10, top: -10 })}
        onDoubleClick={() => onRange(undefined)}
      >
        <div className={classes.tip} ref={tip} aria-hidden hidden />
      </div>
      <p className={classes.said} ref={said} aria-live="polite" />
    </div>
  );
}

function areWhole(curves: readonly Curve[]): boolean {
  return curves.every(({ line }) => line.ys.every((y) => y === null || Number.isInteger(y)));
}

/** What is to be said of curves in a sentence. */
function summaryOf(curves: readonly Curve[], yText: (value: number) => string): string {
  if (curves.length > 3) return `${curves.length} curves.`;
  const told = curves.flatMap(({ label, line }) => {
    const last = line.ys.findLast((y) => y !== null);
    return typeof last === "number" ? [`${label}, last ${yText(last)}`] : [];
  });
  return told.length === 0 ? "No values." : `${told.join("; ")}.`;
}

interface Reading {
  readonly heading: string;
  readonly rows: readonly {
    readonly label: string;
    readonly text: string;
    readonly color: number;
    readonly inFocus: boolean;
  }[];
  readonly more: number;
}

/** What the curves are where the cursor stands: of each the point nearest to it. */
function readAt(
  plot: uPlot,
  table: Table,
  curves: readonly Curve[],
  xKind: LineChartProps["xKind"],
  yText: (value: number) => string,
): Reading {
  const index = plot.cursor.idx;
  const x = index === null || index === undefined ? undefined : plot.data[0][index];
  if (x === undefined) return { heading: "", rows: [], more: 0 };
  const all = table.columns.flatMap(({ curve, part }, column) => {
    if (part !== "main") return [];
    const { label = "", color = 0, line, smoothed, drawnAs } = curves[curve] ?? {};
    if (line === undefined) return [];
    const place = nearest(line.xs, x);
    // Dots stand for themselves alone.
    if (drawnAs === "dots" && line.xs[place] !== x) return [];
    const y = (smoothed ?? line.ys)[place];
    if (typeof y !== "number") return [];
    const inFocus =
      curves.length > 1 && (plot.series[column + 1] as { _focus?: boolean })._focus === true;
    return [{ label, color, inFocus, y, text: yText(y) }];
  });
  all.sort((a, b) => b.y - a.y);
  const focused = all.findIndex(({ inFocus }) => inFocus);
  // Those around the one in focus where there are too many.
  const start = Math.max(0, Math.min(focused - shownAtOnce / 2, all.length - shownAtOnce));
  const rows = all.slice(start, start + shownAtOnce);
  const name = { step: "Step ", epoch: "Epoch ", time: "", clock: "", trial: "Trial " }[xKind];
  return { heading: `${name}${xText(x, xKind)}`, rows, more: all.length - rows.length };
}

/** Written into the page directly: it follows the mouse, and nothing else changes. */
function showTip(plot: uPlot, tip: HTMLDivElement | null, reading: Reading): void {
  if (tip === null) return;
  const { left = -1 } = plot.cursor;
  tip.hidden = left < 0 || reading.rows.length === 0;
  if (tip.hidden) return;
  const head = document.createElement("b");
  head.textContent = reading.heading;
  const rows = reading.rows.map(({ label, text, color, inFocus }) => {
    const row = document.createElement("div");
    if (inFocus) row.dataset.focus = "";
    const mark = document.createElement("i");
    mark.style.background = lookOf(color).css;
    const name = document.createElement("span");
    name.textContent = label;
    const number = document.createElement("em");
    number.textContent = text;
    row.append(mark, name, number);
    return row;
  });
  tip.replaceChildren(head, ...rows);
  if (reading.more > 0) {
    const more = document.createElement("small");
    more.textContent = `and ${reading.more} more`;
    tip.append(more);
  }
  const offset = plot.over.offsetLeft;
  const isRight = left > plot.over.clientWidth / 2;
  tip.style.transform = isRight
    ? `translateX(calc(${offset + left - 14}px - 100%))`
    : `translateX(${offset + left + 14}px)`;
}

/** Undefined where the key means nothing here; true where the cursor moved. */
function moveByKey(
  plot: uPlot,
  key: string,
  range: Range | undefined,
  onRange: (range: Range | undefined) => void,
): boolean | undefined {
  const xs = plot.data[0];
  const { min = 0, max = 0 } = plot.scales.x ?? {};
  const [low, high] = [min ?? 0, max ?? 0];
  const here = plot.cursor.idx ?? null;
  const to = (index: number) => {
    const inside = Math.max(nearest(xs, low), Math.min(nearest(xs, high), index));
    plot.setCursor({ left: plot.valToPos(xs[inside] ?? 0, "x"), top: plot.over.clientHeight / 2 });
    return true;
  };
  const zoom = (factor: number) => {
    const middle = here === null ? (low + high) / 2 : (xs[here] ?? low);
    const half = ((high - low) / 2) * factor;
    onRange([middle - half, middle + half]);
    return false;
  };
  const page = Math.max(1, Math.round(xs.length / 10));
  switch (key) {
    case "ArrowRight":
      return to((here ?? nearest(xs, low) - 1) + 1);
    case "ArrowLeft":
      return to((here ?? nearest(xs, high) + 1) - 1);
    case "PageDown":
      return to((here ?? 0) + page);
    case "PageUp":
      return to((here ?? 0) - page);
    case "Home":
      return to(0);
    case "End":
      return to(xs.length - 1);
    case "+":
    case "=":
      return zoom(0.5);
    case "-":
      return range === undefined ? false : zoom(2);
    case "0":
      onRange(undefined);
      return false;
    default:
      return undefined;
  }
}
