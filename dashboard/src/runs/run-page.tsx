// One run: how it stands, its curves as they grow, the machine, parameters, lines, files, and the code it was made with.
import { Button, Tabs, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { Copy, Download, GitCompareArrows } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { asProblem, getResponse, getText } from "../api/http.js";
import { artifactPath, getRun, type Run, type RunDetails, readCharts } from "../api/runs.js";
import { copyText, saveFile } from "../shell/clipboard.js";
import { Facts, Figures } from "../shell/facts.js";
import { tooltipProps } from "../shell/floating.js";
import { bytes, moment, span, value } from "../shell/format.js";
import notes from "../shell/notes.module.css";
import { Card, PageFrame } from "../shell/page-frame.js";
import type { PageProps } from "../shell/pages.js";
import { go, useSearch } from "../shell/router.js";
import { Shown, Waiting } from "../shell/states.js";
import { Table } from "../shell/table.js";
import table from "../shell/table.module.css";
import { useResource } from "../shell/use-resource.js";
import { isSystem, lengthOf, shortCommit } from "./columns.js";
import { DiffView } from "./diff-view.js";
import { LogsView } from "./logs-view.js";
import { ValuesTable } from "./params-table.js";
import { RunCharts } from "./run-charts.js";
import classes from "./run-page.module.css";
import { StatusMark } from "./status-mark.js";
import { type RunStream, useNews, useRunStream } from "./use-run-stream.js";

const tabs = ["charts", "system", "parameters", "logs", "files", "code"] as const;
type Tab = (typeof tabs)[number];
const titles: Record<Tab, string> = {
  charts: "Charts",
  system: "System",
  parameters: "Parameters",
  logs: "Logs",
  files: "Files",
  code: "Code",
};
const crumbs = [{ label: "Runs", href: "/runs" }];

export default function RunPage({ params }: PageProps) {
  const id = params.id ?? "";
  const details = useResource(`/v1/runs/${id}`, (signal) => getRun(id, signal));
  const { update, reload, data } = details;
  const run = data?.run;
  // A run that was cut off may be taken up again while somebody looks at it.
  const mayGoOn = run?.status === "running" || run?.status === "interrupted";
  const stream = useRunStream(run?.id ?? "", mayGoOn);
  useNews(stream, (news) => {
    if (news.type !== "run") return;
    update((before) => ({ ...before, run: news.run }));
    // The files come last.
    if (news.run.status !== "running") reload();
  });
  if (data === undefined) {
    return (
      <PageFrame title={id} crumbs={crumbs}>
        <Shown of={details} waiting={<Waiting lines={9} />}>
          {() => null}
        </Shown>
      </PageFrame>
    );
  }
  return <Found key={data.run.id} details={data} stream={stream} />;
}

function Found({ details, stream }: { readonly details: RunDetails; readonly stream: RunStream }) {
  const { run } = details;
  const { params, set } = useSearch();
  const tab = tabs.find((each) => each === params.get("tab")) ?? "charts";
  const now = useTick(run.status === "running");
  return (
    <PageFrame
      title={run.name}
      isWide
      crumbs={crumbs}
      heading={
        <>
          {run.name} <StatusMark status={run.status} />
        </>
      }
      about={
        <>
          {run.experiment} · <span className={table.mono}>{run.id}</span> · begun{" "}
          {moment(run.startedAt)}
        </>
      }
      actions={
        <>
          <Tooltip label="Copy the command that shows it in a shell" {...tooltipProps}>
            <Button
              variant="default"
              leftSection={<Copy size={16} />}
              onClick={() =>
                void copyText(`bridle runs show ${run.id}`, "The command is on the clipboard.")
              }
            >
              Command
            </Button>
          </Tooltip>
          <Button
            variant="default"
            leftSection={<GitCompareArrows size={16} />}
            onClick={() => go(`/runs?run=${encodeURIComponent(run.id)}`)}
          >
            Compare
          </Button>
        </>
      }
    >
      {run.error !== "" && (
        <p className={`${notes.problem} ${classes.error}`}>
          <span className={notes.body}>{run.error}</span>
        </p>
      )}
      <Figures of={figuresOf(run, now)} />
      <Tabs
        value={tab}
        onChange={(next) => set({ tab: next === "charts" ? undefined : (next ?? undefined) })}
        keepMounted={false}
      >
        <Tabs.List className={classes.tabs} aria-label="Of this run">
          {tabs.map((each) => (
            <Tabs.Tab key={each} value={each}>
              {titles[each]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="charts" className={classes.panel}>
          <Charts run={run} stream={stream} areSystem={false} />
        </Tabs.Panel>
        <Tabs.Panel value="system" className={classes.panel}>
          <Charts run={run} stream={stream} areSystem />
        </Tabs.Panel>
        <Tabs.Panel value="parameters" className={classes.panel}>
          <Card isFlush>
            <ValuesTable
              label="Parameters"
              of={[{ id: run.id, name: run.name, values: run.params }]}
            />
          </Card>
        </Tabs.Panel>
        <Tabs.Panel value="logs" className={classes.panel}>
          <Card isFlush>
            <LogsView id={run.id} isRunning={run.status === "running"} stream={stream} />
          </Card>
        </Tabs.Panel>
        <Tabs.Panel value="files" className={classes.panel}>
          <Files details={details} />
        </Tabs.Panel>
        <Tabs.Panel value="code" className={classes.panel}>
          <Code details={details} />
        </Tabs.Panel>
      </Tabs>
    </PageFrame>
  );
}

function figuresOf(run: Run, now: number) {
  const told = Object.entries(run.metrics).filter(([key]) => !isSystem(key));
  const steps = told.map(([, { lastStep }]) => lastStep ?? 0);
  const total = Number(run.params["train.totalSteps"]);
  const best = (key: string, part: "min" | "max") => {
    const number = run.metrics[key]?.[part];
    return number === undefined || number === null
      ? []
      : [{ name: `Best ${key}`, value: value(number) }];
  };
  return [
    { name: run.status === "running" ? "Running for" : "Took", value: span(lengthOf(run, now)) },
    {
      name: "Step",
      value: value(Math.max(0, ...steps)),
      ...(total > 0 && { note: `of ${value(total)}` }),
    },
    ...best("eval/loss", "min"),
    ...best("eval/rougeL", "max"),
    { name: "Commit", value: shortCommit(run.commit) || "none" },
    { name: "Machine", value: run.host, note: `process ${run.pid}` },
  ];
}

function Charts({
  run,
  stream,
  areSystem,
}: {
  readonly run: Run;
  readonly stream: RunStream;
  readonly areSystem: boolean;
}) {
  const names = Object.keys(run.metrics)
    .filter((key) => isSystem(key) === areSystem)
    .sort(bySplit)
    .join("\n");
  const keys = useMemo(() => names.split("\n").filter((key) => key !== ""), [names]);
  const runs = useMemo(
    () => [{ id: run.id, name: run.name, startedAt: run.startedAt, color: 0 }],
    [run.id, run.name, run.startedAt],
  );
  if (keys.length === 0) {
    return (
      <p className={classes.none}>
        {areSystem
          ? "No readings of the machine were told: they come every ten seconds."
          : "No metrics yet: they appear here as they come."}
      </p>
    );
  }
  return (
    <RunCharts
      runs={runs}
      keys={keys}
      resourceKey={`charts of ${run.id}`}
      load={(query, signal) => readCharts(run.id, query, signal)}
      isSystem={areSystem}
      stream={stream}
    />
  );
}

/** What was held out first: it says whether the rest was worth it. */
function bySplit(a: string, b: string): number {
  const rank = (key: string) => (key.startsWith("eval/") ? 0 : key.endsWith("loss") ? 1 : 2);
  return rank(a) - rank(b) || a.localeCompare(b);
}

function Files({ details }: { readonly details: RunDetails }) {
  const { artifacts, run } = details;
  if (artifacts.length === 0) return <p className={classes.none}>This run has kept no files.</p>;
  return (
    <Card isFlush>
      <Table label="Files">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" className={table.number}>
              Size
            </th>
            <th scope="col">SHA-256</th>
            <th scope="col">Where</th>
          </tr>
        </thead>
        <tbody>
          {artifacts.map(({ name, sizeBytes, sha256, uri }) => (
            <tr key={name}>
              <th scope="row">
                {uri === "" ? (
                  <button
                    type="button"
                    className={classes.file}
                    onClick={() => void saveArtifact(run.id, name)}
                  >
                    <Download size={15} aria-hidden /> {name}
                  </button>
                ) : (
                  name
                )}
              </th>
              <td className={table.number}>{bytes(sizeBytes)}</td>
              <td className={table.mono} title={sha256}>
                {sha256.slice(0, 12)}
              </td>
              <td className={classes.place}>{uri === "" ? "kept with the run" : uri}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </Card>
  );
}

/** Fetched by the page rather than by a link, which would not carry the tab's key. */
async function saveArtifact(id: string, name: string): Promise<void> {
  try {
    const response = await getResponse(artifactPath(id, name), new AbortController().signal);
    saveFile(name.split("/").at(-1) ?? name, "application/octet-stream", await response.blob());
  } catch (thrown) {
    const { message, hint } = asProblem(thrown);
    notifications.show({ title: message, message: hint ?? "", color: "red" });
  }
}

function Code({ details }: { readonly details: RunDetails }) {
  const { run, artifacts } = details;
  const has = (name: string) => artifacts.some((each) => each.name === name && each.uri === "");
  const pathOf = (name: string) => artifactPath(run.id, name);
  const environment = useResource(
    has("environment.json") ? pathOf("environment.json") : undefined,
    async (signal) =>
      (await (await getResponse(pathOf("environment.json"), signal)).json()) as object,
  );
  const diff = useResource(has("git.diff") ? pathOf("git.diff") : undefined, (signal) =>
    getText(pathOf("git.diff"), signal),
  );
  return (
    <div className={classes.stack}>
      <Card title="Made with">
        <Facts
          of={[
            {
              name: "Commit",
              value: <span className={table.mono}>{run.commit || "outside git"}</span>,
            },
            { name: "Folder", value: run.output || "none" },
            {
              name: "Configuration",
              value: <span className={table.mono}>{run.configSha256.slice(0, 16) || "none"}</span>,
            },
            ...Object.entries(run.tags).map(([name, text]) => ({ name, value: text })),
          ]}
        />
      </Card>
      {has("environment.json") && (
        <Card title="Environment">
          <Shown of={environment}>
            {(told) => <Facts of={flatten(told).map(([name, text]) => ({ name, value: text }))} />}
          </Shown>
        </Card>
      )}
      <Card title="What differed from the commit" isFlush={has("git.diff")}>
        {has("git.diff") ? (
          <Shown of={diff}>
            {(text) => <DiffView label="Differences from the commit" text={text} />}
          </Shown>
        ) : (
          <p className={classes.plain}>
            {run.commit === ""
              ? "The folder was not under git."
              : "Nothing: the commit is what ran."}
          </p>
        )}
      </Card>
    </div>
  );
}

/** `{a: {b: 1}}` as `a.b` with its text. */
function flatten(told: object, prefix = ""): readonly (readonly [string, string])[] {
  return Object.entries(told).flatMap(([key, inner]: [string, unknown]) => {
    const name = prefix === "" ? key : `${prefix}.${key}`;
    if (Array.isArray(inner)) return [[name, inner.join(" ")] as const];
    if (typeof inner === "object" && inner !== null) return flatten(inner, name);
    return [[name, String(inner)] as const];
  });
}

/** The time, every second while something goes on. */
function useTick(isOn: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isOn) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isOn]);
  return now;
}
