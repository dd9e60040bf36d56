// An alias, and the version it points at.
import classes from "./alias-mark.module.css";
import { production } from "./moves.js";

export function AliasMark({
  alias,
  version,
}: {
  readonly alias: string;
  readonly version?: number;
}) {
  return (
    <span className={classes.mark} data-production={alias === production || undefined}>
      {alias}
      {version !== undefined && <b>{version}</b>}
    </span>
  );
}
