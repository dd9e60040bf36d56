// Answers that go on: events of the server, read until it or the page has had enough.
import { readEvents } from "./events.js";
import { getResponse } from "./http.js";
import { Problem, toProblem, unreachable } from "./problem.js";

/**
 * Calls back with each event until the signal.
 * @throws Problem where the server refuses or goes away
 */
export async function follow(
  path: string,
  signal: AbortSignal,
  onEvent: (name: string, data: unknown) => void,
): Promise<void> {
  const response = await getResponse(path, signal);
  if (response.body === null) throw unreachable(undefined);
  try {
    for await (const { name, data } of readEvents(response.body)) {
      const told: unknown = JSON.parse(data);
      if (name === "error") throw toProblem(told);
      onEvent(name, told);
    }
  } catch (thrown) {
    signal.throwIfAborted();
    throw thrown instanceof Problem ? thrown : unreachable(thrown);
  }
}
