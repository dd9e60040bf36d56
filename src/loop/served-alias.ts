// A model that is served by its alias: when the alias moves, the new version is opened beside the old one, warmed, and takes over.
import { setTimeout as sleep } from "node:timers/promises";
import { BridleError, toBridleError } from "../errors/error.js";
import type { FoundModel } from "../model/resolve-model.js";
import type { Registry } from "../registry/registry.js";
import type { AliasState } from "../registry/versions.js";
import { addLoads, leftOfLoad } from "../summarize/engine-load.js";
import type { EngineLoad, Summarizer } from "../summarize/summarizer.js";

/** What became of an alias that moved. */
export type SwapEvent =
  | {
      readonly type: "opening" | "swapped";
      readonly name: string;
      readonly version: number;
      readonly by: string;
    }
  | {
      readonly type: "failed";
      readonly name: string;
      readonly version: number;
      readonly error: BridleError;
    }
  | { readonly type: "unreachable"; readonly name: string; readonly error: BridleError };

export interface ServedAliasOptions {
  /** What requests and answers call it: `news@champion`. */
  readonly name: string;
  readonly model: string;
  readonly alias: string;
  /** Kept open for as long as the alias is watched; closing the summarizer closes it. */
  readonly registry: Registry;
  /** Opens a version's summarizer, under the name. */
  readonly open: (found: FoundModel, signal: AbortSignal) => Promise<Summarizer>;
  /** Bytes of memory that can still be had; undefined where nobody knows. */
  readonly freeBytes: () => number | undefined;
  /**
   * Waits until no other process opens a version in the memory that it shares with this one, and answers what ends the turn; nobody
   * is waited for unless given. @throws CANCELLED by the signal
   */
  readonly takeTurn?: ((signal: AbortSignal) => Promise<() => void>) | undefined;
  /** How often the registry is asked, in ms. */
  readonly pollMs: number;
  /** Gives up the first opening. */
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: SwapEvent) => void) | undefined;
}

export interface ServedAlias extends Summarizer {
  /** Asks the registry now, and waits until the version it names answers or could not be opened. */
  refresh(): Promise<void>;
  /** Why the version that the alias points at is not the one that answers. */
  readonly pending: { readonly version: number; readonly error: BridleError } | undefined;
}

/** One version at work. */
interface Serving {
  readonly summarizer: Summarizer;
  /** Move of the alias by which it came, or the last one that led back to it. */
  move: number;
  running: number;
  /** Called when nothing runs on it any more, once it has been taken over from. */
  onIdle: (() => void) | undefined;
}

/** Memory a version needs besides its weights, as a share of them and in bytes: activations, caches, packed copies. */
const besideShare = 1;
const besideBytes = 64_000_000;
/** Pauses between tries to open a version that could not be opened: this times the interval of polling, at most. */
const mostPauses = 30;

/**
 * Opens what an alias points at, and follows it. No request is refused or lost by a change: those under way end on the
 * version they began on, which is closed after the last of them.
 * @throws MODEL_NOT_REGISTERED, MODEL_VERSION_NOT_FOUND, PACKAGE_ALTERED, and what opening the model throws; CANCELLED by the
 *   signal
 */
