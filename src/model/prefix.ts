// What a checkpoint says of the documents it reads: the text before each of them, and how long they usually are.
import { BridleError } from "../errors/error.js";

import type { ModelConfig } from "./family.js";

type Json = Readonly<Record<string, unknown>>;

/** Tokens read at once where positions have no end: as many as the tokenizer says, or else as the model was trained on. */
export function usualReach(
  { usualTokens = Number.POSITIVE_INFINITY }: ModelConfig,
  { modelMaxLength }: { readonly modelMaxLength: number },
): number {
  return Number.isFinite(modelMaxLength) ? modelMaxLength : usualTokens;
}

/** What config.json says of the task of summarizing, as published T5 checkpoints have it. */
export function summarizationTask(json: Json): Json {
  const tasks = json.task_specific_params as Json | null | undefined;
  const task = typeof tasks === "object" ? tasks?.summarization : undefined;
  return typeof task === "object" && task !== null ? (task as Json) : {};
}

/**
 * Text that stands before every document: `task_specific_params.summarization.prefix`, or else `prefix`.
 * Source: transformers 4.57's pipeline, which reads both in this order.
 * @throws CONFIG_INVALID when it is no text
 */
export function readPrefix(json: Json): string {
  const { prefix: ofTask } = summarizationTask(json);
  const prefix = ofTask === undefined ? (json.prefix ?? "") : ofTask;
  if (typeof prefix === "string") return prefix;
  throw new BridleError("CONFIG_INVALID", {
    key: ofTask === undefined ? "prefix" : "task_specific_params.summarization.prefix",
    value: JSON.stringify(prefix),
    expected: "a text",
  });
}

/** The same config.json with another text before every document. */
export function withPrefix(json: Json, prefix: string): Json {
  const tasks = json.task_specific_params as Json | null | undefined;
  const summarization = { ...summarizationTask(json), prefix };
  return { ...json, task_specific_params: { ...tasks, summarization } };
}
