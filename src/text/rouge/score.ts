// What a ROUGE score is, and how it comes from three counts.

/** Shares in 0..1. */
export interface RougeScore {
  /** Share of the prediction that the target has. */
  readonly precision: number;
  /** Share of the target that the prediction has. */
  readonly recall: number;
  /** Harmonic mean of the two; 0 where both are. */
  readonly fmeasure: number;
}

/** Harmonic mean, in rouge_score's order of operations: its rounding decides ties between sentences. */
function harmonicMean(precision: number, recall: number): number {
  return precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
}

/** The F-measure of `shared` units between a prediction and a target of the given sizes. */
export function fmeasureOf(shared: number, inPrediction: number, inTarget: number): number {
  return harmonicMean(shared / Math.max(inPrediction, 1), shared / Math.max(inTarget, 1));
}

/** The whole score of `shared` units between a prediction and a target of the given sizes. */
export function scoreOf(shared: number, inPrediction: number, inTarget: number): RougeScore {
  const precision = shared / Math.max(inPrediction, 1);
  const recall = shared / Math.max(inTarget, 1);
  return { precision, recall, fmeasure: harmonicMean(precision, recall) };
}
