// How far a sweep is: a bar with a part for each state of its trials.
import type { TrialState } from "../api/sweeps.js";
import classes from "./trials-bar.module.css";

const drawn: readonly TrialState[] = ["complete", "pruned", "failed", "running"];

export function TrialsBar({
  trials,
  planned,
}: {
  readonly trials: Readonly<Record<TrialState, number>>;
  readonly planned: number;
}) {
  const told = drawn.filter((state) => trials[state] > 0);
  const label = told.map((state) => `${trials[state]} ${state}`).join(", ");
  return (
    <div
      className={classes.bar}
      role="img"
      aria-label={`${label || "none begun"}, of ${planned}`}
      title={label}
    >
      {told.map((state) => (
        <i
          key={state}
          data-state={state}
          style={{ width: `${(100 * trials[state]) / Math.max(1, planned)}%` }}
        />
      ))}
    </div>
  );
}
