// Which stage needs which: the order they run in, and the picture `dvc dag --dot` draws.
import type { Stage } from "./output.js";
import type { StageIndex } from "./stages.js";

/** For each stage those it takes something from, in the order of its dependencies. */
export function stageGraph({ stages }: StageIndex): ReadonlyMap<Stage, readonly Stage[]> {
  const makers = stages.flatMap((stage) =>
    stage.outputs.flatMap(({ path }) => (path === undefined ? [] : [{ path, stage }])),
  );
  const overlaps = (a: string, b: string) =>
    a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
  return new Map(
    stages.map((stage) => {
      const paths = [...stage.dependencies, ...stage.params].flatMap(({ path }) => path ?? []);
      const needed = paths.flatMap((path) =>
        makers
          .filter((maker) => maker.stage !== stage && overlaps(maker.path, path))
          .map((each) => each.stage),
      );
      return [stage, [...new Set(needed)]];
    }),
  );
}

/** Stages so that each comes after those it needs; otherwise in the order of the files. */
export function runOrder(index: StageIndex): Stage[] {
  const graph = stageGraph(index);
  const order = new Set<Stage>();
  const visit = (stage: Stage, trail: readonly Stage[]) => {
    if (order.has(stage) || trail.includes(stage)) return;
    for (const needed of graph.get(stage) ?? []) visit(needed, [...trail, stage]);
    order.add(stage);
  };
  for (const stage of index.stages) visit(stage, []);
  return [...order];
}

/** Nodes and edges as `dvc dag --dot` writes them. */
export function dotText(index: StageIndex): string {
  const graph = stageGraph(index);
  const name = ({ address }: Stage) => `"${address}"`;
  const edges = [...graph].flatMap(([stage, needed]) =>
    needed.map((from) => `${name(from)} -> ${name(stage)};`),
  );
  const lines = [...index.stages.map((stage) => `${name(stage)};`), ...edges];
  return `strict digraph {\n${lines.join("\n")}\n}\n`;
}
