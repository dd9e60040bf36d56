// Lays the files of a `defaults` list over each other: presets of groups, whole files, and the file that lists them.
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { BridleError } from "../errors/error.js";
import type { Layers } from "./layers.js";
import { nearestName } from "./nearest-name.js";
import { keysAt } from "./schema-keys.js";
import { isRecord, type KeyPath, readYamlFile, type YamlFile } from "./yaml-file.js";

/** The presets that come with the package. */
export const shippedConfigs = fileURLToPath(new URL("../../configs", import.meta.url));

/** What was chosen of a group; null is nothing. */
export type Choices = ReadonlyMap<string, string | null>;

export interface Composition {
  /** Files that were laid over each other, in their order. */
  readonly files: readonly string[];
  /** The option taken of each group that is in use. */
  readonly choices: Readonly<Record<string, string>>;
}

/** Folders that presets are looked for in: the project's own first, then those that come with the package. */
export function presetFolders(file: string | undefined): string[] {
  const beside = file === undefined ? [] : [dirname(resolve(file))];
  const folders = [
    ...beside.map((folder) => join(folder, "configs")),
    ...beside.filter((folder) => basename(folder) === "configs"),
    resolve("configs"),
    shippedConfigs,
  ];
  return [...new Set(folders)];
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** Whether some folder of presets has this group. */
export async function isGroup(group: string, folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) if (await isFolder(join(folder, group))) return true;
  return false;
}

const endings = [".yaml", ".yml"];

async function findPreset(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    for (const ending of endings) {
      const file = join(folder, name + ending);
      const found = await stat(file).catch(() => undefined);
      if (found?.isFile()) return file;
    }
  }
  return undefined;
}

/** The options of a group, or with "" the whole files, that there are in some folders. */
export async function optionsOf(group: string, folders: readonly string[]): Promise<string[]> {
  const names = new Set<string>();
  for (const folder of folders) {
    for (const name of await readdir(join(folder, group)).catch(() => [])) {
      const ending = endings.find((each) => name.endsWith(each));
      if (ending !== undefined) names.add(name.slice(0, -ending.length));
    }
  }
  return [...names].sort();
}

/** The groups that there are in some folders, those within others too, and the names of their options. */
export async function groupsOf(
  folders: readonly string[],
): Promise<{ readonly group: string; readonly options: readonly string[] }[]> {
  const groups = new Set<string>();
  for (const folder of folders) {
    const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      groups.add(relative(folder, join(entry.parentPath, entry.name)).replaceAll("\\", "/"));
    }
  }
  const found = [];
  for (const group of [...groups].sort()) {
    const options = await optionsOf(group, folders);
    if (options.length > 0) found.push({ group, options });
  }
  return found;
}

/** One entry of a `defaults` list. */
interface Entry {
  readonly kind: "self" | "file" | "group";
  /** Group or file from the top of the folders of presets. */
  readonly name: string;
  readonly option: string | null;
  readonly optional: boolean;
  readonly overrides: boolean;
  readonly where: string;
}

function entryInvalid(where: string, problem: string): BridleError {
  return new BridleError("CONFIG_DEFAULTS_INVALID", { where, problem });
}

/** A name from the top of the folders; one that begins with / does not go from the group of the file that lists it. */
function placed(name: string, group: string, where: string): string {
  const from = name.startsWith("/") || group === "" ? name.replace(/^\//, "") : `${group}/${name}`;
  const bare = from.replace(/\.ya?ml$/, "");
  const parts = bare.split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..") || bare.includes("\0")) {
    throw entryInvalid(where, `${JSON.stringify(name)} is no name of a file or group in configs/`);
  }
  return bare;
}

/** The entries of a file's list, `_self_` last unless it stands there. @throws CONFIG_DEFAULTS_INVALID */
function entriesOf({ file, content, lineOf }: YamlFile, group: string): Entry[] {
  const { defaults = [] } = content;
  const self: Entry = {
    kind: "self",
    name: "_self_",
    option: null,
    optional: false,
    overrides: false,
    where: file,
  };
  const whereAll = `${file}:${lineOf(["defaults"])}`;
  if (!Array.isArray(defaults)) throw entryInvalid(whereAll, "it is no list");
  const entries = defaults.map((item: unknown, index): Entry => {
    const where = `${file}:${lineOf(["defaults", index])}`;
    if (item === "_self_") return self;
    const common = { optional: false, overrides: false, where };
    if (typeof item === "string") {
      return { ...common, kind: "file", name: placed(item, group, where), option: null };
    }
    const pairs = isRecord(item) ? Object.entries(item) : [];
    const [key = "", option] = pairs[0] ?? [];
    if (pairs.length !== 1 || (typeof option !== "string" && option !== null)) {
      throw entryInvalid(
        where,
        "an entry is a file's name, or one group with the name of an option",
      );
    }
    const words = key.trim().split(/\s+/);
    const name = placed(words.at(-1) ?? "", group, where);
    const marks = words.slice(0, -1);
    const unknown = marks.find((mark) => mark !== "optional" && mark !== "override");
    if (unknown !== undefined) {
      throw entryInvalid(where, `${unknown} is neither optional nor override`);
    }
    if (option !== null) placed(option, "", where);
    return {
      ...common,
      kind: "group",
      name,
      option,
      optional: marks.includes("optional"),
      overrides: marks.includes("override"),
    };
  });
  return entries.includes(self) ? entries : [...entries, self];
}

