// Boxes in columns with lines between them: what came first on the left, what came of it to the right.
import type { ReactNode } from "react";
import classes from "./lineage-graph.module.css";
import { type Graph, type GraphNode, layOut, type Placed } from "./lineage-layout.js";

const boxWidth = 204;
const boxHeight = 62;
const gapX = 64;
const gapY = 22;
const pad = 12;

type AnyPlaced = Placed<GraphNode>;
const leftOf = ({ column }: AnyPlaced) => pad + column * (boxWidth + gapX);
const topOf = ({ row }: AnyPlaced) => pad + row * (boxHeight + gapY);

export function GraphView<Node extends GraphNode>({
  label,
  of,
  draw,
}: {
  readonly label: string;
  readonly of: Graph<Node>;
  /** A node's box, which fills its place; the names are those of what it came from. */
  readonly draw: (node: Node, parents: readonly string[]) => ReactNode;
}) {
  const { placed, edges, columns, rows } = layOut(of);
  const width = pad * 2 + columns * boxWidth + (columns - 1) * gapX;
  const height = pad * 2 + rows * boxHeight + (rows - 1) * gapY;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section className={classes.scroll} aria-label={label} tabIndex={0}>
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
              {draw(
                each.node,
                edges.filter(({ to }) => to === each).map(({ from }) => from.node.name),
              )}
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

function curve(from: AnyPlaced, to: AnyPlaced): string {
  const [x1, y1] = [leftOf(from) + boxWidth, topOf(from) + boxHeight / 2];
  const [x2, y2] = [leftOf(to), topOf(to) + boxHeight / 2];
  const bend = Math.max(24, (x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}
