// The training graph: the family's forward pass, its loss, and the gradients of what is learned.
import { BridleError } from "../errors/error.js";
import {
  add,
  type DropoutMask,
  feedDropout,
  type Gradient,
  type Graph,
  GraphBuilder,
  grad,
  linearCrossEntropy,
  type RewriteRule,
  recomputeAttention,
  rewriteInTurn,
  type Value,
} from "../graph/index.js";
import { float32, int64, rowsShape, type Tensor } from "../runtime/tensor.js";
import type { Family, ModelConfig } from "./family.js";
import { additiveMask, bothSides, causalMask, checkBatch, shiftRight } from "./forward.js";
import { ignored } from "./loss.js";
import { type PackedTokens, packTokens, rowFeeds, takeTokens } from "./token-rows.js";

export type Recompute = "nothing" | "attention" | "layers";

export interface GradientGraphOptions {
  /** Which parameters are learned, by name; all but the family's fixed ones unless said. */
  readonly learns?: (name: string) => boolean;
  /** Share of the probability that label smoothing spreads over the vocabulary, from 0 to 1. */
  readonly labelSmoothing?: number;
  /** Parts the output layer is worked on in; more take less memory. */
  readonly chunks?: number;
  /** Whether the loss is also that of `encoderLabels`, told from the encoder's states by the same output layer. */
  readonly encoderLabels?: boolean;
  /**
   * What is computed again on the way back instead of kept: attention weights, which take the most room for their cost
   * (unless said), or the whole inside of every layer.
   */
  readonly recompute?: Recompute;
  /** Whether the config's dropout is applied; its masks are then fed. */
  readonly dropout?: boolean;
  /** Adds parameters, such as adapters, to the family's forward pass. */
  readonly extend?: RewriteRule;
}

/** Slices of a parameter's gradient among the outputs of a run: row i belongs to `indices[i]`. */
export interface GradientRowsOutput {
  readonly output: string;
  /** Name of the int64 feed that holds the indices, or where they are computed of the output. */
  readonly indices: string;
  /** Index whose rows are left out. */
  readonly padding: number | undefined;
}

/** Where a parameter's gradient is found among the outputs of a run; without any of it, it is zero. */
export interface GradientOutput {
  readonly parameter: string;
  readonly shape: readonly number[];
  readonly dense: string | undefined;
  readonly rows: readonly GradientRowsOutput[];
}

export interface GradientGraph {
  /** Outputs: `loss`, and those that `gradients` names. */
  readonly graph: Graph;
  readonly gradients: readonly GradientOutput[];
  readonly masks: readonly DropoutMask[];
}

/** Inputs of the loss besides those of both sides. */
const labelsInput = "labels";
const weightsInput = "labelWeights";
const encoderLabelsInput = "encoderLabels";
const encoderWeightsInput = "encoderLabelWeights";

/**
 * Builds the graph from a batch to its loss and the gradients of what is learned. It works on rows of tokens: padding is read by
 * attention alone.
 */
export function gradientGraph<C extends ModelConfig>(
  family: Family<C>,
  config: C,
  options: GradientGraphOptions = {},
): GradientGraph {
  const { labelSmoothing = 0, chunks = 1, recompute = "attention" } = options;
  const learns = options.learns ?? ((name) => !family.fixed.includes(name));
  const plain = new GraphBuilder();
  const { encoded, decoded } = bothSides(plain, family, config, { packed: true });
  const entropy = linearCrossEntropy(plain, {
    ...family.head(plain, config, decoded.at(-1) ?? decoded[0]),
    labels: plain.input(labelsInput, "int64", ["targetTokens"]),
    weights: plain.input(weightsInput, "float32", ["targetTokens"]),
    labelSmoothing,
    chunks,
  });
  const total = options.encoderLabels
    ? add(
        plain,
        entropy,
        linearCrossEntropy(plain, {
          ...family.head(plain, config, encoded.at(-1) ?? encoded[0]),
          labels: plain.input(encoderLabelsInput, "int64", ["sourceTokens"]),
          weights: plain.input(encoderWeightsInput, "float32", ["sourceTokens"]),
          chunks,
        }),
      )
    : entropy;
  const forward = plain.finish([plain.output("loss", total)]);
  const dropout = feedDropout();
  const { g, copyOf } = rewriteInTurn(forward, [
    ...(options.extend ? [options.extend] : []),
    ...(recompute === "attention" ? [recomputeAttention] : []),
    ...(options.dropout ? [dropout.rule] : []),
  ]);
  const loss = copyOf(total);
  const learned = g.known.filter(({ name }) => learns(name));
  const found = grad(g, loss, learned, {
    checkpoints: recompute === "layers" ? [...encoded, ...decoded].map(copyOf) : [],
  });
  const outputs = [g.output("loss", loss)];
  const fed = new Set(forward.inputs.map(({ name }) => name));
  const named = new Map<Value, string>();
  const gradients = learned.map((parameter) =>
    nameGradient(g, parameter, found.get(parameter), { outputs, fed, named }),
  );
  return { graph: g.finish(outputs), gradients, masks: dropout.masks };
}

