// Search beside its references: TPE, pruners and importance beside Optuna, Sobol beside SciPy, spaces beside W&B's sweeps.
// @ts-check
import { lines } from "./strings.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../src/config/sweep-space.js")} */
const { readSpace } = await compiled("config/sweep-space.js");
/** @type {typeof import("../../src/loop/sweep/dimension.js")} */
const { openSpace } = await compiled("loop/sweep/dimension.js");
/** @type {typeof import("../../src/loop/sweep/samplers/tpe.js")} */
const { createTpeSampler } = await compiled("loop/sweep/samplers/tpe.js");
/** @type {typeof import("../../src/loop/sweep/samplers/parzen.js")} */
const { createParzen } = await compiled("loop/sweep/samplers/parzen.js");
/** @type {typeof import("../../src/loop/sweep/samplers/sobol-sequence.js")} */
const { createSobolSequence, mostDimensions } = await compiled(
  "loop/sweep/samplers/sobol-sequence.js",
);
/** @type {typeof import("../../src/loop/sweep/pruners/create.js")} */
const { createPruner } = await compiled("loop/sweep/pruners/create.js");
/** @type {typeof import("../../src/loop/sweep/importance/fanova.js")} */
const { importances } = await compiled("loop/sweep/importance/fanova.js");
/** @type {typeof import("../../src/loop/sweep/normal-distribution.js")} */
const { normalCdf } = await compiled("loop/sweep/normal-distribution.js");

/** @typedef {import("../../src/loop/sweep/trial.js").SweepTrial} SweepTrial */
/** @typedef {Record<string, any>} Values */

/** What the other side runs on. */
export const sweepPackages = [
  "optuna==5.0.0",
  "scipy==1.17.1",
  "scikit-learn==1.9.1",
  "sweeps==0.3.0",
];

const script = new URL("sweep.py", import.meta.url).pathname;

/** @param {unknown} given @param {(path: readonly (string | number)[]) => string | undefined} [writtenAt] */
function spaceOf(given, writtenAt = () => undefined) {
  const space = readSpace(given, [], {
    problem(_, told) {
      throw new Error(told);
    },
    writtenAt,
    checkKey: () => undefined,
  });
  return openSpace(space);
}

const sum = (/** @type {readonly number[]} */ numbers) => numbers.reduce((a, b) => a + b, 0);
const range = (/** @type {number} */ count) => Array.from({ length: count }, (_, index) => index);

/** @param {number} count @param {number} min @param {number} max */
const box = (count, min, max) =>
  Object.fromEntries(range(count).map((i) => [`x${i}`, { distribution: "uniform", min, max }]));

/** @type {any} */
const hartmannA = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
];
/** @type {any} */
const hartmannP = [
  [1312, 1696, 5569, 124, 8283, 5886],
  [2329, 4135, 8307, 3736, 1004, 9991],
  [2348, 1451, 3522, 2883, 3047, 6650],
  [4047, 8828, 8732, 5743, 1091, 381],
];
/** @type {any} */
const kinds = {
  adamw: [3.5, 4, 0],
  adafactor: [2.5, 6, 0.4],
  sgd: [1.5, 2, 1],
  lion: [4.5, 3, 0.2],
};

/** The functions of sweep.py, each `{space, cost(parameters)}`. @type {any} */
const functions = {
  sphere: {
    space: box(5, -5, 5),
    cost: (/** @type {Values} */ p) => sum(range(5).map((i) => p[`x${i}`] ** 2)),
  },
  rosenbrock: {
    space: box(4, -2, 2),
    cost: (/** @type {Values} */ p) =>
      sum(
        range(3).map((i) => 100 * (p[`x${i + 1}`] - p[`x${i}`] ** 2) ** 2 + (1 - p[`x${i}`]) ** 2),
      ),
  },
  branin: {
    space: {
      x: { distribution: "uniform", min: -5, max: 10 },
      y: { distribution: "uniform", min: 0, max: 15 },
    },
    cost: (/** @type {Values} */ { x, y }) => {
      const [b, c, t] = [5.1 / (4 * Math.PI ** 2), 5 / Math.PI, 1 / (8 * Math.PI)];
      return (y - b * x * x + c * x - 6) ** 2 + 10 * (1 - t) * Math.cos(x) + 10;
    },
  },
  hartmann6: {
    space: box(6, 0, 1),
    cost: (/** @type {Values} */ p) =>
      -sum(
        [1, 1.2, 3, 3.2].map((weight, i) => {
          const terms = range(6).map(
            (j) => hartmannA[i][j] * (p[`x${j}`] - hartmannP[i][j] / 1e4) ** 2,
          );
          return weight * Math.exp(-sum(terms));
        }),
      ),
  },
  mixed: {
    space: {
      rate: { min: 1e-6, max: 0.1, log: true },
      layers: { min: 1, max: 8 },
      share: { min: 0, max: 0.5, step: 0.05 },
      batch: { min: 1, max: 128, log: true },
      kind: Object.keys(kinds),
    },
    cost: (/** @type {Values} */ { rate, layers, share, batch, kind }) => {
      const [best, depth, offset] = kinds[kind];
      return (
        (Math.log10(rate) + best) ** 2 +
        0.1 * (layers - depth) ** 2 +
        8 * (share - 0.15) ** 2 +
        0.05 * (Math.log2(batch) - 5) ** 2 +
        offset
      );
    },
  },
};

