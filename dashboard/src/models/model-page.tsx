// One registered model: what is in production, its versions, its family, its gates, and every move there ever was.
import { Button } from "@mantine/core";
import { ArrowUp, Undo2 } from "lucide-react";
import { useState } from "react";
import {
  type BriefVersion,
  type Gates,
  getHistory,
  getLineage,
  getModel,
  type ModelDetail,
  type Move,
} from "../api/registry.js";
import { Facts, Figures } from "../shell/facts.js";
import { percent } from "../shell/figures.js";
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
import classes from "./model-page.module.css";
import { MoveDialog, type PlannedMove } from "./move-dialog.js";
import { production, waysBack } from "./moves.js";

const crumbs = [{ label: "Models", href: "/registry" }];
/** Versions of other models may come from this one's. */
const family = ["models"] as const;

export default function ModelPage({ params }: PageProps) {
  const name = params.name ?? "";
  const about = [`models/${name}`] as const;
  const model = useResource(`model ${name}`, (signal) => getModel(name, signal), { about });
  const lineage = useResource(`lineage ${name}`, (signal) => getLineage(name, signal), {
    about: family,
  });
  const history = useResource(`history ${name}`, (signal) => getHistory(name, signal), { about });
  const [planned, setPlanned] = useState<PlannedMove>();
  const reload = () => {
    model.reload();
    lineage.reload();
    history.reload();
  };
  const back = waysBack(history.data ?? []);
  const plan = (detail: ModelDetail, to: PlannedMove["to"]) =>
    setPlanned({ model: name, aliases: detail.aliases, guarded: detail.gates.aliases, to });
  return (
    <PageFrame
      title={name}
      crumbs={crumbs}
      actions={
        back.length > 0 &&
        model.data !== undefined && (
          <Button
            variant="default"
            leftSection={<Undo2 size={16} />}
            onClick={() => model.data !== undefined && plan(model.data, { back })}
          >
            Roll back
          </Button>
        )
      }
    >
      <Shown of={model} waiting={<Waiting lines={8} />}>
        {(detail) => (
          <>
            <Figures of={figuresOf(detail)} />
            <Card title="Versions" isFlush>
              <Versions model={detail} onPromote={(version) => plan(detail, { version })} />
            </Card>
            <Card title="Lineage" isFlush>
              <Shown of={lineage}>{(of) => <LineageGraph of={of} />}</Shown>
            </Card>
            <div className={classes.pair}>
              <Card title="History" isFlush>
                <Shown of={history}>{(moves) => <History moves={moves} />}</Shown>
              </Card>
              <Card title="Gates">
                <GateFacts gates={detail.gates} />
              </Card>
            </div>
          </>
        )}
      </Shown>
      <MoveDialog plan={planned} onClose={() => setPlanned(undefined)} onMoved={reload} />
    </PageFrame>
  );
}

function figuresOf({ aliases, versions, lastVersion }: ModelDetail) {
  const champion = aliases.find(({ alias }) => alias === production);
  return [
    {
      name: "In production",
      value: champion === undefined ? "nothing" : `version ${champion.version}`,
      ...(champion !== undefined && {
        note: `${ago(Date.parse(champion.movedAt))} by ${champion.movedBy}`,
      }),
    },
    { name: "Newest version", value: String(lastVersion) },
    { name: "Aliases", value: String(aliases.length) },
    { name: "Size", value: bytes(versions[0]?.sizeBytes ?? 0), note: "of the newest" },
  ];
}

function Versions({
  model: { name, versions },
  onPromote,
}: {
  readonly model: ModelDetail;
  readonly onPromote: (version: number) => void;
}) {
  return (
    <Table label="Versions">
      <thead>
        <tr>
          <th scope="col">Version</th>
          <th scope="col">Aliases</th>
          <th scope="col">Note</th>
          <th scope="col">Made</th>
          <th scope="col">Run</th>
          <th scope="col">Licence</th>
          <th scope="col" className={table.number}>
            Size
          </th>
          <th scope="col" className={table.number}>
            Action
          </th>
        </tr>
      </thead>
      <tbody>
        {versions.map((version) => (
          <Row key={version.version} name={name} version={version} onPromote={onPromote} />
        ))}
      </tbody>
    </Table>
  );
}

