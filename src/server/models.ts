// GET /v1/models: what can be asked for by name, with what each model takes and does unless told.
import { getSummarizer, type Service } from "../compose.js";
import type { ServerContext } from "./context.js";
import { lookAccess, type RouteTable, readErrors } from "./routes.js";
import { ModelsSchema } from "./schemas.js";
import { parameterNames } from "./summary-request.js";

/** Every model as /info and /v1/models tell it, the default first. */
export function describeModels({ summarizers }: Service) {
  return [...summarizers].map(([name, { version, traits, defaults }], index) => ({
    name,
    version,
    isDefault: index === 0,
    ...traits,
    defaults,
  }));
}

export function modelRoutes(server: ServerContext): RouteTable {
  return [
    {
      method: "GET",
      path: "/v1/models",
      access: lookAccess,
      handle: () => {
        const models = describeModels(server.service).map((model) => ({
          ...model,
          parameters: parameterNames(getSummarizer(server.service, model.name)),
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
