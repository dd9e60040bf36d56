// From a sweep's file to a plan: every key and value checked against params.yaml before the first trial is begun.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { resolveRunConfig, valuesOf } from "../../config/load.js";
import { RunConfig } from "../../config/run-config.js";
import { readSweepConfig, refillSweepConfig, type SweepConfig } from "../../config/sweep-config.js";
import { isSweepName, toSweepName } from "../../config/sweep-name.js";
import { BridleError } from "../../errors/error.js";
import { type Allows, createConstraints } from "./constraints.js";
import { type Dimension, type NumberDimension, openSpace, type Parameters } from "./dimension.js";
import { createPruner } from "./pruners/create.js";
import type { Pruner } from "./pruners/pruner.js";
import { createSampler } from "./samplers/create.js";
import type { Sampler } from "./samplers/sampler.js";

/** What is kept of a sweep, so that it can be taken up again elsewhere. */
export interface SweepPlan {
  readonly name: string;
  /** The file it was read from; absent in what earlier versions kept. */
  readonly file?: string;
  readonly config: SweepConfig;
  /** The file that every trial starts from, and words laid over it. */
  readonly run: string | null;
  readonly words: readonly string[];
  /** What those come to: a trial is this with its parameters. */
  readonly base: RunConfig;
  /** Trials that the sweep ends with. */
  readonly trials: number;
}

export interface OpenSweep {
  readonly plan: SweepPlan;
  /** Whether the number of trials was said beside the file: one that is gone on with has so many then, and no more. */
  readonly areTrialsSaid: boolean;
  readonly sha256: string;
  readonly notes: readonly string[];
  readonly dimensions: readonly Dimension[];
  readonly constants: Parameters;
  readonly sampler: Sampler;
  readonly pruner: Pruner;
  /** The configuration of a trial. @throws RUN_CONFIG_INVALID where its parameters do not go together */
  configOf(parameters: Parameters, output: string): Promise<RunConfig>;
}

const defaultTrials = 20;

/** A parameter as a word of the command line: JSON is YAML too. */
const word = ([key, value]: readonly [string, unknown]) => `${key}=${JSON.stringify(value)}`;

/**
 * Reads and checks a sweep.
 * @param words laid over the file that trials start from, such as `train.maxSteps=50`
 * @throws what readSweepConfig and resolveRunConfig throw; SWEEP_INVALID for values that params.yaml does not take;
 *   SWEEP_CONSTRAINT_INVALID, SWEEP_SPACE_EMPTY, SWEEP_SAMPLER_UNFIT
 */
export async function openSweep(
  file: string,
  words: readonly string[] = [],
  { trials, name }: { readonly trials?: number; readonly name?: string } = {},
): Promise<OpenSweep> {
  const { config, notes } = await readSweepConfig(file);
  const run = runFileOf(file, config);
  const { metric } = config.objective;
  const judged = [...words, `evaluate.metric=${metric}`];
  const { dimensions, constants } = openSpace(config.space);
  const fixed = Object.entries(constants).map(word);
  const base = (await resolveRunConfig(run, [...judged, ...fixed])).config;
  const invalid = (problems: string) => new BridleError("SWEEP_INVALID", { file, problems });
  if (base.data.validation === undefined) {
    throw invalid("there are no rows to evaluate on: set data.validation in params.yaml");
  }
  const configOf = async (parameters: Parameters, output: string) => {
    const own = Object.entries(parameters).map(word);
    const said = [...judged, ...fixed, ...own, word(["train.output", output])];
    return (await resolveRunConfig(run, said)).config;
  };
  await checkValues(dimensions, (parameters) => configOf(parameters, "x"), invalid);

  const values = [...valuesOf(base)].map(({ path, value }) => [path.join("."), value] as const);
  const keys = dimensions.map(({ key }) => key);
  const allows: Allows = createConstraints(config.constraints, keys, Object.fromEntries(values));
  checkConstraints(dimensions, allows);
  const sampler = createSampler(config.sampler, { dimensions, allows, seed: config.seed });
  // Constraints that nothing satisfies are found out before anything is begun.
  sampler.suggest(0, []);
  const asked = trials ?? config.trials;
  const planned = Math.min(
    asked ?? sampler.size ?? defaultTrials,
    sampler.size ?? Number.POSITIVE_INFINITY,
  );
  const fileName = basename(file).replace(/\.ya?ml$/, "");
  const called = name ?? config.name ?? toSweepName(fileName) ?? fileName;
  if (!isSweepName(called)) {
    throw invalid(
      `${JSON.stringify(called)} is no name of a sweep; give one of up to 100 letters, digits, blanks and . _ -, and any other text as the title`,
    );
  }
  const plan: SweepPlan = {
    ...{ name: called, file: resolve(file), config, run: run ?? null, words, base },
    trials: planned,
  };
  return {
    plan,
    areTrialsSaid: trials !== undefined,
    sha256: hashOf(plan),
    notes: [
      ...notes,
      ...(asked === undefined && sampler.size === undefined
        ? [`the file says no number of trials: there will be ${defaultTrials}`]
        : []),
    ],
    dimensions,
    constants,
    sampler,
    pruner: createPruner(config.pruner, called),
    configOf,
  };
}