function Row({
  name,
  version: of,
  onPromote,
}: {
  readonly name: string;
  readonly version: BriefVersion;
  readonly onPromote: (version: number) => void;
}) {
  const { version, aliases, note, createdAt, createdBy, runId, licence, sizeBytes } = of;
  const isGone = of.collectedAt !== null;
  return (
    <tr>
      <th scope="row">
        <Link href={`/registry/${encodeURIComponent(name)}/${version}`}>
          {name}:{version}
        </Link>
      </th>
      <td>
        {aliases.map((alias) => (
          <AliasMark key={alias} alias={alias} />
        ))}
      </td>
      <td className={classes.note}>{note ?? ""}</td>
      <td title={createdAt} className={table.nowrap}>
        {ago(Date.parse(createdAt))} by {createdBy}
      </td>
      <td className={table.mono}>
        {runId !== null && <Link href={`/runs/${encodeURIComponent(runId)}`}>{runId}</Link>}
      </td>
      <td>{licence ?? <span className={table.quiet}>not stated</span>}</td>
      <td className={table.number}>{isGone ? "deleted" : bytes(sizeBytes)}</td>
      <td className={table.number}>
        {aliases.includes(production) ? (
          <span className={table.quiet}>in production</span>
        ) : (
          !isGone && (
            <Button
              size="compact-sm"
              variant="default"
              leftSection={<ArrowUp size={14} />}
              aria-label={`Promote version ${version}`}
              onClick={() => onPromote(version)}
            >
              Promote
            </Button>
          )
        )}
      </td>
    </tr>
  );
}

function History({ moves }: { readonly moves: readonly Move[] }) {
  if (moves.length === 0) {
    return <p className={classes.none}>No alias was ever moved: nothing was promoted yet.</p>;
  }
  return (
    <ol className={classes.history}>
      {moves.map((move) => (
        <li key={`${move.alias} ${move.move}`} data-action={move.action}>
          <p className={classes.what}>
            <AliasMark alias={move.alias} />
            {move.action === "promote" ? "to version" : "back to version"} <b>{move.version}</b>
            {move.previous !== null && <span> from {move.previous}</span>}
          </p>
          <p className={classes.who}>
            {moment(Date.parse(move.movedAt))} by {move.movedBy}
            {move.forced && <strong> · gates passed over</strong>}
          </p>
          {move.reason !== null && <p className={classes.reason}>{move.reason}</p>}
          {move.gates.length > 0 && (
            <ul className={classes.gates} aria-label="Gates of this move">
              {move.gates.map(({ gate, passed, told }) => (
                <li key={gate} data-passed={passed}>
                  <b>{passed ? "passed" : "failed"}</b> {gate}: {told}
                </li>
              ))}
            </ul>
          )}
        </li>
      ))}
    </ol>
  );
}

function GateFacts({ gates }: { readonly gates: Gates }) {
  const { againstCurrent: against } = gates;
  return (
    <Facts
      of={[
        { name: "Guard", value: gates.aliases.join(", ") },
        { name: "Rows at least", value: String(gates.minimumRows) },
        { name: "Failed at most", value: percent(gates.mostFailed) },
        ...Object.entries(gates.minimum).map(([score, least]) => ({
          name: `${score} at least`,
          value: (least * 100).toFixed(2),
        })),
        {
          name: "Against the one in production",
          value:
            against === null
              ? "not compared"
              : `${against.scores.join(", ")}; at most ${(against.margin * 100).toFixed(2)} points worse`,
        },
      ]}
    />
  );
}
