// A real server under load while its model is promoted and rolled back: no request fails, and each answer says which version it is.
import { appendFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeTrainedModel, scratchFolder } from "../support/model-packages.js";
import { runBridle } from "../support/run-bridle.js";
import { type ServedBridle, serveBridle } from "./served-bridle.js";

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let server: ServedBridle;
let env: Record<string, string>;

async function bridle(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runBridle(args, { env });
  expect(code, `${args.join(" ")}: ${stderr}`).toBe(0);
  return stdout;
}

beforeAll(async () => {
  scratch = await scratchFolder("served-alias");
  env = { BRIDLE_HOME: path.join(scratch.folder, "home") };
  await writeFile(path.join(scratch.folder, "gates.yaml"), "aliases: [audited]\n");
  for (const seed of [1, 2]) {
    const folder = path.join(scratch.folder, `m${seed}`);
    await bridle("models", "add", await makeTrainedModel(folder, seed), "--name", "news");
  }
  await bridle("models", "gates", "news", "--set", path.join(scratch.folder, "gates.yaml"));
  await bridle("models", "promote", "news:1");
  server = await serveBridle(env, ["news@champion"]);
}, 120_000);
afterAll(async () => {
  await server?.stop();
  await scratch.remove();
});

it("changes over and back without losing a request", async () => {
  const seen: { status: number; model: string; version: string }[] = [];
  let stopped = false;
  const document = "The harbour was closed on Monday after the storm. Ferry and school closed.";
  const ask = async (): Promise<void> => {
    while (!stopped) {
      const response = await fetch(`${server.url}/v1/summaries`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ document, parameters: { maxNewTokens: 8 } }),
      });
      const body = (await response.json()) as { model: string; version: string };
      seen.push({ status: response.status, model: body.model, version: body.version });
    }
  };
  const lanes = Array.from({ length: 8 }, ask);
  /** Waits for answers of a version, of which more come than there are requests under way. */
  const answersOf = async (version: string): Promise<void> => {
    const from = seen.length;
    while (seen.slice(from).filter((each) => each.version === version).length < 16) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await answersOf("1");
  await bridle("models", "promote", "news:2");
  await answersOf("2");
  await bridle("models", "rollback", "news");
  await answersOf("1");
  stopped = true;
  await Promise.all(lanes);
  expect(seen.filter(({ status }) => status !== 200)).toEqual([]);
  expect(new Set(seen.map(({ model }) => model))).toEqual(new Set(["news@champion"]));
  const order = seen.map(({ version }) => version).filter((each, i, all) => each !== all[i - 1]);
  expect(order[0]).toBe("1");
  expect(order).toContain("2");
  expect(order.at(-1)).toBe("1");
}, 180_000);

it("says in its log why a version is not served, also where models live in processes of their own", async () => {
  await bridle("models", "promote", "news:1");
  const { digest } = JSON.parse(await bridle("models", "show", "news:2", "--json"));
  const store = path.join(scratch.folder, "home", "store", "models", digest);
  const flags = ["--workers", "2", "--registry-poll-ms", "50", "--log-level", "info"];
  const workers = await serveBridle(env, ["news@champion"], flags);
  try {
    const said = async (text: string, times: number): Promise<void> => {
      const until = Date.now() + 50_000;
      while (workers.said().split(text).length - 1 < times) {
        if (Date.now() > until) throw new Error(`not ${times} times: ${text}\n${workers.said()}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    // One that begins later opens the new version at once, and has nothing to say.
    await said("A worker is ready", 2);
    await bridle("models", "promote", "news:2");
    await said("A served model answers with another version", 2);
    await bridle("models", "rollback", "news");
    await said("A served model answers with another version", 4);
    await appendFile(path.join(store, "config.json"), " ");
    await bridle("models", "promote", "news:2");
    await said("A version could not be opened; the one before goes on answering", 2);
    expect(workers.said()).toMatch(
      /could not be opened.*config\.json.*model=news@champion version=2 code=PACKAGE_ALTERED/,
    );
    const response = await fetch(`${workers.url}/v1/summaries`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ document: "The harbour was closed on Monday after the storm." }),
      signal: AbortSignal.timeout(60_000),
    });
    expect(await response.json()).toMatchObject({ model: "news@champion", version: "1" });
  } finally {
    await workers.stop();
  }
}, 180_000);
