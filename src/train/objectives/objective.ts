// What a training objective is: from a row to what the encoder reads and the decoder learns to write.
import type { Example } from "../../data/dataset.js";

export interface TokenizedExample {
  readonly inputIds: readonly number[];
  /** Ends with the end token. */
  readonly labels: readonly number[];
  /** Tokens that were left out because the input, or the labels, would have been too long. */
  readonly lostSource: number;
  readonly lostTarget: number;
  /** Most tokens that it may have in any epoch, where that differs from epoch to epoch. */
  readonly longest?: { readonly source: number; readonly target: number };
  /** For each place of the input the token that was hidden there, else −100; learned from the encoder's states. */
  readonly encoderLabels?: readonly number[];
}

/** Where an example stands in a run: draws are made from the seed and this alone. */
export interface ExamplePlace {
  readonly row: number;
  /** From 0. */
  readonly epoch: number;
}

export interface Objective {
  encode(example: Pick<Example, "document" | "summary">, place: ExamplePlace): TokenizedExample;
}

export interface ObjectiveLimits {
  readonly maxSourceTokens: number;
  readonly maxTargetTokens: number;
}

/** The first tokens and the end token. */
export function cut(
  ids: readonly number[],
  limit: number,
  endId: number,
): { ids: readonly number[]; lost: number } {
  if (ids.length <= limit) return { ids, lost: 0 };
  return { ids: [...ids.slice(0, limit - 1), endId], lost: ids.length - limit };
}
