// The engines behind neural models, and the processes they run in.
import { useEffect, useRef } from "react";
import type { Sample } from "../api/prometheus.js";
import type { WorkerState } from "../api/system.js";
import { count, duration } from "../shell/figures.js";
import { bytes, value } from "../shell/format.js";
import { Card } from "../shell/page-frame.js";
import { Table } from "../shell/table.js";
import table from "../shell/table.module.css";
import { engineFigures, turnWithinS } from "./engine-figures.js";
import classes from "./system-page.module.css";

/** Nothing where no model has an engine that has been at work. */
export function Engines({ samples }: { readonly samples: readonly Sample[] }) {
  const before = useRef<readonly Sample[]>(undefined);
  const engines = engineFigures(samples, before.current);
  useEffect(() => {
    before.current = samples;
  }, [samples]);
  if (engines.length === 0) return null;
  const turnS = turnWithinS(samples);
  return (
    <Card title="Engines" isFlush>
      <Table label="Engines">
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col" className={table.number}>
              Waiting
            </th>
            <th scope="col" className={table.number}>
              At work on
            </th>
            <th scope="col" className={table.number}>
              Share a step
            </th>
            <th scope="col" className={table.number}>
              Tokens a second
            </th>
            <th scope="col" className={table.number}>
              Keys and values
            </th>
            <th scope="col" className={table.number}>
              95 % waited up to
            </th>
            <th scope="col" className={table.number}>
              95 % read within
            </th>
            <th scope="col" className={table.number}>
              95 % written within
            </th>
          </tr>
        </thead>
        <tbody>
          {engines.map((engine) => (
            <tr key={engine.model}>
              <th scope="row" className={classes.name}>
                {engine.model}
              </th>
              <td className={table.number}>{count(engine.waiting)}</td>
              <td className={table.number}>{count(engine.documents)}</td>
              <td className={table.number}>{rounded(engine.documentsAStep)}</td>
              <td className={table.number}>{rounded(engine.tokensPerS)}</td>
              <td className={table.number}>{bytes(engine.cacheBytes)}</td>
              <td className={table.number}>{seconds(engine.slowestS.queue)}</td>
              <td className={table.number}>{seconds(engine.slowestS.encode)}</td>
              <td className={table.number}>{seconds(engine.slowestS.decode)}</td>
            </tr>
          ))}
        </tbody>
      </Table>
      {turnS !== undefined && (
        <p className={classes.turns}>
          95 % of requests had their turn within {seconds(turnS)}. The table tells how long they
          waited in a model's own line after that.
        </p>
      )}
    </Card>
  );
}

const rounded = (number: number | undefined) =>
  number === undefined ? "–" : value(Number(number.toPrecision(number >= 100 ? 4 : 3)));

const seconds = (number: number | undefined) =>
  number === undefined ? "–" : duration(number * 1000);

const words = { starting: "opening its models", ready: "taking work", waiting: "about to start" };

export function Workers({ workers }: { readonly workers: readonly WorkerState[] }) {
  return (
    <Card title="Processes" isFlush>
      <Table label="Processes">
        <thead>
          <tr>
            <th scope="col">Place</th>
            <th scope="col">Status</th>
            <th scope="col" className={table.number}>
              At work on
            </th>
            <th scope="col" className={table.number}>
              Started anew
            </th>
            <th scope="col" className={table.number}>
              Process
            </th>
          </tr>
        </thead>
        <tbody>
          {workers.map(({ place, pid, status, pending, restarts }) => (
            <tr key={place}>
              <th scope="row">{place + 1}</th>
              <td>{words[status]}</td>
              <td className={table.number}>{count(pending)}</td>
              <td className={table.number}>
                {restarts === 0 ? <span className={table.quiet}>0</span> : count(restarts)}
              </td>
              <td className={table.number}>{pid ?? "–"}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </Card>
  );
}
