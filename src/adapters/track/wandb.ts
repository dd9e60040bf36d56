// Tells Weights & Biases of runs through its own package: rows of metrics, configuration, summary, and how a run stands.
import { createHash } from "node:crypto";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BridleError } from "../../errors/error.js";
import type { EventSink, MetricPoint, RunEvent, RunIdentity } from "../../ports/event-sink.js";
import { openWandbForwarder, type WandbForwarder } from "./wandb-forwarder.js";
import { valuesOf, WandbHistory, type WandbOthers, type WandbState } from "./wandb-history.js";
import { projectOf, type WandbPlace, wandbPlace } from "./wandb-place.js";
import { checkWandbPackage, openWandbProcess, type WandbProcess } from "./wandb-process.js";
import { createWandbService, type WandbService } from "./wandb-service.js";

export interface WandbSinkOptions {
  /** See wandbPlace. */
  readonly where: string;
  /** Where the histories of runs are kept, for every process that tells of them. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** @throws PEER_MISSING. Left out, it looks for the package. */
  readonly checkPackage?: () => void;
  /** How often a run that tells nothing says that it goes on, in ms. Default 30 000. */
  readonly signEveryMs?: number;
  /** The service counts requests: how long a run that tells little waits between two, in ms. Default 2000. */
  readonly pauseMs?: number;
}

export interface WandbSink extends EventSink {
  /** The process of W&B's package; undefined while there is none. */
  readonly pid: number | undefined;
}

/** What the service has of a run, as W&B's own client asks when it takes a run up again. */
const resumeQuery = `query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    bucket(name: $name, missingOk: true) { name historyLineCount summaryMetrics config }
  }
}`;
const takenUpKey = "bridle.taken_up_at";
/** As programs end: well, badly, or by Ctrl-C. What was interrupted has not ended; the service sees that by itself. */
const exitCodes = { finished: 0, failed: 1, stopped: 255, interrupted: undefined } as const;

/**
 * A sink over W&B's package. Nothing is started or asked before the first events.
 * @throws SINK_UNKNOWN, SINK_KEY_MISSING, PEER_MISSING
 */
export function createWandbSink({
  where,
  folder,
  env,
  checkPackage = checkWandbPackage,
  signEveryMs = 30_000,
  pauseMs = 2000,
}: WandbSinkOptions): WandbSink {
  const place = wandbPlace(where, env);
  checkPackage();
  const service = createWandbService(place);
  const worker = openWandbProcess(service.name);
  let forwarder: Promise<WandbForwarder> | undefined;
  const runs = new Map<string, RunTeller>();
  let turn: Promise<unknown> = Promise.resolve();
  const closing = new AbortController();
  return {
    name: "wandb",
    destination: place.name,
    get pid() {
      return worker.pid;
    },
    send(run, events) {
      const sent = turn.then(async () => {
        if (closing.signal.aborted) {
          const reason = "nobody waits for it any more";
          throw new BridleError("SINK_UNAVAILABLE", { sink: service.name, reason });
        }
        forwarder ??= openWandbForwarder(service).catch((thrown) => {
          forwarder = undefined;
          throw thrown;
        });
        const parts = {
          ...{ place, service, worker, forwarder: await forwarder },
          ...{ signEveryMs, pauseMs, closing: closing.signal },
        };
        const teller =
          runs.get(run.id) ?? new RunTeller(parts, path.join(folder, fileFor(run, place)));
        runs.set(run.id, teller);
        try {
          await teller.send(run, events);
        } catch (thrown) {
          // It may have been deleted there: the next time it is looked for anew.
          runs.delete(run.id);
          throw thrown;
        }
        if (teller.hasEnded) runs.delete(run.id);
      });
      turn = sent.catch(() => {});
      return sent;
    },
    async close() {
      closing.abort();
      service.close();
      worker.close();
      (await forwarder?.catch(() => undefined))?.close();
    },
  };
}

function fileFor({ id }: RunIdentity, { name }: WandbPlace): string {
  return `${id}-${createHash("sha256").update(name).digest("hex").slice(0, 8)}.jsonl`;
}

interface Parts {
  readonly place: WandbPlace;
  readonly service: WandbService;
  readonly worker: WandbProcess;
  readonly forwarder: WandbForwarder;
  readonly signEveryMs: number;
  readonly pauseMs: number;
  readonly closing: AbortSignal;
}

