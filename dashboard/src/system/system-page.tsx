// What the server is and how it is doing: models, load, answers by route, limits.
import { Tooltip } from "@mantine/core";
import type { Sample } from "../api/prometheus.js";
import { readInfo, readMetrics, type ServerInfo } from "../api/system.js";
import { Facts, Figures } from "../shell/facts.js";
import { count, duration, percent } from "../shell/figures.js";
import { bytes, moment, span } from "../shell/format.js";
import { Card, PageFrame } from "../shell/page-frame.js";
import { Shown, Waiting } from "../shell/states.js";
import { Table } from "../shell/table.js";
import table from "../shell/table.module.css";
import { type Resource, useResource } from "../shell/use-resource.js";
import { useServer } from "../shell/use-server.js";
import { Engines, Workers } from "./engines.js";
import { routeFigures } from "./route-figures.js";
import classes from "./system-page.module.css";

const everyMs = 4000;

export default function SystemPage() {
  const info = useResource("/info", readInfo, { everyMs });
  const isOperator = info.data?.process !== undefined;
  const metrics = useResource(isOperator ? "/metrics" : undefined, readMetrics, { everyMs });
  return (
    <PageFrame
      title="System"
      about="What this server runs, and how it has been answering since it started."
    >
      <Shown of={info} waiting={<Waiting lines={8} />}>
        {(data) => (
          <>
            <Load info={data} />
            <Models models={data.models} />
            {metrics.data !== undefined && <Engines samples={metrics.data} />}
            {data.process?.workers !== undefined && <Workers workers={data.process.workers} />}
            <div className={classes.pair}>
              <Answers metrics={isOperator ? metrics : undefined} />
              <Limits info={data} />
            </div>
          </>
        )}
      </Shown>
    </PageFrame>
  );
}

const statuses = {
  asking: "Asking …",
  ready: "Taking work",
  starting: "Starting",
  locked: "Locked",
  unreachable: "No answer",
} as const;

function Load({ info }: { readonly info: ServerInfo }) {
  const { status } = useServer();
  const own = info.process;
  return (
    <Figures
      of={[
        { name: "Status", value: statuses[status], note: `Bridle ${info.version}` },
        ...(own === undefined
          ? []
          : [
              {
                name: "Up for",
                value: span(Date.now() - Date.parse(own.startedAt)),
                note: `since ${moment(Date.parse(own.startedAt))}`,
              },
              {
                name: "Being worked on",
                value: count(own.active),
                note: `of at most ${count(info.limits.concurrency)}`,
              },
              {
                name: "Waiting",
                value: count(own.waiting),
                note: `of at most ${count(info.limits.queueLimit)}`,
              },
              { name: "Memory", value: bytes(own.residentBytes), note: own.platform },
            ]),
      ]}
    />
  );
}

function Models({ models }: { readonly models: ServerInfo["models"] }) {
  return (
    <Card title="Models served" isFlush>
      <Table label="Models served">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Version</th>
            <th scope="col">Kind</th>
            <th scope="col">Runs on</th>
            <th scope="col">Weights</th>
            <th scope="col" className={table.number}>
              Reads at once
            </th>
            <th scope="col" className={table.number}>
              Writes at most
            </th>
          </tr>
        </thead>
        <tbody>
          {models.map((model) => (
            <tr key={model.name}>
              <th scope="row" className={classes.name}>
                {model.name}
                {model.isDefault && (
                  <Tooltip label="Answers where a request names no model">
                    <span className={classes.tag}>default</span>
                  </Tooltip>
                )}
              </th>
              <td className={table.mono}>{model.version}</td>
              <td>{model.kind}</td>
              <td>{model.device}</td>
              <td>{model.dtype ?? <span className={table.quiet}>none</span>}</td>
              <td className={table.number}>{tokens(model.limits.maxInputTokens)}</td>
              <td className={table.number}>{tokens(model.limits.maxNewTokens)}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </Card>
  );
}

function tokens(limit: number | null): string {
  return limit === null ? "any length" : `${count(limit)} tokens`;
}

/** @param metrics undefined for whoever may not see them */
function Answers({ metrics }: { readonly metrics: Resource<readonly Sample[]> | undefined }) {
  return (
    <Card title="Answers by route" isFlush>
      {metrics !== undefined ? (
        <Shown of={metrics}>{(samples) => <Routes samples={samples} />}</Shown>
      ) : (
        <p className={classes.none}>
          Counts of answers are for operators: a key with the scope <code>read</code>, or this
          machine itself.
        </p>
      )}
    </Card>
  );
}

function Routes({ samples }: { readonly samples: readonly Sample[] }) {
  const routes = routeFigures(samples);
  if (routes.length === 0) {
    return (
      <p className={classes.none}>
        Nothing has been asked of the API yet. <a href="/docs">The reference</a> shows how.
      </p>
    );
  }
  return (
    <Table label="Answers by route">
      <thead>
        <tr>
          <th scope="col">Route</th>
          <th scope="col" className={table.number}>
            Answers
          </th>
          <th scope="col" className={table.number}>
            Failed
          </th>
          <th scope="col" className={table.number}>
            Half within
          </th>
          <th scope="col" className={table.number}>
            95 % within
          </th>
        </tr>
      </thead>
      <tbody>
        {routes.map(({ route, answers, failed, halfWithinS, mostWithinS }) => (
          <tr key={route}>
            <th scope="row" className={table.mono}>
              {route}
            </th>
            <td className={table.number}>{count(answers)}</td>
            <td className={table.number}>
              {failed === 0 ? <span className={table.quiet}>0</span> : percent(failed / answers)}
            </td>
            <td className={table.number}>{seconds(halfWithinS)}</td>
            <td className={table.number}>{seconds(mostWithinS)}</td>
          </tr>
        ))}
      </tbody>
    </Table>
  );
}

function seconds(value: number | undefined): string {
  return value === undefined ? "–" : duration(value * 1000);
}

function Limits({ info }: { readonly info: ServerInfo }) {
  const { limits } = info;
  return (
    <Card title="Limits">
      <Facts
        of={[
          { name: "Longest request", value: bytes(limits.maxBodyBytes) },
          { name: "Documents a batch", value: count(limits.maxBatchDocuments) },
          { name: "Beams", value: count(limits.maxBeams) },
          { name: "Time for one request", value: duration(limits.deadlineMs) },
          { name: "Worked on at once", value: count(limits.concurrency) },
          { name: "Waiting at most", value: count(limits.queueLimit) },
        ]}
      />
      <p className={classes.more}>
        Flags of <code>bridle serve</code> set them.
      </p>
    </Card>
  );
}
