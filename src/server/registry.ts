// The registry over HTTP: a model's versions, cards, lineage and history to read, promotion and rollback for operators.
import { z } from "@hono/zod-openapi";
import { userOfMachine } from "../config/who.js";
import { BridleError, toBridleError } from "../errors/error.js";
import type { Registry } from "../registry/registry.js";
import type { NamedModel } from "../registry/version-name.js";
import type { ModelVersion } from "../registry/versions.js";
import { keyLabel } from "./api-keys.js";
import type { RequestContext, ServerContext } from "./context.js";
import { checkFields } from "./field-problems.js";
import { describeFailure } from "./log.js";
import { modelOfPath, versionOfBody } from "./model-names.js";
import { readJson } from "./request-body.js";
import { withinScope } from "./request-scope.js";
import {
  adminAccess,
  findErrors,
  operatorAccess,
  problemResponses,
  type Route,
  type RouteDescription,
  type RouteTable,
} from "./routes.js";
import { signatureOf } from "./version-signature.js";

const count = z.int().min(1).max(1_000_000_000);
const text = z.string().min(1).max(2000);

const MoveRequest = z.strictObject({
  alias: z.string().min(1).max(63).optional().openapi({ description: "champion unless said." }),
  expected: count.nullable().optional().openapi({
    description: "Refuse where the alias is not at this version; null for no version.",
  }),
  reason: text.optional().openapi({ description: "Why, for the history." }),
});
const PromoteRequest = MoveRequest.extend({
  version: z.union([count, z.string().min(1).max(200)]).openapi({
    description: "The version to point the alias at: its number, or an alias such as candidate.",
  }),
  force: z.boolean().optional().openapi({
    description: "Pass over gates that fail; needs a reason, and is kept in the history.",
  }),
}).openapi("PromoteRequest");
const RollbackRequest = MoveRequest.openapi("RollbackRequest");

const Anything = z.looseObject({});
const name = z.string().openapi({ description: "Name of a registered model.", example: "news" });
const json = (description: string, schema: z.ZodType = Anything) => ({
  200: { description, content: { "application/json": { schema } } },
});

/** A version in a list: what is said of it at length is asked for by its number. */
function briefOf({ card, dataObjects: _, ...version }: ModelVersion) {
  const { licence, model, lineage } = card;
  return {
    ...version,
    licence: licence.id,
    parent: lineage.parent,
    runId: lineage.runId,
    ...{ architecture: model.architecture },
  };
}

/** @throws MODEL_NOT_REGISTERED where there is no registry */
export async function registryOf({ service }: ServerContext, model: string): Promise<Registry> {
  const registry = await service.registry?.();
  if (registry !== undefined) return registry;
  throw new BridleError("MODEL_NOT_REGISTERED", {
    ...{ registry: "of this server", model: model.slice(0, 200), available: "none" },
  });
}

/**
 * Who is written down for a change: the key, by its name and by what tells it from another of that name; without keys the
 * user whose server it is, since nobody knows more of who is at this machine's browser.
 */
function actorOf(c: RequestContext): string {
  const { key } = c.var.scope;
  return key === undefined ? `${userOfMachine()} over HTTP` : `key ${keyLabel(key)}`;
}

/**
 * Has what is served follow an alias that has moved, and waits for it no longer than the request lasts. The move is made:
 * whatever goes wrong here is told to the log, and made up for when the server looks by itself the next time.
 */
async function follow({ service, log }: ServerContext, c: RequestContext): Promise<void> {
  if (service.refreshModels === undefined) return;
  try {
    await withinScope(c.var.scope, service.refreshModels());
  } catch (thrown) {
    log.warn(
      { requestId: c.var.scope.id, ...describeFailure(toBridleError(thrown)) },
      "An alias has moved, and it is not known whether what is served has followed; it is looked at again",
    );
  }
}