/** Everything that decides what trials try and come to. How many there are, when it is enough, and how long each may take can change later. */
function decisiveOf({ config, base }: Pick<SweepPlan, "config" | "base">) {
  const left = { name: undefined, title: undefined, run: undefined, trials: undefined };
  const objective = { ...config.objective, target: undefined };
  const decisive = { ...config, ...left, objective, trialTimeoutMs: undefined, retries: undefined };
  return { config: decisive, base: { ...base, train: { ...base.train, output: undefined } } };
}

function hashOf(plan: SweepPlan): string {
  return createHash("sha256")
    .update(JSON.stringify(decisiveOf(plan)))
    .digest("hex");
}

/**
 * Whether a plan asks for what another one began. Keys that the version which began it did not have yet stand at their defaults
 * there, since it did as if they were: what they say now has to be that.
 * @param before as it was kept
 */
export function isSamePlan(before: SweepPlan, now: SweepPlan): boolean {
  const config = refillSweepConfig(before.config);
  const base = RunConfig.safeParse(before.base);
  if (config === undefined || !base.success) return false;
  // As JSON has it: keys that are not there and those that are undefined are the same.
  const plain = (plan: Pick<SweepPlan, "config" | "base">): unknown =>
    JSON.parse(JSON.stringify(decisiveOf(plan)));
  return isDeepStrictEqual(plain({ config, base: base.data }), plain(now));
}

/** The file a sweep names, else params.yaml beside it; none where everything is in words. */
function runFileOf(file: string, { run }: SweepConfig): string | undefined {
  if (run !== undefined) return resolve(dirname(file), run);
  const beside = join(dirname(file), "params.yaml");
  return existsSync(beside) ? beside : undefined;
}

/**
 * Tries each choice and both ends of each range, by itself and among the middles of the others. What is refused both times is
 * wrong; values that only do not go together, and those far out of a normal distribution, are told by the trial that has them.
 */
async function checkValues(
  dimensions: readonly Dimension[],
  check: (parameters: Parameters) => Promise<unknown>,
  invalid: (problems: string) => BridleError,
): Promise<void> {
  const middles = Object.fromEntries(
    dimensions.map((dimension) => [dimension.key, dimension.fromUnit(0.5)]),
  );
  const problems = new Set<string>();
  for (const { key, ...dimension } of dimensions) {
    const values =
      dimension.kind === "choice"
        ? dimension.values
        : checkedPlaces(dimension).map((unit) => dimension.fromUnit(unit));
    for (const value of values) {
      const told =
        (await refusal(check, { [key]: value })) &&
        (await refusal(check, { ...middles, [key]: value }));
      // What is wrong with another key is told by that key's own check.
      if (told?.includes(key)) problems.add(`${word([key, value])}: ${told}`);
    }
  }
  if (problems.size > 0) throw invalid([...problems].join("; "));
}

/** Combinations of choices that are looked at, at most. */
const mostCombinations = 10_000;

/**
 * Asks the constraints about each value of a choice, so that one that compares a text with a number is told before anything is
 * begun, and not by the trial that first draws it: about all combinations where they are not too many, else each by itself.
 * @throws SWEEP_CONSTRAINT_INVALID
 */
function checkConstraints(dimensions: readonly Dimension[], allows: Allows): void {
  const middles: Parameters = Object.fromEntries(
    dimensions.map((dimension) => [dimension.key, dimension.fromUnit(0.5)]),
  );
  const choices = dimensions.filter((each) => each.kind === "choice");
  const count = choices.reduce((product, { values }) => product * values.length, 1);
  let combinations: Parameters[] = [middles];
  if (count <= mostCombinations) {
    for (const { key, values } of choices) {
      combinations = combinations.flatMap((each) =>
        values.map((value) => ({ ...each, [key]: value })),
      );
    }
  } else {
    combinations = choices.flatMap(({ key, values }) =>
      values.map((value) => ({ ...middles, [key]: value })),
    );
  }
  for (const each of combinations) allows(each);
}

/** A range is what somebody said; what has no ends reaches further than anybody means, and half of its draws lie between these. */
const checkedPlaces = ({ isBounded }: Pick<NumberDimension, "isBounded">) =>
  isBounded ? [0, 1] : [0.25, 0.75];

/** Why parameters are not taken; undefined where they are. */
async function refusal(
  check: (parameters: Parameters) => Promise<unknown>,
  parameters: Parameters,
): Promise<string | undefined> {
  try {
    await check(parameters);
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof BridleError) || thrown.code !== "RUN_CONFIG_INVALID") throw thrown;
    return String(thrown.details.problems);
  }
}
