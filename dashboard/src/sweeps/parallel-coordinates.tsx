// Trials as lines over an axis for each key, coloured by what they came to; parts of axes are chosen by dragging or by keys.
// biome-ignore-all lint/a11y/noAriaHiddenOnFocusable: nothing in an SVG takes the focus unless it says so
import {
  type KeyboardEvent,
  memo,
  type PointerEvent,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import type { Trial } from "../api/sweeps.js";
import type { Axis, Brush, Brushes } from "./axes.js";
import { isWithin, placesOf, withBrush } from "./axes.js";
import classes from "./parallel-coordinates.module.css";
import { colorOf, type Standing } from "./trials.js";

const height = 352;
const top = 46;
const bottom = height - 26;
const side = 84;
const leastGap = 124;
/** How near to an edge, in pixels, a drag takes hold of it. */
const grip = 9;
/** A shorter drag is a click, which chooses all of the axis again. */
const leastDrag = 4;
const nearLine = 14;

const yOf = (place: number) => bottom - place * (bottom - top);
const placeAt = (y: number) => Math.min(1, Math.max(0, (bottom - y) / (bottom - top)));

export interface ParallelCoordinatesProps {
  /** The objective's last. */
  readonly axes: readonly Axis[];
  /** What each axis is called. */
  readonly names: readonly string[];
  /** Those with a value. */
  readonly trials: readonly Trial[];
  readonly standing: Standing;
  readonly brushes: Brushes;
  readonly onBrushes: (brushes: Brushes) => void;
  /** The number of the trial that is pointed at. */
  readonly pointed: number | undefined;
  readonly onPoint: (number: number | undefined) => void;
}

interface DrawnTrial {
  readonly trial: Trial;
  readonly places: readonly (number | undefined)[];
  readonly color: string;
  readonly path: string;
}

export function ParallelCoordinates(props: ParallelCoordinatesProps) {
  const { axes, names, trials, standing, brushes, onBrushes, pointed, onPoint } = props;
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(0);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) setRoom(Math.floor(entry.contentRect.width));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const width = Math.max(room, side * 2 + (axes.length - 1) * leastGap);
  const gap = axes.length < 2 ? 0 : (width - side * 2) / (axes.length - 1);
  const xs = useMemo(() => axes.map((_, index) => side + index * gap), [axes, gap]);

  const drawn = useMemo(
    () =>
      trials
        .map((trial): DrawnTrial => {
          const color = colorOf(standing.of(trial.value ?? standing.worst));
          const places = placesOf(trial, axes);
          return { trial, places, color, path: pathOf(places, xs) };
        })
        // The best on top.
        .sort((a, b) => standing.of(a.trial.value ?? 0) - standing.of(b.trial.value ?? 0)),
    [trials, axes, standing, xs],
  );
  const chosen = useMemo(() => {
    const of = axes.map(({ key }) => brushes[key]);
    return new Set(drawn.filter(({ places }) => isWithin(places, of)));
  }, [drawn, axes, brushes]);
  const onTop = drawn.find(({ trial }) => trial.number === pointed);

  const onMove = (event: PointerEvent<SVGSVGElement>) => {
    if (event.buttons !== 0) return;
    const from = event.currentTarget.getBoundingClientRect();
    const [x, y] = [event.clientX - from.left, event.clientY - from.top];
    onPoint(nearestLine(chosen, xs, x, y)?.trial.number);
  };
  return (
    <div className={classes.scroll} ref={box}>
      {room > 0 && (
        <div className={classes.stage} style={{ width, height }}>
          <svg
            className={classes.lines}
            width={width}
            height={height}
            aria-hidden="true"
            data-pointing={onTop !== undefined || undefined}
          >
            <Lines drawn={drawn} chosen={chosen} />
          </svg>
          {/* biome-ignore lint/a11y/useSemanticElements: only an SVG draws lines */}
          <svg
            role="group"
            aria-label="Parallel coordinates of the trials; the table Trials has the same values"
            className={classes.front}
            width={width}
            height={height}
            onPointerMove={onMove}
            onPointerLeave={() => onPoint(undefined)}
          >
            {onTop !== undefined && (
              <g className={classes.pointed} aria-hidden="true">
                <path d={onTop.path} />
                <path d={onTop.path} stroke={onTop.color} />
              </g>
            )}
            {axes.map((axis, index) => (
              <AxisView
                key={axis.key}
                axis={axis}
                name={names[index] ?? axis.key}
                x={xs[index] ?? 0}
                isLast={index === axes.length - 1}
                brush={brushes[axis.key]}
                onBrush={(brush) => onBrushes(withBrush(brushes, axis.key, brush))}
              />
            ))}
          </svg>
        </div>
      )}
    </div>
  );
}

