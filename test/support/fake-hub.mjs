// A hub on loopback that behaves as huggingface.co does: listing, commits, ETags, redirects to a store elsewhere, ranges, refusals.
// It is plain JavaScript, so that scripts/parity-hub.mjs can run it for the real huggingface_hub too.
// @ts-check
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

/**
 * @typedef {{
 *   files: Record<string, Uint8Array | string>,
 *   large?: (path: string) => boolean,
 *   gated?: boolean,
 *   private?: boolean,
 *   branches?: Record<string, string>,
 *   claimedSizes?: Record<string, number>,
 * }} Repository `branches` maps further names to commits; `main` always means the newest. `claimedSizes` are what the
 *   listing says of files in place of the truth
 * @typedef {{method: string, path: string, headers: import("node:http").IncomingHttpHeaders, server: "hub" | "store"}} Seen
 * @typedef {{
 *   status?: number,
 *   headers?: Record<string, string>,
 *   cutAfter?: number,
 *   stallAfter?: number,
 *   content?: Uint8Array,
 *   ignoreRange?: boolean,
 *   wait?: Promise<unknown>,
 * }} Fault what goes wrong with one answer; `cutAfter` and `stallAfter` count bytes of the body
 * @typedef {(request: Seen) => Fault | undefined | void} Faults
 */

/** @param {Uint8Array | string} content */
const bytesOf = (content) => (typeof content === "string" ? Buffer.from(content) : content);

