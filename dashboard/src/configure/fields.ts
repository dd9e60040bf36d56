// From a JSON Schema to the fields of a form, and values in and out of the object the form fills.
import type { Schema } from "../api/run-config.js";

/** A value at a path of the configuration. */
export type Path = readonly string[];
export type Values = Readonly<Record<string, unknown>>;

export type Field =
  | { readonly kind: "choice"; readonly options: readonly string[] }
  | { readonly kind: "flag" }
  | {
      readonly kind: "number";
      readonly isWhole: boolean;
      readonly least: number | undefined;
      readonly most: number | undefined;
    }
  | { readonly kind: "text" }
  /** Several texts, such as files; one of the options stands by itself. */
  | { readonly kind: "texts"; readonly options: readonly string[] }
  /** Keys of its own, of one of several shapes where a key says which. */
  | { readonly kind: "group"; readonly shapes: readonly Schema[]; readonly isOptional: boolean }
  /** Anything else, written as JSON. */
  | { readonly kind: "json" };

const isNull = ({ type }: Schema) => type === "null";
const isObject = (schema: Schema) => schema.properties !== undefined;
const isTexts = ({ type, items }: Schema) => type === "array" && items?.type === "string";

/** Whether null says something that an empty field does not: to do without, where the default is to do with. */
export function takesNone(schema: Schema): boolean {
  const branches = schema.anyOf ?? schema.oneOf ?? [];
  return branches.some(isNull) && schema.default !== null;
}

/** What a part of the schema is filled in by. */
export function fieldOf(schema: Schema): Field {
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches !== undefined) {
    const real = branches.filter((branch) => !isNull(branch));
    const isOptional = real.length < branches.length;
    if (real.length > 0 && real.every(isObject)) return { kind: "group", shapes: real, isOptional };
    if (real.length === 1) return fieldOf(real[0] as Schema);
    if (real.some(isTexts) && real.every((each) => isTexts(each) || each.type === "string")) {
      return { kind: "texts", options: real.flatMap((each) => (each.enum ?? []) as string[]) };
    }
    return { kind: "json" };
  }
  if (schema.enum?.every((option) => typeof option === "string")) {
    return { kind: "choice", options: schema.enum as string[] };
  }
  if (isObject(schema)) return { kind: "group", shapes: [schema], isOptional: false };
  if (schema.type === "boolean") return { kind: "flag" };
  if (schema.type === "string") return { kind: "text" };
  if (schema.type === "number" || schema.type === "integer") {
    return {
      kind: "number",
      isWhole: schema.type === "integer",
      least: schema.minimum ?? schema.exclusiveMinimum,
      most: schema.maximum,
    };
  }
  if (isTexts(schema)) return { kind: "texts", options: [] };
  return { kind: "json" };
}

/** The key whose constant tells the shapes of a group apart; undefined where there is one shape. */
export function tagOf(shapes: readonly Schema[]): string | undefined {
  if (shapes.length < 2) return undefined;
  return Object.keys(shapes[0]?.properties ?? {}).find((key) =>
    shapes.every(({ properties }) => properties?.[key]?.const !== undefined),
  );
}

export function valueAt(values: Values, path: Path): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === "object" && at !== null ? (at as Values)[key] : undefined),
    values,
  );
}

/**
 * The same values with one set; undefined takes it away, and with it every mapping that is left without a key.
 * @param keeps a mapping that stays though it is empty, because being there says something
 */
export function withValue(values: Values, path: Path, value: unknown, keeps?: Path): Values {
  const [key, ...rest] = path;
  if (key === undefined) return values;
  const { [key]: before, ...others } = values;
  const inner = typeof before === "object" && before !== null ? (before as Values) : {};
  const kept = keeps?.[0] === key ? keeps.slice(1) : undefined;
  const after = rest.length === 0 ? value : withValue(inner, rest, value, kept);
  const isEmpty = rest.length > 0 && Object.keys(after as object).length === 0;
  if (after === undefined || (isEmpty && kept?.length !== 0)) return others;
  return Object.hasOwn(values, key) ? { ...values, [key]: after } : { ...others, [key]: after };
}

/** How many keys are set to something; a mapping that is there and empty is one. */
export function countSet(value: unknown): number {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return 1;
  const inner = Object.values(value);
  return inner.length === 0 ? 1 : inner.reduce<number>((sum, each) => sum + countSet(each), 0);
}

/** `maxTargetTokens` as people read it: "max target tokens". */
export function label(key: string): string {
  const words = key.replaceAll(/([a-z0-9])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`);
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

/** A default as it stands in an empty field. */
export function shownDefault({ default: value }: Schema): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === "string" ? value : JSON.stringify(value);
}
