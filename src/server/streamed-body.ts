// Bodies that are read while they are sent: as long as the caller reads on, and never whole in looks alone.
import { toBridleError } from "../errors/error.js";
import type { RequestContext, ServerContext } from "./context.js";
import { describeFailure } from "./log.js";

/**
 * What a deadline is for is done when such an answer begins: from then on only a caller who does not read on is cut off. Where the
 * rest cannot be read the connection is, since an answer that ended there would look whole.
 * @param chunks is closed with the answer
 */
export function streamBody(
  { log }: ServerContext,
  c: RequestContext,
  chunks: AsyncIterable<Uint8Array>,
): ReadableStream<Uint8Array> {
  const { scope } = c.var;
  const { outgoing } = c.env;
  scope.isOpenEnded = true;
  const reading = chunks[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reading.next();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (thrown) {
        // A caller who is gone has cut it short himself.
        if (!outgoing.destroyed) {
          const error = toBridleError(thrown);
          scope.code = error.code;
          log.error({ requestId: scope.id, ...describeFailure(error) }, "An answer was cut short");
        }
        outgoing.destroy();
        controller.close();
      }
    },
    async cancel() {
      await reading.return?.();
    },
  });
}
