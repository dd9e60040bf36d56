// Between a run and a sink: events are gathered for a second, sent, kept in a spool where that fails, and sent again.
import { appendFile } from "node:fs/promises";
import { BridleError, toBridleError } from "../errors/error.js";
import type { EventSink, RunEvent, RunIdentity } from "../ports/event-sink.js";
import { createSpool, type Spool, takeLeftSpools } from "./spool.js";

export interface OutboxOptions {
  /** Where spools lie. */
  readonly folder: string;
  /** Told once when a sink fails, once when it works again, and once if something is lost. */
  readonly onWarning: (message: string) => void;
  /** How long events are gathered, in ms. Default 1000. */
  readonly gatherMs?: number;
  /** The first wait after a failure; each next one is twice as long, up to a minute. Default 1000. */
  readonly retryMs?: number;
}

/** A run sends without waiting, and nothing that goes wrong on the way comes back to it. */
export interface Outbox {
  push(event: RunEvent): void;
  /** Sends what was gathered. */
  flush(): Promise<void>;
  /**
   * Sends the rest, or leaves it in the spool where that takes longer than it may.
   * @returns whether everything was delivered
   */
  close(patienceMs: number): Promise<boolean>;
}

/** Waits between tries grow up to this. */
const longestRetryMs = 60_000;
/** Events that wait in memory where even the spool cannot be written. */
const mostWaiting = 20_000;
/** What will not go better another time. */
const lasting = new Set(["BUG", "DATABASE_CONFLICT", "SINK_REFUSED"]);

export function openOutbox(sink: EventSink, run: RunIdentity, options: OutboxOptions): Outbox {
  return new SpooledOutbox(sink, run, createSpool(options.folder, sink.name, run), options);
}

/** Delivers a spool that another process left. @throws what the sink throws; the rest waits for the next try */
export async function deliverSpool(
  sink: EventSink,
  run: RunIdentity,
  spool: Spool,
  onWarning: (message: string) => void,
): Promise<void> {
  await spool.drain((events) => sendEach(sink, run, events, spool.file, onWarning));
}

/** What came of a spool that another process left. */
export interface LeftDelivery {
  readonly sink: string;
  readonly run: RunIdentity;
  /** Why it is still where it was, in `file`; undefined where it was delivered. */
  readonly error: BridleError | undefined;
  readonly file: string;
}

/** Delivers the spools that other processes left, for the sinks there are. What does not go now waits for the next time. */
export async function deliverLeftSpools(
  folder: string,
  sinks: readonly EventSink[],
  onWarning: (message: string) => void,
): Promise<readonly LeftDelivery[]> {
  const names = new Set(sinks.map(({ name }) => name));
  const deliveries: LeftDelivery[] = [];
  for (const { sink: name, run, spool } of await takeLeftSpools(folder, names)) {
    const sink = sinks.find((each) => each.name === name) as EventSink;
    const { file } = spool;
    try {
      await deliverSpool(sink, run, spool, onWarning);
      deliveries.push({ sink: name, run, file, error: undefined });
    } catch (thrown) {
      const error = toBridleError(thrown);
      onWarning(
        `${name} does not take what run ${run.id} told yet: ${error.message} It stays in ${file}.`,
      );
      deliveries.push({ sink: name, run, file, error });
    }
  }
  return deliveries;
}

/**
 * A sink that first gets what other processes left for it, so that what a run told comes in its order; whoever sends waits
 * for that, and nobody else does.
 */
export function afterLeftSpools(
  sink: EventSink,
  folder: string,
  onWarning: (message: string) => void,
): EventSink {
  const left = deliverLeftSpools(folder, [sink], onWarning);
  left.catch(() => {});
  return {
    name: sink.name,
    async send(run, events) {
      await left;
      await sink.send(run, events);
    },
    close: () => sink.close(),
  };
}

/** Sends events; those that a sink will never take are set aside, so that they do not hold up the others. */
async function sendEach(
  sink: EventSink,
  run: RunIdentity,
  events: readonly RunEvent[],
  spoolFile: string,
  onWarning: (message: string) => void,
): Promise<void> {
  try {
    await sink.send(run, events);
  } catch (thrown) {
    if (!(thrown instanceof BridleError) || !lasting.has(thrown.code)) throw thrown;
    if (events.length > 1) {
      for (const event of events) await sendEach(sink, run, [event], spoolFile, onWarning);
      return;
    }
    const file = spoolFile.replace(/\.jsonl$/, ".refused.jsonl");
    await appendFile(file, `${JSON.stringify({ run: run.id, error: thrown.message, events })}\n`);
    onWarning(
      `${sink.name} refused a ${events[0]?.type}: ${thrown.message} It is kept in ${file}.`,
    );
  }
}

