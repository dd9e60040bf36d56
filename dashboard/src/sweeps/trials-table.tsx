// The trials of a sweep, ranked: what each tried and came to, with its run and the version that it became.
import { Button } from "@mantine/core";
import { ArrowDown, ArrowUp } from "lucide-react";
import { memo, useMemo, useState } from "react";
import type { Goal, RegisteredTrial, Trial } from "../api/sweeps.js";
import { span, value } from "../shell/format.js";
import { Link } from "../shell/link.js";
import { Table } from "../shell/table.js";
import table from "../shell/table.module.css";
import { StateMark } from "./state-mark.js";
import { colorOf, parameterText, type Standing } from "./trials.js";
import classes from "./trials-table.module.css";

/** Rows drawn at first. */
const rowsAtOnce = 100;

export interface TrialsTableProps {
  /** The best first, then those without a rank. */
  readonly trials: readonly Trial[];
  /** Numbers of complete trials, the best first. */
  readonly ranked: readonly number[];
  readonly keys: readonly string[];
  readonly names: ReadonlyMap<string, string>;
  readonly metric: string;
  readonly goal: Goal;
  readonly standing: Standing | undefined;
  readonly registered: readonly RegisteredTrial[];
  /** A column's name, with `-` before it from the greatest down; undefined for the ranking. */
  readonly sort: string | undefined;
  readonly onSort: (sort: string | undefined) => void;
  readonly pointed: number | undefined;
  readonly onPoint: (number: number | undefined) => void;
}

interface Column {
  readonly id: string;
  readonly label: string;
  readonly title?: string;
  readonly isNumber: boolean;
  readonly read: (trial: Trial) => unknown;
}

export function TrialsTable(props: TrialsTableProps) {
  const { trials, ranked, keys, names, metric, standing, registered, sort, onSort } = props;
  const { pointed, onPoint } = props;
  const [shown, setShown] = useState(rowsAtOnce);
  const rankOf = useMemo(
    () => new Map(ranked.map((number, place) => [number, place + 1])),
    [ranked],
  );
  const hasVersions = registered.length > 0;
  const first: readonly Column[] = [
    { id: "rank", label: "Rank", isNumber: true, read: ({ number }) => rankOf.get(number) },
    { id: "trial", label: "Trial", isNumber: true, read: ({ number }) => number },
    { id: "state", label: "State", isNumber: false, read: ({ state }) => state },
    { id: "value", label: metric, isNumber: true, read: (trial) => trial.value ?? undefined },
  ];
  const rest: readonly Column[] = [
    ...keys.map((key) => ({
      id: `p.${key}`,
      label: names.get(key) ?? key,
      title: key,
      isNumber: trials.every((trial) => typeof trial.parameters[key] !== "string"),
      read: (trial: Trial) => trial.parameters[key],
    })),
    { id: "step", label: "Step", isNumber: true, read: ({ step }) => step ?? undefined },
    { id: "took", label: "Took", isNumber: true, read: tookOf },
  ];
  const columns = [...first, ...rest];
  const id = sort?.replace(/^-/, "") ?? "rank";
  const isDown = sort?.startsWith("-") ?? false;
  const column = columns.find((each) => each.id === id) ?? columns[0];
  const sorted =
    sort === undefined || column === undefined ? trials : sortBy(trials, column, isDown);
  const left = sorted.length - shown;
  const head = (each: Column) => {
    const isSorted = each.id === id;
    const direction = !isSorted ? "none" : isDown ? "descending" : "ascending";
    const next = isSorted && !isDown ? `-${each.id}` : each.id;
    return (
      <th
        key={each.id}
        scope="col"
        className={each.isNumber ? table.number : undefined}
        aria-sort={direction}
        title={each.title}
      >
        <button
          type="button"
          className={classes.sort}
          onClick={() => onSort(next === "rank" ? undefined : next)}
        >
          {each.label}
          {direction === "descending" && <ArrowDown size={13} aria-hidden />}
          {direction === "ascending" && <ArrowUp size={13} aria-hidden />}
        </button>
      </th>
    );
  };
  return (
    <>
      <Table label="Trials">
        <thead>
          <tr>
            {first.map(head)}
            <th scope="col">Run</th>
            {hasVersions && <th scope="col">Registered</th>}
            {rest.map(head)}
          </tr>
        </thead>
        <tbody>
          {sorted.slice(0, shown).map((trial) => (
            <Row
              key={trial.number}
              trial={trial}
              rank={rankOf.get(trial.number)}
              keys={keys}
              standing={standing}
              registered={registered}
              isPointed={trial.number === pointed}
              onPoint={onPoint}
            />
          ))}
        </tbody>
      </Table>
      {left > 0 && (
        <p className={classes.more}>
          <Button size="compact-md" variant="default" onClick={() => setShown(sorted.length)}>
            Show {left} more
          </Button>
        </p>
      )}
    </>
  );
}

