// The whole model as one graph, decoder inputs given: what scores a text and, differentiated, trains.
import { BridleError } from "../errors/error.js";
import { type Graph, GraphBuilder, linear, type Value } from "../graph/index.js";
import { float32, int64Rows, rowsShape, type Tensor } from "../runtime/tensor.js";
import type { Family, Head, HiddenStates, ModelConfig } from "./family.js";
import { inputRows, positions } from "./token-rows.js";

/** Added to the score of what attention must not see; the lowest float32, as transformers uses. */
export const dropped = -3.4028234663852886e38;

export interface ForwardInput {
  /** [B][S] */
  readonly inputIds: readonly (readonly number[])[];
  /** [B][S], 1 for a token and 0 for padding; all tokens unless given. */
  readonly attentionMask?: readonly (readonly number[])[];
  /** [B][T]; made from `labels` by shifting right unless given. */
  readonly decoderInputIds?: readonly (readonly number[])[];
  /** [B][T], −100 for places that do not count. */
  readonly labels?: readonly (readonly number[])[];
}

/**
 * Graph from `ids`, `mask`, `positions`, `decoderIds`, `decoderMask`, `decoderPositions` to `logits`
 * [B,T,V] and `encoderLast` [B,S,D], and with `hiddenStates` also to `encoder.i` and `decoder.i`.
 */
export function forwardGraph<C extends ModelConfig>(
  family: Family<C>,
  config: C,
  { hiddenStates = false } = {},
): Graph {
  const g = new GraphBuilder();
  const { encoded, decoded } = bothSides(g, family, config);
  const memory = encoded.at(-1) ?? encoded[0];
  const scores = logits(g, family.head(g, config, decoded.at(-1) ?? decoded[0]));
  const outputs = [g.output("logits", scores), g.output("encoderLast", memory)];
  if (hiddenStates) {
    for (const [i, state] of encoded.entries()) outputs.push(g.output(`encoder.${i}`, state));
    for (const [i, state] of decoded.entries()) outputs.push(g.output(`decoder.${i}`, state));
  }
  return g.finish(outputs);
}

/**
 * Encoder and decoder on the inputs `ids`, `mask`, `positions`, `decoderIds`, `decoderMask`, `decoderPositions`.
 * @param packed whether tokens are fed as rows without padding, with the inputs of `token-rows.ts` besides
 */
export function bothSides<C extends ModelConfig>(
  g: GraphBuilder,
  family: Family<C>,
  config: C,
  { packed = false } = {},
): { encoded: HiddenStates; decoded: HiddenStates } {
  const memoryMask = g.input("mask", "float32", ["batch", 1, 1, "source"]);
  const memoryRows = packed ? inputRows(g, "source") : undefined;
  const rows = packed ? inputRows(g, "target") : undefined;
  const encoded = family.encoder(g, config, {
    ids: g.input("ids", "int64", packed ? ["sourceTokens"] : ["batch", "source"]),
    mask: memoryMask,
    positions: g.input("positions", "int64", [packed ? "sourceTokens" : "source"]),
    rows: memoryRows,
  });
  const decoded = family.decoder(g, config, {
    ids: g.input("decoderIds", "int64", packed ? ["targetTokens"] : ["batch", "target"]),
    positions: g.input("decoderPositions", "int64", [packed ? "targetTokens" : "target"]),
    mask: g.input("decoderMask", "float32", [1, 1, "target", "target"]),
    rows,
    memory: encoded.at(-1) ?? encoded[0],
    memoryRows,
    memoryMask,
  });
  return { encoded, decoded };
}

/** Scores over the vocabulary before softmax, [B,T,V]. */
export function logits(g: GraphBuilder, { hidden, table, bias }: Head): Value {
  return linear(g, hidden, table, bias);
}

/**
 * What both sides are fed for a batch.
 * @throws SHAPE_MISMATCH; INVALID_PARAMETER for what is no token id; INPUT_TOO_LONG
 */
export function feedsOf(
  config: ModelConfig,
  inputIds: readonly (readonly number[])[],
  attentionMask: readonly (readonly number[])[] | undefined,
  decoderInputIds: readonly (readonly number[])[],
): Record<string, Tensor> {
  const { mask, source, target } = checkBatch(config, inputIds, attentionMask, decoderInputIds);
  return {
    ids: int64Rows("inputIds", inputIds),
    mask: additiveMask(mask),
    positions: positions(source),
    decoderIds: int64Rows("decoderInputIds", decoderInputIds),
    decoderMask: causalMask(target),
    decoderPositions: positions(target),
  };
}

