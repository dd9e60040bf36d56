// From params.yaml and key=value words to a checked RunConfig, or an error that says what is wrong and where.
import { parseDocument } from "yaml";
import type { z } from "zod";
import { BridleError } from "../errors/error.js";
import { type Choices, type Composition, compose, isGroup, presetFolders } from "./compose.js";
import { describeOrigin, Layers, type Origin } from "./layers.js";
import { nearestName } from "./nearest-name.js";
import { RunConfig } from "./run-config.js";
import { keysAt } from "./schema-keys.js";
import { isRecord } from "./yaml-file.js";

/** Whether a word of the command line sets something, rather than naming a file. */
export function isOverride(word: string): boolean {
  return word.includes("=") || /^[~+]/.test(word);
}

function wordInvalid(word: string, problem: string): BridleError {
  return new BridleError("RUN_CONFIG_INVALID", { problems: `${word}: ${problem}` });
}

type Word =
  | {
      readonly does: "set";
      readonly word: string;
      readonly path: string[];
      readonly value: unknown;
    }
  | {
      readonly does: "choose";
      readonly word: string;
      readonly group: string;
      readonly option: string | null;
    }
  | { readonly does: "remove"; readonly word: string; readonly path: string[] };

/** Reads a value as YAML, so that it means what it would in the file. @throws RUN_CONFIG_INVALID */
function readValue(text: string, word: string): unknown {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw wordInvalid(word, error.message.split("\n")[0]!);
  try {
    return document.toJS();
  } catch (thrown) {
    if (!(thrown instanceof ReferenceError)) throw thrown;
    const hint = `in YAML what begins with * is an alias; put a text in quotes: 'data.train="*.jsonl"'`;
    throw wordInvalid(word, `${thrown.message}; ${hint}`);
  }
}

/**
 * Reads one word: `key=value`, `group=option`, `+` before either, `~key` or `~group`.
 * @throws RUN_CONFIG_INVALID when it is none of these
 */
async function readWord(word: string, folders: readonly string[]): Promise<Word> {
  const removes = word.startsWith("~");
  const said = word.replace(removes ? /^~/ : /^\+{1,2}/, "");
  const at = said.indexOf("=");
  const key = removes && at < 0 ? said : said.slice(0, at);
  const names = key.split(key.includes("/") ? "/" : ".");
  if ((at < 1 && !removes) || key === "" || names.includes("") || names.includes("__proto__")) {
    throw wordInvalid(word, "an override is key=value, such as train.learningRate=1e-4");
  }
  if (names.some((name) => name === "..")) throw wordInvalid(word, `there is no group ${key}`);
  if (removes) {
    if (at >= 0) throw wordInvalid(word, `what is taken away has no value: ~${key}`);
    if (key.includes("/") || (names.length === 1 && (await isGroup(key, folders)))) {
      return { does: "choose", word, group: key, option: null };
    }
    return { does: "remove", word, path: names };
  }
  const value = readValue(said.slice(at + 1), word);
  if (key.includes("/")) {
    if (typeof value === "string" || value === null) {
      return { does: "choose", word, group: key, option: value };
    }
    throw wordInvalid(word, "the name of an option belongs to a group");
  }
  // Every section is a mapping: a name in its place can only be meant as an option.
  const chooses = names.length === 1 && typeof value === "string" && (await isGroup(key, folders));
  return chooses
    ? { does: "choose", word, group: key, option: value }
    : { does: "set", word, path: names, value };
}

function place(path: readonly PropertyKey[], origins: Layers | undefined): string {
  const origin = origins?.originOf(path);
  return origin === undefined ? "" : ` (${describeOrigin(origin)})`;
}

/** Of a value that fits none of several forms: what is wrong with it in the form it is nearest to, or what the forms are. */
function nearestForm(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== "invalid_union") return issue;
  const inner = issue.errors.flatMap(([first]) => (first === undefined ? [] : [first]));
  const [deepest] = inner.toSorted((a, b) => b.path.length - a.path.length);
  if (deepest === undefined) return issue;
  if (deepest.path.length > 0) {
    return nearestForm({ ...deepest, path: [...issue.path, ...deepest.path] });
  }
  const forms = inner.map((each) => {
    if (each.code === "invalid_type") return each.expected;
    return each.code === "invalid_value" ? each.values.map(String).join(" or ") : each.message;
  });
  const [received = ""] = inner.flatMap(({ message }) => /, received \w+$/.exec(message) ?? []);
  const message = `Invalid input: expected ${[...new Set(forms)].join(" or ")}${received}`;
  return { ...issue, message };
}

