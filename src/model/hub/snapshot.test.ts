// Tests models of the hub against one on loopback: the cache it leaves, what is asked of it, and everything that can go wrong.
import {
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  unlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commitOf, gitSha1, sha256, startFakeHub } from "../../../test/support/fake-hub.mjs";
import { createRandom } from "../../../test/support/made-files.js";
import { type HubSettings, readHubSettings } from "../../config/hub-settings.js";
import type { BridleError } from "../../errors/error.js";
import type { DownloadProgress } from "./download-progress.js";
import { parseHubId } from "./hub-id.js";
import { openSnapshot, type SnapshotOptions } from "./snapshot.js";

type Hub = Awaited<ReturnType<typeof startFakeHub>>;
type Repository = Parameters<typeof commitOf>[0];

const repo = "reed/pegasus-toy";
const random = createRandom(5);
const noise = Uint8Array.from({ length: 500_000 }, () => random() * 256);
/** Bytes that look like weights, other ones for another size. */
const weightsOf = (size: number) => noise.subarray(noise.length - size);

let home: string;
let hub: Hub;
let repositories: Record<string, Repository>;

function toy(files: Record<string, Uint8Array | string> = {}): Repository {
  return {
    files: {
      "config.json": '{"architectures": ["PegasusForConditionalGeneration"]}',
      "generation_config.json": '{"num_beams": 2}',
      "spiece.model": weightsOf(3000),
      "tokenizer_config.json": "{}",
      "README.md": "# Nobody needs this",
      "tf_model.h5": weightsOf(100),
      "pytorch_model.bin": weightsOf(400_000),
      ...files,
    },
  };
}

async function start(
  all: Record<string, Repository> = { [repo]: toy() },
  options: Parameters<typeof startFakeHub>[1] = {},
): Promise<void> {
  repositories = all;
  hub = await startFakeHub(all, options);
}

function settingsWith(env: Record<string, string> = {}): HubSettings {
  const all = { HF_HOME: home, HF_ENDPOINT: hub.url, ...env };
  return { ...readHubSettings(all, home), retryDelayMs: 1 };
}

const open = (name: string = repo, options: Partial<SnapshotOptions> = {}) =>
  openSnapshot(parseHubId(name)!, {
    needs: ["model", "tokenizer"],
    settings: settingsWith(),
    ...options,
  });

const failure = (work: Promise<unknown>): Promise<BridleError> =>
  work.then(
    () => expect.fail("it did not fail"),
    (error) => error,
  );

const cacheOf = (name = repo) => join(home, "hub", `models--${name.replace("/", "--")}`);
const blobs = async () => (await readdir(join(cacheOf(), "blobs"))).sort();
/** Whether a file has the content of the hub's; comparing buffers by `toEqual` takes seconds. */
const isWhole = async (folder: string, path: string) =>
  (await readFile(join(folder, path))).equals(contentOf(path));
const asked = (method?: string) =>
  hub.requests.filter((seen) => method === undefined || seen.method === method);
const contentOf = (path: string) => Buffer.from(repositories[repo]!.files[path]!);

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "bridle-hub-"));
});
afterEach(async () => {
  await hub?.close();
  await rm(home, { recursive: true, force: true });
});

