// What a sweep may try for one key: the forms of Bridle's own files and those of W&B's, read into a few distributions.
import { isRecord, type KeyPath, type Plain } from "./yaml-file.js";

/** Values that a number may have: all of a range, or every so many of it. */
export interface Spacing {
  /** Distance of two neighbours. */
  readonly step: number;
  /**
   * What is a multiple of the step: the distance from the lower end, so that every value is as likely as the next, or the value
   * itself, which is the nearest multiple to a draw and may lie half a step outside.
   */
  readonly of: "distance" | "value";
}

/** What is tried for one key. Numbers of JSON's kind, so that it can be stored. */
export type Distribution =
  | { readonly kind: "constant"; readonly value: unknown }
  | {
      readonly kind: "choice";
      readonly values: readonly unknown[];
      /** How likely each one is; together 1. */
      readonly weights?: readonly number[];
    }
  | {
      readonly kind: "uniform";
      readonly low: number;
      readonly high: number;
      /** Whether the logarithm is uniform. */
      readonly log: boolean;
      readonly spacing?: Spacing;
    }
  | {
      readonly kind: "normal";
      readonly mean: number;
      readonly deviation: number;
      /** Whether the logarithm is normal. */
      readonly log: boolean;
      readonly spacing?: Spacing;
    }
  | {
      readonly kind: "beta";
      readonly a: number;
      readonly b: number;
      readonly spacing?: Spacing;
    };

export type SearchSpace = Readonly<Record<string, Distribution>>;

/** Where problems go, and how a number stands in the file: `1.0` is no whole number there. */
export interface SpaceSource {
  problem(path: KeyPath, told: string): void;
  writtenAt(path: KeyPath): string | undefined;
  /** @returns what is wrong with the name, if something is */
  checkKey(key: string): string | undefined;
}

/** Keys that each form of a parameter takes, the ones it needs first. */
const forms: Readonly<Record<string, { needs: readonly string[]; takes: readonly string[] }>> = {
  constant: { needs: ["value"], takes: [] },
  categorical: { needs: ["values"], takes: [] },
  categorical_w_probabilities: { needs: ["values", "probabilities"], takes: [] },
  int_uniform: { needs: ["min", "max"], takes: ["step", "log"] },
  uniform: { needs: ["min", "max"], takes: ["step", "log"] },
  log_uniform: { needs: ["min", "max"], takes: [] },
  log_uniform_values: { needs: ["min", "max"], takes: [] },
  inv_log_uniform: { needs: ["min", "max"], takes: [] },
  inv_log_uniform_values: { needs: ["min", "max"], takes: [] },
  q_uniform: { needs: ["min", "max"], takes: ["q"] },
  q_log_uniform: { needs: ["min", "max"], takes: ["q"] },
  q_log_uniform_values: { needs: ["min", "max"], takes: ["q"] },
  normal: { needs: [], takes: ["mu", "sigma"] },
  q_normal: { needs: [], takes: ["mu", "sigma", "q"] },
  log_normal: { needs: [], takes: ["mu", "sigma"] },
  q_log_normal: { needs: [], takes: ["mu", "sigma", "q"] },
  beta: { needs: [], takes: ["a", "b"] },
  q_beta: { needs: [], takes: ["a", "b", "q"] },
};

export const distributionNames = Object.keys(forms);

/** Keys by which a mapping is known to be a parameter rather than a section with parameters in it. */
const parameterKeys = new Set([
  "distribution",
  ...Object.values(forms).flatMap(({ needs, takes }) => [...needs, ...takes]),
]);

/** A value that stands where a range was meant would be tried once; what JSON cannot hold could not be stored. */
const isPlain = (value: unknown): boolean =>
  value === null || typeof value === "string" || typeof value === "boolean" || isNumber(value);

const isNumber = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value);

/**
 * Reads the mapping of keys to what is tried for them. Sections may be nested, or keys be dotted, or both.
 * @param at where the mapping stands in the file
 * @returns what could be read; problems are told to the source
 */
export function readSpace(given: unknown, at: KeyPath, source: SpaceSource): SearchSpace {
  const space: Record<string, Distribution> = {};
  readInto(space, given, at, "", source);
  return space;
}

