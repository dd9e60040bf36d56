// Registers routes so that each is known to the router, to the OpenAPI document, to access control and to metrics.
import { createRoute, type RouteConfig } from "@hono/zod-openapi";
import { isLoopback } from "../config/serve-config.js";
import { BridleError } from "../errors/error.js";
import { grants, type Scope } from "./api-keys.js";
import type { App, RequestContext, ServerContext } from "./context.js";
import { checkTimeoutHeader } from "./request-scope.js";
import { FastApiErrorSchema, HuggingFaceErrorSchema, ProblemSchema } from "./schemas.js";

/**
 * Who may use a route: anybody, or holders of a key with one of these scopes. `operator` routes are closed as long as
 * a server beyond loopback has no keys.
 */
export type Access =
  | "open"
  | {
      readonly scopes: readonly Scope[];
      readonly operator?: true;
      /** Tells what is nobody else's: a server on loopback without keys tells it to its own pages, and to programs. */
      readonly isOwn?: true;
      /** Changes something: without keys a token shows that it is this server's own page, or a person, that asks. */
      readonly acts?: true;
    };

export const summarizeAccess: Access = { scopes: ["summarize"] };
/** Documents that were sent before, and what was made of them. */
export const ownSummarizeAccess: Access = { scopes: ["summarize"], isOwn: true };
/** What every caller needs to know before it can ask for a summary. */
export const lookAccess: Access = { scopes: ["summarize", "read"] };
/** What was made of what, by whom and why. */
export const ownLookAccess: Access = { scopes: ["summarize", "read"], isOwn: true };
export const operatorAccess: Access = { scopes: ["read"], operator: true, isOwn: true };
export const adminAccess: Access = { scopes: ["admin"], operator: true, acts: true };

export interface Route {
  readonly method: "GET" | "POST";
  /** The path; a last `*` stands for anything but nothing. */
  readonly path: string;
  readonly access: Access;
  /** Asked by platforms every few seconds, and not worth a line of the log. */
  readonly isProbe?: true;
  readonly handle: (c: RequestContext) => Promise<Response> | Response;
  /** For the OpenAPI document; routes without one are not in it. */
  readonly describe?: RouteDescription;
}

export type RouteDescription = Pick<RouteConfig, "summary" | "responses"> &
  Partial<Pick<RouteConfig, "description" | "request" | "tags">> & {
    /** The path as OpenAPI writes it, where it differs. */
    readonly documentedPath?: string;
    readonly operationId: string;
  };

export type RouteTable = readonly Route[];

export function registerRoutes(server: ServerContext, app: App, routes: RouteTable): void {
  for (const route of routes) {
    app.on(route.method, route.path, async (c) => {
      c.var.scope.route = route.path;
      c.var.scope.isProbe = route.isProbe ?? false;
      checkTimeoutHeader(c.env.incoming);
      authorize(server, c, route.access);
      return await route.handle(c);
    });
    if (route.describe) {
      const { documentedPath, ...description } = route.describe;
      app.openAPIRegistry.registerPath(
        createRoute({
          method: route.method.toLowerCase() as "get" | "post",
          path: documentedPath ?? route.path,
          ...description,
          ...(server.keys.size > 0 &&
            route.access !== "open" && { security: [{ bearer: [] }, { apiKey: [] }] }),
        }),
      );
    }
  }
}

/** The methods a path answers to; empty where there is nothing at it. */
export function methodsOf(routes: RouteTable, path: string): string[] {
  const methods = new Set<string>();
  for (const route of routes) {
    if (!fitsPattern(route.path, path)) continue;
    methods.add(route.method);
    if (route.method === "GET") methods.add("HEAD");
  }
  return [...methods];
}

/** Whether a path is one of a pattern whose parts may be `:names`, and whose last may be `*`: anything from there on. */
function fitsPattern(pattern: string, path: string): boolean {
  if (!/[:*]/.test(pattern)) return path === pattern;
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  const isOpen = wanted.at(-1) === "*";
  if (isOpen) wanted.pop();
  const fitsLength = isOpen ? given.length > wanted.length : given.length === wanted.length;
  return (
    fitsLength &&
    wanted.every((part, i) => (/^:\w+$/.test(part) ? given[i] !== "" : part === given[i]))
  );
}

