// Parameters of a run, or of several beside each other with those marked that are not the same.
import { Switch } from "@mantine/core";
import { useState } from "react";
import { Table } from "../shell/table.js";
import table from "../shell/table.module.css";
import { differingKeys, paramText } from "./columns.js";
import classes from "./params-table.module.css";

export interface NamedValues {
  readonly id: string;
  readonly name: string;
  readonly color?: string | undefined;
  readonly values: Readonly<Record<string, string>>;
}

export function ValuesTable({
  label,
  of,
  isNumeric = false,
}: {
  readonly label: string;
  readonly of: readonly NamedValues[];
  /** Whether the values are figures, to be set to the right. */
  readonly isNumeric?: boolean;
}) {
  const [typed, setTyped] = useState("");
  const [onlyDiffering, setOnlyDiffering] = useState(of.length > 1);
  const values = of.map((each) => each.values);
  const differing = new Set(of.length > 1 ? differingKeys(values) : []);
  const wanted = typed.trim().toLowerCase();
  const keys = [...new Set(values.flatMap((each) => Object.keys(each)))]
    .sort()
    .filter((key) => key.toLowerCase().includes(wanted))
    .filter((key) => of.length === 1 || !onlyDiffering || differing.has(key));
  return (
    <>
      <div className={classes.bar}>
        <input
          type="search"
          className={classes.search}
          aria-label={`Find in ${label}`}
          placeholder="Find"
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        {of.length > 1 && (
          <Switch
            size="sm"
            label={`Only the ${differing.size} that differ`}
            checked={onlyDiffering}
            onChange={(event) => setOnlyDiffering(event.currentTarget.checked)}
          />
        )}
      </div>
      {keys.length === 0 ? (
        <p className={classes.none}>
          {wanted !== ""
            ? "No name has that in it."
            : of.length > 1 && onlyDiffering
              ? "They are all the same."
              : "None were told."}
        </p>
      ) : (
        <Table label={label}>
          <thead>
            <tr>
              <th scope="col">Name</th>
              {of.map(({ id, name, color }) => (
                <th key={id} scope="col" className={isNumeric ? table.number : undefined}>
                  {color !== undefined && (
                    <i className={classes.dot} style={{ background: color }} />
                  )}
                  {of.length === 1 ? "Value" : name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {keys.map((key) => (
              <tr key={key} data-differs={differing.has(key) || undefined} className={classes.row}>
                <th scope="row" className={table.mono}>
                  {key}
                </th>
                {of.map(({ id, values: own }) => (
                  <td
                    key={id}
                    title={own[key]}
                    className={`${classes.value} ${isNumeric ? table.number : ""}`}
                  >
                    {own[key] === undefined ? (
                      <span className={table.quiet}>none</span>
                    ) : (
                      paramText(own[key])
                    )}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </Table>
      )}
    </>
  );
}