function readInto(
  space: Record<string, Distribution>,
  given: unknown,
  at: KeyPath,
  prefix: string,
  source: SpaceSource,
): void {
  if (!isRecord(given) || Object.keys(given).length === 0) {
    source.problem(at, `${at.join(".")} is to hold the keys to try and their values`);
    return;
  }
  for (const [name, value] of Object.entries(given)) {
    const key = prefix === "" ? name : `${prefix}.${name}`;
    const place = [...at, name];
    if (isRecord(value) && "parameters" in value && Object.keys(value).length === 1) {
      readInto(space, value.parameters, [...place, "parameters"], key, source);
      continue;
    }
    if (isRecord(value) && isSection(value)) {
      readInto(space, value, place, key, source);
      continue;
    }
    const wrong = source.checkKey(key);
    if (wrong !== undefined) source.problem(place, wrong);
    else if (Object.hasOwn(space, key)) source.problem(place, `${key} is there twice`);
    const distribution = readParameter(value, place, key, source);
    if (distribution !== undefined) space[key] = distribution;
  }
}

function isSection(value: Plain): boolean {
  const keys = Object.keys(value);
  return keys.length > 0 && !keys.some((key) => parameterKeys.has(key));
}

function readParameter(
  given: unknown,
  at: KeyPath,
  key: string,
  source: SpaceSource,
): Distribution | undefined {
  if (Array.isArray(given)) return readChoice(given, undefined, at, key, source);
  if (isPlain(given)) return { kind: "constant", value: given };
  if (!isRecord(given)) {
    source.problem(at, `${key}: give a list of values, or min and max`);
    return undefined;
  }
  const name = distributionOf(given, at, source);
  const form = typeof name === "string" && Object.hasOwn(forms, name) ? forms[name] : undefined;
  if (form === undefined) {
    source.problem(
      at,
      name === undefined
        ? `${key}: give value, values, or min and max`
        : `${key}: there is no distribution ${String(name)}; there are ${distributionNames.join(", ")}`,
    );
    return undefined;
  }
  const missing = form.needs.filter((need) => !(need in given));
  const known = new Set(["distribution", ...form.needs, ...form.takes]);
  const surplus = Object.keys(given).filter((each) => !known.has(each));
  for (const each of missing) source.problem(at, `${key}: ${String(name)} needs ${each}`);
  for (const each of surplus) {
    source.problem([...at, each], `${key}: ${each} does not go with ${String(name)}`);
  }
  if (missing.length > 0 || surplus.length > 0) return undefined;
  if (name === "constant") return { kind: "constant", value: given.value };
  if (name === "categorical" || name === "categorical_w_probabilities") {
    return readChoice(given.values, given.probabilities, at, key, source);
  }
  return readNumeric(name as string, given, at, key, source);
}

/** The distribution that a parameter names, or the one that W&B takes for what it gives. */
function distributionOf(given: Plain, at: KeyPath, source: SpaceSource): unknown {
  if ("distribution" in given) return given.distribution;
  if ("value" in given) return "constant";
  if ("probabilities" in given) return "categorical_w_probabilities";
  if ("values" in given) return "categorical";
  if ("q" in given) return "q_uniform";
  if (!("min" in given || "max" in given)) return undefined;
  const isWhole = (name: string) =>
    Number.isInteger(given[name]) && !/[.eE]/.test(source.writtenAt([...at, name]) ?? "");
  return isWhole("min") && isWhole("max") && (!("step" in given) || isWhole("step"))
    ? "int_uniform"
    : "uniform";
}

function readChoice(
  values: unknown,
  probabilities: unknown,
  at: KeyPath,
  key: string,
  source: SpaceSource,
): Distribution | undefined {
  if (!Array.isArray(values) || values.length === 0) {
    source.problem(at, `${key}: there is no value to choose from`);
    return undefined;
  }
  const texts = values.map((value) => JSON.stringify(value));
  const twice = texts.find((text, index) => texts.indexOf(text) < index);
  if (twice !== undefined) {
    source.problem(at, `${key}: ${twice} is there twice`);
    return undefined;
  }
  if (probabilities === undefined) {
    return values.length === 1
      ? { kind: "constant", value: values[0] }
      : { kind: "choice", values };
  }
  const weights = Array.isArray(probabilities) ? (probabilities as unknown[]) : [];
  const sum = weights.reduce<number>(
    (total, each) => total + (isNumber(each) ? each : Number.NaN),
    0,
  );
  if (
    weights.length !== values.length ||
    weights.some((each) => !isNumber(each) || each < 0) ||
    Math.abs(sum - 1) > 1e-6
  ) {
    source.problem(
      at,
      `${key}: probabilities are to be one number for each value, from 0, and 1 together`,
    );
    return undefined;
  }
  // A value that never comes would still have a place in a grid and a kernel in TPE.
  const kept = values.flatMap((_, index) => (weights[index] === 0 ? [] : [index]));
  if (kept.length === 1) return { kind: "constant", value: values[kept[0]!] };
  return {
    kind: "choice",
    values: kept.map((index) => values[index]),
    weights: kept.map((index) => (weights[index] as number) / sum),
  };
}

