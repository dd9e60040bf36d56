// Requests to the hub: the token stays with it, redirects are followed by hand, and what fails in passing is tried again.
import { setTimeout as sleep } from "node:timers/promises";
import type { HubSettings } from "../../config/hub-settings.js";
import { bridleVersion } from "../../config/version.js";
import { abortError } from "../../errors/abort-error.js";
import { BridleError } from "../../errors/error.js";

export interface HubRequest {
  readonly method: "GET" | "HEAD";
  readonly url: string;
  /** What is asked for, for messages: `config.json of google/pegasus-xsum`. */
  readonly what: string;
  /** First byte wanted; 0 or absent for all of them. */
  readonly from?: number;
  /** How long an answer or the next part of it may take, in ms. */
  readonly timeoutMs: number;
}

export interface HubAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Where it came from, after redirects. */
  readonly url: string;
  /** Whether the hub itself gave it, and not a store it sends to. */
  readonly isHub: boolean;
  /** The body as it comes. @throws HUB_UNREACHABLE when it stops or pauses for too long */
  chunks(): AsyncGenerator<Uint8Array>;
  /** The body as JSON. @throws HUB_ANSWER_INVALID, HUB_UNREACHABLE */
  json(): Promise<unknown>;
  /** Lets go of the connection without reading the body. */
  discard(): Promise<void>;
}

export type Send = (request: HubRequest) => Promise<HubAnswer>;

const mostRedirects = 10;
/** More than any listing of a model has, so that a wrong server cannot fill the memory. */
const mostJsonBytes = 64 * 1024 * 1024;
/** Addresses of the public hub, which get the token as the endpoint does. Source: huggingface_hub, utils/_http.py. */
const publicHubs = ["https://huggingface.co", "https://hf.co", "https://hub-ci.huggingface.co"];

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was cut",
  EPIPE: "the connection was cut",
  UND_ERR_SOCKET: "the connection was cut",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "its name could not be looked up",
  ENETUNREACH: "there is no network",
  EHOSTUNREACH: "there is no way to it",
  ETIMEDOUT: "no connection came about",
  UND_ERR_CONNECT_TIMEOUT: "no connection came about",
};

/** Failures that no second try mends, or that mean a machine without a network. */
const lasting =
  /^(ENOTFOUND|EAI_AGAIN|ENETUNREACH|ECONNREFUSED|ERR_TLS|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_)/;

/**
 * Sends single requests; a HEAD stops at a redirect that leaves the hub, because that answer tells of the file.
 * @throws HUB_UNREACHABLE, HUB_BUSY, CANCELLED; other statuses are the caller's to judge
 */
export function createSend(settings: HubSettings, signal?: AbortSignal): Send {
  const hubs = new Set([new URL(settings.endpoint).origin, ...publicHubs]);
  return async (request) => {
    let url = request.url;
    for (let hops = 0; hops <= mostRedirects; hops += 1) {
      const isHub = hubs.has(new URL(url).origin);
      const answer = await fetchOnce(url, isHub, request, settings, signal);
      const location = answer.headers.get("location");
      if (answer.status < 300 || answer.status > 399 || location === null) {
        return refuseBroken(answer, request);
      }
      if (!URL.canParse(location, url)) {
        throw invalid(url, request.what, `it sends on to ${JSON.stringify(location)}`);
      }
      const next = new URL(location, url);
      if (request.method === "HEAD" && !hubs.has(next.origin)) return answer;
      await answer.discard();
      url = next.href;
    }
    throw invalid(url, request.what, `it sends on more than ${mostRedirects} times`);
  };
}

async function fetchOnce(
  url: string,
  isHub: boolean,
  request: HubRequest,
  { token }: HubSettings,
  signal: AbortSignal | undefined,
): Promise<HubAnswer> {
  const started = performance.now();
  const controller = new AbortController();
  const { host } = new URL(url);
  let late = false;
  let timer: NodeJS.Timeout | undefined;
  const stop = () => clearTimeout(timer);
  const wait = () => {
    stop();
    timer = setTimeout(() => {
      late = true;
      controller.abort();
    }, request.timeoutMs);
  };
  const fault = (thrown: unknown): BridleError => {
    stop();
    if (signal?.aborted) return abortError(signal, started);
    if (thrown instanceof BridleError) return thrown;
    const seconds = request.timeoutMs / 1000;
    const reason = late ? `nothing came for ${seconds} s` : reasonOf(thrown);
    return new BridleError(
      "HUB_UNREACHABLE",
      { host, what: request.what, reason },
      { cause: thrown },
    );
  };
  let response: Response;
  wait();
  try {
    response = await fetch(url, {
      method: request.method,
      redirect: "manual",
      headers: {
        "user-agent": `bridle/${bridleVersion}; node/${process.versions.node}`,
        // Sizes and ranges are those of the file only where nothing is compressed on the way.
        "accept-encoding": "identity",
        ...(isHub && token !== undefined ? { authorization: `Bearer ${token.value}` } : {}),
        ...(request.from ? { range: `bytes=${request.from}-` } : {}),
      },
      signal:
        signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
    });
  } catch (thrown) {
    throw fault(thrown);
  }
  stop();

  async function* chunks(): AsyncGenerator<Uint8Array> {
    const reader = response.body?.getReader();
    if (reader === undefined) return;
    try {
      for (;;) {
        wait();
        const { done, value } = await reader.read();
        stop();
        if (done) return;
        yield value;
      }
    } catch (thrown) {
      throw fault(thrown);
    } finally {
      stop();
      await reader.cancel().catch(() => {});
    }
  }

  return {
    status: response.status,
    headers: response.headers,
    url,
    isHub,
    chunks,
    async json() {
      const parts: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of chunks()) {
        size += chunk.length;
        if (size > mostJsonBytes) throw invalid(url, request.what, "its answer does not end");
        parts.push(chunk);
      }
      try {
        return JSON.parse(Buffer.concat(parts).toString("utf8"));
      } catch {
        throw invalid(url, request.what, "its answer is no JSON");
      }
    },
    async discard() {
      await response.body?.cancel().catch(() => {});
    },
  };
}

