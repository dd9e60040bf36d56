// A table of runs of any number: only the rows in sight are drawn; arrow keys go through them, Space chooses, Enter opens.
// biome-ignore-all lint/a11y/useSemanticElements: only rows that are no table elements can be placed by themselves
import { VisuallyHidden } from "@mantine/core";
import { ArrowDown, ArrowUp } from "lucide-react";
import { type CSSProperties, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";
import type { Run } from "../api/runs.js";
import { lookOf } from "../charts/colors.js";
import { Link } from "../shell/link.js";
import { go } from "../shell/router.js";
import { useVirtualRows } from "../shell/virtual-rows.js";
import type { Column } from "./columns.js";
import classes from "./runs-table.module.css";
import { StatusMark } from "./status-mark.js";

const rowHeight = 42;
const headHeight = 40;
const tickWidth = 44;
const nameWidth = 190;

export interface RunsTableProps {
  readonly total: number;
  readonly columns: readonly Column[];
  readonly runAt: (index: number) => Run | undefined;
  readonly need: (first: number, last: number) => void;
  /** A field, with `-` before it from the greatest down. */
  readonly sort: string;
  readonly onSort: (sort: string) => void;
  /** Ids, in the order they were chosen. */
  readonly chosen: readonly string[];
  readonly onChoose: (id: string) => void;
}

export function RunsTable(props: RunsTableProps) {
  const { total, columns, runAt, need, sort, onSort, chosen, onChoose } = props;
  const box = useRef<HTMLDivElement>(null);
  const { first, end } = useVirtualRows(box, rowHeight, total);
  const [active, setActive] = useState(0);
  /** A row that has the focus while its run is on its way: the run's row is another element, and takes it over. */
  const awaited = useRef<number>(undefined);
  const now = useNow();
  useEffect(() => {
    if (end > first) need(first, end - 1);
  }, [first, end, need]);

  const widths = [
    `${tickWidth}px`,
    `minmax(${nameWidth}px, 1.6fr)`,
    ...columns.map(({ widthPx }) => `minmax(${widthPx}px, 1fr)`),
  ];
  const least = columns.reduce((sum, { widthPx }) => sum + widthPx, tickWidth + nameWidth);
  const style = {
    "--columns": widths.join(" "),
    "--least": `${least}px`,
    "--row": `${rowHeight}px`,
  } as CSSProperties;

  const goTo = (index: number) => {
    const next = Math.max(0, Math.min(total - 1, index));
    const element = box.current;
    // Drawn and in focus before the next key comes, which is for this row, however fast somebody types.
    flushSync(() => setActive(next));
    if (element === null) return;
    const top = next * rowHeight;
    const room = element.clientHeight - headHeight - rowHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top > element.scrollTop + room) element.scrollTop = top - room;
    element.querySelector<HTMLElement>(`[data-row="${next}"]`)?.focus({ preventScroll: true });
  };

  const onKeyDown = (event: KeyboardEvent, index: number, run: Run | undefined) => {
    if (event.target !== event.currentTarget) return;
    const page = Math.max(1, Math.floor((box.current?.clientHeight ?? 0) / rowHeight) - 2);
    const to = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: total - 1,
    }[event.key];
    if (to !== undefined) goTo(to);
    else if (event.key === " " && run !== undefined) onChoose(run.id);
    else if (event.key === "Enter" && run !== undefined) go(`/runs/${run.id}`);
    else return;
    event.preventDefault();
  };

  const drawn = rowsToDraw(first, end, active, total);
  // The one row that Tab stops at must be drawn.
  const stop = drawn.includes(active) ? active : first;
  const sorted = sort.replace(/^-/, "");
  const isDown = sort.startsWith("-");
  return (
    <div
      className={classes.box}
      ref={box}
      style={style}
      role="grid"
      aria-label="Runs"
      aria-rowcount={total + 1}
      aria-colcount={columns.length + 2}
      aria-multiselectable
    >
      <div className={`${classes.row} ${classes.head}`} role="row" tabIndex={-1} aria-rowindex={1}>
        <div className={classes.tick} role="columnheader" tabIndex={-1}>
          <VisuallyHidden>Chosen</VisuallyHidden>
        </div>
        {[{ field: "name", label: "Name", isNumber: false }, ...columns].map(
          ({ field, label, isNumber }) => {
            const direction = field !== sorted ? "none" : isDown ? "descending" : "ascending";
            return (
              <div
                key={field}
                role="columnheader"
                tabIndex={-1}
                className={field === "name" ? classes.name : classes.cell}
                data-number={isNumber || undefined}
                aria-sort={direction}
              >
                <button
                  type="button"
                  className={classes.sort}
                  title={field}
                  onClick={() => onSort(direction === "descending" ? field : `-${field}`)}
                >
                  <span>{label}</span>
                  {direction === "descending" && <ArrowDown size={14} aria-hidden />}
                  {direction === "ascending" && <ArrowUp size={14} aria-hidden />}
                </button>
              </div>
            );
          },
        )}
      </div>
      <div className={classes.rows} role="presentation" style={{ height: total * rowHeight }}>
        {drawn.map((index) => {
          const run = runAt(index);
          const place = run === undefined ? -1 : chosen.indexOf(run.id);
          return (
            <div
              key={run?.id ?? index}
              className={classes.row}
              role="row"
              aria-rowindex={index + 2}
              aria-selected={place >= 0}
              data-row={index}
              tabIndex={index === stop ? 0 : -1}
              style={{ transform: `translateY(${index * rowHeight}px)` }}
              ref={(element) => {
                if (element === null || run === undefined || awaited.current !== index) return;
                awaited.current = undefined;
                element.focus({ preventScroll: true });
              }}
              onFocus={() => {
                setActive(index);
                awaited.current = run === undefined ? index : undefined;
              }}
              onBlur={() => {
                awaited.current = undefined;
              }}
              onKeyDown={(event) => onKeyDown(event, index, run)}
            >
              {run === undefined ? (
                <div
                  className={classes.coming}
                  role="gridcell"
                  tabIndex={-1}
                  aria-label="Loading"
                />
              ) : (
                <Cells run={run} columns={columns} place={place} now={now} onChoose={onChoose} />
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** The rows in sight, and the active one wherever it is: it keeps the focus while others are looked at. */
function rowsToDraw(first: number, end: number, active: number, total: number): readonly number[] {
  const seen = Array.from({ length: Math.max(0, end - first) }, (_, offset) => first + offset);
  if (active >= total || seen.includes(active)) return seen;
  return active < first ? [active, ...seen] : [...seen, active];
}

function Cells({
  run,
  columns,
  place,
  now,
  onChoose,
}: {
  readonly run: Run;
  readonly columns: readonly Column[];
  readonly place: number;
  readonly now: number;
  readonly onChoose: (id: string) => void;
}) {
  const tick = place < 0 ? undefined : ({ "--tick": lookOf(place).css } as CSSProperties);
  return (
    <>
      <div className={classes.tick} role="gridcell" tabIndex={-1} style={tick}>
        <input
          type="checkbox"
          tabIndex={-1}
          aria-label={`Compare ${run.name} ${run.id}`}
          checked={place >= 0}
          onChange={() => onChoose(run.id)}
        />
      </div>
      <div className={classes.name} role="gridcell" tabIndex={-1}>
        <Link href={`/runs/${run.id}`} tabIndex={-1} title={`${run.name}, ${run.id}`}>
          {run.name}
        </Link>
      </div>
      {columns.map((column) => {
        const text = column.text(run, now);
        return (
          <div
            key={column.field}
            className={classes.cell}
            role="gridcell"
            tabIndex={-1}
            data-number={column.isNumber || undefined}
            title={text}
          >
            {column.field === "status" ? (
              <StatusMark status={run.status} />
            ) : text === "" ? (
              <span className={classes.nothing} aria-hidden>
                –
              </span>
            ) : (
              text
            )}
          </div>
        );
      })}
    </>
  );
}

/** The time, often enough for "2 min ago". */
function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
