// TPE: draws where good trials lie dense and bad ones thin, by two Parzen estimators. Source: Bergstra et al. 2011.
import type { SeededRandom } from "../../../text/seeded-random.js";
import type { Dimension, Parameters } from "../dimension.js";
import { isTold, type SweepTrial } from "../trial.js";
import { createParzen } from "./parzen.js";
import { drawAllowed, randomOf, type Sampler, type SamplerContext } from "./sampler.js";

export interface TpeOptions {
  readonly startupTrials: number;
  readonly candidates: number;
  /**
   * Keys that are looked at together, so that it is seen which values go with which. Choices are better off by themselves:
   * kernels of few trials leave so little for the others that one is settled on too early.
   */
  readonly together: "numbers" | "all" | "none";
}

/** Trials that count as good, of so many. */
export function goodTrials(told: number): number {
  return Math.min(Math.ceil(0.1 * told), 25);
}

/** Draws in a row that the constraints may refuse before a trial is drawn at random instead. */
const mostRefusals = 1000;

/** Orders pruned trials: the further one came the better, then by its last figure; NaN is worst. */
function prunedScore({ reports }: SweepTrial): readonly [number, number] {
  const last = reports.at(-1);
  if (last === undefined) return [1, 0];
  return [-last.step, Number.isNaN(last.cost) ? Number.POSITIVE_INFINITY : last.cost];
}

/**
 * Trials split into good and other ones, each in the order of their numbers. Complete ones go before pruned ones; running
 * ones count as bad, so that parallel workers do not try the same twice.
 */
export function splitTrials(trials: readonly SweepTrial[]): {
  readonly good: readonly SweepTrial[];
  readonly others: readonly SweepTrial[];
} {
  // A cost that is no number is worse than any.
  const costOf = ({ cost = Number.NaN }: SweepTrial) =>
    Number.isNaN(cost) ? Number.POSITIVE_INFINITY : cost;
  const complete = trials
    .filter(({ state }) => state === "complete")
    .sort((a, b) => {
      const [costA, costB] = [costOf(a), costOf(b)];
      return costA === costB ? a.number - b.number : costA - costB;
    });
  const pruned = trials
    .filter(({ state }) => state === "pruned")
    .sort((a, b) => {
      const [[stepA, costA], [stepB, costB]] = [prunedScore(a), prunedScore(b)];
      return stepA - stepB || (costA === costB ? a.number - b.number : costA - costB);
    });
  const ranked = [...complete, ...pruned];
  const count = goodTrials(ranked.length);
  const byNumber = (a: SweepTrial, b: SweepTrial) => a.number - b.number;
  const running = trials.filter(({ state }) => state === "running");
  return {
    good: ranked.slice(0, count).sort(byNumber),
    others: [...ranked.slice(count), ...running].sort(byNumber),
  };
}

export function createTpeSampler(context: SamplerContext, options: TpeOptions): Sampler {
  const { dimensions, allows, seed } = context;
  const groups = groupsOf(dimensions, options.together);
  return {
    size: undefined,
    suggest(number, trials) {
      const random = randomOf(seed, number);
      if (trials.filter(isTold).length < options.startupTrials) return drawAllowed(context, random);
      const { good, others } = splitTrials(trials);
      const of = (each: readonly SweepTrial[]) => each.map(({ parameters }) => parameters);
      // One group decides all keys, and refused candidates can be told apart one by one.
      const filter = groups.length === 1 ? allows : () => true;
      for (let attempt = 0; attempt < (groups.length === 1 ? 1 : mostRefusals); attempt++) {
        const chosen = groups.map((group) =>
          choose(group, of(good), of(others), options, filter, random),
        );
        if (chosen.includes(undefined)) break;
        const parameters: Parameters = Object.assign({}, ...chosen);
        if (allows(parameters)) return parameters;
      }
      return drawAllowed(context, random);
    },
  };
}

function groupsOf(
  dimensions: readonly Dimension[],
  together: TpeOptions["together"],
): (readonly Dimension[])[] {
  if (together === "all") return [dimensions];
  const joined = dimensions.filter(({ kind }) => together === "numbers" && kind === "number");
  const alone = dimensions.filter((dimension) => !joined.includes(dimension));
  return [...(joined.length > 0 ? [joined] : []), ...alone.map((each) => [each])];
}

/** The best of the candidates drawn for some dimensions; undefined where none is allowed. */
function choose(
  dimensions: readonly Dimension[],
  good: readonly Parameters[],
  others: readonly Parameters[],
  { candidates }: TpeOptions,
  allows: (parameters: Parameters) => boolean,
  random: SeededRandom,
): Parameters | undefined {
  const [dense, thin] = [createParzen(dimensions, good), createParzen(dimensions, others)];
  let best: Parameters | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (let found = 0, refused = 0; found < candidates && refused < mostRefusals; ) {
    const drawn = dense.draw(random);
    if (!allows(drawn)) {
      refused++;
      continue;
    }
    found++;
    const gain = dense.logDensity(drawn) - thin.logDensity(drawn);
    if (best === undefined || gain > most) [best, most] = [drawn, gain];
  }
  return best;
}