function describe({ code, path, message }: z.core.$ZodIssue, origins: Layers | undefined): string {
  // What is not there at all has no wrong type.
  const isMissing = code === "invalid_type" && message.endsWith("received undefined");
  const problem = isMissing ? "it is needed, and nothing is set" : message;
  const told = `${path.join(".") || "the configuration"}: ${problem}`;
  return told + (path.length === 0 ? "" : place(path, origins));
}

function describeUnknown(
  key: string,
  path: readonly PropertyKey[],
  origins: Layers | undefined,
): string {
  const nearest = nearestName(key, keysAt(path));
  const meant = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  return `there is no ${[...path, key].join(".")}${meant}${place([...path, key], origins)}`;
}

/** Problems told of; who gives something else than a configuration need not be told of all of it. */
const mostProblems = 20;

function describeAll(issues: readonly z.core.$ZodIssue[], origins: Layers | undefined): string {
  const problems = issues.map(nearestForm).flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") return [() => describe(issue, origins)];
    return issue.keys.map((key) => () => describeUnknown(key, issue.path, origins));
  });
  const told = problems.slice(0, mostProblems).map((tell) => tell());
  const more = problems.length - told.length;
  return [...told, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}

/**
 * Checks a plain object.
 * @param origins where its values were said, to be told with what is wrong
 * @throws RUN_CONFIG_INVALID naming the keys that are wrong, twenty at most, and for an unknown one the nearest there is
 */
export function checkRunConfig(plain: unknown, origins?: Layers): RunConfig {
  const checked = RunConfig.safeParse(plain);
  if (checked.success) return checked.data;
  throw new BridleError("RUN_CONFIG_INVALID", {
    problems: describeAll(checked.error.issues, origins),
  });
}

/** A configuration with what it was made from. */
export interface ResolvedRunConfig extends Composition {
  /** Checked, every default filled in. */
  readonly config: RunConfig;
  /** Where a value was said; undefined for a default. */
  originOf(path: readonly PropertyKey[]): Origin | undefined;
}

/**
 * A run's configuration: what the file's `defaults` list names, the file's own keys, then the words in their order.
 * @param words such as `train.seed=3`, `data.train=[a.jsonl, b.jsonl]`, `model=pegasus-xsum` and `~model.lora`
 * @throws FILE_NOT_FOUND, YAML_INVALID, RUN_CONFIG_INVALID, CONFIG_CYCLE, CONFIG_OPTION_NOT_FOUND, CONFIG_DEFAULTS_INVALID
 */
export async function resolveRunConfig(
  file: string | undefined,
  words: readonly string[] = [],
): Promise<ResolvedRunConfig> {
  const folders = presetFolders(file);
  const read: Word[] = [];
  for (const word of words) read.push(await readWord(word, folders));
  const choices: Choices = new Map(
    read.flatMap((word) => (word.does === "choose" ? [[word.group, word.option] as const] : [])),
  );
  let layers = new Layers();
  const composition = await compose(file, choices, () => {
    layers = new Layers();
    return layers;
  });
  for (const each of read) {
    if (each.does === "set") layers.set(each.path, each.value, { kind: "word", word: each.word });
    else if (each.does === "remove" && !layers.remove(each.path)) {
      throw wordInvalid(each.word, "nothing is set there that could be taken away");
    }
  }
  const config = checkRunConfig(layers.plain, layers);
  return { ...composition, config, originOf: (path) => layers.originOf(path) };
}

/** As `resolveRunConfig`, the configuration alone. */
export async function loadRunConfig(
  file: string | undefined,
  words: readonly string[] = [],
): Promise<RunConfig> {
  return (await resolveRunConfig(file, words)).config;
}

/** Every value of a configuration that is no mapping, with its path. */
export function* valuesOf(
  node: unknown,
  path: readonly string[] = [],
): Generator<{ readonly path: readonly string[]; readonly value: unknown }> {
  if (!isRecord(node) || (Object.keys(node).length === 0 && path.length > 0)) {
    yield { path, value: node };
    return;
  }
  for (const [key, value] of Object.entries(node)) yield* valuesOf(value, [...path, key]);
}