/** Events that are not worth a request of their own at once. */
const fewPoints = 1000;

/** One run, and what the service has of it. */
class RunTeller {
  private readonly parts: Parts;
  private readonly history: WandbHistory;
  private isMet = false;
  private toldAt = Number.NEGATIVE_INFINITY;

  constructor(parts: Parts, file: string) {
    this.parts = parts;
    this.history = new WandbHistory(file);
  }

  get hasEnded(): boolean {
    return this.history.state.end !== undefined;
  }

  async send(run: RunIdentity, events: readonly RunEvent[]): Promise<void> {
    const { history } = this;
    await history.catchUp();
    if (!this.isMet) await this.meet(run);
    this.isMet = true;
    const next = stateAfter(history.state, run, events, this.parts.service.name);
    const points = events.flatMap((event) => (event.type === "points" ? event.points : []));
    await history.add(points);
    const isSign =
      events.some(({ type }) => type === "alive") &&
      performance.now() - this.toldAt >= this.parts.signEveryMs;
    if (!history.hasUntold && history.isTold(next) && !isSign) return;
    const { pauseMs, closing } = this.parts;
    const pause = this.toldAt + pauseMs - performance.now();
    if (pause > 0 && next.end === undefined && points.length < fewPoints) {
      await sleep(pause, undefined, { signal: closing }).catch(() => {});
    }
    await this.tell(run, next, isSign, points);
    this.toldAt = performance.now();
  }

  /** Tells everything that is not told, in as many sessions of the package as it takes. */
  private async tell(
    run: RunIdentity,
    next: WandbState,
    isSign: boolean,
    points: readonly MetricPoint[],
  ): Promise<void> {
    const { history, parts } = this;
    const { forwarder, place, worker } = parts;
    const { baseUrl, apiKey } = forwarder;
    const exitCode = next.end && exitCodes[next.end.status];
    do {
      const rows = history.nextUntold();
      const isLast = rows.length === history.untoldRows;
      const session = {
        ...{ runId: run.id, rows, startedAt: run.startedAt, summary: history.summary() },
        ...{ exitCode: isLast ? exitCode : undefined, isSign },
      };
      const work = {
        ...{ baseUrl, apiKey, exitCode: exitCode ?? 0, rows: rows.map(valuesOf) },
        run: {
          ...{ id: run.id, entity: place.entity, project: projectOf(place, run.experiment) },
          name: next.name,
          config: configOf(next, history.metricKeys),
        },
      };
      try {
        await forwarder.during(session, () => worker.tell(work));
      } catch (thrown) {
        const isRefused = thrown instanceof BridleError && thrown.code === "SINK_REFUSED";
        // Else they would hold up all that follow; whoever sent them sets them aside, or sends them one by one.
        if (isRefused) await history.empty(points);
        throw thrown;
      }
      const last = rows.at(-1);
      await history.markTold(last === undefined ? 0 : last.number + 1, isLast ? next : undefined);
    } while (history.hasUntold);
  }

  /** Asks what the service has of the run, told from elsewhere. */
  private async meet(run: RunIdentity): Promise<void> {
    const { place, service } = this.parts;
    type Answer = {
      readonly model?: {
        readonly bucket?: {
          readonly historyLineCount?: number | null;
          readonly summaryMetrics?: string | null;
          readonly config?: string | null;
        } | null;
      } | null;
    };
    const answer = await service.query<Answer | undefined>(
      resumeQuery,
      { project: projectOf(place, run.experiment), entity: place.entity || null, name: run.id },
      "the question for the run",
    );
    const { history } = this;
    const bucket = answer?.model?.bucket;
    if (!bucket) {
      if (history.wasTold) await history.setAside();
      return;
    }
    // What others told from here meanwhile is in the file.
    await history.catchUp();
    const rows = bucket.historyLineCount ?? 0;
    // As many as are known here, or fewer: they were told from here.
    if (rows <= history.rows && (history.rows > 0 || history.wasTold)) return;
    await history.markOthers(othersIn(rows, bucket.config, bucket.summaryMetrics));
  }
}

