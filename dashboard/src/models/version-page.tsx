// One version of a model: what it is for, how good it is, what it came from, and its place in the family.
import { Button } from "@mantine/core";
import { ArrowUp } from "lucide-react";
import { useState } from "react";
import {
  type Evaluation,
  getModel,
  getVersion,
  type Interval,
  type ModelDetail,
  type Version,
} from "../api/registry.js";
import { type Fact, Facts, Figures } from "../shell/facts.js";
import { count, roughly } from "../shell/figures.js";
import { ago, bytes, moment } from "../shell/format.js";
import { Link } from "../shell/link.js";
import { Card, PageFrame } from "../shell/page-frame.js";
import type { PageProps } from "../shell/pages.js";
import { Shown, Waiting } from "../shell/states.js";
import { Table } from "../shell/table.js";
import table from "../shell/table.module.css";
import { useResource } from "../shell/use-resource.js";
import { AliasMark } from "./alias-mark.js";
import { LineageGraph } from "./lineage-graph.js";
import { MoveDialog, type PlannedMove } from "./move-dialog.js";
import { OriginGraph } from "./origin-graph.js";
import classes from "./version-page.module.css";

const scoreNames = [
  ["rouge1", "ROUGE-1"],
  ["rouge2", "ROUGE-2"],
  ["rougeL", "ROUGE-L"],
  ["rougeLsum", "ROUGE-Lsum"],
] as const;

export default function VersionPage({ params }: PageProps) {
  const { name = "", version: asked = "" } = params;
  const version = useResource(`version ${name} ${asked}`, (signal) =>
    getVersion(name, asked, signal),
  );
  const model = useResource(`model ${name}`, (signal) => getModel(name, signal));
  const [planned, setPlanned] = useState<PlannedMove>();
  const shown = `${name}:${version.data?.version ?? asked}`;
  const reload = () => {
    version.reload();
    model.reload();
  };
  return (
    <PageFrame
      title={shown}
      heading={
        <>
          {shown}
          {version.data?.aliases.map((alias) => (
            <AliasMark key={alias} alias={alias} />
          ))}
        </>
      }
      crumbs={[
        { label: "Models", href: "/registry" },
        { label: name, href: `/registry/${encodeURIComponent(name)}` },
      ]}
      about={version.data !== undefined && <Made of={version.data} />}
      actions={
        version.data?.collectedAt === null &&
        model.data !== undefined && (
          <Button
            leftSection={<ArrowUp size={16} />}
            onClick={() => setPlanned(planOf(model.data, version.data))}
          >
            Promote
          </Button>
        )
      }
    >
      <Shown of={version} waiting={<Waiting lines={8} />}>
        {(found) => <Found of={found} />}
      </Shown>
      <MoveDialog plan={planned} onClose={() => setPlanned(undefined)} onMoved={reload} />
    </PageFrame>
  );
}

function planOf(model: ModelDetail | undefined, of: Version | undefined): PlannedMove | undefined {
  if (model === undefined || of === undefined) return undefined;
  const { name, aliases, gates } = model;
  return { model: name, aliases, guarded: gates.aliases, to: { version: of.version } };
}

function Made({ of: { createdAt, createdBy, note } }: { readonly of: Version }) {
  return (
    <>
      Registered <span title={createdAt}>{ago(Date.parse(createdAt))}</span> by {createdBy}
      {note !== null && <> · {note}</>}
    </>
  );
}

function Found({ of }: { readonly of: Version }) {
  const { card, evaluations, lineage, sizeBytes, collectedAt } = of;
  return (
    <>
      <Figures
        of={[
          {
            name: "Architecture",
            value: card.model.architecture.replace(/ForConditionalGeneration$/, ""),
          },
          { name: "Parameters", value: roughly(card.model.parameters), note: card.model.dtype },
          {
            name: "Size",
            value: bytes(sizeBytes),
            ...(collectedAt !== null && { note: `deleted ${ago(Date.parse(collectedAt))}` }),
          },
          {
            name: "Licence",
            value: card.licence.id ?? "not stated",
            ...(licenceNotes[card.licence.source] !== undefined && {
              note: licenceNotes[card.licence.source],
            }),
          },
          { name: "Languages", value: card.languages.join(", ") || "not stated" },
        ]}
      />
      <Card title="How good it is" isFlush>
        <Evaluations of={evaluations} />
      </Card>
      <div className={classes.pair}>
        <Card title="What it is for">
          <div className={classes.text}>
            {card.description !== null && <p>{card.description}</p>}
            <h3>Intended use</h3>
            <p>{card.intendedUse}</p>
            <h3>Limitations</h3>
            <p>{card.limitations}</p>
          </div>
        </Card>
        <Card title="Where it comes from">
          <Facts of={originsOf(of)} />
        </Card>
      </div>
      <Card title="How it came to be" isFlush>
        <OriginGraph of={of} />
      </Card>
      <Card title="Lineage" isFlush>
        <LineageGraph of={lineage} here={`${of.model}:${of.version}`} />
      </Card>
    </>
  );
}

