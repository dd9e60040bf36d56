// How a version came to be, as a picture: data, the run that learned from them, the version, and the aliases that point at it.
import { VisuallyHidden } from "@mantine/core";
import { Boxes, ChartSpline, Database, type LucideIcon, Tag } from "lucide-react";
import type { Version } from "../api/registry.js";
import { Link } from "../shell/link.js";
import { GraphView } from "./graph-view.js";
import classes from "./lineage-graph.module.css";
import { production } from "./moves.js";
import { type Kind, type OriginNode, originOf } from "./origin.js";

const looks: Readonly<Record<Kind, { readonly icon: LucideIcon; readonly word: string }>> = {
  data: { icon: Database, word: "Data" },
  model: { icon: Boxes, word: "Started from" },
  run: { icon: ChartSpline, word: "Run" },
  version: { icon: Boxes, word: "Version" },
  alias: { icon: Tag, word: "Alias" },
};

export function OriginGraph({ of }: { readonly of: Version }) {
  return (
    <GraphView
      label="How it came to be"
      of={originOf(of)}
      draw={(node, parents) => <Box node={node} parents={parents} />}
    />
  );
}

function Box({
  node,
  parents,
}: {
  readonly node: OriginNode;
  readonly parents: readonly string[];
}) {
  const { kind, label, note, href } = node;
  const { icon: Icon, word } = looks[kind];
  const content = (
    <>
      <span className={classes.name}>
        <Icon size={14} aria-hidden /> <VisuallyHidden>{word} </VisuallyHidden>
        {label}
      </span>
      <span className={classes.note}>{note}</span>
      {parents.length > 0 && <VisuallyHidden>, from {parents.join(" and ")}</VisuallyHidden>}
    </>
  );
  const shared = {
    className: classes.box,
    "data-production": (kind === "alias" && label === production) || undefined,
    title: label,
  };
  return href === undefined ? (
    <span {...shared} aria-current={kind === "version" ? "true" : undefined}>
      {content}
    </span>
  ) : (
    <Link {...shared} href={href}>
      {content}
    </Link>
  );
}