functions.choices = {
  space: {
    layers: { min: 1, max: 8 },
    share: { min: 0, max: 0.5, step: 0.05 },
    kind: Object.keys(kinds),
  },
  cost: (/** @type {Values} */ p) => functions.mixed.cost({ ...p, rate: 1e-3, batch: 32 }),
};
const searched = ["sphere", "rosenbrock", "branin", "hartmann6", "mixed"];

/**
 * The lowest cost of a search.
 * @param {string} name @param {number} seed @param {number} trials
 * @param {import("../../src/loop/sweep/samplers/tpe.js").TpeOptions["together"]} together
 */
function search(name, seed, trials, together) {
  const { space, cost } = functions[name];
  const { dimensions } = spaceOf(space);
  const sampler = createTpeSampler(
    { dimensions, allows: () => true, seed },
    { startupTrials: 10, candidates: 24, together },
  );
  /** @type {SweepTrial[]} */
  const seen = [];
  for (let number = 0; number < trials; number++) {
    const parameters = sampler.suggest(number, seen);
    seen.push({ number, parameters, state: "complete", cost: cost(parameters), reports: [] });
  }
  return Math.min(...seen.map((trial) => trial.cost ?? Number.NaN));
}

/**
 * The two-sided Mann-Whitney test with its normal approximation, continuity and ties corrected.
 * @param {readonly number[]} ours @param {readonly number[]} theirs
 * @returns {{p: number, better: number}} better: the share of pairs in which ours is lower
 */
function mannWhitney(ours, theirs) {
  const [n, m] = [ours.length, theirs.length];
  const pairs = ours.flatMap((a) => theirs.map((b) => (a < b ? 1 : a === b ? 0.5 : 0)));
  const u = sum(pairs);
  const all = [...ours, ...theirs];
  const counts = new Map();
  for (const each of all) counts.set(each, (counts.get(each) ?? 0) + 1);
  const ties = sum([...counts.values()].map((count) => count ** 3 - count));
  const size = n + m;
  const deviation = Math.sqrt(((n * m) / 12) * (size + 1 - ties / (size * (size - 1))));
  const z = Math.max(0, Math.abs(u - (n * m) / 2) - 0.5) / deviation;
  return { p: 2 * normalCdf(-z), better: u / (n * m) };
}

const middle = (/** @type {readonly number[]} */ numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(at)] ?? Number.NaN) + (sorted[Math.ceil(at)] ?? Number.NaN)) / 2;
};

/** Bridle's settings beside Optuna's: its default is the joint one since version 5, and was the other before. */
const settings = /** @type {const} */ ([
  { together: "numbers", multivariate: true, told: "defaults" },
  { together: "numbers", multivariate: false, told: "default, Optuna 4's" },
  { together: "all", multivariate: true, told: "all together" },
  { together: "none", multivariate: false, told: "one by one" },
]);

/** @param {(...args: string[]) => AsyncGenerator<any>} ask @param {(line: string) => void} print @param {{seeds: number, trials: number, first: number}} size */
async function compareSearch(ask, print, { seeds, trials, first }) {
  let held = true;
  print(`tpe: lowest cost after ${trials} trials, medians of ${seeds} seeds`);
  for (const name of searched) {
    /** @type {Map<string, number[]>} */
    const found = new Map();
    for (const { together, multivariate, told } of settings) {
      const key = String(multivariate);
      const theirs = found.get(key) ?? [];
      if (!found.has(key)) {
        const args = [name, String(first), String(seeds), String(trials), key];
        for await (const { best } of ask("studies", ...args)) theirs.push(best);
        found.set(key, theirs);
      }
      const ours =
        found.get(together) ??
        range(seeds).map((own) => search(name, first + own, trials, together));
      found.set(together, ours);
      const { p, better } = mannWhitney(ours, theirs);
      const isHeld = p > 0.05 || better > 0.5;
      print(
        `  ${name.padEnd(11)}${told.padEnd(20)}bridle ${middle(ours).toFixed(4).padStart(8)}  optuna ${middle(theirs).toFixed(4).padStart(8)}  ` +
          `p ${p.toFixed(3)}, bridle lower in ${(100 * better).toFixed(0)} %${isHeld ? "" : "  WORSE"}`,
      );
      held &&= isHeld && theirs.length === seeds;
    }
  }
  return held;
}

