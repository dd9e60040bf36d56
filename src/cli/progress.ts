// Shows how far long work is: a bar at a terminal, a plain line every few seconds elsewhere.
import { performance } from "node:perf_hooks";
import { plainLine } from "./plain-text.js";
import type { Terminal } from "./terminal.js";

export interface ProgressState {
  /** How much of the work is done and how much there is, in one unit of any kind. */
  readonly done: number;
  readonly total: number;
  /** Items finished in this run, which the rate is made of, and in all. */
  readonly items: number;
  readonly itemsInAll: number;
  /** Something to add, such as `3 failed`. */
  readonly note?: string;
}

export interface Progress {
  update(state: ProgressState): void;
  /** Shows the last state and ends the display. */
  stop(): void;
}

const plainEveryMs = 5000;

/**
 * Opens a display on standard error.
 * @param unit what an item is, in the plural: `rows`
 * @param plainMs how often a plain line is written, in ms
 */
export async function openProgress(
  terminal: Terminal,
  unit: string,
  plainMs = plainEveryMs,
): Promise<Progress> {
  return terminal.stderr.isTTY ? await openBar(terminal, unit) : openLines(terminal, unit, plainMs);
}

/** A duration as people read it: 8 s, 3 min 20 s, 2 h 5 min. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** What is told of a state: the rate since the display was opened, the time left by the pace since the first item. */
function createReading() {
  const began = performance.now();
  let first: { readonly done: number; readonly at: number } | undefined;
  return ({ done, total, items }: ProgressState) => {
    const now = performance.now();
    // What earlier runs had done goes by faster than the rest will.
    if (items > 0) first ??= { done, at: now };
    const pace = first === undefined ? 0 : (done - first.done) / (now - first.at);
    const left = pace > 0 ? formatDuration((total - done) / pace / 1000) : "unknown";
    const share = total > 0 ? Math.min(1, done / total) : 0;
    const rate = now > began ? (1000 * items) / (now - began) : 0;
    return { percent: Math.floor(share * 100), left, rate: rate.toFixed(rate < 10 ? 1 : 0) };
  };
}

function noteOf({ note }: ProgressState): string {
  return note === undefined ? "" : `, ${plainLine(note)}`;
}

function openLines(terminal: Terminal, unit: string, plainMs: number): Progress {
  const read = createReading();
  let toldAt = performance.now();
  return {
    update: (state) => {
      const { percent, left, rate } = read(state);
      if (performance.now() - toldAt < plainMs) return;
      toldAt = performance.now();
      const note = noteOf(state);
      terminal.stderr.write(
        `${percent} %: ${state.itemsInAll} ${unit}${note}, ${rate} ${unit}/s, ${left} left\n`,
      );
    },
    stop: () => {},
  };
}

async function openBar(terminal: Terminal, unit: string): Promise<Progress> {
  const { SingleBar, Presets } = await import("cli-progress");
  const read = createReading();
  const bar = new SingleBar(
    {
      stream: terminal.stderr,
      format: `{bar} {percent} % | {items} ${unit}{note} | {rate} ${unit}/s | {left} left`,
      barsize: Math.max(10, Math.min(30, (terminal.stderr.columns ?? 80) - 60)),
      hideCursor: true,
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  const payload = (state: ProgressState) => {
    return { ...read(state), items: state.itemsInAll, note: noteOf(state) };
  };
  let begun = false;
  return {
    update: (state) => {
      if (!begun) bar.start(state.total, state.done, payload(state));
      else bar.update(state.done, payload(state));
      begun = true;
    },
    stop: () => {
      if (begun) bar.stop();
    },
  };
}
