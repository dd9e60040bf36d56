// GET /v1/models: what can be asked for by name, with what each model takes and does unless told.
import type { ServerContext } from "./context.js";
import { lookAccess, type RouteTable, readErrors } from "./routes.js";
import { ModelsSchema } from "./schemas.js";
import { parameterNames } from "./summary-request.js";

export function modelRoutes(server: ServerContext): RouteTable {
  return [
    {
      method: "GET",
      path: "/v1/models",
      access: lookAccess,
      handle: () => {
        const models = [...server.service.summarizers].map(([name, summarizer], index) => ({
          name,
          version: summarizer.version,
          isDefault: index === 0,
          parameters: parameterNames(summarizer),
          defaults: summarizer.defaults,
        }));
        return Response.json({ models });
      },
      describe: {
        operationId: "listModels",
        tags: ["Models"],
        summary: "List the models",
        responses: {
          200: {
            description: "The models.",
            content: { "application/json": { schema: ModelsSchema } },
          },
          ...readErrors,
        },
      },
    },
  ];
}
