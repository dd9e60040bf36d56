// SweepConfig: what a sweep's file says, in Bridle's own words or in W&B's, with every default, unit and description.
import { z } from "zod";
import { BridleError } from "../errors/error.js";
import { nearestName } from "./nearest-name.js";
import { describeKeys, isKey } from "./schema-keys.js";
import { isSweepName, toSweepName } from "./sweep-name.js";
import { readSpace, type SearchSpace } from "./sweep-space.js";
import { isRecord, type KeyPath, type Plain, readYamlFile } from "./yaml-file.js";

const count = z.number().int().min(1);
const countFrom0 = z.number().int().min(0);

/** What of an evaluation can be the objective, and which way is better. */
export const objectiveMetrics = {
  loss: "minimize",
  rouge1: "maximize",
  rouge2: "maximize",
  rougeL: "maximize",
  rougeLsum: "maximize",
} as const;
export type ObjectiveMetric = keyof typeof objectiveMetrics;
const metricNames = Object.keys(objectiveMetrics) as ObjectiveMetric[];

/** A bare name stands for an object with that name and the defaults. */
const named = <T extends z.ZodType>(schema: T) =>
  z.preprocess((given) => (typeof given === "string" ? { name: given } : given), schema);

const SamplerOptions = z.discriminatedUnion("name", [
  z.strictObject({ name: z.literal("grid") }),
  z.strictObject({ name: z.literal("random") }),
  z.strictObject({
    name: z.literal("sobol"),
    scramble: z
      .boolean()
      .default(true)
      .describe("shuffle the digits of the sequence, which begins in a corner otherwise"),
  }),
  z.strictObject({
    name: z.literal("tpe"),
    startupTrials: countFrom0.default(10).describe("trials drawn at random before TPE begins"),
    candidates: count.default(24).describe("values drawn for a trial, of which the best is taken"),
    together: z
      .enum(["numbers", "all", "none"])
      .default("numbers")
      .describe("keys that are looked at together: those with numbers, all, or each by itself"),
  }),
]);

const PrunerOptions = z.discriminatedUnion("name", [
  z.strictObject({ name: z.literal("none") }),
  z.strictObject({
    name: z.literal("median"),
    startupTrials: countFrom0.default(5).describe("trials that end before any is pruned"),
    warmupSteps: countFrom0.default(0).describe("no trial is pruned before this evaluation"),
    intervalSteps: count.default(1).describe("evaluations from one decision to the next"),
    minTrials: count.default(1).describe("trials that reached an evaluation before it decides"),
  }),
  z.strictObject({
    name: z.literal("asha"),
    minResource: z
      .union([count, z.literal("auto")])
      .default("auto")
      .describe("evaluations of the lowest rung; auto: a hundredth of the first complete trial's"),
    reductionFactor: z.number().int().min(2).default(4).describe("one of so many goes on"),
    minEarlyStoppingRate: countFrom0.default(0).describe("rungs left out at the bottom"),
    bootstrapCount: countFrom0.default(0).describe("trials that stop at a rung before one goes on"),
  }),
  z.strictObject({
    name: z.literal("hyperband"),
    minResource: count.default(1).describe("evaluations of the lowest rung"),
    maxResource: z
      .union([count, z.literal("auto")])
      .default("auto")
      .describe("evaluations of a whole trial; auto: one more than the first complete one had"),
    reductionFactor: z.number().int().min(2).default(3).describe("one of so many goes on"),
    bootstrapCount: countFrom0.default(0).describe("trials that stop at a rung before one goes on"),
  }),
  z.strictObject({
    name: z.literal("bands"),
    bands: z.array(count).min(1).describe("evaluations after which trials are compared"),
    factor: z.number().gt(1).default(3).describe("one of so many goes on"),
    strict: z
      .boolean()
      .default(true)
      .describe("compare what a trial had at the band rather than its best so far"),
  }),
]);

const Forbidden = z.strictObject({
  forbid: z
    .record(z.string(), z.unknown())
    .refine((given) => Object.keys(given).length > 0, "names no key")
    .describe("values, lists of values or ranges that must not come together"),
});

const Constraint = z.union([z.string().min(1), Forbidden]);