/** All lines: on a layer of their own, which stays as it is while one of them is pointed at. */
const Lines = memo(function Lines({
  drawn,
  chosen,
}: {
  readonly drawn: readonly DrawnTrial[];
  readonly chosen: ReadonlySet<DrawnTrial>;
}) {
  return drawn.map((each) => (
    <path
      key={each.trial.number}
      d={each.path}
      stroke={each.color}
      data-left-out={!chosen.has(each) || undefined}
      data-pruned={each.trial.state !== "complete" || undefined}
    />
  ));
});

/** A line from axis to axis, level where it meets them. What has no place on an axis leaves a gap there. */
function pathOf(places: readonly (number | undefined)[], xs: readonly number[]): string {
  let path = "";
  let before: readonly [x: number, y: number] | undefined;
  for (const [index, place] of places.entries()) {
    if (place === undefined) {
      before = undefined;
      continue;
    }
    const [x, y] = [xs[index] ?? 0, Number(yOf(place).toFixed(1))];
    if (before === undefined) path += `M${x} ${y}`;
    else {
      const middle = (before[0] + x) / 2;
      path += `C${middle} ${before[1]} ${middle} ${y} ${x} ${y}`;
    }
    before = [x, y];
  }
  return path;
}

/** The line that goes by nearest to a point, if one is near. */
function nearestLine(
  drawn: Iterable<DrawnTrial>,
  xs: readonly number[],
  x: number,
  y: number,
): DrawnTrial | undefined {
  const right = xs.findIndex((each) => each >= x);
  if (right < 1) return undefined;
  const [start, end] = [xs[right - 1] ?? 0, xs[right] ?? 0];
  const t = end === start ? 0 : (x - start) / (end - start);
  // As the curves go, nearly enough.
  const eased = t * t * (3 - 2 * t);
  let found: DrawnTrial | undefined;
  let least = nearLine;
  for (const each of drawn) {
    const [a, b] = [each.places[right - 1], each.places[right]];
    if (a === undefined || b === undefined) continue;
    const distance = Math.abs(yOf(a + (b - a) * eased) - y);
    if (distance > least) continue;
    least = distance;
    found = each;
  }
  return found;
}

