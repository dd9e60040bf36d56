// What a package takes from the bridle.json of a trained model: where the weights come from, by hash.
import { join } from "node:path";
import { z } from "zod";
import { BridleError } from "../errors/error.js";
import { readJson } from "../model/checkpoint/folder.js";
import { type ModelPackage, readPackageFile } from "./model-package.js";

/** Name of the record in a trained model's folder. */
export const trainingRecordFile = "bridle.json";

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const optionalText = z.string().nullable().default(null);

const Record = z.object({
  version: z.literal(1),
  bridle: z.string(),
  config: z.object({
    model: z.object({ name: z.string().optional() }),
    train: z.object({ seed: z.number() }),
    data: z.object({ validation: z.union([z.string(), z.array(z.string())]).optional() }),
  }),
  runHash: hash,
  runId: optionalText,
  data: z.array(z.object({ file: z.string().min(1), sha256: hash })),
  lockfileSha256: hash.nullable().default(null),
  commit: optionalText,
  step: z.number().int().min(0),
  createdAt: optionalText,
  parent: z
    .object({ name: z.string().min(1), version: z.number().int().min(1), digest: hash })
    .optional(),
  evaluation: z
    .object({
      step: z.number(),
      loss: z.number().nullable(),
      rouge: z.record(z.string(), z.number()).optional(),
    })
    .nullable()
    .default(null),
});

export interface TrainingRecord {
  readonly bridle: string;
  readonly runHash: string;
  readonly runId: string | null;
  readonly seed: number;
  readonly step: number;
  readonly commit: string | null;
  readonly lockfileSha256: string | null;
  readonly createdAt: string | null;
  readonly data: readonly { readonly file: string; readonly sha256: string }[];
  /** Null where the weights began at random. */
  readonly parent: {
    readonly name: string;
    readonly version: number | null;
    readonly digest: string | null;
  } | null;
  readonly evaluation: {
    readonly step: number;
    readonly loss: number | null;
    readonly rouge: Readonly<globalThis.Record<string, number>> | null;
  } | null;
}

/** Data a run learned from, and how a clean-up of data knows it where that was recorded. */
export interface RecordedData {
  readonly file: string;
  readonly sha256: string;
  readonly md5?: string | undefined;
  /** Its version in DVC, of the file or of the folder it lay in. */
  readonly dvc?: { readonly md5: string } | undefined;
}

const mostRecordBytes = 64 * 1024 * 1024;
const objectId = z.string().regex(/^[0-9a-f]{32}(\.dir)?$/);

const Data = z.object({
  data: z.array(
    z.object({
      file: z.string(),
      sha256: hash,
      md5: objectId.optional(),
      dvc: z.object({ md5: objectId }).optional(),
    }),
  ),
});

/** The data that a package's record of training names; none where it has no such record. @throws PACKAGE_ALTERED */
export async function readRecordedData(from: ModelPackage): Promise<readonly RecordedData[]> {
  if (!from.manifest.files.some(({ path }) => path === trainingRecordFile)) return [];
  const bytes = await readPackageFile(from, trainingRecordFile, mostRecordBytes);
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString("utf8"));
  } catch {
    return [];
  }
  return Data.safeParse(json).data?.data ?? [];
}

/** The record of a folder; undefined where Bridle did not train it. @throws FILE_INVALID */
export async function readTrainingRecord(folder: string): Promise<TrainingRecord | undefined> {
  const file = join(folder, trainingRecordFile);
  const json = await readJson(file);
  if (json === undefined) return undefined;
  const checked = Record.safeParse(json);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const reason = `${issue?.path.join(".") || "its content"}: ${issue?.message}`;
    throw new BridleError("FILE_INVALID", { file, reason });
  }
  const { config, parent, evaluation, version: _, ...rest } = checked.data;
  const { name } = config.model;
  const known = name === undefined ? null : { name, version: null, digest: null };
  return {
    ...rest,
    seed: config.train.seed,
    parent: parent ?? known,
    evaluation: evaluation && { ...evaluation, rouge: evaluation.rouge ?? null },
  };
}
