// What a profiler saw, added up: by phase, by operator, by shape; and what stands out.
import type { OperatorCall } from "./operator-call.js";
import type { SessionTimes, Span } from "./profiler.js";
import type { Roofs } from "./roofline.js";

export interface PhaseRow {
  readonly phase: string;
  /** ms of one repetition, on average. */
  readonly ms: number;
  /** Share of the whole, 0..1. */
  readonly share: number;
}

export interface OperatorRow {
  /** The session it ran in. */
  readonly session: string;
  readonly op: string;
  /** Calls of one repetition, on average. */
  readonly calls: number;
  readonly ms: number;
  readonly share: number;
  /** 0 of what is no product. */
  readonly gflopsPerSecond: number;
  readonly gigabytesPerSecond: number;
  /** Which roof is the lower one for it: what is computed, or what is moved. */
  readonly boundBy: "compute" | "memory";
  /** The time it would take at that roof over the time it took; above 1 where caches held what it read. */
  readonly ofRoof: number;
}

export interface ShapeRow extends OperatorRow {
  readonly shapes: string;
}

/** Where the time of something that was done several times goes. */
export interface Profile {
  /** What was repeated: a step, a summary. */
  readonly unit: string;
  readonly repetitions: number;
  /** ms of one repetition: mean, and the middle one. */
  readonly meanMs: number;
  readonly medianMs: number;
  readonly phases: readonly PhaseRow[];
  readonly operators: readonly OperatorRow[];
  /** The operators and shapes that take most. */
  readonly hottest: readonly ShapeRow[];
  readonly roofs: Roofs;
  readonly hints: readonly string[];
}

export interface ProfileInput {
  readonly unit: string;
  /** The repetitions. */
  readonly whole: readonly Span[];
  /** Parts of them that do not overlap, runs of sessions not among them. */
  readonly parts: readonly Span[];
  readonly sessions: readonly SessionTimes[];
  /** What the time is called that is in no part and no session. */
  readonly rest: string;
  readonly roofs: Roofs;
}

const lengthOf = ({ beganMs, endedMs }: Span) => endedMs - beganMs;
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** How many rows of `hottest` there are. */
const hottestRows = 12;

export function summarize(input: ProfileInput): Profile {
  const { unit, whole, parts, sessions, rest, roofs } = input;
  const repetitions = Math.max(1, whole.length);
  const lengths = whole.map(lengthOf).sort((a, b) => a - b);
  const totalMs = sum(lengths);
  const phases = new Map<string, number>();
  const runs = sessions.flatMap((session) => session.runs);
  for (const span of [...parts, ...runs]) {
    phases.set(span.name, (phases.get(span.name) ?? 0) + lengthOf(span));
  }
  phases.set(rest, Math.max(0, totalMs - sum([...phases.values()])));
  const per = { repetitions, totalMs, roofs };
  const operators = rowsOf(sessions, ({ op }) => op, per);
  const byShape = rowsOf(sessions, ({ op, shapes }) => `${op} ${shapes}`, per);
  const profile = {
    unit,
    repetitions: whole.length,
    meanMs: totalMs / repetitions,
    medianMs: medianOf(lengths),
    phases: [...phases]
      .map(([phase, ms]) => ({ phase, ms: ms / repetitions, share: ms / totalMs }))
      .sort((a, b) => b.ms - a.ms),
    operators: operators.map(({ shapes: _, ...row }) => row),
    hottest: byShape.slice(0, hottestRows),
    roofs,
  };
  return { ...profile, hints: hintsOf(profile, sessions) };
}

function rowsOf(
  sessions: readonly SessionTimes[],
  keyOf: (call: OperatorCall) => string,
  { repetitions, totalMs, roofs }: { repetitions: number; totalMs: number; roofs: Roofs },
): ShapeRow[] {
  const rows: ShapeRow[] = [];
  for (const { label, runs } of sessions) {
    const groups = new Map<string, OperatorCall[]>();
    for (const call of runs.flatMap(({ calls }) => calls)) {
      const key = keyOf(call);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [call]);
      else group.push(call);
    }
    for (const calls of groups.values()) {
      const ms = sum(calls.map((call) => call.ms));
      const flops = sum(calls.map((call) => call.flops));
      const computeMs = sum(calls.map((call) => computeMsOf(call, roofs)));
      const bytes = sum(calls.map((call) => call.bytes));
      const memoryMs = (1000 * bytes) / roofs.bytes;
      rows.push({
        session: label,
        op: calls[0]?.op ?? "",
        shapes: calls[0]?.shapes ?? "",
        calls: calls.length / repetitions,
        ms: ms / repetitions,
        share: ms / totalMs,
        gflopsPerSecond: perSecond(flops, ms),
        gigabytesPerSecond: perSecond(bytes, ms),
        boundBy: computeMs > memoryMs ? "compute" : "memory",
        ofRoof: ms > 0 ? Math.max(computeMs, memoryMs) / ms : 0,
      });
    }
  }
  return rows.sort((a, b) => b.ms - a.ms);
}

