// How values are spread: bars, the median, and where nine in ten of them lie.
import type { Distribution } from "../api/data.js";
import { linearTicks, tickTexts } from "../charts/ticks.js";
import { count } from "../shell/figures.js";
import { value } from "../shell/format.js";
import classes from "./histogram.module.css";

export function Histogram({
  title,
  unit,
  of,
  isShare = false,
}: {
  readonly title: string;
  readonly unit: string;
  readonly of: Distribution;
  /** Whether the values are shares rather than counts. */
  readonly isShare?: boolean;
}) {
  const { from, width, counts, above } = of.histogram;
  const end = from + width * counts.length;
  const most = Math.max(1, ...counts);
  const text = (each: number) =>
    isShare ? value(Number(each.toFixed(3))) : count(Math.round(each));
  const placeOf = (each: number) => (100 * (Math.min(end, each) - from)) / (end - from);
  const ticks = linearTicks(from, end, !isShare).filter((tick) => placeOf(tick) < 96);
  const tickLabels = tickTexts(ticks, isShare ? value : count);
  const told = `median ${text(of.median)}, nine in ten from ${text(of.p5)} to ${text(of.p95)}`;
  return (
    <figure className={classes.figure}>
      <figcaption className={classes.caption}>
        <b>{title}</b> <span>{unit}</span>
      </figcaption>
      <div
        className={classes.plot}
        role="img"
        aria-label={`${title}, ${unit}: ${told}, least ${text(of.least)}, most ${text(of.most)}`}
      >
        {counts.map((rows, index) => {
          const start = from + index * width;
          return (
            <i
              // biome-ignore lint/suspicious/noArrayIndexKey: bars are told apart by their place alone
              key={index}
              title={`${text(start)} to ${text(start + width)}: ${count(rows)} rows`}
              style={{ height: `${rows === 0 ? 0 : Math.max(1.5, (100 * rows) / most)}%` }}
            />
          );
        })}
        <span
          className={classes.range}
          style={{ left: `${placeOf(of.p5)}%`, width: `${placeOf(of.p95) - placeOf(of.p5)}%` }}
        />
        <span className={classes.median} style={{ left: `${placeOf(of.median)}%` }} />
      </div>
      <div className={classes.axis} aria-hidden>
        {ticks.map((tick, index) => (
          <span key={tick} style={{ left: `${placeOf(tick)}%` }}>
            {tickLabels[index]}
          </span>
        ))}
      </div>
      <p className={classes.told}>
        {told}
        {above > 0 && `; ${count(above)} beyond, at most ${text(of.most)}`}
      </p>
    </figure>
  );
}
