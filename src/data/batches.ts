// Puts rows into batches of few shapes within a budget of tokens, in an order that a seed and an epoch decide.
import { BridleError } from "../errors/error.js";
import { deriveSeed, seededRandom, shuffle } from "../text/seeded-random.js";

/** Tokens of each row, its end tokens counted. Both of the same length. */
export interface TokenLengths {
  readonly source: ArrayLike<number>;
  readonly target: ArrayLike<number>;
}

/** What every batch of one kind is padded to. */
export interface BatchShape {
  readonly rows: number;
  readonly source: number;
  readonly target: number;
}

export interface ShapeOptions {
  /** Most tokens in a batch, source and target together, padding counted. */
  readonly tokenBudget: number;
  /** Most rows in a batch. Default 64. */
  readonly maxRows?: number;
  /** Lengths are padded up to multiples of these. Default 32 and 8. */
  readonly sourceMultiple?: number;
  readonly targetMultiple?: number;
  /** Most shapes, each of which may cost a session of its own; those that lose least by it are joined. Default 12. */
  readonly maxShapes?: number;
}

export interface BatchShapes {
  readonly shapes: readonly BatchShape[];
  /** Index of each row's shape. */
  readonly shapeOf: Uint16Array;
  /** Share of the tokens that is padding when every batch is full, 0..1. */
  readonly paddedShare: number;
}

export interface Batch {
  /** Numbers of the rows; as many as the shape has, or fewer in the last batch of a shape. */
  readonly rows: Uint32Array;
  readonly shape: BatchShape;
}

export interface EpochPlan {
  /** How many batches the epoch has. */
  readonly length: number;
  /** @param index 0..length-1 */
  batch(index: number): Batch;
}

function checkWhole(parameter: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new BridleError("INVALID_PARAMETER", {
    parameter,
    value: String(value),
    expected: "a whole number of at least 1",
  });
}

const roundUp = (length: number, multiple: number) =>
  Math.max(1, Math.ceil(length / multiple)) * multiple;

/** Rows that are padded to the same lengths. */
interface Bucket {
  source: number;
  target: number;
  count: number;
  /** Set where it was joined into another one. */
  joined: Bucket | undefined;
}

const width = ({ source, target }: { source: number; target: number }) => source + target;

/** Joins the two buckets that add the least padding, until there are few enough or none fit into the budget together. */
function joinBuckets(buckets: Bucket[], maxShapes: number, budget: number): Bucket[] {
  let left = [...buckets];
  while (left.length > maxShapes) {
    let best: { a: Bucket; b: Bucket; source: number; target: number } | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const [i, a] of left.entries()) {
      for (const b of left.slice(i + 1)) {
        const source = Math.max(a.source, b.source);
        const target = Math.max(a.target, b.target);
        const joined = source + target;
        const cost = a.count * (joined - width(a)) + b.count * (joined - width(b));
        if (joined > budget || cost >= least) continue;
        least = cost;
        best = { a, b, source, target };
      }
    }
    if (best === undefined) break;
    const { a, b, source, target } = best;
    const joined = { source, target, count: a.count + b.count, joined: undefined };
    a.joined = joined;
    b.joined = joined;
    left = [...left.filter((bucket) => bucket !== a && bucket !== b), joined];
  }
  return left;
}

/** Lengths are looked at more coarsely until there are no more buckets than joining can handle. */
const mostBuckets = 256;

/**
 * Chooses the shapes of batches from the lengths of the rows alone, so that they are the same in every epoch, and which
 * of them each row goes to: the smallest that holds it after rounding up and joining.
 * @throws TOKEN_BUDGET_TOO_SMALL where a row alone is over the budget, INVALID_PARAMETER
 */