/** What both sides may be fed: the mask as 1 and 0 for each place, and how long the rows of either side are. */
export interface CheckedBatch {
  readonly mask: readonly (readonly number[])[];
  readonly source: number;
  readonly target: number;
}

/** @throws SHAPE_MISMATCH; INVALID_PARAMETER for what is no token id; INPUT_TOO_LONG */
export function checkBatch(
  config: ModelConfig,
  inputIds: readonly (readonly number[])[],
  attentionMask: readonly (readonly number[])[] | undefined,
  decoderInputIds: readonly (readonly number[])[],
): CheckedBatch {
  checkTokenIds("inputIds", inputIds, config);
  checkTokenIds("decoderInputIds", decoderInputIds, config);
  const [rows, source] = rowsShape("inputIds", inputIds);
  const [decoderRows, target] = rowsShape("decoderInputIds", decoderInputIds);
  if (rows !== decoderRows) {
    throw new BridleError("SHAPE_MISMATCH", {
      op: "decoderInputIds",
      reason: `it has ${decoderRows} rows, inputIds ${rows}`,
    });
  }
  return { mask: checkedMask(inputIds, attentionMask), source, target };
}

/** @throws INVALID_PARAMETER for what is no token id; INPUT_TOO_LONG */
export function checkTokenIds(
  parameter: string,
  rows: readonly (readonly number[])[],
  config: ModelConfig,
): void {
  for (const [r, row] of rows.entries()) {
    const bad = row.find((id) => !Number.isInteger(id) || id < 0 || id >= config.vocabSize);
    if (bad !== undefined) {
      throw new BridleError("INVALID_PARAMETER", {
        parameter: `${parameter}[${r}]`,
        value: bad,
        expected: `token ids below ${config.vocabSize}`,
      });
    }
    if (config.maxPositions !== undefined && row.length > config.maxPositions) {
      throw new BridleError("INPUT_TOO_LONG", { tokens: row.length, limit: config.maxPositions });
    }
  }
}

/**
 * A mask of the inputs' shape; all ones unless given.
 * @throws SHAPE_MISMATCH; INVALID_PARAMETER for what is neither 0 nor 1
 */
export function checkedMask(
  inputIds: readonly (readonly number[])[],
  attentionMask: readonly (readonly number[])[] | undefined,
): readonly (readonly number[])[] {
  if (attentionMask === undefined) return inputIds.map((row) => row.map(() => 1));
  const odd = attentionMask.flat().find((keep) => keep !== 0 && keep !== 1);
  if (odd !== undefined) {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "attentionMask",
      value: odd,
      expected: "1 for a token and 0 for padding",
    });
  }
  const [rows, columns] = rowsShape("attentionMask", attentionMask);
  const [batch, length] = [inputIds.length, inputIds[0]?.length];
  if (rows !== batch || columns !== length) {
    throw new BridleError("SHAPE_MISMATCH", {
      op: "attentionMask",
      reason: `it is [${rows},${columns}], inputIds [${batch},${length}]`,
    });
  }
  return attentionMask;
}

/** 1 keep, 0 drop → 0 and the lowest float, [B,1,1,S] */
export function additiveMask(mask: readonly (readonly number[])[]): Tensor<"float32"> {
  const [rows, columns] = rowsShape("attentionMask", mask);
  const data = Float32Array.from(mask.flat(), (keep) => (keep === 0 ? dropped : 0));
  return float32(data, [rows, 1, 1, columns]);
}

/** Each place sees itself and what lies before it, [1,1,T,T]. */
export function causalMask(length: number): Tensor<"float32"> {
  const data = new Float32Array(length * length);
  for (let i = 0; i < length; i++) data.fill(dropped, i * length + i + 1, (i + 1) * length);
  return float32(data, [1, 1, length, length]);
}

/** Decoder inputs for labels: the start token, then the labels but the last; ignored places become padding. */
export function shiftRight(
  labels: readonly (readonly number[])[],
  config: ModelConfig,
): number[][] {
  return labels.map((row) => [
    config.decoderStartTokenId,
    ...row.slice(0, -1).map((id) => (id === -100 ? config.padTokenId : id)),
  ]);
}