/** The key a request shows: `Authorization: Bearer KEY` or `x-api-key: KEY`. */
function presentedKey(c: RequestContext): string | undefined {
  const { authorization, "x-api-key": named } = c.env.incoming.headers;
  const bearer = /^Bearer +(.+)$/i.exec(authorization ?? "")?.[1]?.trim();
  return bearer ?? (typeof named === "string" && named !== "" ? named : undefined);
}

/**
 * Lets a request pass, noting whose key it shows.
 * @throws KEY_MISSING, KEY_UNKNOWN, SCOPE_MISSING, OPERATOR_ROUTE_CLOSED, ORIGIN_REFUSED, CSRF_TOKEN_MISSING
 */
export function authorize(server: ServerContext, c: RequestContext, access: Access): void {
  if (access === "open") return;
  const scope = access.scopes.join(" or ");
  if (server.keys.size === 0) {
    const isHere = isLoopback(server.config.host);
    if (access.operator && !isHere) throw new BridleError("OPERATOR_ROUTE_CLOSED", { scope });
    // A key is shown by whoever has it; without one, a browser acts for any page that asks, also for one that a foreign name
    // brought to this machine.
    if (access.acts) server.csrf.check(c.env.incoming);
    else if (access.isOwn && isHere) server.csrf.checkOrigin(c.env.incoming);
    return;
  }
  const presented = presentedKey(c);
  if (presented === undefined) throw new BridleError("KEY_MISSING");
  const key = server.keys.find(presented);
  if (!key) throw new BridleError("KEY_UNKNOWN");
  c.var.scope.key = key;
  if (!access.scopes.some((wanted) => grants(key.scopes, wanted))) {
    throw new BridleError("SCOPE_MISSING", { name: key.name, scope });
  }
}

/** True where the request would pass `authorize`. */
export function isAuthorized(server: ServerContext, c: RequestContext, access: Access): boolean {
  try {
    authorize(server, c, access);
    return true;
  } catch (thrown) {
    if (thrown instanceof BridleError) return false;
    throw thrown;
  }
}

const reasons: Readonly<Record<number, string>> = {
  400: "Something in the request is wrong.",
  401: "An API key is needed.",
  403: "The API key may not do this.",
  404: "There is nothing by that name.",
  408: "The body stopped coming.",
  409: "It is not as the request takes it to be, or the name means several.",
  413: "Over the size limit.",
  415: "The body's type is not supported.",
  422: "The body does not have the expected form.",
  429: "Busy; come back after Retry-After seconds.",
  500: "A fault of the server.",
  503: "Starting or shutting down.",
  504: "The deadline passed.",
};

function describeErrors(
  statuses: readonly number[],
  mediaType: string,
  schema: typeof ProblemSchema | typeof FastApiErrorSchema | typeof HuggingFaceErrorSchema,
): RouteConfig["responses"] {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: reasons[status] ?? "Error", content: { [mediaType]: { schema } } },
    ]),
  );
}

const workErrors = [400, 401, 403, 404, 408, 413, 415, 429, 500, 503, 504];

/** Descriptions of a native working route's errors. */
export const problemResponses = describeErrors(
  workErrors,
  "application/problem+json",
  ProblemSchema,
);
export const readErrors = describeErrors(
  [400, 401, 403, 500],
  "application/problem+json",
  ProblemSchema,
);
/** Of routes that look something up by a name. */
export const findErrors = describeErrors(
  [400, 401, 403, 404, 409, 500, 503],
  "application/problem+json",
  ProblemSchema,
);
export const fastApiResponses = describeErrors(
  [400, 401, 403, 408, 413, 415, 422, 429, 500, 503, 504],
  "application/json",
  FastApiErrorSchema,
);
export const huggingFaceResponses = describeErrors(
  workErrors.filter((status) => status !== 503),
  "application/json",
  HuggingFaceErrorSchema,
);