class SpooledOutbox implements Outbox {
  private readonly sink: EventSink;
  private readonly run: RunIdentity;
  private readonly spool: Spool;
  private readonly options: Required<OutboxOptions>;
  private waiting: RunEvent[] = [];
  private inWork: readonly RunEvent[] = [];
  private flushing: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private gatheredSince = 0;
  private failures = 0;
  private retryAt = 0;
  private lost = 0;

  constructor(sink: EventSink, run: RunIdentity, spool: Spool, options: OutboxOptions) {
    this.sink = sink;
    this.run = run;
    this.spool = spool;
    this.options = { gatherMs: 1000, retryMs: 1000, ...options };
  }

  push(event: RunEvent): void {
    const now = performance.now();
    if (this.waiting.length === 0) this.gatheredSince = now;
    this.gather(event);
    const { gatherMs } = this.options;
    if (now - this.gatheredSince >= gatherMs) {
      // Work that never lets timers have a turn does not hold it back.
      void this.flush();
      return;
    }
    this.timer ??= setTimeout(() => void this.flush(), gatherMs).unref();
  }

  private gather(event: RunEvent): void {
    const last = this.waiting.at(-1);
    if (event.type === "points" && last?.type === "points") {
      this.waiting[this.waiting.length - 1] = {
        type: "points",
        points: [...last.points, ...event.points],
      };
    } else if (event.type === "lines" && last?.type === "lines") {
      this.waiting[this.waiting.length - 1] = {
        type: "lines",
        lines: [...last.lines, ...event.lines],
      };
    } else if (event.type === "alive" && last?.type === "alive") {
      this.waiting[this.waiting.length - 1] = event;
    } else this.waiting.push(event);
  }

  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.flushing !== undefined) {
      await this.flushing;
      if (this.waiting.length === 0) return;
    }
    this.flushing ??= this.deliver().finally(() => {
      this.flushing = undefined;
      // What came in the meantime has its own second.
      if (this.waiting.length > 0) {
        this.timer ??= setTimeout(() => void this.flush(), this.options.gatherMs).unref();
      }
    });
    await this.flushing;
  }

  /** Never throws. */
  private async deliver(): Promise<void> {
    this.inWork = this.waiting;
    this.waiting = [];
    if (this.inWork.length === 0 && this.spool.isEmpty) return;
    const { onWarning, retryMs } = this.options;
    const send = (events: readonly RunEvent[]) =>
      sendEach(this.sink, this.run, events, this.spool.file, onWarning);
    if (performance.now() < this.retryAt) {
      await this.keep();
      return;
    }
    try {
      await this.spool.drain(send);
      if (this.inWork.length > 0) await send(this.inWork);
      this.inWork = [];
      if (this.failures > 0) onWarning(`${this.sink.name} takes what the run tells again.`);
      this.failures = 0;
    } catch (thrown) {
      const wait = Math.min(longestRetryMs, retryMs * 2 ** this.failures++);
      this.retryAt = performance.now() + wait;
      if (this.failures === 1) {
        const reason = thrown instanceof Error ? thrown.message : String(thrown);
        onWarning(
          `${this.sink.name} does not take what the run tells: ${reason} It is kept in ${this.spool.file} and sent again.`,
        );
      }
      await this.keep();
    }
  }

  /** Puts what is in work into the spool, or back where the spool cannot be written either. */
  private async keep(): Promise<void> {
    const events = this.inWork;
    this.inWork = [];
    try {
      await this.spool.append(events);
    } catch (thrown) {
      this.waiting = [...events, ...this.waiting];
      const tooMany = this.waiting.length - mostWaiting;
      if (tooMany <= 0) return;
      this.waiting.splice(0, tooMany);
      if (this.lost === 0) {
        const reason = thrown instanceof Error ? thrown.message : String(thrown);
        this.options.onWarning(`What the run tells ${this.sink.name} is being lost: ${reason}`);
      }
      this.lost += tooMany;
    }
  }

  async close(patienceMs: number): Promise<boolean> {
    this.retryAt = 0;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), patienceMs);
    });
    const sent = (async () => {
      // One that is under way may have begun before the last events.
      await this.flushing;
      this.retryAt = 0;
      await this.flush();
    })();
    const outcome = await Promise.race([sent, late]);
    clearTimeout(timer);
    clearTimeout(this.timer);
    if (outcome === "late") {
      // What is on its way may arrive as well, which does no harm.
      await this.spool.append([...this.inWork, ...this.waiting]).catch(() => {});
      return false;
    }
    return this.spool.isEmpty && this.waiting.length === 0 && this.lost === 0;
  }
}
