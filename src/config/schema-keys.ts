// What the schema of a run says of its keys: their names at a place, and the JSON Schema that editors and forms read.
import { z } from "zod";
import { DataTests } from "./data-tests.js";
import { RunConfig } from "./run-config.js";

/** The keys that an object at a path may have, as far as the schema says. */
export function keysAt(
  path: readonly PropertyKey[],
  schema: z.core.$ZodType = RunConfig,
): string[] {
  const { def } = schema._zod as unknown as {
    def: {
      shape?: Record<string, z.core.$ZodType>;
      innerType?: z.core.$ZodType;
      options?: z.core.$ZodType[];
    };
  };
  if (def.innerType !== undefined) return keysAt(path, def.innerType);
  if (def.options !== undefined) {
    return [...new Set(def.options.flatMap((option) => keysAt(path, option)))];
  }
  if (def.shape === undefined) return [];
  const [key, ...rest] = path;
  if (key === undefined) return Object.keys(def.shape);
  const name = String(key);
  return Object.hasOwn(def.shape, name) ? keysAt(rest, def.shape[name]!) : [];
}

/** Whether something can be set at a path, a section as well as a value; below a mapping of free keys anything can. */
export function isKey(path: readonly string[], schema: z.core.$ZodType = RunConfig): boolean {
  const { def } = schema._zod as unknown as {
    def: {
      type: string;
      shape?: Record<string, z.core.$ZodType>;
      innerType?: z.core.$ZodType;
      options?: z.core.$ZodType[];
    };
  };
  const [key, ...rest] = path;
  if (key === undefined || def.type === "record") return true;
  if (def.innerType !== undefined) return isKey(path, def.innerType);
  if (def.options !== undefined) return def.options.some((option) => isKey(path, option));
  return Object.hasOwn(def.shape ?? {}, key) && isKey(rest, def.shape![key]!);
}

/** A node of a JSON Schema, as far as it is looked at here. */
export interface JsonSchema {
  readonly [key: string]: unknown;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly items?: JsonSchema | readonly JsonSchema[];
}

const widest = Number.MAX_SAFE_INTEGER;

/** Drops what tells an editor nothing: that numbers fit a double, that keys are texts, and sections that are not there. */
function tidied(node: unknown, dropRequired: boolean): unknown {
  if (Array.isArray(node)) return node.map((each) => tidied(each, dropRequired));
  if (typeof node !== "object" || node === null) return node;
  const { propertyNames: _, ...kept } = node as Record<string, unknown>;
  const entries = Object.entries(kept).filter(
    ([key, value]) =>
      !(key === "maximum" && value === widest) &&
      !(key === "default" && JSON.stringify(value) === "{}") &&
      !(key === "required" && dropRequired),
  );
  return Object.fromEntries(
    entries.map(([key, value]) => [key, key === "default" ? value : tidied(value, dropRequired)]),
  );
}

const defaultsList = {
  description:
    "what this file is laid over: a file of configs/ (base), or an option of a group (model: pegasus-xsum)",
  type: "array",
  items: {
    anyOf: [
      { type: "string" },
      {
        type: "object",
        minProperties: 1,
        maxProperties: 1,
        additionalProperties: { anyOf: [{ type: "string" }, { type: "null" }] },
      },
    ],
  },
};

/**
 * The JSON Schema (draft 7) of params.yaml. Nothing is required, for what a file leaves out may come from its `defaults`
 * or the command line.
 * @param section the schema of what stands in a group's file, such as `model`, in place of the whole file's
 */
export function runConfigJsonSchema(section?: keyof RunConfig): JsonSchema {
  const whole = z.toJSONSchema(RunConfig, { io: "input", target: "draft-7" }) as JsonSchema;
  const { $schema, properties = {} } = whole;
  const inside = section === undefined ? whole : properties[section]!;
  const { type = "object", properties: keys = {}, ...rest } = tidied(inside, true) as JsonSchema;
  return {
    $schema,
    title: section === undefined ? "Bridle run (params.yaml)" : `Bridle run: ${section}`,
    type,
    properties: { defaults: defaultsList, ...keys },
    ...rest,
  };
}

/** The JSON Schema (draft 7) of a file of data tests. */
export function dataTestsJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(DataTests, { io: "input", target: "draft-7" });
  return { title: "Bridle data tests", ...(tidied(schema, false) as JsonSchema) };
}

export const sections = Object.keys(RunConfig.shape) as readonly (keyof RunConfig)[];

/** One key that can be set, for people. */
export interface KeyRow {
  /** Dotted, such as `train.optimizer.beta1`. */
  readonly key: string;
  readonly type: string;
  /** Undefined where nothing holds unless it is said. */
  readonly default: unknown;
  readonly description: string;
}

function typeOf(node: JsonSchema): string {
  if (node.enum !== undefined) return node.enum.map(String).join(" | ");
  if (node.const !== undefined) return String(node.const);
  const choices = node.anyOf ?? node.oneOf;
  if (choices !== undefined) return [...new Set(choices.map(typeOf))].join(" | ");
  if (node.type === "array" && node.items !== undefined && !Array.isArray(node.items)) {
    return `list of ${typeOf(node.items as JsonSchema)}`;
  }
  return (
    { array: "list", object: "mapping", string: "text", integer: "whole number" }[
      String(node.type)
    ] ?? String(node.type ?? "anything")
  );
}

const isConst = ([, { const: value }]: [string, JsonSchema]) => value !== undefined;

function rowsOf(node: JsonSchema, path: readonly string[]): KeyRow[] {
  const choices = (node.anyOf ?? node.oneOf ?? []).filter((each) => each.properties !== undefined);
  const objects = node.properties === undefined ? choices : [node];
  const rows: KeyRow[] = [];
  if (path.length > 0 && (objects.length === 0 || node.default === null)) {
    const { description = "" } = node;
    rows.push({ key: path.join("."), type: typeOf(node), default: node.default, description });
  }
  const several = objects.length > 1;
  if (several) {
    // A union told apart by one key: that key is listed once, with every value it may have.
    const [name = ""] = Object.entries(objects[0]!.properties ?? {}).find(isConst) ?? [];
    const values = objects.map((object) => String(object.properties?.[name]?.const));
    rows.push({
      key: [...path, name].join("."),
      type: values.join(" | "),
      default: (node.default as Record<string, unknown> | undefined)?.[name],
      description: "",
    });
  }
  for (const object of objects) {
    const variant = Object.entries(object.properties ?? {}).find(isConst)?.[1];
    for (const [key, child] of Object.entries(object.properties ?? {})) {
      if (several && child.const !== undefined) continue;
      for (const row of rowsOf(child, [...path, key])) {
        const of = several ? `${String(variant?.const)}: ` : "";
        rows.push({ ...row, description: of + row.description });
      }
    }
  }
  return rows;
}

/** Every key of params.yaml, in the order of the schema. @param prefix only keys at or under it, such as `train.optimizer` */
export function describeKeys(prefix = ""): KeyRow[] {
  const { properties: { defaults: _, ...properties } = {}, ...rest } = runConfigJsonSchema();
  return rowsOf({ ...rest, properties }, []).filter(
    ({ key }) => prefix === "" || key === prefix || key.startsWith(`${prefix}.`),
  );
}
