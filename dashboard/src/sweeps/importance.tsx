// How much each key decides the objective, as bars.
import { Bars } from "../shell/bars.js";
import { percent } from "../shell/figures.js";
import classes from "./sweep-page.module.css";

export function Importance({
  of,
  names,
  complete,
}: {
  readonly of: Readonly<Record<string, number>> | null;
  readonly names: ReadonlyMap<string, string>;
  /** Complete trials, from which it is told. */
  readonly complete: number;
}) {
  if (of === null) {
    return (
      <p className={classes.note}>
        {complete < 2
          ? "It can be told once two trials are complete."
          : "All trials came to the same: nothing decides it."}
      </p>
    );
  }
  const shares = Object.entries(of).sort(([, a], [, b]) => b - a);
  const most = shares[0]?.[1] ?? 1;
  return (
    <div className={classes.importance}>
      <Bars
        label="Share of the objective's variance by key"
        of={shares.map(([key, share]) => ({
          ...{ key, name: names.get(key) ?? key, share: share / most, text: percent(share) },
        }))}
      />
      <p className={classes.note}>
        The share of the objective's variance that each key explains by itself, by fANOVA over{" "}
        {complete} complete trials.
      </p>
    </div>
  );
}
