// Puts the service together: what happens to every request, every route, and what is answered where there is none.
import { OpenAPIHono } from "@hono/zod-openapi";
import { kinds } from "../errors/codes.js";
import { BridleError, toBridleError } from "../errors/error.js";
import { alignmentRoutes } from "./alignments.js";
import { batchRoutes } from "./batches.js";
import { originalRoutes } from "./bert.js";
import type { App, Env, RequestContext, ServerContext } from "./context.js";
import { cors } from "./cors.js";
import { dashboardRoutes } from "./dashboard.js";
import { dataRoutes } from "./data.js";
import { documentRoutes } from "./documents.js";
import { answerError, shapeOf } from "./error-answer.js";
import { eventRoutes } from "./events.js";
import { findOriginalRedirect } from "./fastapi/redirects.js";
import { huggingFaceRoutes } from "./huggingface.js";
import { describeFailure, logRequest, logSlow } from "./log.js";
import { modelRoutes } from "./models.js";
import { describeApi, docsRoutes } from "./openapi.js";
import { probeRoutes } from "./probes.js";
import { registryRoutes } from "./registry.js";
import { lingerAfter } from "./request-body.js";
import { openRequestScope } from "./request-scope.js";
import { methodsOf, type RouteTable, registerRoutes } from "./routes.js";
import { runConfigRoutes } from "./run-config.js";
import { runRoutes } from "./runs.js";
import { endWhereStalled } from "./stalled-readers.js";
import { summaryRoutes } from "./summaries.js";
import { sweepRoutes } from "./sweeps.js";

/** Where built files lie. */
export interface BuiltFiles {
  readonly dashboard: string;
  readonly docs: string;
}

/** On every answer: what a browser must not do with it. */
const safetyHeaders = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
} as const;
/** On answers that bring no policy or caching of their own. */
const defaultHeaders = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
} as const;

/** How long a slow request's line waits for a model that was cut off to tell where its time went: some steps. */
const tellWithinMs = 5000;

export async function createApp(server: ServerContext, files: BuiltFiles): Promise<App> {
  const app: App = new OpenAPIHono<Env>();
  app.use(async (c, next) => {
    openScope(server, c);
    await next();
    finishHeaders(server, c);
  });
  if (server.config.corsOrigins.length > 0) app.use(cors(server.config.corsOrigins));

  const apiRoutes: RouteTable = [
    ...summaryRoutes(server),
    ...alignmentRoutes(server),
    ...batchRoutes(server),
    ...documentRoutes(server),
    ...modelRoutes(server),
    ...runConfigRoutes(server),
    ...registryRoutes(server),
    ...runRoutes(server),
    ...sweepRoutes(server),
    ...dataRoutes(server),
    ...eventRoutes(server),
    ...originalRoutes(server),
    ...huggingFaceRoutes(server),
    ...probeRoutes(server),
  ];
  registerRoutes(server, app, apiRoutes);
  const pages = [
    ...(await docsRoutes(() => describeApi(server, app), files.docs)),
    ...(await dashboardRoutes(server, files.dashboard)),
  ];
  registerRoutes(server, app, pages);

  const routes = [...apiRoutes, ...pages];
  app.notFound((c) => answerNothingThere(c, routes));
  app.onError((thrown, c) => {
    const error = toBridleError(thrown);
    if (error.kind === "bug") {
      server.log.error(
        { requestId: c.var.scope.id, ...describeFailure(error) },
        "A request failed on a bug",
      );
    }
    return answerError(c, error);
  });
  return app;
}

