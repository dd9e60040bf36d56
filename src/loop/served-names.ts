// Which of the models that are served a name means: an alias has several spellings, and a version's number is answered where an alias is at it.
import { BridleError } from "../errors/error.js";
import { parseVersionName } from "../registry/version-name.js";
import type { Summarizer } from "../summarize/summarizer.js";

export interface Served {
  /** By the names they were asked to be served under; the first is the default. */
  readonly summarizers: ReadonlyMap<string, Summarizer>;
  /** Those of the names that are aliases of the registry, which may move while they are served. */
  readonly followed?: ReadonlySet<string>;
}

export interface FoundServed {
  readonly summarizer: Summarizer;
  /** One spelling for all servers: `news@champion`, whether `news` was served, asked for, or both. */
  readonly key: string;
  /** The number that was asked for, where an alias answers because it is there now. */
  readonly pinned?: number;
}

/** The one spelling of a name that is served: of an alias `NAME@ALIAS`, of anything else the name itself. */
export function servedKey({ followed }: Pick<Served, "followed">, name: string): string {
  return followed?.has(name) === true ? (aliasKey(name) ?? name) : name;
}

/** `news@champion` for `news` and for itself; undefined for what names no alias. */
export function aliasKey(name: string): string | undefined {
  const parsed = parseVersionName(name);
  return parsed !== undefined && "alias" in parsed.at
    ? `${parsed.model}@${parsed.at.alias}`
    : undefined;
}

/** The served model that a request names, or the default where it names none. @throws MODEL_NOT_FOUND */
export function getServed(served: Served, name?: string): FoundServed {
  const [first = ""] = served.summarizers.keys();
  const found = findServed(served, name ?? first);
  if (found !== undefined) return found;
  throw notServed(name ?? "", namesOf(served));
}

/** Whether a request may call a served model so. */
export const isServed = (served: Served, name: string) => findServed(served, name) !== undefined;

/** The same, as the summarizer alone. @throws MODEL_NOT_FOUND */
export function getSummarizer(served: Served, name?: string): Summarizer {
  return getServed(served, name).summarizer;
}

/**
 * The same for work that outlasts the moment, and so cannot be promised the version at which an alias is now.
 * @throws MODEL_NOT_FOUND
 */
export function getLasting(served: Served, name?: string): FoundServed {
  const found = getServed(served, name);
  if (found.pinned === undefined) return found;
  const where = `${found.key}, which is at version ${found.pinned} now and may move while a batch goes on`;
  throw notServed(name ?? "", where);
}

function findServed(served: Served, name: string): FoundServed | undefined {
  const { summarizers, followed = new Set<string>() } = served;
  const own = summarizers.get(name);
  if (own !== undefined) return { summarizer: own, key: servedKey(served, name) };
  const asked = parseVersionName(name);
  if (asked === undefined) return undefined;
  const key = aliasKey(name);
  for (const each of followed) {
    const summarizer = summarizers.get(each);
    if (summarizer === undefined) continue;
    const eachKey = servedKey(served, each);
    if (eachKey === key) return { summarizer, key: eachKey };
    if (!("version" in asked.at) || parseVersionName(each)?.model !== asked.model) continue;
    const { version } = asked.at;
    if (numberOf(summarizer.version) !== version) continue;
    return { summarizer: pinTo(summarizer, name, version, served), key: eachKey, pinned: version };
  }
  return undefined;
}

/** A registered version's number, without what is appended for rounded weights. */
const numberOf = (version: string) => Number(version.replace(/-int[48]$/, ""));

/** An alias as the version at which it was found: where it moves before or while a document is read, that is no answer. */
function pinTo(of: Summarizer, name: string, number: number, served: Served): Summarizer {
  const { model, version, digest, licence, traits, supportedParameters, defaults } = of;
  const check = (now: string) => {
    if (numberOf(now) !== number) throw notServed(name, namesOf(served));
  };
  return {
    ...{ model, version, pinned: number, traits, supportedParameters, defaults },
    ...(digest !== undefined && { digest }),
    ...(licence !== undefined && { licence }),
    async summarize(document, options) {
      check(of.version);
      const result = await of.summarize(document, options);
      check(result.version);
      return result;
    },
    load: () => of.load?.(),
    warmUp: () => of.warmUp(),
    // Whoever serves the alias closes it.
    close: async () => {},
  };
}

function notServed(name: string, available: string): BridleError {
  return new BridleError("MODEL_NOT_FOUND", {
    model: JSON.stringify(name.slice(0, 200)),
    available,
  });
}

/** The names that are served, and the versions at which aliases are. */
function namesOf({ summarizers, followed }: Served): string {
  return [...summarizers]
    .map(([name, { version }]) =>
      followed?.has(name) === true ? `${name} (version ${numberOf(version)} now)` : name,
    )
    .join(", ");
}
