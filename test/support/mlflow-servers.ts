// MLflow servers to test against: a small one of our own that holds to MLflow's limits, and the real one where it is given.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { inject } from "vitest";

export interface MlflowServer {
  readonly url: string;
  close(): Promise<void>;
}

interface Metric {
  readonly key: string;
  readonly value: number | string;
  readonly step: number;
  readonly timestamp: number;
}
type Pairs = Map<string, string>;
interface KeptRun {
  readonly info: Record<string, unknown> & { run_id: string; experiment_id: string };
  readonly metrics: Map<string, Metric>;
  readonly params: Pairs;
  readonly tags: Pairs;
}

export interface FakeMlflow extends MlflowServer {
  /** Answers 503 to everything while true. */
  isAway: boolean;
  /** Takes requests and never answers them while true. */
  hangs: boolean;
  /** Files by their paths below the store. */
  readonly files: ReadonlyMap<string, string>;
  readonly requests: readonly string[];
  /** What a request must show, if anything. */
  authorization: string | undefined;
}

class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const invalid = (message: string) => new Refusal(400, "INVALID_PARAMETER_VALUE", message);
const absent = (message: string) => new Refusal(404, "RESOURCE_DOES_NOT_EXIST", message);

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function checkKey(key: string): void {
  const isPath = key === path.posix.normalize(key) && !key.startsWith("/") && !key.startsWith("..");
  if (!/^[/\p{L}\p{N}_.\- :]*$/u.test(key) || !isPath || key === "." || key.length > 250) {
    throw invalid(`Invalid name: ${key}`);
  }
}

