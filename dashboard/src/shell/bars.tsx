// Shares as bars, one below the other, each with its name and what it comes to.
import classes from "./bars.module.css";

export interface Bar {
  readonly key: string;
  readonly name: string;
  /** Of the longest bar's room, 0..1. */
  readonly share: number;
  readonly text: string;
}

export function Bars({ label, of }: { readonly label: string; readonly of: readonly Bar[] }) {
  return (
    <ul className={classes.list} aria-label={label}>
      {of.map(({ key, name, share, text }) => (
        <li key={key} title={key}>
          <span className={classes.name}>{name}</span>
          <span className={classes.text}>{text}</span>
          <span className={classes.track} aria-hidden>
            <i style={{ width: `${100 * share}%` }} />
          </span>
        </li>
      ))}
    </ul>
  );
}
