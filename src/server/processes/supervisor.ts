// Keeps working processes alive: starts them, starts a dead one anew after a pause that grows, and says who is free.
import type { ProcessState } from "../../compose.js";
import { abortError } from "../../errors/abort-error.js";
import { BridleError, toBridleError } from "../../errors/error.js";
import { addLoads, leftOfLoad } from "../../summarize/engine-load.js";
import type { EngineLoad } from "../../summarize/summarizer.js";
import { createDeferred } from "../deferred.js";
import type { Logger } from "../log.js";
import type { OpenedSummarizer, ProcessMetrics } from "./messages.js";
import type { ToldModels, WorkerProcess } from "./worker-process.js";

export interface SupervisorOptions {
  /** How many processes, 1 or more. */
  readonly count: number;
  /** Starts the process of a place, counted from 0. */
  readonly start: (place: number) => WorkerProcess;
  readonly log: Logger;
  /** The first pause before a dead process is started anew. Default 100 ms; it doubles with each that dies soon. */
  readonly leastPauseMs?: number;
  readonly mostPauseMs?: number;
  /** A process that has worked for so long died of something new: the pause is the first again. Default a minute. */
  readonly steadyMs?: number;
}

/** After so many ends in each place, where no process has ever answered, none is expected to. */
const hopelessEnds = 3;

export interface Supervisor {
  /** The models as the first process opened them. */
  readonly models: readonly OpenedSummarizer[];
  /** A model as it is now, since an alias may have moved. @throws MODEL_NOT_FOUND for a name that is none of `models` */
  describe(name: string): OpenedSummarizer;
  /**
   * Settles when one of them answers at full speed.
   * @rejects with why a model cannot, where none ever has; WORKERS_HOPELESS where all ended before, again and again
   */
  readonly warm: Promise<void>;
  /** Whether any process can take work. */
  readonly isAvailable: boolean;
  states(): ProcessState[];
  /**
   * The process that is least busy, once there is one.
   * @param not one that has just failed, which is taken only where there is no other
   * @throws CANCELLED or DEADLINE_EXCEEDED by the signal, CANCELLED once closed
   */
  pick(signal: AbortSignal | undefined, not?: WorkerProcess): Promise<WorkerProcess>;
  /** What a model's engines are at work on, all together, with what those that are gone have done. */
  load(model: string): EngineLoad | undefined;
  /**
   * Has every process look where aliases point, and waits until all that answer people do so with that. One that starts does
   * it before it is ready.
   * @throws what asking the registry throws in any of them
   */
  refresh(): Promise<void>;
  metrics(withinMs: number): Promise<ProcessMetrics[]>;
  close(withinMs: number): Promise<void>;
}

interface Place {
  readonly index: number;
  process: WorkerProcess | undefined;
  isReady: boolean;
  restarts: number;
  /** How many died soon, one after the other. */
  soon: number;
  /** How many ended in all. */
  ends: number;
  /** What the last one said that it cannot do. */
  failure: string | undefined;
}

/**
 * The pause before a process is started anew.
 * @param soon how many of its place died soon, one after the other
 */
export function pauseBefore(soon: number, leastMs: number, mostMs: number): number {
  return Math.min(mostMs, leastMs * 2 ** Math.max(0, soon - 1));
}

function newer(one: ToldModels | undefined, other: ToldModels | undefined): ToldModels | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return other.at > one.at ? other : one;
}

/**
 * Starts the first process and waits until its models are open, then the others: what the first has made or read of a
 * model the others find.
 * @throws what is wrong with the models; WORKER_LOST where the first process ends before; CANCELLED by the signal
 */
