// Tells others of registered models: each version with its card, its files and the run that made it, and the aliases.

import { readmeFile } from "../package/pack-model.js";
import type {
  ModelSink,
  ModelTold,
  RunIdentity,
  ToldFile,
  ToldVersion,
} from "../ports/event-sink.js";
import type { Registry } from "../registry/registry.js";
import type { ModelVersion } from "../registry/versions.js";

export interface TellModelsOptions {
  /** Files above this stay where they are: as a rule, the weights. */
  readonly mostFileBytes: number;
  readonly findRun: (id: string) => Promise<Pick<RunIdentity, "id" | "experiment"> | undefined>;
  readonly onModel?: (name: string) => void;
}

export interface ToldName extends ModelTold {
  readonly sink: string;
  readonly model: string;
}

/** @throws MODEL_NOT_REGISTERED, what the registry and what the sink throws */
export async function tellModels(
  registry: Registry,
  sink: ModelSink,
  names: readonly string[],
  options: TellModelsOptions,
): Promise<readonly ToldName[]> {
  const all = names.length > 0 ? names : (await registry.listModels()).map(({ name }) => name);
  const told: ToldName[] = [];
  for (const name of all) {
    options.onModel?.(name);
    const model = await registry.getModel(name);
    const versions: ToldVersion[] = [];
    for (const version of model.versions.toReversed()) {
      versions.push(await tellVersion(registry, version, options));
    }
    const came = await sink.tellModel({ name, versions, aliases: model.aliases });
    told.push({ sink: sink.name, model: name, ...came });
  }
  return told;
}

async function tellVersion(
  registry: Registry,
  { version, digest, card, note, createdBy, createdAt, collectedAt }: ModelVersion,
  { findRun, mostFileBytes }: TellModelsOptions,
): Promise<ToldVersion> {
  const { lineage, training, model, licence } = card;
  const isThere = collectedAt === null;
  const packed = isThere ? await registry.packages.read(digest) : undefined;
  const files: ToldFile[] = (packed?.manifest.files ?? [])
    .filter(({ sizeBytes }) => sizeBytes <= mostFileBytes)
    .map(({ path, sizeBytes }) => ({
      ...{ path, sizeBytes },
      open: () => packed?.open(path) as AsyncIterable<Uint8Array>,
    }));
  const scores = Object.entries(training?.rouge ?? {}).map(
    ([name, value]) => [`bridle.${name}`, String(value)] as const,
  );
  return {
    version,
    description: card.description ?? note ?? `${model.architecture}; its card is ${readmeFile}`,
    tags: {
      "bridle.digest": digest,
      "bridle.created_by": createdBy,
      "bridle.created_at": createdAt,
      "bridle.licence": licence.id ?? "none",
      ...(note !== null && { "bridle.note": note }),
      ...(lineage.parent !== null && { "bridle.parent": lineage.parent.name }),
      ...(lineage.commit !== null && { "bridle.commit": lineage.commit }),
      ...Object.fromEntries(scores),
    },
    run: lineage.runId === null ? undefined : await findRun(lineage.runId),
    files,
  };
}