const computeMsOf = ({ flops, isWhole }: OperatorCall, roofs: Roofs) =>
  (1000 * flops) / (isWhole ? (roofs.wholeFlops ?? roofs.flops) : roofs.flops);

/** Billions a second. */
const perSecond = (count: number, ms: number) => (ms > 0 ? count / ms / 1e6 : 0);

/** Operators that change where numbers lie, and no number. */
const moves = new Set(
  [
    "Transpose",
    "Concat",
    "Slice",
    "Split",
    "Gather",
    "GatherND",
    "ScatterND",
    "ScatterElements",
  ].concat(["Expand", "Tile", "Pad", "Reshape", "Cast", "Copy", "MemcpyFromHost", "MemcpyToHost"]),
);

/** Shares of the whole from which on something is worth telling. */
const told = { moves: 0.1, overhead: 0.1, phase: 0.1, products: 0.3 };

const percent = (share: number) => `${Math.round(100 * share)} %`;

/** What stands out, each with what may be done about it. */
function hintsOf(
  profile: Omit<Profile, "hints">,
  sessions: readonly SessionTimes[],
): readonly string[] {
  const hints: string[] = [];
  const totalMs = profile.meanMs * Math.max(1, profile.repetitions);
  for (const { label, runs, isCut } of sessions) {
    const rows = profile.operators.filter(({ session }) => session === label);
    const productRows = rows.filter(({ gflopsPerSecond }) => gflopsPerSecond > 0);
    const waiting = productRows.filter(({ boundBy }) => boundBy === "memory");
    const slow = productRows.filter(({ boundBy, ofRoof }) => boundBy === "compute" && ofRoof < 0.5);
    const shareOf = (some: readonly OperatorRow[]) => sum(some.map(({ share }) => share));
    if (shareOf(waiting) >= told.products) {
      hints.push(
        `${label}: ${percent(shareOf(waiting))} of the time goes to products that wait for memory: they read each weight for few ` +
          "rows. Fewer bytes (--dtype int8) or more rows at once (documents that share a step, larger micro-batches) help.",
      );
    }
    if (shareOf(slow) >= told.products) {
      hints.push(
        `${label}: ${percent(shareOf(slow))} of the time goes to products at less than half of what this machine multiplies: they are ` +
          "small. Larger batches (train.microBatchTokens), or threads as many as processors, help.",
      );
    }
    const moving = rows.filter(({ op }) => moves.has(op));
    if (shareOf(moving) >= told.moves) {
      const names = moving.slice(0, 3).map(({ op }) => op);
      hints.push(
        `${label}: ${percent(shareOf(moving))} of the time moves numbers about (${names.join(", ")}) and computes nothing.`,
      );
    }
    const inside = sum(runs.flatMap(({ calls }) => calls.map(({ ms }) => ms)));
    const around = sum(runs.map(lengthOf)) - inside;
    if (around / totalMs >= told.overhead) {
      hints.push(
        `${label}: ${percent(around / totalMs)} of the time is between operators: onnxruntime starting each one, taking feeds in and ` +
          "handing results out, and this profiler. It weighs less where operators have more to do.",
      );
    }
    if (isCut) {
      hints.push(
        `${label}: onnxruntime writes a million events at most; what came later is missing. Profile fewer repetitions.`,
      );
    }
  }
  const labels = new Set(sessions.map(({ label }) => label));
  for (const { phase, share } of profile.phases) {
    if (labels.has(phase) || share < told.phase) continue;
    hints.push(`${phase}: ${percent(share)} of the time is spent outside the graph.`);
  }
  return hints;
}

/** The middle of sorted lengths, with that of an even count between the two in the middle; 0 of none. */
function medianOf(sorted: readonly number[]): number {
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
}
