// Tells an MLflow server of runs: metrics with steps, parameters, tags, files, and how a run stands.
import { BridleError } from "../../errors/error.js";
import type { BlobReader } from "../../ports/blob-store.js";
import type {
  EventSink,
  MetricPoint,
  RunArtifact,
  RunEvent,
  RunIdentity,
} from "../../ports/event-sink.js";
import {
  createMlflowClient,
  type MlflowClient,
  type MlflowPlace,
  proxiedPath,
} from "./mlflow-client.js";
import { inPieces, nameFor, shortened } from "./mlflow-limits.js";

/** The tag by which a run is found again, whoever told of it first. */
export const runTag = "bridle.run_id";

export interface MlflowSinkOptions extends MlflowPlace {
  /** Where files of runs lie. */
  readonly artifacts: BlobReader;
}

/** An MLflow run as its server describes it. */
export interface MlflowRun {
  readonly info: {
    readonly run_id: string;
    readonly status: string;
    readonly artifact_uri: string;
    readonly end_time?: number;
  };
  readonly data?: {
    readonly params?: readonly { readonly key: string; readonly value: string }[];
    readonly tags?: readonly { readonly key: string; readonly value: string }[];
  };
}

/** The tag that says when a process began a run or took it up last: what others told before that is older. */
const takenUpTag = "bridle.taken_up_at";

const statuses = {
  finished: "FINISHED",
  failed: "FAILED",
  stopped: "KILLED",
  interrupted: "KILLED",
} as const;

/** A sink over MLflow's REST API. Nothing is asked of the server before the first events. */
export function createMlflowSink(options: MlflowSinkOptions): EventSink {
  const client = createMlflowClient(options);
  const runs = new Map<string, MlflowRun>();
  return {
    name: "mlflow",
    destination: client.name,
    async send(run, events) {
      const known = runs.get(run.id) ?? (await findOrMakeRun(client, run));
      runs.set(run.id, known);
      try {
        for (const event of gathered(events)) {
          await sendEvent(client, options.artifacts, run, known, event);
        }
        // Who took it up last is another one now.
        if (events.some(({ type }) => type === "start")) runs.delete(run.id);
      } catch (thrown) {
        // It may have been deleted: then it is looked for anew the next time.
        runs.delete(run.id);
        throw thrown;
      }
    },
    close: async () => client.close(),
  };
}

/** By this MLflow's page shows an experiment as one of trainings, rather than of prompts and agents. */
const experimentKind = { key: "mlflow.experimentKind", value: "custom_model_development" };

/** The experiment's id; it is made where there is none. */
async function findOrMakeExperiment(client: MlflowClient, name: string): Promise<string> {
  type Found = { readonly experiment: { readonly experiment_id: string } };
  const find = () =>
    client.call<Found>("GET", "experiments/get-by-name", { experiment_name: name }, [
      "RESOURCE_DOES_NOT_EXIST",
    ]);
  const found = await find();
  if (found !== undefined) return found.experiment.experiment_id;
  const made = await client.call<{ readonly experiment_id: string }>(
    "POST",
    "experiments/create",
    { name, tags: [experimentKind] },
    ["RESOURCE_ALREADY_EXISTS"],
  );
  const id = made?.experiment_id ?? (await find())?.experiment.experiment_id;
  if (id !== undefined) return id;
  const reason = `the experiment ${name} can neither be made nor found`;
  throw new BridleError("SINK_REFUSED", { sink: client.name, what: "experiments/create", reason });
}

/** The run that has an id of ours among an experiment's, deleted ones left aside. */
export async function findRun(
  client: MlflowClient,
  experimentId: string,
  id: string,
): Promise<MlflowRun | undefined> {
  const found = await client.call<{ readonly runs?: readonly MlflowRun[] }>("POST", "runs/search", {
    experiment_ids: [experimentId],
    filter: `tags.\`${runTag}\` = '${id}'`,
    max_results: 1,
  });
  return found?.runs?.[0];
}