describe("a model on the hub", () => {
  it("is laid out as huggingface_hub does: blobs by hash, snapshots of relative links, a ref", async () => {
    await start();
    const folder = await open();
    const commit = commitOf(repositories[repo]!);
    expect(folder).toBe(join(cacheOf(), "snapshots", commit));
    expect((await readdir(folder)).sort()).toEqual([
      "config.json",
      "generation_config.json",
      "pytorch_model.bin",
      "spiece.model",
      "tokenizer_config.json",
    ]);
    for (const path of await readdir(folder)) {
      const content = contentOf(path);
      const isLarge = /\.(bin|model)$/.test(path);
      const name = isLarge ? sha256(content) : gitSha1(content);
      expect(await readlink(join(folder, path))).toBe(join("..", "..", "blobs", name));
      expect(await isWhole(folder, path)).toBe(true);
    }
    expect(await blobs()).toHaveLength(5);
    expect(await readFile(join(cacheOf(), "refs", "main"), "utf8")).toBe(commit);
    expect(await readdir(join(home, "hub", ".locks", `models--reed--pegasus-toy`))).toEqual([]);
  });

  it("is used from the cache without a single request", async () => {
    await start();
    const folder = await open();
    const before = asked().length;
    expect(await open()).toBe(folder);
    repositories[repo] = toy({ "config.json": "{}" });
    expect(await open()).toBe(folder);
    expect(asked()).toHaveLength(before);
  });

  it("is brought up to date when that is asked for, fetching what changed alone", async () => {
    await start();
    const before = await open();
    repositories[repo] = {
      files: { ...repositories[repo]!.files, "generation_config.json": '{"num_beams": 9}' },
    };
    hub.requests.length = 0;
    const after = await open(repo, { refresh: true });
    expect(after).not.toBe(before);
    expect(await readFile(join(after, "generation_config.json"), "utf8")).toContain("9");
    expect(asked().filter(({ server }) => server === "store")).toEqual([]);
    expect(await open()).toBe(after);
  });

  it("can be named with a branch or a commit", async () => {
    await start();
    const old = commitOf(repositories[repo]!);
    repositories[repo]!.branches = { "refs/pr/1": old };
    const byBranch = await open(`${repo}@refs/pr/1`);
    expect(await readFile(join(cacheOf(), "refs", "refs", "pr", "1"), "utf8")).toBe(old);
    const before = asked().length;
    expect(await open(`${repo}@${old}`)).toBe(byBranch);
    expect(asked()).toHaveLength(before);
  });

  it("gives only its tokenizer where only that is needed", async () => {
    await start();
    const folder = await open(repo, { needs: ["tokenizer"] });
    expect(await readdir(folder)).not.toContain("pytorch_model.bin");
    expect(await readdir(folder)).toContain("spiece.model");
    const before = asked().length;
    await open(repo, { needs: ["tokenizer"] });
    expect(asked()).toHaveLength(before);
    await open();
    expect(await readdir(folder)).toContain("pytorch_model.bin");
  });

  it("takes safetensors before a pickle, and shards by their index", async () => {
    const index = JSON.stringify({
      weight_map: { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" },
    });
    await start({
      [repo]: toy({
        "model.safetensors.index.json": index,
        "model-00001-of-00002.safetensors": weightsOf(5000),
        "model-00002-of-00002.safetensors": weightsOf(6000),
      }),
      "reed/whole": toy({ "model.safetensors": weightsOf(50) }),
    });
    expect((await readdir(await open())).filter((name) => /tensors|bin/.test(name)).sort()).toEqual(
      [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
      ],
    );
    expect(await readdir(await open("reed/whole"))).not.toContain("pytorch_model.bin");
  });

  it.each(["names", "none"] as const)(
    "is found file by file where the API gives %s",
    async (listing) => {
      await start({ [repo]: toy() }, { listing });
      const folder = await open();
      expect(await isWhole(folder, "pytorch_model.bin")).toBe(true);
      expect(asked("HEAD").length).toBeGreaterThan(4);
      const before = asked().length;
      expect(await open()).toBe(folder);
      expect(asked()).toHaveLength(before);
    },
  );

  it("is found by an old name of its own", async () => {
    await start({ [repo]: toy() }, { renamed: { "reed/old-name": repo } });
    const folder = await open("reed/old-name", {
      settings: settingsWith({ HF_TOKEN: "hf_right" }),
    });
    expect(folder).toContain("models--reed--old-name");
    expect(await isWhole(folder, "pytorch_model.bin")).toBe(true);
    const own = asked().filter(({ server, path }) => server === "hub" && path.includes(repo));
    for (const { headers } of own) expect(headers.authorization).toBe("Bearer hf_right");
  });

  it("tells how far its download is, up to the end", async () => {
    await start();
    const states: DownloadProgress[] = [];
    await open(repo, { onProgress: (state) => states.push(state) });
    const last = states.at(-1)!;
    expect(last.doneBytes).toBe(last.totalBytes);
    expect(last.fetchedBytes).toBe(last.totalBytes);
    expect(last).toMatchObject({ repo, endpoint: hub.url, file: "pytorch_model.bin" });
    for (const [i, { doneBytes, totalBytes }] of states.entries()) {
      expect(totalBytes).toBe(last.totalBytes);
      if (i > 0) expect(doneBytes).toBeGreaterThanOrEqual(states[i - 1]!.doneBytes);
    }
  });

  it("is copied where links are not wanted, and found again", async () => {
    await start();
    const settings = settingsWith({ HF_HUB_DISABLE_SYMLINKS: "1" });
    const folder = await open(repo, { settings });
    expect((await lstat(join(folder, "pytorch_model.bin"))).isFile()).toBe(true);
    const before = asked().length;
    expect(await open(repo, { settings })).toBe(folder);
    expect(asked()).toHaveLength(before);
  });
});

describe("the token", () => {
  it("goes to the hub with every request, and never to where it sends on", async () => {
    await start({ [repo]: { ...toy(), private: true } });
    await open(repo, { settings: settingsWith({ HF_TOKEN: "hf_right" }) });
    for (const { server, headers } of asked()) {
      expect(headers.authorization).toBe(server === "hub" ? "Bearer hf_right" : undefined);
      expect(headers["accept-encoding"]).toBe("identity");
      expect(headers["user-agent"]).toMatch(/^bridle\//);
    }
    expect(asked().map(({ server }) => server)).toContain("store");
  });

  it("that is wrong is refused by its source, not its value", async () => {
    await start();
    const settings = settingsWith({ HF_TOKEN: "hf_wrong" });
    const error = await failure(open(repo, { settings }));
    expect(error).toMatchObject({ code: "HUB_TOKEN_REFUSED", details: { source: "HF_TOKEN" } });
    expect(`${error.message}${error.hint}`).not.toContain("hf_wrong");
    expect(asked()).toHaveLength(1);
  });
});

describe("what the hub refuses", () => {
  it.each([
    ["a repository that is not there", "reed/none", "HUB_REPO_NOT_FOUND", /reed\/none/],
    ["a private one", "reed/private", "HUB_REPO_NOT_FOUND", /HF_TOKEN/],
    ["a gated one", "reed/gated", "HUB_ACCESS_DENIED", /accept its conditions/],
    ["a revision that is not there", `${repo}@v9`, "HUB_REVISION_NOT_FOUND", /v9/],
    ["a repository without weights", "reed/bare", "HUB_FILES_MISSING", /model\.safetensors/],
    ["a repository without a tokenizer", "reed/dumb", "HUB_FILES_MISSING", /spiece\.model/],
  ])("is told by name: %s", async (_, name, code, words) => {
    const { "pytorch_model.bin": __, ...bare } = toy().files;
    const { "spiece.model": ___, ...dumb } = toy().files;
    await start({
      [repo]: toy(),
      "reed/private": { ...toy(), private: true },
      "reed/gated": { ...toy(), gated: true },
      "reed/bare": { files: bare },
      "reed/dumb": { files: dumb },
    });
    const error = await failure(open(name));
    expect(error).toMatchObject({ code });
    expect(`${error.message} ${error.hint}`).toMatch(words);
    expect(`${error.message} ${error.hint}`).toContain(hub.url.replace("http://", ""));
    // A 4xx is no reason to try again.
    const paths = asked().map(({ method, path }) => `${method} ${path}`);
    expect(new Set(paths).size).toBe(paths.length);
    expect(await readdir(join(cacheOf(name.split("@")[0]), "refs")).catch(() => [])).toEqual([]);
  });

  it("for its architecture costs no download of the weights", async () => {
    await start();
    const check = () => Promise.reject(new Error("no such architecture"));
    await expect(open(repo, { check })).rejects.toThrow("no such architecture");
    expect(asked().some(({ path }) => path.includes("pytorch_model.bin"))).toBe(false);
  });

  it("is a page of somebody else", async () => {
    await start();
    hub.setFaults(() => ({ status: 200, headers: { "content-type": "text/html" } }));
    expect(await failure(open())).toMatchObject({
      code: "HUB_ANSWER_INVALID",
      message: expect.stringContaining("no JSON"),
    });
  });

  it("is a hub that sends on and on", async () => {
    await start();
    hub.setFaults(({ path }) => ({ status: 302, headers: { location: `${path}&more` } }));
    const error = await failure(open());
    expect(error).toMatchObject({ code: "HUB_ANSWER_INVALID" });
    expect(error.message).toContain("sends on more than 10 times");
  });

  it("is a shard whose name leads out of the folder", async () => {
    const index = JSON.stringify({ weight_map: { a: "../../../evil.safetensors" } });
    await start({ [repo]: toy({ "model.safetensors.index.json": index }) });
    const error = await failure(open());
    expect(error).toMatchObject({ code: "FILE_INVALID" });
    expect(error.message).toContain("evil");
  });
});

describe("a hub in trouble", () => {
  it.each([
    ["500", { status: 500 }],
    ["503", { status: 503 }],
    ["429", { status: 429, headers: { "retry-after": "0" } }],
    ["408", { status: 408 }],
  ])("is asked again after %s, and a good answer counts", async (_, fault) => {
    await start();
    const failed = new Map<string, number>();
    hub.setFaults(({ server, path }) => {
      const key = `${server}${path}`;
      failed.set(key, (failed.get(key) ?? 0) + 1);
      return failed.get(key)! <= 2 ? fault : undefined;
    });
    await open();
    expect(await blobs()).toHaveLength(5);
  });

  it("is given up after five tries, and says so", async () => {
    await start();
    hub.setFaults(() => ({ status: 502 }));
    const error = await failure(open());
    expect(error).toMatchObject({ code: "HUB_UNREACHABLE" });
    expect(error.message).toContain("502");
    expect(asked()).toHaveLength(5);
  });

  it("that wants a long pause is told to the user instead of waited for", async () => {
    await start();
    hub.setFaults(() => ({ status: 429, headers: { ratelimit: '"api";r=0;t=240' } }));
    const error = await failure(open());
    expect(error).toMatchObject({ code: "HUB_BUSY", details: { retryAfterS: 240 } });
    expect(asked()).toHaveLength(1);
  });

  it("that is not there is reported at once", async () => {
    await start();
    const settings = settingsWith({ HF_ENDPOINT: "http://127.0.0.1:9" });
    const error = await failure(open(repo, { settings }));
    expect(error).toMatchObject({ code: "HUB_UNREACHABLE" });
    expect(error.message).toContain("127.0.0.1:9");
  });

  it("that stops answering is not waited for longer than is set", async () => {
    await start();
    const settings = { ...settingsWith(), answerTimeoutMs: 50, downloadTimeoutMs: 50 };
    hub.setFaults(({ server }) => (server === "store" ? { stallAfter: 1000 } : undefined));
    const error = await failure(open(repo, { settings }));
    expect(error).toMatchObject({ code: "HUB_DOWNLOAD_CUT" });
    expect(error.message).toContain("nothing came for 0.05 s");
    hub.setFaults(() => ({ wait: sleep(2000) }));
    const silent = await failure(
      open("reed/other", { settings: { ...settings, retryDelayMs: 0 } }),
    );
    expect(silent).toMatchObject({ code: "HUB_UNREACHABLE" });
  });

  it("does not keep anybody from a model that is in the cache", async () => {
    await start();
    const folder = await open();
    // As caches of other programs are: without the listing, it cannot tell whether a file more is there.
    await rm(join(cacheOf(), "trees"), { recursive: true });
    await unlink(join(folder, "generation_config.json"));
    for (const fault of [{ status: 500 }, { status: 401 }]) {
      hub.setFaults(() => fault);
      hub.requests.length = 0;
      expect(await open()).toBe(folder);
      expect(asked()).toHaveLength(1);
    }
    hub.setFaults(() => undefined);
    await open();
    expect(await readdir(folder)).toContain("generation_config.json");
  });
});

describe("a cache that cannot be written", () => {
  it("is used where it is whole, though it cannot tell so by itself", async () => {
    await start();
    const { "generation_config.json": _, ...files } = toy().files;
    repositories[repo] = { files };
    const folder = await open();
    await rm(join(cacheOf(), "trees"), { recursive: true });
    // Neither may root write what is in the way of a folder.
    await writeFile(join(cacheOf(), "trees"), "a file in the way");
    hub.requests.length = 0;
    expect(await open()).toBe(folder);
    expect(asked()).toHaveLength(1);
  });
});

describe("a download", () => {
  const big = ({ path }: { path: string }) => path.includes("pytorch_model.bin");

  it("that is cut goes on from where it stopped", async () => {
    await start();
    hub.setFaults((seen) =>
      seen.server === "store" && big(seen) ? { cutAfter: 100_000 } : undefined,
    );
    const folder = await open();
    expect(await isWhole(folder, "pytorch_model.bin")).toBe(true);
    const ranges = asked()
      .filter((seen) => seen.server === "store" && big(seen))
      .map(({ headers }) => headers.range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.slice(1)).toEqual(["bytes=100000-", "bytes=200000-", "bytes=300000-"]);
  });

  it("that is cut again and again leaves its part, and the next run goes on from there", async () => {
    await start();
    let cut = 100_000;
    hub.setFaults((seen) => {
      if (seen.server !== "store" || !big(seen)) return undefined;
      const fault = { cutAfter: cut };
      cut = 0;
      return fault;
    });
    const error = await failure(open());
    expect(error).toMatchObject({ code: "HUB_DOWNLOAD_CUT" });
    expect(error.details).toMatchObject({
      file: "pytorch_model.bin",
      offset: 100_000,
      size: 400_000,
    });
    expect(await readdir(join(cacheOf(), "refs")).catch(() => [])).toEqual([]);
    expect((await blobs()).filter((name) => name.endsWith(".incomplete"))).toHaveLength(1);
    hub.setFaults(() => undefined);
    hub.requests.length = 0;
    const states: DownloadProgress[] = [];
    await open(repo, { onProgress: (state) => states.push(state) });
    expect(asked().find(big)?.headers.range).toBe("bytes=100000-");
    expect(states.at(-1)!.fetchedBytes).toBe(300_000);
    expect((await blobs()).filter((name) => name.endsWith(".incomplete"))).toEqual([]);
  });

  it("begins anew where the server knows no ranges", async () => {
    await start();
    let first = true;
    hub.setFaults((seen) => {
      if (seen.server !== "store" || !big(seen)) return undefined;
      const fault = first ? { cutAfter: 100_000 } : { ignoreRange: true };
      first = false;
      return fault;
    });
    const folder = await open();
    expect(await isWhole(folder, "pytorch_model.bin")).toBe(true);
  });

  it("whose part is of another file, or longer than it, begins anew", async () => {
    await start();
    for (const size of [1000, 500_000]) {
      hub.setFaults((seen) =>
        big(seen) && seen.server === "store" ? { cutAfter: 10 } : undefined,
      );
      await failure(open());
      const [part] = (await blobs()).filter((name) => name.endsWith(".incomplete"));
      await writeFile(join(cacheOf(), "blobs", part!), weightsOf(size));
      hub.setFaults(() => undefined);
      const folder = await open();
      expect(await isWhole(folder, "pytorch_model.bin")).toBe(true);
      await rm(join(home, "hub"), { recursive: true });
    }
  });

  it.each([
    ["sha256", "pytorch_model.bin"],
    ["git sha1", "config.json"],
  ])("with the wrong %s is thrown away, and nothing of it is seen", async (algorithm, file) => {
    await start();
    const content = contentOf(file);
    const etag = algorithm === "sha256" ? sha256(content) : gitSha1(content);
    content[7]! ^= 1;
    hub.setFaults(({ path }) =>
      path.includes(`/${file}`) || path.includes(`path=${file}`) ? { content } : undefined,
    );
    const error = await failure(open());
    expect(error).toMatchObject({ code: "HUB_HASH_MISMATCH", details: { algorithm, file } });
    const snapshot = join(cacheOf(), "snapshots", commitOf(repositories[repo]!));
    expect(await readdir(snapshot).catch(() => [])).not.toContain(file);
    // What its neighbours had got so far stays, for them to go on from; of this one there is nothing.
    expect((await blobs()).filter((name) => name.startsWith(etag))).toEqual([]);
    hub.setFaults(() => undefined);
    expect(await readdir(await open())).toContain(file);
    expect(await blobs()).toContain(etag);
    expect((await blobs()).filter((name) => name.endsWith(".incomplete"))).toEqual([]);
  });

  it("that does not end is ended", async () => {
    await start();
    hub.setFaults((seen) =>
      big(seen) && seen.server === "store" ? { content: weightsOf(500_000) } : undefined,
    );
    const error = await failure(open());
    expect(error).toMatchObject({ code: "HUB_ANSWER_INVALID" });
    expect(error.message).toContain("more than the 400000 bytes");
  });

  it("that does not fit on the disk is not begun", async () => {
    await start();
    repositories[repo]!.claimedSizes = { "pytorch_model.bin": 2 ** 52 };
    const error = await failure(open());
    expect(error).toMatchObject({ code: "DISK_SPACE_SHORT" });
    expect(error.message).toMatch(/has [\d.]+ [TGM]B free; reed\/pegasus-toy needs 4\.50 PB more/);
    expect(asked().some(({ path }) => path.includes("pytorch_model.bin"))).toBe(false);
  });

  it("into a place that takes no files says which", async () => {
    await start();
    await mkdir(cacheOf(), { recursive: true });
    await writeFile(join(cacheOf(), "blobs"), "a file in the way");
    const error = await failure(open());
    expect(error).toMatchObject({ code: "FILE_NOT_WRITABLE" });
    expect(error.message).toContain("blobs");
  });

  it("is ended by its signal, and taken up again", async () => {
    await start();
    const controller = new AbortController();
    const work = open(repo, {
      signal: controller.signal,
      onProgress: ({ doneBytes }) => {
        if (doneBytes > 50_000) controller.abort();
      },
    });
    hub.setFaults((seen) =>
      seen.server === "store" && big(seen) ? { stallAfter: 100_000 } : undefined,
    );
    expect(await failure(work)).toMatchObject({ code: "CANCELLED" });
    hub.setFaults(() => undefined);
    hub.requests.length = 0;
    await open();
    expect(asked().find(big)?.headers.range).toMatch(/^bytes=\d{5,}-$/);
  });

  it("of one file by several callers happens once", async () => {
    await start();
    const folders = await Promise.all(Array.from({ length: 4 }, () => open()));
    expect(new Set(folders).size).toBe(1);
    expect(asked().filter((seen) => seen.server === "store" && big(seen))).toHaveLength(1);
  });
});

describe("a lock", () => {
  const lockOf = (etag: string) =>
    join(home, "hub", ".locks", "models--reed--pegasus-toy", `${etag}.bridle.lock`);
  const leave = async (holder: Record<string, unknown>, part: string) => {
    const etag = sha256(contentOf("pytorch_model.bin"));
    await mkdir(join(cacheOf(), "blobs"), { recursive: true });
    await mkdir(join(lockOf(etag), ".."), { recursive: true });
    await writeFile(lockOf(etag), JSON.stringify({ token: "0badcafe", ...holder }));
    await writeFile(
      join(cacheOf(), "blobs", `${etag}.0badcafe.incomplete`),
      contentOf("pytorch_model.bin").subarray(0, Number(part)),
    );
  };

  it("of a process that is gone is taken over with what it had downloaded", async () => {
    await start();
    await leave({ pid: 2 ** 22 + 1, host: hostname(), since: Date.now() }, "250000");
    await open();
    const request = asked().find(({ server, path }) => server === "store" && path.includes(".bin"));
    expect(request?.headers.range).toBe("bytes=250000-");
    expect((await blobs()).filter((name) => name.endsWith(".incomplete"))).toEqual([]);
  });

  it("of another machine that has long been silent is taken over, its file left alone", async () => {
    await start();
    await leave({ pid: 1, host: "elsewhere", since: 0 }, "250000");
    const long = new Date(Date.now() - 3_600_000);
    await utimes(lockOf(sha256(contentOf("pytorch_model.bin"))), long, long);
    await open();
    const request = asked().find(({ server, path }) => server === "store" && path.includes(".bin"));
    expect(request?.headers.range).toBeUndefined();
    expect((await blobs()).filter((name) => name.endsWith(".incomplete"))).toHaveLength(1);
  });

  it("of a process at work is waited for", async () => {
    await start();
    // The parent of this process is alive, and will not finish the file: somebody else does.
    await leave({ pid: process.ppid, host: hostname(), since: Date.now() }, "250000");
    const etag = sha256(contentOf("pytorch_model.bin"));
    const states: DownloadProgress[] = [];
    const work = open(repo, { onProgress: (state) => states.push(state) });
    while (!states.some(({ doneBytes }) => doneBytes >= 250_000)) await sleep(10);
    await writeFile(join(cacheOf(), "blobs", etag), contentOf("pytorch_model.bin"));
    const folder = await work;
    expect((await stat(join(folder, "pytorch_model.bin"))).size).toBe(400_000);
    expect(asked().some(({ server, path }) => server === "store" && path.includes(".bin"))).toBe(
      false,
    );
  });
});

describe("offline", () => {
  const offline = () => settingsWith({ HF_HUB_OFFLINE: "1" });

  it("uses what is there, also where it cannot tell whether more belongs to it", async () => {
    await start();
    const folder = await open();
    await rm(join(cacheOf(), "trees"), { recursive: true });
    hub.requests.length = 0;
    expect(await open(repo, { settings: offline() })).toBe(folder);
    expect(asked()).toEqual([]);
  });

  it("names what is missing", async () => {
    await start();
    expect(await failure(open(repo, { settings: offline() }))).toMatchObject({
      code: "HUB_OFFLINE",
      message: expect.stringContaining("main"),
    });
    const folder = await open();
    await unlink(join(folder, "pytorch_model.bin"));
    const error = await failure(open(repo, { settings: offline() }));
    expect(error).toMatchObject({ code: "HUB_OFFLINE" });
    expect(error.message).toContain("pytorch_model.bin");
    expect(error.message).toContain(cacheOf());
  });

  it("does not take a file for whole that is shorter than it was listed", async () => {
    await start();
    const folder = await open();
    const blob = join(cacheOf(), "blobs", sha256(contentOf("pytorch_model.bin")));
    await writeFile(blob, contentOf("pytorch_model.bin").subarray(0, 1000));
    expect(await failure(open(repo, { settings: offline() }))).toMatchObject({
      code: "HUB_OFFLINE",
    });
    await open();
    expect((await stat(join(folder, "pytorch_model.bin"))).size).toBe(400_000);
  });

  it("finds a cache that was moved elsewhere", async () => {
    await start();
    await open();
    const elsewhere = join(home, "elsewhere");
    await cp(join(home, "hub"), elsewhere, { recursive: true, verbatimSymlinks: true });
    await rm(join(home, "hub"), { recursive: true });
    const settings = settingsWith({ HF_HUB_OFFLINE: "yes", HF_HUB_CACHE: elsewhere });
    expect(await open(repo, { settings })).toContain("elsewhere");
  });
});
