// Attention that knows distances instead of places: a learned score for each bucket of distances and each head.
import { BridleError } from "../errors/error.js";
import type { GraphBuilder, Value } from "../graph/index.js";
import * as ops from "../graph/index.js";

export interface BucketOptions {
  /** Buckets in all. */
  readonly buckets: number;
  /** Distance from which on all share the last bucket. */
  readonly maxDistance: number;
  /** Whether half of the buckets are for what comes after; else all of that is in the first one. */
  readonly bidirectional: boolean;
}

/** Where a step is reached exactly, neither float32's logarithm nor float64's may miss it. */
const hair = 1e-7;

/**
 * Bucket of a key `offset` places after its query, or before it where it is below 0: one for each short distance, then
 * wider ones by the logarithm.
 * Source: Raffel et al. 2020 (T5), §2.1; transformers, T5Attention._relative_position_bucket.
 */
export function bucketOf(
  offset: number,
  { buckets, maxDistance, bidirectional }: BucketOptions,
): number {
  const count = bidirectional ? Math.floor(buckets / 2) : buckets;
  const first = bidirectional && offset > 0 ? count : 0;
  const distance = bidirectional ? Math.abs(offset) : Math.max(-offset, 0);
  const exact = Math.floor(count / 2);
  if (distance < exact) return first + distance;
  const share = Math.log(distance / exact) / Math.log(maxDistance / exact);
  const wide = exact + Math.trunc(share * (count - exact) + hair);
  return first + Math.min(wide, count - 1);
}

/**
 * What distances add to the scores of every head, from `name.weight` [buckets,H]: queries at [T] and keys at [S], both
 * int64 places → [H,T,S]; or of each document by itself, [B,T] and [B,S] → [B,H,T,S]
 * @throws CONFIG_INVALID when the distances do not reach beyond those with a bucket of their own
 */
export function relativeBias(
  g: GraphBuilder,
  name: string,
  queries: Value,
  keys: Value,
  { heads, ...options }: BucketOptions & { readonly heads: number },
): Value {
  const { buckets, maxDistance, bidirectional } = options;
  const least = (bidirectional ? 2 : 1) * 2;
  const exact = Math.floor(buckets / least);
  if (exact < 1 || maxDistance <= exact) {
    throw new BridleError("CONFIG_INVALID", {
      key: "relative_attention_max_distance",
      value: `${maxDistance} with ${buckets} buckets`,
      expected: `above ${Math.max(exact, 1)}, with ${least} buckets or more`,
    });
  }
  const documents = keys.shape.length === 2 ? [0] : [];
  const offset = ops.sub(
    g,
    ops.reshape(g, keys, [...documents, 1, -1]),
    ops.reshape(g, queries, [...documents, -1, 1]),
  );
  const near = ops.clamp(g, offset, -maxDistance, maxDistance);
  const table = Array.from({ length: 2 * maxDistance + 1 }, (_, i) =>
    BigInt(bucketOf(i - maxDistance, options)),
  );
  const places = ops.add(g, near, g.constant(BigInt64Array.of(BigInt(maxDistance)), "int64", [1]));
  const bucket = ops.gather(
    g,
    g.constant(BigInt64Array.from(table), "int64", [table.length]),
    places,
  );
  const scores = ops.gather(g, g.parameter(`${name}.weight`, [buckets, heads]), bucket);
  return ops.transpose(g, scores, documents.length === 1 ? [0, 3, 1, 2] : [2, 0, 1]);
}
