// A model card as data: what the model is for, what it learned from, how good it is, where it comes from.
import { z } from "zod";
import { readYamlFile } from "../config/yaml-file.js";
import { BridleError } from "../errors/error.js";
import type { ModelDescription } from "./describe-model.js";
import { type EvaluationRecord, recordedScores } from "./evaluation-record.js";
import type { TrainingRecord } from "./training-record.js";

const text = z.string().trim().min(1).max(20_000);

/** What only a person can say of a model; the rest of a card comes from the model itself. */
export const CardFacts = z.strictObject({
  description: text.optional(),
  intendedUse: text.optional(),
  limitations: text.optional(),
  licence: z
    .string()
    .trim()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9 .+()-]{0,99}$/,
      "must be a licence's short name, such as apache-2.0",
    )
    .optional(),
  languages: z
    .array(z.string().regex(/^[a-z]{2,3}(-[A-Za-z0-9]+)*$/))
    .max(100)
    .optional(),
});
export type CardFacts = z.output<typeof CardFacts>;

const nullable = <S extends z.ZodType>(schema: S) => schema.nullable().default(null);

/** The model a training run started from: a registered version, or a name that is all that is known of it. */
const Parent = z.object({
  name: z.string().min(1).max(4096),
  version: nullable(z.number().int().min(1)),
  digest: nullable(z.string().regex(/^[0-9a-f]{64}$/)),
});
export type Parent = z.output<typeof Parent>;

export const licenceSources = ["given", "model", "parent", "none"] as const;

const interval = z.object({ mean: z.number(), low: z.number(), high: z.number() });
const scores = z.object({
  rouge1: interval,
  rouge2: interval,
  rougeL: interval,
  rougeLsum: interval,
});

export const ModelCard = z.object({
  version: z.literal(1),
  description: nullable(z.string()),
  intendedUse: z.string(),
  limitations: z.string(),
  licence: z.object({ id: nullable(z.string()), source: z.enum(licenceSources) }),
  languages: z.array(z.string()),
  model: z.object({
    architecture: z.string(),
    parameters: z.number(),
    dtype: z.string(),
    /** Twelve digits of the content that decides answers: the version an unregistered folder of it answers with. */
    fingerprint: z.string(),
  }),
  lineage: z.object({
    parent: nullable(Parent),
    runId: nullable(z.string()),
    runHash: nullable(z.string()),
    commit: nullable(z.string()),
    lockfileSha256: nullable(z.string()),
    bridle: nullable(z.string()),
    seed: nullable(z.number()),
    step: nullable(z.number()),
    trainedAt: nullable(z.string()),
  }),
  /** What it was trained and validated on. */
  data: z.array(z.object({ file: z.string(), sha256: z.string() })),
  /** The evaluation that ended training, on validation rows. */
  training: nullable(
    z.object({
      step: z.number(),
      loss: nullable(z.number()),
      rouge: nullable(z.record(z.string(), z.number())),
    }),
  ),
  evaluations: z.array(
    z.object({
      data: z.string(),
      dataSha256: nullable(z.string()),
      rows: z.number(),
      scores,
    }),
  ),
});
export type ModelCard = z.output<typeof ModelCard>;

const usualUse = "Abstractive summaries of single documents that are like those it was trained on.";
const usualLimits =
  "A summary may say what its document does not. Have summaries read by a person where that matters.";

export interface CardSources {
  readonly facts: CardFacts;
  readonly model: ModelDescription;
  readonly training: TrainingRecord | undefined;
  readonly runId: string | undefined;
  /** A licence that the folder names itself. */
  readonly ownLicence: string | undefined;
  readonly parentLicence: string | undefined;
  readonly evaluations: readonly EvaluationRecord[];
  /** The card of the package that a folder was exported from, below what is newly said. */
  readonly earlier: ModelCard | undefined;
}

export function createCard(sources: CardSources): ModelCard {
  const { facts, model, training, earlier, evaluations } = sources;
  const { architecture, parameters, dtype, fingerprint } = model;
  const evaluated = evaluations.map(({ data, dataSha256, rows, scores: means }) => ({
    ...{ data, dataSha256, rows: rows.scored },
    scores: Object.fromEntries(recordedScores.map((name) => [name, means[name]])) as z.output<
      typeof scores
    >,
  }));
  return {
    version: 1,
    description: facts.description ?? earlier?.description ?? null,
    intendedUse: facts.intendedUse ?? earlier?.intendedUse ?? usualUse,
    limitations: facts.limitations ?? earlier?.limitations ?? usualLimits,
    licence: licenceOf(sources),
    languages: facts.languages ?? earlier?.languages ?? [],
    model: { architecture, parameters, dtype, fingerprint },
    lineage: {
      parent: training?.parent ?? earlier?.lineage.parent ?? null,
      runId: training?.runId ?? sources.runId ?? earlier?.lineage.runId ?? null,
      runHash: training?.runHash ?? null,
      commit: training?.commit ?? null,
      lockfileSha256: training?.lockfileSha256 ?? null,
      bridle: training?.bridle ?? null,
      seed: training?.seed ?? null,
      step: training?.step ?? null,
      trainedAt: training?.createdAt ?? null,
    },
    data: training?.data.map((each) => ({ ...each })) ?? [],
    training: training?.evaluation ?? null,
    evaluations: evaluated.length > 0 ? evaluated : (earlier?.evaluations ?? []),
  };
}

function licenceOf({
  facts,
  ownLicence,
  parentLicence,
  earlier,
}: CardSources): ModelCard["licence"] {
  if (facts.licence !== undefined) return { id: facts.licence, source: "given" };
  if (earlier !== undefined && earlier.licence.id !== null) return earlier.licence;
  if (ownLicence !== undefined) return { id: ownLicence, source: "model" };
  if (parentLicence !== undefined) return { id: parentLicence, source: "parent" };
  return { id: null, source: "none" };
}

/** A card of a package from elsewhere. @throws PACKAGE_INVALID */
export function readCard(json: unknown, where: string): ModelCard {
  const checked = ModelCard.safeParse(json);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const reason = `its card's ${issue?.path.join(".") || "content"}: ${issue?.message}`;
  throw new BridleError("PACKAGE_INVALID", { where, reason });
}

/**
 * @param file what holds them, for messages
 * @throws FILE_INVALID naming the key
 */
export function checkCardFacts(said: unknown, file = "the card"): CardFacts {
  const checked = CardFacts.safeParse(said);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const where = issue?.path.join(".") || "its content";
  const known = Object.keys(CardFacts.shape).join(", ");
  throw new BridleError("FILE_INVALID", {
    file,
    reason: `${where}: ${issue?.message}; a card holds ${known}`,
  });
}

/** What a person wrote of a model in a YAML file. @throws FILE_NOT_FOUND, YAML_INVALID, FILE_INVALID */
export async function readCardFacts(file: string): Promise<CardFacts> {
  return checkCardFacts((await readYamlFile(file)).content, file);
}
