// Gates: what a version must show before it may go into production, decided on evaluations and kept with every move.
import { z } from "zod";
import { readYamlFile } from "../config/yaml-file.js";
import { BridleError } from "../errors/error.js";
import { type EvaluationRecord, isOf, recordedScores } from "../package/evaluation-record.js";
import { checkAliasName, productionAlias, versionText } from "./version-name.js";
import type { ModelVersion } from "./versions.js";

const share = z.number().min(0).max(1);
const score = z.enum(recordedScores);

export const Gates = z.strictObject({
  aliases: z
    .array(z.string().transform((alias) => checkAliasName(alias)))
    .min(1)
    .default([productionAlias])
    .describe("Aliases that a version reaches through these gates alone"),
  minimumRows: z.number().int().min(1).default(1).describe("Least rows an evaluation must be over"),
  mostFailed: share
    .default(0)
    .describe("Largest share of rows on which the model may fail, in 0..1"),
  minimum: z
    .partialRecord(score, share)
    .default({})
    .describe("Least mean F-measure by score, in 0..1"),
  againstCurrent: z
    .strictObject({
      scores: z.array(score).min(1).default(["rouge1", "rouge2", "rougeLsum"]),
      margin: z
        .number()
        .min(-1)
        .max(1)
        .default(0.01)
        .describe(
          "How much worse, at the low end of the paired interval, is still well; below 0: how much better it must be",
        ),
    })
    .nullable()
    .default({ scores: ["rouge1", "rouge2", "rougeLsum"], margin: 0.01 })
    .describe("Comparison with the version that the alias points at, row by row; null for none"),
  dataSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional()
    .describe("Hash of the data that alone counts"),
});
export type Gates = z.output<typeof Gates>;

/** What holds for a model for which nobody said otherwise. */
export const usualGates: Gates = Gates.parse({});

export interface GateResult {
  readonly gate: string;
  readonly passed: boolean;
  /** The figures it was decided on, in words. */
  readonly told: string;
}

/** @throws GATES_INVALID naming the key */
export function checkGates(content: unknown, where: string): Gates {
  const checked = Gates.safeParse(content);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const reason = `${issue?.path.join(".") || "its content"}: ${issue?.message}`;
  throw new BridleError("GATES_INVALID", {
    where,
    reason,
    known: Object.keys(Gates.shape).join(", "),
  });
}

/** @throws FILE_NOT_FOUND, YAML_INVALID, GATES_INVALID */
export async function readGatesFile(file: string): Promise<Gates> {
  return checkGates((await readYamlFile(file)).content, file);
}

const points = (value: number) => (100 * value).toFixed(2);

const identityOf = ({ digest, card }: ModelVersion) => ({
  digest,
  fingerprint: card.model.fingerprint,
});

/**
 * Decides on a version by the newest evaluation that says all that is asked for.
 * @param evaluations what is recorded of it, the newest first
 * @param current the version that the alias points at
 */
export function decideGates(
  gates: Gates,
  version: ModelVersion,
  evaluations: readonly EvaluationRecord[],
  current: ModelVersion | undefined,
): GateResult[] {
  const { againstCurrent, dataSha256 } = gates;
  const compares = againstCurrent !== null && current !== undefined;
  const own = evaluations
    .filter((each) => isOf(each, identityOf(version)))
    .filter((each) => dataSha256 === undefined || each.dataSha256 === dataSha256);
  const rivalIn = (each: EvaluationRecord) =>
    current && each.rivals.find((rival) => isOf(rival, identityOf(current)));
  const chosen = own.find((each) => !compares || rivalIn(each) !== undefined) ?? own[0];
  if (chosen === undefined) {
    const data = dataSha256 === undefined ? "" : ` on the data ${dataSha256.slice(0, 12)}…`;
    return [{ gate: "evaluated", passed: false, told: `no evaluation${data} is recorded` }];
  }
  const { rows, scores } = chosen;
  const failedShare = rows.scored === 0 ? 1 : rows.failed / rows.scored;
  const results: GateResult[] = [
    {
      gate: "rows",
      passed: rows.scored >= gates.minimumRows,
      told: `${rows.scored} rows of ${chosen.data}, at least ${gates.minimumRows}`,
    },
    {
      gate: "failed",
      passed: failedShare <= gates.mostFailed,
      told: `${rows.failed} rows failed, at most ${points(gates.mostFailed)} %`,
    },
  ];
  for (const name of recordedScores) {
    const least = gates.minimum[name];
    if (least === undefined) continue;
    const { mean } = scores[name];
    results.push({
      gate: `${name} minimum`,
      passed: mean >= least,
      told: `${points(mean)}, at least ${points(least)}`,
    });
  }
  if (againstCurrent === null || current === undefined) return results;
  const rival = rivalIn(chosen);
  const named = versionText(current.model, current.version);
  if (rival === undefined) {
    return [
      ...results,
      {
        gate: `against ${named}`,
        passed: false,
        told: "no evaluation compares the two row by row",
      },
    ];
  }
  for (const name of againstCurrent.scores) {
    const { low, high } = rival.difference[name];
    results.push({
      gate: `${name} against ${named}`,
      passed: low >= -againstCurrent.margin,
      told: `${points(low)} to ${points(high)} points, at least ${points(-againstCurrent.margin)}`,
    });
  }
  return results;
}
