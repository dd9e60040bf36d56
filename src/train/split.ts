// The rows of a split as token ids: their lengths once, and examples made when a batch needs them.
import type { RunConfig } from "../config/run-config.js";
import { type BatchShapes, planShapes, type TokenLengths } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import { BridleError } from "../errors/error.js";
import type { LabelledBatch } from "../model/gradient.js";
import { ignored } from "../model/loss.js";
import type { Objective, TokenizedExample } from "./objectives/objective.js";

export interface EncodedSplit {
  readonly lengths: TokenLengths;
  readonly truncated: {
    readonly documents: number;
    readonly summaries: number;
    readonly lostTokens: number;
  };
  /** Examples of rows, in their order. */
  encode(rows: ArrayLike<number>, epoch: number): Promise<TokenizedExample[]>;
}

/** Rows that are read at once while their lengths are taken. */
const stretch = 256;

/** Takes the lengths of all rows, so that they can be put into batches. */
export async function encodeSplit(
  dataset: Dataset,
  objective: Objective,
  onProgress: (done: number, of: number) => void = () => {},
  signal?: AbortSignal,
): Promise<EncodedSplit> {
  const { rows } = dataset;
  const source = new Uint32Array(rows);
  const target = new Uint32Array(rows);
  const truncated = { documents: 0, summaries: 0, lostTokens: 0 };
  const encode = async (wanted: ArrayLike<number>, epoch: number) => {
    const examples = await dataset.read(wanted);
    return examples.map((example, i) => objective.encode(example, { row: wanted[i] ?? 0, epoch }));
  };
  for (let at = 0; at < rows; at += stretch) {
    signal?.throwIfAborted();
    const wanted = Array.from({ length: Math.min(stretch, rows - at) }, (_, i) => at + i);
    for (const [i, example] of (await encode(wanted, 0)).entries()) {
      const { inputIds, labels, longest } = example;
      source[at + i] = longest?.source ?? inputIds.length;
      target[at + i] = longest?.target ?? labels.length;
      if (example.lostSource > 0) truncated.documents++;
      if (example.lostTarget > 0) truncated.summaries++;
      truncated.lostTokens += example.lostSource + example.lostTarget;
    }
    onProgress(Math.min(rows, at + stretch), rows);
  }
  return { lengths: { source, target }, truncated, encode };
}

/** The shapes of a split's batches. @throws TOKEN_BUDGET_TOO_SMALL naming the row that is alone over the budget */
export function shapesOf(
  { microBatchTokens: tokenBudget, microBatchRows: maxRows }: RunConfig["train"],
  rows: Dataset,
  { lengths }: EncodedSplit,
): BatchShapes {
  try {
    return planShapes(lengths, { tokenBudget, maxRows });
  } catch (thrown) {
    if (!(thrown instanceof BridleError) || thrown.code !== "TOKEN_BUDGET_TOO_SMALL") throw thrown;
    const { where } = rows.placeOf(Number(thrown.details.row));
    throw new BridleError(
      "TOKEN_BUDGET_TOO_SMALL",
      { ...thrown.details, where },
      { cause: thrown },
    );
  }
}

/** Pads examples to the longest of them. */
export function toBatch(examples: readonly TokenizedExample[], padTokenId: number): LabelledBatch {
  const longest = (of: (example: TokenizedExample) => readonly number[]) =>
    examples.reduce((most, example) => Math.max(most, of(example).length), 1);
  const source = longest(({ inputIds }) => inputIds);
  const target = longest(({ labels }) => labels);
  const fill = (ids: readonly number[], length: number, filler: number) =>
    Array.from({ length }, (_, i) => ids[i] ?? filler);
  return {
    inputIds: examples.map(({ inputIds }) => fill(inputIds, source, padTokenId)),
    attentionMask: examples.map(({ inputIds }) =>
      Array.from({ length: source }, (_, i) => (i < inputIds.length ? 1 : 0)),
    ),
    labels: examples.map(({ labels }) => fill(labels, target, ignored)),
    ...(examples.some(({ encoderLabels }) => encoderLabels !== undefined) && {
      encoderLabels: examples.map(({ encoderLabels }) =>
        fill(encoderLabels ?? [], source, ignored),
      ),
    }),
  };
}
