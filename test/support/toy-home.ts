// A home with runs and registered models in it, as a team has it after some weeks, for tests that look at pages.
import path from "node:path";
import { toyTrain, toyValidation } from "../../scripts/toy-data.mjs";
import { toyDataOf, toyRuns } from "../../scripts/toy-runs.mjs";
import { writeToySweep } from "../../scripts/toy-sweep.mjs";
import { openArtifacts, openRegistry, openRuns } from "../../src/compose.js";
import * as sweepStore from "../../src/loop/sweep/sweep-store.js";
import { toEvaluationRecords } from "../../src/package/evaluation-record.js";
import { packModel } from "../../src/package/pack-model.js";
import type { Registry } from "../../src/registry/registry.js";
import { putArtifact } from "../../src/track/artifacts.js";
import { writeEvents } from "../../src/track/write.js";
import { makeTrainedModel, toyEvaluation } from "./model-packages.js";

const diff = `diff --git a/params.yaml b/params.yaml
index 3f9c1e7..a01b2c3 100644
--- a/params.yaml
+++ b/params.yaml
@@ -3,5 +3,5 @@
 train:
-  epochs: 1
+  epochs: 2
   seed: 7
`;

/** Twenty-four runs, of which the last one goes on and one has differences from its commit. @returns their ids, the oldest first */
export async function recordToyRuns(home: string, now = Date.now()): Promise<readonly string[]> {
  const env = { BRIDLE_HOME: home };
  const database = await openRuns(undefined, env);
  const store = await openArtifacts(undefined, env);
  try {
    const runs = toyRuns(now);
    const environment = { node: "v22.1.0", platform: "linux", cpu: { cores: 8 } };
    const shared = [
      await putArtifact(store, "config.json", '{"train":{}}\n', "application/json"),
      await putArtifact(store, "environment.json", JSON.stringify(environment), "application/json"),
    ];
    const changes = await putArtifact(store, "git.diff", diff, "text/x-diff");
    for (const { run, events } of runs) {
      const kept = run.commit.endsWith("+") ? [...shared, changes] : shared;
      const weights = { ...changes, name: "model/model.safetensors", sizeBytes: 2_283_000_000 };
      const files = [...kept, { ...weights, blob: "", uri: `${run.output}/model` }];
      const told = files.map((artifact) => ({
        type: "artifact" as const,
        artifact: { ...artifact, at: run.startedAt + 1000 },
      }));
      await writeEvents(database, run, [...events, ...told]);
    }
    return runs.map(({ run }) => run.id);
  } finally {
    await store.close();
    await database.close();
  }
}

/** The id of the training rows that later runs had, by which their page goes. */
export const toyDataId = toyTrain[1]?.sha256.slice(0, 16) ?? "";

/** What the record of a run says that it learned from. */
function toyRecordData(index: number): readonly { file: string; sha256: string }[] {
  return [toyDataOf(index), toyValidation].map(({ file, sha256 }) => ({ file, sha256 }));
}

/** A sweep that goes on, whose best trials are runs, the best of all the one that `registerToyModels` makes `news:4` of. */
export async function recordToySweep(home: string, runIds: readonly string[] = []): Promise<void> {
  const database = await openRuns(undefined, { BRIDLE_HOME: home });
  try {
    const best = runIds[6];
    const runs =
      best === undefined ? [] : [best, ...runIds.filter((id) => id !== best).slice(0, 4)];
    await writeToySweep(sweepStore, database, Date.now(), { runs });
  } finally {
    await database.close();
  }
}

/**
 * `news` with five versions, of which the second was rolled back and the third is in production, and `sport`, trained
 * from `news:3`. Version 4 is better by its evaluation, version 5 worse.
 */
export async function registerToyModels(
  home: string,
  models: string,
  runIds: readonly string[] = [],
): Promise<void> {
  const registry = await openRegistry({ env: { BRIDLE_HOME: home } });
  try {
    const parents = [undefined, "news:1", "news:1", "news:3", "news:3"];
    for (const [index, parent] of parents.entries()) {
      const more = { runId: runIds[index * 2], seed: 7 + index, data: toyRecordData(index * 2) };
      await add(registry, "news", path.join(models, `news-${index + 1}`), index + 1, parent, more);
    }
    await add(registry, "sport", path.join(models, "sport-1"), 9, "news:3", {});
    const by = "ada";
    await evaluate(registry, 1, 0.372);
    await registry.promote("news", 1, { by });
    await evaluate(registry, 2, 0.391, [1, 0.011, 0.027]);
    await registry.promote("news", 2, { by: "grace" });
    await registry.rollback("news", { by, reason: "repeats the first sentence" });
    await evaluate(registry, 3, 0.398, [1, 0.015, 0.036]);
    await registry.promote("news", 3, { by });
    await evaluate(registry, 4, 0.411, [3, 0.004, 0.022]);
    await registry.promote("news", 4, { by: "grace", alias: "candidate" });
    await evaluate(registry, 5, 0.351, [3, -0.061, -0.033]);
  } finally {
    await registry.close();
  }
}

async function add(
  registry: Registry,
  model: string,
  folder: string,
  seed: number,
  parent: string | undefined,
  record: object,
): Promise<void> {
  const [name = "", number] = parent?.split(":") ?? [];
  const version = Number(number);
  const from =
    parent === undefined
      ? undefined
      : {
          name,
          version,
          digest: (await registry.getVersion({ model: name, at: { version } })).digest,
        };
  const packed = await packModel(
    await makeTrainedModel(folder, seed, { ...record, ...(from && { parent: from }) }),
    {
      facts: {
        licence: "apache-2.0",
        languages: ["en"],
        intendedUse: "Summaries of English news.",
      },
    },
  );
  const note = seed === 4 ? "two epochs, half the learning rate" : undefined;
  await registry.add(model, packed, { card: packed.card, by: "ada", note });
}

async function evaluate(
  registry: Registry,
  version: number,
  mean: number,
  against?: readonly [version: number, low: number, high: number],
): Promise<void> {
  const find = (number: number) => registry.getVersion({ model: "news", at: { version: number } });
  const scored = async (number: number) => {
    const { digest, card } = await find(number);
    return { model: `news:${number}`, version: card.model.fingerprint, digest };
  };
  const rivals =
    against === undefined
      ? []
      : [{ ...(await scored(against[0])), difference: [against[1], against[2]] as const }];
  const content = toyEvaluation(await scored(version), { mean, rows: 400, rivals });
  await registry.recordEvaluations("news", version, toEvaluationRecords(content, "test"), "ada");
}
