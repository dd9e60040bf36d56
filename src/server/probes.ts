// Is it alive, is it ready, what is it: /health, /ready, /info, /metrics and the names other platforms use for them.
import { z } from "@hono/zod-openapi";
import { BridleError } from "../errors/error.js";
import type { RequestContext, ServerContext } from "./context.js";
import { describeModels } from "./models.js";
import {
  isAuthorized,
  operatorAccess,
  type Route,
  type RouteDescription,
  type RouteTable,
  readErrors,
} from "./routes.js";
import { InfoSchema, ProblemSchema } from "./schemas.js";

export function probeRoutes(server: ServerContext): RouteTable {
  const { lifecycle, metrics, service } = server;

  const health = (): Response => Response.json({ status: "ok" });
  const ready = (): Response => {
    if (lifecycle.draining) throw new BridleError("SHUTTING_DOWN");
    if (!lifecycle.warm || service.processes?.isAvailable === false)
      throw new BridleError("WARMING_UP");
    return Response.json({ status: "ready" });
  };
  const get = (path: string, handle: Route["handle"], describe?: RouteDescription): Route => ({
    method: "GET",
    path,
    access: "open",
    ...(path !== "/info" && { isProbe: true as const }),
    handle,
    ...(describe && { describe }),
  });
  const status = z.object({ status: z.string() });
  const notReady = {
    503: {
      description: "Starting or shutting down.",
      content: { "application/problem+json": { schema: ProblemSchema } },
    },
  };

  return [
    get("/health", health, {
      operationId: "getHealth",
      tags: ["Operation"],
      summary: "Alive",
      responses: {
        200: { description: "Alive.", content: { "application/json": { schema: status } } },
      },
    }),
    get("/livez", health),
    get("/v2/health/live", () => Response.json({ live: true })),
    get("/ready", ready, {
      operationId: "getReady",
      tags: ["Operation"],
      summary: "Ready for work at full speed",
      responses: {
        200: { description: "Ready.", content: { "application/json": { schema: status } } },
        ...notReady,
      },
    }),
    get("/readyz", ready),
    get("/ping", ready),
    get("/v2/health/ready", () => {
      ready();
      return Response.json({ ready: true });
    }),
    get("/version", () => new Response(`${service.version}\n`, { headers: plain })),
    get("/info", (c) => getInfo(server, c), {
      operationId: "getInfo",
      tags: ["Operation"],
      summary: "Models, limits and versions",
      responses: {
        200: {
          description: "What this server is.",
          content: { "application/json": { schema: InfoSchema } },
        },
      },
    }),
    {
      method: "GET",
      path: "/metrics",
      access: operatorAccess,
      isProbe: true,
      handle: async () =>
        new Response(await metrics.render(), { headers: { "content-type": metrics.contentType } }),
      describe: {
        operationId: "getMetrics",
        tags: ["Operation"],
        summary: "Metrics in Prometheus' text format",
        responses: {
          200: { description: "Metrics.", content: { "text/plain": { schema: z.string() } } },
          ...readErrors,
        },
      },
    },
  ];
}

const plain = { "content-type": "text/plain; charset=utf-8" };

function getInfo(server: ServerContext, c: RequestContext): Response {
  const { service, config, admission, lifecycle } = server;
  const { maxBodyBytes, maxBatchDocuments, maxBatchLines, maxBeams } = config;
  const { deadlineMs, concurrency, queueLimit } = config;
  return Response.json({
    name: "bridle",
    version: service.version,
    models: describeModels(service),
    limits: {
      ...{ maxBodyBytes, maxBatchDocuments, maxBatchLines, maxBeams },
      ...{ deadlineMs, concurrency, queueLimit },
    },
    ...(isAuthorized(server, c, operatorAccess) && {
      process: {
        startedAt: lifecycle.startedAt.toISOString(),
        node: process.version,
        platform: `${process.platform} ${process.arch}`,
        residentBytes: process.memoryUsage.rss(),
        active: admission.active,
        waiting: admission.waiting,
        bufferedBytes: admission.bufferedBytes,
        ...(service.processes && { workers: service.processes.states() }),
      },
    }),
  });
}