function AxisView({
  axis,
  name,
  x,
  isLast,
  brush,
  onBrush,
}: {
  readonly axis: Axis;
  readonly name: string;
  readonly x: number;
  readonly isLast: boolean;
  readonly brush: Brush | undefined;
  readonly onBrush: (brush: Brush | undefined) => void;
}) {
  const [low, high] = brush ?? [0, 1];
  const drag = useDrag(brush, onBrush);
  const ends = [
    { end: "from", place: low },
    { end: "to", place: high },
  ] as const;
  return (
    <g
      transform={`translate(${x} 0)`}
      className={classes.axis}
      data-objective={isLast || undefined}
    >
      <text className={classes.name} y={16} textAnchor="middle" aria-hidden="true">
        {shortened(name)}
      </text>
      <line y1={top} y2={bottom} className={classes.rule} aria-hidden="true" />
      <g aria-hidden="true" className={classes.ticks}>
        {axis.ticks.map(({ at, text }) => (
          <g key={text} transform={`translate(0 ${yOf(at)})`}>
            <line x1={-4} x2={4} />
            <text x={isLast ? 13 : -13} dy="0.33em" textAnchor={isLast ? "start" : "end"}>
              {shortened(text, 12)}
            </text>
          </g>
        ))}
      </g>
      {brush !== undefined && (
        <rect
          className={classes.brush}
          x={-9}
          width={18}
          y={yOf(high)}
          height={Math.max(2, yOf(low) - yOf(high))}
          aria-hidden="true"
        />
      )}
      <rect
        className={classes.strip}
        x={-18}
        width={36}
        y={top - 12}
        height={bottom - top + 24}
        aria-hidden="true"
        {...drag}
      >
        <title>{`${name}: drag to choose a part, click for all`}</title>
      </rect>
      {ends.map(({ end, place }) => (
        <g
          key={end}
          className={classes.handle}
          data-brushed={brush !== undefined || undefined}
          transform={`translate(0 ${yOf(place)})`}
          role="slider"
          tabIndex={0}
          aria-label={`${name}, ${end}`}
          aria-orientation="vertical"
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(place * 100)}
          aria-valuetext={axis.textAt(place)}
          onKeyDown={(event) => {
            const next = movedBrush([low, high], end, event, axis);
            if (next === undefined) return;
            event.preventDefault();
            onBrush(next === "all" ? undefined : next);
          }}
        >
          <rect x={-9} y={end === "to" ? -5 : -1} width={18} height={6} rx={3} />
        </g>
      ))}
    </g>
  );
}

/** What a key makes of a part of an axis; undefined for a key that means nothing here. */
function movedBrush(
  [low, high]: Brush,
  end: "from" | "to",
  { key }: KeyboardEvent,
  axis: Axis,
): Brush | "all" | undefined {
  const steps = {
    ArrowUp: 1,
    ArrowRight: 1,
    PageUp: 1,
    ArrowDown: -1,
    ArrowLeft: -1,
    PageDown: -1,
  }[key];
  const own = end === "from" ? low : high;
  const to =
    key === "Home" ? 0 : key === "End" ? 1 : steps && axis.move(own, steps, key.startsWith("Page"));
  if (key === "Escape" || key === "Delete" || key === "Backspace") return "all";
  if (to === undefined) return undefined;
  return end === "from" ? [Math.min(to, high), high] : [low, Math.max(to, low)];
}

/** A drag over an axis: by an edge of what is chosen, by what is chosen, or anew. */
function useDrag(brush: Brush | undefined, onBrush: (brush: Brush | undefined) => void) {
  const begun = useRef<{ readonly y: number; readonly move: (y: number) => Brush } | undefined>(
    undefined,
  );
  const heightAt = (event: PointerEvent<SVGRectElement>) =>
    event.clientY - (event.currentTarget.ownerSVGElement?.getBoundingClientRect().top ?? 0);
  const between = (a: number, b: number): Brush => [Math.min(a, b), Math.max(a, b)];
  return {
    onPointerDown(event: PointerEvent<SVGRectElement>) {
      if (event.button !== 0) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      const y = heightAt(event);
      const start = placeAt(y);
      let move = (to: number): Brush => between(start, placeAt(to));
      if (brush !== undefined) {
        const [low, high] = brush;
        if (Math.abs(yOf(high) - y) < grip) move = (to) => between(low, placeAt(to));
        else if (Math.abs(yOf(low) - y) < grip) move = (to) => between(placeAt(to), high);
        else if (start > low && start < high) {
          move = (to) => {
            const by = Math.min(1 - high, Math.max(-low, placeAt(to) - start));
            return [low + by, high + by];
          };
        }
      }
      begun.current = { y, move };
    },
    onPointerMove(event: PointerEvent<SVGRectElement>) {
      const y = heightAt(event);
      if (begun.current === undefined || Math.abs(y - begun.current.y) < leastDrag) return;
      onBrush(begun.current.move(y));
    },
    onPointerUp(event: PointerEvent<SVGRectElement>) {
      const isClick =
        begun.current !== undefined && Math.abs(heightAt(event) - begun.current.y) < leastDrag;
      begun.current = undefined;
      if (isClick) onBrush(undefined);
    },
    onPointerCancel() {
      begun.current = undefined;
    },
  };
}

function shortened(text: string, most = 20): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
