// Remotes of .dvc/config: found by name, opened, added and taken away.

import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import nodePath from "node:path";
import { BridleError } from "../../errors/error.js";
import type { BlobLocation, BlobReader, BlobStore } from "../../ports/blob-store.js";
import { writeAtomically } from "../../text/files/write-atomically.js";
import { changedConfig, type DvcConfig, withoutSection } from "./config-file.js";
import type { DvcRepository } from "./repository.js";

/** Opens what a URL names; passed down by who knows the adapters. */
export type OpenBlobStore = (location: BlobLocation) => Promise<BlobReader | BlobStore>;

export interface Remote {
  readonly name: string;
  readonly url: string;
  readonly isDefault: boolean;
}

const scheme = /^[A-Za-z][\w+.-]+:\/\//;

/** Every remote, in the order of the files. */
export function listRemotes({ sections }: DvcConfig): Remote[] {
  const byDefault = sections.core?.remote;
  return Object.entries(sections).flatMap(([section, { url = "" }]) => {
    const name = /^remote "(.*)"$/.exec(section)?.[1];
    return name === undefined ? [] : [{ name, url, isDefault: name === byDefault }];
  });
}

/** What a remote is opened with. @param name the default one unless said @throws DVC_REMOTE_NOT_SET, DVC_REMOTE_UNKNOWN */
export function remoteLocation(
  { config }: DvcRepository,
  name: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): BlobLocation & { readonly remote: string } {
  const chosen = name ?? config.sections.core?.remote;
  if (chosen === undefined) throw new BridleError("DVC_REMOTE_NOT_SET");
  const section = `remote "${chosen}"`;
  const options = config.sections[section];
  if (options === undefined) {
    const available =
      listRemotes(config)
        .map((each) => each.name)
        .join(", ") || "none";
    throw new BridleError("DVC_REMOTE_UNKNOWN", { remote: chosen, available });
  }
  const { url } = options;
  if (url === undefined || url === "") {
    throw new BridleError("DVC_REMOTE_UNSUPPORTED", { remote: chosen, reason: "it has no url" });
  }
  if (/^true$/i.test(options.version_aware ?? "") || /^true$/i.test(options.worktree ?? "")) {
    const reason = "version_aware and worktree remotes are for dvc alone";
    throw new BridleError("DVC_REMOTE_UNSUPPORTED", { remote: chosen, reason });
  }
  const nested = /^remote:\/\/([^/]+)(.*)$/.exec(url);
  if (nested !== null) {
    const base = remoteLocation({ config } as DvcRepository, nested[1], env);
    return {
      ...base,
      remote: chosen,
      url: `${base.url}${nested[2]}`,
      options: { ...base.options, ...options },
    };
  }
  return { remote: chosen, url: resolveUrl(url, config.folderOf(section, "url")), options, env };
}

/** A folder's path made whole; a URL stays. */
function resolveUrl(url: string, folder: string): string {
  if (scheme.test(url)) return url;
  const expanded =
    url === "~" || url.startsWith("~/") ? nodePath.join(homedir(), url.slice(1)) : url;
  return nodePath.resolve(folder, expanded);
}

export interface AddRemoteOptions {
  /** Make it the default. */
  readonly isDefault?: boolean;
  /** Replace one of that name. */
  readonly force?: boolean;
  /** Write to .dvc/config.local, which Git does not see. */
  readonly local?: boolean;
}

function configFile({ root }: DvcRepository, local: boolean): string {
  return nodePath.join(root, ".dvc", local ? "config.local" : "config");
}

async function readConfigText(file: string): Promise<string> {
  return await readFile(file, "utf8").catch((thrown) => {
    if (thrown.code === "ENOENT") return "";
    throw thrown;
  });
}

/**
 * Adds a remote to .dvc/config, as `dvc remote add` does: a relative path is kept relative to that file.
 * @param folder that a relative path was typed in
 * @throws DVC_REMOTE_UNSUPPORTED where the name is taken or no name
 */
export async function addRemote(
  repository: DvcRepository,
  name: string,
  url: string,
  folder: string,
  { isDefault = false, force = false, local = false }: AddRemoteOptions = {},
): Promise<void> {
  if (!/^[^"\s[\]]+$/.test(name)) {
    const reason = "a name has no spaces, quotes or brackets";
    throw new BridleError("DVC_REMOTE_UNSUPPORTED", { remote: name, reason });
  }
  const section = `remote "${name}"`;
  if (repository.config.sections[section] !== undefined && !force) {
    const reason = "there is one of that name; --force replaces it";
    throw new BridleError("DVC_REMOTE_UNSUPPORTED", { remote: name, reason });
  }
  const file = configFile(repository, local);
  await setOptions(repository, file, async (text) => {
    const withDefault = isDefault ? changedConfig(text, "core", "remote", name) : text;
    return changedConfig(
      withDefault,
      section,
      "url",
      writtenUrl(url, folder, nodePath.dirname(file)),
    );
  });
}

function writtenUrl(url: string, typedIn: string, configFolder: string): string {
  if (scheme.test(url) || nodePath.isAbsolute(url) || url.startsWith("~")) return url;
  const place = nodePath.relative(configFolder, nodePath.resolve(typedIn, url));
  return place.split(nodePath.sep).join("/");
}

/** Takes a remote out of .dvc/config and config.local. @throws DVC_REMOTE_UNKNOWN */
export async function removeRemote(repository: DvcRepository, name: string): Promise<void> {
  const { config } = repository;
  const section = `remote "${name}"`;
  if (config.sections[section] === undefined) {
    const available =
      listRemotes(config)
        .map((each) => each.name)
        .join(", ") || "none";
    throw new BridleError("DVC_REMOTE_UNKNOWN", { remote: name, available });
  }
  for (const local of [false, true]) {
    const file = configFile(repository, local);
    await setOptions(repository, file, async (text) => {
      const without = withoutSection(text, section);
      return config.sections.core?.remote === name
        ? changedConfig(without, "core", "remote", undefined)
        : without;
    });
  }
}

/** Sets an option, such as `core` `autostage`; undefined takes it away. */
export async function setOption(
  repository: DvcRepository,
  section: string,
  option: string,
  value: string | undefined,
  local = false,
): Promise<void> {
  const file = configFile(repository, local);
  await setOptions(repository, file, async (text) => changedConfig(text, section, option, value));
}

async function setOptions(
  repository: DvcRepository,
  file: string,
  change: (text: string) => Promise<string>,
): Promise<void> {
  await repository.locked("bridle data remote", async () => {
    const before = await readConfigText(file);
    const text = await change(before);
    if (text !== before) await writeAtomically(file, (handle) => handle.writeFile(text));
  });
}
