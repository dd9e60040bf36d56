// From params.yaml and key=value words to a checked RunConfig, or an error that says what is wrong and where.
import { readFile } from "node:fs/promises";
import { LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { BridleError } from "../errors/error.js";
import { nearestName } from "./nearest-name.js";
import { RunConfig } from "./run-config.js";

type Plain = Record<string, unknown>;

function isRecord(value: unknown): value is Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads a YAML file whose top level is a mapping.
 * @throws FILE_INVALID with line and column of what is no YAML
 */
async function readYaml(file: string): Promise<Plain> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new BridleError("FILE_INVALID", { file, reason: (cause as Error).message }, { cause });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    const reason = `line ${line}, column ${col}: ${error.message.split("\n")[0]}`;
    throw new BridleError("FILE_INVALID", { file, reason });
  }
  const content: unknown = document.toJS({ maxAliasCount: 100 }) ?? {};
  if (!isRecord(content)) {
    throw new BridleError("FILE_INVALID", {
      file,
      reason: "it holds no mapping of keys to values",
    });
  }
  return content;
}

/** Sets one `key=value` word; the value is read as YAML. @throws RUN_CONFIG_INVALID when it is none */
function override(config: Plain, word: string): void {
  const at = word.indexOf("=");
  const path = word.slice(0, at).split(".");
  if (at < 1 || path.includes("")) {
    throw new BridleError("RUN_CONFIG_INVALID", {
      problems: `${word}: an override is key=value, such as train.learningRate=1e-4`,
    });
  }
  const document = parseDocument(word.slice(at + 1));
  const [error] = document.errors;
  if (error !== undefined) {
    throw new BridleError("RUN_CONFIG_INVALID", {
      problems: `${word}: ${error.message.split("\n")[0]}`,
    });
  }
  let inside = config;
  for (const key of path.slice(0, -1)) {
    const next = inside[key];
    const child = isRecord(next) ? next : {};
    inside[key] = child;
    inside = child;
  }
  inside[path.at(-1) as string] = document.toJS();
}

/** The keys an object at a path may have, as far as the schema says. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const { def } = schema._zod as unknown as {
    def: {
      type: string;
      shape?: Record<string, z.core.$ZodType>;
      innerType?: z.core.$ZodType;
      options?: z.core.$ZodType[];
    };
  };
  if (def.innerType !== undefined) return keysAt(def.innerType, path);
  if (def.options !== undefined) return def.options.flatMap((option) => keysAt(option, path));
  if (def.shape === undefined) return [];
  const [key, ...rest] = path;
  if (key === undefined) return Object.keys(def.shape);
  const child = def.shape[String(key)];
  return child === undefined ? [] : keysAt(child, rest);
}

function describe(issue: z.core.$ZodIssue): string {
  const where = issue.path.join(".");
  if (issue.code !== "unrecognized_keys")
    return `${where || "the configuration"}: ${issue.message}`;
  return issue.keys
    .map((key) => {
      const nearest = nearestName(key, keysAt(RunConfig, issue.path));
      const full = where === "" ? key : `${where}.${key}`;
      return `there is no ${full}${nearest === undefined ? "" : `; did you mean ${nearest}?`}`;
    })
    .join("; ");
}

/**
 * Checks a plain object.
 * @throws RUN_CONFIG_INVALID naming every key that is wrong, and for an unknown one the nearest there is
 */
export function checkRunConfig(plain: unknown): RunConfig {
  const checked = RunConfig.safeParse(plain);
  if (checked.success) return checked.data;
  throw new BridleError("RUN_CONFIG_INVALID", {
    problems: checked.error.issues.map(describe).join("; "),
  });
}

/**
 * A run's configuration: the file's, then the overrides in their order.
 * @param overrides words such as `train.seed=3` and `data.train=[a.jsonl, b.jsonl]`
 * @throws FILE_INVALID, RUN_CONFIG_INVALID
 */
export async function loadRunConfig(
  file: string | undefined,
  overrides: readonly string[] = [],
): Promise<RunConfig> {
  const config = file === undefined ? {} : await readYaml(file);
  for (const word of overrides) override(config, word);
  return checkRunConfig(config);
}