async function findOrMakeRun(client: MlflowClient, run: RunIdentity): Promise<MlflowRun> {
  const experiment = await findOrMakeExperiment(client, run.experiment);
  const found = await findRun(client, experiment, run.id);
  if (found !== undefined) return found;
  const commit = run.commit.replace(/\+$/, "");
  const tags = {
    [runTag]: run.id,
    "mlflow.source.name": "bridle",
    "mlflow.source.type": "LOCAL",
    [takenUpTag]: String(takenUpAt(run)),
    ...(commit !== "" && { "mlflow.source.git.commit": commit }),
    "bridle.commit": run.commit,
    "bridle.source": run.source,
    "bridle.host": run.host,
    "bridle.output": run.output,
    "bridle.config_sha256": run.configSha256,
    "bridle.parent": run.parent,
  };
  const made = await client.call<{ readonly run: MlflowRun }>("POST", "runs/create", {
    experiment_id: experiment,
    start_time: run.startedAt,
    run_name: run.name,
    tags: pairsOf(tags, "tag"),
  });
  return (made as { readonly run: MlflowRun }).run;
}

function takenUpAt(run: RunIdentity): number {
  return run.takenUpAt ?? run.startedAt;
}

/** Whether another process took a run up after the one that tells of it now. */
function isLate({ data }: MlflowRun, identity: RunIdentity): boolean {
  const last = data?.tags?.find(({ key }) => key === takenUpTag)?.value;
  return Number(last ?? 0) > takenUpAt(identity);
}

function pairsOf(
  values: Readonly<Record<string, string>>,
  kind: "tag" | "param",
): { readonly key: string; readonly value: string }[] {
  return Object.entries(values)
    .filter(([, value]) => kind === "param" || value !== "")
    .map(([key, value]) => ({ key: nameFor(key), value: shortened(value, kind) }));
}

/** Points of events that follow each other, together: each request costs the server a turn. */
function gathered(events: readonly RunEvent[]): readonly RunEvent[] {
  const together: RunEvent[] = [];
  for (const event of events) {
    const last = together.at(-1);
    if (event.type === "points" && last?.type === "points") {
      together[together.length - 1] = {
        type: "points",
        points: [...last.points, ...event.points],
      };
    } else together.push(event);
  }
  return together;
}

async function sendEvent(
  client: MlflowClient,
  artifacts: BlobReader,
  identity: RunIdentity,
  run: MlflowRun,
  event: RunEvent,
): Promise<void> {
  const id = run.info.run_id;
  if (isLate(run, identity)) return await fillIn(client, id, event);
  switch (event.type) {
    case "start":
      await sendTags(client, id, { [takenUpTag]: String(takenUpAt(identity)) });
      await client.call("POST", "runs/update", {
        run_id: id,
        status: "RUNNING",
        run_name: event.run.name,
      });
      return;
    case "params":
      await sendParams(client, id, event.values);
      return;
    case "tags":
      await sendTags(client, id, event.values);
      return;
    case "points":
      await sendPoints(client, id, event.points);
      return;
    case "artifact":
      await sendArtifact(client, artifacts, run, event.artifact);
      return;
    case "end":
      await sendEnd(client, identity, id, event);
      return;
    // MLflow keeps no lines and no signs of life.
    case "lines":
    case "alive":
      return;
    default:
      throw new BridleError("SINK_REFUSED", {
        ...{ sink: client.name, what: `an event of run ${identity.id}` },
        reason: "it is of a kind that this version does not know",
      });
  }
}

async function sendPoints(
  client: MlflowClient,
  id: string,
  points: readonly MetricPoint[],
): Promise<void> {
  for (const metrics of inPieces(points.map(metricOf), "metrics")) {
    await client.call("POST", "runs/log-batch", { run_id: id, metrics });
  }
}

