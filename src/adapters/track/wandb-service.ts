// Requests to Weights & Biases, and what their answers mean: taken, to be tried again, denied, or never to be taken.
import { BridleError } from "../../errors/error.js";
import type { WandbPlace } from "./wandb-place.js";

export interface WandbService {
  /** How messages name it. */
  readonly name: string;
  /**
   * Posts a body as it is, with the key. @returns the answer's text, where it was taken
   * @throws SINK_UNAVAILABLE, SINK_DENIED, SINK_REFUSED
   */
  post(path: string, body: string, what: string): Promise<string>;
  /** Asks GraphQL. @throws as post, also for errors in an answer of 200 */
  query<Answer>(query: string, variables: object, what: string): Promise<Answer>;
  /** Ends what is under way; nobody waits for it any more. */
  close(): void;
}

const callMs = 30_000;

export function createWandbService({ api, key }: Pick<WandbPlace, "api" | "key">): WandbService {
  const name = `Weights & Biases at ${api}`;
  const authorization = `Basic ${Buffer.from(`api:${key}`).toString("base64")}`;
  const closing = new AbortController();
  const post = async (path: string, body: string, what: string): Promise<string> => {
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${api}${path}`, {
        ...{ method: "POST", body, redirect: "error" as const },
        headers: { authorization, "content-type": "application/json", "user-agent": "bridle" },
        signal: AbortSignal.any([closing.signal, AbortSignal.timeout(callMs)]),
      });
      text = await response.text();
    } catch (cause) {
      throw unavailable(name, cause);
    }
    if (!response.ok) throw failureOf(name, response.status, text, what);
    const answer = parsed(text);
    // A page of somebody else's that happens to answer.
    if (answer === undefined) {
      const reason = `its answer to ${what} is no JSON`;
      throw new BridleError("SINK_UNAVAILABLE", { sink: name, reason });
    }
    const { errors } = answer as { readonly errors?: unknown };
    if (Array.isArray(errors) && errors.length > 0) throw faultOf(name, errors, what);
    return text;
  };
  return {
    name,
    post,
    async query<Answer>(query: string, variables: object, what: string) {
      const text = await post("/graphql", JSON.stringify({ query, variables }), what);
      return (JSON.parse(text) as { readonly data: Answer }).data;
    },
    close: () => closing.abort(new Error("nobody waits for it any more")),
  };
}

/** Undefined for what is no object or list in JSON. */
function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function unavailable(sink: string, cause: unknown): BridleError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const reason = inner instanceof Error ? inner.message || inner.name : String(inner);
  return new BridleError("SINK_UNAVAILABLE", { sink, reason }, { cause });
}

function failureOf(sink: string, status: number, text: string, what: string): BridleError {
  const answer = parsed(text);
  const said = answer === undefined ? text : sentenceIn(answer);
  const reason = `${status} ${said.trim().slice(0, 500)}`.trim();
  if (status === 401 || status === 403) return new BridleError("SINK_DENIED", { sink, reason });
  // Too early, too late, too often, or while another request for the same run is on its way.
  const mayPass = status >= 500 || [408, 409, 425, 429].includes(status);
  // So does a proxy whose server is away, and whoever else answers at that address.
  if (mayPass || status < 400 || (status === 404 && answer === undefined)) {
    return new BridleError("SINK_UNAVAILABLE", { sink, reason });
  }
  return new BridleError("SINK_REFUSED", { sink, what, reason });
}

function sentenceIn(answer: object): string {
  const { error, message, errors } = answer as Record<string, unknown>;
  if (Array.isArray(errors)) return messagesOf(errors);
  return String(error ?? message ?? JSON.stringify(answer));
}

function messagesOf(errors: readonly unknown[]): string {
  return errors
    .map((each) => (each as { readonly message?: unknown } | null)?.message ?? each)
    .map((each) => (typeof each === "string" ? each : JSON.stringify(each)))
    .join("; ");
}

/** GraphQL tells of errors in an answer of 200 as well. */
function faultOf(sink: string, errors: readonly unknown[], what: string): BridleError {
  const reason = messagesOf(errors).slice(0, 500);
  if (/permission|denied|not logged in|unauthori[sz]ed/i.test(reason)) {
    return new BridleError("SINK_DENIED", { sink, reason });
  }
  if (/internal|timed? ?out|unavailable|rate limit|try again/i.test(reason)) {
    return new BridleError("SINK_UNAVAILABLE", { sink, reason });
  }
  return new BridleError("SINK_REFUSED", { sink, what, reason });
}
