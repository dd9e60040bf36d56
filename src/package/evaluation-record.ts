// What is kept of an evaluation: who was scored on what, the means with their intervals, and how rivals compare row by row.
import { z } from "zod";
import { BridleError } from "../errors/error.js";
import { readJson } from "../model/checkpoint/folder.js";

export const recordedScores = ["rouge1", "rouge2", "rougeL", "rougeLsum"] as const;
export type RecordedScore = (typeof recordedScores)[number];

const share = z.number().min(-1).max(1);
const Interval = z.object({ mean: share, low: share, high: share });
const count = z.number().int().min(0);
const hash = z.string().regex(/^[0-9a-f]{64}$/);

const scoresOf = <S extends z.ZodType>(each: S) =>
  z.object({ rouge1: each, rouge2: each, rougeL: each, rougeLsum: each });
const Means = scoresOf(z.object({ fmeasure: Interval }));
const Differences = scoresOf(Interval);

/** `bridle evaluate --json`, as far as it is kept. */
const Evaluated = z.object({
  data: z.string().min(1).max(4096),
  dataSha256: hash.optional(),
  model: z.string().min(1).max(4096),
  version: z.string().min(1).max(200),
  digest: hash.optional(),
  rows: z.object({ scored: count, failed: count, empty: count, emptySummaries: count }),
  scores: Means,
  rivals: z
    .array(
      z.object({
        model: z.string().min(1).max(4096),
        version: z.string().min(1).max(200),
        digest: hash.optional(),
        failed: count,
        scores: Means,
        difference: Differences,
      }),
    )
    .max(100)
    .default([]),
  scoring: z.object({ confidence: z.number(), samples: count, seed: count }),
});

export interface ScoreInterval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** F-measures in 0..1, or differences of them. */
export type ScoreIntervals = Readonly<Record<RecordedScore, ScoreInterval>>;

/** The model that was scored, by everything it can be known by. */
export interface ScoredModel {
  readonly model: string;
  /** A registered version's number, else the twelve digits of a folder's content; with `-int8` behind for rounded weights. */
  readonly version: string;
  /** A registered version's package. */
  readonly digest: string | null;
}

export interface EvaluationRecord extends ScoredModel {
  readonly data: string;
  readonly dataSha256: string | null;
  readonly rows: {
    readonly scored: number;
    readonly failed: number;
    readonly empty: number;
    readonly emptySummaries: number;
  };
  readonly scores: ScoreIntervals;
  readonly rivals: readonly (ScoredModel & {
    readonly failed: number;
    readonly scores: ScoreIntervals;
    /** The model's F-measure less the rival's, row by row. */
    readonly difference: ScoreIntervals;
  })[];
  /** How the intervals were drawn. */
  readonly bootstrap: {
    readonly confidence: number;
    readonly samples: number;
    readonly seed: number;
  };
}

function meansOf(scores: z.output<typeof Means>): ScoreIntervals {
  const intervals = recordedScores.map((name) => [name, scores[name].fmeasure] as const);
  return Object.fromEntries(intervals) as Record<RecordedScore, ScoreInterval>;
}

/**
 * The records of what an evaluation says.
 * @param where how its source is called in messages
 * @throws EVALUATION_INVALID
 */
export function toEvaluationRecords(json: unknown, where: string): EvaluationRecord[] {
  const list = (json as { evaluations?: unknown } | null)?.evaluations ?? json;
  const many = Array.isArray(list) ? list : [list];
  const checked = z.array(Evaluated).min(1).max(100).safeParse(many);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const reason = `${issue?.path.join(".") || "its content"}: ${issue?.message}`;
    throw new BridleError("EVALUATION_INVALID", { where, reason });
  }
  return checked.data.map(({ dataSha256, digest, scores, rivals, scoring, ...rest }) => ({
    ...rest,
    dataSha256: dataSha256 ?? null,
    digest: digest ?? null,
    scores: meansOf(scores),
    rivals: rivals.map((rival) => ({
      ...rival,
      digest: rival.digest ?? null,
      scores: meansOf(rival.scores),
    })),
    bootstrap: scoring,
  }));
}

/** What `bridle evaluate --json` wrote into a file. @throws FILE_NOT_FOUND, FILE_INVALID, EVALUATION_INVALID */
export async function readEvaluationFile(file: string): Promise<EvaluationRecord[]> {
  const json = await readJson(file);
  if (json === undefined) throw new BridleError("FILE_NOT_FOUND", { file });
  return toEvaluationRecords(json, file);
}

/** Whether an evaluation is of a model: by its package, else by what its folder's content comes to. */
export function isOf(
  scored: ScoredModel,
  { digest, fingerprint }: { readonly digest: string; readonly fingerprint: string },
): boolean {
  if (scored.digest !== null) return scored.digest === digest;
  return scored.version.replace(/-int[48]$/, "") === fingerprint;
}
