// How much of a summary its document does not say: novel n-grams, after See et al. 2017 and NEWSROOM.

function bigramsOf(tokens: readonly string[]): string[] {
  const pairs: string[] = [];
  for (let at = 1; at < tokens.length; at++) pairs.push(`${tokens[at - 1]} ${tokens[at]}`);
  return pairs;
}

/** What a document says, made once for all the summaries that are held against it. */
export interface DocumentGrams {
  readonly unigrams: ReadonlySet<string>;
  readonly bigrams: ReadonlySet<string>;
}

export function documentGrams(tokens: readonly string[]): DocumentGrams {
  return { unigrams: new Set(tokens), bigrams: new Set(bigramsOf(tokens)) };
}

function novelShare(grams: readonly string[], known: ReadonlySet<string>): number | undefined {
  if (grams.length === 0) return undefined;
  return grams.filter((gram) => !known.has(gram)).length / grams.length;
}

/**
 * Share of a summary's tokens and token pairs, repeats counted, that the document does not have, in 0..1;
 * undefined where the summary has none.
 */
export function novelty(
  tokens: readonly string[],
  document: DocumentGrams,
): { readonly unigrams: number | undefined; readonly bigrams: number | undefined } {
  return {
    unigrams: novelShare(tokens, document.unigrams),
    bigrams: novelShare(bigramsOf(tokens), document.bigrams),
  };
}