function openScope(server: ServerContext, c: RequestContext): void {
  const { incoming, outgoing } = c.env;
  const scope = openRequestScope(
    incoming,
    outgoing,
    server.config,
    server.lifecycle.givingUp.signal,
  );
  c.set("scope", scope);
  lingerAfter(incoming, outgoing);
  const deadlineAt = scope.startedAt + scope.timeoutMs;
  endWhereStalled(outgoing, server.config.answerIdleMs, deadlineAt);
  // As it was sent: decoded, it could hold line breaks and forge lines of the log.
  const [path = ""] = (incoming.url ?? "").split("?", 1);
  const sentBefore = outgoing.socket?.bytesWritten ?? 0;
  const { socket } = outgoing;
  scope.onEnd(() => {
    // 499 is nginx's status for a caller that left before its answer was sent.
    const status = scope.isSent ? outgoing.statusCode : 499;
    const durationMs = performance.now() - scope.startedAt;
    server.metrics.countRequest(scope.route, incoming.method ?? "", status, durationMs);
    const isSlow = durationMs >= server.config.slowRequestMs;
    if (isSlow && !scope.isProbe && !scope.isOpenEnded) {
      const { id: requestId, route, requestBytes, code } = scope;
      const slow = { requestId, route, status, durationMs, requestBytes, code };
      void settled(scope.account.told, tellWithinMs).then(() => {
        const { told: _, ...account } = scope.account;
        logSlow(server.log, { ...slow, account });
      });
    }
    logRequest(server.log, server.config, {
      requestId: scope.id,
      method: incoming.method ?? "",
      path: path.slice(0, 200),
      status,
      isProbe: scope.isProbe,
      durationMs,
      requestBytes: scope.requestBytes,
      responseBytes: Math.max(0, (socket?.bytesWritten ?? 0) - sentBefore),
      remoteAddress: incoming.socket.remoteAddress,
      userAgent: incoming.headers["user-agent"]?.slice(0, 200),
      httpVersion: incoming.httpVersion,
      key: scope.key?.name,
      code: scope.code,
      trace: scope.trace,
    });
  });
}

/** Waits until a promise has settled, but no longer than so many ms. */
async function settled(promise: Promise<void> | undefined, mostMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, mostMs);
  });
  await Promise.race([promise, enough]);
  clearTimeout(timer);
}

function finishHeaders(server: ServerContext, c: RequestContext): void {
  const { headers } = c.res;
  headers.set("x-request-id", c.var.scope.id);
  if (c.var.scope.cache !== undefined) headers.set("x-bridle-cache", c.var.scope.cache);
  if (server.lifecycle.draining) headers.set("connection", "close");
  for (const [name, value] of Object.entries(safetyHeaders)) headers.set(name, value);
  for (const [name, value] of Object.entries(defaultHeaders)) {
    if (!headers.has(name)) headers.set(name, value);
  }
}

function answerNothingThere(c: RequestContext, routes: RouteTable): Response {
  const { path, method } = c.req;
  const redirect = findOriginalRedirect(path);
  if (redirect !== undefined) {
    const { search, origin } = new URL(c.req.url);
    return new Response(null, {
      status: 307,
      headers: { location: `${origin}${redirect}${search}` },
    });
  }
  const methods = methodsOf(routes, path);
  const shape = shapeOf(path);
  if (methods.length === 0) {
    if (shape === "fastapi") return fastApiDetail(c, "ROUTE_NOT_FOUND", "Not Found");
    return answerError(c, new BridleError("ROUTE_NOT_FOUND", { path: path.slice(0, 200) }));
  }
  const allow = methods.join(", ");
  if (shape === "fastapi")
    return fastApiDetail(c, "METHOD_NOT_ALLOWED", "Method Not Allowed", { allow });
  if (method === "OPTIONS") {
    return new Response(null, { status: 204, headers: { allow: `${allow}, OPTIONS` } });
  }
  return answerError(
    c,
    new BridleError("METHOD_NOT_ALLOWED", { method, path: path.slice(0, 200), allow }),
  );
}

/** Starlette's own answers, word for word. */
function fastApiDetail(
  c: RequestContext,
  code: "ROUTE_NOT_FOUND" | "METHOD_NOT_ALLOWED",
  detail: string,
  headers: Record<string, string> = {},
): Response {
  c.var.scope.code = code;
  const { status } = kinds[new BridleError(code).kind];
  return Response.json({ detail }, { status, headers });
}
