// What stands where there is nothing to show: still coming, not there yet, not allowed, or gone wrong; each with a next step.
import { Button } from "@mantine/core";
import { Copy, KeyRound, type LucideIcon, RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { isLocked } from "../api/http.js";
import type { Problem } from "../api/problem.js";
import { copyText } from "./clipboard.js";
import { openKeyDialog } from "./key-dialog.js";
import { ProblemNote } from "./problem-note.js";
import classes from "./states.module.css";
import type { Resource } from "./use-resource.js";

/** Lines where text will be. Short waits show nothing: a flash tells nobody anything. */
export function Waiting({ lines = 5 }: { readonly lines?: number }) {
  const widths = [92, 78, 86, 64, 81, 70, 88, 58];
  return (
    <div className={classes.waiting} role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all there is
          key={line}
          className={classes.line}
          style={{ width: `${widths[line % widths.length]}%` }}
        />
      ))}
    </div>
  );
}

/** Nothing there yet: what would be, and the command that makes the first one. */
export function Empty({
  icon: Icon,
  title,
  children,
  commands = [],
  action,
}: {
  readonly icon: LucideIcon;
  readonly title: string;
  readonly children?: ReactNode;
  /** To be typed one after another. */
  readonly commands?: readonly string[];
  readonly action?: ReactNode;
}) {
  return (
    <div className={classes.empty}>
      <span className={classes.icon}>
        <Icon size={26} strokeWidth={1.6} aria-hidden />
      </span>
      <h2 className={classes.title}>{title}</h2>
      {children !== undefined && <div className={classes.text}>{children}</div>}
      {commands.map((command) => (
        <CommandLine key={command} command={command} />
      ))}
      {action}
    </div>
  );
}

/** A line to be typed, with a button that copies it. */
export function CommandLine({ command }: { readonly command: string }) {
  return (
    <div className={classes.command}>
      <code>{command}</code>
      <button
        type="button"
        className={classes.copy}
        aria-label={`Copy ${command}`}
        onClick={() => void copyText(command, "The command is on the clipboard.")}
      >
        <Copy size={15} aria-hidden />
      </button>
    </div>
  );
}

/** What a page shows when it could not be looked up. */
export function Failed({
  problem,
  onRetry,
}: {
  readonly problem: Problem;
  readonly onRetry: () => void;
}) {
  if (isLocked(problem)) {
    return (
      <div className={classes.empty}>
        <span className={classes.icon}>
          <KeyRound size={26} strokeWidth={1.6} aria-hidden />
        </span>
        <h2 className={classes.title}>
          {problem.status === 401 ? "Sign in to see this" : "This key may not see this"}
        </h2>
        <p className={classes.text}>
          {problem.status === 401
            ? "This server asks for an API key. Whoever runs it makes one:"
            : problem.message}
        </p>
        <CommandLine command="bridle api-key create --name me --scopes summarize,read" />
        <Button className={classes.action} onClick={openKeyDialog}>
          {problem.status === 401 ? "Enter an API key" : "Use another key"}
        </Button>
      </div>
    );
  }
  return (
    <div className={classes.failed}>
      <ProblemNote problem={problem} />
      <Button variant="default" leftSection={<RotateCw size={16} />} onClick={onRetry}>
        Try again
      </Button>
    </div>
  );
}

/** A resource in each of its states; what is there stays in sight while it is looked up again, or when that fails. */
export function Shown<T>({
  of,
  waiting = <Waiting />,
  children,
}: {
  readonly of: Resource<T>;
  readonly waiting?: ReactNode;
  readonly children: (data: T) => ReactNode;
}) {
  const { data, problem, reload } = of;
  const locked = problem !== undefined && isLocked(problem);
  return (
    <>
      {problem !== undefined && <Failed problem={problem} onRetry={reload} />}
      {data === undefined || locked ? problem === undefined && waiting : children(data)}
    </>
  );
}
