// Models named by their id on a hub, as a user meets them: downloaded by each command, and from then on used without the hub.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { loadModel, loadTokenizer } from "../../src/index.js";
import { startFakeHub } from "../support/fake-hub.mjs";
import { runBridle, startBridle } from "../support/run-bridle.js";
import { makeTinyPegasus } from "../support/tiny-pegasus.js";

type Hub = Awaited<ReturnType<typeof startFakeHub>>;

const repo = "reed/pegasus-tiny";
let root: string;
let model: string;
let files: Record<string, Uint8Array>;
let hub: Hub;
let home: string;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "bridle-hub-e2e-"));
  model = await makeTinyPegasus(path.join(root, "model"));
  files = {};
  for (const name of await readdir(model)) files[name] = await readFile(path.join(model, name));
  await writeFile(
    path.join(root, "text.txt"),
    "The harbour was closed on Monday. A storm damaged it.",
  );
});
afterAll(() => rm(root, { recursive: true, force: true }));
beforeEach(async () => {
  home = await mkdtemp(path.join(root, "home-"));
  hub = await startFakeHub({ [repo]: { files }, "reed/private": { files, private: true } });
});
afterEach(() => hub.close());

const env = (more: Record<string, string> = {}) => ({
  HF_HOME: home,
  HF_ENDPOINT: hub.url,
  HF_TOKEN: "",
  HF_HUB_OFFLINE: "",
  TRANSFORMERS_OFFLINE: "",
  HF_HUB_CACHE: "",
  ...more,
});
const bridle = (args: readonly string[], more: Record<string, string> = {}) =>
  runBridle(args, { cwd: root, env: env(more) });
const offline = { HF_HUB_OFFLINE: "1" };
const fetched = (name: string) =>
  hub.requests.filter(({ server, path: url }) => server === "store" && url.includes(name));

describe("bridle summarize --model owner/name", () => {
  it("downloads the model once, with progress, and gives what its folder gives", async () => {
    const expected = await bridle(["summarize", "text.txt", "--model", model]);
    expect(expected.code).toBe(0);
    const first = await bridle(["summarize", "text.txt", "--model", repo, "--json"]);
    expect(first.stderr).toMatch(/^Downloading reed\/pegasus-tiny \(0\.\d MB\) from http:/);
    const { summary, model: name } = JSON.parse(first.stdout);
    expect({ code: first.code, name }).toEqual({ code: 0, name: repo });
    expect(`${summary}\n`).toBe(expected.stdout);
    hub.requests.length = 0;
    const again = await bridle(["summarize", "text.txt", "--model", repo]);
    expect(again).toMatchObject({ code: 0, stdout: expected.stdout, stderr: "" });
    expect(hub.requests).toEqual([]);
    const without = await bridle(["summarize", "text.txt", "--model", repo], {
      ...offline,
      HF_ENDPOINT: "http://127.0.0.1:9",
    });
    expect(without).toMatchObject({ code: 0, stdout: expected.stdout });
  });

  it("says what to do where the hub refuses, is away, or has no such model", async () => {
    const refused = await bridle(["summarize", "text.txt", "--model", "reed/private"]);
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain("set HF_TOKEN");
    const allowed = await bridle(["summarize", "text.txt", "--model", "reed/private"], {
      HF_TOKEN: "hf_right",
    });
    expect(allowed.code).toBe(0);
    const away = await bridle(["summarize", "text.txt", "--model", repo], {
      HF_ENDPOINT: "http://127.0.0.1:9",
    });
    expect(away.code).toBe(8);
    expect(away.stderr).toContain("Check the network");
    const absent = await bridle(["summarize", "text.txt", "--model", repo], offline);
    expect(absent.code).toBe(8);
    expect(absent.stderr).toContain("offline mode is on");
    const typo = await bridle(["summarize", "text.txt", "--model", "extractve"]);
    expect(typo.code).toBe(4);
    expect(typo.stderr).toContain("extractive (is that what you mean?)");
  });
});

