// The family of a model as a picture: what it was started from, its versions, and the aliases that point at them.
import { VisuallyHidden } from "@mantine/core";
import type { Lineage } from "../api/registry.js";
import { Link } from "../shell/link.js";
import classes from "./lineage-graph.module.css";
import { layOut, type Placed } from "./lineage-layout.js";

const boxWidth = 204;
const boxHeight = 62;
const gapX = 64;
const gapY = 22;
const pad = 12;

const leftOf = ({ column }: Placed) => pad + column * (boxWidth + gapX);
const topOf = ({ row }: Placed) => pad + row * (boxHeight + gapY);

export function LineageGraph({ of, here }: { readonly of: Lineage; readonly here?: string }) {
  const { placed, edges, columns, rows } = layOut(of);
  const width = pad * 2 + columns * boxWidth + (columns - 1) * gapX;
  const height = pad * 2 + rows * boxHeight + (rows - 1) * gapY;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section className={classes.scroll} aria-label="Lineage" tabIndex={0}>
      <div className={classes.stage} style={{ width, height }}>
        <svg className={classes.lines} width={width} height={height} aria-hidden="true">
          {edges.map(({ from, to }) => (
            <path key={`${from.node.name} ${to.node.name}`} d={curve(from, to)} />
          ))}
        </svg>
        {/* A list in the order of the columns: by Tab one goes from parents to children. */}
        <ul>
          {placed.map((each) => (
            <li key={each.node.name} style={{ left: leftOf(each), top: topOf(each) }}>
              <Box of={each} isHere={each.node.name === here} parents={parentsOf(each, edges)} />
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

function parentsOf(
  of: Placed,
  edges: readonly { readonly from: Placed; readonly to: Placed }[],
): readonly string[] {
  return edges.filter(({ to }) => to === of).map(({ from }) => from.node.name);
}

function Box({
  of: { node },
  isHere,
  parents,
}: {
  readonly of: Placed;
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
          <span key={alias} className={classes.alias}>
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

function curve(from: Placed, to: Placed): string {
  const [x1, y1] = [leftOf(from) + boxWidth, topOf(from) + boxHeight / 2];
  const [x2, y2] = [leftOf(to), topOf(to) + boxHeight / 2];
  const bend = Math.max(24, (x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}
