// Stands between W&B's package and its service, on this machine: the package counts what fails as sent, so that what arrived
// is known here alone. It adds the key, puts rows where they belong, and answers the package as if all were well.
import { randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { BridleError, toBridleError } from "../../errors/error.js";
import type { NumberedRow } from "./wandb-history.js";
import type { WandbService } from "./wandb-service.js";

/** What the package is about to tell, and how the service is to have it. */
export interface WandbSession {
  readonly runId: string;
  /** In the order in which the package logs them. */
  readonly rows: readonly NumberedRow[];
  readonly startedAt: number;
  /** The last values of the whole run; the package knows those of the session alone. */
  readonly summary: Readonly<Record<string, unknown>>;
  /** How the run ended; undefined where it goes on, and the package's end of the session is no end of the run. */
  readonly exitCode: number | undefined;
  /** Whether the service is to hear that the run goes on. */
  readonly isSign: boolean;
}

export interface WandbForwarder {
  readonly baseUrl: string;
  /** What a request must have for a key. */
  readonly apiKey: string;
  /** Lets a session's requests through while `tell` makes them. @throws what the service said, where it did not take all */
  during(session: WandbSession, tell: () => Promise<void>): Promise<void>;
  close(): void;
}

const mostBytes = 64 << 20;
const streamPath = /^\/files\/[^/?]+\/[^/?]+\/([^/?]+)\/file_stream$/;
const historyFile = "wandb-history.jsonl";
const summaryFile = "wandb-summary.json";

interface Chunk {
  readonly offset?: number;
  readonly content: readonly string[];
}
interface StreamBody {
  readonly files?: Readonly<Record<string, Chunk>>;
  readonly complete?: boolean;
}
interface GraphqlBody {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** A session as it goes: how many rows arrived, and what went wrong first. */
interface Progress {
  readonly session: WandbSession;
  arrived: number;
  hasEnded: boolean;
  failure: BridleError | undefined;
}

export async function openWandbForwarder(service: WandbService): Promise<WandbForwarder> {
  // Whoever else is on this machine may not use the key.
  const apiKey = randomBytes(20).toString("hex");
  const expected = Buffer.from(`Basic ${Buffer.from(`api:${apiKey}`).toString("base64")}`);
  /** Answers that stay the same: who somebody is, and a run that has not changed. */
  const taken = new Map<string, string>();
  let progress: Progress | undefined;

  const server = createServer((request, response) => {
    void answer(request, response).catch((thrown) => {
      const failure = thrown instanceof BridleError ? thrown : odd(String(thrown));
      if (progress !== undefined) progress.failure ??= failure;
      response.writeHead(200).end("{}");
    });
  });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const given = Buffer.from(request.headers.authorization ?? "");
    const isKnown = given.length === expected.length && timingSafeEqual(given, expected);
    if (!isKnown || request.method !== "POST" || progress === undefined) {
      response.writeHead(isKnown ? 404 : 401).end();
      request.resume();
      return;
    }
    const url = request.url ?? "";
    const body: unknown = JSON.parse(await bodyOf(request));
    const text =
      url === "/graphql"
        ? await askGraphql(progress, body as GraphqlBody)
        : await stream(progress, url, body as StreamBody);
    response.writeHead(200, { "content-type": "application/json" }).end(text);
  };
  /** What the service says; what it would not take is the session's failure, and nothing follows it. */
  const forward = async (
    to: Progress,
    post: () => Promise<string>,
    instead: object,
  ): Promise<string> => {
    if (to.failure !== undefined) return JSON.stringify(instead);
    try {
      return await post();
    } catch (thrown) {
      to.failure ??= toBridleError(thrown);
      return JSON.stringify(instead);
    }
  };
  const askGraphql = async (to: Progress, body: GraphqlBody): Promise<string> => {
    const text = JSON.stringify(body);
    const known = taken.get(text);
    if (known !== undefined) return known;
    const isRun = /\bupsertBucket\b/.test(body.query);
    const { variables = {} } = body;
    if (isRun && variables.name !== to.session.runId) throw odd(`the run ${variables.name}`);
    const answered = await forward(
      to,
      async () => {
        const said = await service.post("/graphql", text, isRun ? "the run" : "the question");
        checkAnswer(service.name, said, isRun);
        if (isRun) for (const each of taken.keys()) if (isOfRun(each)) taken.delete(each);
        taken.set(text, said);
        return said;
      },
      isRun ? madeRun(variables) : madeViewer,
    );
    return answered;
  };
  const stream = async (to: Progress, path: string, body: StreamBody): Promise<string> => {
    if (streamPath.exec(path)?.[1] !== to.session.runId) throw odd(`a request for ${path}`);
    const told = bodyFor(to, body);
    if (told === undefined) return "{}";
    const rows = body.files?.[historyFile]?.content.length ?? 0;
    const what = rows > 0 ? `${rows} rows of the run` : "the run's end";
    const said = await forward(to, () => service.post(path, JSON.stringify(told), what), {});
    if (to.failure === undefined) {
      to.arrived += rows;
      to.hasEnded ||= body.complete === true;
      // Whoever goes on with it begins it again there.
      if (to.session.exitCode !== undefined && to.hasEnded) taken.clear();
    }
    return said;
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    apiKey,
    async during(session, tell) {
      const own: Progress = { session, arrived: 0, hasEnded: false, failure: undefined };
      progress = own;
      try {
        await tell();
      } catch (thrown) {
        throw own.failure ?? thrown;
      } finally {
        progress = undefined;
      }
      if (own.failure !== undefined) throw own.failure;
      if (own.arrived === session.rows.length && (own.hasEnded || session.exitCode === undefined))
        return;
      const reason = `its package @wandb/sdk sent ${own.arrived} of ${session.rows.length} rows, and ${own.hasEnded ? "the" : "no"} end`;
      throw new BridleError("SINK_UNAVAILABLE", { sink: service.name, reason });
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };

  function odd(what: string): BridleError {
    const reason = `its package @wandb/sdk told something else than it was to: ${what}`;
    return new BridleError("SINK_UNAVAILABLE", { sink: service.name, reason });
  }

  /** What the service gets for what the package sends; undefined for nothing. */
  function bodyFor({ session, arrived }: Progress, body: StreamBody): object | undefined {
    if (body.complete === true) {
      if (session.exitCode !== undefined) return { complete: true, exitcode: session.exitCode };
      return session.isSign ? { complete: false, failed: false } : undefined;
    }
    const files: Record<string, Chunk> = {};
    for (const [name, chunk] of Object.entries(body.files ?? {})) {
      if (name === historyFile) files[name] = historyFor(session, chunk, arrived);
      else if (name === summaryFile) files[name] = summaryFor(session);
      else throw odd(`the file ${name}`);
    }
    return { files };
  }

  /** Rows at the numbers that they have in the whole history, and at the time when they were told here. */
  function historyFor(session: WandbSession, chunk: Chunk, arrived: number): Chunk {
    const first = session.rows[arrived];
    if ((chunk.offset ?? 0) !== arrived || first === undefined) throw odd("rows out of their turn");
    const content = chunk.content.map((text, i) => {
      const row = session.rows[arrived + i];
      if (row === undefined) throw odd("more rows than there are");
      return JSON.stringify({ ...(JSON.parse(text) as object), ...placeOf(session, row) });
    });
    return { offset: first.number, content };
  }
}

/** Names that W&B gives to a row's place and time. */
function placeOf({ startedAt }: WandbSession, { number, at }: NumberedRow) {
  const _runtime = Math.max(0, at - startedAt) / 1000;
  return { _step: number, _timestamp: at / 1000, _runtime };
}

function summaryFor(session: WandbSession): Chunk {
  const last = session.rows.at(-1);
  const place = last === undefined ? {} : placeOf(session, last);
  return { offset: 0, content: [JSON.stringify({ ...session.summary, ...place })] };
}

const madeViewer = { data: { viewer: { id: "", entity: "-", flags: "{}", teams: { edges: [] } } } };

function madeRun({ name, project, entity }: Readonly<Record<string, unknown>>): object {
  const place = { id: "", name: project, entity: { id: "", name: entity } };
  const bucket = { id: "", name, displayName: "", project: place };
  return { data: { upsertBucket: { bucket, inserted: false } } };
}

function isOfRun(body: string): boolean {
  return /\bupsertBucket\b/.test(body);
}

/** @throws SINK_DENIED where the key is nobody's, SINK_REFUSED where there is no run afterwards */
function checkAnswer(sink: string, text: string, isRun: boolean): void {
  type Answer = {
    readonly data?: {
      readonly viewer?: object | null;
      readonly upsertBucket?: { readonly bucket?: object | null } | null;
    } | null;
  };
  const { data } = JSON.parse(text) as Answer;
  if (isRun && !data?.upsertBucket?.bucket) {
    const reason = "it answered with no run";
    throw new BridleError("SINK_REFUSED", { sink, what: "the run", reason });
  }
  if (!isRun && data?.viewer === null) {
    throw new BridleError("SINK_DENIED", { sink, reason: "the key is nobody's" });
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request) {
    pieces.push(piece as Buffer);
    bytes += (piece as Buffer).length;
    // Nothing that it is given is as long.
    if (bytes > mostBytes) request.destroy();
  }
  return Buffer.concat(pieces).toString("utf8");
}
