// GET /openapi.json and GET /docs: the API described, and a page to try it that needs no network.
import { createHash } from "node:crypto";
import type { App, ServerContext } from "./context.js";
import type { RouteTable } from "./routes.js";
import { readStaticFiles, serveFile } from "./static-files.js";

const description =
  `Text summarization. Native errors are problem documents (RFC 9457) with a code, a hint and the
request's id; the original routes answer errors as FastAPI does, /models/* as Hugging Face does. A caller may ask for a
shorter deadline with the header x-timeout-ms, and name a request with x-request-id.`.replaceAll(
    "\n",
    " ",
  );

/** Swagger UI sets styles from script and draws its icons from data: URLs; it needs nothing else. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

const startScript = `window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#ui",
    deepLinking: true,
    validatorUrl: null,
    tryItOutEnabled: true,
  });
});
`;

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bridle API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</head>
<body>
<noscript>This page needs JavaScript. The description it shows is at <a href="/openapi.json">/openapi.json</a>.</noscript>
<div id="ui"></div>
</body>
</html>
`;

/** The OpenAPI 3.1 document of every route registered so far. */
export function describeApi(server: ServerContext, app: App): object {
  if (server.keys.size > 0) {
    app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
      type: "http",
      scheme: "bearer",
    });
    app.openAPIRegistry.registerComponent("securitySchemes", "apiKey", {
      type: "apiKey",
      in: "header",
      name: "x-api-key",
    });
  }
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Bridle",
      version: server.service.version,
      description,
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [{ url: "/" }],
  });
  sizeTuples(document);
  return document;
}

/** Says of every tuple how long it is: the generator lists the kinds of its items, which a shorter list has too. */
function sizeTuples(node: unknown): void {
  if (typeof node !== "object" || node === null) return;
  const schema = node as { prefixItems?: unknown; minItems?: number; maxItems?: number };
  if (Array.isArray(schema.prefixItems)) {
    schema.minItems ??= schema.prefixItems.length;
    schema.maxItems ??= schema.prefixItems.length;
  }
  for (const inner of Object.values(node)) sizeTuples(inner);
}

/**
 * @param describe gives the document; asked once, when somebody wants it, since that takes a tenth of a second
 * @param folder where the docs page's assets lie
 */
export async function docsRoutes(describe: () => object, folder: string): Promise<RouteTable> {
  let told: { readonly text: string; readonly etag: string } | undefined;
  const tell = () => {
    const text = JSON.stringify(describe());
    const hash = createHash("sha256").update(text).digest("base64url");
    return { text, etag: `"${hash.slice(0, 22)}"` };
  };
  const assets = await readStaticFiles(folder);
  const built = assets.some((file) => file.name === "swagger-ui-bundle.js");
  const html = { name: "index.html", bytes: Buffer.from(page) };
  const notBuilt = () =>
    new Response(
      "The page's files have not been built: npm run build. The API is described at /openapi.json.\n",
      {
        headers: { "content-type": "text/plain; charset=utf-8" },
      },
    );
  const files = built ? [...assets, { name: "start.js", bytes: Buffer.from(startScript) }] : [];
  return [
    {
      method: "GET",
      path: "/openapi.json",
      access: "open",
      handle: () => {
        told ??= tell();
        const { text, etag } = told;
        return new Response(text, {
          headers: { "content-type": "application/json", "cache-control": "no-cache", etag },
        });
      },
    },
    {
      method: "GET",
      path: "/docs",
      access: "open",
      handle: built
        ? serveFile(html, { "content-security-policy": contentSecurityPolicy })
        : notBuilt,
    },
    ...files.map((file) => ({
      method: "GET" as const,
      path: `/docs/${file.name}`,
      access: "open" as const,
      handle: serveFile(file),
    })),
  ];
}
