// GET /v1/events: the names of what has changed, upon which whoever shows it looks again.
import { z } from "@hono/zod-openapi";
import { changesSince, latest, type State, watchState } from "../loop/changes.js";
import type { ServerContext } from "./context.js";
import { answerNews, type ServerEvent } from "./event-stream.js";
import { checkFields } from "./field-problems.js";
import { describeModels } from "./models.js";
import {
  findErrors,
  isAuthorized,
  operatorAccess,
  ownLookAccess,
  type RouteTable,
} from "./routes.js";

const NoQuery = z.strictObject({});
const nothing: State = { runs: undefined, sweeps: undefined, models: undefined, data: undefined };

export function eventRoutes(server: ServerContext): RouteTable {
  const { service } = server;
  const read = watchState(
    {
      database: async () => (await service.runs?.())?.database,
      registry: async () => await service.registry?.(),
    },
    service.project,
  );
  return [
    {
      method: "GET",
      path: "/v1/events",
      access: ownLookAccess,
      async handle(c) {
        checkFields(NoQuery, c.req.query());
        // Whoever may only summarize hears of what is served, and of nothing that is recorded.
        const seesAll = isAuthorized(server, c, operatorAccess);
        let state: State | undefined;
        let served = servedMark(server);
        return await answerNews(server, c, async () => {
          const now = seesAll ? await read() : nothing;
          const before = state;
          state = before === undefined ? now : latest(before, now);
          if (before === undefined) return [{ name: "watching", data: {} }];
          const nowServed = servedMark(server);
          const isServedOtherwise = nowServed !== served;
          served = nowServed;
          return hintOf({ ...changesSince(before, now), served: isServedOtherwise });
        });
      },
      describe: {
        operationId: "followChanges",
        tags: ["Operation"],
        summary: "Hear what has changed, to look at it again",
        description:
          "First an event `watching`: what changes from then on is told. Then events `changed` with `{runs?, sweeps?, models?}`, the ids and names of what is another than before, and `data` and `served`, true where versions of data or the models that are served are. A key that may not read hears of `served` alone. Whoever was not connected for a while looks at everything again.",
        responses: {
          200: {
            description: "Events.",
            content: { "text/event-stream": { schema: z.string() } },
          },
          ...findErrors,
        },
      },
    },
  ];
}

/** What is served, with versions: an alias may have moved. */
function servedMark({ service }: ServerContext): string {
  return JSON.stringify(
    describeModels(service).map(({ name, version, pending }) => [name, version, pending]),
  );
}

/** An event with what is not empty; none where nothing has changed. */
function hintOf(changes: Readonly<Record<string, readonly string[] | boolean>>): ServerEvent[] {
  const told = Object.entries(changes).filter(([, what]) =>
    typeof what === "boolean" ? what : what.length > 0,
  );
  return told.length === 0 ? [] : [{ name: "changed", data: Object.fromEntries(told) }];
}
