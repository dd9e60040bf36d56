// Summaries that were made before, by what decides them: text, model version and parameters. Equal work under way is done once.
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { abortError } from "../errors/abort-error.js";
import type {
  SummarizeOptions,
  Summarizer,
  SummaryEvent,
  SummaryParameters,
  SummaryResult,
} from "./summarizer.js";

/**
 * `hit`: it was there; `shared`: somebody else's work under way gave it; `miss`: it was made; `bypass`: it was made, and
 * must not be kept, since another draw would give another summary.
 */
export type CacheOutcome = "hit" | "shared" | "miss" | "bypass";

export interface CachedSummary {
  readonly result: SummaryResult;
  readonly outcome: CacheOutcome;
}

export interface ResultCache {
  readonly sizeBytes: number;
  readonly count: number;
  /** What is kept for a document, told and timed as an answer; undefined where nothing is. */
  find(
    summarizer: Summarizer,
    document: string,
    options: SummarizeOptions,
  ): SummaryResult | undefined;
  /** What is kept, what somebody is making, or what the summarizer makes now. @throws what it throws */
  summarize(
    summarizer: Summarizer,
    document: string,
    options: SummarizeOptions,
  ): Promise<CachedSummary>;
}

/** JSON of a value whose objects' members stand in order; what is undefined is left out. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    const members = Object.entries(inner).filter(([, member]) => member !== undefined);
    return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/** Whether the same request gives the same summary: what is drawn does where its seed was said. */
function isDecided({ defaults }: Summarizer, parameters: SummaryParameters = {}): boolean {
  const { doSample, seed } = { ...defaults, ...parameters };
  return doSample !== true || seed !== undefined;
}

/** 256 bits that stand for what decides a summary; the document itself is not kept. */
export function resultKey(
  { model, version, digest }: Pick<Summarizer, "model" | "version" | "digest">,
  document: string,
  parameters: SummaryParameters = {},
): string {
  const decides = { model, version, digest, document, parameters };
  return createHash("sha256").update(canonicalJson(decides)).digest("base64url");
}

/** Bytes of an entry's key, of its objects and of what it takes besides its text, about. */
const besideBytes = 1000;
const spanBytes = 40;

function sizeOf({ summary, sources }: SummaryResult): number {
  // A string has up to two bytes a unit.
  return besideBytes + 2 * summary.length + spanBytes * sources.length;
}

/** Work that several callers wait for; it is given up when the last of them is gone. */
interface Shared {
  readonly work: Promise<SummaryResult>;
  readonly controller: AbortController;
  waiting: number;
}

/** @param maxBytes what all entries may take, 1 or more */
export function createResultCache(maxBytes: number): ResultCache {
  const kept = new LRUCache<string, SummaryResult>({ maxSize: maxBytes, sizeCalculation: sizeOf });
  const underWay = new Map<string, Shared>();

  function begin(
    key: string,
    place: string,
    summarizer: Summarizer,
    document: string,
    options: SummarizeOptions,
  ): Shared {
    const controller = new AbortController();
    const { version } = summarizer;
    const { signal, onEvent } = options;
    const work = summarizer
      .summarize(document, {
        ...options,
        signal: controller.signal,
        // Whoever began it may be gone while others still wait.
        ...(onEvent && { onEvent: (event) => void (signal?.aborted || onEvent(event)) }),
      })
      .then((result) => {
        // An alias may have moved meanwhile: then it is another version's summary.
        if (result.version === version) kept.set(key, result);
        return result;
      })
      .finally(() => {
        if (underWay.get(place) === shared) underWay.delete(place);
      });
    // Where all have gone nobody hears how it ended.
    work.catch(() => {});
    const shared: Shared = { work, controller, waiting: 0 };
    underWay.set(place, shared);
    return shared;
  }

  /** Waits for shared work as long as the caller's own signal lets it. */
  async function wait(
    shared: Shared,
    signal: AbortSignal | undefined,
    place: string,
  ): Promise<SummaryResult> {
    const startedAt = performance.now();
    shared.waiting += 1;
    let stop: (() => void) | undefined;
    try {
      return await new Promise<SummaryResult>((resolve, reject) => {
        stop = () => reject(abortError(signal as AbortSignal, startedAt));
        if (signal?.aborted) stop();
        signal?.addEventListener("abort", stop, { once: true });
        shared.work.then(resolve, reject);
      });
    } finally {
      if (stop !== undefined) signal?.removeEventListener("abort", stop);
      shared.waiting -= 1;
      // What is done is not under way any more.
      if (shared.waiting === 0 && underWay.get(place) === shared) {
        // Nobody may join what is about to end.
        underWay.delete(place);
        shared.controller.abort();
      }
    }
  }

  function find(
    summarizer: Summarizer,
    key: string,
    onEvent: SummarizeOptions["onEvent"],
    startedAt: number,
  ): SummaryResult | undefined {
    const found = kept.get(key);
    if (found === undefined) return undefined;
    if (summarizer.traits.kind === "neural") tellWhole(found, onEvent);
    return answered(found, startedAt);
  }

  return {
    get sizeBytes() {
      return kept.calculatedSize;
    },
    get count() {
      return kept.size;
    },
    find(summarizer, document, { parameters, onEvent }) {
      const startedAt = performance.now();
      if (!isDecided(summarizer, parameters)) return undefined;
      return find(summarizer, resultKey(summarizer, document, parameters), onEvent, startedAt);
    },
    async summarize(summarizer, document, options) {
      const startedAt = performance.now();
      const { parameters, signal, onEvent, priority } = options;
      if (!isDecided(summarizer, parameters)) {
        return { result: await summarizer.summarize(document, options), outcome: "bypass" };
      }
      const key = resultKey(summarizer, document, parameters);
      const found = find(summarizer, key, onEvent, startedAt);
      if (found !== undefined) return { result: found, outcome: "hit" };
      // Whom somebody waits for does not wait for a pile of work, nor who asks for a version for who takes any.
      const place = `${priority ?? "interactive"} ${summarizer.pinned ?? "any"} ${key}`;
      const other = underWay.get(place);
      if (other === undefined) {
        const shared = begin(key, place, summarizer, document, options);
        return { result: await wait(shared, signal, place), outcome: "miss" };
      }
      const result = await wait(other, signal, place);
      if (summarizer.traits.kind === "neural") tellWhole(result, onEvent);
      return { result: answered(result, startedAt), outcome: "shared" };
    },
  };
}

/** The tokens of a summary that is there already, all at once. */
function tellWhole(
  { summary }: SummaryResult,
  onEvent: ((event: SummaryEvent) => void) | undefined,
) {
  if (summary !== "") onEvent?.({ type: "token", text: summary });
}

/** A summary that nothing was computed for: its time is that of finding it, or of waiting for it. */
function answered({ occupancy: _, ...result }: SummaryResult, startedAt: number): SummaryResult {
  return { ...result, cached: true, timingsMs: { total: performance.now() - startedAt } };
}
