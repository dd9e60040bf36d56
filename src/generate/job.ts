// One call's documents: what is asked for them, how far they have come, and what is told of it.
import { BridleError } from "../errors/error.js";
import type { Reading } from "./encoder-parts.js";
import type { Search } from "./search.js";

/** Whether somebody waits for the answer, or it belongs to a pile of work. */
export type Priority = "interactive" | "batch";

/** Where a call's time went, and in whose company. */
export interface JobPhases {
  /** From its coming to its turn. */
  readonly queueMs: number;
  readonly encodeMs: number;
  /** From its being read to its end, the turns of others included. */
  readonly decodeMs: number;
  readonly steps: number;
  /** Documents of all its steps, those of others included: over `steps`, how many shared one. */
  readonly stepDocuments: number;
}

/** One call's documents. */
export interface Job {
  readonly readings: readonly Reading[];
  /** As many as it has documents. */
  readonly searches: readonly Search[];
  /** Steps that it takes at most. */
  readonly mostSteps: number;
  /** Whether an option replaces scores that are no numbers. */
  readonly mayBeInvalid: boolean;
  readonly hooks: {
    readonly priority?: Priority | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly onStart?: (() => void) | undefined;
    readonly onTokens?: ((ids: readonly number[]) => void) | undefined;
    /** Called when it is done, or has failed. */
    readonly onPhases?: ((phases: JobPhases) => void) | undefined;
  };
}

/** A job and how far it has come. */
export interface Pending extends Job {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  /** Bytes of keys and values that one of its documents takes at most. */
  readonly eachBytes: number;
  /** When it came, when its turn came, and when it had been read, in ms of `performance.now()`. */
  readonly cameAt: number;
  startedAt: number | undefined;
  readAt: number | undefined;
  steps: number;
  stepDocuments: number;
  /** Searches that are not done. */
  left: number;
  ended: boolean;
}

/** Where the time went until now: what a job never came to took none. */
export function tellPhases({ hooks, steps, stepDocuments, ...at }: Pending): void {
  const now = performance.now();
  const { cameAt, startedAt = now, readAt = now } = at;
  hooks.onPhases?.({
    ...{ queueMs: startedAt - cameAt, encodeMs: readAt - startedAt },
    ...{ decodeMs: now - readAt, steps, stepDocuments },
  });
}

/** Bytes in megabytes, or below ten of these in kilobytes, so that what is needed and what is there are told apart. */
export const sizeText = (bytes: number) =>
  bytes < 1e7
    ? `${Math.ceil(bytes / 1e3).toLocaleString("en")} kB`
    : `${Math.ceil(bytes / 1e6).toLocaleString("en")} MB`;

export function memoryShort(
  { searches, eachBytes }: Pick<Pending, "searches" | "eachBytes">,
  room = "not as much memory left",
): BridleError {
  const needed = sizeText(searches.length * eachBytes);
  return new BridleError("CACHE_MEMORY_SHORT", { needed, room });
}
