// A random forest of regression trees: each is grown on a draw of the rows until its leaves are pure.
import { deriveSeed, seededRandom } from "../../../text/seeded-random.js";

/** Node 0 is the root. A leaf has a value; any other node sends a row left whose feature is at most the threshold. */
export interface Tree {
  readonly feature: readonly number[];
  readonly threshold: readonly number[];
  readonly left: readonly number[];
  readonly right: readonly number[];
  readonly value: readonly number[];
}

export const leaf = -1;

export interface ForestOptions {
  readonly trees: number;
  readonly maxDepth: number;
  readonly seed: number;
}

/**
 * Source: Breiman 2001; splits lessen the squared error most, and every feature may be split on, as in scikit-learn's
 * RandomForestRegressor with its defaults.
 * @param rows features of each row @param targets what is to be told from them
 */
export function* growForest(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  { trees, maxDepth, seed }: ForestOptions,
): Generator<Tree> {
  for (let index = 0; index < trees; index++) {
    const random = seededRandom(deriveSeed(seed, index));
    const drawn = Array.from(rows, () => random.nextBelow(rows.length));
    yield growTree(rows, targets, drawn, maxDepth, (below) => random.nextBelow(below));
  }
}

function growTree(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  drawn: number[],
  maxDepth: number,
  draw: (below: number) => number,
): Tree {
  const tree = {
    feature: [] as number[],
    threshold: [] as number[],
    left: [] as number[],
    right: [] as number[],
    value: [] as number[],
  };
  const grow = (members: readonly number[], depth: number): number => {
    const node = tree.feature.length;
    const mean = members.reduce((sum, row) => sum + targets[row]!, 0) / members.length;
    tree.feature.push(leaf);
    tree.threshold.push(Number.NaN);
    tree.left.push(leaf);
    tree.right.push(leaf);
    tree.value.push(mean);
    const isPure = members.every((row) => targets[row] === targets[members[0]!]);
    const split = isPure || depth >= maxDepth ? undefined : bestSplit(rows, targets, members, draw);
    if (split === undefined) return node;
    const { feature, threshold } = split;
    const isLeft = (row: number) => rows[row]![feature]! <= threshold;
    tree.feature[node] = feature;
    tree.threshold[node] = threshold;
    tree.left[node] = grow(members.filter(isLeft), depth + 1);
    tree.right[node] = grow(
      members.filter((row) => !isLeft(row)),
      depth + 1,
    );
    return node;
  };
  grow(drawn, 0);
  return tree;
}

/** The split that leaves the least squared error; of equal ones that of the feature that is looked at first, by a draw. */
function bestSplit(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  members: readonly number[],
  draw: (below: number) => number,
): { feature: number; threshold: number } | undefined {
  const features = rows[0]!.map((_, feature) => feature);
  for (let i = features.length - 1; i > 0; i--) {
    const j = draw(i + 1);
    [features[i], features[j]] = [features[j]!, features[i]!];
  }
  const total = members.reduce((sum, row) => sum + targets[row]!, 0);
  let best: { feature: number; threshold: number } | undefined;
  let most = (total * total) / members.length + 1e-12;
  for (const feature of features) {
    const sorted = [...members].sort((a, b) => rows[a]![feature]! - rows[b]![feature]!);
    let left = 0;
    for (let count = 1; count < sorted.length; count++) {
      left += targets[sorted[count - 1]!]!;
      const [low, high] = [rows[sorted[count - 1]!]![feature]!, rows[sorted[count]!]![feature]!];
      if (high <= low) continue;
      const right = total - left;
      const gain = (left * left) / count + (right * right) / (sorted.length - count);
      if (gain > most) {
        most = gain;
        best = { feature, threshold: low + (high - low) / 2 };
      }
    }
  }
  return best;
}
