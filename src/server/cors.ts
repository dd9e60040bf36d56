// Cross-origin access, for the origins that are configured and for nobody else.
import type { MiddlewareHandler } from "hono";
import type { Env } from "./context.js";

const allowedHeaders = "authorization, content-type, x-api-key, x-request-id, x-timeout-ms";
const exposedHeaders = "x-request-id, retry-after, allow";
const preflightMaxAgeS = "600";

/**
 * Answers preflights and marks answers for the given origins; `*` stands for all. Without origins it does nothing.
 * Credentials are never allowed: keys travel in headers that the calling page sets itself.
 * Source: the WHATWG Fetch standard, CORS protocol.
 */
export function cors(origins: readonly string[]): MiddlewareHandler<Env> {
  const all = origins.includes("*");
  return async (c, next) => {
    const origin = c.req.header("origin");
    const allowed = origin !== undefined && (all || origins.includes(origin));
    const isPreflight =
      c.req.method === "OPTIONS" && c.req.header("access-control-request-method") !== undefined;
    const headers: Record<string, string> = {
      ...(!all && { vary: "Origin" }),
      ...(allowed && { "access-control-allow-origin": all ? "*" : origin }),
    };
    if (allowed && isPreflight) {
      return new Response(null, {
        status: 204,
        headers: {
          ...headers,
          "access-control-allow-methods": "GET, HEAD, POST",
          "access-control-allow-headers": allowedHeaders,
          "access-control-max-age": preflightMaxAgeS,
        },
      });
    }
    await next();
    for (const [name, value] of Object.entries(headers)) {
      if (name === "vary") c.res.headers.append(name, value);
      else c.res.headers.set(name, value);
    }
    if (allowed) c.res.headers.set("access-control-expose-headers", exposedHeaders);
    return undefined;
  };
}
