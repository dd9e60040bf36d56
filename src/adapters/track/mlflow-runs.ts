// Reads the runs of an MLflow server, to be imported: parameters, tags, whole histories of metrics, and files.
import { BridleError } from "../../errors/error.js";
import type { ForeignRun, KeepFile, MetricPoint, RunEvent } from "../../ports/event-sink.js";
import {
  createMlflowClient,
  type MlflowClient,
  type MlflowPlace,
  proxiedPath,
} from "./mlflow-client.js";

interface Pair {
  readonly key: string;
  readonly value: string;
}
interface FoundRun {
  readonly info: {
    readonly run_id: string;
    readonly run_name?: string;
    readonly status: string;
    readonly start_time?: number | string;
    readonly end_time?: number | string;
    readonly artifact_uri: string;
  };
  readonly data?: {
    readonly params?: readonly Pair[];
    readonly tags?: readonly Pair[];
    readonly metrics?: readonly { readonly key: string }[];
  };
}
interface FoundMetric {
  readonly value: number | string;
  readonly timestamp: number | string;
  readonly step?: number | string;
}

const pageSize = 1000;
const historyPage = 25_000;
const atOnce = 5000;
/** Files above this stay on the server. */
const copiedBytes = 10_000_000;
const statuses: Readonly<Record<string, Extract<RunEvent, { type: "end" }>["status"]>> = {
  FINISHED: "finished",
  FAILED: "failed",
  KILLED: "stopped",
};

/** @param experiment of this name alone; all of them where left out */
export async function listMlflowRuns(
  place: MlflowPlace,
  experiment?: string,
): Promise<readonly ForeignRun[]> {
  const client = createMlflowClient(place);
  const runs: ForeignRun[] = [];
  type Experiment = { readonly experiment_id: string; readonly name: string };
  for await (const { experiment_id: id, name } of pagesOf<Experiment>(
    client,
    "experiments/search",
    { max_results: pageSize },
    "experiments",
  )) {
    if (experiment !== undefined && name !== experiment) continue;
    const asked = { experiment_ids: [id], max_results: pageSize, run_view_type: "ACTIVE_ONLY" };
    for await (const run of pagesOf<FoundRun>(client, "runs/search", asked, "runs")) {
      runs.push(foreignRun(client, name, run));
    }
  }
  return runs;
}

async function* pagesOf<Item>(
  client: MlflowClient,
  method: string,
  asked: object,
  field: string,
): AsyncGenerator<Item> {
  for (let token: string | undefined = ""; token !== undefined; ) {
    const page: Record<string, unknown> | undefined = await client.call("POST", method, {
      ...asked,
      ...(token !== "" && { page_token: token }),
    });
    yield* (page?.[field] ?? []) as readonly Item[];
    token = (page?.next_page_token as string | undefined) || undefined;
  }
}

function foreignRun(
  client: MlflowClient,
  experiment: string,
  { info, data }: FoundRun,
): ForeignRun {
  const tags = textsOf(data?.tags);
  const startedAt = Number(info.start_time ?? 0);
  return {
    source: "mlflow",
    foreignId: info.run_id,
    known: {
      ...{ experiment, startedAt },
      name: info.run_name ?? tags["mlflow.runName"] ?? info.run_id,
      commit: tags["mlflow.source.git.commit"] ?? "",
    },
    async *events(run, keep) {
      yield [
        { type: "start", run, fromStep: Number.MAX_SAFE_INTEGER },
        { type: "params", values: textsOf(data?.params) },
        { type: "tags", values: { ...tags, "mlflow.run_id": info.run_id } },
      ];
      const leftOut: string[] = [];
      for (const { key } of data?.metrics ?? []) {
        yield* historyOf(client, info.run_id, key, leftOut);
      }
      yield* filesOf(client, info, keep);
      // Whatever goes on there does not go on here.
      const at = Number(info.end_time ?? 0) || startedAt;
      yield [{ type: "end", status: statuses[info.status] ?? "interrupted", at, error: "" }];
      if (leftOut.length === 0) return;
      const reason = `steps begin at 0, and points before it are left out: ${leftOut.join(", ")}; the rest of the run is imported`;
      throw new BridleError("FILE_INVALID", { file: client.name, reason });
    },
  };
}

function textsOf(pairs: readonly Pair[] = []): Record<string, string> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
}

/** @throws FILE_INVALID for what is no whole number */
function wholeIn(client: MlflowClient, what: string, value: number | string): number {
  const number = Math.round(Number(value));
  if (Number.isSafeInteger(number)) return number;
  const reason = `${what} is ${JSON.stringify(value)}, which is no whole number`;
  throw new BridleError("FILE_INVALID", { file: client.name, reason });
}

/** Where all were told without a step, the next one is the next step. Points before step 0 are left out. */
async function* historyOf(
  client: MlflowClient,
  id: string,
  key: string,
  leftOut: string[],
): AsyncGenerator<readonly RunEvent[]> {
  const all: FoundMetric[] = [];
  type Page = { readonly metrics?: readonly FoundMetric[]; readonly next_page_token?: string };
  for (let token: string | undefined = ""; token !== undefined; ) {
    const page: Page | undefined = await client.call<Page>("GET", "metrics/get-history", {
      ...{ run_id: id, metric_key: key, max_results: historyPage },
      ...(token !== "" && { page_token: token }),
    });
    for (const metric of page?.metrics ?? []) all.push(metric);
    token = page?.next_page_token || undefined;
  }
  const isStepless = all.length > 1 && all.every(({ step }) => Number(step ?? 0) === 0);
  const told: readonly MetricPoint[] = all.map(({ value, timestamp, step }, i) => ({
    ...{ key, epoch: null, value: Number(value) },
    at: wholeIn(client, `the time of ${key}`, timestamp),
    step: isStepless ? i : wholeIn(client, `the step of ${key}`, step ?? 0),
  }));
  const points = told.filter(({ step }) => step >= 0);
  if (points.length < told.length) leftOut.push(`${key} has ${told.length - points.length}`);
  for (let first = 0; first < points.length; first += atOnce) {
    yield [{ type: "points", points: points.slice(first, first + atOnce) }];
  }
}

async function* filesOf(
  client: MlflowClient,
  { run_id: id, artifact_uri: uri }: Pick<FoundRun["info"], "run_id" | "artifact_uri">,
  keep: KeepFile,
  folder = "",
): AsyncGenerator<readonly RunEvent[]> {
  type Listed = {
    readonly files?: readonly {
      readonly path: string;
      readonly is_dir?: boolean;
      readonly file_size?: number | string;
    }[];
  };
  const proxied = proxiedPath(uri);
  const listed = await client.call<Listed>("GET", "artifacts/list", {
    run_id: id,
    ...(folder !== "" && { path: folder }),
  });
  for (const { path: name, is_dir: isFolder, file_size: size } of listed?.files ?? []) {
    if (isFolder) {
      yield* filesOf(client, { run_id: id, artifact_uri: uri }, keep, name);
      continue;
    }
    const sizeBytes = Number(size ?? 0);
    const mediaType = name.endsWith(".json") ? "application/json" : "application/octet-stream";
    const artifact =
      proxied !== undefined && sizeBytes <= copiedBytes
        ? await keep(name, await client.getFile(proxied, name), mediaType)
        : {
            ...{ name, sha256: "", sizeBytes, mediaType, blob: "" },
            ...{ uri: `${uri}/${name}`, at: Date.now() },
          };
    yield [{ type: "artifact", artifact }];
  }
}