export async function serveAlias(options: ServedAliasOptions): Promise<ServedAlias> {
  const { name, model, alias, registry, open, freeBytes, takeTurn, pollMs, onEvent } = options;
  const stop = new AbortController();
  const { signal = stop.signal } = options;
  const closing = new Set<Promise<void>>();
  /** Versions that end what they began, and what those have done that have ended: it counts on. */
  const retired = new Set<Summarizer>();
  let gone: EngineLoad | undefined;
  let pending: ServedAlias["pending"];
  let refreshing: Promise<void> | undefined;

  async function openAt(state: AliasState, until = stop.signal): Promise<Serving> {
    const version = await registry.getVersion({ model, at: { version: state.version } });
    // What is taken back after days must still be what it was then: a disk says nothing when it rots.
    const { folder } = await registry.open(version, { signal: until, anew: true });
    const registered = { name: model, version: version.version, digest: version.digest };
    const found = { folder, registered, licence: version.card.licence.id };
    const summarizer = await open(found, until);
    return { summarizer, move: state.move, running: 0, onIdle: undefined };
  }

  async function stateNow(): Promise<AliasState> {
    const state = await registry.findAlias(model, alias);
    if (state !== undefined) return state;
    await registry.getVersion({ model, at: { alias } });
    throw new BridleError("BUG", { reason: `${name} was there and is not` });
  }

  let current = await openAt(await stateNow(), signal);

  /** @throws MODEL_MEMORY_SHORT where two versions do not fit beside each other */
  async function checkMemory(state: AliasState): Promise<void> {
    const version = await registry.getVersion({ model, at: { version: state.version } });
    const needed = version.sizeBytes * (1 + besideShare) + besideBytes;
    const free = freeBytes();
    if (free === undefined || free >= needed) return;
    const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
    throw new BridleError("MODEL_MEMORY_SHORT", {
      ...{ model, version: state.version, current: current.summarizer.version },
      ...{ needed: megabytes(needed), free: megabytes(free) },
    });
  }

  function retire(old: Serving): void {
    const idle = new Promise<void>((resolve) => {
      old.onIdle = resolve;
      if (old.running === 0 || stop.signal.aborted) resolve();
      // Closing ends what is under way, whatever it runs on.
      stop.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    retired.add(old.summarizer);
    const done = idle
      .then(() => old.summarizer.close())
      .finally(() => {
        gone = addLoads(gone, leftOfLoad(old.summarizer.load?.()));
        retired.delete(old.summarizer);
      });
    const told = done.catch((thrown) => {
      const version = Number.parseInt(old.summarizer.version, 10);
      onEvent?.({ type: "failed", name, version, error: toBridleError(thrown) });
    });
    closing.add(told);
    void told.finally(() => closing.delete(told));
  }

  async function follow(state: AliasState): Promise<void> {
    const { version, movedBy: by } = state;
    onEvent?.({ type: "opening", name, version, by });
    try {
      await checkMemory(state);
      const next = await openAt(state);
      try {
        await next.summarizer.warmUp();
      } catch (thrown) {
        await next.summarizer.close();
        throw thrown;
      }
      if (stop.signal.aborted) {
        await next.summarizer.close();
        return;
      }
      const old = current;
      current = next;
      pending = undefined;
      retire(old);
      onEvent?.({ type: "swapped", name, version, by });
    } catch (thrown) {
      if (stop.signal.aborted) return;
      const error = toBridleError(thrown);
      pending = { version, error };
      onEvent?.({ type: "failed", name, version, error });
    }
  }

  /** Where the alias points, if that is another version than the one that answers. */
  async function findMove(): Promise<AliasState | undefined> {
    const state = await stateNow();
    // It was moved there and back, or never away.
    const isThere = state.move === current.move || String(state.version) === versionOf(current);
    if (!isThere) return state;
    current.move = state.move;
    pending = undefined;
    return undefined;
  }

  async function look(): Promise<void> {
    let state = await findMove();
    if (state === undefined) return;
    const endTurn = await takeTurn?.(stop.signal);
    try {
      // It may have moved on while others had theirs.
      if (endTurn !== undefined) state = await findMove();
      if (state !== undefined) await follow(state);
    } finally {
      endTurn?.();
    }
  }

  /** One look at a time; whoever asks meanwhile waits for one that begins after. */
  async function refresh(): Promise<void> {
    await refreshing?.catch(() => {});
    refreshing ??= look().finally(() => {
      refreshing = undefined;
    });
    await refreshing;
  }

  async function watch(): Promise<void> {
    let unreachable = false;
    let failures = 0;
    while (!stop.signal.aborted) {
      const pause = pollMs * Math.min(2 ** failures, mostPauses);
      await sleep(pause, undefined, { signal: stop.signal, ref: false }).catch(() => {});
      if (stop.signal.aborted) return;
      try {
        await refresh();
        unreachable = false;
        failures = pending === undefined ? 0 : failures + 1;
      } catch (thrown) {
        if (stop.signal.aborted) return;
        // Told once; what is served goes on being served.
        const error = toBridleError(thrown);
        if (!unreachable) onEvent?.({ type: "unreachable", name, error });
        unreachable = true;
        failures += 1;
      }
    }
  }
  const watching = watch();

  return {
    get model() {
      return current.summarizer.model;
    },
    get version() {
      return current.summarizer.version;
    },
    get digest() {
      return current.summarizer.digest as string;
    },
    get licence() {
      return current.summarizer.licence ?? null;
    },
    get traits() {
      return current.summarizer.traits;
    },
    get supportedParameters() {
      return current.summarizer.supportedParameters;
    },
    get defaults() {
      return current.summarizer.defaults;
    },
    get pending() {
      return pending;
    },
    refresh,
    async summarize(document, summarizeOptions) {
      const serving = current;
      serving.running += 1;
      try {
        return await serving.summarizer.summarize(document, summarizeOptions);
      } finally {
        serving.running -= 1;
        if (serving.running === 0) serving.onIdle?.();
      }
    },
    load: () =>
      [current.summarizer, ...retired].reduce(
        (sum, summarizer) => addLoads(sum, summarizer.load?.()),
        gone,
      ),
    warmUp: () => current.summarizer.warmUp(),
    async close() {
      stop.abort();
      await watching;
      await refreshing?.catch(() => {});
      await current.summarizer.close();
      await Promise.all(closing);
      await registry.close();
    },
  };
}

/** The number without what is appended for rounded weights. */
function versionOf({ summarizer }: Serving): string {
  return summarizer.version.replace(/-int[48]$/, "");
}
