// GET /v1/models: what can be asked for by name, with what each model takes and does unless told.
import { getSummarizer, type Service } from "../compose.js";
import { toBridleError } from "../errors/error.js";
import type { RequestContext, ServerContext } from "./context.js";
import { toProblem } from "./error-answer.js";
import { describeFailure } from "./log.js";
import { authorize, lookAccess, operatorAccess, type RouteTable, readErrors } from "./routes.js";
import { ModelsSchema } from "./schemas.js";
import { parameterNames } from "./summary-request.js";

/** Every model as /info and /v1/models tell it, the default first. */
export function describeModels({ summarizers }: Service) {
  return [...summarizers].map(
    ([name, { version, digest, licence, pending, traits, defaults }], index) => ({
      name,
      version,
      isDefault: index === 0,
      ...(digest !== undefined && { digest, licence: licence ?? null }),
      ...(pending && {
        pending: {
          version: pending.version,
          code: pending.error.code,
          detail: pending.error.message,
        },
      }),
      ...traits,
      defaults,
    }),
  );
}

/**
 * The registry's models, for whoever may read it: null where it does not answer, which keeps nobody from those that are
 * served. Everybody else is told why they are not listed.
 */
async function listRegistered(server: ServerContext, c: RequestContext) {
  try {
    authorize(server, c, operatorAccess);
  } catch (thrown) {
    return { registeredRefused: toProblem(toBridleError(thrown), c.var.scope.id) };
  }
  try {
    const registered = await (await server.service.registry?.())?.listModels();
    return registered === undefined ? {} : { registered };
  } catch (thrown) {
    server.log.error(describeFailure(toBridleError(thrown)), "The registry does not answer");
    return { registered: null };
  }
}

export function modelRoutes(server: ServerContext): RouteTable {
  return [
    {
      method: "GET",
      path: "/v1/models",
      access: lookAccess,
      handle: async (c) => {
        const models = describeModels(server.service).map((model) => ({
          ...model,
          parameters: parameterNames(getSummarizer(server.service, model.name)),
        }));
        return Response.json({ models, ...(await listRegistered(server, c)) });
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