/** Where a group's files are put: at the place of its name, or where it names no place of a run, at the top. */
function placeOfGroup(group: string): string[] {
  const parts = group.split("/").filter((part) => part !== "");
  const isPlace = parts.every((part, at) => keysAt(parts.slice(0, at)).includes(part));
  return isPlace ? parts : [];
}

function placeOf(yaml: YamlFile, group: string): KeyPath {
  if (yaml.package === undefined) return placeOfGroup(group);
  return yaml.package === "_global_" ? [] : yaml.package.split(".");
}

interface Visit {
  readonly file: string;
  readonly group: string;
}

/** One walk over the lists, from the file down. */
class Walk {
  readonly files: string[] = [];
  readonly taken: Record<string, string> = {};
  /** What entries marked `override` choose. */
  readonly overriding = new Map<string, string | null>();
  readonly met = new Set<string>();
  readonly #layers: Layers;
  readonly #folders: readonly string[];
  readonly #choices: Choices;

  constructor(layers: Layers, folders: readonly string[], choices: Choices) {
    this.#layers = layers;
    this.#folders = folders;
    this.#choices = choices;
  }

  async file({ file, group }: Visit, trail: readonly string[], where: string): Promise<void> {
    const path = resolve(file);
    if (trail.includes(path)) {
      const circle = [...trail.slice(trail.indexOf(path)), path].map(shown).join(" → ");
      throw new BridleError("CONFIG_CYCLE", { where, circle, file: shown(trail[0]!) });
    }
    const yaml = await readYamlFile(file);
    const inside = [...trail, path];
    const { defaults: _, ...own } = yaml.content;
    for (const entry of entriesOf(yaml, group)) {
      if (entry.kind === "self") {
        this.files.push(file);
        this.#layers.merge(own, placeOf(yaml, group), (at) => ({
          kind: "file",
          file: shown(file),
          line: yaml.lineOf(at),
        }));
      } else if (entry.kind === "file") await this.#whole(entry, inside);
      else if (entry.overrides) this.overriding.set(entry.name, entry.option);
      else await this.group(entry, inside);
    }
  }

  async #whole({ name, where, optional }: Entry, trail: readonly string[]): Promise<void> {
    const file = await findPreset(name, this.#folders);
    const group = dirname(name) === "." ? "" : dirname(name);
    if (file !== undefined) return await this.file({ file, group }, trail, where);
    if (!optional) throw await this.#notFound(group, basename(name), where);
  }

  /** Lays the option of a group that is chosen, or else the one that is listed. */
  async group(
    { name, option, where, optional }: Pick<Entry, "name" | "option" | "where" | "optional">,
    trail: readonly string[],
  ): Promise<void> {
    this.met.add(name);
    const chosen = this.#choices.has(name) ? this.#choices.get(name)! : option;
    if (chosen === null) return;
    const file = await findPreset(`${name}/${chosen}`, this.#folders);
    if (file !== undefined) {
      this.taken[name] = chosen;
      return await this.file({ file, group: name }, trail, where);
    }
    if (!optional) throw await this.#notFound(name, chosen, where);
  }

  async #notFound(group: string, option: string, where: string): Promise<BridleError> {
    const there = await optionsOf(group, this.#folders);
    const nearest = nearestName(option, there);
    return new BridleError("CONFIG_OPTION_NOT_FOUND", {
      where,
      name: group === "" ? option : `${group}/${option}`,
      suggestion: nearest === undefined ? "" : `Did you mean ${nearest}? `,
      available: there.join(", ") || "none",
      folders: this.#folders.map((folder) => shown(join(folder, group))).join(", "),
    });
  }
}

/** A path as short as it can be told: from the folder the command runs in, where it is inside of it. */
function shown(file: string): string {
  if (file.startsWith(shippedConfigs)) return `bridle/configs${file.slice(shippedConfigs.length)}`;
  const near = relative(process.cwd(), file);
  return near === "" || near.startsWith("..") ? file : near;
}

/** More rounds than lists within lists that choose for each other ever need. */
const mostRounds = 10;

/**
 * Lays a file and what its `defaults` list names over each other.
 * @param choices what the command line chose; a group that no list names is laid last
 * @param make makes empty layers for each attempt; the last ones made hold the result
 * @throws CONFIG_CYCLE, CONFIG_OPTION_NOT_FOUND, CONFIG_DEFAULTS_INVALID, FILE_NOT_FOUND, YAML_INVALID; each with file and line
 */
export async function compose(
  file: string | undefined,
  choices: Choices,
  make: () => Layers,
): Promise<Composition> {
  const folders = presetFolders(file);
  let overriding: Choices = new Map();
  for (let round = 0; ; round++) {
    const chosen = new Map([...overriding, ...choices]);
    const walk = new Walk(make(), folders, chosen);
    if (file !== undefined) await walk.file({ file, group: "" }, [], file);
    for (const [name, option] of chosen) {
      if (walk.met.has(name)) continue;
      const where = choices.has(name) ? `${name}=${option}` : (file ?? name);
      await walk.group({ name, option, where, optional: false }, []);
    }
    const settled = JSON.stringify([...walk.overriding]) === JSON.stringify([...overriding]);
    if (settled || round === mostRounds) return { files: walk.files, choices: walk.taken };
    overriding = walk.overriding;
  }
}
