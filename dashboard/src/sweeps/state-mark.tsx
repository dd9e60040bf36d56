// How a sweep or a trial stands, by sign and word, as runs are marked.
import {
  Ban,
  CircleAlert,
  CircleCheck,
  CircleDashed,
  CircleDot,
  type LucideIcon,
  Scissors,
  Unplug,
} from "lucide-react";
import type { SweepState, TrialState } from "../api/sweeps.js";
import classes from "../runs/status-mark.module.css";

interface Look {
  readonly icon: LucideIcon;
  /** Whose colour it has. */
  readonly as: string;
}

const looks: Readonly<Record<SweepState | TrialState, Look>> = {
  running: { icon: CircleDot, as: "running" },
  interrupted: { icon: Unplug, as: "interrupted" },
  done: { icon: CircleCheck, as: "finished" },
  waiting: { icon: CircleDashed, as: "waiting" },
  complete: { icon: CircleCheck, as: "finished" },
  pruned: { icon: Scissors, as: "stopped" },
  failed: { icon: CircleAlert, as: "failed" },
};

export function StateMark({ state }: { readonly state: SweepState | TrialState }) {
  const { icon: Icon, as } = looks[state] ?? { icon: Ban, as: "stopped" };
  return (
    <span className={classes.mark} data-status={as}>
      <Icon size={15} aria-hidden />
      {state}
    </span>
  );
}