describe("other commands", () => {
  it("bridle serve downloads before it listens, and serves the model by its id", async () => {
    const args = ["serve", "--port", "0", "--model", "extractive", "--model", repo];
    args.push("--dtype", "int8");
    const served = startBridle([...args, "--log-format", "json"], { cwd: root, env: env() });
    try {
      let url: string | undefined;
      while (url === undefined) {
        await sleep(50);
        url = /listening on (http:\/\/\S+)/.exec(served.stdout())?.[1];
        expect(served.child.exitCode).toBeNull();
      }
      const answer = await fetch(`${url}/v1/summaries`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ document: "The harbour was closed.", model: repo }),
      });
      expect(await answer.json()).toMatchObject({ model: repo });
      const task = await fetch(`${url}/models/${repo}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ inputs: "The harbour was closed." }),
      });
      expect(await task.json()).toMatchObject([{ summary_text: expect.any(String), model: repo }]);
      const lines = served.stderr().trim().split("\n");
      const written = lines.map((line) => JSON.parse(line));
      const told = written.filter(({ msg }) => msg === "Downloading");
      expect(told.at(-1)).toMatchObject({ model: repo, endpoint: hub.url });
      expect(told.at(-1).doneBytes).toBe(told.at(-1).totalBytes);
      const rounded = written.filter(({ msg }) => msg === "Rounding weights");
      expect(new Set(rounded.map(({ phase }) => phase))).toEqual(
        new Set(["rounding", "measuring"]),
      );
    } finally {
      served.child.kill("SIGTERM");
      await served.ended;
    }
  });

  it("bridle evaluate takes the id as well", async () => {
    const row = { document: "The harbour was closed. A storm came.", summary: "A storm came." };
    await writeFile(path.join(root, "rows.jsonl"), `${JSON.stringify(row)}\n`);
    const { code, stdout } = await bridle(["evaluate", "rows.jsonl", "--model", repo, "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).evaluations[0]).toMatchObject({ rows: { scored: 1 } });
  });

  it("bridle models pull prints the folder, and fetches what is newer", async () => {
    const first = await bridle(["models", "pull", repo]);
    const folder = first.stdout.trim();
    expect(await readdir(folder)).toContain("model.safetensors");
    hub.requests.length = 0;
    expect((await bridle(["models", "pull", repo])).stdout).toBe(first.stdout);
    expect(hub.requests).toHaveLength(1);
    files = { ...files, "generation_config.json": Buffer.from('{"num_beams": 1}') };
    await hub.close();
    hub = await startFakeHub({ [repo]: { files } });
    const { stdout } = await bridle(["models", "pull", repo, "--json"]);
    expect(JSON.parse(stdout).folder).not.toBe(folder);
    expect(fetched("model.safetensors")).toEqual([]);
  });

  it("bridle doctor tells the hub, the cache and whether there is a token, never which", async () => {
    const { stdout, code } = await bridle(["doctor", "--port", "0"], { HF_TOKEN: "hf_secret" });
    expect(code).toBe(0);
    expect(stdout).toContain(`hub: ${hub.url}; a token is set by HF_TOKEN; cache ${home}`);
    expect(stdout).not.toContain("hf_secret");
    const wrong = await bridle(["doctor", "--port", "0"], { HF_ENDPOINT: "nowhere" });
    expect(wrong.code).toBe(8);
    expect(wrong.stdout).toContain("HF_ENDPOINT");
  });

  it("the library loads a model by its id, and a tokenizer without the weights", async () => {
    const before = { ...process.env };
    Object.assign(process.env, env());
    try {
      const tokenizer = await loadTokenizer(repo);
      expect(fetched("model.safetensors")).toEqual([]);
      const { inputIds } = tokenizer.encodeBatch(["The harbour was closed."]);
      const states: number[] = [];
      const loaded = await loadModel(repo, {
        onDownload: ({ doneBytes }) => states.push(doneBytes),
      });
      const { sequences } = await loaded.generate({ inputIds }, { maxNewTokens: 4 });
      expect(sequences[0]!.length).toBeGreaterThan(1);
      expect(states.at(-1)).toBeGreaterThan(files["model.safetensors"]!.length);
      await loaded.close();
    } finally {
      process.env = before;
    }
  });
});

describe("a download that is killed or happens twice at once", () => {
  /** Lets the weights' first bytes through and holds the rest back. */
  const stall = () =>
    hub.setFaults(({ server, path: url }) =>
      server === "store" && url.includes("model.safetensors") ? { stallAfter: 60_000 } : undefined,
    );
  const blobs = path.join("hub", "models--reed--pegasus-tiny", "blobs");
  const parts = async () =>
    (await readdir(path.join(home, blobs)).catch(() => [])).filter((name) =>
      name.endsWith(".incomplete"),
    );

  it("leaves nothing half-visible after kill -9, and goes on from what it had", async () => {
    stall();
    const killed = startBridle(["models", "pull", repo], { cwd: root, env: env() });
    while ((await partSize(home, await parts())) < 60_000) await sleep(20);
    killed.child.kill("SIGKILL");
    await killed.ended;
    expect(await readdir(path.join(home, blobs, "..", "refs")).catch(() => [])).toEqual([]);
    const absent = await bridle(["summarize", "text.txt", "--model", repo], offline);
    expect(absent.stderr).toContain("not whole");
    hub.setFaults(() => undefined);
    hub.requests.length = 0;
    const { code } = await bridle(["models", "pull", repo]);
    expect(code).toBe(0);
    expect(fetched("model.safetensors").map(({ headers }) => headers.range)).toEqual([
      "bytes=60000-",
    ]);
    expect(await parts()).toEqual([]);
  });

  it("is done once by two processes, and both have the model", async () => {
    let release: () => void = () => {};
    const wait = new Promise<void>((resolve) => {
      release = resolve;
    });
    hub.setFaults(({ server, path: url }) =>
      server === "store" && url.includes("model.safetensors") ? { wait } : undefined,
    );
    const both = [0, 1].map(() => startBridle(["models", "pull", repo], { cwd: root, env: env() }));
    // Each has asked for the listing; the second has had time to begin a download of its own.
    while (hub.requests.filter(({ path: url }) => url.startsWith("/api/models")).length < 2)
      await sleep(20);
    await sleep(500);
    release();
    const [one, two] = await Promise.all(both.map(({ ended }) => ended));
    expect([one?.code, two?.code]).toEqual([0, 0]);
    expect(one?.stdout).toBe(two?.stdout);
    expect(fetched("model.safetensors")).toHaveLength(1);
    const copy = path.join(root, "copy");
    await cp(one!.stdout.trim(), copy, { recursive: true, dereference: true });
    expect(await readFile(path.join(copy, "model.safetensors"))).toHaveLength(
      files["model.safetensors"]!.length,
    );
  });

  async function partSize(folder: string, names: readonly string[]): Promise<number> {
    const sizes = await Promise.all(
      names.map((name) =>
        readFile(path.join(folder, blobs, name)).then(
          ({ length }) => length,
          () => 0,
        ),
      ),
    );
    return Math.max(0, ...sizes);
  }
});