/** An answer, unless its status says that the server is in trouble or has had enough of us. */
async function refuseBroken(answer: HubAnswer, { what }: HubRequest): Promise<HubAnswer> {
  const { status, headers, url } = answer;
  const { host } = new URL(url);
  if (status !== 408 && status !== 429 && status < 500) return answer;
  await answer.discard();
  if (status === 429) {
    throw new BridleError("HUB_BUSY", { host, what, retryAfterS: retryAfter(headers) });
  }
  throw new BridleError("HUB_UNREACHABLE", { host, what, reason: `it answered ${status}` });
}

/** Seconds a 429 asks to wait: Retry-After, or the hub's `RateLimit: "api";r=0;t=120`; 60 where it says neither. */
function retryAfter(headers: Headers): number {
  const said = headers.get("retry-after") ?? /\bt=(\d+)/.exec(headers.get("ratelimit") ?? "")?.[1];
  if (said === undefined) return 60;
  const seconds = /^\d+$/.test(said) ? Number(said) : (Date.parse(said) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : 60;
}

function reasonOf(thrown: unknown): string {
  const code = codeOf(thrown);
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  return reasons[code] ?? (cause instanceof Error ? cause.message || code : String(cause));
}

/** The code of a failed fetch, which hides in its cause, or in the first of the causes of its cause. */
function codeOf(thrown: unknown): string {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    const inner = error instanceof AggregateError ? error.errors[0] : error;
    if (inner instanceof Error && "code" in inner) return String(inner.code);
  }
  return "";
}

export function invalid(url: string, what: string, reason: string): BridleError {
  return new BridleError("HUB_ANSWER_INVALID", { host: new URL(url).host, what, reason });
}

export interface RetryOptions {
  /** How often it is tried in all. */
  readonly attempts: number;
  readonly delayMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Also tries again where the host does not exist or refuses: sensible once it has answered before. */
  readonly stubborn?: boolean;
}

/** Longest pause that a 429 may ask for before it is told to the user instead. */
const longestWaitMs = 60_000;

/**
 * Does something until it succeeds, with longer and longer pauses; only what may pass is tried again.
 * @param work told how many tries have failed since the last one that got on; may reset that count by returning to it
 */
export async function withRetries<Result>(
  work: (attempt: Attempt) => Promise<Result>,
  { attempts, delayMs, signal, stubborn = false }: RetryOptions,
): Promise<Result> {
  const attempt = { failures: 0 };
  for (;;) {
    try {
      return await work(attempt);
    } catch (thrown) {
      attempt.failures += 1;
      const waitMs = pauseBefore(thrown, attempt.failures, delayMs, stubborn);
      if (waitMs === undefined || attempt.failures >= attempts) throw thrown;
      const started = performance.now();
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => {
        if (signal?.aborted) throw abortError(signal, started);
      });
    }
  }
}

export interface Attempt {
  /** Tries that failed in a row; whoever gets on sets it back to 0. */
  failures: number;
}

/** The pause before the next try, in ms; undefined where another try would end the same way. */
function pauseBefore(
  thrown: unknown,
  failures: number,
  delayMs: number,
  stubborn: boolean,
): number | undefined {
  if (!(thrown instanceof BridleError)) return undefined;
  const backoffMs = Math.min(delayMs * 2 ** (failures - 1), 16 * delayMs);
  if (thrown.code === "HUB_BUSY") {
    const askedMs = Number(thrown.details.retryAfterS) * 1000;
    return askedMs > longestWaitMs ? undefined : Math.max(askedMs, backoffMs);
  }
  if (thrown.code !== "HUB_UNREACHABLE") return undefined;
  return !stubborn && lasting.test(codeOf(thrown.cause)) ? undefined : backoffMs;
}
