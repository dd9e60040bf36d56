// Between a run and a sink: events are gathered for a second, written to a spool on disk, and sent from there, again where
// that fails.
import { appendFile, mkdir } from "node:fs/promises";
import path from "node:path";
import { BridleError, toBridleError } from "../errors/error.js";
import type {
  EventSink,
  LogLine,
  MetricPoint,
  RunEvent,
  RunIdentity,
} from "../ports/event-sink.js";
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
  /**
   * Has what was told so far outlive this process, and the machine's power: afterwards it is delivered or on the disk. Waits
   * for no sink, and never throws; where the disk takes nothing, it stays in memory.
   */
  keep(): Promise<void>;
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
/** Points, lines and other events that wait in memory where even the spool cannot be written. */
const mostWaiting = 20_000;
/** Points and lines of one event. */
const mostInOne = 1000;
/** What will not go better another time. */
const lasting = new Set(["BUG", "DATABASE_CONFLICT", "SINK_REFUSED"]);

export function openOutbox(sink: EventSink, run: RunIdentity, options: OutboxOptions): Outbox {
  return new SpooledOutbox(sink, run, createSpool(options.folder, sink, run), options);
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
  const deliveries: LeftDelivery[] = [];
  for (const { sink: of, run, spool } of await takeLeftSpools(folder, sinks, onWarning)) {
    const sink = sinks.find((each) => each === of) as EventSink;
    const { name } = sink;
    try {
      const send = sender(sink, run, spool, onWarning);
      await spool.drain(send);
      deliveries.push({ sink: name, run, file: spool.file, error: undefined });
    } catch (thrown) {
      const error = toBridleError(thrown);
      // Not this process's any more: the next one to try may be another.
      const file = await spool.release();
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
 * @returns the sink, and what came of that; never rejects
 */
export function afterLeftSpools(
  sink: EventSink,
  folder: string,
  onWarning: (message: string) => void,
): { readonly sink: EventSink; readonly left: Promise<void> } {
  const left = deliverLeftSpools(folder, [sink], onWarning).then(
    () => {},
    (thrown) => onWarning(`What waits in ${folder} is not sent: ${toBridleError(thrown).message}`),
  );
  return {
    left,
    sink: {
      name: sink.name,
      destination: sink.destination,
      async send(run, events) {
        await left;
        await sink.send(run, events);
      },
      close: () => sink.close(),
    },
  };
}

/** Sends events of a spool; tells of each kind that is refused once. */
function sender(
  sink: EventSink,
  run: RunIdentity,
  spool: Spool,
  onWarning: (message: string) => void,
): (events: readonly RunEvent[]) => Promise<void> {
  const told = new Set<string>();
  return (events) =>
    sendEach(sink, run, events, spool.refusedFile, (type, reason) => {
      if (told.has(type)) return;
      told.add(type);
      onWarning(
        `${sink.name} refused ${type} of run ${run.id}: ${reason} What it refuses is kept in ${spool.refusedFile}.`,
      );
    });
}

/** Sends events; those that a sink will never take are set aside, so that they do not hold up the others. */
async function sendEach(
  sink: EventSink,
  run: RunIdentity,
  events: readonly RunEvent[],
  refusedFile: string,
  onRefused: (type: RunEvent["type"], reason: string) => void,
): Promise<void> {
  try {
    await sink.send(run, events);
  } catch (thrown) {
    if (!(thrown instanceof BridleError) || !lasting.has(thrown.code)) throw thrown;
    if (events.length > 1) {
      for (const event of events) await sendEach(sink, run, [event], refusedFile, onRefused);
      return;
    }
    const { name, destination } = sink;
    const kept = { sink: name, destination, run, error: thrown.message, events };
    await mkdir(path.dirname(refusedFile), { recursive: true });
    await appendFile(refusedFile, `${JSON.stringify(kept)}\n`);
    for (const { type } of events) onRefused(type, thrown.message);
  }
}

class SpooledOutbox implements Outbox {
  private readonly sink: EventSink;
  private readonly run: RunIdentity;
  private readonly spool: Spool;
  private readonly options: Required<OutboxOptions>;
  private readonly sendAll: (events: readonly RunEvent[]) => Promise<void>;
  /** What is not in the spool yet: of the last second, or more where the spool cannot be written. */
  private waiting: RunEvent[] = [];
  /** What is being sent without having been in the spool. */
  private unspooled: readonly RunEvent[] = [];
  private spoolFault: unknown;
  private keeping: Promise<void> = Promise.resolve();
  private delivering: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private gatheredSince = 0;
  private failures = 0;
  private retryAt = 0;
  private lost = 0;
  private isClosed = false;
  private hasToldRest = false;

  constructor(sink: EventSink, run: RunIdentity, spool: Spool, options: OutboxOptions) {
    this.sink = sink;
    this.run = run;
    this.spool = spool;
    this.options = { gatherMs: 1000, retryMs: 1000, ...options };
    this.sendAll = sender(sink, run, spool, options.onWarning);
  }

  push(event: RunEvent): void {
    // The end was the last that there is to tell.
    if (this.isClosed) return;
    const now = performance.now();
    if (this.timer === undefined) this.gatheredSince = now;
    this.gather(event);
    const { gatherMs } = this.options;
    if (now - this.gatheredSince >= gatherMs) {
      // Work that never lets timers have a turn does not hold it back.
      void this.pass();
      return;
    }
    this.timer ??= setTimeout(() => void this.pass(), gatherMs).unref();
  }

  private gather(event: RunEvent): void {
    const last = this.waiting.at(-1);
    if (event.type === "points" && last?.type === "points" && last.points.length < mostInOne) {
      (last.points as MetricPoint[]).push(...event.points);
    } else if (event.type === "lines" && last?.type === "lines" && last.lines.length < mostInOne) {
      (last.lines as LogLine[]).push(...event.lines);
    } else if (event.type === "alive" && last?.type === "alive") {
      this.waiting[this.waiting.length - 1] = event;
    } else if (event.type === "points") {
      // Of its own: more is added to it.
      this.waiting.push({ type: "points", points: [...event.points] });
    } else if (event.type === "lines") {
      this.waiting.push({ type: "lines", lines: [...event.lines] });
    } else this.waiting.push(event);
  }

  /** What happens each second: the spool gets what was gathered, also while a sink lets us wait. */
  private async pass(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.gatheredSince = performance.now();
    await this.store(false);
    await this.deliver();
  }

  async flush(): Promise<void> {
    await this.store(false);
    // One that is under way may have ended before it saw the last.
    await this.delivering;
    await this.deliver();
  }

  keep(): Promise<void> {
    return this.store(true);
  }

  /** Puts what waits into the spool. Never throws. */
  private store(isSure: boolean): Promise<void> {
    this.keeping = this.keeping.then(async () => {
      const events = [...this.unspooled, ...this.waiting];
      const count = this.waiting.length;
      // Nothing is added to these any more.
      this.waiting = [];
      try {
        await this.spool.append(events, isSure);
        this.unspooled = [];
        this.spoolFault = undefined;
      } catch (thrown) {
        this.spoolFault = thrown;
        this.waiting = [...events.slice(events.length - count), ...this.waiting];
        this.dropOldest();
      }
    });
    return this.keeping;
  }

  /** Memory has its bound; beginnings, ends and names are small, and stay. */
  private dropOldest(): void {
    let tooMany = this.waiting.reduce((sum, event) => sum + sizeOf(event), 0) - mostWaiting;
    if (tooMany <= 0) return;
    if (this.lost === 0) {
      const reason = reasonOf(this.spoolFault);
      this.options.onWarning(`What the run tells ${this.sink.name} is being lost: ${reason}`);
    }
    this.waiting = this.waiting.flatMap((event) => {
      if (tooMany <= 0 || (event.type !== "points" && event.type !== "lines")) return [event];
      const gone = Math.min(tooMany, sizeOf(event));
      tooMany -= gone;
      this.lost += gone;
      if (gone === sizeOf(event)) return [];
      if (event.type === "lines") return [{ type: "lines", lines: event.lines.slice(gone) }];
      return [{ type: "points", points: event.points.slice(gone) }];
    });
  }

  /** Sends what waits; one at a time. Never throws. */
  private deliver(): Promise<void> {
    this.delivering ??= this.send().finally(() => {
      this.delivering = undefined;
      // What came while it ended, or is to be tried again.
      if (this.spool.isEmpty || this.isClosed) return;
      this.timer ??= setTimeout(() => void this.pass(), this.options.gatherMs).unref();
    });
    return this.delivering;
  }

  private async send(): Promise<void> {
    const hasUnspooled = this.spoolFault !== undefined && this.waiting.length > 0;
    if (this.spool.isEmpty && !hasUnspooled) return;
    if (performance.now() < this.retryAt) return;
    const { onWarning, retryMs } = this.options;
    try {
      await this.spool.drain(this.sendAll);
      await this.sendUnspooled();
      if (this.failures > 0 && !this.hasToldRest) {
        onWarning(`${this.sink.name} takes what the run tells again.`);
      }
      this.failures = 0;
    } catch (thrown) {
      const wait = Math.min(longestRetryMs, retryMs * 2 ** this.failures++);
      this.retryAt = performance.now() + wait;
      if (this.failures === 1 && !this.hasToldRest) {
        onWarning(
          `${this.sink.name} does not take what the run tells: ${reasonOf(thrown)} It is kept in ${this.where()} and sent again.`,
        );
      }
    }
  }

  private where(): string {
    const folder = path.dirname(this.spool.file);
    if (this.spoolFault === undefined) return folder;
    return `memory, because ${folder} cannot be written (${reasonOf(this.spoolFault)}),`;
  }

  /** A sink may take what the disk has no room for. */
  private async sendUnspooled(): Promise<void> {
    await this.keeping;
    if (this.spoolFault === undefined || this.waiting.length === 0) return;
    this.unspooled = this.waiting;
    this.waiting = [];
    try {
      await this.sendAll(this.unspooled);
    } catch (thrown) {
      // Unless the spool has got them in the meantime.
      this.waiting = [...this.unspooled, ...this.waiting];
      throw thrown;
    } finally {
      this.unspooled = [];
    }
  }

  async close(patienceMs: number): Promise<boolean> {
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.store(true);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), patienceMs);
    });
    const sent = (async () => {
      await this.delivering;
      this.retryAt = 0;
      await this.flush();
    })();
    const outcome = await Promise.race([sent, late]);
    clearTimeout(timer);
    clearTimeout(this.timer);
    this.hasToldRest = true;
    const { onWarning } = this.options;
    const [{ name }, { id }] = [this.sink, this.run];
    const inMemory = [...this.unspooled, ...this.waiting];
    const lost = inMemory.reduce((sum, event) => sum + sizeOf(event), this.lost);
    if (lost > 0) onWarning(`${lost} things that run ${id} told ${name} are lost.`);
    if (this.spool.isEmpty) return lost === 0;
    // What is on its way may still arrive, also twice, which does no harm. Afterwards whoever comes first has the rest.
    const file = outcome === "late" ? this.spool.file : await this.spool.release();
    if (outcome === "late") void sent.then(() => this.spool.release());
    onWarning(
      `${name} does not have all that run ${id} told. The rest is in ${file}, and is sent by the next command that records something, or by: bridle runs sync`,
    );
    return false;
  }
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function sizeOf(event: RunEvent): number {
  if (event.type === "points") return event.points.length;
  return event.type === "lines" ? event.lines.length : 1;
}
