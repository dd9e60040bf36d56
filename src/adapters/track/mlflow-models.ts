// Tells an MLflow server of registered models: versions with their cards and small files, and where aliases point.
import type { ModelSink, ModelTold, ToldModel, ToldVersion } from "../../ports/event-sink.js";
import { findRun } from "./mlflow.js";
import {
  createMlflowClient,
  type MlflowClient,
  type MlflowPlace,
  proxiedPath,
} from "./mlflow-client.js";
import { nameFor, shortened } from "./mlflow-limits.js";

/** The tag that says which version of Bridle's registry an MLflow version is. */
const versionTag = "bridle.version";

interface MlflowVersion {
  readonly version: string;
  readonly tags?: readonly { readonly key: string; readonly value: string }[];
}

export function createMlflowModels(place: MlflowPlace): ModelSink {
  const client = createMlflowClient(place);
  return {
    name: "mlflow",
    tellModel: (model) => tellModel(client, model),
    close: async () => client.close(),
  };
}

async function tellModel(client: MlflowClient, model: ToldModel): Promise<ModelTold> {
  const { name } = model;
  const tags = [{ key: "bridle.registry", value: "mirrored by bridle models sync" }];
  await client.call("POST", "registered-models/create", { name, tags }, [
    "RESOURCE_ALREADY_EXISTS",
  ]);
  const known = await listVersions(client, name);
  const made: number[] = [];
  for (const version of model.versions) {
    if (known.has(version.version)) continue;
    known.set(version.version, await makeVersion(client, name, version));
    made.push(version.version);
  }
  const moved: string[] = [];
  const there = await readAliases(client, name);
  for (const { alias, version } of model.aliases) {
    const number = known.get(version);
    if (number === undefined || there.get(alias) === number) continue;
    await client.call("POST", "registered-models/alias", { name, alias, version: number });
    moved.push(alias);
  }
  return { made, moved };
}

/** MLflow's number of each version of ours; they differ where somebody else adds versions there. */
async function listVersions(client: MlflowClient, name: string): Promise<Map<number, string>> {
  type Page = {
    readonly model_versions?: readonly MlflowVersion[];
    readonly next_page_token?: string;
  };
  const known = new Map<number, string>();
  for (let token: string | undefined = ""; token !== undefined; ) {
    const page: Page | undefined = await client.call<Page>("GET", "model-versions/search", {
      filter: `name='${name}'`,
      max_results: 1000,
      ...(token !== "" && { page_token: token }),
    });
    for (const { version, tags = [] } of page?.model_versions ?? []) {
      const own = tags.find(({ key }) => key === versionTag);
      if (own !== undefined) known.set(Number(own.value), String(version));
    }
    token = page?.next_page_token || undefined;
  }
  return known;
}

async function readAliases(client: MlflowClient, name: string): Promise<Map<string, string>> {
  type Found = {
    readonly registered_model: {
      readonly aliases?: readonly { readonly alias: string; readonly version: string }[];
    };
  };
  const found = await client.call<Found>("GET", "registered-models/get", { name });
  const aliases = found?.registered_model.aliases ?? [];
  return new Map(aliases.map(({ alias, version }) => [alias, String(version)]));
}

/** Its files lie with the run that made it; without one, the version says where they are in Bridle's registry. */
async function makeVersion(client: MlflowClient, name: string, told: ToldVersion): Promise<string> {
  const run = told.run && (await findToldRun(client, told.run));
  const uri = run?.info.artifact_uri ?? "";
  const folder = `registered/${name}-${told.version}`;
  const kept = proxiedPath(uri);
  if (kept !== undefined) {
    for (const { path, sizeBytes, open } of told.files) {
      await client.putFile(kept, `${folder}/${path}`, sizeBytes, open());
    }
  }
  const source = kept !== undefined ? `${uri}/${folder}` : `bridle:/${name}/${told.version}`;
  const tags = { ...told.tags, [versionTag]: String(told.version) };
  const made = await client.call<{ readonly model_version: MlflowVersion }>(
    "POST",
    "model-versions/create",
    {
      name,
      source,
      ...(run && { run_id: run.info.run_id }),
      description: shortened(told.description, "tag"),
      tags: Object.entries(tags).map(([key, value]) => ({
        key: nameFor(key),
        value: shortened(value, "tag"),
      })),
    },
  );
  return String(made?.model_version.version);
}

async function findToldRun(
  client: MlflowClient,
  { id, experiment }: NonNullable<ToldVersion["run"]>,
) {
  const found = await client.call<{ readonly experiment: { readonly experiment_id: string } }>(
    "GET",
    "experiments/get-by-name",
    { experiment_name: experiment },
    ["RESOURCE_DOES_NOT_EXIST"],
  );
  return found && (await findRun(client, found.experiment.experiment_id, id));
}