const OwnSweep = z.strictObject({
  name: z.string().min(1).optional().describe("what the sweep is called; its file's name else"),
  title: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .describe("what is shown beside its name, in any letters"),
  run: z
    .string()
    .min(1)
    .optional()
    .describe("params.yaml that every trial starts from; the one beside this file else"),
  space: z.unknown().describe("keys of params.yaml and what is tried for them"),
  objective: z
    .preprocess(
      (given) => (typeof given === "string" ? { metric: given } : given),
      z.strictObject({
        metric: z.enum(metricNames as [ObjectiveMetric, ...ObjectiveMetric[]]).default("loss"),
        goal: z.enum(["minimize", "maximize"]).optional(),
        target: z.number().optional().describe("the sweep ends when a trial gets there"),
      }),
    )
    .prefault({})
    .describe("figure of the evaluation that is to be as low or as high as can be"),
  trials: count.optional().describe("trials in all; 20 unless said, and all of a grid"),
  sampler: named(SamplerOptions).prefault("tpe"),
  pruner: named(PrunerOptions).prefault("none"),
  constraints: z
    .array(Constraint)
    .default([])
    .describe("what must hold, such as train.accumulate * train.microBatchRows <= 64"),
  seed: countFrom0.default(0).describe("seed of the draws"),
  trialTimeoutMs: count.optional().describe("a trial that takes longer has failed"),
  retries: countFrom0
    .default(1)
    .describe("how often a trial is taken up again whose worker was killed"),
});

export type SamplerOptions = z.output<typeof SamplerOptions>;
export type PrunerOptions = z.output<typeof PrunerOptions>;
export type ConstraintOptions = z.output<typeof Constraint>;

/** A checked sweep with every default filled in. */
export interface SweepConfig extends Omit<z.output<typeof OwnSweep>, "space" | "objective"> {
  readonly space: SearchSpace;
  readonly objective: {
    readonly metric: ObjectiveMetric;
    readonly goal: "minimize" | "maximize";
    readonly target?: number | undefined;
  };
}

/**
 * A checked sweep as a version of Bridle kept it, with the defaults of keys that it did not have yet.
 * @returns undefined where it says what this version does not take
 */
export function refillSweepConfig(kept: SweepConfig): SweepConfig | undefined {
  const checked = OwnSweep.safeParse(kept);
  if (!checked.success) return undefined;
  const { space, objective } = kept;
  return { ...checked.data, space, objective: { ...checked.data.objective, goal: objective.goal } };
}

export interface ReadSweep {
  readonly config: SweepConfig;
  /** What the file says and Bridle does otherwise or not at all, one sentence each. */
  readonly notes: readonly string[];
}

const ownKeys = Object.keys(OwnSweep.shape);

/** W&B's keys that say where and by whom a run is started; here that is the command line. */
const startingKeys = ["program", "command", "project", "entity", "controller", "job", "image_uri"];
const wandbKeys = [
  ...["method", "metric", "parameters", "early_terminate", "run_cap", "name", "description"],
  ...["apiVersion", "kind", "scheduler", "metrics", ...startingKeys],
];

/** Which of the two a file is in: W&B's always names a method. */
function isWandb(content: Plain): boolean {
  return "method" in content || "parameters" in content;
}

type Problem = (path: KeyPath, told: string) => void;

/** A metric's name as other trackers write it: `eval/loss`, `val_loss`, `eval_rougeL`. */
function metricOf(name: string): ObjectiveMetric | undefined {
  const bare = name.replace(/^(eval|evaluation|val|valid|validation)[/_.]/i, "").toLowerCase();
  return metricNames.find((metric) => metric.toLowerCase() === bare.replaceAll(/[_-]/g, ""));
}

