// What routes about a registered model make of a name with an alias or a number in it.
import { BridleError } from "../errors/error.js";
import {
  type NamedModel,
  readModelName,
  readVersionName,
  type VersionName,
} from "../registry/version-name.js";
import type { RequestContext } from "./context.js";

/**
 * The model of a path /v1/models/NAME/…
 * @param alias what the request says beside the path, where the route is about one alias; null where it is about none
 * @throws MODEL_NAME_TOO_NARROW, MODEL_NAME_INVALID
 */
export function modelOfPath(c: RequestContext, alias: string | undefined | null): NamedModel {
  const text = c.req.param("name") ?? "";
  // Any other name is looked up as it is: what is not registered is told as that.
  if (!/[:@]/.test(text)) return alias == null ? { model: text } : { model: text, alias };
  const version = (model: string, at: string | number) =>
    `That version is at /v1/models/${model}/versions/${at}.`;
  return readModelName(
    text,
    { ofVersion: version, ...(alias === null && { ofAlias: version }) },
    alias ?? undefined,
  );
}

/** The version that a request names by its number, by an alias, or as commands do. @throws MODEL_NAME_INVALID, INVALID_PARAMETER for another model's */
export function versionOfBody(model: string, version: number | string): VersionName {
  if (typeof version === "number") return { model, at: { version } };
  const named = readVersionName(/[:@]/.test(version) ? version : `${model}@${version}`);
  if (named.model === model) return named;
  throw new BridleError("INVALID_PARAMETER", {
    parameter: "version",
    value: JSON.stringify(version),
    expected: `a version of ${model}`,
  });
}
