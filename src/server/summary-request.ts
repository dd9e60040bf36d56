// From what a caller asked for to what a summarizer takes: the model by name, the parameters that apply to it.
import { getSummarizer } from "../compose.js";
import { nearestName } from "../config/nearest-name.js";
import { BridleError } from "../errors/error.js";
import type { Summarizer, SummaryParameters } from "../summarize/summarizer.js";
import type { ServerContext } from "./context.js";
import { checkFields } from "./field-problems.js";
import type { ParametersSchema, RequestedParameters } from "./schemas.js";

/** The names a caller may use in `parameters` for a model; what to do with text beyond its reach always is one. */
export function parameterNames(summarizer: Summarizer): string[] {
  return [...new Set([...summarizer.supportedParameters, "truncation"])];
}

/**
 * Refuses parameters that the model does not have, before their values are looked at.
 * @throws PARAMETER_NOT_SUPPORTED
 */
export function checkParameterNames(summarizer: Summarizer, names: readonly string[]): void {
  const known = parameterNames(summarizer);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const nearest = nearestName(unknown, known);
  throw new BridleError("PARAMETER_NOT_SUPPORTED", {
    parameter: unknown.slice(0, 100),
    model: summarizer.model,
    supported: known.join(", ") + (nearest === undefined ? "" : ` (did you mean ${nearest}?)`),
  });
}

/**
 * The named model and the checked parameters of a request body, before the rest of it is looked at.
 * @throws MODEL_NOT_FOUND, PARAMETER_NOT_SUPPORTED
 */
export function checkModelAndNames(server: ServerContext, body: unknown): void {
  if (!isRecord(body)) return;
  const { model, parameters } = body;
  if (model !== undefined && typeof model !== "string") return;
  const summarizer = getSummarizer(server.service, model);
  if (isRecord(parameters)) checkParameterNames(summarizer, Object.keys(parameters));
}

/** What the summarizer is told; truncation only where it is wanted and the model has a reach to cut at. */
export function toSummaryParameters(
  summarizer: Summarizer,
  { truncation, ...parameters }: RequestedParameters = {},
): SummaryParameters {
  const given = Object.fromEntries(
    Object.entries(parameters).filter(([, value]) => value !== undefined),
  ) as SummaryParameters;
  const truncates =
    truncation !== undefined && truncation !== false && truncation !== "do_not_truncate";
  const applies = truncates && summarizer.supportedParameters.includes("truncation");
  return applies ? { ...given, truncation: true } : given;
}

/** Parameters from a caller that uses other names for them; checked like the native ones. @throws FIELDS_INVALID */
export function checkParameters(
  summarizer: Summarizer,
  schema: ParametersSchema,
  parameters: Record<string, unknown>,
): SummaryParameters {
  return toSummaryParameters(summarizer, checkFields(schema, parameters));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