/** @param {(...args: string[]) => AsyncGenerator<any>} ask @param {(line: string) => void} print @param {number} first */
async function compareParzen(ask, print, first) {
  const { dimensions } = spaceOf({
    a: { distribution: "uniform", min: -2, max: 3 },
    b: { min: 1e-5, max: 0.1, log: true },
    c: { min: 0, max: 1, step: 0.1 },
    d: { min: 1, max: 9, step: 2 },
    e: { min: 1, max: 100, log: true },
    f: ["x", "y", "z"],
  });
  // Densities are over the unit interval here and over each key's own scale there.
  const scale = { a: 5, b: Math.log(1e4) };
  let [worst, points] = [0, 0];
  for await (const { keys, seen, points: at, logs } of ask("parzen", String(first), "64")) {
    const own = dimensions.filter(({ key }) => keys.includes(key));
    const parzen = createParzen(own, seen);
    const offset = sum(
      keys.map((/** @type {string} */ key) =>
        key === "a" || key === "b" ? Math.log(scale[key]) : 0,
      ),
    );
    for (const [index, point] of at.entries()) {
      points++;
      worst = Math.max(worst, Math.abs(parzen.logDensity(point) - offset - logs[index]));
    }
  }
  print(
    `parzen: ${points} densities beside Optuna's, worst difference of logarithms ${worst.toExponential(1)}`,
  );
  return points > 0 && worst < 1e-6;
}

/** Options of pruners by sweep.py's names for them. @type {any} */
const prunerOptions = {
  median: { name: "median", startupTrials: 5, warmupSteps: 0, intervalSteps: 1, minTrials: 1 },
  "median 3,2,2,2": {
    name: "median",
    startupTrials: 3,
    warmupSteps: 2,
    intervalSteps: 2,
    minTrials: 2,
  },
  asha: {
    name: "asha",
    minResource: 1,
    reductionFactor: 4,
    minEarlyStoppingRate: 0,
    bootstrapCount: 0,
  },
  "asha 2,3,1": {
    name: "asha",
    minResource: 2,
    reductionFactor: 3,
    minEarlyStoppingRate: 1,
    bootstrapCount: 0,
  },
  "asha bootstrap": {
    name: "asha",
    minResource: 1,
    reductionFactor: 2,
    minEarlyStoppingRate: 0,
    bootstrapCount: 2,
  },
  hyperband: {
    name: "hyperband",
    minResource: 1,
    maxResource: 27,
    reductionFactor: 3,
    bootstrapCount: 0,
  },
  "hyperband 2,16,2": {
    name: "hyperband",
    minResource: 2,
    maxResource: 16,
    reductionFactor: 2,
    bootstrapCount: 0,
  },
  "asha auto": {
    name: "asha",
    minResource: "auto",
    reductionFactor: 4,
    minEarlyStoppingRate: 0,
    bootstrapCount: 0,
  },
  "hyperband auto": {
    name: "hyperband",
    minResource: 1,
    maxResource: "auto",
    reductionFactor: 3,
    bootstrapCount: 0,
  },
  bands: { name: "bands", bands: [1, 3, 9, 27, 81], factor: 3, strict: true },
  "bands 2,2": { name: "bands", bands: [2, 4, 8, 16, 32], factor: 2, strict: false },
  "bands max": { name: "bands", bands: [3, 9], factor: 3, strict: true },
};

/** @param {(...args: string[]) => AsyncGenerator<any>} ask @param {(line: string) => void} print @param {number} first */
async function comparePruners(ask, print, first) {
  let held = true;
  for await (const { pruner: name, curves, ends } of ask("pruners", String(first), "120")) {
    const pruner = createPruner(prunerOptions[name], "parity");
    /** @type {SweepTrial[]} */
    const done = [];
    const ours = [];
    for (const [number, curve] of curves.entries()) {
      /** @type {{step: number, cost: number}[]} */
      const reports = [];
      let end = null;
      // As sweep.py has it.
      const length = name.endsWith("auto") ? 27 - ((number * 7) % 20) : 27;
      for (const [index, cost] of curve.slice(0, length).entries()) {
        reports.push({ step: index + 1, cost: cost ?? Number.NaN });
        if (
          pruner.prunes({ number, parameters: {}, state: "running", reports: [...reports] }, done)
        ) {
          end = index + 1;
          break;
        }
      }
      ours.push(end);
      done.push({
        number,
        parameters: {},
        state: end === null ? "complete" : "pruned",
        cost: 1,
        reports,
      });
    }
    const different = ours.filter((end, index) => end !== ends[index]).length;
    const pruned = ends.filter((/** @type {number | null} */ end) => end !== null).length;
    print(
      `pruner: ${name.padEnd(18)}${curves.length} trials, ${pruned} pruned, ${different} decided otherwise`,
    );
    held &&= different === 0 && pruned > 0;
  }
  return held;
}

