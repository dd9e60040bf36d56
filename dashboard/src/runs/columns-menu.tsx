// Chooses the columns of the table of runs.
import { Button, Popover } from "@mantine/core";
import { Columns3 } from "lucide-react";
import { useState } from "react";
import { popoverProps } from "../shell/floating.js";
import type { Column } from "./columns.js";
import classes from "./columns-menu.module.css";

const groups = [
  ["run", "Run"],
  ["metrics", "Metrics"],
  ["params", "Parameters"],
  ["tags", "Tags"],
] as const;
/** More than that is found by typing. */
const mostShown = 80;

export function ColumnsMenu({
  all,
  chosen,
  onChoose,
}: {
  readonly all: readonly Column[];
  readonly chosen: readonly string[];
  /** With undefined: what is shown unless something was chosen. */
  readonly onChoose: (fields: readonly string[] | undefined) => void;
}) {
  const [typed, setTyped] = useState("");
  const wanted = typed.trim().toLowerCase();
  const found = all.filter(({ field }) => field.toLowerCase().includes(wanted)).slice(0, mostShown);
  const toggle = (field: string) =>
    onChoose(chosen.includes(field) ? chosen.filter((each) => each !== field) : [...chosen, field]);
  return (
    <Popover {...popoverProps} position="bottom-end" width={320}>
      <Popover.Target>
        <Button variant="default" leftSection={<Columns3 size={16} />}>
          Columns
        </Button>
      </Popover.Target>
      <Popover.Dropdown className={classes.menu} aria-label="Columns">
        <input
          className={classes.search}
          type="search"
          aria-label="Find a column"
          placeholder="Find a column"
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <div className={classes.list}>
          {groups.map(([group, title]) => {
            const own = found.filter((each) => each.group === group);
            if (own.length === 0) return null;
            return (
              <fieldset key={group} className={classes.group}>
                <legend>{title}</legend>
                {own.map(({ field, label }) => (
                  <label key={field} title={field}>
                    <input
                      type="checkbox"
                      checked={chosen.includes(field)}
                      onChange={() => toggle(field)}
                    />
                    <span>{label}</span>
                  </label>
                ))}
              </fieldset>
            );
          })}
          {found.length === 0 && <p className={classes.none}>No run has such a column.</p>}
        </div>
        <Button variant="subtle" color="gray" size="compact-sm" onClick={() => onChoose(undefined)}>
          The usual ones
        </Button>
      </Popover.Dropdown>
    </Popover>
  );
}
