// Sweeps as people look at them: each in a line, and one with its trials, its ranking and what decides the objective.

import type { SearchSpace } from "../../config/sweep-space.js";
import type { Database } from "../../ports/database.js";
import type { Registry } from "../../registry/registry.js";
import { openSpace } from "./dimension.js";
import { importances } from "./importance/fanova.js";
import type { SweepPlan } from "./plan.js";
import { rank } from "./rank.js";
import { resumeCommand } from "./resume-command.js";
import {
  findSweep,
  listSweeps,
  readTrials,
  type StoredSweep,
  type StoredTrial,
  type StoredTrialState,
  toSweepTrials,
} from "./sweep-store.js";
import { isWorkedOn, readWorkers, type SweepWorker } from "./sweep-workers.js";

export interface SweepSummary {
  readonly name: string;
  /** What its file calls it in any letters; null where that is its name. */
  readonly title: string | null;
  /** `interrupted`: it is not done, and nobody works on it. */
  readonly state: "running" | "interrupted" | "done";
  readonly objective: SweepPlan["config"]["objective"];
  readonly sampler: string;
  readonly pruner: string;
  /** Trials there are to be. */
  readonly planned: number;
  readonly trials: Readonly<Record<StoredTrialState, number>>;
  /** The objective of the best trial so far. */
  readonly best: number | null;
  readonly beganAtMs: number;
  readonly endedAtMs: number | null;
}

export interface SweepDetails extends Omit<SweepSummary, "trials" | "best"> {
  readonly folder: string;
  /** The command that goes on with it. */
  readonly resume: string;
  readonly space: SearchSpace;
  readonly trials: readonly StoredTrial[];
  /** Numbers of the complete trials, the best first. */
  readonly ranked: readonly number[];
  readonly best: StoredTrial | null;
  /** How much of the objective's variance each key explains; null where it cannot be told. */
  readonly importance: Readonly<Record<string, number>> | null;
}

function head(sweep: StoredSweep, workers: readonly SweepWorker[], now: number) {
  const { name, plan, state, beganAtMs, endedAtMs } = sweep;
  const { title = null, objective, sampler, pruner } = plan.config;
  const isLeft = state === "running" && !isWorkedOn(sweep, workers, now);
  return {
    ...{ name, title, objective, sampler: sampler.name, pruner: pruner.name, planned: plan.trials },
    state: isLeft ? ("interrupted" as const) : state,
    ...{ beganAtMs, endedAtMs },
  };
}

/** Every sweep, the newest first. */
export async function summarizeSweeps(
  database: Database,
  now = Date.now(),
): Promise<SweepSummary[]> {
  return await database.transaction(
    async (sql) => {
      const { rows } = await sql.query<{
        sweep: string;
        state: StoredTrialState;
        n: number;
        low: number | null;
        high: number | null;
      }>(
        `SELECT sweep, state, COUNT(*) AS n, MIN(value) AS low, MAX(value) AS high
         FROM sweep_trial GROUP BY sweep, state`,
      );
      const workers = await readWorkers(sql);
      return (await listSweeps(sql)).map((sweep) => {
        const own = rows.filter((row) => row.sweep === sweep.name);
        const of = (state: StoredTrialState) => own.find((row) => row.state === state);
        const count = (state: StoredTrialState) => of(state)?.n ?? 0;
        const complete = of("complete");
        const { goal } = sweep.plan.config.objective;
        return {
          ...head(sweep, workers.get(sweep.name) ?? [], now),
          trials: {
            waiting: count("waiting"),
            running: count("running"),
            complete: count("complete"),
            pruned: count("pruned"),
            failed: count("failed"),
          },
          best: (goal === "minimize" ? complete?.low : complete?.high) ?? null,
        };
      });
    },
    { readOnly: true },
  );
}

/** One sweep; undefined where there is none of this name. */
export async function describeSweep(
  database: Database,
  name: string,
  now = Date.now(),
): Promise<SweepDetails | undefined> {
  const read = await database.transaction(
    async (sql) => {
      const sweep = await findSweep(sql, name);
      if (sweep === undefined) return undefined;
      const workers = (await readWorkers(sql, name)).get(name) ?? [];
      return { sweep, workers, trials: await readTrials(sql, name) };
    },
    { readOnly: true },
  );
  if (read === undefined) return undefined;
  const { sweep, workers, trials } = read;
  const { config } = sweep.plan;
  const { goal } = config.objective;
  const ranked = rank(trials, goal);
  return {
    ...head(sweep, workers, now),
    ...{ folder: sweep.folder, resume: resumeCommand(sweep.plan), space: config.space, trials },
    ranked: ranked.map(({ number }) => number),
    best: ranked[0] ?? null,
    importance: (await importanceOf(sweep, trials)) ?? null,
  };
}

export interface RegisteredTrial {
  readonly trial: number;
  readonly model: string;
  readonly version: number;
  readonly aliases: readonly string[];
}

/** Registered versions that were trained by runs of these trials. */
export async function findRegisteredTrials(
  registry: Pick<Registry, "listVersions">,
  trials: readonly StoredTrial[],
): Promise<RegisteredTrial[]> {
  const trialOf = new Map(
    trials.flatMap(({ run, number }) => (run === null ? [] : [[run, number]])),
  );
  if (trialOf.size === 0) return [];
  return (await registry.listVersions()).flatMap(({ model, version, aliases, card }) => {
    const trial = trialOf.get(card.lineage.runId ?? "");
    return trial === undefined ? [] : [{ trial, model, version, aliases }];
  });
}

type Importance = Readonly<Record<string, number>> | undefined;

/** Growing a forest takes longer than everything else, and its answer is the same until another trial is complete. */
const known = new Map<string, { readonly of: string; readonly importance: Promise<Importance> }>();
const mostKnown = 100;

function importanceOf(
  { name, plan, beganAtMs }: StoredSweep,
  trials: readonly StoredTrial[],
): Promise<Importance> {
  const complete = trials.filter(({ state }) => state === "complete");
  const of = `${beganAtMs} ${complete.map(({ number, value }) => `${number}=${value}`).join(" ")}`;
  const found = known.get(name);
  if (found?.of === of) return found.importance;
  const { config } = plan;
  const { dimensions } = openSpace(config.space);
  const importance = importances(toSweepTrials(trials, config.objective.goal), dimensions);
  if (known.size >= mostKnown) known.clear();
  known.set(name, { of, importance });
  return importance;
}
