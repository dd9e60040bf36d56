// What a registered version is called: news, news:3, news@champion.
import { BridleError } from "../errors/error.js";

/** Where a name without an alias or a number points: what is in production. */
export const productionAlias = "champion";

export interface VersionName {
  readonly model: string;
  /** Number of a version, or the name of an alias. */
  readonly at: { readonly version: number } | { readonly alias: string };
}

const modelName = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;
const aliasName = /^[a-z](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;
/** Names that mean something else wherever a model is named. */
const taken = new Set(["extractive"]);
const largestVersion = 1_000_000_000;

/** What a name means; undefined for one that no registered version can have. */
export function parseVersionName(text: string): VersionName | undefined {
  const [, model = "", number, alias] =
    /^([^:@/\\]+)(?::(\d{1,10})|@([^:@/\\]+))?$/.exec(text) ?? [];
  if (!modelName.test(model) || taken.has(model)) return undefined;
  if (number !== undefined) {
    const version = Number(number);
    const isNumber = version >= 1 && version <= largestVersion && String(version) === number;
    return isNumber ? { model, at: { version } } : undefined;
  }
  if (alias !== undefined) return aliasName.test(alias) ? { model, at: { alias } } : undefined;
  return { model, at: { alias: productionAlias } };
}

export function versionText(model: string, version: number): string {
  return `${model}:${version}`;
}

function invalid(name: string, what: string, reason: string): BridleError {
  return new BridleError("MODEL_NAME_INVALID", {
    name: JSON.stringify(name.slice(0, 200)),
    what,
    reason,
  });
}

/** @throws MODEL_NAME_INVALID */
export function checkModelName(name: string): string {
  if (taken.has(name))
    throw invalid(name, "name for a registered model", "it means a model of Bridle's own");
  if (modelName.test(name)) return name;
  throw invalid(
    name,
    "name for a registered model",
    "it must be small letters, digits and . _ -, from 1 to 63, beginning and ending with a letter or digit",
  );
}

/** @throws MODEL_NAME_INVALID */
export function checkAliasName(alias: string): string {
  if (aliasName.test(alias)) return alias;
  throw invalid(
    alias,
    "name for an alias",
    "it must be small letters, digits and . _ -, from 1 to 63, beginning with a letter",
  );
}

/** What a command that is about a whole model, or about one of its aliases, makes of the name it was given. */
export interface NamedModel {
  readonly model: string;
  /** The alias that stands in the name or was said beside it. */
  readonly alias?: string;
}

/**
 * Reads the name of a model, `news`, or `news@candidate` where an alias is meant.
 * @param said the alias that was said beside the name
 * @param instead what to do for a version, and for an alias where none is meant, for hints
 * @throws MODEL_NAME_INVALID for what names nothing that is registered; MODEL_NAME_TOO_NARROW for `news:3`, for two aliases,
 *   and for any alias where none is taken
 */
export function readModelName(
  text: string,
  instead: {
    readonly ofVersion: (model: string, version: number) => string;
    readonly ofAlias?: (model: string, alias: string) => string;
  },
  said?: string,
): NamedModel {
  const named = readVersionName(text);
  const { model, at } = named;
  const tooNarrow = (what: string, next: string) =>
    new BridleError("MODEL_NAME_TOO_NARROW", { name: text, what, next });
  if ("version" in at) {
    throw tooNarrow(`the one version ${at.version}`, instead.ofVersion(model, at.version));
  }
  if (!text.includes("@")) return said === undefined ? { model } : { model, alias: said };
  if (instead.ofAlias !== undefined) {
    throw tooNarrow(`the alias ${at.alias}`, instead.ofAlias(model, at.alias));
  }
  if (said !== undefined && said !== at.alias) {
    throw tooNarrow(
      `the alias ${at.alias}`,
      `Say one alias: ${model}@${at.alias} or ${model}@${said}.`,
    );
  }
  return { model, alias: at.alias };
}

/** @throws MODEL_NAME_INVALID for what names no registered version */
export function readVersionName(text: string): VersionName {
  const found = parseVersionName(text);
  if (found !== undefined) return found;
  throw invalid(text, "registered version", "versions are named as news:3 or news@champion");
}
