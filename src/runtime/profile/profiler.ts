// Watches where time goes: spans of our own code, and what onnxruntime writes of each operator of the sessions it is given.
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { type OnnxRuntimeEvent, type OperatorCall, readOperatorCall } from "./operator-call.js";

/** A stretch of time in which one thing was done, in ms of `performance.now()`. */
export interface Span {
  readonly name: string;
  readonly beganMs: number;
  readonly endedMs: number;
}

/** One run of a session: a span, and the operators that ran in it one after the other. */
export interface SessionRun extends Span {
  readonly calls: readonly OperatorCall[];
}

export interface SessionTimes {
  /** What the graph is for: `encoder`, `decoder`, `gradients`. */
  readonly label: string;
  readonly runs: readonly SessionRun[];
  /** Whether onnxruntime stopped writing before the end; it writes a million events at most. */
  readonly isCut: boolean;
}

/** What one session tells a profiler. */
export interface SessionWatch {
  /** Where onnxruntime is to write: it adds the time and `.json`. */
  readonly prefix: string;
  readonly around: <T>(run: () => Promise<T>) => Promise<T>;
}

/**
 * Collects spans and sessions. Everything watched must be closed before `sessions` is asked; what happened before `begin`
 * is warming up and left out.
 */
export class Profiler {
  private readonly folder: string;
  private readonly watched: { label: string; prefix: string; runs: Span[] }[] = [];
  private readonly told: Span[] = [];
  private fromMs = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes a profiler with a temporary folder, which `remove` deletes. */
  static async create(): Promise<Profiler> {
    return new Profiler(await mkdtemp(path.join(tmpdir(), "bridle-profile-")));
  }

  /** What was done before counts as warming up. */
  begin(): void {
    this.fromMs = performance.now();
  }

  /** Spans since `begin`, in the order of their ends. */
  get spans(): readonly Span[] {
    return this.told.filter(({ beganMs }) => beganMs >= this.fromMs);
  }

  /** Times what is done, until its promise is settled where it answers one. */
  span<T>(name: string, work: () => T): T {
    const beganMs = performance.now();
    const end = () => void this.told.push({ name, beganMs, endedMs: performance.now() });
    let result: T;
    try {
      result = work();
    } catch (thrown) {
      end();
      throw thrown;
    }
    if (!(result instanceof Promise)) {
      end();
      return result;
    }
    return result.finally(end) as T;
  }

  /** For a session that is about to open. */
  watch(label: string): SessionWatch {
    const prefix = path.join(this.folder, `${this.watched.length}-${label}`);
    const runs: Span[] = [];
    this.watched.push({ label, prefix, runs });
    return {
      prefix,
      async around(run) {
        const beganMs = performance.now();
        try {
          return await run();
        } finally {
          runs.push({ name: label, beganMs, endedMs: performance.now() });
        }
      },
    };
  }

  /** What closed sessions did since `begin`, those of one label together; those that did nothing are left out. */
  async sessions(): Promise<readonly SessionTimes[]> {
    const files = await readdir(this.folder);
    const byLabel = new Map<string, SessionTimes>();
    for (const { label, prefix, runs } of this.watched) {
      const file = files.find((name) => name.startsWith(`${path.basename(prefix)}_`));
      if (file === undefined) continue;
      const times = await readRuns(path.join(this.folder, file), runs);
      const measured = times.runs.filter(({ beganMs }) => beganMs >= this.fromMs);
      if (measured.length === 0) continue;
      const before = byLabel.get(label);
      byLabel.set(label, {
        label,
        runs: [...(before?.runs ?? []), ...measured],
        isCut: times.isCut || before?.isCut === true,
      });
    }
    return [...byLabel.values()];
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Times `work` where somebody profiles. */
export function timed<T>(profiler: Profiler | undefined, name: string, work: () => T): T {
  return profiler === undefined ? work() : profiler.span(name, work);
}

/**
 * Joins onnxruntime's events, one a line, with the runs as they were seen from outside: those of a run stand before its
 * own event, on a clock that began when the session opened.
 */
async function readRuns(
  file: string,
  runs: readonly Span[],
): Promise<Pick<SessionTimes, "runs" | "isCut">> {
  const joined: SessionRun[] = [];
  let calls: OperatorCall[] = [];
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity });
  for await (const line of lines) {
    if (!line.startsWith("{")) continue;
    const event = JSON.parse(line.replace(/,\s*$/, "")) as OnnxRuntimeEvent;
    const call = readOperatorCall(event);
    if (call !== undefined) calls.push(call);
    if (event.cat !== "Session" || event.name !== "model_run") continue;
    const run = runs[joined.length];
    if (run === undefined) break;
    // A run seen from outside takes in feeds and results too: what is inside stands in its middle.
    const slackMs = Math.max(0, run.endedMs - run.beganMs - event.dur / 1000);
    const offsetMs = run.beganMs + slackMs / 2 - event.ts / 1000;
    joined.push({
      ...run,
      calls: calls.map((each) => ({ ...each, beganMs: each.beganMs + offsetMs })),
    });
    calls = [];
  }
  return { runs: joined, isCut: joined.length < runs.length };
}