/** W&B's file in Bridle's words. */
function fromWandb(content: Plain, problem: Problem, notes: string[]): Plain {
  for (const key of Object.keys(content)) {
    if (wandbKeys.includes(key) || ownKeys.includes(key)) continue;
    problem([key], `there is no ${key}${meant(key, wandbKeys)}`);
  }
  const started = startingKeys.filter((key) => key in content);
  if (started.length > 0) {
    notes.push(
      `${started.join(", ")}: not used; every trial is a \`bridle train\` of this project`,
    );
  }
  for (const key of ["scheduler", "metrics"]) {
    if (key in content) problem([key], `${key} is not supported: give method and metric`);
  }
  // Bridle's own keys may stand beside W&B's, which has no word for a constraint or a sampler's options.
  const own = Object.fromEntries(
    ownKeys.flatMap((key) => (key in content ? [[key, content[key]]] : [])),
  );
  const made: Plain = { ...own };
  const methods: Readonly<Record<string, string>> = {
    bayes: "tpe",
    random: "random",
    grid: "grid",
  };
  const { method } = content;
  if (made.sampler === undefined) {
    if (typeof method === "string" && Object.hasOwn(methods, method))
      made.sampler = methods[method];
    else
      problem(
        ["method"],
        `method is to be ${Object.keys(methods).join(", ")}, not ${String(method)}`,
      );
  }
  if (method === "bayes") {
    notes.push(
      "method bayes: by a tree-structured Parzen estimator (TPE), not by a Gaussian process",
    );
  }
  nameFromWandb(made, notes);
  if ("run_cap" in content) made.trials = content.run_cap;
  if (isRecord(content.metric)) {
    const { name, goal, target, ...rest } = content.metric;
    const metric = typeof name === "string" ? metricOf(name) : undefined;
    if (metric === undefined) {
      problem(
        ["metric", "name"],
        `there is no metric ${String(name)}; an evaluation has ${metricNames.join(", ")}`,
      );
    }
    if (goal === undefined && metric !== undefined && objectiveMetrics[metric] !== "minimize") {
      notes.push(`metric.goal: ${metric} is maximized, where W&B would minimize what has no goal`);
    }
    made.objective = {
      metric,
      ...(goal !== undefined && { goal }),
      ...(target !== undefined && { target }),
    };
    for (const key of Object.keys(rest)) {
      if (key === "impute" || key === "impute_while_running") {
        notes.push(`metric.${key}: not used; trials that failed tell the sampler nothing`);
      } else problem(["metric", key], `there is no metric.${key}`);
    }
  } else if ("metric" in content) problem(["metric"], "metric is to have a name and a goal");
  if ("early_terminate" in content) made.pruner = bandsOf(content.early_terminate, problem);
  made.space = content.parameters;
  return made;
}

/** W&B's name is any text: what of it cannot be a name here is kept as what is shown. */
function nameFromWandb(made: Plain, notes: string[]): void {
  const { name: given } = made;
  if (typeof given !== "string" || isSweepName(given)) return;
  const name = toSweepName(given);
  if (name === undefined) delete made.name;
  else made.name = name;
  if (given.trim() === "") return;
  made.title ??= given.trim().slice(0, 500);
  notes.push(
    `name: ${JSON.stringify(given)} is kept as the title; the sweep is called ${name === undefined ? "like its file" : JSON.stringify(name)}, as folders and commands need it`,
  );
}

/** W&B's early_terminate, which only knows bands. */
function bandsOf(given: unknown, problem: Problem): unknown {
  const at = ["early_terminate"];
  if (!isRecord(given) || given.type !== "hyperband") {
    problem(at, "early_terminate is to have type: hyperband");
    return "none";
  }
  const known = ["type", "min_iter", "max_iter", "s", "eta", "strict"];
  for (const key of Object.keys(given)) {
    if (!known.includes(key))
      problem([...at, key], `there is no early_terminate.${key}${meant(key, known)}`);
  }
  const { min_iter: min, max_iter: max, s, eta = 3, strict = true } = given;
  if (typeof eta !== "number" || !(eta > 1)) {
    problem([...at, "eta"], `eta is to be above 1, not ${String(eta)}`);
    return "none";
  }
  const bands: number[] = [];
  if (Number.isInteger(max) && typeof s === "number") {
    for (let band = (max as number) / eta; bands.length < s && band >= 1; band /= eta) {
      bands.unshift(Math.trunc(band));
    }
  } else if (Number.isInteger(min) && (min as number) >= 1) {
    for (let band = min as number; band < 1e9; band *= eta) bands.push(Math.trunc(band));
  } else {
    problem(at, "early_terminate needs min_iter, or max_iter and s");
    return "none";
  }
  if (bands.length === 0) {
    problem(at, "early_terminate has no band of an iteration or more; raise max_iter");
    return "none";
  }
  return { name: "bands", bands: [...new Set(bands)], factor: eta, strict };
}

function meant(typed: string, names: readonly string[]): string {
  const nearest = nearestName(typed, names);
  return nearest === undefined ? "" : `; did you mean ${nearest}?`;
}

const bare = (key: string) => key.split(".").at(-1)!.replaceAll(/[_-]/g, "").toLowerCase();