/** What was told before another process took the run up: it changes nothing that this one has told since. */
async function fillIn(client: MlflowClient, id: string, event: RunEvent): Promise<void> {
  if (event.type === "points") return await sendPoints(client, id, event.points);
  if (event.type !== "params" && event.type !== "tags") return;
  const answer = await client.call<{ readonly run: MlflowRun }>("GET", "runs/get", { run_id: id });
  const there = new Set(answer?.run.data?.[event.type]?.map(({ key }) => key));
  const missing = Object.entries(event.values).filter(([key]) => !there.has(nameFor(key)));
  const values = Object.fromEntries(missing);
  await (event.type === "params" ? sendParams(client, id, values) : sendTags(client, id, values));
}

/** The server keeps a point that comes twice once: key, step, time and value are its identity there. */
function metricOf({ key, step, at, value }: MetricPoint) {
  const word = Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  return { key: nameFor(key), step, timestamp: at, value: Number.isFinite(value) ? value : word };
}

/** Parameters never change there: one that did, such as the device of a run that was taken up again, becomes a tag. */
async function sendParams(
  client: MlflowClient,
  id: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const answer = await client.call<{ readonly run: MlflowRun }>("GET", "runs/get", { run_id: id });
  const there = new Map(answer?.run.data?.params?.map(({ key, value }) => [key, value]));
  const params = pairsOf(values, "param");
  const changed = params.filter(({ key, value }) => there.has(key) && there.get(key) !== value);
  for (const some of inPieces(
    params.filter(({ key }) => !there.has(key)),
    "params",
  )) {
    await client.call("POST", "runs/log-batch", { run_id: id, params: some });
  }
  await sendTags(
    client,
    id,
    Object.fromEntries(changed.map(({ key, value }) => [`bridle.changed.${key}`, value])),
  );
}

async function sendTags(
  client: MlflowClient,
  id: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const { branch, ...others } = values;
  const named = { ...others, ...(branch && { branch, "mlflow.source.git.branch": branch }) };
  for (const tags of inPieces(pairsOf(named, "tag"), "tags")) {
    await client.call("POST", "runs/log-batch", { run_id: id, tags });
  }
}

/** A file that is kept goes to the server; of one that lies elsewhere, or cannot go there, a tag says where it is. */
async function sendArtifact(
  client: MlflowClient,
  artifacts: BlobReader,
  { info }: MlflowRun,
  { name, sha256, sizeBytes, blob, uri }: RunArtifact,
): Promise<void> {
  const folder = proxiedPath(info.artifact_uri);
  if (blob !== "" && folder !== undefined) {
    if ((await artifacts.head(blob)) === undefined) {
      const reason = `${artifacts.name} does not have it`;
      throw new BridleError("SINK_REFUSED", { sink: client.name, what: name, reason });
    }
    await client.putFile(folder, name, sizeBytes, await artifacts.get(blob));
    return;
  }
  const where = uri || `${artifacts.name}/${blob}`;
  await sendTags(client, info.run_id, {
    [`bridle.file.${name}`]: `${where} (${sizeBytes} bytes, sha256 ${sha256})`,
  });
}

async function sendEnd(
  client: MlflowClient,
  identity: RunIdentity,
  id: string,
  { status, at, error }: Extract<RunEvent, { type: "end" }>,
): Promise<void> {
  const answer = await client.call<{ readonly run: MlflowRun }>("GET", "runs/get", { run_id: id });
  // The run may have been taken up since it was looked for.
  if (answer !== undefined && isLate(answer.run, identity)) return;
  const now = answer?.run.info;
  // The end of an earlier try may come late: the server was away, and the run was taken up again.
  if (now !== undefined && now.status !== "RUNNING" && Number(now.end_time ?? 0) > at) return;
  await client.call("POST", "runs/update", {
    run_id: id,
    status: statuses[status],
    end_time: at,
  });
  await sendTags(client, id, { "bridle.status": status, "bridle.error": error });
}