/** Answers the methods that Bridle uses, in MLflow's words. */
export async function startFakeMlflow(): Promise<FakeMlflow> {
  const experiments = new Map<string, string>();
  const runs = new Map<string, KeptRun>();
  const files = new Map<string, string>();
  const requests: string[] = [];
  const models = new Map<
    string,
    { readonly versions: { version: string }[]; readonly aliases: Map<string, string> }
  >();
  const modelOf = (name: string) => {
    const model = models.get(name);
    if (model === undefined) throw absent(`Registered Model with name=${name} not found`);
    return model;
  };
  const tagsOf = (pairs: readonly { key: string; value: string }[]) =>
    new Map(pairs.map(({ key, value }) => [key, value]));
  const runOf = (id: unknown) => {
    const run = runs.get(String(id));
    if (run === undefined) throw absent(`Run with id=${String(id)} not found`);
    return run;
  };
  const shown = ({ info, metrics, params, tags }: KeptRun) => {
    const pairs = (map: Pairs) => [...map].map(([key, value]) => ({ key, value }));
    const latest = new Map<string, Metric>();
    for (const metric of metrics.values()) {
      if ((latest.get(metric.key)?.step ?? -1) <= metric.step) latest.set(metric.key, metric);
    }
    return {
      info,
      data: { params: pairs(params), tags: pairs(tags), metrics: [...latest.values()] },
    };
  };

  // biome-ignore lint/suspicious/noExplicitAny: bodies have the shape of the method that they are for
  const methods: Record<string, (asked: any) => object> = {
    "GET experiments/get-by-name": ({ experiment_name: name }) => {
      if (!name) throw invalid("Missing value for required parameter 'experiment_name'");
      const id = experiments.get(name);
      if (id === undefined) throw absent(`Could not find experiment with name ${name}`);
      return { experiment: { experiment_id: id, name } };
    },
    "POST experiments/create": ({ name }) => {
      if (experiments.has(name)) throw new Refusal(400, "RESOURCE_ALREADY_EXISTS", "it is there");
      experiments.set(name, String(experiments.size + 1));
      return { experiment_id: experiments.get(name) };
    },
    "POST runs/search": ({ experiment_ids: ids, filter }) => {
      const [, key = "", value] = /^tags\.`(.*)` = '(.*)'$/.exec(filter ?? "") ?? [];
      const found = [...runs.values()].filter(
        (run) =>
          ids.includes(run.info.experiment_id) &&
          (value === undefined || run.tags.get(key) === value),
      );
      return found.length === 0 ? {} : { runs: found.map(shown) };
    },
    "POST runs/create": ({ experiment_id, start_time, run_name, tags }) => {
      const id = `r${runs.size + 1}`;
      const artifact_uri = `mlflow-artifacts:/${experiment_id}/${id}/artifacts`;
      const info = {
        run_id: id,
        experiment_id,
        start_time,
        run_name,
        status: "RUNNING",
        artifact_uri,
      };
      runs.set(id, { info, metrics: new Map(), params: new Map(), tags: tagsOf(tags) });
      return { run: shown(runOf(id)) };
    },
    "GET runs/get": ({ run_id }) => ({ run: shown(runOf(run_id)) }),
    "POST runs/update": ({ run_id, ...more }) => {
      Object.assign(runOf(run_id).info, more);
      return {};
    },
    "POST runs/log-batch": ({ run_id, metrics = [], params = [], tags = [] }) => {
      const run = runOf(run_id);
      if (metrics.length > 1000 || params.length > 100 || tags.length > 100) {
        throw invalid(
          "A batch logging request can contain at most 1000 metrics, 100 params, 100 tags",
        );
      }
      for (const { key, value } of params) {
        checkKey(key);
        if (Array.from(String(value)).length > 6000)
          throw invalid(`Param value of ${key} is too long`);
        if (run.params.has(key) && run.params.get(key) !== value) {
          throw invalid(`Changing param values is not allowed. Param with key='${key}'`);
        }
      }
      for (const { key, value } of tags) {
        checkKey(key);
        if (Array.from(String(value)).length > 8000)
          throw invalid(`Tag value of ${key} is too long`);
      }
      for (const metric of metrics) {
        checkKey(metric.key);
        run.metrics.set(JSON.stringify(metric), metric);
      }
      for (const { key, value } of params) run.params.set(key, value);
      for (const { key, value } of tags) run.tags.set(key, value);
      return {};
    },
    "GET artifacts/list": ({ run_id, path: folder = "" }) => {
      const root = String(runOf(run_id).info.artifact_uri).replace(/^mlflow-artifacts:\/+/, "");
      const before = folder === "" ? "" : `${folder}/`;
      const here = new Map<string, object>();
      for (const [file, content] of files) {
        if (!file.startsWith(`${root}/${before}`)) continue;
        const [first = "", ...more] = file.slice(root.length + 1 + before.length).split("/");
        const isFolder = more.length > 0;
        const size = isFolder ? {} : { file_size: content.length };
        here.set(first, { path: `${before}${first}`, is_dir: isFolder, ...size });
      }
      return { files: [...here.values()] };
    },
    "POST experiments/search": () => ({
      experiments: [...experiments].map(([name, experiment_id]) => ({ experiment_id, name })),
    }),
    "POST registered-models/create": ({ name }) => {
      if (models.has(name)) throw new Refusal(400, "RESOURCE_ALREADY_EXISTS", "it is there");
      models.set(name, { versions: [], aliases: new Map() });
      return {};
    },
    "GET registered-models/get": ({ name }) => ({
      registered_model: {
        name,
        aliases: [...modelOf(name).aliases].map(([alias, version]) => ({ alias, version })),
      },
    }),
    "POST registered-models/alias": ({ name, alias, version }) => {
      if (!modelOf(name).versions.some((each) => each.version === version)) throw absent(version);
      modelOf(name).aliases.set(alias, version);
      return {};
    },
    "GET model-versions/search": ({ filter }) => ({
      model_versions: models.get(/^name='(.*)'$/.exec(filter)?.[1] ?? "")?.versions ?? [],
    }),
    "POST model-versions/create": ({ name, ...more }) => {
      const { versions } = modelOf(name);
      versions.push({ name, ...more, version: String(versions.length + 1) });
      return { model_version: versions.at(-1) };
    },
    "GET metrics/get-history": ({ run_id, metric_key }) => ({
      metrics: [...runOf(run_id).metrics.values()].filter(({ key }) => key === metric_key),
    }),
  };

  const state = { isAway: false, hangs: false, authorization: undefined as string | undefined };
  const server: Server = createServer(async (incoming, outgoing) => {
    const url = new URL(incoming.url ?? "/", "http://x");
    const body = await bodyOf(incoming);
    requests.push(`${incoming.method} ${url.pathname}`);
    if (state.hangs) return;
    const answer = (status: number, value: object) => {
      outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    };
    if (state.isAway) return void outgoing.writeHead(503).end("<h1>Service unavailable</h1>");
    if (
      state.authorization !== undefined &&
      incoming.headers.authorization !== state.authorization
    ) {
      return void outgoing.writeHead(401).end("You are not authenticated.");
    }
    const artifact = /^\/api\/2\.0\/mlflow-artifacts\/artifacts\/(.*)$/.exec(url.pathname)?.[1];
    if (incoming.method === "GET" && artifact !== undefined) {
      const found = files.get(decodeURIComponent(artifact));
      return void outgoing.writeHead(found === undefined ? 404 : 200).end(found);
    }
    if (incoming.method === "PUT" && artifact !== undefined) {
      files.set(decodeURIComponent(artifact), body.toString("utf8"));
      return answer(200, {});
    }
    try {
      if (body.length > 1_000_000)
        throw invalid("Batched logging API requests must be at most 1000000 bytes");
      const method = url.pathname.replace(/^\/api\/2\.0\/mlflow\//, "");
      const handle = methods[`${incoming.method} ${method}`];
      if (handle === undefined) throw new Refusal(404, "ENDPOINT_NOT_FOUND", `no ${method}`);
      const asked =
        incoming.method === "GET"
          ? Object.fromEntries(url.searchParams)
          : JSON.parse(body.toString("utf8"));
      answer(200, handle(asked));
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) return answer(500, { message: String(thrown) });
      answer(thrown.status, { error_code: thrown.code, message: thrown.message });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, {
    url: `http://127.0.0.1:${port}`,
    files,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** The real server's program, where a machine has it: BRIDLE_MLFLOW names it, and mlflow-setup.ts starts it. */
export const mlflowProgram = process.env.BRIDLE_MLFLOW || undefined;
export const hasRealMlflow = mlflowProgram !== undefined;

/**
 * The one real server of this run of tests, which all of them share: what is told there stands in experiments and models of
 * its own for each.
 */
export async function openRealMlflow(): Promise<MlflowServer> {
  const { url, log } = inject("mlflow");
  for (let tries = 0; tries < 500; tries++) {
    const health = await fetch(`${url}/health`).catch(() => undefined);
    if (health?.ok) return { url, close: async () => {} };
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`mlflow server does not answer: ${readFileSync(log, "utf8").slice(-2000)}`);
}
