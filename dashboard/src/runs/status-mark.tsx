// How a run stands, by sign and word: colour alone tells nobody who does not see it.
import { Ban, CircleAlert, CircleCheck, CircleDot, type LucideIcon, Unplug } from "lucide-react";
import type { RunStatus } from "../api/runs.js";
import classes from "./status-mark.module.css";

const looks: Record<RunStatus, { readonly icon: LucideIcon; readonly word: string }> = {
  running: { icon: CircleDot, word: "running" },
  finished: { icon: CircleCheck, word: "finished" },
  failed: { icon: CircleAlert, word: "failed" },
  stopped: { icon: Ban, word: "stopped" },
  interrupted: { icon: Unplug, word: "interrupted" },
};

export function StatusMark({ status }: { readonly status: RunStatus }) {
  const { icon: Icon, word } = looks[status] ?? looks.stopped;
  return (
    <span className={classes.mark} data-status={status}>
      <Icon size={15} aria-hidden />
      {word}
    </span>
  );
}
