// The options of `bridle serve`, made from the schema of its configuration, so that none is described twice.
import { Option } from "commander";
import { z } from "zod";
import { ServeConfig, type ServeConfigInput, serveFlag } from "../config/serve-config.js";
import { BridleError } from "../errors/error.js";

type Field = keyof ServeConfigInput;

/** Secrets stand in no process list: they come from the environment. */
const environmentOnly: ReadonlySet<Field> = new Set<Field>(["apiKeys"]);

interface Shape {
  readonly type: "number" | "list" | "text";
  readonly words?: readonly string[];
  readonly default?: unknown;
  readonly description: string;
}

function shapeOf(field: Field): Shape {
  let schema: z.ZodType = ServeConfig.shape[field];
  const description = schema.description ?? "";
  let fallback: unknown;
  for (;;) {
    if (schema instanceof z.ZodDefault) {
      fallback = schema.def.defaultValue;
      schema = schema.def.innerType as z.ZodType;
    } else if (schema instanceof z.ZodOptional) {
      schema = schema.def.innerType as z.ZodType;
    } else break;
  }
  const rest = fallback === undefined ? { description } : { description, default: fallback };
  if (schema instanceof z.ZodNumber) return { type: "number", ...rest };
  if (schema instanceof z.ZodArray) return { type: "list", ...rest };
  if (schema instanceof z.ZodEnum)
    return { type: "text", words: schema.options as string[], ...rest };
  return { type: "text", ...rest };
}

/** The last word of the option's name, or what a number counts as. */
function placeholderOf(field: Field, { type }: Shape): string {
  return type === "number" ? "n" : serveFlag(field).replace(/^.*-/, "");
}

/** Every field that has an option, with the option that sets it. */
export const serveOptions: readonly { readonly field: Field; readonly option: Option }[] = (
  Object.keys(ServeConfig.shape) as Field[]
)
  .filter((field) => !environmentOnly.has(field))
  .map((field) => ({ field, option: optionOf(field) }));

function optionOf(field: Field): Option {
  const shape = shapeOf(field);
  const flag = serveFlag(field);
  const isEmpty = Array.isArray(shape.default) && shape.default.length === 0;
  const fallback = shape.default === undefined || isEmpty ? "" : ` (default: ${shape.default})`;
  const words = shape.words === undefined ? "" : ` [${shape.words.join(", ")}]`;
  const option = new Option(
    `${flag} <${placeholderOf(field, shape)}>`,
    `${shape.description}${words}${fallback}`,
  );
  if (shape.type === "number") {
    // Ranges are the schema's; only what is no number at all is told here, by the option's name.
    option.argParser((value: string) => {
      if (/^\d+$/.test(value)) return Number(value);
      const details = { parameter: flag, value: JSON.stringify(value), expected: "a whole number" };
      throw new BridleError("INVALID_PARAMETER", details);
    });
  }
  if (shape.type === "list") {
    option.argParser((value: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      value,
    ]);
  }
  return option;
}

/** The fields that were given, out of the parsed options. */
export function givenFields(parsed: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const given = serveOptions.map(({ field, option }) => [field, parsed[option.attributeName()]]);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}