/** @param {Uint8Array} content */
export function gitSha1(content) {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

/** @param {Uint8Array} content */
export function sha256(content) {
  return createHash("sha256").update(content).digest("hex");
}

/** @param {string} path */
const isLargeByName = (path) => /\.(safetensors|bin|model)$/.test(path);

/** @param {Repository} repository The commit is made of the content, as git's is. */
export function commitOf({ files }) {
  const hash = createHash("sha1");
  for (const [path, content] of Object.entries(files))
    hash.update(`${path}\0`).update(bytesOf(content));
  return hash.digest("hex");
}

/**
 * @param {Record<string, Repository>} repositories by `owner/name`; what is changed in it is served from then on
 * @param {{token?: string, listing?: "full" | "names" | "none", renamed?: Record<string, string>}} [options] `token` is
 *   the one that may read what is private or gated; `listing` says whether the API gives hashes, names alone, or
 *   nothing, as some mirrors; `renamed` has new names of repositories by their old ones
 */
export async function startFakeHub(repositories, options = {}) {
  const { token = "hf_right", listing = "full", renamed = {} } = options;
  /** @type {Seen[]} */
  const requests = [];
  /** @type {Faults} */
  let faults = () => undefined;
  /** Commits that were ever served, so that they stay. @type {Map<string, Record<string, Uint8Array | string>>} */
  const history = new Map();
  let storeUrl = "";

  /** @param {string} repo @param {string} revision */
  function find(repo, revision) {
    const repository = repositories[repo];
    if (repository === undefined) return undefined;
    const newest = commitOf(repository);
    history.set(`${repo}@${newest}`, { ...repository.files });
    const commit = revision === "main" ? newest : (repository.branches?.[revision] ?? revision);
    const files = history.get(`${repo}@${commit}`);
    return { repository, commit, files };
  }

  /** @param {Repository} repository @param {string} path @param {Uint8Array} content */
  function describe(repository, path, content) {
    const isLarge = (repository.large ?? isLargeByName)(path);
    const pointer = Buffer.from(
      `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(content)}\nsize ${content.length}\n`,
    );
    const blobId = gitSha1(isLarge ? pointer : content);
    return {
      isLarge,
      blobId,
      etag: isLarge ? sha256(content) : blobId,
      pointerSize: pointer.length,
    };
  }

  /**
   * @param {import("node:http").ServerResponse} response @param {number} status @param {string} code
   * @param {string} message
   */
  function refuse(response, status, code, message) {
    response.writeHead(status, {
      "content-type": "application/json",
      ...(code && { "x-error-code": code }),
      "x-error-message": message,
    });
    response.end(JSON.stringify({ error: message }));
  }

  /**
   * Sends content, or the range of it that was asked for, or what a fault makes of that.
   * @param {Seen} seen @param {import("node:http").ServerResponse} response @param {Uint8Array} content
   * @param {Record<string, string>} headers @param {Fault} fault
   */
  async function send(seen, response, content, headers, fault) {
    const body = fault.content ?? content;
    const from = fault.ignoreRange
      ? undefined
      : /^bytes=(\d+)-$/.exec(seen.headers.range ?? "")?.[1];
    const start = Number(from ?? 0);
    if (from !== undefined && start >= body.length) {
      response.writeHead(416, { "content-range": `bytes */${body.length}` });
      response.end();
      return;
    }
    const part = body.subarray(start);
    response.writeHead(from === undefined ? 200 : 206, {
      "accept-ranges": "bytes",
      "content-length": String(part.length),
      ...(from !== undefined && {
        "content-range": `bytes ${start}-${body.length - 1}/${body.length}`,
      }),
      ...headers,
    });
    if (seen.method === "HEAD") {
      response.end();
      return;
    }
    const limit = fault.cutAfter ?? fault.stallAfter;
    if (limit === undefined || limit >= part.length) {
      response.end(part);
      return;
    }
    response.write(part.subarray(0, limit), () => {
      if (fault.cutAfter !== undefined) setTimeout(() => response.destroy(), 20);
    });
  }

  /** @param {Seen} seen @param {import("node:http").ServerResponse} response @param {Fault} fault */
  async function answerHub(seen, response, fault) {
    const url = new URL(seen.path, "http://hub");
    const segments = url.pathname.split("/").map(decodeURIComponent).slice(1);
    const inApi = segments[0] === "api";
    const isCached = inApi && segments[1] === "resolve-cache";
    const [owner = "", name = "", verb = "", revision = "main", ...rest] = isCached
      ? [segments[3], segments[4], "cached", segments[5], ...segments.slice(6)]
      : inApi
        ? segments.slice(2)
        : segments;
    const repo = `${owner}/${name}`;
    const newName = renamed[repo];
    if (newName !== undefined) {
      response.writeHead(307, { location: seen.path.replace(repo, newName) });
      return response.end();
    }
    const given = /^Bearer (.*)$/.exec(seen.headers.authorization ?? "")?.[1];
    if (given !== undefined && given !== token) {
      return refuse(response, 401, "", "Invalid credentials in Authorization header");
    }
    if (inApi && !isCached && listing === "none") {
      response.writeHead(404, { "content-type": "text/html" });
      return response.end("<h1>Not found</h1>");
    }
    const found = find(repo, revision);
    if (found === undefined || (found.repository.private && given === undefined)) {
      return given === undefined
        ? refuse(response, 401, "RepoNotFound", "Invalid username or password.")
        : refuse(response, 404, "RepoNotFound", "Repository not found");
    }
    const { repository, commit, files } = found;
    if (files === undefined) {
      return refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    }
    if (inApi && !isCached) {
      response.writeHead(200, { "content-type": "application/json" });
      const entries = Object.entries(files).map(([path, text]) => {
        const content = bytesOf(text);
        const size = repository.claimedSizes?.[path] ?? content.length;
        return { path, size, ...describe(repository, path, content) };
      });
      if (verb === "tree") {
        const tree = entries.map(({ path, size, isLarge, blobId, etag, pointerSize }) => ({
          type: "file",
          oid: blobId,
          size,
          path,
          ...(isLarge && { lfs: { oid: etag, size, pointerSize } }),
        }));
        return response.end(JSON.stringify(tree));
      }
      const hasHashes = listing === "full" && url.searchParams.get("blobs") !== null;
      const siblings = entries.map(({ path, size, isLarge, blobId, etag, pointerSize }) => ({
        rfilename: path,
        ...(hasHashes && { size, blobId }),
        ...(hasHashes && isLarge && { lfs: { sha256: etag, size, pointerSize } }),
      }));
      const { gated = false, private: isPrivate = false } = repository;
      return response.end(
        JSON.stringify({
          id: repo,
          modelId: repo,
          sha: commit,
          private: isPrivate,
          gated,
          siblings,
        }),
      );
    }
    if (repository.gated && given === undefined) {
      const message = `Access to model ${repo} is restricted. You must have access to it and be authenticated to access it. Please log in.`;
      return refuse(response, 401, "GatedRepo", message);
    }
    const path = rest.join("/");
    const text = files[path];
    response.setHeader("x-repo-commit", commit);
    if (text === undefined) return refuse(response, 404, "EntryNotFound", "Entry not found");
    const content = bytesOf(text);
    const { isLarge, etag } = describe(repository, path, content);
    if (isLarge) {
      response.writeHead(302, {
        location: `${storeUrl}/${etag}?repo=${repo}&commit=${commit}&path=${path}&Signature=made-up`,
        etag: `"${createHash("md5").update(etag).digest("hex")}"`,
        "x-linked-etag": `"${etag}"`,
        "x-linked-size": String(content.length),
        "accept-ranges": "bytes",
      });
      return response.end();
    }
    if (!isCached) {
      response.writeHead(307, {
        location: `/api/resolve-cache/models/${repo}/${commit}/${path}?etag=${encodeURIComponent(`"${etag}"`)}`,
      });
      return response.end();
    }
    return await send(seen, response, content, { etag: `"${etag}"` }, fault);
  }

  /** @param {Seen} seen @param {import("node:http").ServerResponse} response @param {Fault} fault */
  async function answerStore(seen, response, fault) {
    const url = new URL(seen.path, "http://store");
    const { repo = "", commit = "", path = "" } = Object.fromEntries(url.searchParams);
    const text = history.get(`${repo}@${commit}`)?.[path];
    // A signed address and a token besides are one credential too many; the real store refuses both together.
    if (seen.headers.authorization !== undefined || text === undefined) {
      response.writeHead(400);
      return response.end();
    }
    return await send(seen, response, bytesOf(text), { etag: '"of the store"' }, fault);
  }

  /** @param {"hub" | "store"} server @param {typeof answerHub} answer */
  function listener(server, answer) {
    return createServer(async (request, response) => {
      const { method = "", url = "", headers } = request;
      /** @type {Seen} */
      const seen = { method, path: url, headers, server };
      requests.push(seen);
      const fault = faults(seen) ?? {};
      await fault.wait;
      if (fault.status !== undefined) {
        response.writeHead(fault.status, fault.headers ?? {});
        response.end("made to fail");
        return;
      }
      await answer(seen, response, fault);
    });
  }
  const servers = [listener("hub", answerHub), listener("store", answerStore)];
  const urls = [];
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    urls.push(`http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`);
  }
  const [url = "", store = ""] = urls;
  storeUrl = store;
  return {
    url,
    requests,
    /** Asked before each answer what goes wrong with it. @param {Faults} next */
    setFaults(next) {
      faults = next;
    },
    async close() {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}
