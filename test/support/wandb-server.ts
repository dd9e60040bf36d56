// A server that stands in for Weights & Biases, as far as its package for JavaScript asks it and we know its own clients to.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface KeptWandbRun {
  readonly name: string;
  readonly project: string;
  readonly entity: string;
  displayName: string;
  config: Record<string, { readonly value: unknown }>;
  /** Lines by their offsets. */
  readonly history: Record<string, unknown>[];
  summary: Record<string, unknown>;
  state: "running" | "finished" | "failed" | "killed";
}

export interface FakeWandb {
  readonly url: string;
  /** Answers 503 to everything while true. */
  isAway: boolean;
  /** Does what it is asked, and answers 500. */
  forgets: boolean;
  /** Takes requests and never answers them while true. */
  hangs: boolean;
  /** Rows that it refuses for good. */
  refuses: (row: Record<string, unknown>) => boolean;
  key: string;
  readonly runs: readonly KeptWandbRun[];
  /** Method, path and, for GraphQL, the field asked for. */
  readonly requests: readonly string[];
  /** Takes no connections any more, until it is opened again at the same place. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  close(): Promise<void>;
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of incoming) text += chunk;
  return text;
}

class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function startFakeWandb(): Promise<FakeWandb> {
  const runs: KeptWandbRun[] = [];
  const requests: string[] = [];
  const find = (entity: string, project: string, name: string) =>
    runs.find((run) => run.entity === entity && run.project === project && run.name === name);
  const state = {
    isAway: false,
    forgets: false,
    hangs: false,
    refuses: (_: Record<string, unknown>): boolean => false,
    key: "k".repeat(40),
  };

  // biome-ignore lint/suspicious/noExplicitAny: variables have the shape of their question
  const graphql: Record<string, (asked: any) => object> = {
    viewer: () => ({
      viewer: { id: "u", entity: "me", flags: "{}", teams: { edges: [] } },
    }),
    upsertBucket: ({ name, project, entity, displayName, config }) => {
      const whose = entity || "me";
      const known = find(whose, project, name);
      const run: KeptWandbRun = known ?? {
        ...{ name, project, entity: whose, displayName: name, config: {} },
        ...{ history: [], summary: {}, state: "running" },
      };
      if (known === undefined) runs.push(run);
      run.state = "running";
      if (displayName) run.displayName = displayName;
      // Whole, as it is given.
      if (config) run.config = JSON.parse(config);
      const place = { id: "p", name: project, entity: { id: "e", name: whose } };
      const bucket = { id: "b", name, displayName: run.displayName, project: place };
      return { upsertBucket: { bucket, inserted: known === undefined } };
    },
    model: ({ name, project, entity }) => {
      const run = find(entity || "me", project, name);
      if (run === undefined) return { model: null };
      const { config, summary, history } = run;
      const bucket = {
        ...{ name, historyLineCount: history.length },
        ...{ config: JSON.stringify(config), summaryMetrics: JSON.stringify(summary) },
      };
      return { model: { bucket } };
    },
  };

  type Chunk = { readonly offset: number; readonly content: readonly string[] };
  type Stream = {
    readonly files?: Record<string, Chunk>;
    readonly complete?: boolean;
    readonly exitcode?: number;
  };
  const stream = (run: KeptWandbRun, { files = {}, complete, exitcode }: Stream) => {
    for (const [name, { offset, content }] of Object.entries(files)) {
      const lines = content.map((line) => JSON.parse(line) as Record<string, unknown>);
      if (name === "wandb-summary.json") run.summary = lines[0] ?? {};
      else if (name !== "wandb-history.jsonl") throw new Refusal(400, `no file ${name}`);
      else {
        if (offset > run.history.length) throw new Refusal(400, `a hole before ${offset}`);
        const refused = lines.find(state.refuses);
        if (refused !== undefined) throw new Refusal(400, `bad row ${JSON.stringify(refused)}`);
        for (const [i, line] of lines.entries()) run.history[offset + i] = line;
      }
    }
    if (complete === true) {
      run.state = exitcode === 0 ? "finished" : exitcode === 255 ? "killed" : "failed";
    } else run.state = "running";
    return { exitcode: null, limits: {} };
  };

  const server = createServer(async (incoming, outgoing) => {
    const { pathname } = new URL(incoming.url ?? "/", "http://x");
    const body = await bodyOf(incoming);
    const answer = (status: number, value: object) => {
      outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    };
    const asked = JSON.parse(body || "{}");
    const field = Object.keys(graphql).find((each) => RegExp(`\\b${each}\\b`).test(asked.query));
    requests.push(`${incoming.method} ${pathname}${pathname === "/graphql" ? ` ${field}` : ""}`);
    if (state.hangs) return;
    if (state.isAway) return void outgoing.writeHead(503).end("<h1>Service unavailable</h1>");
    const expected = `Basic ${Buffer.from(`api:${state.key}`).toString("base64")}`;
    if (incoming.headers.authorization !== expected) {
      return answer(401, { errors: [{ message: "user is not logged in" }] });
    }
    try {
      let said: object;
      if (pathname === "/graphql") {
        const handle = graphql[field ?? ""];
        if (handle === undefined) throw new Refusal(400, "unknown field");
        said = { data: handle(asked.variables ?? {}) };
      } else {
        const [, entity = "", project = "", name = ""] =
          /^\/files\/([^/]+)\/([^/]+)\/([^/]+)\/file_stream$/.exec(pathname) ?? [];
        const run = find(entity, decodeURIComponent(project), name);
        if (run === undefined) throw new Refusal(404, "run not found");
        said = stream(run, asked);
      }
      if (state.forgets) return answer(500, { error: "lost my mind" });
      answer(200, said);
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) return answer(500, { error: String(thrown) });
      answer(thrown.status, { error: thrown.message });
    }
  });
  let port = 0;
  const resume = async () => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  };
  const pause = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  await resume();
  return Object.assign(state, {
    ...{ url: `http://127.0.0.1:${port}`, runs, requests },
    ...{ pause, resume, close: pause },
  });
}