interface Naming {
  /** Outputs so far, to which those of a gradient are added. */
  readonly outputs: Value[];
  /** Names of what the graph is fed. */
  readonly fed: ReadonlySet<string>;
  /** Outputs that slices of a gradient have. */
  readonly named: Map<Value, string>;
}

function nameGradient(
  g: GraphBuilder,
  parameter: Value,
  gradient: Gradient | undefined,
  { outputs, fed, named }: Naming,
): GradientOutput {
  const { name } = parameter;
  const dense = gradient?.dense;
  if (dense !== undefined) outputs.push(g.output(`grad:${name}`, dense));
  const rows = (gradient?.rows ?? []).map((part, i): GradientRowsOutput => {
    // Two tables that are added to each other, as of tokens and of positions, are given the same slices.
    const output = named.get(part.rows) ?? `rows:${name}:${i}`;
    if (!named.has(part.rows)) outputs.push(g.output(output, part.rows));
    named.set(part.rows, output);
    if (fed.has(part.indices.name)) {
      return { output, indices: part.indices.name, padding: part.padding };
    }
    const indices = `indices:${name}:${i}`;
    outputs.push(g.output(indices, part.indices));
    return { output, indices, padding: part.padding };
  });
  return {
    parameter: name,
    shape: parameter.shape.map(Number),
    dense: dense && `grad:${name}`,
    rows,
  };
}

export interface LabelledBatch {
  /** [B][S] */
  readonly inputIds: readonly (readonly number[])[];
  /** [B][S], 1 for a token and 0 for padding; all tokens unless given. */
  readonly attentionMask?: readonly (readonly number[])[] | undefined;
  /** [B][T], −100 for places that do not count. */
  readonly labels: readonly (readonly number[])[];
  /** [B][S], −100 for places that do not count; for a graph that learns from them. */
  readonly encoderLabels?: readonly (readonly number[])[] | undefined;
}

/** Number of labels that count. */
export function countLabels({ labels }: LabelledBatch): number {
  return labels.reduce((sum, row) => sum + row.filter((id) => id !== ignored).length, 0);
}

/**
 * Feeds of the training graph for a batch, dropout masks aside.
 * @param labelWeight weight of each label that counts: 1/n for the mean over n of them; encoder labels count as their mean
 * @throws SHAPE_MISMATCH; INVALID_PARAMETER for a token or label outside the vocabulary; INPUT_TOO_LONG
 */
export function batchFeeds(
  config: ModelConfig,
  batch: LabelledBatch,
  labelWeight: number,
): Record<string, Tensor> {
  const { inputIds, attentionMask, labels, encoderLabels } = batch;
  checkLabels(config, "labels", labels, [inputIds.length, undefined]);
  const decoderIds = shiftRight(labels, config);
  const checked = checkBatch(config, inputIds, attentionMask, decoderIds);
  if (encoderLabels !== undefined) {
    checkLabels(config, "encoderLabels", encoderLabels, [inputIds.length, checked.source]);
  }
  const source = packTokens(readPlaces(checked.mask, encoderLabels));
  const target = packTokens(labels.map(writtenPlaces));
  const { encoderHeads, decoderHeads, padTokenId } = config;
  const counted = labelFeeds(labels, labelWeight, target);
  const hidden =
    encoderLabels &&
    labelFeeds(
      encoderLabels,
      1 / Math.max(1, countLabels({ ...batch, labels: encoderLabels })),
      source,
    );
  const idsOf = (rows: PackedTokens, ids: readonly (readonly number[])[]) => {
    const taken = takeTokens(rows, ids, padTokenId);
    return int64(taken, [taken.length]);
  };
  const positionsOf = ({ places, shape }: PackedTokens) =>
    int64(
      places.map((place) => place % shape[1]),
      [places.length],
    );
  return {
    ids: idsOf(source, inputIds),
    mask: additiveMask(checked.mask),
    positions: positionsOf(source),
    decoderIds: idsOf(target, decoderIds),
    decoderMask: causalMask(checked.target),
    decoderPositions: positionsOf(target),
    ...rowFeeds("source", source, [encoderHeads, decoderHeads]),
    ...rowFeeds("target", target, [decoderHeads]),
    [labelsInput]: counted.labels,
    [weightsInput]: counted.weights,
    ...(hidden && {
      [encoderLabelsInput]: hidden.labels,
      [encoderWeightsInput]: hidden.weights,
    }),
  };
}

