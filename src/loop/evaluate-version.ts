// Scores a registered version beside the one in production, on the same rows, so that gates can decide on it.
import { fingerprintOf } from "../data/fingerprint.js";
import { type ReadPairsOptions, readPairs } from "../data/pairs.js";
import { type EvaluateOptions, evaluate } from "../evaluate/evaluate.js";
import { type EvaluationRecord, toEvaluationRecords } from "../package/evaluation-record.js";
import type { Sighting } from "../registry/promote.js";
import type { Registry } from "../registry/registry.js";
import { versionText } from "../registry/version-name.js";
import type { Summarizer } from "../summarize/summarizer.js";

export interface EvaluateVersionOptions
  extends Pick<EvaluateOptions, "signal" | "onProgress" | "samples" | "seed" | "language"> {
  /** Opens the summarizer of a registered version by its name. */
  readonly open: (name: string) => Promise<Summarizer>;
  readonly read?: ReadPairsOptions;
  readonly by: string;
}

/**
 * Evaluates the sighted version, and the current one beside it where there is one, and records it.
 * @throws what opening the models, reading the rows and evaluating throw
 */
export async function evaluateVersion(
  registry: Registry,
  { version, current }: Pick<Sighting, "version" | "current">,
  data: string,
  { open, read, by, ...options }: EvaluateVersionOptions,
): Promise<EvaluationRecord> {
  const opened: Summarizer[] = [];
  try {
    opened.push(await open(versionText(version.model, version.version)));
    const isOther = current !== undefined && current.version !== version.version;
    if (isOther) opened.push(await open(versionText(current.model, current.version)));
    const [summarizer, ...rivals] = opened as [Summarizer, ...Summarizer[]];
    const dataSha256 = (await fingerprintOf(data, options.signal)).sha256;
    const evaluation = await evaluate(summarizer, readPairs(data, read), { ...options, rivals });
    const [record] = toEvaluationRecords({ ...evaluation, data, dataSha256 }, data);
    await registry.recordEvaluations(version.model, version.version, [record!], by);
    return record!;
  } finally {
    for (const each of opened) await each.close();
  }
}
