// Answers a summary as server-sent events: parts and tokens while it is made, then the whole of it, or the error.
import { toBridleError } from "../errors/error.js";
import type { SummaryEvent } from "../summarize/summarizer.js";
import type { RequestContext, ServerContext } from "./context.js";
import { toProblem } from "./error-answer.js";
import { eventStreamHeaders, formatEvent } from "./event-stream.js";
import { summarizeInTurn, type Work, withId } from "./work.js";

const encoder = new TextEncoder();

/**
 * Starts the work and answers with its stream.
 * Nothing is sent before the first event or the first heartbeat, so that what fails quickly is answered with a status.
 * @throws whatever fails before that
 */
export async function answerStream(
  server: ServerContext,
  c: RequestContext,
  work: Omit<Work, "onEvent">,
): Promise<Response> {
  const { scope } = c.var;
  const early: Uint8Array[] = [];
  let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  let closed = false;
  let firstEvent = (): void => {};
  const begun = new Promise<void>((resolve) => {
    firstEvent = resolve;
  });
  const send = (bytes: Uint8Array): void => {
    if (closed) return;
    if (stream) stream.enqueue(bytes);
    else early.push(bytes);
    firstEvent();
  };
  const onEvent = ({ type, ...data }: SummaryEvent): void =>
    send(formatEvent({ name: type, data }));

  const heartbeat = setInterval(
    () => send(encoder.encode(": still working\n\n")),
    server.config.heartbeatMs,
  );
  const stop = (): void => clearInterval(heartbeat);
  scope.onEnd(stop);

  const finished = summarizeInTurn(server, scope, { ...work, onEvent });
  const delivered = finished.then(
    (result) => send(formatEvent({ name: "summary", data: withId(result) })),
    (thrown: unknown) => {
      const error = toBridleError(thrown);
      scope.code = error.code;
      send(formatEvent({ name: "error", data: toProblem(error, scope.id) }));
    },
  );

  try {
    await Promise.race([begun, finished]);
  } catch (thrown) {
    stop();
    await delivered;
    throw thrown;
  }
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      stream = controller;
      for (const bytes of early) controller.enqueue(bytes);
    },
    cancel() {
      closed = true;
    },
  });
  delivered.then(() => {
    stop();
    if (!closed) stream?.close();
    closed = true;
  });
  return new Response(body, { headers: eventStreamHeaders });
}
