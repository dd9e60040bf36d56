// Greedy search and sampling: each row goes its own way, one token a step.
import { largest, logSoftmax, softmax } from "./math.js";
import type { ResolvedOptions } from "./options.js";
import { type LogitsProcessor, onlyRestricts, processorsOf } from "./processors.js";
import { createRandom, drawWithoutReplacement } from "./random.js";
import type { Row, Search, Sequence } from "./search.js";
import { warpersOf } from "./warpers.js";

interface Path {
  readonly ids: number[];
  finished: boolean;
  logProbability: number;
}

/**
 * One document's greedy search, or with `doSample` as many independent draws as sequences are asked for.
 * @param source the document's tokens
 * @param stream sets this document's draws apart from the others of a batch
 */
export function createGreedySearch(
  options: ResolvedOptions,
  source: readonly number[],
  stream: number,
): Search {
  const processors: LogitsProcessor[] = processorsOf(options);
  const warpers = options.doSample ? warpersOf(options) : [];
  const random = createRandom(options.seed, stream);
  const restrict = onlyRestricts(options);
  const paths: Path[] = Array.from({ length: options.numReturnSequences }, () => ({
    ids: [options.decoderStartTokenId],
    finished: false,
    logProbability: 0,
  }));

  function next(scores: Float32Array): number | undefined {
    if (!options.doSample) {
      const [best] = largest(scores, 1);
      return best !== undefined && best.value > Number.NEGATIVE_INFINITY ? best.index : undefined;
    }
    return drawWithoutReplacement(softmax(scores), 1, random)[0];
  }

  /** @param logProbability of the token; of none, impossible */
  function write(path: Path, token: number | undefined, logProbability: number): void {
    path.logProbability += token === undefined ? Number.NEGATIVE_INFINITY : logProbability;
    const written = token ?? (options.eosTokenIds[0] as number);
    path.ids.push(written);
    path.finished = options.eosTokenIds.includes(written) || path.ids.length >= options.maxLength;
  }

  return {
    width: paths.length,
    get rows(): Row[] {
      return paths.map(({ ids, finished }, parent) => ({
        token: finished ? options.padTokenId : (ids.at(-1) as number),
        parent,
      }));
    },
    get done() {
      return paths.every(({ finished }) => finished);
    },
    get needs() {
      let most = 0;
      for (const { ids, finished } of paths) {
        if (finished) continue;
        const restricted = restrict?.({ ids, source });
        if (restricted === undefined) return undefined;
        most = Math.max(most, restricted.banned.size);
      }
      return most + 1;
    },
    advance(logits) {
      for (const [i, path] of paths.entries()) {
        const scores = logits[i];
        if (path.finished || scores === undefined) continue;
        // What only forbids tokens leaves the others' probabilities as the model gave them.
        const restricted = restrict?.({ ids: path.ids, source });
        const isFree = restricted !== undefined && restricted.forced === undefined;
        const given = isFree ? logSoftmax(scores) : undefined;
        for (const processor of processors) processor({ ids: path.ids, source }, scores);
        for (const warper of warpers) warper(scores);
        // Where every token is forbidden transformers takes the first; ending is what a reader can use.
        const token = next(scores);
        const own = token === undefined ? 0 : (given ?? logSoftmax(scores))[token];
        write(path, token, own as number);
      }
    },
    choose(candidates) {
      for (const [i, path] of paths.entries()) {
        if (path.finished) continue;
        const { tokens = [], logProbabilities = [] } = candidates[i] ?? {};
        const { banned, forced } = restrict?.({ ids: path.ids, source }) ?? {};
        if (forced !== undefined) {
          write(path, forced[0], logSoftmax(new Float32Array(forced.length))[0] as number);
          continue;
        }
        const at = tokens.findIndex((token) => !banned?.has(token));
        write(path, tokens[at], logProbabilities[at] ?? 0);
      }
    },
    stablePrefix: () => paths[0]?.ids.slice(1) ?? [],
    result: (): Sequence[] =>
      paths.map(({ ids, logProbability }) => ({
        ids,
        score: logProbability / (ids.length - 1) ** options.lengthPenalty,
        beams: undefined,
      })),
  };
}
