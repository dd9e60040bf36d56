import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { request } from "./raw-http.js";
import { startToy, type ToyServer } from "./toy-service.js";

const script = `console.log("${"x".repeat(3000)}");`;
let folder: string;
let server: ToyServer;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-static-"));
  const dashboard = path.join(folder, "dashboard");
  await mkdir(path.join(dashboard, "assets"), { recursive: true });
  await writeFile(path.join(dashboard, "index.html"), "<!doctype html><title>Page</title>");
  await writeFile(path.join(dashboard, "favicon.svg"), "<svg/>");
  await writeFile(path.join(dashboard, "assets", "index-3f9a1c2b.js"), script);
  await writeFile(path.join(dashboard, "assets", "font.woff2"), "font");
  await writeFile(path.join(folder, "secret.txt"), "top-secret-content");
  server = await startToy({}, { dashboard, docs: path.join(folder, "none") });
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

it.each([
  ["/", "text/html; charset=utf-8", "no-cache"],
  ["/index.html", "text/html; charset=utf-8", "no-cache"],
  ["/favicon.svg", "image/svg+xml", "no-cache"],
  ["/assets/font.woff2", "font/woff2", "no-cache"],
  [
    "/assets/index-3f9a1c2b.js",
    "text/javascript; charset=utf-8",
    "public, max-age=31536000, immutable",
  ],
])("serves %s as %s, kept as %s", async (file, type, caching) => {
  const response = await fetch(server.url + file);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe(type);
  expect(response.headers.get("cache-control")).toBe(caching);
  const policy = response.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("script-src 'self';");
});

it("answers a known version with 304", async () => {
  const first = await fetch(server.url);
  const etag = first.headers.get("etag") ?? "";
  expect((await fetch(server.url, { headers: { "if-none-match": etag } })).status).toBe(304);
  expect((await fetch(server.url, { headers: { "if-none-match": '"other"' } })).status).toBe(200);
});

it("compresses for those who ask", async () => {
  const file = "/assets/index-3f9a1c2b.js";
  const answer = await fetch(server.url + file, { headers: { "accept-encoding": "gzip" } });
  expect(answer.headers.get("content-encoding")).toBe("gzip");
  expect(await answer.text()).toBe(script);
  for (const accepted of ["identity", "gzip;q=0, br"]) {
    const plain = await request(server.port, {
      method: "GET",
      path: file,
      headers: [["Accept-Encoding", accepted]],
    });
    expect(plain.headers["content-encoding"]).toBeUndefined();
    expect(plain.body).toBe(script);
  }
});

it.each([
  "/../secret.txt",
  "/assets/../../secret.txt",
  "/%2e%2e/secret.txt",
  "/..%2fsecret.txt",
  "/assets/",
  "/assets",
  "/assets\\..\\..\\secret.txt",
  "/nothing.js",
])("has nothing at %s", async (file) => {
  const answer = await request(server.port, { method: "GET", path: file });
  expect([400, 404]).toContain(answer.status);
  expect(answer.body).not.toContain("top-secret-content");
});