export function registryRoutes(server: ServerContext): RouteTable {
  const look = (
    path: string,
    documentedPath: string,
    {
      operationId,
      summary,
      params = z.object({ name }),
    }: { operationId: string; summary: string; params?: z.ZodObject },
    handle: (registry: Registry, named: NamedModel, c: RequestContext) => Promise<object>,
    aliasOf: (c: RequestContext) => string | undefined | null = () => null,
  ): Route => ({
    method: "GET",
    path,
    // Who did what, why, and on which data is nothing for everybody who may ask for summaries.
    access: operatorAccess,
    handle: async (c) => {
      const named = modelOfPath(c, aliasOf(c));
      return Response.json(await handle(await registryOf(server, named.model), named, c));
    },
    describe: {
      ...{ documentedPath, operationId, summary, tags: ["Models"] },
      request: { params },
      responses: { ...json(summary), ...findErrors },
    } as RouteDescription,
  });
  const act = <S extends z.ZodType>(
    verb: string,
    schema: S,
    summary: string,
    handle: (
      registry: Registry,
      named: NamedModel,
      body: z.output<S>,
      by: string,
    ) => Promise<object>,
    aliasOf: (body: z.output<S>) => string | undefined | null = () => null,
  ): Route => ({
    method: "POST",
    path: `/v1/models/:name/${verb}`,
    access: adminAccess,
    handle: async (c) => {
      const body = checkFields(schema, await readJson(server, c));
      const named = modelOfPath(c, aliasOf(body));
      const moved = await handle(await registryOf(server, named.model), named, body, actorOf(c));
      // Whoever is told that it is done gets the new version's answers from here on, where it could be opened.
      await follow(server, c);
      return Response.json(moved);
    },
    describe: {
      documentedPath: `/v1/models/{name}/${verb}`,
      operationId: `${verb}Model`,
      tags: ["Models"],
      summary,
      description:
        "Needs a key with the scope admin. On loopback without keys it needs the token of GET /v1/session in the header x-bridle-csrf instead.",
      request: {
        params: z.object({ name }),
        body: { required: true, content: { "application/json": { schema } } },
      },
      responses: { ...json("The move, as the history has it."), ...problemResponses },
    } as RouteDescription,
  });
  return [
    look(
      "/v1/models/:name",
      "/v1/models/{name}",
      { operationId: "getModel", summary: "A registered model" },
      async (registry, { model }) => {
        const { versions, ...rest } = await registry.getModel(model);
        return { ...rest, versions: versions.map(briefOf) };
      },
    ),
    look(
      "/v1/models/:name/versions",
      "/v1/models/{name}/versions",
      { operationId: "listVersions", summary: "A model's versions, the newest first" },
      async (registry, { model }) => ({
        versions: (await registry.getModel(model)).versions.map(briefOf),
      }),
    ),
    look(
      "/v1/models/:name/versions/:version",
      "/v1/models/{name}/versions/{version}",
      {
        operationId: "getVersion",
        summary: "A version with its card, its evaluations, its lineage and its signature",
        params: z.object({
          name,
          version: z.string().openapi({ description: "A number, or an alias's name." }),
        }),
      },
      async (registry, { model }, c) => {
        const { version: asked = "" } = c.req.param() as { version?: string };
        const isNumber = /^[1-9]\d{0,8}$/.test(asked);
        const version = await registry.getVersion({
          model,
          at: isNumber ? { version: Number(asked) } : { alias: asked },
        });
        return {
          ...version,
          evaluations: await registry.evaluations(model, version.version),
          lineage: await registry.lineage(version),
          signature: await signatureOf(server, registry, version),
        };
      },
    ),
    look(
      "/v1/models/:name/lineage",
      "/v1/models/{name}/lineage",
      {
        operationId: "getLineage",
        summary: "Where a model's versions come from and what came of them",
      },
      async (registry, { model }) => await registry.lineage({ model }),
    ),
    look(
      "/v1/models/:name/history",
      "/v1/models/{name}/history",
      { operationId: "getHistory", summary: "What the aliases pointed at when, the newest first" },
      async (registry, { model, alias }) => ({ moves: await registry.history(model, alias) }),
      (c) => c.req.query("alias"),
    ),
    act(
      "promote",
      PromoteRequest,
      "Put a version into production",
      async (registry, { model }, body, by) => {
        const { alias, expected, reason, force } = body;
        const { version } = await registry.getVersion(versionOfBody(model, body.version));
        return await registry.promote(model, version, { alias, expected, reason, force, by });
      },
    ),
    act(
      "rollback",
      RollbackRequest,
      "Go back to the version before",
      async (registry, { model, alias }, body, by) => {
        const { expected, reason } = body;
        return await registry.rollback(model, { alias, expected, reason, by });
      },
      ({ alias }) => alias,
    ),
    {
      method: "GET",
      path: "/v1/session",
      access: "open",
      handle: (c) => {
        const needsKey = server.keys.size > 0;
        if (needsKey) return Response.json({ needsKey, csrfToken: null });
        server.csrf.checkOrigin(c.env.incoming);
        return Response.json({ needsKey, csrfToken: server.csrf.token });
      },
      describe: {
        operationId: "getSession",
        tags: ["Operation"],
        summary: "How actions are allowed: by a key, or on loopback by a token",
        responses: {
          ...json(
            "Whether keys are on; else the token that goes into the header x-bridle-csrf.",
            z.object({ needsKey: z.boolean(), csrfToken: z.string().nullable() }),
          ),
          ...findErrors,
        },
      },
    },
  ];
}
