// Serves folders of built files from memory: nothing outside them can be reached, and a rebuild cannot tear a page apart.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { RequestContext } from "./context.js";

const compress = promisify(gzip);

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".gif": "image/gif",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
};

export interface StaticFile {
  /** Path within the folder, with forward slashes. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** Every file of a folder and its subfolders; none where there is no such folder. */
export async function readStaticFiles(folder: string): Promise<StaticFile[]> {
  let entries: Awaited<ReturnType<typeof listEntries>>;
  try {
    entries = await listEntries(folder);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw thrown;
  }
  const files = entries.filter((entry) => entry.isFile());
  return await Promise.all(
    files.map(async (entry) => {
      const full = path.join(entry.parentPath, entry.name);
      const name = path.relative(folder, full).split(path.sep).join("/");
      return { name, bytes: await readFile(full) };
    }),
  );
}

function listEntries(folder: string) {
  return readdir(folder, { recursive: true, withFileTypes: true });
}

/** A name that changes with its content, as bundlers write it: `index-3f9a1c2b.js`. */
const hashedName = /-[\w-]{8,}\.\w+$/;
/** Files below this are sent faster than they are compressed. */
const leastToCompress = 1400;

/** An answerer for one file: caching, revalidation and compression included. */
export function serveFile(
  { name, bytes }: StaticFile,
  extraHeaders: Readonly<Record<string, string>> = {},
): (c: RequestContext) => Promise<Response> {
  const type = types[path.extname(name).toLowerCase()] ?? "application/octet-stream";
  const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
  const compressible = /^(text|image\/svg|application\/(json|manifest|wasm))/.test(type);
  let compressed: Promise<Buffer> | undefined;
  const headers = {
    "content-type": type,
    "cache-control": hashedName.test(name) ? "public, max-age=31536000, immutable" : "no-cache",
    etag,
    vary: "accept-encoding",
    ...extraHeaders,
  };
  return async (c) => {
    if (c.req.header("if-none-match")?.split(/,\s*/).includes(etag)) {
      return new Response(null, { status: 304, headers });
    }
    const wantsGzip = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(
      c.req.header("accept-encoding") ?? "",
    );
    if (!compressible || !wantsGzip || bytes.length < leastToCompress) {
      return new Response(new Uint8Array(bytes), { headers });
    }
    compressed ??= compress(bytes);
    return new Response(new Uint8Array(await compressed), {
      headers: { ...headers, "content-encoding": "gzip" },
    });
  };
}
