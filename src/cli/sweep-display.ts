// What a sweep shows: a bar of its trials while it runs, a line for each that ends, and a ranked table at the end.
import type { SweepPlan } from "../loop/sweep/plan.js";
import type { SweepResult } from "../loop/sweep/run-sweep.js";
import type { StoredTrial } from "../loop/sweep/sweep-store.js";
import type { TrialProgress } from "../loop/sweep/trial-job.js";
import { formatDuration, openProgress } from "./progress.js";
import type { Terminal } from "./terminal.js";

const hasEnded = ({ state }: StoredTrial) => state !== "waiting" && state !== "running";

/** A value in a table: short numbers, texts as they are, anything else as JSON. */
export function shortValue(value: unknown): string {
  if (typeof value === "number") return String(Number(value.toPrecision(4)));
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Keys that differ between trials; constants tell them not apart. */
function triedKeys({ config }: SweepPlan): string[] {
  return Object.entries(config.space).flatMap(([key, { kind }]) =>
    kind === "constant" ? [] : [key],
  );
}

const shortKey = (key: string) => key.split(".").slice(-2).join(".");

function describeTrial(trial: StoredTrial, plan: SweepPlan): string {
  const { number, state, value, error, parameters, beganAtMs, endedAtMs } = trial;
  const took =
    beganAtMs === null || endedAtMs === null
      ? ""
      : ` in ${formatDuration((endedAtMs - beganAtMs) / 1000)}`;
  const tried = triedKeys(plan).map((key) => `${shortKey(key)}=${shortValue(parameters[key])}`);
  const told =
    state === "failed"
      ? `failed: ${error?.message ?? ""}`
      : `${state === "pruned" ? "pruned at " : ""}${plan.config.objective.metric} ${shortValue(value)}${took}`;
  return `Trial ${number}: ${told}  ${tried.join(" ")}`;
}

/** A bar over all trials, each counted by the share of it that is done. */
export async function openSweepDisplay(terminal: Terminal, plan: SweepPlan) {
  const progress = await openProgress(terminal, "trials");
  const shares = new Map<number, number>();
  const told = new Set<number>();
  const warned = new Set<string>();
  let first: number | undefined;
  let trials: readonly StoredTrial[] = [];
  let planned = plan.trials;
  const update = () => {
    const ended = trials.filter(hasEnded).length;
    const under = trials.filter((trial) => !hasEnded(trial));
    const share = under.reduce((sum, { number }) => sum + (shares.get(number) ?? 0), 0);
    const { goal } = plan.config.objective;
    const values = trials.flatMap(({ state, value }) =>
      state === "complete" && value !== null ? [value] : [],
    );
    const best =
      values.length === 0
        ? undefined
        : values.reduce((a, b) => (goal === "minimize" ? Math.min(a, b) : Math.max(a, b)));
    const failed = trials.filter(({ state }) => state === "failed").length;
    const note = [
      `${under.length} running`,
      ...(best === undefined ? [] : [`best ${shortValue(best)}`]),
      ...(failed > 0 ? [`${failed} failed`] : []),
    ].join(", ");
    progress.update({
      done: ended + share,
      total: planned,
      items: ended - (first ?? 0),
      itemsInAll: ended,
      note,
    });
  };
  return {
    change(now: readonly StoredTrial[], total: number) {
      planned = total;
      const ended = now.filter(hasEnded);
      if (first === undefined) {
        first = ended.length;
        if (first > 0) terminal.stderr.write(`Going on after ${first} trials.\n`);
        for (const { number } of ended) told.add(number);
      }
      for (const trial of ended) {
        if (told.has(trial.number)) continue;
        told.add(trial.number);
        terminal.stderr.write(`${describeTrial(trial, plan)}\n`);
      }
      trials = now;
      update();
    },
    progress({ number, step, totalSteps }: TrialProgress) {
      shares.set(number, totalSteps === 0 ? 0 : step / totalSteps);
      update();
    },
    /** Trials that run at once may warn of the same thing. */
    warn(text: string) {
      if (warned.has(text)) return;
      warned.add(text);
      terminal.stderr.write(`warning: ${text}\n`);
    },
    close: progress.stop,
  };
}

/** Rows of texts as lines with aligned columns; numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  return rows.map((row) =>
    row
      .map((cell, at) =>
        /^-?[\d.]/.test(cell) ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!),
      )
      .join("  ")
      .trimEnd(),
  );
}

/** Complete trials, the best first, then those that were pruned and those that failed. */
export function rankedTable({ plan, trials, ranked }: SweepResult): string[] {
  const keys = triedKeys(plan);
  const { metric } = plan.config.objective;
  const others = trials.filter((trial) => !ranked.includes(trial));
  const hasErrors = trials.some(({ error }) => error !== null);
  const rows = [...ranked, ...others].map((trial, index) => [
    index < ranked.length ? String(index + 1) : trial.state,
    String(trial.number),
    trial.value === null ? "" : shortValue(trial.value),
    trial.step === null ? "" : String(trial.step),
    ...keys.map((key) => shortValue(trial.parameters[key])),
    ...(hasErrors ? [trial.error?.code ?? ""] : []),
  ]);
  const titles = ["rank", "trial", metric, "step", ...keys.map(shortKey)];
  return aligned([hasErrors ? [...titles, "error"] : titles, ...rows]);
}

const barWidth = 30;

export function importanceLines({ importance, trials }: SweepResult): string[] {
  if (importance === undefined)
    return ["What decides the objective cannot be told from these trials."];
  const complete = trials.filter(({ state }) => state === "complete").length;
  const rows = Object.entries(importance).map(([key, share]) => [
    key,
    `${(100 * share).toFixed(1)} %`,
    "█".repeat(Math.round(share * barWidth)),
  ]);
  return [`What decides the objective, by fANOVA over ${complete} trials:`, ...aligned(rows)];
}