function othersIn(rows: number, config: unknown, summary: unknown): WandbOthers {
  const values = Object.entries(recordIn(config))
    .filter(([key]) => !key.startsWith("_"))
    .map(([key, value]) => {
      const isWrapped = typeof value === "object" && value !== null && "value" in value;
      return [key, isWrapped ? value.value : value];
    });
  const known = Object.fromEntries(values) as Record<string, unknown>;
  const takenUpAt = Number(known[takenUpKey] ?? 0) || 0;
  return { rows, config: known, takenUpAt, summary: recordIn(summary) };
}

/** What JSON in an answer holds; nothing where it is something else. */
function recordIn(text: unknown): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = typeof text === "string" ? JSON.parse(text) : undefined;
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function takenUpAt(run: RunIdentity): number {
  return run.takenUpAt ?? run.startedAt;
}

/**
 * What the service is to be told after some events. Those of a process after which another one took the run up fill in what
 * is missing.
 */
function stateAfter(
  before: WandbState,
  run: RunIdentity,
  events: readonly RunEvent[],
  sink: string,
): WandbState {
  const isLate = before.takenUpAt > takenUpAt(run);
  let { name, end } = before;
  const config: Record<string, unknown> = { ...before.config };
  const set = (values: Readonly<Record<string, string>>, prefix = "", fillsIn = isLate) => {
    for (const [key, value] of Object.entries(values)) {
      if (fillsIn && Object.hasOwn(config, `${prefix}${key}`)) continue;
      config[`${prefix}${key}`] = plain(value);
    }
  };
  set(describe(run), "", isLate);
  if (name === "") name = run.name;
  for (const event of events) {
    switch (event.type) {
      case "start":
        if (isLate) break;
        name = event.run.name;
        end = undefined;
        set({ "bridle.status": "running", "bridle.error": "" });
        break;
      case "params":
        set(event.values);
        break;
      case "tags":
        set(event.values, "tags.");
        break;
      case "artifact": {
        const { name: file, sha256, sizeBytes, blob, uri } = event.artifact;
        const what = `${sizeBytes} bytes, sha256 ${sha256}`;
        set({ [file]: uri === "" ? `${what}, kept as ${blob}` : `${uri} (${what})` }, "files.");
        break;
      }
      case "end":
        // The end of an earlier try may come late.
        if (isLate || (end !== undefined && end.at > event.at)) break;
        end = { status: event.status, at: event.at, error: event.error };
        set({ "bridle.status": event.status, "bridle.error": event.error });
        break;
      // Rows are told as such. The package takes no lines, and a sign of life is none of the state.
      case "points":
      case "lines":
      case "alive":
        break;
      default: {
        const what = `an event of run ${run.id}`;
        const reason = "it is of a kind that this version does not know";
        throw new BridleError("SINK_REFUSED", { sink, what, reason });
      }
    }
  }
  return { name, config, end, takenUpAt: Math.max(before.takenUpAt, takenUpAt(run)) };
}

function describe(run: RunIdentity): Record<string, string> {
  const about = {
    "bridle.run_id": run.id,
    "bridle.experiment": run.experiment,
    [takenUpKey]: String(takenUpAt(run)),
    "bridle.commit": run.commit,
    "bridle.source": run.source,
    "bridle.host": run.host,
    "bridle.output": run.output,
    "bridle.config_sha256": run.configSha256,
    "bridle.parent": run.parent,
  };
  return Object.fromEntries(Object.entries(about).filter(([, value]) => value !== ""));
}

/** A number or a truth as such, so that W&B compares by it; any other text as it is. */
function plain(value: string): unknown {
  try {
    const read: unknown = JSON.parse(value);
    const isPlain = typeof read === "number" || typeof read === "boolean";
    return isPlain && JSON.stringify(read) === value ? read : value;
  } catch {
    return value;
  }
}

/**
 * The configuration in the form that W&B's own clients give it. It says too that metrics are charted along `step`, as
 * `define_metric(KEY, step_metric="step")` does: a row's own number counts rows.
 */
function configOf({ config }: WandbState, metricKeys: readonly string[]): object {
  const m = [
    { "1": "step", "6": [3] },
    ...metricKeys.map((key) => ({ "1": key, "5": 1, "6": [1] })),
  ];
  const values = Object.entries(config).map(([key, value]) => [key, { value }]);
  return {
    ...Object.fromEntries(values),
    ...(metricKeys.length > 0 && { _wandb: { value: { m } } }),
  };
}
