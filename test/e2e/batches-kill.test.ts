// kill -9 of a server in the middle of a durable batch, again and again: every line has one answer in the end, none is lost.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runBridle, type Started, startBridle } from "../support/run-bridle.js";

let root: string;
const started: Started[] = [];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-batches-kill-"));
});
afterAll(async () => {
  for (const { child, ended } of started) {
    child.kill("SIGKILL");
    await ended;
  }
  await rm(root, { recursive: true });
});

const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

/** Starts a server on a free port. */
async function serve(): Promise<Started & { readonly url: string }> {
  const server = startBridle(["serve", "--port", "0", "--json"], { cwd: root });
  started.push(server);
  let isOver = false;
  void server.ended.then(() => {
    isOver = true;
  });
  while (!server.stdout().includes("\n")) {
    expect(isOver, server.stderr()).toBe(false);
    await pause();
  }
  return { ...server, url: (JSON.parse(server.stdout()) as { listening: string }).listening };
}

const count = 3000;
/** Long enough that all of them are not done between two looks. */
const rows = Array.from({ length: count }, (_, n) => {
  const crates = Array.from({ length: 150 }, (_, k) => `Crate ${k} held cloth of ship ${n}.`);
  return { id: `d${n}`, document: `Ship ${n} came into the harbour. ${crates.join(" ")}` };
});

interface Progress {
  readonly state: string;
  readonly documents: Readonly<Record<string, number>>;
}
interface Line {
  readonly line: number;
  readonly id: string;
  readonly result: { readonly id: string; readonly summary: string };
}

it("answers every line once, however often the server is killed", async () => {
  let server = await serve();
  const sent = await fetch(`${server.url}/v1/batches`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: rows.map((row) => JSON.stringify(row)).join("\n"),
  });
  expect(sent.status).toBe(202);
  const { id } = (await sent.json()) as { id: string };
  const look = async () =>
    (await (await fetch(`${server.url}/v1/batches/${id}`)).json()) as Progress;
  const results = async () =>
    (await (await fetch(`${server.url}/v1/batches/${id}/results`)).text())
      .split("\n")
      .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Line]));

  const told = new Map<number, string>();
  for (const share of [0, 0.05, 0.1]) {
    // The first kill comes right after the acknowledgement.
    while (share > 0 && (await look()).documents.done! < share * count) await pause();
    if (share > 0) for (const { line, result } of await results()) told.set(line, result.id);
    server.child.kill("SIGKILL");
    await server.ended;
    server = await serve();
    // It was killed in the middle, and what is left is still to be done.
    expect(["waiting", "running"]).toContain((await look()).state);
  }
  while ((await look()).state !== "done") await pause();
  const answers = await results();
  expect(answers.map(({ line }) => line)).toEqual(rows.map((_, n) => n + 1));
  expect(answers.map((each) => each.id)).toEqual(rows.map((row) => row.id));
  // What was told before a kill is the answer still: nothing was done twice, and nothing that was acknowledged went.
  for (const [line, answer] of told) expect(answers[line - 1]!.result.id).toBe(answer);
  expect(told.size).toBeGreaterThan(0);
  const doctor = await runBridle(["doctor", "--json"], { cwd: root });
  const { checks } = JSON.parse(doctor.stdout) as {
    checks: readonly { readonly name: string; readonly status: string }[];
  };
  expect(checks.find(({ name }) => name === "database")).toMatchObject({ status: "ok" });
}, 300_000);
