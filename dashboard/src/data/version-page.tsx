// One version of data: what it holds, which runs learned from it, and which models came of them.
import { Button } from "@mantine/core";
import { useState } from "react";
import {
  type DataModel,
  type DataRun,
  type DataVersion,
  getData,
  getStatistics,
} from "../api/data.js";
import { AliasMark } from "../models/alias-mark.js";
import { StatusMark } from "../runs/status-mark.js";
import { type Fact, Facts, Figures } from "../shell/facts.js";
import { count } from "../shell/figures.js";
import { ago, bytes, moment } from "../shell/format.js";
import { Link } from "../shell/link.js";
import { Card, PageFrame } from "../shell/page-frame.js";
import type { PageProps } from "../shell/pages.js";
import { Shown, Waiting } from "../shell/states.js";
import { Table } from "../shell/table.js";
import table from "../shell/table.module.css";
import { useResource } from "../shell/use-resource.js";
import classes from "./data-page.module.css";
import { DataRows, Places, roleNames, shortHash } from "./data-rows.js";
import { Statistics } from "./statistics.js";

const crumbs = [{ label: "Data", href: "/data" }];
const about = ["data"] as const;
/** While they are being computed. */
const soonMs = 1500;

export default function DataVersionPage({ params }: PageProps) {
  const id = params.id ?? "";
  const found = useResource(`data ${id}`, (signal) => getData(id, signal), { about });
  const { data: version } = found;
  return (
    <PageFrame
      title={version?.path ?? id}
      crumbs={crumbs}
      about={
        version !== undefined && (
          <span className={table.mono}>{shortHash(version) || "content not recorded"}</span>
        )
      }
    >
      <Shown of={found} waiting={<Waiting lines={8} />}>
        {(data) => <Found of={data} />}
      </Shown>
    </PageFrame>
  );
}

function Found({ of }: { readonly of: DataVersion }) {
  const { id, path, rows, sizeBytes, fileCount, usedAs, runs, models, others, together } = of;
  const statistics = useStatistics(id);
  const ofRows = statistics.data?.state === "done" ? statistics.data.split.rows : rows;
  return (
    <>
      <Figures
        of={[
          { name: "Rows", value: ofRows === null ? "not told" : count(ofRows) },
          {
            name: "Size",
            value: sizeBytes === null ? "not told" : bytes(sizeBytes),
            ...(fileCount !== null && { note: `${count(fileCount)} files` }),
          },
          {
            name: "Used for",
            value: usedAs.map((role) => roleNames[role]).join(", ") || "nothing yet",
          },
          { name: "Runs", value: count(new Set(runs.map((run) => run.id)).size) },
          {
            name: "Models",
            value: count(new Set(models.map((each) => `${each.model}:${each.version}`)).size),
          },
        ]}
      />
      <Card title="What it holds">
        <Shown of={statistics} waiting={<Waiting lines={4} />}>
          {(told) => <Statistics of={told} path={path} />}
        </Shown>
      </Card>
      <div className={classes.pair}>
        <Card title="Runs" isFlush>
          <Runs of={runs} />
        </Card>
        <Card title="Models" isFlush>
          <Models of={models} />
        </Card>
      </div>
      {together.length > 0 && (
        <Card title="Used together with" isFlush>
          <DataRows label="Used together with" of={together} />
        </Card>
      )}
      {others.length > 0 && (
        <Card title={`Other versions of ${path}`} isFlush>
          <DataRows label="Other versions" of={others} />
        </Card>
      )}
      <Card title="Content">
        <Facts of={contentOf(of)} />
      </Card>
    </>
  );
}

/** Looked up again for as long as they are being computed. */
function useStatistics(id: string) {
  const [isComputing, setComputing] = useState(false);
  const found = useResource(`statistics ${id}`, (signal) => getStatistics(id, signal), {
    everyMs: isComputing ? soonMs : undefined,
  });
  const isNow = found.data?.state === "computing";
  if (isNow !== isComputing) setComputing(isNow);
  return found;
}

function contentOf(of: DataVersion): readonly Fact[] {
  const { sha256, md5, otherPaths } = of;
  const mono = (text: string) => <span className={classes.mono}>{text}</span>;
  return [
    {
      name: "SHA-256",
      value:
        sha256 === null
          ? "not recorded: runs tell it since they record the hashes of their files"
          : mono(sha256),
    },
    ...(md5 === null ? [] : [{ name: "MD5, as DVC names it", value: mono(md5) }]),
    ...(otherPaths.length === 0 ? [] : [{ name: "Also called", value: otherPaths.join(", ") }]),
    { name: "Where", value: <Places of={of} /> },
  ];
}

/** Rows drawn at first. */
const rowsAtOnce = 8;

function Runs({ of }: { readonly of: readonly DataRun[] }) {
  const [shown, setShown] = useState(rowsAtOnce);
  const left = of.length - shown;
  if (of.length === 0) return <p className={classes.none}>No run has used it yet.</p>;
  return (
    <>
      <Table label="Runs">
        <thead>
          <tr>
            <th scope="col">Run</th>
            <th scope="col">Status</th>
            <th scope="col">Used for</th>
            <th scope="col" className={table.number}>
              Rows
            </th>
            <th scope="col">Begun</th>
          </tr>
        </thead>
        <tbody>
          {of.slice(0, shown).map(({ id, name, status, as, rows, startedAt }) => (
            <tr key={`${id} ${as}`}>
              <th scope="row" className={table.nowrap}>
                <Link href={`/runs/${encodeURIComponent(id)}`}>{name}</Link>
              </th>
              <td>
                <StatusMark status={status} />
              </td>
              <td>{roleNames[as]}</td>
              <td className={table.number}>{rows === null ? "" : count(rows)}</td>
              <td className={table.nowrap} title={moment(startedAt)}>
                {ago(startedAt)}
              </td>
            </tr>
          ))}
        </tbody>
      </Table>
      {left > 0 && (
        <p className={classes.more}>
          <Button size="compact-md" variant="default" onClick={() => setShown(of.length)}>
            Show {count(left)} more
          </Button>
        </p>
      )}
    </>
  );
}

function Models({ of }: { readonly of: readonly DataModel[] }) {
  if (of.length === 0) {
    return <p className={classes.none}>No registered model was trained or judged on it.</p>;
  }
  return (
    <Table label="Models">
      <thead>
        <tr>
          <th scope="col">Version</th>
          <th scope="col">Used for</th>
          <th scope="col">Aliases</th>
        </tr>
      </thead>
      <tbody>
        {of.map(({ model, version, as, aliases }) => (
          <tr key={`${model}:${version} ${as}`}>
            <th scope="row">
              <Link href={`/registry/${encodeURIComponent(model)}/${version}`}>
                {model}:{version}
              </Link>
            </th>
            <td>
              {as === null ? (
                <span className={table.quiet}>training or validation</span>
              ) : (
                roleNames[as]
              )}
            </td>
            <td>
              {aliases.map((alias) => (
                <AliasMark key={alias} alias={alias} />
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </Table>
  );
}
