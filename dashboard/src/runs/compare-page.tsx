// Several runs beside each other: their curves on shared axes, and what of their parameters and figures is not the same.
import { Button } from "@mantine/core";
import { GitCompareArrows, Table2, X } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { compareRuns, type Run, readCharts } from "../api/runs.js";
import { lookOf } from "../charts/colors.js";
import { counted } from "../shell/figures.js";
import { value } from "../shell/format.js";
import { Link } from "../shell/link.js";
import { Card, PageFrame } from "../shell/page-frame.js";
import { go, useSearch } from "../shell/router.js";
import { Empty, Shown, Waiting } from "../shell/states.js";
import { useResource } from "../shell/use-resource.js";
import { isSystem } from "./columns.js";
import classes from "./compare-page.module.css";
import { ValuesTable } from "./params-table.js";
import { RunCharts } from "./run-charts.js";
import { StatusMark } from "./status-mark.js";
import { useRunNews } from "./use-run-news.js";

/** Curves that go on are looked up again so often at most. */
const settleMs = 2000;
const crumbs = [{ label: "Runs", href: "/runs" }];

export default function ComparePage() {
  const { params, set } = useSearch();
  const ids = params.getAll("run");
  const key = ids.join(" ");
  const found = useResource(
    ids.length === 0 ? undefined : `compare ${key}`,
    (signal) => compareRuns(ids, signal),
    { holdsOver: true },
  );
  const turn = useTurns(ids, found.update);
  if (ids.length === 0) {
    return (
      <PageFrame title="Compare" crumbs={crumbs}>
        <Empty
          icon={GitCompareArrows}
          title="No runs are chosen"
          action={<Button onClick={() => go("/runs")}>Choose runs</Button>}
        >
          Tick two or more in the table of runs, and compare them.
        </Empty>
      </PageFrame>
    );
  }
  return (
    <PageFrame
      title="Compare"
      isWide
      crumbs={crumbs}
      about={counted(ids.length, "run")}
      actions={
        <Button
          variant="default"
          leftSection={<Table2 size={16} />}
          onClick={() => go(`/runs?${new URLSearchParams(ids.map((id) => ["run", id]))}`)}
        >
          Choose others
        </Button>
      }
    >
      <Shown of={found} waiting={<Waiting lines={9} />}>
        {(runs) => (
          <Compared
            runs={runs}
            turn={turn}
            onRemove={(id) => set({ run: ids.filter((each) => each !== id) })}
          />
        )}
      </Shown>
    </PageFrame>
  );
}

/** Keeps compared runs up to date, and counts up, now and then, while some of them go on. */
function useTurns(
  ids: readonly string[],
  update: (change: (before: readonly Run[]) => readonly Run[]) => void,
): number {
  const [turn, setTurn] = useState(0);
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(waiting.current), []);
  const key = ids.join(" ");
  useRunNews(
    useCallback(
      (news: Run) => {
        if (!key.split(" ").includes(news.id)) return;
        update((before) => before.map((run) => (run.id === news.id ? news : run)));
        waiting.current ??= setTimeout(() => {
          waiting.current = undefined;
          setTurn((before) => before + 1);
        }, settleMs);
      },
      [key, update],
    ),
  );
  return turn;
}

function Compared({
  runs,
  turn,
  onRemove,
}: {
  readonly runs: readonly Run[];
  readonly turn: number;
  readonly onRemove: (id: string) => void;
}) {
  const charted = useMemo(
    () => runs.map(({ id, name, startedAt }, color) => ({ id, name, startedAt, color })),
    [runs],
  );
  const names = sharedKeys(runs).join("\n");
  const keys = useMemo(() => names.split("\n").filter((key) => key !== ""), [names]);
  const named = (values: (run: Run) => Readonly<Record<string, string>>) =>
    runs.map((run, place) => ({
      id: run.id,
      name: run.name,
      color: lookOf(place).css,
      values: values(run),
    }));
  return (
    <>
      <ul className={classes.runs} aria-label="Compared runs">
        {runs.map((run, place) => (
          <li key={run.id}>
            <i style={{ background: lookOf(place).css }} />
            <Link href={`/runs/${run.id}`} title={`${run.name}, ${run.id}`}>
              {run.name}
            </Link>
            <StatusMark status={run.status} />
            <button
              type="button"
              aria-label={`Without ${run.name}`}
              onClick={() => onRemove(run.id)}
            >
              <X size={14} aria-hidden />
            </button>
          </li>
        ))}
      </ul>
      <RunCharts
        runs={charted}
        keys={keys}
        resourceKey={`charts of ${runs.map(({ id }) => id).join(" ")}`}
        load={async (query, signal) =>
          (await Promise.all(runs.map(({ id }) => readCharts(id, query, signal)))).flat()
        }
        turn={turn}
      />
      <Card title="Figures" isFlush>
        <ValuesTable label="Figures" of={named(figuresOf)} isNumeric />
      </Card>
      <Card title="Parameters" isFlush>
        <ValuesTable label="Parameters" of={named(({ params }) => params)} />
      </Card>
    </>
  );
}

/** Metrics that at least two have come first; readings of the machine are no ground for comparison. */
function sharedKeys(runs: readonly Run[]): readonly string[] {
  const all = [...new Set(runs.flatMap(({ metrics }) => Object.keys(metrics)))].filter(
    (key) => !isSystem(key),
  );
  const rank = (key: string) => (key.endsWith("loss") ? 0 : key.startsWith("eval/") ? 1 : 2);
  return all.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

function figuresOf({ metrics }: Run): Readonly<Record<string, string>> {
  const figures: Record<string, string> = {};
  for (const [key, { last, min, max, count }] of Object.entries(metrics)) {
    if (isSystem(key)) continue;
    if (last !== null) figures[`${key} last`] = value(last);
    if (count < 2) continue;
    if (min !== null) figures[`${key} min`] = value(min);
    if (max !== null) figures[`${key} max`] = value(max);
  }
  return figures;
}
