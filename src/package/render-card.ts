// A model card as the README.md of a Hugging Face folder: front matter for the hub, tables for people.
import { stringify } from "yaml";
import type { ModelCard } from "./card.js";
import type { Signature } from "./describe-model.js";
import { recordedScores } from "./evaluation-record.js";

/** Text of one line, as it may stand in a table or a sentence of Markdown. */
function inline(text: string): string {
  return text
    .replaceAll(/\s+/g, " ")
    .trim()
    .replaceAll(/[\\`*_{}[\]<>|#]/g, "\\$&");
}

/** Paragraphs that somebody wrote, without what would end the page's structure or run in it. */
function prose(text: string): string {
  return text
    .trim()
    .replaceAll("<", "&lt;")
    .replaceAll(/^(#{1,6} |---)/gm, "\\$1");
}

function code(text: string): string {
  return `\`${text.replaceAll(/[`\s]+/g, " ").trim()}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const percent = (share: number) => (100 * share).toFixed(2);
const names = { rouge1: "ROUGE-1", rouge2: "ROUGE-2", rougeL: "ROUGE-L", rougeLsum: "ROUGE-Lsum" };

/** The licence as the hub spells it, or `other` for one that it has no name for. */
function hubLicence(id: string): { readonly license: string; readonly license_name?: string } {
  const lower = id.toLowerCase();
  if (/^[a-z0-9][a-z0-9.+-]*$/.test(lower)) return { license: lower };
  return { license: "other", license_name: id };
}

function frontMatter({ licence, languages, lineage }: ModelCard): string {
  const parent = lineage.parent?.name;
  const isHubId = parent !== undefined && /^[\w.-]+\/[\w.-]+(?:@.*)?$/.test(parent);
  return stringify({
    ...(licence.id !== null && hubLicence(licence.id)),
    ...(languages.length > 0 && { language: languages }),
    library_name: "transformers",
    pipeline_tag: "summarization",
    ...(isHubId && { base_model: parent.replace(/@.*/, "") }),
    tags: ["summarization", "bridle"],
  });
}

export function parentText(parent: NonNullable<ModelCard["lineage"]["parent"]>): string {
  return parent.version === null ? parent.name : `${parent.name}:${parent.version}`;
}

function lineageRows({ lineage }: ModelCard): [string, string][] {
  const { parent, runId, runHash, commit, lockfileSha256, bridle, seed, step, trainedAt } = lineage;
  const rows: [string, string | null][] = [
    ["Started from", parent && code(parentText(parent))],
    ["Package it started from", parent?.digest ? code(parent.digest) : null],
    ["Run", runId && code(runId)],
    ["Hash of everything that decides the weights", runHash && code(runHash)],
    ["Git commit", commit && code(commit)],
    ["package-lock.json (SHA-256)", lockfileSha256 && code(lockfileSha256)],
    ["Bridle", bridle && inline(bridle)],
    ["Seed", seed === null ? null : String(seed)],
    ["Optimizer steps", step === null ? null : String(step)],
    ["Trained", trainedAt && inline(trainedAt)],
  ];
  return rows.flatMap(([name, value]) =>
    value === null ? [] : [[name, value] as [string, string]],
  );
}

function evaluationParts({ evaluations, training }: ModelCard): string[] {
  const parts = evaluations.map(({ data, dataSha256, rows, scores }) => {
    const hash = dataSha256 === null ? "" : ` (SHA-256 ${code(dataSha256)})`;
    const lines = recordedScores.map((name) => {
      const { mean, low, high } = scores[name];
      return [names[name], percent(mean), `${percent(low)} to ${percent(high)}`];
    });
    return `On ${code(data)}${hash}, ${rows} rows, F-measures times 100 with 95 % bootstrap intervals:\n\n${table(["", "mean", "interval"], lines)}`;
  });
  if (training !== null) {
    const { step, loss, rouge } = training;
    const told = [
      ...(loss === null ? [] : [["loss", loss.toFixed(4)]]),
      ...Object.entries(rouge ?? {}).map(([name, value]) => [inline(name), percent(value)]),
    ];
    parts.push(
      `On validation rows while training, at step ${step}:\n\n${table(["", "value"], told)}`,
    );
  }
  return parts.length > 0 ? parts : ["No evaluation is recorded."];
}

function signatureRows({ limits, inputs, outputs }: Signature): string[][] {
  const told = (limit: number | null) => (limit === null ? "no limit of its own" : String(limit));
  const fields = (list: Signature["inputs"]) =>
    list
      .map(
        ({ name, type, required }) =>
          `${code(name)} (${type}${required === false ? ", optional" : ""})`,
      )
      .join(", ");
  return [
    ["Inputs", fields(inputs)],
    ["Outputs", fields(outputs)],
    ["Tokens read at once", `${told(limits.maxInputTokens)}; longer documents are read in parts`],
    ["Tokens of a summary at most", told(limits.maxNewTokens)],
    ["Vocabulary", String(limits.vocabularySize)],
  ];
}

/** The README.md of a package; the same card gives the same bytes. */
export function renderCard(card: ModelCard, signature: Signature): string {
  const { description, intendedUse, limitations, licence, model, data } = card;
  const licenceText = {
    given: "as whoever packed it says",
    model: "as the model it was packed from says",
    parent: "that of the model it started from",
    none: "",
  }[licence.source];
  const sections = [
    `# Summarization model ${model.fingerprint}`,
    ...(description === null ? [] : [prose(description)]),
    `${inline(model.architecture)}, ${model.parameters} parameters, stored as ${inline(model.dtype)}.`,
    "## Intended use",
    prose(intendedUse),
    "## Limitations",
    prose(limitations),
    "## Licence",
    licence.id === null ? "None is stated." : `${inline(licence.id)}, ${licenceText}.`,
    "## Inputs and outputs",
    table(["", ""], signatureRows(signature)),
    "## Evaluation",
    ...evaluationParts(card),
    "## Training data",
    data.length === 0
      ? "None is recorded."
      : table(
          ["file", "SHA-256"],
          data.map(({ file, sha256 }) => [code(file), code(sha256)]),
        ),
    "## Lineage",
    lineageRows(card).length === 0
      ? "Bridle did not train it."
      : table(["", ""], lineageRows(card)),
    "`bridle-package.json` lists every file of this package with its size and SHA-256.",
  ];
  return `---\n${frontMatter(card)}---\n\n${sections.join("\n\n")}\n`;
}
