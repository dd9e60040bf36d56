// One sweep: the best so far, what decides it, every trial as a line over its keys, and all of them in a table.
import { Button, Tooltip } from "@mantine/core";
import { ChartSpline, Copy, GitCompareArrows, X } from "lucide-react";
import { useMemo, useState } from "react";
import { getSweep, type Sweep, type Trial } from "../api/sweeps.js";
import { ChartCard } from "../charts/chart-card.js";
import { AliasMark } from "../models/alias-mark.js";
import { copyText } from "../shell/clipboard.js";
import { Figures } from "../shell/facts.js";
import { count, counted } from "../shell/figures.js";
import { tooltipProps } from "../shell/floating.js";
import { moment, span, value } from "../shell/format.js";
import { Link } from "../shell/link.js";
import { Card, PageFrame } from "../shell/page-frame.js";
import type { PageProps } from "../shell/pages.js";
import { go, useSearch } from "../shell/router.js";
import { Shown, Waiting } from "../shell/states.js";
import { useResource } from "../shell/use-resource.js";
import { axisOf, type Brushes, isWithin, numberAxis, placesOf } from "./axes.js";
import { Importance } from "./importance.js";
import { ParallelCoordinates } from "./parallel-coordinates.js";
import { StateMark } from "./state-mark.js";
import { progressCurves, reportCurves } from "./sweep-curves.js";
import classes from "./sweep-page.module.css";
import { colorOf, inOrder, type Standing, shortKeys, standingOf, triedKeys } from "./trials.js";
import { TrialsBar } from "./trials-bar.js";
import { TrialsTable } from "./trials-table.js";

const crumbs = [{ label: "Sweeps", href: "/sweeps" }];
/** So many of the best are compared by one press. */
const mostCompared = 5;

export default function SweepPage({ params }: PageProps) {
  const name = params.name ?? "";
  const found = useResource(`sweep ${name}`, (signal) => getSweep(name, signal), {
    // Trials become versions of any model.
    about: [`sweeps/${name}`, "models"],
  });
  const { data: sweep } = found;
  if (sweep === undefined) {
    return (
      <PageFrame title={name} crumbs={crumbs}>
        <Shown of={found} waiting={<Waiting lines={9} />}>
          {() => null}
        </Shown>
      </PageFrame>
    );
  }
  return (
    <PageFrame
      title={sweep.name}
      isWide
      crumbs={crumbs}
      heading={
        <>
          {sweep.name} <StateMark state={sweep.state} />
        </>
      }
      about={
        <>
          {sweep.title !== null && <>{sweep.title} · </>}
          {sweep.objective.goal} {sweep.objective.metric} · begun {moment(sweep.beganAtMs)}
        </>
      }
      actions={<Actions sweep={sweep} />}
    >
      <Found sweep={sweep} />
    </PageFrame>
  );
}

function Actions({ sweep }: { readonly sweep: Sweep }) {
  const best = sweep.ranked
    .flatMap((number) => sweep.trials.find((trial) => trial.number === number)?.run ?? [])
    .slice(0, mostCompared);
  return (
    <>
      {sweep.state === "interrupted" && (
        <Tooltip label="Copy the command that goes on with it" {...tooltipProps}>
          <Button
            variant="default"
            leftSection={<Copy size={16} />}
            onClick={() => void copyText(sweep.resume, resumeNote(sweep.resume))}
          >
            Resume
          </Button>
        </Tooltip>
      )}
      {sweep.trials.some(({ run }) => run !== null) && (
        <Button
          variant="default"
          leftSection={<ChartSpline size={16} />}
          onClick={() => go(`/runs?filter=${encodeURIComponent(`tags.sweep = "${sweep.name}"`)}`)}
        >
          Runs
        </Button>
      )}
      {best.length > 1 && (
        <Button
          variant="default"
          leftSection={<GitCompareArrows size={16} />}
          onClick={() => go(`/runs/compare?${new URLSearchParams(best.map((id) => ["run", id]))}`)}
        >
          Compare the best
        </Button>
      )}
    </>
  );
}

function resumeNote(command: string): string {
  const where = "The command is on the clipboard. Run it in the folder where the sweep began.";
  // Sweeps that earlier versions began do not know their file.
  return command.startsWith("bridle sweep FILE ") ? `${where} FILE is the sweep's file.` : where;
}