const licenceNotes: Readonly<Record<string, string>> = {
  given: "said when it was registered",
  model: "said by the model's own files",
  parent: "that of the model it was trained from",
};

function Evaluations({ of }: { readonly of: readonly Evaluation[] }) {
  if (of.length === 0) {
    return (
      <p className={classes.none}>
        Nothing is known yet: <code>bridle models promote --data test.jsonl</code> evaluates it.
      </p>
    );
  }
  return (
    <Table label="Evaluations">
      <thead>
        <tr>
          <th scope="col">Data</th>
          <th scope="col" className={table.number}>
            Rows
          </th>
          {scoreNames.map(([name, label]) => (
            <th key={name} scope="col" className={table.number}>
              {label}
            </th>
          ))}
          <th scope="col">Recorded</th>
        </tr>
      </thead>
      <tbody>
        {of.map((evaluation) => (
          <EvaluationRows key={`${evaluation.recordedAt} ${evaluation.data}`} of={evaluation} />
        ))}
      </tbody>
    </Table>
  );
}

function EvaluationRows({ of }: { readonly of: Evaluation }) {
  const { data, dataSha256, rows, scores, rivals, recordedAt, recordedBy } = of;
  return (
    <>
      <tr>
        <th scope="row" title={dataSha256 ?? undefined}>
          {data}
        </th>
        <td className={table.number}>
          {count(rows.scored)}
          {rows.failed > 0 && <span className={classes.failed}>{count(rows.failed)} failed</span>}
        </td>
        {scoreNames.map(([name]) => (
          <td key={name} className={table.number}>
            <Score of={scores[name]} />
          </td>
        ))}
        <td title={moment(Date.parse(recordedAt))}>
          {ago(Date.parse(recordedAt))} by {recordedBy}
        </td>
      </tr>
      {rivals.map(({ model, version, difference }) => (
        <tr key={`${model} ${version}`}>
          <th scope="row">
            <span className={classes.rival}>
              against {model.includes(":") ? model : `${model} ${version}`}
            </span>
          </th>
          <td />
          {scoreNames.map(([name]) => (
            <td key={name} className={table.number}>
              <Score of={difference[name]} isDifference />
            </td>
          ))}
          <td />
        </tr>
      ))}
    </>
  );
}

/** In points, with the interval that the mean lies in. */
function Score({
  of: { mean, low, high },
  isDifference = false,
}: {
  readonly of: Interval;
  readonly isDifference?: boolean;
}) {
  const points = (share: number) => (100 * share).toFixed(2).replace("-", "−");
  const sign = (share: number) => `${isDifference && share > 0 ? "+" : ""}${points(share)}`;
  const standing = !isDifference ? undefined : low > 0 ? "better" : high < 0 ? "worse" : "even";
  return (
    <>
      <span className={classes.mean} data-standing={standing}>
        {sign(mean)}
      </span>
      <span className={classes.interval}>
        {sign(low)} to {sign(high)}
      </span>
    </>
  );
}

function originsOf({ card, digest }: Version): readonly Fact[] {
  const { parent, runId, commit, seed, step, trainedAt } = card.lineage;
  const mono = (text: string) => <span className={classes.mono}>{text}</span>;
  const told: (Fact | false)[] = [
    parent !== null && {
      name: "Trained from",
      value:
        parent.version === null ? (
          parent.name
        ) : (
          <Link href={`/registry/${encodeURIComponent(parent.name)}/${parent.version}`}>
            {parent.name}:{parent.version}
          </Link>
        ),
    },
    runId !== null && {
      name: "Run",
      value: <Link href={`/runs/${encodeURIComponent(runId)}`}>{runId}</Link>,
    },
    trainedAt !== null && { name: "Trained", value: moment(Date.parse(trainedAt)) },
    step !== null && { name: "Step", value: count(step) },
    seed !== null && { name: "Seed", value: String(seed) },
    commit !== null && { name: "Commit", value: mono(commit) },
    ...card.data.map(({ file, sha256 }) => ({
      name: "Data",
      value: <Link href={`/data/${sha256.slice(0, 16)}`}>{file}</Link>,
      note: mono(`sha256 ${sha256}`),
    })),
    { name: "Architecture", value: card.model.architecture },
    { name: "Package", value: mono(digest) },
  ];
  return told.filter((fact) => fact !== false);
}
