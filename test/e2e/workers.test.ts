// `bridle serve --workers` as a user runs it: one port, an end that finishes what is in flight, and nobody left behind.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRuns } from "../../src/compose.js";
import { isRunning } from "../../src/runtime/living-process.js";
import { writeEvents } from "../../src/track/write.js";
import { makeTinyPegasus } from "../support/tiny-pegasus.js";
import { madeRun } from "../support/tracked-runs.js";

const binary = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

let root: string;
let model: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "bridle-workers-"));
  model = await makeTinyPegasus(path.join(root, "tiny"));
});
afterAll(() => rm(root, { recursive: true }));

interface Served {
  readonly child: ChildProcess;
  readonly url: string;
  readonly said: () => string;
}

async function serve(...args: string[]): Promise<Served> {
  const child = spawn(
    process.execPath,
    [binary, "serve", "--port", "0", "--json", "--log-format", "json", ...args],
    { env: { ...process.env, BRIDLE_HOME: path.join(root, "home") } },
  );
  let [out, errors] = ["", ""];
  child.stdout?.on("data", (chunk) => (out += chunk));
  child.stderr?.on("data", (chunk) => (errors += chunk));
  while (!out.endsWith("}\n") && child.exitCode === null) await sleep(20);
  expect(out, errors).toMatch(/^\{.*\}\n$/s);
  const { listening } = JSON.parse(out) as { listening: string };
  return { child, url: listening, said: () => errors };
}

async function untilReady(url: string): Promise<void> {
  while (!(await fetch(`${url}/ready`)).ok) await sleep(50);
}

const ask = (url: string, document: string) =>
  fetch(`${url}/v1/summaries`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ document }),
  });

const long = Array.from({ length: 150 }, (_, i) => `The town was closed in winter ${i}.`).join(" ");

/** Processes that a process has started. */
async function childrenOf({ pid }: ChildProcess): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

describe.skipIf(process.platform !== "linux")("several processes (Linux)", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "finish what is in flight on %s, also where everybody gets it, and end with 0",
    async (signal) => {
      const { child, url } = await serve("--model", model, "--workers", "2");
      await untilReady(url);
      const workers = await childrenOf(child);
      expect(workers).toHaveLength(2);
      const asked = [ask(url, long), ask(url, long)];
      await sleep(100);
      // A terminal's Ctrl+C and a service manager reach the whole group.
      for (const pid of [child.pid as number, ...workers]) process.kill(pid, signal);
      const [code] = (await Promise.all([once(child, "exit"), ...asked]))[0] as [number];
      for (const response of await Promise.all(asked)) {
        expect(response.status).toBe(200);
        expect(await response.json()).toHaveProperty("summary");
      }
      expect(code).toBe(0);
      expect(workers.filter((pid) => isRunning(pid))).toEqual([]);
    },
  );

  it("map one copy of weights that products want laid out anew", async () => {
    const int8 = ["--model", model, "--dtype", "int8", "--device", "cpu"];
    const { child, url } = await serve(...int8, "--workers", "2");
    await untilReady(url);
    const [first, second] = await childrenOf(child);
    /** Files of the cache that a process maps, each with its place on the disk. */
    const mapped = async (pid: number | undefined) => {
      const text = await readFile(`/proc/${pid}/maps`, "utf8");
      return new Set(
        [...text.matchAll(/(\d+) +(\/.*\/cache\/packed\/.*\.bin)$/gm)].map(([all]) => all),
      );
    };
    // One is ready before the other has opened its model.
    while ((await mapped(first)).size < 2 || (await mapped(second)).size < 2) await sleep(50);
    expect(await mapped(first)).toEqual(await mapped(second));
    const answers = await Promise.all([ask(url, long), ask(url, long)]);
    const summaries = await Promise.all(answers.map((answer) => answer.text()));
    const [one, other] = summaries.map((text) => (JSON.parse(text) as { summary: string }).summary);
    expect(one).toBe(other);
    child.kill("SIGTERM");
    await once(child, "exit");
  });

  it("are gone with the process that answers, however that went", async () => {
    const { child, url } = await serve("--model", model, "--workers", "2");
    await untilReady(url);
    const workers = await childrenOf(child);
    child.kill("SIGKILL");
    while (workers.some((pid) => isRunning(pid))) await sleep(20);
  });

  it("take the place of one that was killed, which the log tells", async () => {
    const { child, url, said } = await serve("--workers", "2");
    await untilReady(url);
    const [first] = await childrenOf(child);
    process.kill(first as number, "SIGKILL");
    while (!said().includes("A worker is gone: it was ended by SIGKILL")) await sleep(20);
    while ((await childrenOf(child)).length < 2) await sleep(20);
    expect((await ask(url, "One went out. Two came back.")).status).toBe(200);
    child.kill("SIGTERM");
    await once(child, "exit");
  });

  it("have one registry and one record of runs, which the process that answers tells of", async () => {
    const { child, url } = await serve("--workers", "2");
    await untilReady(url);
    const get = async (route: string) => await (await fetch(`${url}${route}`)).json();
    expect(await get("/v1/runs")).toEqual({ runs: [], total: 0 });
    expect(await get("/v1/models")).not.toHaveProperty("registered");
    const database = await openRuns(undefined, { BRIDLE_HOME: path.join(root, "home") });
    await writeEvents(database, madeRun("aaaa2222"), []);
    await database.close();
    expect(await get("/v1/runs")).toMatchObject({ runs: [{ id: "aaaa2222" }], total: 1 });
    expect(await get("/v1/models")).toMatchObject({ registered: [] });
    child.kill("SIGTERM");
    await once(child, "exit");
  });

  it("do not start where the model cannot be opened, as one does not", async () => {
    const child = spawn(process.execPath, [
      ...[binary, "serve", "--port", "0", "--json", "--workers", "2"],
      ...["--model", path.join(root, "nothing")],
    ]);
    let out = "";
    child.stdout?.on("data", (chunk) => (out += chunk));
    const [code] = (await once(child, "close")) as [number];
    expect(JSON.parse(out)).toMatchObject({ error: { code: "MODEL_NOT_FOUND" } });
    expect(code).toBe(4);
  });
});
