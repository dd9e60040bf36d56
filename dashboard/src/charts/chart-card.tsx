// A chart with its name, what it stands at, and what can be done with it: see the numbers, save them, see all of the axis.
import { ActionIcon, Tooltip } from "@mantine/core";
import { Download, Table2, ZoomOut } from "lucide-react";
import { type ReactNode, useState } from "react";
import { saveFile } from "../shell/clipboard.js";
import { tooltipProps } from "../shell/floating.js";
import { value } from "../shell/format.js";
import { Table } from "../shell/table.js";
import table from "../shell/table.module.css";
import classes from "./chart-card.module.css";
import { lookOf } from "./colors.js";
import { toCsv } from "./curves.js";
import { LineChart, type LineChartProps } from "./line-chart.js";
import { xText } from "./ticks.js";

/** Rows of the table of numbers; the file has all of them. */
const mostRows = 200;

export interface ChartCardProps extends Omit<LineChartProps, "label"> {
  readonly title: string;
  readonly aside?: ReactNode;
  /** Something is on its way that will take the place of what is drawn. */
  readonly isLoading?: boolean;
  /** What is to be known beside the curves, such as values that cannot be drawn. */
  readonly note?: ReactNode;
  readonly hasLegend?: boolean;
}

export function ChartCard({
  title,
  aside,
  isLoading = false,
  note,
  hasLegend = false,
  ...chart
}: ChartCardProps) {
  const [asTable, setAsTable] = useState(false);
  const { curves, xKind, range, onRange, yText = value } = chart;
  const isEmpty = curves.every(({ line }) => line.xs.length === 0);
  const save = () =>
    saveFile(
      `${title.replaceAll(/[^\w.-]+/g, "-")}.csv`,
      "text/csv",
      toCsv(
        xKind,
        curves.map(({ label, line }) => ({ label, line })),
      ),
    );
  return (
    <section className={classes.card} aria-label={title} aria-busy={isLoading}>
      <header className={classes.head}>
        <h2 className={classes.title} title={title}>
          {title}
        </h2>
        {aside !== undefined && <span className={classes.aside}>{aside}</span>}
        <span className={classes.tools}>
          {range !== undefined && (
            <Tool label="Show all of it" onClick={() => onRange?.(undefined)}>
              <ZoomOut size={16} />
            </Tool>
          )}
          <Tool
            label={asTable ? "As a chart" : "As a table"}
            isOn={asTable}
            onClick={() => setAsTable(!asTable)}
          >
            <Table2 size={16} />
          </Tool>
          <Tool label="Save as CSV" onClick={save}>
            <Download size={16} />
          </Tool>
        </span>
      </header>
      {isEmpty ? (
        <p className={classes.empty} style={{ height: chart.height ?? 240 }}>
          {xKind === "epoch" ? "Nothing here was told with an epoch." : "No values yet."}
        </p>
      ) : asTable ? (
        <Numbers {...chart} title={title} yText={yText} />
      ) : (
        <LineChart {...chart} label={title} />
      )}
      {hasLegend && (
        <ul className={classes.legend}>
          {curves.map(({ id, label, color, drawnAs }) => {
            const { css, isDashed } = lookOf(color);
            return (
              <li key={id} title={label}>
                {drawnAs === "dots" ? (
                  <i data-dot style={{ background: css }} />
                ) : (
                  <i style={{ borderColor: css, borderTopStyle: isDashed ? "dashed" : "solid" }} />
                )}
                {label}
              </li>
            );
          })}
        </ul>
      )}
      {note !== undefined && <p className={classes.note}>{note}</p>}
    </section>
  );
}

function Tool({
  label,
  isOn,
  onClick,
  children,
}: {
  readonly label: string;
  readonly isOn?: boolean;
  readonly onClick: () => void;
  readonly children: ReactNode;
}) {
  return (
    <Tooltip label={label} {...tooltipProps}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size={30}
        aria-label={label}
        aria-pressed={isOn}
        onClick={onClick}
      >
        {children}
      </ActionIcon>
    </Tooltip>
  );
}

function Numbers({
  title,
  curves,
  xKind,
  height = 240,
  yText,
}: Pick<ChartCardProps, "title" | "curves" | "xKind" | "height"> & {
  readonly yText: (value: number) => string;
}) {
  const rows = new Map<number, (string | undefined)[]>();
  for (const [column, { line }] of curves.entries()) {
    for (const [index, x] of line.xs.entries()) {
      const y = line.ys[index];
      const row = rows.get(x) ?? [];
      row[column] = y === null || y === undefined ? "none" : yText(y);
      rows.set(x, row);
    }
  }
  const sorted = [...rows].sort(([a], [b]) => a - b);
  const every = Math.ceil(sorted.length / mostRows);
  return (
    <div className={classes.numbers} style={{ height }}>
      <Table label={`${title} as a table`}>
        <thead>
          <tr>
            <th scope="col">{xKind}</th>
            {curves.map(({ id, label }) => (
              <th key={id} scope="col" className={table.number}>
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted
            .filter((_, index) => index % every === 0 || index === sorted.length - 1)
            .map(([x, row]) => (
              <tr key={x}>
                <th scope="row">{xText(x, xKind)}</th>
                {curves.map(({ id }, column) => (
                  <td key={id} className={table.number}>
                    {row[column] ?? ""}
                  </td>
                ))}
              </tr>
            ))}
        </tbody>
      </Table>
    </div>
  );
}
