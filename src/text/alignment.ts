// Which sentences of a document a summary's sentences most likely come from, by the words they share, whoever wrote it.
import { setImmediate as letOthersRun } from "node:timers/promises";
import { BridleError } from "../errors/error.js";
import { tokenize } from "./rouge/tokenize.js";
import { eachSentence, type SentenceSpan } from "./sentences.js";

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
/** In UTF-16 units; far more than anybody calls a summary. */
const longestSummary = 2_000_000;
/** Sentences of a summary whose words differ; each is held against every one of the document that shares a word with it. */
const mostDifferent = 5000;
/** So long nobody else waits. */
const atOnceMs = 10;

interface Candidate {
  readonly span: SentenceSpan;
  readonly grams: Grams;
  readonly score: number;
}

/** Sentences of the document with the same words: they overlap alike. */
interface Group {
  /** The first of them; more than are candidates need not be known. */
  readonly spans: readonly SentenceSpan[];
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

/** What sentences of the summary with the same words come from. */
interface Target {
  readonly grams: Grams;
  /** The best first; of equal ones that which begins first. */
  groups: Group[];
}

/**
 * For each sentence of the summary up to three of the document: the one whose words and pairs of words overlap most with it,
 * then those that raise the overlap of all taken together, as the greedy oracle of extraction does. What shares too little
 * gets none. It tells where the words stand; what a model looked at it does not know.
 * @throws TEXT_TOO_LARGE for a summary that is none by its length, the signal's reason when aborted
 * Source: Nallapati et al. 2017, SummaRuNNer, section 3, for each sentence of the summary by itself.
 */
export async function alignSummary(
  document: string,
  summary: string,
  signal?: AbortSignal,
): Promise<AlignedSentence[]> {
  if (summary.length > longestSummary)
    throw tooLarge(`${summary.length} characters`, `${longestSummary} characters`);
  const pauses = createPauses(signal);
  const sentences: SentenceSpan[] = [];
  const targets = new Map<string, Target>();
  const targetOf: Target[] = [];
  for (const span of eachSentence(summary)) {
    if (pauses.isDue()) await pauses.take();
    sentences.push(span);
    const tokens = tokensOf(summary, span);
    const words = tokens.join(" ");
    const target = targets.get(words) ?? { grams: gramsOf(tokens), groups: [] };
    targets.set(words, target);
    targetOf.push(target);
    if (targets.size > mostDifferent) {
      const limit = `${mostDifferent} different sentences`;
      throw tooLarge(`more than ${limit}`, limit);
    }
  }
  await findGroups(document, [...targets.values()], pauses);
  const sources = new Map<Target, readonly SourceSpan[]>();
  for (const target of targets.values()) {
    if (pauses.isDue()) await pauses.take();
    sources.set(target, sourcesOf(target));
  }
  return sentences.map(({ start, end }, at) => ({
    start,
    end,
    sources: sources.get(targetOf[at]!) ?? [],
  }));
}

function tooLarge(size: string, limit: string): BridleError {
  return new BridleError("TEXT_TOO_LARGE", { where: "The summary", size, limit });
}

/** Gives every target the sentences of the document that overlap most with it. */
async function findGroups(
  document: string,
  targets: readonly Target[],
  pauses: Pauses,
): Promise<void> {
  // By a word: the targets that have it.
  const having = new Map<string, Target[]>();
  for (const target of targets) {
    if (pauses.isDue()) await pauses.take();
    for (const word of target.grams.ones.keys()) {
      const those = having.get(word);
      if (those === undefined) having.set(word, [target]);
      else those.push(target);
    }
  }
  // By their words: the first sentences that share something.
  const alike = new Map<string, SentenceSpan[]>();
  for (const span of eachSentence(document)) {
    if (pauses.isDue()) await pauses.take();
    const tokens = tokensOf(document, span);
    const words = tokens.join(" ");
    const before = alike.get(words);
    if (before !== undefined) {
      if (before.length < mostCandidates) before.push(span);
      continue;
    }
    const touched = new Set<Target>();
    for (const word of new Set(tokens)) {
      if (pauses.isDue()) await pauses.take();
      for (const target of having.get(word) ?? []) touched.add(target);
    }
    if (touched.size === 0) continue;
    const spans = [span];
    alike.set(words, spans);
    const grams = gramsOf(tokens);
    for (const target of touched) {
      if (pauses.isDue()) await pauses.take();
      addGroup(target, { spans, grams, score: overlap(target.grams, [grams]) });
    }
  }
}

function addGroup(target: Target, group: Group): void {
  const worst = target.groups.at(-1)?.score ?? 0;
  if (target.groups.length === mostCandidates && group.score <= worst) return;
  target.groups = [...target.groups, group]
    .sort((a, b) => b.score - a.score)
    .slice(0, mostCandidates);
}

function sourcesOf({ grams, groups }: Target): readonly SourceSpan[] {
  const candidates = groups
    .flatMap(({ spans, ...group }) => spans.map((span): Candidate => ({ span, ...group })))
    .sort((a, b) => b.score - a.score || a.span.start - b.span.start)
    .slice(0, mostCandidates);
  return choose(grams, candidates)
    .map(({ span, score }) => ({ start: span.start, end: span.end, score }))
    .sort((a, b) => a.start - b.start);
}

function tokensOf(text: string, { start, end }: SentenceSpan): string[] {
  return tokenize(text.slice(start, end), { mode: "unicode", stemmer: true });
}

interface Pauses {
  /** Whether others have waited long enough. To be asked first: a pause takes longer than most of the work between. */
  isDue(): boolean;
  /** @throws the signal's reason when aborted */
  take(): Promise<void>;
}

function createPauses(signal: AbortSignal | undefined): Pauses {
  let begunAt = performance.now();
  return {
    isDue: () => performance.now() - begunAt > atOnceMs,
    async take() {
      await letOthersRun();
      signal?.throwIfAborted();
      begunAt = performance.now();
    },
  };
}

function choose(grams: Grams, candidates: readonly Candidate[]): readonly Candidate[] {
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
  const shared = sharedBy(
    target,
    taken.map((each) => each[grams]),
  );
  const all = size + taken.reduce((sum, each) => sum + each[counted], 0);
  return all === 0 ? 0 : (2 * shared) / all;
}

function sharedBy(
  target: ReadonlyMap<string, number>,
  taken: readonly ReadonlyMap<string, number>[],
): number {
  const [only] = taken;
  // Of two sentences the shorter one is gone over.
  if (taken.length === 1 && only !== undefined && only.size < target.size)
    return sharedBy(only, [target]);
  let shared = 0;
  for (const [gram, wanted] of target) {
    let held = 0;
    for (const each of taken) held += each.get(gram) ?? 0;
    shared += Math.min(wanted, held);
  }
  return shared;
}