export function planShapes(lengths: TokenLengths, options: ShapeOptions): BatchShapes {
  const { tokenBudget, maxRows = 64, sourceMultiple = 32, targetMultiple = 8 } = options;
  const { maxShapes = 12 } = options;
  for (const [name, value] of Object.entries({
    tokenBudget,
    maxRows,
    sourceMultiple,
    targetMultiple,
    maxShapes,
  })) {
    checkWhole(name, value);
  }
  const rows = lengths.source.length;
  let coarse = 1;
  let byShape = new Map<number, Bucket>();
  const bucketAt = (row: number): { key: number; source: number; target: number } => {
    const fits = (multiple: number) => {
      const source = roundUp(lengths.source[row]!, sourceMultiple * multiple);
      const target = roundUp(lengths.target[row]!, targetMultiple * multiple);
      return { key: source * 2 ** 26 + target, source, target };
    };
    const rough = fits(coarse);
    // Rounding must not push a row over the budget that it keeps by itself.
    return coarse > 1 && width(rough) > tokenBudget ? fits(1) : rough;
  };
  for (;;) {
    byShape = new Map();
    for (let row = 0; row < rows; row++) {
      const { key, source, target } = bucketAt(row);
      if (source + target > tokenBudget) {
        const tokens = source + target;
        const details = { where: `Row ${row}`, row, tokens, budget: tokenBudget };
        throw new BridleError("TOKEN_BUDGET_TOO_SMALL", details);
      }
      const bucket = byShape.get(key);
      if (bucket === undefined) byShape.set(key, { source, target, count: 1, joined: undefined });
      else bucket.count++;
      if (byShape.size > mostBuckets && coarse < 2 ** 20) break;
    }
    if (byShape.size <= mostBuckets || coarse >= 2 ** 20) break;
    coarse *= 2;
  }
  const kept = joinBuckets([...byShape.values()], maxShapes, tokenBudget).sort(
    (a, b) => width(a) - width(b) || a.source - b.source,
  );
  const indexOf = new Map(kept.map((bucket, index) => [bucket, index]));
  const shapes = kept.map((bucket) => ({
    rows: Math.min(maxRows, bucket.count, Math.floor(tokenBudget / width(bucket))),
    source: bucket.source,
    target: bucket.target,
  }));
  const shapeOf = new Uint16Array(rows);
  let tokens = 0;
  let padded = 0;
  for (let row = 0; row < rows; row++) {
    let bucket = byShape.get(bucketAt(row).key)!;
    while (bucket.joined !== undefined) bucket = bucket.joined;
    shapeOf[row] = indexOf.get(bucket)!;
    tokens += lengths.source[row]! + lengths.target[row]!;
    padded += width(bucket);
  }
  return { shapes, shapeOf, paddedShare: padded === 0 ? 0 : 1 - tokens / padded };
}

/**
 * The batches of one epoch: every row in exactly one of them, in an order that only the shapes, the seed and the epoch
 * decide. A run that goes on from batch n of an epoch plans it anew and begins there.
 * @param options.seed an integer in 0..2^53-1
 * @param options.epoch from 0
 */
export function planEpoch(
  { shapes, shapeOf }: Pick<BatchShapes, "shapes" | "shapeOf">,
  { seed, epoch }: { readonly seed: number; readonly epoch: number },
): EpochPlan {
  const random = seededRandom(deriveSeed(seed, epoch));
  const shuffled = Uint32Array.from(shapeOf.keys());
  shuffle(shuffled, random);
  // Rows of one shape lie together, each stretch in the order of the shuffle.
  const starts = new Uint32Array(shapes.length + 1);
  for (const shape of shapeOf) starts[shape + 1]!++;
  for (let shape = 0; shape < shapes.length; shape++) starts[shape + 1]! += starts[shape]!;
  const next = starts.slice();
  const rows = new Uint32Array(shuffled.length);
  for (const row of shuffled) rows[next[shapeOf[row]!]!++] = row;

  const firstRows: number[] = [];
  const shapesOfBatches: number[] = [];
  for (const [index, shape] of shapes.entries()) {
    for (let at = starts[index]!; at < starts[index + 1]!; at += shape.rows) {
      firstRows.push(at);
      shapesOfBatches.push(index);
    }
  }
  const order = Uint32Array.from(firstRows.keys());
  shuffle(order, random);
  return {
    length: order.length,
    batch(index) {
      const batch = order[index]!;
      const of = shapesOfBatches[batch]!;
      const shape = shapes[of]!;
      const first = firstRows[batch]!;
      const end = Math.min(first + shape.rows, starts[of + 1]!);
      return { rows: rows.subarray(first, end), shape };
    },
  };
}

/** Where a run stands: the epoch, from 0, and the next batch in it. */
export interface BatchPosition {
  readonly epoch: number;
  readonly batch: number;
}

export interface StepBatches {
  /** The micro-batches of one optimizer step: as many as are accumulated, or fewer at the end of an epoch. */
  readonly batches: readonly Batch[];
  readonly epoch: number;
  /** Where the next step begins. */
  readonly next: BatchPosition;
}

/**
 * The steps of a run without end, from a position on: what the same call gives from the start, from there on. Steps
 * never hold batches of two epochs.
 * @param options.accumulate micro-batches in a step. Default 1.
 */
export function* planSteps(
  shapes: BatchShapes,
  options: { readonly seed: number; readonly accumulate?: number },
  from: BatchPosition = { epoch: 0, batch: 0 },
): Generator<StepBatches, never> {
  const { seed, accumulate = 1 } = options;
  checkWhole("accumulate", accumulate);
  let at = from.batch;
  for (let epoch = from.epoch; ; epoch++) {
    const plan = planEpoch(shapes, { seed, epoch });
    if (plan.length === 0) throw new BridleError("INVALID_PARAMETER", noRows);
    for (; at < plan.length; at += accumulate) {
      const end = Math.min(at + accumulate, plan.length);
      const batches = Array.from({ length: end - at }, (_, index) => plan.batch(at + index));
      const next = end < plan.length ? { epoch, batch: end } : { epoch: epoch + 1, batch: 0 };
      yield { batches, epoch, next };
    }
    at = 0;
  }
}

const noRows = {
  parameter: "lengths",
  value: "empty",
  expected: "the lengths of at least one row",
};
