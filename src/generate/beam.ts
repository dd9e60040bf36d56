// Beam search for one document, with the figures and the stopping rules of transformers 5.
import { largest, logSoftmax, softmax } from "./math.js";
import type { ResolvedOptions } from "./options.js";
import { onlyRestricts, processorsOf } from "./processors.js";
import { createRandom, drawWithoutReplacement } from "./random.js";
import type { Candidates, Row, Search, Sequence } from "./search.js";
import { warpersOf } from "./warpers.js";

/** What stands for "impossible" in sums of scores: far below any log-probability, yet finite. */
const impossible = -1e9;

interface Beam {
  readonly ids: readonly number[];
  readonly beams: readonly number[];
  /** Sum of log-probabilities; of a finished beam, over its length to the length penalty. */
  readonly score: number;
  readonly finished: boolean;
}

/** Adds in float32, as the reference's tensors do. */
const plus = (a: number, b: number) => Math.fround(a + b);

function best(beams: readonly Beam[], count: number): Beam[] {
  return largest(
    beams.map(({ score }) => score),
    count,
  ).map(({ index }) => beams[index] as Beam);
}

/**
 * @param source the document's tokens
 * @param stream sets this document's draws apart from the others of a batch
 */
export function createBeamSearch(
  options: ResolvedOptions,
  source: readonly number[],
  stream: number,
): Search {
  const { numBeams, maxLength, lengthPenalty, earlyStopping, eosTokenIds } = options;
  const processors = processorsOf(options);
  const restrict = onlyRestricts(options);
  const warpers = options.doSample ? warpersOf(options) : [];
  const random = createRandom(options.seed, stream);
  // Enough candidates that as many beams remain when all of the best end here.
  const keep = Math.max(2, 1 + eosTokenIds.length) * numBeams;
  const start = [options.decoderStartTokenId];
  let running: Beam[] = Array.from({ length: numBeams }, (_, i) => ({
    ids: start,
    beams: [],
    score: i === 0 ? 0 : impossible,
    finished: false,
  }));
  let finished: Beam[] = running.map((beam) => ({ ...beam, score: impossible }));
  let length = 1;
  let improvable = true;
  let done = false;

  /** A beam and what it is continued with. */
  function continued(from: number, token: number, score: number): Beam {
    const parent = running[from] as Beam;
    return {
      ids: [...parent.ids, token],
      beams: [...parent.beams, from],
      score,
      finished: eosTokenIds.includes(token) || parent.ids.length + 1 >= maxLength,
    };
  }

  /** The likeliest continuations of all beams among those that each of them finds likeliest. */
  function among(candidates: readonly Candidates[]): Beam[] {
    const found: { from: number; token: number; score: number }[] = [];
    for (const [from, beam] of running.entries()) {
      const { tokens = [], logProbabilities = [] } = candidates[from] ?? {};
      const { banned, forced = [] } = restrict?.({ ids: beam.ids, source }) ?? {};
      for (const token of forced) found.push({ from, token, score: beam.score });
      if (forced.length > 0) continue;
      let taken = 0;
      for (let i = 0; i < tokens.length && taken < keep; i++) {
        const token = tokens[i] as number;
        if (banned?.has(token)) continue;
        taken += 1;
        found.push({ from, token, score: plus(logProbabilities[i] as number, beam.score) });
      }
    }
    // Of equal scores the earlier beam's and the smaller token, as a search through all of them finds first.
    found.sort((a, b) => b.score - a.score || a.from - b.from || a.token - b.token);
    return filled(
      found.slice(0, keep).map(({ from, token, score }) => continued(from, token, score)),
    );
  }

  /** A search has all of its beams even where fewer tokens are allowed than it needs: the others have ended, and no score. */
  function filled(found: Beam[]): Beam[] {
    for (let i = found.length; i < keep; i++) {
      const end = eosTokenIds[0] as number;
      found.push(continued(i % numBeams, end, Number.NEGATIVE_INFINITY));
    }
    return found;
  }

  /** The likeliest continuations of all beams, or as many drawn. */
  function amongAll(logits: readonly Float32Array[]): Beam[] {
    const vocabulary = logits[0]?.length ?? 0;
    const sums = new Float32Array(numBeams * vocabulary);
    for (const [i, beam] of running.entries()) {
      const scores = logSoftmax(logits[i] as Float32Array, logits[i] as Float32Array);
      for (const processor of processors) processor({ ids: beam.ids, source }, scores);
      for (const warper of warpers) warper(scores);
      for (let token = 0; token < vocabulary; token++) {
        sums[i * vocabulary + token] = (scores[token] as number) + beam.score;
      }
    }
    const chosen = new Set(
      options.doSample ? drawWithoutReplacement(softmax(sums), keep, random) : [],
    );
    // Where fewer can be drawn than are needed, as of two tokens that are left, the likeliest of the others come after them.
    if (chosen.size < keep)
      for (const { index } of largest(sums, keep + chosen.size)) chosen.add(index);
    const found = [...chosen].slice(0, keep);
    // Only the best may end a hypothesis, in whatever order they were drawn: as transformers has it since 5.24.
    found.sort((a, b) => (sums[b] as number) - (sums[a] as number));
    return filled(
      found.map((index) =>
        continued(Math.floor(index / vocabulary), index % vocabulary, sums[index] as number),
      ),
    );
  }

  function advance(found: readonly Beam[]): void {
    const full = finished.every((beam) => beam.finished) && earlyStopping === true;
    running = best(
      found.map((beam) =>
        beam.finished ? { ...beam, score: plus(beam.score, impossible) } : beam,
      ),
      numBeams,
    );
    const ended = found.map((beam, rank): Beam => {
      const counts = beam.finished && rank < numBeams;
      let score = Math.fround(beam.score / length ** lengthPenalty);
      if (full) score = plus(score, impossible);
      if (!improvable) score = plus(score, impossible);
      if (!counts) score = plus(score, impossible);
      return { ...beam, score, finished: counts };
    });
    finished = best([...finished, ...ended], numBeams);
    length += 1;
    const hopeful = earlyStopping === "never" && lengthPenalty > 0 ? maxLength - 1 : length - 1;
    const bestPossible = Math.fround((running[0]?.score ?? impossible) / hopeful ** lengthPenalty);
    const worst = Math.min(...finished.map(({ score }) => score));
    improvable &&= finished.some((beam) => bestPossible > (beam.finished ? worst : impossible));
    const complete = finished.every((beam) => beam.finished) && earlyStopping === true;
    done = !improvable || complete || found.every((beam) => beam.finished);
  }

  return {
    width: numBeams,
    get rows(): Row[] {
      return running.map(({ ids, beams }, i) => ({
        token: ids.at(-1) as number,
        parent: beams.at(-1) ?? i,
      }));
    },
    get done() {
      return done;
    },
    get needs() {
      let most = 0;
      for (const { ids } of running) {
        const restricted = restrict?.({ ids, source });
        if (restricted === undefined) return undefined;
        // All beams are of one length, at which nothing is asked for.
        if (restricted.forced !== undefined) return 1;
        most = Math.max(most, restricted.banned.size);
      }
      return keep + most;
    },
    advance: (logits) => advance(amongAll(logits)),
    choose: (candidates) => advance(among(candidates)),
    stablePrefix() {
      // Beams that can still win: those running, and the best that has ended.
      const [first, ...others] = [
        ...running,
        ...finished.filter((beam) => beam.finished).slice(0, 1),
      ];
      if (first === undefined) return [];
      let shared = first.ids.length;
      for (const { ids } of others) {
        let i = 0;
        while (i < shared && ids[i] === first.ids[i]) i++;
        shared = i;
      }
      return first.ids.slice(1, shared);
    },
    result: (): Sequence[] =>
      finished
        .slice(0, options.numReturnSequences)
        .map(({ ids, score, beams }) => ({ ids, score, beams })),
  };
}
