// Answers that go on: what is new is looked for every so often and sent as server-sent events.
import { setTimeout as sleep } from "node:timers/promises";
import { toBridleError } from "../errors/error.js";
import type { RequestContext, ServerContext } from "./context.js";
import { toProblem } from "./error-answer.js";

export interface ServerEvent {
  readonly name: string;
  readonly data: object;
}

const encoder = new TextEncoder();
const newsEveryMs = 1000;

export function formatEvent({ name, data }: ServerEvent): Uint8Array {
  return encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** Proxies that gather answers before passing them on would defeat the stream. */
export const eventStreamHeaders = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
} as const;

/**
 * Answers with what is new until the caller goes away or the server shuts down; it has no deadline. Nothing is looked for
 * while the caller is not reading.
 * @param look what came since it was asked before
 * @throws LISTENERS_FULL, and what the first look throws; what a later one throws is an event `error`, and the last
 */
export async function answerNews(
  server: ServerContext,
  c: RequestContext,
  look: () => Promise<readonly ServerEvent[]>,
): Promise<Response> {
  const { scope } = c.var;
  const over = new AbortController();
  const leave = server.listeners.add(c.env.outgoing, () => over.abort());
  scope.onEnd(() => {
    leave();
    over.abort();
  });
  const first = await look();
  scope.isOpenEnded = true;
  const { heartbeatMs } = server.config;
  const isOver = () => over.signal.aborted || server.lifecycle.draining;
  let sentAt = performance.now();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(": looking on\n\n"));
      for (const event of first) controller.enqueue(formatEvent(event));
    },
    async pull(controller) {
      try {
        for (;;) {
          await sleep(newsEveryMs, undefined, { signal: over.signal, ref: false }).catch(() => {});
          if (isOver()) return controller.close();
          const events = await look();
          const now = performance.now();
          if (events.length === 0 && now - sentAt < heartbeatMs) continue;
          sentAt = now;
          if (events.length === 0) return controller.enqueue(encoder.encode(": still here\n\n"));
          for (const event of events) controller.enqueue(formatEvent(event));
          return;
        }
      } catch (thrown) {
        const error = toBridleError(thrown);
        scope.code = error.code;
        controller.enqueue(formatEvent({ name: "error", data: toProblem(error, scope.id) }));
        controller.close();
      }
    },
    cancel() {
      over.abort();
    },
  });
  return new Response(body, { headers: eventStreamHeaders });
}
