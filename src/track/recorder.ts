// What whoever runs something holds to have it recorded: every call returns at once, and none throws.
import { randomInt } from "node:crypto";
import type {
  LogLine,
  MetricPoint,
  RunArtifact,
  RunEvent,
  RunIdentity,
  RunStatus,
} from "../ports/event-sink.js";
import type { Outbox } from "./outbox.js";
import type { SystemReading } from "./system.js";

export interface RecorderOptions {
  readonly run: RunIdentity;
  readonly outboxes: readonly Outbox[];
  /** Number of the next line, where the run was taken up again. */
  readonly nextLine?: number;
  /** Readings of the machine, taken every so often. */
  readonly readSystem?: () => Promise<SystemReading>;
  /** Default 10 000. */
  readonly systemEveryMs?: number;
}

export interface MetricMoment {
  readonly step: number;
  readonly epoch?: number;
}

export interface Recorder {
  readonly run: RunIdentity;
  /** Begins; before it nothing else is told. A run that is taken up again says after which step, once that is known. */
  start(fromStep: number): void;
  metrics(values: Readonly<Record<string, number | undefined>>, moment: MetricMoment): void;
  params(values: Readonly<Record<string, string>>): void;
  tags(values: Readonly<Record<string, string>>): void;
  line(text: string, level?: LogLine["level"]): void;
  artifact(artifact: RunArtifact): void;
  /** Has what was told so far outlive this process; waits for the disk, and for no sink. Never throws. */
  keep(): Promise<void>;
  /**
   * Tells the end and sends what is left.
   * @param patienceMs how long that may take
   * @returns whether every sink has everything
   */
  end(status: Exclude<RunStatus, "running">, error?: string, patienceMs?: number): Promise<boolean>;
}

const aliveEveryMs = 5000;
const letters = "abcdefghijkmnpqrstuvwxyz23456789";

/** An id that people can read out: no l, o, 0 or 1 in it. */
export function createRunId(): string {
  return Array.from({ length: 8 }, () => letters[randomInt(letters.length)]).join("");
}

export function createRecorder({
  run,
  outboxes,
  nextLine = 0,
  readSystem,
  systemEveryMs = 10_000,
}: RecorderOptions): Recorder {
  const push = (event: RunEvent) => {
    for (const outbox of outboxes) outbox.push(event);
  };
  let lineNumber = nextLine;
  let isOver = false;
  const sample = async () => {
    if (readSystem === undefined) return;
    const reading = await readSystem().catch(() => ({}));
    if (isOver) return;
    const at = Date.now();
    // Its own axis: seconds since the run first began.
    const step = Math.max(0, Math.round((at - run.startedAt) / 1000));
    push({ type: "points", points: pointsOf(reading, { step }, at) });
  };
  const timers: NodeJS.Timeout[] = [];
  const beginTimers = () => {
    timers.push(
      setInterval(() => push({ type: "alive", at: Date.now() }), aliveEveryMs).unref(),
      setInterval(() => void sample(), systemEveryMs).unref(),
    );
    void sample();
  };
  return {
    run,
    start(fromStep) {
      push({ type: "start", run, fromStep });
      if (timers.length === 0) beginTimers();
    },
    metrics: (values, moment) =>
      push({ type: "points", points: pointsOf(values, moment, Date.now()) }),
    params: (values) => push({ type: "params", values }),
    tags: (values) => push({ type: "tags", values }),
    line(text, level = "info") {
      const at = Date.now();
      const lines = text
        .split(/\r?\n/)
        .filter((each) => each !== "")
        .map((each) => ({ number: lineNumber++, at, level, text: each.slice(0, 10_000) }));
      if (lines.length > 0) push({ type: "lines", lines });
    },
    artifact: (artifact) => push({ type: "artifact", artifact }),
    async keep() {
      await Promise.all(outboxes.map((outbox) => outbox.keep()));
    },
    async end(status, error = "", patienceMs = 10_000) {
      isOver = true;
      for (const timer of timers) clearInterval(timer);
      push({ type: "end", status, at: Date.now(), error });
      const closed = await Promise.all(outboxes.map((outbox) => outbox.close(patienceMs)));
      return closed.every(Boolean);
    },
  };
}

function pointsOf(
  values: Readonly<Record<string, number | undefined>>,
  { step, epoch }: MetricMoment,
  at: number,
): readonly MetricPoint[] {
  return Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, step, epoch: epoch ?? null, at, value }],
  );
}

/** A configuration as parameters: `{a: {b: 1}}` is `a.b` = `1`. Lists stay whole; texts stand without quotes. */
export function flattenParams(value: unknown, prefix = ""): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    if (value === undefined) return {};
    return { [prefix]: typeof value === "string" ? value : JSON.stringify(value) };
  }
  const flat: Record<string, string> = {};
  for (const [key, inner] of Object.entries(value)) {
    Object.assign(flat, flattenParams(inner, prefix === "" ? key : `${prefix}.${key}`));
  }
  return flat;
}