export async function openSupervisor(
  options: SupervisorOptions,
  signal?: AbortSignal,
): Promise<Supervisor> {
  const { count, start, log } = options;
  const { leastPauseMs = 100, mostPauseMs = 30_000, steadyMs = 60_000 } = options;
  const places: Place[] = Array.from({ length: count }, (_, index) => ({
    ...{ index, process: undefined, isReady: false, restarts: 0, soon: 0 },
    ...{ ends: 0, failure: undefined },
  }));
  const gone = new Map<string, EngineLoad>();
  const waiting = new Set<() => void>();
  const timers = new Set<NodeJS.Timeout>();
  const warm = createDeferred();
  let models: readonly OpenedSummarizer[] | undefined;
  let left: ToldModels | undefined;
  let closed = false;

  /** @throws WORKER_CHANGED where a process opened something else than the first one did */
  function checkSame(opened: readonly OpenedSummarizer[]): void {
    for (const { name, version, isAlias } of models ?? []) {
      // Each process follows an alias by itself.
      if (isAlias) continue;
      const found = opened.find((one) => one.name === name);
      if (found?.version === version) continue;
      const details = { model: name, version: found?.version ?? "none", expected: version };
      throw new BridleError("WORKER_CHANGED", details);
    }
  }

  function launch(place: Place): WorkerProcess {
    const process = start(place.index);
    const startedAt = performance.now();
    place.process = process;
    const settled = process.opened.then(async (opened) => {
      checkSame(opened);
      models ??= opened;
      await process.warm;
      place.isReady = true;
      warm.resolve();
      log.info({ worker: place.index, pid: process.pid }, "A worker is ready");
      for (const wake of [...waiting]) wake();
    });
    settled.catch((thrown) => {
      const { code, message, hint } = toBridleError(thrown);
      place.failure = code === "WORKER_LOST" ? undefined : message;
      if (!closed && code !== "WORKER_LOST") {
        log.error(
          { worker: place.index, code, hint },
          `A worker cannot open its models: ${message}`,
        );
      }
      // It says nothing of the model that a process was ended or found another one; else it will fail in every process.
      if (code !== "WORKER_LOST" && code !== "WORKER_CHANGED") warm.reject(thrown);
      void process.close(1000);
    });
    void process.ended.then((how) => {
      // What it told last of aliases may be the newest that is known while nobody else is ready.
      if (place.isReady) left = newer(left, process.told);
      place.process = undefined;
      place.isReady = false;
      for (const [name, load] of process.loads) {
        const all = addLoads(gone.get(name), leftOfLoad(load));
        if (all !== undefined) gone.set(name, all);
      }
      // The very first is its opener's to report.
      if (closed || models === undefined) return;
      place.soon = performance.now() - startedAt < steadyMs ? place.soon + 1 : 1;
      place.ends += 1;
      // Those that end in turn are given twice as many tries: one of them may yet have what it needs to itself.
      const isAny = places.some((other) => other.process !== undefined);
      const most = isAny ? 2 * hopelessEnds : hopelessEnds;
      if (places.every(({ ends }) => ends >= most)) {
        const reason = place.failure ?? how;
        // Says nothing once one has answered.
        warm.reject(new BridleError("WORKERS_HOPELESS", { count: most, reason }));
      }
      const pauseMs = pauseBefore(place.soon, leastPauseMs, mostPauseMs);
      log.error({ worker: place.index, pid: process.pid, pauseMs }, `A worker is gone: ${how}`);
      const timer = setTimeout(() => {
        timers.delete(timer);
        place.restarts += 1;
        launch(place);
      }, pauseMs);
      timers.add(timer);
    });
    return process;
  }

  async function close(withinMs: number): Promise<void> {
    closed = true;
    for (const timer of timers) clearTimeout(timer);
    for (const wake of [...waiting]) wake();
    await Promise.all(places.map(({ process }) => process?.close(withinMs)));
  }

  const free = (not: WorkerProcess | undefined): WorkerProcess | undefined => {
    const ready = places.flatMap(({ process, isReady }) =>
      process !== undefined && isReady ? [process] : [],
    );
    const others = ready.filter((one) => one !== not);
    const [first, ...rest] = others.length > 0 ? others : ready;
    return rest.reduce(
      (least, one) => (least !== undefined && one.pendingCount < least.pendingCount ? one : least),
      first,
    );
  };

  const stop = (): void => void close(1000);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await launch(places[0] as Place).opened;
    // The models are noted by whoever heard of the opening before.
    for (const place of places.slice(1)) launch(place);
  } catch (thrown) {
    await close(1000);
    throw signal?.aborted ? new BridleError("CANCELLED") : thrown;
  } finally {
    signal?.removeEventListener("abort", stop);
  }

  return {
    models: models ?? [],
    describe(name) {
      const ready = places.filter(({ isReady }) => isReady).map(({ process }) => process?.told);
      // Each follows an alias for itself: who told last knows the newest.
      const told = ready.reduce(newer, ready.length > 0 ? undefined : left);
      const found = (told?.models ?? models)?.find((one) => one.name === name);
      if (found === undefined) {
        const available = (models ?? []).map((one) => one.name).join(", ");
        throw new BridleError("MODEL_NOT_FOUND", { model: name, available });
      }
      return found;
    },
    warm: warm.promise,
    get isAvailable() {
      return places.some(({ isReady }) => isReady);
    },
    states: () =>
      places.map(({ index, process, isReady, restarts }) => ({
        place: index,
        pid: process?.pid,
        status: isReady ? "ready" : process === undefined ? "waiting" : "starting",
        pending: process?.pendingCount ?? 0,
        restarts,
      })),
    async pick(asked, not) {
      const startedAt = performance.now();
      for (;;) {
        if (asked?.aborted) throw abortError(asked, startedAt);
        if (closed) throw new BridleError("CANCELLED");
        const found = free(not);
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            waiting.delete(wake);
            asked?.removeEventListener("abort", wake);
            resolve();
          };
          waiting.add(wake);
          asked?.addEventListener("abort", wake, { once: true });
        });
      }
    },
    load(model) {
      let sum = gone.get(model);
      for (const { process } of places) sum = addLoads(sum, process?.loads.get(model));
      return sum;
    },
    async refresh() {
      const asked = places.map(async ({ process, isReady }) => {
        const done = process?.refresh();
        if (isReady) await done;
        // Whoever is not ready answers nobody yet, and tells what is wrong with it by itself.
        else done?.catch(() => {});
      });
      const outcomes = await Promise.allSettled(asked);
      for (const each of outcomes) if (each.status === "rejected") throw each.reason;
    },
    async metrics(withinMs) {
      const asked = places.map(({ process }) => process?.metrics(withinMs));
      return (await Promise.all(asked)).filter((found) => found !== undefined);
    },
    close,
  };
}
