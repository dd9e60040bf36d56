// GET / and the addresses of the other pages: the dashboard, as the bundler built it.
import type { ServerContext } from "./context.js";
import type { RouteTable } from "./routes.js";
import { readStaticFiles, serveFile } from "./static-files.js";

/** No script but the page's own files; styles may be inline, as component libraries set them from script. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

/** Addresses that the page itself makes sense of (dashboard/src/shell/pages.ts), to be sent to somebody, kept and reloaded. */
const pagePaths = ["/configure", "/data", "/registry", "/runs", "/sweeps", "/system"];

/** @param folder where the built page lies; without it, / says how to build it */
export async function dashboardRoutes(server: ServerContext, folder: string): Promise<RouteTable> {
  const files = await readStaticFiles(folder);
  const headers = { "content-security-policy": contentSecurityPolicy };
  const index = files.find((file) => file.name === "index.html");
  if (!index) {
    return [{ method: "GET", path: "/", access: "open", handle: () => notBuilt(server) }];
  }
  return [
    ...["/", ...pagePaths, ...pagePaths.map((path) => `${path}/*`)].map((path) => ({
      method: "GET" as const,
      path,
      access: "open" as const,
      handle: serveFile(index, headers),
    })),
    ...files.map((file) => ({
      method: "GET" as const,
      path: `/${file.name}`,
      access: "open" as const,
      handle: serveFile(file, headers),
    })),
  ];
}

function notBuilt(server: ServerContext): Response {
  const text = [
    `Bridle ${server.service.version} is running; its page has not been built.`,
    "",
    "Build it:   npm run build",
    "API:        /docs",
    'Try:        curl -H "Content-Type: application/json" -d \'{"content":"Your text."}\' HOST/bert',
    "",
  ].join("\n");
  return new Response(text, {
    headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-cache" },
  });
}
