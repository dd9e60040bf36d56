// Which sentences of a document a summary's sentences most likely come from, by the words they share, whoever wrote it.
import { setImmediate as letOthersRun } from "node:timers/promises";
import { tokenize } from "./rouge/tokenize.js";
import { type SentenceSpan, splitSentences } from "./sentences.js";

export interface SourceSpan extends SentenceSpan {
  /** Mean of ROUGE-1 and ROUGE-2 F1 of the sentence against the summary's, in 0..1. */
  readonly score: number;
}

/** A sentence of the summary with the document's that it most likely comes from, in the document's order. */
export interface AlignedSentence extends SentenceSpan {
  readonly sources: readonly SourceSpan[];
}

/** A sentence that is put together from more than so many is told by the best of them. */
const mostSources = 3;
/** Below it two sentences share no more than any two of one text do; measured, see decision 75. */
const leastScore = 0.25;
/** What a further sentence has to add. */
const leastGain = 0.05;
/** The best by themselves, among which those that go together are looked for. */
const mostCandidates = 24;
/** So long nobody else waits. */
const atOnceMs = 10;

interface Candidate {
  readonly span: SentenceSpan;
  readonly grams: Grams;
  readonly score: number;
}

/** N-grams of a sentence that the summary's sentence has too, and how many there are in all. */
interface Grams {
  readonly ones: ReadonlyMap<string, number>;
  readonly twos: ReadonlyMap<string, number>;
  readonly oneCount: number;
  readonly twoCount: number;
}

interface Target extends SentenceSpan {
  readonly grams: Grams;
  candidates: Candidate[];
}

/**
 * For each sentence of the summary up to three of the document: the one whose words and pairs of words overlap most with it,
 * then those that raise the overlap of all taken together, as the greedy oracle of extraction does. What shares too little
 * gets none. It tells where the words stand; what a model looked at it does not know.
 * @throws the signal's reason when aborted
 * Source: Nallapati et al. 2017, SummaRuNNer, section 3, for each sentence of the summary by itself.
 */
export async function alignSummary(
  document: string,
  summary: string,
  signal?: AbortSignal,
): Promise<AlignedSentence[]> {
  const tokensOf = (text: string, { start, end }: SentenceSpan) =>
    tokenize(text.slice(start, end), { mode: "unicode", stemmer: true });
  const targets = splitSentences(summary).map(({ start, end }): Target => {
    const grams = gramsOf(tokensOf(summary, { start, end }));
    return { start, end, grams, candidates: [] };
  });
  // By a word: the sentences of the summary that have it.
  const having = new Map<string, Target[]>();
  for (const target of targets) {
    for (const word of target.grams.ones.keys())
      having.set(word, [...(having.get(word) ?? []), target]);
  }
  let begunAt = performance.now();
  for (const span of splitSentences(document)) {
    if (performance.now() - begunAt > atOnceMs) {
      await letOthersRun();
      signal?.throwIfAborted();
      begunAt = performance.now();
    }
    const tokens = tokensOf(document, span);
    const touched = new Set(tokens.flatMap((token) => having.get(token) ?? []));
    if (touched.size === 0) continue;
    const grams = gramsOf(tokens);
    for (const target of touched) {
      const score = overlap(target.grams, [grams]);
      const worst = target.candidates.at(-1)?.score ?? 0;
      if (target.candidates.length === mostCandidates && score <= worst) continue;
      target.candidates = [...target.candidates, { span, grams, score }]
        .sort((a, b) => b.score - a.score)
        .slice(0, mostCandidates);
    }
  }
  return targets.map((target) => ({
    start: target.start,
    end: target.end,
    sources: choose(target)
      .map(({ span, score }) => ({ start: span.start, end: span.end, score }))
      .sort((a, b) => a.start - b.start),
  }));
}

function choose({ grams, candidates }: Target): readonly Candidate[] {
  const chosen: Candidate[] = [];
  let best = 0;
  while (chosen.length < mostSources) {
    let next: Candidate | undefined;
    let bestNext = chosen.length === 0 ? leastScore : best + leastGain;
    for (const candidate of candidates) {
      if (chosen.includes(candidate)) continue;
      const score = overlap(
        grams,
        [...chosen, candidate].map((each) => each.grams),
      );
      if (score < bestNext || (next !== undefined && score === bestNext)) continue;
      bestNext = score;
      next = candidate;
    }
    if (next === undefined) break;
    chosen.push(next);
    best = bestNext;
  }
  return chosen;
}

function gramsOf(tokens: readonly string[]): Grams {
  const ones = new Map<string, number>();
  const twos = new Map<string, number>();
  for (const [at, token] of tokens.entries()) {
    ones.set(token, (ones.get(token) ?? 0) + 1);
    const before = tokens[at - 1];
    if (before === undefined) continue;
    const two = `${before} ${token}`;
    twos.set(two, (twos.get(two) ?? 0) + 1);
  }
  return { ones, twos, oneCount: tokens.length, twoCount: Math.max(0, tokens.length - 1) };
}

/** Mean of ROUGE-1 and ROUGE-2 F1 of sentences taken together; of ROUGE-1 alone for a sentence of one word. */
function overlap(target: Grams, taken: readonly Grams[]): number {
  const one = fOf(target.ones, target.oneCount, taken, "ones", "oneCount");
  if (target.twoCount === 0) return one;
  return (one + fOf(target.twos, target.twoCount, taken, "twos", "twoCount")) / 2;
}

function fOf(
  target: ReadonlyMap<string, number>,
  size: number,
  taken: readonly Grams[],
  grams: "ones" | "twos",
  counted: "oneCount" | "twoCount",
): number {
  let shared = 0;
  for (const [gram, wanted] of target) {
    let held = 0;
    for (const each of taken) held += each[grams].get(gram) ?? 0;
    shared += Math.min(wanted, held);
  }
  const all = size + taken.reduce((sum, each) => sum + each[counted], 0);
  return all === 0 ? 0 : (2 * shared) / all;
}