function readNumeric(
  name: string,
  given: Plain,
  at: KeyPath,
  key: string,
  source: SpaceSource,
): Distribution | undefined {
  let sound = true;
  const number = (of: string, otherwise?: number): number => {
    const value = given[of] ?? otherwise;
    if (isNumber(value)) return value;
    source.problem([...at, of], `${key}: ${of} is to be a number, not ${JSON.stringify(value)}`);
    sound = false;
    return Number.NaN;
  };
  const refuse = (told: string) => {
    source.problem(at, `${key}: ${told}`);
    return undefined;
  };
  const quantum = name.startsWith("q_") ? number("q", 1) : undefined;
  if (quantum !== undefined && quantum <= 0) return refuse(`q is to be above 0, not ${quantum}`);
  const spacing: { spacing?: Spacing } =
    quantum === undefined ? {} : { spacing: { step: quantum, of: "value" } };
  const base = name.replace(/^q_/, "");
  if (base === "beta") {
    const [a, b] = [number("a", 1), number("b", 1)];
    if (!sound) return undefined;
    if (a <= 0 || b <= 0) return refuse(`a and b are to be above 0, not ${a} and ${b}`);
    return { kind: "beta", a, b, ...spacing };
  }
  if (base === "normal" || base === "log_normal") {
    const [mean, deviation] = [number("mu", 0), number("sigma", 1)];
    if (!sound) return undefined;
    if (deviation <= 0) return refuse(`sigma is to be above 0, not ${deviation}`);
    return { kind: "normal", mean, deviation, log: base === "log_normal", ...spacing };
  }
  const [min, max] = [number("min"), number("max")];
  if (!sound) return undefined;
  if (min > max) return refuse(`the range is empty: min ${min} is above max ${max}`);
  if (base === "int_uniform" && !(Number.isInteger(min) && Number.isInteger(max))) {
    return refuse(`int_uniform goes from one whole number to another, not from ${min} to ${max}`);
  }
  if (base === "log_uniform" || base === "inv_log_uniform") {
    // Their bounds are exponents of e.
    const [low, high] = base === "log_uniform" ? [min, max] : [-max, -min];
    return uniform({ low: Math.exp(low), high: Math.exp(high), log: true, ...spacing });
  }
  if (given.log !== undefined && typeof given.log !== "boolean") {
    return refuse(`log is to be true or false, not ${JSON.stringify(given.log)}`);
  }
  const log = base.endsWith("_values") || given.log === true;
  if (log && min <= 0) return refuse(`a logarithmic range begins above 0, not at ${min}`);
  if (base === "int_uniform" || given.step !== undefined) {
    const step = number("step", 1);
    if (!sound) return undefined;
    if (step <= 0) return refuse(`step is to be above 0, not ${step}`);
    if (base === "int_uniform" && !Number.isInteger(step)) {
      return refuse(`steps between whole numbers are whole numbers, not ${step}`);
    }
    if (log && !(base === "int_uniform" && step === 1)) {
      return refuse("a logarithmic range has no step, unless it is one of whole numbers");
    }
    // The last value is the last one that steps reach; a hair is left for sums of fractions.
    const steps = Math.floor((max - min) / step + 1e-9);
    const high = Math.min(max, min + steps * step);
    return uniform({ low: min, high, log, spacing: { step, of: "distance" } });
  }
  return uniform({ low: min, high: max, log, ...spacing });
}

function uniform(of: { low: number; high: number; log: boolean; spacing?: Spacing }): Distribution {
  return of.low === of.high && of.spacing?.of !== "value"
    ? { kind: "constant", value: of.low }
    : { kind: "uniform", ...of };
}
