// What the playground asks for: summaries, texts of files, what is served and whether it is ready.
import { readEvents } from "./events.js";
import { fetchOnce, get, readJson, send } from "./http.js";
import { cutOff, Problem, toProblem, unreachable } from "./problem.js";
import type {
  Alignment,
  ExtractedDocument,
  Model,
  Summary,
  SummaryEvent,
  SummaryRequest,
} from "./types.js";

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

/** Which sentences of a document a summary's share most words with. @throws Problem; the signal's reason when aborted. */
export async function alignSummary(
  document: string,
  summary: string,
  signal: AbortSignal,
): Promise<Alignment> {
  const response = await send("/v1/summaries:align", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ document, summary }),
    signal,
  });
  return await readJson<Alignment>(response, signal);
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
  const { models } = await get<{ models: readonly Model[] }>("/v1/models", signal);
  return models;
}

/** Whether the server takes work now: `starting` while it warms up or drains. */
export async function readiness(signal: AbortSignal): Promise<"ready" | "starting"> {
  const response = await fetchOnce("/ready", { signal });
  return response.ok ? "ready" : "starting";
}
