// Of how many tokens searches need scores, and whose need is the greatest where memory for them is short.
import { mostOfTopK } from "../graph/index.js";
import type { Search } from "./search.js";

/** How many candidates of each row do; undefined where a search needs all scores, hardly fewer, or more than can be asked for. */
export function scoresFor({ needs }: Search, vocabSize: number): number | undefined {
  const most = Math.min(vocabSize / 4, mostOfTopK(vocabSize));
  return needs === undefined || needs > most ? undefined : needs;
}

/** Whose search needs scores of the most tokens; of several that need as many, whose job began last. */
export function neediest<
  Owned extends {
    readonly search: Search;
    readonly owner: { readonly startedAt?: number | undefined };
  },
>(all: readonly Owned[], vocabSize: number): Owned | undefined {
  const needOf = ({ search }: Owned) => scoresFor(search, vocabSize) ?? vocabSize;
  const beganAt = ({ owner }: Owned) => owner.startedAt ?? 0;
  return [...all].sort((a, b) => needOf(b) - needOf(a) || beganAt(b) - beganAt(a)).at(0);
}