/** The sizes that a graph's inputs name, as a batch's feeds have them. */
export function namedSizes(
  { inputs }: Graph,
  feeds: Readonly<Record<string, Tensor>>,
): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const { name, shape } of inputs) {
    const fed = feeds[name]?.shape;
    for (const [axis, dim] of shape.entries()) {
      const size = fed?.[axis];
      if (typeof dim === "string" && size !== undefined) sizes.set(dim, size);
    }
  }
  return sizes;
}

/**
 * Which places the encoder works on: what is read, and what a label is told from. Of a document without any token
 * attention reads all places alike.
 */
function readPlaces(
  mask: readonly (readonly number[])[],
  labels: readonly (readonly number[])[] | undefined,
): boolean[][] {
  return mask.map((row, r) => {
    const isEmpty = !row.includes(1);
    return row.map(
      (keep, place) => isEmpty || keep === 1 || (labels?.[r]?.[place] ?? ignored) !== ignored,
    );
  });
}

/** Which places the decoder works on: all up to the last label that counts. */
function writtenPlaces(labels: readonly number[]): boolean[] {
  const last = labels.findLastIndex((id) => id !== ignored);
  return labels.map((_, place) => place <= last);
}

/**
 * @param expected how many rows there are of the inputs and, where labels stand beside them, how long these are
 * @throws SHAPE_MISMATCH; INVALID_PARAMETER for a label outside the vocabulary
 */
function checkLabels(
  config: ModelConfig,
  parameter: string,
  rows: readonly (readonly number[])[],
  expected: readonly [rows: number, length: number | undefined],
): void {
  for (const id of rows.flat()) {
    if (id !== ignored && !(Number.isInteger(id) && id >= 0 && id < config.vocabSize)) {
      throw new BridleError("INVALID_PARAMETER", {
        parameter,
        value: id,
        expected: `token ids below ${config.vocabSize}, or ${ignored}`,
      });
    }
  }
  const [count, length] = rowsShape(parameter, rows);
  if (count !== expected[0]) {
    throw new BridleError("SHAPE_MISMATCH", {
      op: parameter,
      reason: `it has ${count} rows, inputIds ${expected[0]}`,
    });
  }
  if (expected[1] !== undefined && length !== expected[1]) {
    throw new BridleError("SHAPE_MISMATCH", {
      op: parameter,
      reason: `its rows have ${length} elements, those of inputIds ${expected[1]}`,
    });
  }
}

/** Labels and their weights at the tokens that take part; those that do not count are 0, with the weight 0. */
function labelFeeds(
  rows: readonly (readonly number[])[],
  weight: number,
  tokens: PackedTokens,
): { labels: Tensor<"int64">; weights: Tensor<"float32"> } {
  const taken = takeTokens(tokens, rows, ignored);
  const labels = taken.map((id) => (id === ignored ? 0 : id));
  const weights = Float32Array.from(taken, (id) => (id === ignored ? 0 : weight));
  return { labels: int64(labels, [labels.length]), weights: float32(weights, [taken.length]) };
}

/**
 * Adds slices to a dense gradient, in their order: rows [n,width] at `indices` [n] into dense [size,width]. Where many
 * meet in few, as pairs of places do in buckets of distances, they are summed in double precision.
 */
export function addRows(
  dense: Float32Array,
  rows: Float32Array,
  indices: BigInt64Array,
  width: number,
  padding: number | undefined,
): void {
  const meets = indices.length * width > 16 * dense.length;
  const sums = meets ? Float64Array.from(dense) : dense;
  for (let row = 0; row < indices.length; row++) {
    const index = Number(indices[row]);
    if (index === padding) continue;
    const [to, from] = [index * width, row * width];
    for (let j = 0; j < width; j++) sums[to + j] = (sums[to + j] ?? 0) + (rows[from + j] ?? 0);
  }
  if (meets) dense.set(sums);
}
