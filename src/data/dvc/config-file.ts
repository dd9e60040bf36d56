// DVC's configuration: .dvc/config and .dvc/config.local over the user's and the system's, read and changed in place.
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { BridleError } from "../../errors/error.js";
import { readError, systemCode } from "../../errors/file-errors.js";

/** Options of one section by lower-case name. */
export type Section = Readonly<Record<string, string>>;

/** Sections by lower-case name: `core`, `cache`, `remote "store"`. */
export type Sections = Readonly<Record<string, Section>>;

const sectionLine = /^\s*\[(.*)\]\s*(?:#.*)?$/;
const optionLine = /^\s*([^=#]+?)\s*=\s*(.*?)\s*$/;

/** Takes quotes off, or a comment where there are none. */
function unquote(raw: string): string {
  const quoted = /^(['"])(.*?)\1\s*(?:#.*)?$/.exec(raw);
  if (quoted !== null) return quoted[2] ?? "";
  return raw.replace(/\s*#.*$/, "");
}

/** `'remote "store"'` as DVC writes it, without the outer quotes. */
function sectionName(raw: string): string {
  const text = raw.trim();
  const outer = /^(['"])(.*)\1$/.exec(text)?.[2] ?? text;
  const [kind = "", ...rest] = outer.split(/\s+(?=")/);
  // Names of remotes keep their case; DVC lowers only what stands before them.
  return [kind.toLowerCase(), ...rest].join(" ");
}

/** @throws DVC_FILE_INVALID naming the line */
export function parseConfig(text: string, file: string): Sections {
  const sections: Record<string, Record<string, string>> = {};
  let section: Record<string, string> = {};
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|;|$)/.test(line)) continue;
    const header = sectionLine.exec(line);
    const option = optionLine.exec(line);
    if (header !== null) {
      const name = sectionName(header[1] ?? "");
      section = sections[name] ?? {};
      sections[name] = section;
    } else if (option !== null) {
      section[(option[1] ?? "").toLowerCase()] = unquote(option[2] ?? "");
    } else {
      const reason = `line ${index + 1} is neither [section] nor option = value`;
      throw new BridleError("DVC_FILE_INVALID", { file, reason });
    }
  }
  return sections;
}

function headerOf(section: string): string {
  return /["\s]/.test(section) ? `['${section}']` : `[${section}]`;
}

/** A value as it must stand in the file. */
function quote(value: string): string {
  if (!/^\s|\s$|^['"]|[#,]/.test(value) && value !== "") return value;
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}

/** The text of a configuration with an option set, or taken away; the rest stays as it was typed. */
export function changedConfig(
  text: string,
  section: string,
  option: string,
  value: string | undefined,
): string {
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const isHeader = (line: string) => sectionLine.test(line);
  let start = lines.findIndex(
    (line) => isHeader(line) && sectionName(sectionLine.exec(line)?.[1] ?? "") === section,
  );
  if (start === -1) {
    if (value === undefined) return text;
    start = lines.push(headerOf(section)) - 1;
  }
  const next = lines.findIndex((line, index) => index > start && isHeader(line));
  const end = next === -1 ? lines.length : next;
  const at = lines.findIndex(
    (line, index) =>
      index > start && index < end && optionLine.exec(line)?.[1]?.toLowerCase() === option,
  );
  const written = `    ${option} = ${quote(value ?? "")}`;
  if (value === undefined) {
    if (at !== -1) lines.splice(at, 1);
  } else if (at !== -1) lines[at] = written;
  else lines.splice(lastFilled(lines, start, end) + 1, 0, written);
  return `${lines.join("\n")}\n`;
}

/** The text without a section. */
export function withoutSection(text: string, section: string): string {
  const kept: string[] = [];
  let isInside = false;
  for (const line of text.replace(/\n$/, "").split("\n")) {
    const header = sectionLine.exec(line);
    if (header !== null) isInside = sectionName(header[1] ?? "") === section;
    if (!isInside) kept.push(line);
  }
  return kept.join("\n") === "" ? "" : `${kept.join("\n")}\n`;
}

function lastFilled(lines: readonly string[], start: number, end: number): number {
  for (let i = end - 1; i > start; i--) if (lines[i]?.trim() !== "") return i;
  return start;
}

/** A repository's settings, with what is more special over what is less. */
export interface DvcConfig {
  readonly sections: Sections;
  /** Folder that relative paths of a section's option start from. */
  folderOf(section: string, option: string): string;
}

/** Files from the least special to the most: system, user, repository, this machine only. */
function configFiles(root: string, env: NodeJS.ProcessEnv): string[] {
  const user =
    env.DVC_GLOBAL_CONFIG_DIR ??
    path.join(env.XDG_CONFIG_HOME ?? path.join(homedir(), ".config"), "dvc");
  const system = env.DVC_SYSTEM_CONFIG_DIR ?? "/etc/xdg/dvc";
  const repository = path.join(root, ".dvc");
  return [
    path.join(system, "config"),
    path.join(user, "config"),
    path.join(repository, "config"),
    path.join(repository, "config.local"),
  ];
}

/** @throws DVC_FILE_INVALID, FILE_NOT_READABLE */
export async function loadConfig(
  root: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<DvcConfig> {
  const sections: Record<string, Record<string, string>> = {};
  const origins = new Map<string, string>();
  for (const file of configFiles(root, env)) {
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch (thrown) {
      if (["ENOENT", "ENOTDIR", "EACCES"].includes(systemCode(thrown)) && !file.startsWith(root))
        continue;
      if (systemCode(thrown) === "ENOENT") continue;
      throw readError(thrown, file);
    }
    for (const [name, options] of Object.entries(parseConfig(text, file))) {
      const merged = sections[name] ?? {};
      sections[name] = merged;
      for (const [option, value] of Object.entries(options)) {
        merged[option] = value;
        origins.set(`${name}\0${option}`, path.dirname(file));
      }
    }
  }
  return {
    sections,
    folderOf: (section, option) => origins.get(`${section}\0${option}`) ?? path.join(root, ".dvc"),
  };
}

/** A switch as DVC reads it. @throws DVC_FILE_INVALID */
export function booleanOption(
  config: DvcConfig,
  section: string,
  option: string,
  otherwise: boolean,
): boolean {
  const value = config.sections[section]?.[option];
  if (value === undefined) return otherwise;
  if (/^(true|yes|on|1)$/i.test(value)) return true;
  if (/^(false|no|off|0)$/i.test(value)) return false;
  const reason = `${section}.${option} is ${JSON.stringify(value)}, neither true nor false`;
  throw new BridleError("DVC_FILE_INVALID", { file: ".dvc/config", reason });
}
