// How much each key decides the objective: functional analysis of variance over a random forest. Source: Hutter et al. 2014.
import { setImmediate as letOthersRun } from "node:timers/promises";
import type { Dimension } from "../dimension.js";
import type { SweepTrial } from "../trial.js";
import { type ForestOptions, growForest, leaf, type Tree } from "./random-forest.js";

/** What of a key leads to a leaf: an interval of places, or for each choice whether it does. */
type Extent = readonly [number, number] | readonly boolean[];

const defaults: ForestOptions = { trees: 64, maxDepth: 64, seed: 0 };

/** Columns of the forest's rows that stand for one key: its place, or a 0 and 1 for each choice. */
interface Columns {
  readonly dimension: Dimension;
  readonly first: number;
  readonly count: number;
}

/**
 * The share of the objective's variance over the space that each key explains by itself; together 1 at most before they are
 * made to be 1 together, as Optuna's FanovaImportanceEvaluator does. Numbers count by their places in the space, so that a
 * logarithmic key is looked at by its logarithm.
 * @returns nothing while fewer than two trials are complete, or all came to the same
 */
export async function importances(
  trials: readonly SweepTrial[],
  dimensions: readonly Dimension[],
  options: ForestOptions = defaults,
): Promise<Readonly<Record<string, number>> | undefined> {
  const complete = trials.filter(
    ({ state, cost }) => state === "complete" && Number.isFinite(cost),
  );
  if (complete.length < 2 || dimensions.length === 0) return undefined;
  const columns: Columns[] = [];
  for (const dimension of dimensions) {
    const before = columns.at(-1);
    const first = before === undefined ? 0 : before.first + before.count;
    const count = dimension.kind === "choice" ? dimension.values.length : 1;
    columns.push({ dimension, first, count });
  }
  const rows = complete.map(({ parameters }) =>
    columns.flatMap(({ dimension, count }) => {
      const value = parameters[dimension.key];
      if (dimension.kind === "number") return [dimension.toUnit(value as number)];
      const chosen = dimension.indexOf(value);
      return Array.from({ length: count }, (_, index) => Number(index === chosen));
    }),
  );
  const targets = complete.map(({ cost }) => cost!);
  const shares: number[][] = [];
  for (const tree of growForest(rows, targets, options)) {
    shares.push(...sharesOf(tree, columns));
    // A forest over many trials takes seconds, for which a server must not be deaf.
    await letOthersRun();
  }
  if (shares.length === 0) return undefined;
  const means = columns.map((_, at) => shares.reduce((sum, each) => sum + each[at]!, 0));
  const sum = means.reduce((total, mean) => total + mean, 0);
  if (sum === 0) return undefined;
  const named = columns.map(({ dimension }, at) => [dimension.key, means[at]! / sum] as const);
  return Object.fromEntries(named.sort((a, b) => b[1] - a[1]));
}

/** Each key's share of one tree's variance; nothing where the tree is one leaf. */
function sharesOf(tree: Tree, columns: readonly Columns[]): number[][] {
  const leaves: { readonly extents: readonly Extent[]; readonly value: number }[] = [];
  const cuts = columns.map(() => new Set<number>([0, 1]));
  const walk = (node: number, extents: readonly Extent[]) => {
    const feature = tree.feature[node]!;
    if (feature === leaf) {
      leaves.push({ extents, value: tree.value[node]! });
      return;
    }
    const at = columns.findLastIndex(({ first }) => first <= feature);
    const { dimension, first } = columns[at]!;
    const threshold = tree.threshold[node]!;
    const extent = extents[at]!;
    if (dimension.kind === "number") {
      cuts[at]!.add(threshold);
      const [low, high] = extent as readonly [number, number];
      walk(tree.left[node]!, extents.with(at, [low, threshold]));
      walk(tree.right[node]!, extents.with(at, [threshold, high]));
    } else {
      // A choice's column is 1 for that choice alone.
      const chosen = feature - first;
      const choices = extent as readonly boolean[];
      const only = choices.map((leads, index) => leads && index === chosen);
      walk(tree.left[node]!, extents.with(at, choices.with(chosen, false)));
      walk(tree.right[node]!, extents.with(at, only));
    }
  };
  walk(
    0,
    columns.map(({ dimension }) =>
      dimension.kind === "number" ? ([0, 1] as const) : dimension.values.map(() => true),
    ),
  );
  const weighed = leaves.map(({ extents, value }) => {
    const sizes = extents.map((extent, at) => sizeOf(extent, columns[at]!.dimension));
    return { extents, value, sizes, weight: sizes.reduce((product, size) => product * size, 1) };
  });
  const whole = variance(weighed.map(({ value, weight }) => [value, weight]));
  if (!(whole > 0)) return [];
  const shares = columns.map(({ dimension }, at) => {
    const marginals = cellsOf(dimension, cuts[at]!).map(({ place, size }) => {
      let [sum, weights] = [0, 0];
      for (const { extents, value, sizes, weight } of weighed) {
        if (weight === 0 || !leadsTo(extents[at]!, place, dimension)) continue;
        const rest = weight / sizes[at]!;
        sum += rest * value;
        weights += rest;
      }
      return [sum / weights, size] as const;
    });
    return Math.max(0, variance(marginals)) / whole;
  });
  return [shares];
}

/** The share of a key's values that an extent holds. */
function sizeOf(extent: Extent, dimension: Dimension): number {
  if (dimension.kind === "number") return (extent[1] as number) - (extent[0] as number);
  return dimension.weights.reduce((sum, weight, index) => (extent[index] ? sum + weight : sum), 0);
}

function leadsTo(extent: Extent, place: number, { kind }: Dimension): boolean {
  if (kind === "choice") return extent[place] as boolean;
  return place > (extent[0] as number) && place <= (extent[1] as number);
}

/** Where a key's marginal is worked out: each choice, or the middle of each interval between two cuts. */
function cellsOf(
  dimension: Dimension,
  cuts: ReadonlySet<number>,
): { readonly place: number; readonly size: number }[] {
  if (dimension.kind === "choice") {
    return dimension.weights.map((size, place) => ({ place, size }));
  }
  const sorted = [...cuts].sort((a, b) => a - b);
  return sorted.slice(1).map((high, at) => {
    const low = sorted[at]!;
    return { place: (low + high) / 2, size: high - low };
  });
}

/** @param pairs values with their weights */
function variance(pairs: readonly (readonly [number, number])[]): number {
  const weights = pairs.reduce((sum, [, weight]) => sum + weight, 0);
  const mean = pairs.reduce((sum, [value, weight]) => sum + value * weight, 0) / weights;
  return pairs.reduce((sum, [value, weight]) => sum + weight * (value - mean) ** 2, 0) / weights;
}
