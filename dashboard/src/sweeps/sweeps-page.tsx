// All sweeps: what each looks for, how far it is, and the best it has found.
import { Radar } from "lucide-react";
import { listSweeps, type SweepSummary } from "../api/sweeps.js";
import { count } from "../shell/figures.js";
import { ago, moment, span, value } from "../shell/format.js";
import { Link } from "../shell/link.js";
import { Card, PageFrame } from "../shell/page-frame.js";
import { Empty, Shown } from "../shell/states.js";
import { Table } from "../shell/table.js";
import table from "../shell/table.module.css";
import { useResource } from "../shell/use-resource.js";
import { StateMark } from "./state-mark.js";
import classes from "./sweeps-page.module.css";
import { TrialsBar } from "./trials-bar.js";

const about = ["sweeps"] as const;

export default function SweepsPage() {
  const found = useResource("sweeps", listSweeps, { about });
  return (
    <PageFrame
      title="Sweeps"
      isWide
      about="Searches for the best configuration: what was tried, what it came to, and what decided it."
    >
      <Shown of={found}>
        {(sweeps) => (sweeps.length === 0 ? <NoneYet /> : <Sweeps sweeps={sweeps} />)}
      </Shown>
    </PageFrame>
  );
}

function NoneYet() {
  return (
    <Empty
      icon={Radar}
      title="No sweep has been begun here yet"
      commands={["bridle sweep sweep.yaml --workers 2"]}
    >
      A file names what is to be tried of which key, and the objective. The sweep appears here as
      soon as it begins; W&amp;B's sweep files are read as they are.
    </Empty>
  );
}

function Sweeps({ sweeps }: { readonly sweeps: readonly SweepSummary[] }) {
  return (
    <Card isFlush>
      <Table label="Sweeps">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">State</th>
            <th scope="col">Objective</th>
            <th scope="col" className={table.number}>
              Best
            </th>
            <th scope="col">Trials</th>
            <th scope="col">Sampler</th>
            <th scope="col">Pruner</th>
            <th scope="col">Began</th>
            <th scope="col" className={table.number}>
              Took
            </th>
          </tr>
        </thead>
        <tbody>
          {sweeps.map((sweep) => (
            <Row key={sweep.name} sweep={sweep} />
          ))}
        </tbody>
      </Table>
    </Card>
  );
}

function Row({ sweep }: { readonly sweep: SweepSummary }) {
  const { name, state, objective, best, trials, planned, sampler, pruner } = sweep;
  const { beganAtMs, endedAtMs } = sweep;
  const ended = trials.complete + trials.pruned + trials.failed;
  return (
    <tr>
      <th scope="row">
        <Link href={`/sweeps/${encodeURIComponent(name)}`}>{name}</Link>
      </th>
      <td>
        <StateMark state={state} />
      </td>
      <td className={table.nowrap}>
        {objective.goal} {objective.metric}
      </td>
      <td className={table.number}>{best === null ? "" : value(best)}</td>
      <td className={classes.trials}>
        <TrialsBar trials={trials} planned={planned} />
        <span className={table.quiet}>
          {count(ended)} of {count(planned)}
        </span>
      </td>
      <td>{sampler}</td>
      <td>{pruner}</td>
      <td className={table.nowrap} title={moment(beganAtMs)}>
        {ago(beganAtMs)}
      </td>
      <td className={table.number}>{endedAtMs === null ? "" : span(endedAtMs - beganAtMs)}</td>
    </tr>
  );
}
