// A process that works: models of its own, told what to do by the process that answers people, and gone with it.
import { collectDefaultMetrics, Registry } from "prom-client";
import { compose, getSummarizer, type Service } from "../../compose.js";
import { BridleError, type ErrorData, toBridleError, toErrorData } from "../../errors/error.js";
import type { SummaryResult } from "../../summarize/summarizer.js";
import { describeFailure, type Logger, logModelChange, openLog, roundingLog } from "../log.js";
import type { FromProcess, OpenedSummarizer, ProcessConfig, ToProcess } from "./messages.js";

if (process.send === undefined)
  throw new BridleError("BUG", { reason: "the working process was started by hand" });

const tell = (message: FromProcess): void => {
  if (process.connected) process.send?.(message);
};

// A terminal and service managers tell everybody to stop; when to, is for the one who answers people to say.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});
// It is gone, however it went: nobody hears what is done here any more.
process.on("disconnect", () => process.exit(0));

const registry = new Registry();
collectDefaultMetrics({ register: registry });

/** Requests under way. */
const running = new Map<number, AbortController>();
let service: Service | undefined;
let log: Logger | undefined;
/** Refreshes that were asked for before it was ready; undefined from then on. */
let early: number[] | undefined = [];

function describe({ summarizers, followed }: Service): OpenedSummarizer[] {
  return [...summarizers].map(
    ([name, { model, version, digest, licence, pending, traits, ...asked }]) => ({
      ...{ name, isAlias: followed?.has(name) === true, model, version, traits },
      ...{ supportedParameters: asked.supportedParameters, defaults: asked.defaults },
      ...(digest !== undefined && { digest }),
      ...(licence !== undefined && { licence }),
      ...(pending && {
        pending: { version: pending.version, error: toErrorData(pending.error) },
      }),
    }),
  );
}

/** The models as they were told last. */
let told = "";

function tellChange(opened: Service): void {
  const models = describe(opened);
  const now = JSON.stringify(models);
  if (now === told) return;
  told = now;
  tell({ type: "changed", models });
}

async function start(config: ProcessConfig): Promise<void> {
  log = openLog(config);
  try {
    const opened = await compose({ ...config, takeTurn }, { onRounding: roundingLog(log) });
    service = opened;
    const changes = log;
    const models = describe(opened);
    tell({ type: "opened", models });
    told = JSON.stringify(models);
    opened.onModelChange?.((event) => {
      logModelChange(changes, event);
      tellChange(opened);
    });
    await opened.warmUp();
    // What was opened may have been moved from since; nobody is to be answered by that who knows of the move.
    while (early !== undefined && early.length > 0) await refresh(opened, early.splice(0));
    early = undefined;
    tell({ type: "warm" });
    tellLoads();
  } catch (thrown) {
    tell({ type: "failed", error: toErrorData(thrown) });
  }
}

async function summarize(
  opened: Service,
  {
    id,
    model,
    document,
    parameters,
    priority,
    wantsEvents,
  }: ToProcess & { readonly type: "summarize" },
): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  let timingsMs: SummaryResult["timingsMs"] | undefined;
  try {
    const result = await getSummarizer(opened, model).summarize(document, {
      signal: controller.signal,
      onFailure: (times) => {
        timingsMs = times;
      },
      ...(parameters && { parameters }),
      ...(priority && { priority }),
      ...(wantsEvents && { onEvent: (event) => tell({ type: "event", id, event }) }),
    });
    tell({ type: "done", id, result });
  } catch (thrown) {
    const error = toBridleError(thrown);
    if (error.kind === "bug") log?.error(describeFailure(error), "A request failed on a bug");
    tell({ type: "error", id, error: toErrorData(error), timingsMs });
  } finally {
    running.delete(id);
  }
}

/** What answers after a promotion is told before the end of it is. */
async function refresh(opened: Service, ids: readonly number[]): Promise<void> {
  let failure: { readonly error?: ErrorData } = {};
  try {
    await opened.refreshModels?.();
  } catch (thrown) {
    failure = { error: toErrorData(thrown) };
  }
  tellChange(opened);
  for (const id of ids) tell({ type: "refreshed", id, ...failure });
}

/** Those who wait for their turn to open a version. */
const wanting = new Map<number, () => void>();
let nextTurn = 0;

async function takeTurn(signal: AbortSignal): Promise<() => void> {
  const id = nextTurn++;
  tell({ type: "turn-wanted", id });
  await new Promise<void>((resolve, reject) => {
    const giveUp = (): void => {
      wanting.delete(id);
      reject(new BridleError("CANCELLED"));
    };
    wanting.set(id, () => {
      wanting.delete(id);
      signal.removeEventListener("abort", giveUp);
      resolve();
    });
    if (signal.aborted) giveUp();
    else signal.addEventListener("abort", giveUp, { once: true });
  });
  return () => tell({ type: "turn-over", id });
}

const loadEveryMs = 250;
let toldIdle = false;

/** What the engines are at work on, as long as anything is. */
function tellLoads(): void {
  const loads = [...(service?.summarizers ?? [])].flatMap(([name, summarizer]) => {
    const load = summarizer.load?.();
    return load === undefined ? [] : [[name, load] as const];
  });
  if (loads.length > 0) tell({ type: "loads", loads });
}

setInterval(() => {
  const idle = running.size === 0;
  // Once more after the last request, so that what is told ends at rest.
  if (!idle || !toldIdle) tellLoads();
  toldIdle = idle;
  // What could not be opened may need it no more without anything being told.
  if (service !== undefined && told !== "") tellChange(service);
}, loadEveryMs).unref();

async function close(): Promise<void> {
  for (const controller of running.values()) controller.abort();
  await service?.close();
  process.disconnect();
}

process.on("message", (message: ToProcess) => {
  switch (message.type) {
    case "start":
      void start(message.config);
      break;
    case "summarize":
      if (service !== undefined) void summarize(service, message);
      break;
    case "cancel":
      running
        .get(message.id)
        ?.abort(
          new DOMException(
            "The work is not wanted.",
            message.timedOut ? "TimeoutError" : "AbortError",
          ),
        );
      break;
    case "metrics":
      void registry
        .getMetricsAsJSON()
        .then((metrics) => tell({ type: "metrics", id: message.id, metrics }));
      break;
    case "turn":
      // Nobody may want it any more.
      (wanting.get(message.id) ?? (() => tell({ type: "turn-over", id: message.id })))();
      break;
    case "ping":
      tell({ type: "pong" });
      break;
    case "refresh":
      if (early !== undefined) early.push(message.id);
      else if (service !== undefined) void refresh(service, [message.id]);
      break;
    case "close":
      void close();
      break;
  }
});
