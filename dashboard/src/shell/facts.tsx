// Names with values: in a row as figures to be taken in at a glance, or one below the other.
import type { ReactNode } from "react";
import classes from "./facts.module.css";

export interface Fact {
  readonly name: string;
  readonly value: ReactNode;
  /** Below the value, smaller. */
  readonly note?: ReactNode;
}

/** A few figures side by side. */
export function Figures({ of }: { readonly of: readonly Fact[] }) {
  return (
    <dl className={classes.figures}>
      {of.map(({ name, value, note }) => (
        <div key={name} className={classes.figure}>
          <dt>{name}</dt>
          <dd>
            <span className={classes.value}>{value}</span>
            {note !== undefined && <span className={classes.note}>{note}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Facts one below the other, names on the left. */
export function Facts({ of }: { readonly of: readonly Fact[] }) {
  return (
    <dl className={classes.facts}>
      {of.map(({ name, value, note }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {value}
            {note !== undefined && <span className={classes.note}>{note}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
