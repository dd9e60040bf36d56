// The family of a model as a picture: what it was started from, its versions, and the aliases that point at them.
import { VisuallyHidden } from "@mantine/core";
import type { Lineage, LineageNode } from "../api/registry.js";
import { Link } from "../shell/link.js";
import { GraphView } from "./graph-view.js";
import classes from "./lineage-graph.module.css";
import { production } from "./moves.js";

export function LineageGraph({ of, here }: { readonly of: Lineage; readonly here?: string }) {
  return (
    <>
      {of.truncated && <p className={classes.cut}>{cutNote(of)}</p>}
      <GraphView
        label="Lineage"
        of={of}
        draw={(node, parents) => <Box node={node} isHere={node.name === here} parents={parents} />}
      />
    </>
  );
}

/** What is said where not all of a family is drawn. */
export function cutNote({ nodes }: Pick<Lineage, "nodes">): string {
  const shown = nodes.filter(({ model }) => model !== null).length;
  return `This family is too large for one picture: the ${shown} nearest versions are drawn, and those farther away are left out.`;
}

function Box({
  node,
  isHere,
  parents,
}: {
  readonly node: LineageNode;
  readonly isHere: boolean;
  readonly parents: readonly string[];
}) {
  const { name, model, version, runId, aliases } = node;
  const note = runId !== null ? `run ${runId}` : model === null ? "not registered" : "";
  const from = parents.length === 0 ? "" : `, trained from ${parents.join(" and ")}`;
  const content = (
    <>
      <span className={classes.name}>{name}</span>
      <span className={classes.note}>
        {aliases.map((alias) => (
          <span
            key={alias}
            className={classes.alias}
            data-production={alias === production || undefined}
          >
            {alias}
          </span>
        ))}
        {note}
      </span>
    </>
  );
  if (model === null || version === null) {
    return (
      <span className={classes.box} data-foreign title={name}>
        {content}
      </span>
    );
  }
  return (
    <Link
      className={classes.box}
      href={`/registry/${encodeURIComponent(model)}/${version}`}
      aria-current={isHere ? "true" : undefined}
      title={name}
    >
      {content}
      {from !== "" && <VisuallyHidden>{from}</VisuallyHidden>}
    </Link>
  );
}
