// Every request the page makes; all go to the origin it was loaded from.

import { readEvents } from "./events.js";
import { getKey, setKey } from "./key.js";
import { cutOff, Problem, readProblem, toProblem, unreachable } from "./problem.js";
import type { ExtractedDocument, Model, Summary, SummaryEvent, SummaryRequest } from "./types.js";

/** Asks the person for an API key; undefined when they close the dialog. `rejected` says why the last one failed. */
export type AskForKey = (rejected: string | undefined) => Promise<string | undefined>;

let askForKey: AskForKey = async () => undefined;

/** Names the dialog that is shown when the server wants a key. */
export function onKeyNeeded(ask: AskForKey): void {
  askForKey = ask;
}

/** @throws Problem; the signal's reason when aborted. */
export async function summarize(request: SummaryRequest, signal: AbortSignal): Promise<Summary> {
  const response = await send("/v1/summaries", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
    signal,
  });
  return await readJson<Summary>(response, signal);
}

/**
 * The same as a stream: `onEvent` hears of parts and tokens as they come.
 * @throws Problem; the signal's reason when aborted.
 */
export async function streamSummary(
  request: SummaryRequest,
  signal: AbortSignal,
  onEvent: (event: SummaryEvent) => void,
): Promise<Summary> {
  const response = await send("/v1/summaries", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...request, stream: true }),
    signal,
  });
  if (response.body === null) throw cutOff();
  let summary: Summary | undefined;
  try {
    for await (const { name, data } of readEvents(response.body)) {
      const told: unknown = JSON.parse(data);
      // Reading on to the end lets the server see that its answer has come.
      if (name === "summary") summary = told as Summary;
      if (name === "error") throw toProblem(told);
      if (name === "part" || name === "token")
        onEvent({ type: name, ...(told as object) } as SummaryEvent);
    }
  } catch (thrown) {
    signal.throwIfAborted();
    throw thrown instanceof Problem ? thrown : unreachable(thrown);
  }
  if (summary === undefined) throw cutOff();
  return summary;
}

/** Text out of a txt, md, html, pdf or docx file. @throws Problem; the signal's reason when aborted. */
export async function extractDocument(file: File, signal: AbortSignal): Promise<ExtractedDocument> {
  const form = new FormData();
  form.append("file", file, file.name);
  const response = await send("/v1/documents:extract", { method: "POST", body: form, signal });
  return await readJson<ExtractedDocument>(response, signal);
}

/** The models served, the default first. Never opens the key dialog. @throws Problem */
export async function listModels(signal: AbortSignal): Promise<readonly Model[]> {
  const response = await fetchOnce("/v1/models", { signal });
  if (!response.ok) throw await readProblem(response);
  const body = await readJson<{ models: readonly Model[] }>(response, signal);
  return body.models;
}

/** Whether the server takes work now: `starting` while it warms up or drains. */
export async function readiness(signal: AbortSignal): Promise<"ready" | "starting"> {
  const response = await fetchOnce("/ready", { signal });
  return response.ok ? "ready" : "starting";
}

/** Sends with the tab's key; where the server wants another one, asks for it and sends again. */
async function send(path: string, init: RequestInit): Promise<Response> {
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

async function fetchOnce(path: string, init: RequestInit): Promise<Response> {
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

async function readJson<T>(response: Response, signal: AbortSignal): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch (thrown) {
    signal.throwIfAborted();
    throw unreachable(thrown);
  }
}
