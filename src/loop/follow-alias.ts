// Decides whether a served name is an alias of the registry, and opens what follows it.
import { stat } from "node:fs/promises";
import { parseVersionName } from "../registry/version-name.js";
import { type OpenSummarizerOptions, openSummarizer } from "../summarize/create-summarizer.js";
import type { OpenRegistry } from "./registered-source.js";
import { type ServedAlias, type ServedAliasOptions, serveAlias } from "./served-alias.js";
import { aliasKey } from "./served-names.js";

export interface FollowAliasOptions
  extends Pick<ServedAliasOptions, "pollMs" | "onEvent" | "signal" | "takeTurn"> {
  readonly summarizer: Omit<OpenSummarizerOptions, "signal">;
  readonly freeBytes?: ServedAliasOptions["freeBytes"];
}

/** Memory that the operating system, or the container's limit, still lets this process have; Node 20.13 and later tell. */
function availableMemory(): number | undefined {
  return process.availableMemory?.();
}

/** Whether a name is that of an alias and of nothing else: what lies here goes before what is registered, as everywhere. */
export async function meansAlias(name: string): Promise<boolean> {
  if (aliasKey(name) === undefined) return false;
  const isFolder = await stat(name).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return !isFolder;
}

/**
 * What serves an alias; undefined for a name of something else, as a folder's, a version's number or the hub's.
 * @throws what serveAlias throws
 */
export async function followAlias(
  name: string,
  openRegistry: OpenRegistry,
  { summarizer, freeBytes = availableMemory, ...watching }: FollowAliasOptions,
): Promise<ServedAlias | undefined> {
  const parsed = parseVersionName(name);
  if (parsed === undefined || !("alias" in parsed.at) || !(await meansAlias(name)))
    return undefined;
  const registry = await openRegistry();
  try {
    if (registry === undefined || (await registry.findVersion(name)) === undefined) {
      await registry?.close();
      return undefined;
    }
    return await serveAlias({
      ...{ name, model: parsed.model, alias: parsed.at.alias, registry, freeBytes, ...watching },
      open: (found, signal) => openSummarizer(found, name, { ...summarizer, signal }),
    });
  } catch (thrown) {
    await registry?.close();
    throw thrown;
  }
}
