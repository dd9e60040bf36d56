// GET /v1/config/schema and POST /v1/config/check: what a training run's params.yaml may say, for forms and editors.
import { z } from "@hono/zod-openapi";
import { checkRunConfig } from "../config/load.js";
import { runConfigJsonSchema } from "../config/schema-keys.js";
import type { ServerContext } from "./context.js";
import { checkFields } from "./field-problems.js";
import { readJson } from "./request-body.js";
import { lookAccess, type RouteTable, readErrors } from "./routes.js";

const mapping = z.record(z.string(), z.unknown());
const CheckRequest = z
  .strictObject({
    config: mapping.openapi({
      description: "Keys of params.yaml, without `defaults`: sections as mappings.",
    }),
  })
  .openapi("ConfigCheckRequest");
const CheckAnswer = z
  .object({ config: mapping.openapi({ description: "The same with every default filled in." }) })
  .openapi("ConfigCheck");

export function runConfigRoutes(server: ServerContext): RouteTable {
  const schema = runConfigJsonSchema();
  return [
    {
      method: "GET",
      path: "/v1/config/schema",
      access: lookAccess,
      handle: () => Response.json(schema),
      describe: {
        operationId: "getConfigSchema",
        tags: ["Configuration"],
        summary: "The JSON Schema of params.yaml",
        responses: {
          200: {
            description: "JSON Schema, draft 7.",
            content: { "application/json": { schema: mapping } },
          },
          ...readErrors,
        },
      },
    },
    {
      method: "POST",
      path: "/v1/config/check",
      access: lookAccess,
      handle: async (c) => {
        const { config } = checkFields(CheckRequest, await readJson(server, c));
        return Response.json({ config: checkRunConfig(config) });
      },
      describe: {
        operationId: "checkConfig",
        tags: ["Configuration"],
        summary: "Check a training run's configuration",
        description:
          "Answers with every default filled in, or names each key that is wrong and the nearest there is. Nothing is run or kept.",
        request: { body: { content: { "application/json": { schema: CheckRequest } } } },
        responses: {
          200: {
            description: "The configuration is valid.",
            content: { "application/json": { schema: CheckAnswer } },
          },
          ...readErrors,
        },
      },
    },
  ];
}
