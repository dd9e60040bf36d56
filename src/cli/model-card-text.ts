// A model card for a terminal: what a version is, is for, learned from and comes from, in as many columns as there are.
import type { Signature } from "../package/describe-model.js";
import { type EvaluationRecord, recordedScores } from "../package/evaluation-record.js";
import { parentText } from "../package/render-card.js";
import type { Lineage } from "../registry/lineage.js";
import type { ModelVersion } from "../registry/versions.js";
import { sizeText } from "./data-repository.js";
import { plainText } from "./plain-text.js";

export interface ShownVersion {
  readonly version: ModelVersion;
  readonly evaluations: readonly EvaluationRecord[];
  readonly lineage: Lineage;
  readonly signature: Signature | undefined;
}

const points = (share: number) => (100 * share).toFixed(2);

/** Text in lines of at most so many columns, its paragraphs kept. */
function wrap(text: string, width: number): string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines = [""];
    for (const word of paragraph.trim().split(/\s+/)) {
      const line = lines.at(-1) ?? "";
      if (line === "") lines[lines.length - 1] = word;
      else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
      else lines.push(word);
    }
    return lines;
  });
}

export function formatCard(
  { version, evaluations, lineage, signature }: ShownVersion,
  { columns = 80, isTTY = false }: { readonly columns?: number; readonly isTTY?: boolean },
): string {
  const { model, card, digest, aliases, sizeBytes, createdAt, createdBy, note, collectedAt } =
    version;
  const width = Math.max(40, Math.min(columns, 100)) - 2;
  const bold = (text: string) => (isTTY ? `\u001b[1m${text}\u001b[0m` : text);
  const section = (title: string, lines: readonly string[]) => [
    "",
    bold(title),
    ...lines.map((line) => `  ${line}`),
  ];
  const prose = (text: string) => wrap(plainText(text), width);
  const named = aliases.map((alias) => `@${alias}`).join(" ");
  const { parent, runId, commit, seed, step, trainedAt } = card.lineage;
  const facts: [string, string | null][] = [
    ["package", digest],
    ["size", collectedAt === null ? sizeText(sizeBytes) : `files deleted ${collectedAt}`],
    ["added", `${createdAt} by ${createdBy}`],
    ["note", note],
    ["licence", card.licence.id ?? "none stated"],
    ["languages", card.languages.join(", ") || null],
    [
      "model",
      `${card.model.architecture}, ${card.model.parameters} parameters, ${card.model.dtype}`,
    ],
    [
      "reads",
      signature ? `${signature.limits.maxInputTokens ?? "any number of"} tokens at once` : null,
    ],
    ["trained from", parent && parentText(parent)],
    ["run", runId],
    ["commit", commit],
    ["training", step === null ? null : `${step} steps, seed ${seed}, ended ${trainedAt}`],
  ];
  const recorded = evaluations.length > 0 ? evaluations : [];
  const scored = [
    ...recorded.map(({ data, rows, scores }) => ({ data, rows: rows.scored, scores })),
    ...(recorded.length > 0 ? [] : card.evaluations),
  ];
  return [
    bold(`${model}:${version.version}${named === "" ? "" : ` ${named}`}`),
    ...(card.description === null ? [] : prose(card.description).map((line) => `  ${line}`)),
    "",
    ...facts.flatMap(([name, value]) =>
      value === null ? [] : [`  ${name.padEnd(13)} ${plainText(value)}`],
    ),
    ...section("Intended use", prose(card.intendedUse)),
    ...section("Limitations", prose(card.limitations)),
    ...section(
      "Evaluation",
      scored.length === 0
        ? ["none recorded"]
        : scored.flatMap(({ data, rows, scores }) => [
            `${plainText(data)}, ${rows} rows`,
            ...recordedScores.map((name) => {
              const { mean, low, high } = scores[name];
              return `  ${name.padEnd(10)} ${points(mean)} (${points(low)} to ${points(high)})`;
            }),
          ]),
    ),
    ...section(
      "Training data",
      card.data.length === 0
        ? ["none recorded"]
        : card.data.map(({ file, sha256 }) => `${plainText(file)}  ${sha256}`),
    ),
    ...section(
      "Lineage",
      lineage.edges.length === 0
        ? ["nothing before it and nothing after it is known"]
        : [
            ...lineage.edges.map(({ from, to }) => `${plainText(from)} → ${plainText(to)}`),
            ...(lineage.truncated ? ["and more, farther away: the family is cut here"] : []),
          ],
    ),
  ].join("\n");
}
