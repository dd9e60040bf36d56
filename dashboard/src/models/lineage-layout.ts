// Where each model of a family stands on the picture of it: parents left of what was trained from them, lines seldom crossed.

/** What stands on such a picture; its name is its own. */
export interface GraphNode {
  readonly name: string;
  readonly version?: number | null;
}

export interface Graph<Node extends GraphNode> {
  readonly nodes: readonly Node[];
  /** From what came first to what came of it, by name. */
  readonly edges: readonly { readonly from: string; readonly to: string }[];
}

export interface Placed<Node extends GraphNode> {
  readonly node: Node;
  /** From 0 on, from left to right. */
  readonly column: number;
  /** From 0 on, from top to bottom, of its column. */
  readonly row: number;
}

export interface GraphLayout<Node extends GraphNode> {
  readonly placed: readonly Placed<Node>[];
  readonly edges: readonly { readonly from: Placed<Node>; readonly to: Placed<Node> }[];
  readonly columns: number;
  readonly rows: number;
}

/** Each node stands one column after the last of its parents. Rings, which no training makes, are cut where they close. */
export function layOut<Node extends GraphNode>({ nodes, edges }: Graph<Node>): GraphLayout<Node> {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const known = edges.filter(({ from, to }) => byName.has(from) && byName.has(to) && from !== to);
  const parentsOf = (name: string) => known.filter(({ to }) => to === name).map(({ from }) => from);
  const columnOf = new Map<string, number>();
  const underWay = new Set<string>();
  const place = (name: string): number => {
    const found = columnOf.get(name);
    if (found !== undefined) return found;
    if (underWay.has(name)) return -1;
    underWay.add(name);
    const column = 1 + Math.max(-1, ...parentsOf(name).map(place));
    underWay.delete(name);
    columnOf.set(name, column);
    return column;
  };
  for (const { name } of nodes) place(name);

  const placed = new Map<string, Placed<Node>>();
  const columns = nodes.length === 0 ? 0 : 1 + Math.max(...columnOf.values());
  let rows = 0;
  for (let column = 0; column < columns; column += 1) {
    const own = nodes.filter(({ name }) => columnOf.get(name) === column);
    const rank = new Map(own.map((node) => [node.name, middleOf(parentsOf(node.name), placed)]));
    own.sort(
      (a, b) =>
        (rank.get(a.name) ?? 0) - (rank.get(b.name) ?? 0) ||
        (a.version ?? 0) - (b.version ?? 0) ||
        a.name.localeCompare(b.name),
    );
    for (const [row, node] of own.entries()) placed.set(node.name, { node, column, row });
    rows = Math.max(rows, own.length);
  }
  return {
    placed: [...placed.values()],
    edges: known.flatMap(({ from, to }) => {
      const [start, end] = [placed.get(from), placed.get(to)];
      return start === undefined || end === undefined ? [] : [{ from: start, to: end }];
    }),
    columns,
    rows,
  };
}

/** The mean row of some nodes, so that a child stands beside its parents. */
function middleOf(
  names: readonly string[],
  placed: ReadonlyMap<string, Placed<GraphNode>>,
): number {
  const rows = names.flatMap((name) => placed.get(name)?.row ?? []);
  return rows.length === 0 ? 0 : rows.reduce((sum, row) => sum + row, 0) / rows.length;
}
