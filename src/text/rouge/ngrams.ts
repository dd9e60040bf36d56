// Counts the n-grams that two token lists share, for any n, without building strings of n tokens.

export interface NgramOverlap {
  readonly shared: number;
  readonly inTarget: number;
  readonly inPrediction: number;
}

/** A number for each token, the same token the same number. */
function numberTokens(tokens: readonly string[], numbers: Map<string, number>): Int32Array {
  return Int32Array.from(tokens, (token) => {
    let id = numbers.get(token);
    if (id === undefined) {
      id = numbers.size;
      numbers.set(token, id);
    }
    return id;
  });
}

/** From the numbers of k-grams to those of (k+1)-grams: a pair of k-gram and next token gets a number. */
function lengthen(
  grams: Int32Array,
  tokens: Int32Array,
  k: number,
  tokenCount: number,
  numbers: Map<number, number>,
): Int32Array {
  const longer = new Int32Array(Math.max(grams.length - 1, 0));
  for (let i = 0; i < longer.length; i++) {
    const pair = grams[i]! * tokenCount + tokens[i + k]!;
    let id = numbers.get(pair);
    if (id === undefined) {
      id = numbers.size;
      numbers.set(pair, id);
    }
    longer[i] = id;
  }
  return longer;
}

/** Shared n-grams are counted with multiplicity: each as often as the side that has it less often. */
export function ngramOverlap(
  target: readonly string[],
  prediction: readonly string[],
  n: number,
): NgramOverlap {
  const inTarget = Math.max(target.length - n + 1, 0);
  const inPrediction = Math.max(prediction.length - n + 1, 0);
  if (inTarget === 0 || inPrediction === 0) return { shared: 0, inTarget, inPrediction };

  const tokenNumbers = new Map<string, number>();
  const targetTokens = numberTokens(target, tokenNumbers);
  const predictionTokens = numberTokens(prediction, tokenNumbers);
  let targetGrams = targetTokens;
  let predictionGrams = predictionTokens;
  let kinds = tokenNumbers.size;
  for (let k = 1; k < n; k++) {
    const numbers = new Map<number, number>();
    targetGrams = lengthen(targetGrams, targetTokens, k, tokenNumbers.size, numbers);
    predictionGrams = lengthen(predictionGrams, predictionTokens, k, tokenNumbers.size, numbers);
    kinds = numbers.size;
  }

  const left = new Int32Array(kinds);
  for (const gram of targetGrams) left[gram]!++;
  let shared = 0;
  for (const gram of predictionGrams) if (left[gram]!-- > 0) shared++;
  return { shared, inTarget, inPrediction };
}
