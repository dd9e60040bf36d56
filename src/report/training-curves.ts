// Draws a training run's curves as one SVG: loss, and ROUGE-L where summaries were written.
import { scaleLinear } from "d3-scale";
import { line } from "d3-shape";
import type { TrainEvent } from "../train/events.js";

interface Point {
  readonly x: number;
  readonly y: number;
}

interface Curve {
  readonly name: string;
  /** Class of the sheet below, which has its colour. */
  readonly look: "learned" | "held-out";
  readonly points: readonly Point[];
}

interface Panel {
  readonly title: string;
  readonly curves: readonly Curve[];
}

const [width, height] = [720, 260];
const margin = { top: 34, right: 16, bottom: 34, left: 48 };

/** Most points of a curve; more are joined by their means. */
const mostPoints = 200;

const sheet = `
  svg { font: 12px system-ui, sans-serif; background: #ffffff; }
  text { fill: #3b4252; }
  .title { font-size: 14px; font-weight: 600; }
  .grid { stroke: #e3e6ec; }
  path { fill: none; stroke-width: 2; stroke-linejoin: round; }
  .learned { stroke: #8a94a6; }
  .held-out { stroke: #1c6fd6; }
  circle.held-out { fill: #1c6fd6; }
  @media (prefers-color-scheme: dark) {
    svg { background: #16181d; }
    text { fill: #d5d9e2; }
    .grid { stroke: #2d323c; }
    .learned { stroke: #7c879b; }
    .held-out { stroke: #6ea8ff; }
    circle.held-out { fill: #6ea8ff; }
  }`;

/** Neighbouring points joined by their means until few enough are left to draw. */
function thinned(points: readonly Point[]): readonly Point[] {
  const size = Math.ceil(points.length / mostPoints);
  if (size <= 1) return points;
  const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const group = points.slice(i * size, (i + 1) * size);
    return { x: mean(group.map(({ x }) => x)), y: mean(group.map(({ y }) => y)) };
  });
}

function panelsOf(events: readonly TrainEvent[]): Panel[] {
  const learned = events.flatMap((event) =>
    event.type === "step" ? [{ x: event.step, y: event.loss }] : [],
  );
  const reports = events.flatMap((event) => (event.type === "evaluation" ? [event.report] : []));
  const heldOut = reports.map(({ step, loss }) => ({ x: step, y: loss }));
  const rougeL = reports.flatMap(({ step, rouge }) =>
    rouge === undefined ? [] : [{ x: step, y: 100 * rouge.rougeL }],
  );
  const curves: Curve[] = [
    { name: "training rows", look: "learned", points: thinned(learned) },
    { name: "validation rows", look: "held-out", points: heldOut },
  ];
  const panels = [{ title: "Loss", curves }];
  if (rougeL.length > 0) {
    const curve: Curve = { name: "validation rows", look: "held-out", points: rougeL };
    panels.push({ title: "ROUGE-L of the summaries written", curves: [curve] });
  }
  return panels;
}

function drawPanel({ title, curves }: Panel, steps: number, top: number): string {
  const drawn = curves.filter(({ points }) => points.length > 0);
  const values = drawn.flatMap(({ points }) => points.map(({ y }) => y));
  const x = scaleLinear([0, steps], [margin.left, width - margin.right]);
  const y = scaleLinear(
    [Math.min(...values), Math.max(...values)],
    [top + height - margin.bottom, top + margin.top],
  ).nice(5);
  const path = line<Point>(
    (point) => x(point.x),
    (point) => y(point.y),
  ).digits(1);
  const rows = y.ticks(5).map((tick) => {
    const at = y(tick).toFixed(1);
    const rule = `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${at}" y2="${at}"/>`;
    return `${rule}<text x="${margin.left - 8}" y="${at}" dy="4" text-anchor="end">${y.tickFormat(5)(tick)}</text>`;
  });
  const bottom = top + height - margin.bottom;
  const columns = x
    .ticks(8)
    .map(
      (tick) =>
        `<text x="${x(tick).toFixed(1)}" y="${bottom + 18}" text-anchor="middle">${x.tickFormat(8)(tick)}</text>`,
    );
  const lines = drawn.flatMap(({ look, points }) => {
    const dots =
      look === "held-out"
        ? points.map(
            (point) =>
              `<circle class="held-out" cx="${x(point.x).toFixed(1)}" cy="${y(point.y).toFixed(1)}" r="2.5"/>`,
          )
        : [];
    return [`<path class="${look}" d="${path(points) ?? ""}"/>`, ...dots];
  });
  const legend = drawn.map(({ name, look }, i) => {
    const right = width - margin.right - i * 140;
    const at = top + 16;
    return `<path class="${look}" d="M${right - 118},${at}h18"/><text x="${right - 94}" y="${at}" dy="4">${name}</text>`;
  });
  const heading = `<text class="title" x="${margin.left}" y="${top + 20}">${title}</text>`;
  const unit = `<text x="${width - margin.right}" y="${bottom + 30}" text-anchor="end">steps</text>`;
  return [heading, ...rows, ...columns, unit, ...lines, ...legend].join("\n");
}

/**
 * A run's curves over its steps. Of a run that was interrupted, every step is drawn once, as its events tell it.
 * @param events in the order they were told; at least one step
 * @returns an SVG document, readable on light and dark ground
 */
export function drawTrainingCurves(events: readonly TrainEvent[]): string {
  const panels = panelsOf(events);
  const steps = Math.max(
    1,
    ...panels.flatMap(({ curves }) => curves.flatMap(({ points }) => points.map(({ x }) => x))),
  );
  const all = height * panels.length;
  const size = `width="${width}" height="${all}" viewBox="0 0 ${width} ${all}"`;
  const body = panels.map((panel, i) => drawPanel(panel, steps, i * height)).join("\n");
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="Training curves">
<style>${sheet}
</style>
${body}
</svg>
`;
}
