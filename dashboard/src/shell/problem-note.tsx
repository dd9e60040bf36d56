// What went wrong and what to do about it, with the id that finds the request in the server's log.
import { CircleAlert } from "lucide-react";
import type { Problem } from "../api/problem.js";
import classes from "./notes.module.css";

export function ProblemNote({ problem }: { readonly problem: Problem }) {
  // One wrong field is told by the message already.
  const news = problem.fields.filter(({ detail }) => !problem.message.includes(detail));
  return (
    <div className={classes.problem} role="alert">
      <CircleAlert className={classes.icon} size={19} aria-hidden />
      <div className={classes.body}>
        <p className={classes.message}>{problem.message}</p>
        {news.map(({ pointer, detail }) => (
          <p key={`${pointer} ${detail}`} className={classes.hint}>
            {pointer !== "" && <code>{pointer}</code>} {detail}
          </p>
        ))}
        {problem.hint !== undefined && <p className={classes.hint}>{problem.hint}</p>}
        <p className={classes.ids}>
          {problem.code}
          {problem.requestId !== undefined && <> · request {problem.requestId}</>}
        </p>
      </div>
    </div>
  );
}