/** @param {(...args: string[]) => AsyncGenerator<any>} ask @param {(line: string) => void} print */
async function compareSobol(ask, print) {
  const sequence = createSobolSequence(mostDimensions);
  let [different, count] = [0, 0];
  for await (const { points } of ask("sobol", String(mostDimensions), "1024")) {
    for (const [index, point] of points.entries()) {
      count++;
      const ours = sequence.point(index);
      if (ours.some((at, dimension) => at !== point[dimension])) different++;
    }
  }
  print(
    `sobol: ${count} points of ${mostDimensions} dimensions beside SciPy's, ${different} different`,
  );
  return count === 1024 && different === 0;
}

/** @param {(...args: string[]) => AsyncGenerator<any>} ask @param {(line: string) => void} print */
async function compareSpaces(ask, print) {
  let [forms, different] = [0, 0];
  for await (const { form, places, values } of ask("spaces")) {
    forms++;
    // 1.0 of the other side comes here as 1: the distribution tells which it was.
    const isFloat =
      !("distribution" in form) && values.some((/** @type {number} */ v) => v % 1 !== 0);
    const { dimensions } = spaceOf({ p: form }, () => (isFloat ? "1.0" : undefined));
    const ours = places.map((/** @type {number} */ place) => dimensions[0]?.fromUnit(place));
    const isSame = ours.every((/** @type {any} */ value, /** @type {number} */ index) =>
      typeof value === "number"
        ? Math.abs(value - values[index]) <= 1e-9 * Math.max(1, Math.abs(value))
        : value === values[index],
    );
    if (isSame) continue;
    different++;
    print(`different: ${JSON.stringify({ form, ours, values })}`);
  }
  print(`spaces: ${forms} forms of W&B's, ${different} drawn otherwise`);
  return forms > 0 && different === 0;
}

/** @param {(...args: string[]) => AsyncGenerator<any>} ask @param {(line: string) => void} print @param {number} first */
async function compareImportance(ask, print, first) {
  let held = true;
  // Logarithmic keys are left out: Optuna's forest takes them as they are, and Bridle's by their logarithm.
  for (const name of ["sphere", "branin", "hartmann6", "choices"]) {
    const { dimensions } = spaceOf(functions[name].space);
    for await (const found of ask("importance", name, String(first), "120")) {
      const trials = found.trials.map(
        (/** @type {Values} */ trial, /** @type {number} */ number) =>
          /** @type {any} */ ({ number, state: "complete", reports: [], ...trial }),
      );
      const seeds = await Promise.all(
        range(10).map((seed) => importances(trials, dimensions, { trees: 64, maxDepth: 64, seed })),
      );
      const keys = dimensions.map(({ key }) => key);
      const means = keys.map((key) => sum(seeds.map((each) => each?.[key] ?? Number.NaN)) / 10);
      const apart = Math.max(
        ...keys.map((key, at) => Math.abs((means[at] ?? Number.NaN) - found.importances[key])),
      );
      const told = keys.map(
        (key, at) => `${key} ${means[at]?.toFixed(3)}/${found.importances[key].toFixed(3)}`,
      );
      print(`importance: ${name.padEnd(11)}${told.join("  ")}`);
      held &&= apart <= 0.05;
    }
  }
  return held;
}

/**
 * @param {string} python has optuna, scipy, scikit-learn and sweeps
 * @param {(line: string) => void} print
 * @param {{seeds: number, trials: number, first: number}} size
 */
export async function compareSweeps(python, print, size) {
  /** @param {string[]} args */
  async function* ask(...args) {
    for await (const line of lines(python, [script, ...args])) {
      yield JSON.parse(line.replaceAll("NaN", "null"));
    }
  }
  let held = await compareSobol(ask, print);
  held = (await compareSpaces(ask, print)) && held;
  held = (await compareParzen(ask, print, size.first)) && held;
  held = (await comparePruners(ask, print, size.first)) && held;
  held = (await compareImportance(ask, print, size.first)) && held;
  return (await compareSearch(ask, print, size)) && held;
}
