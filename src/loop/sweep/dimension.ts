// One key of a search space as samplers see it: numbers on the unit interval where every draw is equally likely, or choices.
import type { Distribution, SearchSpace, Spacing } from "../../config/sweep-space.js";
import { betaCdf, betaQuantile } from "./beta-distribution.js";
import { normalCdf, normalQuantile } from "./normal-distribution.js";

/** Values of a trial by key. */
export type Parameters = Readonly<Record<string, unknown>>;

interface Common {
  readonly key: string;
  /** Every value there is, in order; undefined where there is no end of them. */
  readonly values: readonly unknown[] | undefined;
  /** The value at a place of 0..1, so that a uniform draw has the dimension's distribution. */
  fromUnit(unit: number): unknown;
}

export interface ChoiceDimension extends Common {
  readonly kind: "choice";
  readonly values: readonly unknown[];
  /** How likely each value is; together 1. */
  readonly weights: readonly number[];
  /** @returns its place among the values, −1 where it is none of them */
  indexOf(value: unknown): number;
}

export interface NumberDimension extends Common {
  readonly kind: "number";
  fromUnit(unit: number): number;
  /** False where its values go on without an end, however seldom. */
  readonly isBounded: boolean;
  /** The place of a value, in 0..1. */
  toUnit(value: number): number;
  /** The places that become the same value; undefined where each has its own. */
  readonly cell: ((value: number) => readonly [number, number]) | undefined;
}

export type Dimension = ChoiceDimension | NumberDimension;

/** A space with its constants apart, which no sampler needs to see. */
export interface Dimensions {
  readonly dimensions: readonly Dimension[];
  readonly constants: Parameters;
}

export function openSpace(space: SearchSpace): Dimensions {
  const dimensions: Dimension[] = [];
  const constants: Record<string, unknown> = {};
  for (const [key, distribution] of Object.entries(space)) {
    if (distribution.kind === "constant") constants[key] = distribution.value;
    else dimensions.push(createDimension(key, distribution));
  }
  return { dimensions, constants };
}

export function createDimension(
  key: string,
  distribution: Exclude<Distribution, { kind: "constant" }>,
): Dimension {
  return distribution.kind === "choice"
    ? createChoice(key, distribution.values, distribution.weights)
    : createNumber(key, distribution);
}

function createChoice(
  key: string,
  values: readonly unknown[],
  given: readonly number[] | undefined,
): ChoiceDimension {
  const weights = given ?? values.map(() => 1 / values.length);
  const texts = values.map((value) => JSON.stringify(value));
  return {
    kind: "choice",
    key,
    values,
    weights,
    indexOf: (value) => texts.indexOf(JSON.stringify(value)),
    fromUnit(unit) {
      let sum = 0;
      const index = weights.findIndex((weight) => {
        sum += weight;
        return unit < sum;
      });
      return values[index === -1 ? values.length - 1 : index];
    },
  };
}

/** A distribution over numbers by its two functions, before it is cut into steps. */
interface Continuous {
  cdf(value: number): number;
  quantile(unit: number): number;
}

type NumberDistribution = Extract<Distribution, { kind: "uniform" | "normal" | "beta" }>;

/** A draw of exactly 0 or 1 would be infinite for a normal distribution. */
const nearestToEnd = 1e-12;

function continuous(distribution: NumberDistribution): Continuous {
  if (distribution.kind === "beta") {
    const { a, b } = distribution;
    return { cdf: (x) => betaCdf(x, a, b), quantile: (u) => betaQuantile(u, a, b) };
  }
  if (distribution.kind === "normal") {
    const { mean, deviation, log } = distribution;
    const plain: Continuous = {
      cdf: (x) => normalCdf((x - mean) / deviation),
      quantile: (u) =>
        mean + deviation * normalQuantile(Math.min(1 - nearestToEnd, Math.max(nearestToEnd, u))),
    };
    return log ? ofLogarithm(plain) : plain;
  }
  const { low, high, log, spacing } = distribution;
  // Half a step more at either end gives the first and the last value as much room as the others.
  const half = spacing?.of === "distance" ? spacing.step / 2 : 0;
  const [from, to] = [low - half, high + half];
  return log ? ofLogarithm(between(Math.log(from), Math.log(to))) : between(from, to);
}

/** Uniform between two ends, which may be one: what has one value has all places. */
function between(from: number, to: number): Continuous {
  return {
    cdf: (x) => (to > from ? (x - from) / (to - from) : Number(x >= from)),
    quantile: (u) => from + u * (to - from),
  };
}

function ofLogarithm({ cdf, quantile }: Continuous): Continuous {
  return {
    cdf: (x) => (x > 0 ? cdf(Math.log(x)) : 0),
    quantile: (u) => Math.exp(quantile(u)),
  };
}

const within = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

function createNumber(key: string, distribution: NumberDistribution): NumberDimension {
  const { cdf, quantile } = continuous(distribution);
  const toUnit = (value: number) => within(cdf(value), 0, 1);
  const { spacing } = distribution;
  const isBounded = distribution.kind !== "normal";
  const [low, high] =
    distribution.kind === "uniform"
      ? [distribution.low, distribution.high]
      : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  if (spacing === undefined) {
    return {
      kind: "number",
      key,
      values: undefined,
      isBounded,
      toUnit,
      cell: undefined,
      fromUnit: (unit) => within(quantile(unit), low, high),
    };
  }
  const { step } = spacing;
  const snap =
    spacing.of === "value"
      ? (value: number) => tidy(Math.round(value / step) * step)
      : (value: number) => tidy(within(low + Math.round((value - low) / step) * step, low, high));
  return {
    kind: "number",
    key,
    values: valuesOf(distribution, spacing),
    isBounded,
    toUnit,
    cell: (value) => [toUnit(value - step / 2), toUnit(value + step / 2)],
    fromUnit: (unit) => snap(quantile(unit)),
  };
}

/** Takes off what sums of fractions leave behind: 0.30000000000000004 is 0.3. −0 is 0. */
function tidy(value: number): number {
  return Number(value.toPrecision(14)) + 0;
}

/** More values than anyone lists; a grid of so many is refused by their count alone. */
const mostValues = 1_000_000;

function valuesOf(distribution: NumberDistribution, { step, of }: Spacing): number[] | undefined {
  if (distribution.kind === "normal") return undefined;
  const [low, high] = distribution.kind === "beta" ? [0, 1] : [distribution.low, distribution.high];
  const first = of === "value" ? Math.round(low / step) : 0;
  const last = of === "value" ? Math.round(high / step) : Math.round((high - low) / step);
  if (last - first >= mostValues) return undefined;
  const from = of === "value" ? 0 : low;
  return Array.from({ length: last - first + 1 }, (_, index) =>
    tidy(from + (first + index) * step),
  );
}
