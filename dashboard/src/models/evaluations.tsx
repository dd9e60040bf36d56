// How good a version is: what was recorded of it, else what its card says, and how its training ended.
import type { Interval, Version } from "../api/registry.js";
import { count } from "../shell/figures.js";
import { ago, moment, value } from "../shell/format.js";
import { Table } from "../shell/table.js";
import table from "../shell/table.module.css";
import { evaluationsOf, type ShownEvaluation } from "./shown-evaluations.js";
import classes from "./version-page.module.css";

const scoreNames = [
  ["rouge1", "ROUGE-1"],
  ["rouge2", "ROUGE-2"],
  ["rougeL", "ROUGE-L"],
  ["rougeLsum", "ROUGE-Lsum"],
] as const;

export function HowGood({ of }: { readonly of: Version }) {
  const shown = evaluationsOf(of);
  const { training } = of.card;
  return (
    <>
      {shown.length > 0 ? (
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
            {shown.map((each) => (
              <Rows key={each.key} of={each} />
            ))}
          </tbody>
        </Table>
      ) : (
        <p className={classes.none}>
          No evaluation is known yet:{" "}
          <code>
            bridle models promote {of.model}:{of.version} --data test.jsonl
          </code>{" "}
          makes one.
        </p>
      )}
      {training !== null && <Training of={training} />}
    </>
  );
}

/** The evaluation that ended training. */
function Training({
  of: { step, loss, rouge },
}: {
  readonly of: NonNullable<Version["card"]["training"]>;
}) {
  const figures = [
    ...(loss === null ? [] : [["Loss", value(loss)] as const]),
    ...scoreNames.flatMap(([name, label]) => {
      const score = rouge?.[name];
      return score === undefined ? [] : [[label, (100 * score).toFixed(2)] as const];
    }),
  ];
  return (
    <div className={classes.training}>
      <p>On validation rows at the end of training, step {count(step)}</p>
      <dl>
        {figures.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function Rows({ of }: { readonly of: ShownEvaluation }) {
  const { data, dataSha256, rows, scores, rivals, recorded } = of;
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
        {recorded === undefined ? (
          <td>with its package</td>
        ) : (
          <td title={moment(recorded.at)}>
            {ago(recorded.at)} by {recorded.by}
          </td>
        )}
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
