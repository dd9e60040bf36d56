// What a step answered, handed to the searches of the documents that were in it.
import { BridleError } from "../errors/error.js";
import { checkLogits } from "../model/loss.js";
import type { Tensor } from "../runtime/tensor.js";
import type { Candidates, Search } from "./search.js";

/** What a step answered for one document. */
interface StepScores {
  readonly answer: Readonly<Record<string, Tensor>>;
  /** Its place in the batch. */
  readonly place: number;
  /** Its place among the documents of its call. */
  readonly row: number;
}

/** @throws LOGITS_INVALID where a score is no number */
export function candidatesOf({ answer, place, row }: StepScores, width: number): Candidates[] {
  const best = answer.best as Tensor<"float32">;
  const tokens = answer.tokens as Tensor<"int64">;
  const likeliest = answer.likeliest as Tensor<"float32">;
  const count = best.shape[2] ?? 0;
  return Array.from({ length: width }, (_, i) => {
    const at = (place * width + i) * count;
    const probability = likeliest.data[place * width + i] as number;
    // Less which a score is a log-probability.
    const sum = Math.fround((best.data[at] as number) - Math.fround(Math.log(probability)));
    if (!Number.isFinite(sum)) throw new BridleError("LOGITS_INVALID", { value: sum, row });
    return {
      tokens: Array.from(tokens.data.subarray(at, at + count), Number),
      logProbabilities: Array.from(best.data.subarray(at, at + count), (score) =>
        Math.fround(score - sum),
      ),
    };
  });
}

/** @param mayBeInvalid whether an option replaces scores that are no numbers */
export function advance(
  search: Search,
  { answer, place, row }: StepScores,
  mayBeInvalid: boolean,
): void {
  const { data, shape } = answer.logits as Tensor<"float32">;
  const vocabulary = shape[2] ?? 0;
  const rows = Array.from({ length: search.width }, (_, i) => {
    const start = (place * search.width + i) * vocabulary;
    const scores = data.subarray(start, start + vocabulary);
    if (!mayBeInvalid) checkLogits(scores, row);
    return scores;
  });
  search.advance(rows);
}