/** Keys that a sweep sets itself, and why they cannot be tried. */
const ownOfSweep: Readonly<Record<string, string>> = {
  "train.output": "each trial has a folder of its own",
  "evaluate.metric": "it is what trials are compared by; name it as the objective",
};
const sections = ["model", "data", "train", "evaluate", "generate"];

/** What is wrong with a key of a space; names of other trainers (`learning_rate`) are told Bridle's. */
export function checkSpaceKey(key: string): string | undefined {
  if (isKey(key.split("."))) {
    const reason = sections.includes(key) ? "name one of its keys" : ownOfSweep[key];
    return reason === undefined ? undefined : `${key} cannot be tried: ${reason}`;
  }
  const names = describeKeys().map((row) => row.key);
  const nearest =
    nearestName(key, names) ??
    names.find((name) => bare(name) === bare(key)) ??
    names.find((name) => nearestName(bare(key), [bare(name)]) !== undefined);
  return `there is no ${key} in params.yaml${nearest === undefined ? "" : `; did you mean ${nearest}?`}`;
}

function describeIssue(issue: z.core.$ZodIssue): { path: KeyPath; told: string }[] {
  const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
  const where = path.join(".");
  if (issue.code !== "unrecognized_keys")
    return [{ path, told: `${where || "the file"}: ${issue.message}` }];
  return issue.keys.map((key) => {
    const full = where === "" ? key : `${where}.${key}`;
    return {
      path: [...path, key],
      told: `there is no ${full}${where === "" ? meant(key, ownKeys) : ""}`,
    };
  });
}

/**
 * Reads a sweep's file. Every key of the space is one of params.yaml.
 * @throws FILE_NOT_FOUND, YAML_INVALID; SWEEP_INVALID with every problem and its line
 */
export async function readSweepConfig(file: string): Promise<ReadSweep> {
  const yaml = await readYamlFile(file);
  const problems: string[] = [];
  const notes: string[] = [];
  const problem: Problem = (path, told) => problems.push(`line ${yaml.lineOf(path)}: ${told}`);
  const wandb = isWandb(yaml.content);
  const spaceAt = wandb ? "parameters" : "space";
  const given = wandb ? fromWandb(yaml.content, problem, notes) : yaml.content;
  const checked = OwnSweep.safeParse(given);
  for (const issue of checked.error?.issues ?? []) {
    for (const { path, told } of describeIssue(issue)) {
      // A space that is not there is told by readSpace.
      if (path[0] === "space") continue;
      // What has been told in W&B's words already is not told again in Bridle's.
      if (!(wandb && ["sampler", "objective", "pruner"].includes(String(path[0]))))
        problem(path, told);
      else if (problems.length === 0) problem([], told);
    }
  }
  const space = readSpace(given.space, [spaceAt], {
    problem,
    writtenAt: yaml.writtenAt,
    checkKey: checkSpaceKey,
  });
  if (
    Object.values(space).length > 0 &&
    Object.values(space).every(({ kind }) => kind === "constant")
  ) {
    problem([spaceAt], "every key has one value, and there is nothing to search");
  }
  const said = checked.data?.objective;
  if (said?.goal !== undefined && said.goal !== objectiveMetrics[said.metric]) {
    problem(
      [wandb ? "metric" : "objective", "goal"],
      `goal: ${said.metric} is better the ${said.goal === "minimize" ? "higher" : "lower"} it is`,
    );
  }
  const pruner = checked.data?.pruner;
  if (pruner !== undefined && "bootstrapCount" in pruner && pruner.bootstrapCount > 0) {
    // Trials that are to stop before anything is known of how long one is: Optuna refuses it, too.
    const unsettled = pruner.name === "asha" ? "minResource" : "maxResource";
    if ((pruner as Plain)[unsettled] === "auto") {
      problem(["pruner"], `pruner: bootstrapCount needs a number for ${unsettled}, not auto`);
    }
  }
  if (problems.length > 0 || !checked.success) {
    throw new BridleError("SWEEP_INVALID", { file, problems: problems.join("; ") });
  }
  const { metric, target } = checked.data.objective;
  const goal = objectiveMetrics[metric];
  return {
    config: {
      ...checked.data,
      space,
      objective: { metric, goal, ...(target !== undefined && { target }) },
    },
    notes,
  };
}