/** One of many: pointing at another changes two of them. */
const Row = memo(function Row({
  trial,
  rank,
  keys,
  standing,
  registered,
  isPointed,
  onPoint,
}: Pick<TrialsTableProps, "keys" | "standing" | "registered" | "onPoint"> & {
  readonly trial: Trial;
  readonly rank: number | undefined;
  readonly isPointed: boolean;
}) {
  const { number, state, value: own, step, run, error, parameters } = trial;
  const took = tookOf(trial);
  const versions = registered.filter((each) => each.trial === number);
  return (
    <tr
      className={classes.row}
      data-pointed={isPointed || undefined}
      onPointerEnter={() => onPoint(number)}
      onPointerLeave={() => onPoint(undefined)}
    >
      <td className={table.number}>{rank ?? ""}</td>
      <th scope="row" className={table.number}>
        {number}
      </th>
      <td className={table.nowrap}>
        <StateMark state={state} />
        {error !== null && (
          <span className={classes.error} title={error.message}>
            {error.code}
          </span>
        )}
      </td>
      <td className={table.number}>
        {own !== null && (
          <>
            <i
              className={classes.dot}
              style={{ background: standing && colorOf(standing.of(own)) }}
            />
            {value(own)}
          </>
        )}
      </td>
      <td className={table.mono}>
        {run !== null && <Link href={`/runs/${encodeURIComponent(run)}`}>{run}</Link>}
      </td>
      {registered.length > 0 && (
        <td className={table.nowrap}>
          {versions.map(({ model, version }) => (
            <Link
              key={`${model}:${version}`}
              className={classes.version}
              href={`/registry/${encodeURIComponent(model)}/${version}`}
            >
              {model}:{version}
            </Link>
          ))}
        </td>
      )}
      {keys.map((key) => {
        const isText = typeof parameters[key] === "string";
        return (
          <td key={key} className={isText ? table.nowrap : table.number}>
            {parameterText(parameters[key])}
          </td>
        );
      })}
      <td className={table.number}>{step ?? ""}</td>
      <td className={table.number}>{took === undefined ? "" : span(took)}</td>
    </tr>
  );
});

function tookOf({ beganAtMs, endedAtMs }: Trial): number | undefined {
  return beganAtMs === null || endedAtMs === null ? undefined : endedAtMs - beganAtMs;
}

/** What has nothing in a column comes last, whichever way it is sorted. */
function sortBy(trials: readonly Trial[], { read }: Column, isDown: boolean): readonly Trial[] {
  const sign = isDown ? -1 : 1;
  return [...trials].sort((a, b) => {
    const [one, other] = [read(a), read(b)];
    if (one === undefined || other === undefined) {
      return Number(one === undefined) - Number(other === undefined);
    }
    if (typeof one === "number" && typeof other === "number") return sign * (one - other);
    return sign * parameterText(one).localeCompare(parameterText(other));
  });
}
