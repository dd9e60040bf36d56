// How the page asks its server for something: the tab's key goes along, and what goes wrong comes back as a Problem.
import { getKey, setKey } from "./key.js";
import { Problem, readProblem, unreachable } from "./problem.js";

/** Asks the person for an API key; undefined when they close the dialog. `rejected` says why the last one failed. */
export type AskForKey = (rejected: string | undefined) => Promise<string | undefined>;

let askForKey: AskForKey = async () => undefined;

/** Names the dialog that is shown when the server wants a key. */
export function onKeyNeeded(ask: AskForKey): void {
  askForKey = ask;
}

/** Sends with the tab's key; where the server wants another one, asks for it and sends again. @throws Problem */
export async function send(path: string, init: RequestInit): Promise<Response> {
  for (;;) {
    const response = await fetchOnce(path, init);
    if (response.ok) return response;
    const problem = await readProblem(response);
    if (problem.status !== 401) throw problem;
    const key = await askForKey(getKey() === undefined ? undefined : problem.message);
    if (key === undefined) {
      setKey(undefined);
      throw problem;
    }
    init.signal?.throwIfAborted();
    setKey(key);
  }
}

/** Sends once and returns whatever is answered. @throws Problem where nothing is */
export async function fetchOnce(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  const key = getKey();
  if (key !== undefined) headers.set("authorization", `Bearer ${key}`);
  try {
    return await fetch(path, { ...init, headers, cache: "no-store", redirect: "error" });
  } catch (thrown) {
    init.signal?.throwIfAborted();
    throw unreachable(thrown);
  }
}

export async function readJson<T>(response: Response, signal: AbortSignal): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch (thrown) {
    signal.throwIfAborted();
    throw unreachable(thrown);
  }
}

type QueryValue = string | number | boolean | undefined | readonly (string | number)[];

/** `/path?a=1&b=x&b=y`: what is undefined is left out, a list is repeated. */
export function withQuery(path: string, query: Readonly<Record<string, QueryValue>>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) search.append(name, String(each));
  }
  return search.size === 0 ? path : `${path}?${search}`;
}

/**
 * Looks something up. It never opens the key dialog: a page that may not be seen says so in its place.
 * @throws Problem; the signal's reason when aborted
 */
export async function get<T>(path: string, signal: AbortSignal): Promise<T> {
  return await readJson<T>(await getResponse(path, signal), signal);
}

/** The same as it was answered. @throws Problem; the signal's reason when aborted */
export async function getResponse(path: string, signal: AbortSignal): Promise<Response> {
  const response = await fetchOnce(path, { signal });
  if (!response.ok) throw await readProblem(response);
  return response;
}

/** @throws Problem; the signal's reason when aborted */
export async function getText(path: string, signal: AbortSignal): Promise<string> {
  const response = await getResponse(path, signal);
  try {
    return await response.text();
  } catch (thrown) {
    signal.throwIfAborted();
    throw unreachable(thrown);
  }
}

/** True where the server wants a key, or another one than the tab has. */
export function isLocked(problem: Problem): boolean {
  return problem.status === 401 || problem.code === "SCOPE_MISSING";
}

/** Anything thrown, as a Problem. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  return new Problem({
    status: 0,
    code: "PAGE_FAULT",
    message: thrown instanceof Error ? thrown.message : String(thrown),
    hint: "This is a fault of the page; reload it, and report it if it comes back.",
    cause: thrown,
  });
}
