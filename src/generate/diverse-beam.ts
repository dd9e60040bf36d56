// Diverse beam search for one document: groups of beams that avoid each other's tokens, as transformers 4 had it.
// Source: Vijayakumar et al. 2016.
import { BridleError } from "../errors/error.js";
import { largest, logSoftmax } from "./math.js";
import type { ResolvedOptions } from "./options.js";
import { processorsOf } from "./processors.js";
import type { Row, Search, Sequence } from "./search.js";

const impossible = -1e9;

interface Beam {
  readonly ids: readonly number[];
  readonly score: number;
  readonly parent: number;
}

interface Group {
  beams: Beam[];
  /** Finished sequences, at most as many as beams. */
  readonly hypotheses: { readonly ids: readonly number[]; readonly score: number }[];
  worst: number;
  done: boolean;
}

/** @param source the document's tokens */
export function createDiverseBeamSearch(
  options: ResolvedOptions,
  source: readonly number[],
): Search {
  const {
    numBeams,
    numBeamGroups,
    diversityPenalty,
    lengthPenalty,
    earlyStopping,
    eosTokenIds,
    maxLength,
  } = options;
  const size = numBeams / numBeamGroups;
  const keep = Math.max(2, 1 + eosTokenIds.length) * size;
  let chosen: number[] = [];
  const processors = processorsOf(options, (_, scores) => {
    for (const token of chosen) scores[token] = (scores[token] as number) - diversityPenalty;
  });
  const groups: Group[] = Array.from({ length: numBeamGroups }, (_, g) => ({
    beams: Array.from({ length: size }, (_, i) => ({
      ids: [options.decoderStartTokenId],
      score: i === 0 ? 0 : impossible,
      parent: g * size + i,
    })),
    hypotheses: [],
    worst: 1e9,
    done: false,
  }));
  let length = 1;
  let done = false;

  /** @param written tokens that the sum of log-probabilities counts */
  function add(group: Group, ids: readonly number[], sum: number, written: number): void {
    const score = sum / written ** lengthPenalty;
    if (group.hypotheses.length >= size && score <= group.worst) return;
    group.hypotheses.push({ ids, score });
    if (group.hypotheses.length <= size) {
      group.worst = Math.min(score, group.worst);
      return;
    }
    const lowest = group.hypotheses.reduce(
      (low, h, i, all) => (h.score < (all[low]?.score ?? 0) ? i : low),
      0,
    );
    group.hypotheses.splice(lowest, 1);
    group.worst = Math.min(...group.hypotheses.map((h) => h.score));
  }

  function isDone(group: Group, bestSum: number): boolean {
    if (group.hypotheses.length < size) return false;
    if (earlyStopping === true) return true;
    const reach = earlyStopping === "never" && lengthPenalty > 0 ? maxLength - 1 : length;
    return group.worst >= bestSum / reach ** lengthPenalty;
  }

  function advanceGroup(group: Group, index: number, logits: readonly Float32Array[]): void {
    const first = index * size;
    if (group.done) {
      group.beams = group.beams.map(({ ids }) => ({
        ids: [...ids, options.padTokenId],
        score: 0,
        parent: first,
      }));
      return;
    }
    const vocabulary = logits[0]?.length ?? 0;
    const sums = new Float32Array(size * vocabulary);
    for (const [i, beam] of group.beams.entries()) {
      const row = logits[first + i] as Float32Array;
      const scores = logSoftmax(row, row);
      for (const processor of processors) processor({ ids: beam.ids, source }, scores);
      for (let token = 0; token < vocabulary; token++) {
        sums[i * vocabulary + token] = (scores[token] as number) + beam.score;
      }
    }
    const ranked = largest(sums, keep);
    const next: Beam[] = [];
    for (const [rank, { index: at, value }] of ranked.entries()) {
      const from = Math.floor(at / vocabulary);
      const token = at % vocabulary;
      const parent = group.beams[from] as Beam;
      if (eosTokenIds.includes(token)) {
        if (rank < size) add(group, parent.ids, value, length);
      } else {
        next.push({ ids: [...parent.ids, token], score: value, parent: first + from });
        if (next.length === size) break;
      }
    }
    // With every other token forbidden fewer beams remain; the last is repeated as impossible.
    while (next.length < size) {
      const parent = group.beams[0] as Beam;
      next.push({ ids: [...parent.ids, options.padTokenId], score: impossible, parent: first });
    }
    group.beams = next;
    group.done ||= isDone(group, ranked[0]?.value ?? impossible);
  }

  function finish(): void {
    for (const group of groups) {
      if (group.done) continue;
      for (const beam of group.beams) add(group, beam.ids, beam.score, length - 1);
    }
  }

  return {
    width: numBeams,
    get rows(): Row[] {
      return groups.flatMap(({ beams }) =>
        beams.map(({ ids, parent }) => ({ token: ids.at(-1) as number, parent })),
      );
    },
    get done() {
      return done;
    },
    advance(logits) {
      chosen = [];
      for (const [index, group] of groups.entries()) {
        advanceGroup(group, index, logits);
        for (const { ids } of group.beams) chosen.push(ids.at(-1) as number);
      }
      length += 1;
      done = groups.every((group) => group.done) || length >= maxLength;
      if (done) finish();
    },
    // A group's choice lowers the scores of the next group's tokens, so that all of them are needed.
    needs: undefined,
    choose() {
      throw new BridleError("BUG", { reason: "diverse beams were given a few candidates" });
    },
    stablePrefix: () => [],
    result(): Sequence[] {
      const all = groups
        .flatMap(({ hypotheses }) => hypotheses)
        .map((h, order) => ({ ...h, order }));
      // A stable ascending sort read from its end, as the reference takes them: of equal scores the later.
      all.sort((a, b) => b.score - a.score || b.order - a.order);
      return all.slice(0, options.numReturnSequences).map(({ ids, score }) => ({
        ids: ids.length < maxLength ? [...ids, eosTokenIds[0] as number] : ids,
        score,
        beams: undefined,
      }));
    },
  };
}