function Found({ sweep }: { readonly sweep: Sweep }) {
  const { trials, objective, ranked, registered } = sweep;
  const { metric, goal } = objective;
  const { params, set } = useSearch();
  const [brushes, setBrushes] = useState<Brushes>({});
  const [pointed, setPointed] = useState<number>();
  const keys = useMemo(() => triedKeys(sweep), [sweep]);
  const names = useMemo(() => shortKeys(keys), [keys]);
  const valued = useMemo(() => trials.filter((trial) => trial.value !== null), [trials]);
  // What a pruned trial came to halfway says nothing of how good a whole one is.
  const standing = useMemo(() => {
    const complete = valued.filter(({ state }) => state === "complete");
    const judged = complete.length > 0 ? complete : valued;
    return standingOf(
      judged.map((trial) => trial.value ?? 0),
      goal,
    );
  }, [valued, goal]);
  const axes = useMemo(
    () => [
      ...keys.map((key) =>
        axisOf(
          key,
          sweep.space[key],
          trials.map((trial) => trial.parameters[key]),
        ),
      ),
      numberAxis(
        `objective ${metric}`,
        valued.map((trial) => trial.value ?? 0),
      ),
    ],
    [keys, sweep.space, trials, valued, metric],
  );
  const isBrushed = Object.keys(brushes).length > 0;
  const chosen = useMemo(() => {
    const of = axes.map(({ key }) => brushes[key]);
    return inOrder(sweep).filter((trial) => !isBrushed || isWithin(placesOf(trial, axes), of));
  }, [sweep, axes, brushes, isBrushed]);
  const progress = useMemo(() => progressCurves(trials, goal), [trials, goal]);
  const reports = useMemo(() => reportCurves(sweep), [sweep]);
  return (
    <>
      <Summary sweep={sweep} />
      <div className={classes.pair}>
        <ChartCard
          title={`Best ${metric} so far`}
          curves={progress}
          xKind="trial"
          height={276}
          hasLegend
        />
        <Card title="What decides it">
          <Importance
            of={sweep.importance}
            names={names}
            complete={trials.filter(({ state }) => state === "complete").length}
          />
        </Card>
      </div>
      <Card
        title="Parallel coordinates"
        aside={
          <Pointed
            trial={trials.find(({ number }) => number === pointed)}
            metric={metric}
            standing={standing}
          />
        }
      >
        {standing === undefined ? (
          <p className={classes.none}>Lines appear here once a trial has come to a value.</p>
        ) : (
          <>
            <ParallelCoordinates
              axes={axes}
              names={[...keys.map((key) => names.get(key) ?? key), metric]}
              trials={valued}
              standing={standing}
              brushes={brushes}
              onBrushes={setBrushes}
              pointed={pointed}
              onPoint={setPointed}
            />
            <div className={classes.below}>
              <p role="status">
                {isBrushed
                  ? `${counted(chosen.length, "trial")} of ${count(trials.length)} chosen.`
                  : "Drag along an axis to choose trials, or move its ends by the arrow keys."}
              </p>
              {isBrushed && (
                <Button
                  size="compact-sm"
                  variant="default"
                  leftSection={<X size={14} />}
                  onClick={() => setBrushes({})}
                >
                  Choose all
                </Button>
              )}
            </div>
          </>
        )}
      </Card>
      {reports.curves.length > 1 && (
        <ChartCard
          title={`${metric} while they trained`}
          curves={reports.curves}
          xKind="step"
          height={252}
          hasLegend
          note={
            reports.left > 0
              ? `The ${reports.curves.length} best; ${count(reports.left)} more are not drawn.`
              : undefined
          }
        />
      )}
      <Card
        title="Trials"
        isFlush
        aside={
          isBrushed && (
            <span className={classes.aside}>
              {count(chosen.length)} of {count(trials.length)}
            </span>
          )
        }
      >
        {trials.length === 0 ? (
          <p className={classes.none}>None has been named yet.</p>
        ) : (
          <TrialsTable
            trials={chosen}
            ranked={ranked}
            keys={keys}
            names={names}
            metric={metric}
            goal={goal}
            standing={standing}
            registered={registered}
            sort={params.get("sort") ?? undefined}
            onSort={(sort) => set({ sort })}
            pointed={pointed}
            onPoint={setPointed}
          />
        )}
      </Card>
    </>
  );
}

function Summary({ sweep }: { readonly sweep: Sweep }) {
  const { trials, best, registered, planned, sampler, pruner, beganAtMs, endedAtMs } = sweep;
  const of = (state: Trial["state"]) => trials.filter((trial) => trial.state === state).length;
  const counts = {
    waiting: of("waiting"),
    running: of("running"),
    complete: of("complete"),
    pruned: of("pruned"),
    failed: of("failed"),
  };
  const ended = counts.complete + counts.pruned + counts.failed;
  const [first] = registered.filter(({ trial }) => trial === best?.number);
  return (
    <Figures
      of={[
        {
          name: `Best ${sweep.objective.metric}`,
          value: best?.value == null ? "none yet" : value(best.value),
          ...(best !== null && { note: `trial ${best.number}` }),
        },
        {
          name: "Registered as",
          value:
            first === undefined ? (
              "nothing"
            ) : (
              <Link
                className={classes.version}
                href={`/registry/${encodeURIComponent(first.model)}/${first.version}`}
              >
                {first.model}:{first.version}
              </Link>
            ),
          ...(first !== undefined &&
            first.aliases.length > 0 && {
              note: first.aliases.map((alias) => <AliasMark key={alias} alias={alias} />),
            }),
        },
        {
          name: "Trials",
          value: `${count(ended)} of ${count(planned)}`,
          note: (
            <span className={classes.counts}>
              <TrialsBar trials={counts} planned={planned} />
              {counts.pruned} pruned, {counts.failed} failed
            </span>
          ),
        },
        { name: "Sampler", value: sampler, note: `pruner ${pruner}` },
        {
          name: endedAtMs === null ? "Running for" : "Took",
          value: span((endedAtMs ?? Date.now()) - beganAtMs),
        },
      ]}
    />
  );
}

/** The trial that is pointed at, or what the colours mean. */
function Pointed({
  trial,
  metric,
  standing,
}: {
  readonly trial: Trial | undefined;
  readonly metric: string;
  readonly standing: Standing | undefined;
}) {
  if (standing === undefined) return null;
  if (trial?.value != null) {
    return (
      <span className={classes.aside}>
        <i className={classes.dot} style={{ background: colorOf(standing.of(trial.value)) }} />
        Trial {trial.number}, {metric} {value(trial.value)}
      </span>
    );
  }
  return (
    <span className={classes.aside}>
      {metric} {value(standing.worst)}
      {standing.isCut && " and worse"}
      <i className={classes.scale} />
      {value(standing.best)}
    </span>
  );
}
