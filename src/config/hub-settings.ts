// HubSettings: what the environment says of the Hugging Face hub, its cache and the token, read as huggingface_hub reads it.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { BridleError } from "../errors/error.js";
import { readError, systemCode } from "../errors/file-errors.js";

type Environment = Readonly<Record<string, string | undefined>>;

export interface HubSettings {
  /** Address of the hub, without a slash at its end. */
  readonly endpoint: string;
  /** The cache: a folder with one folder for each repository. */
  readonly cacheFolder: string;
  /** Nothing is asked of the hub; what is in the cache is used. */
  readonly offline: boolean;
  readonly token?: HubToken;
  /** How long the hub may take to say what a repository or a file is, in ms. */
  readonly answerTimeoutMs: number;
  /** How long a download may pause, in ms. */
  readonly downloadTimeoutMs: number;
  /** Pause before the first of several new tries, in ms; each further one is twice as long. */
  readonly retryDelayMs: number;
  /** Whether snapshots point into the blobs; else they hold the files themselves. */
  readonly symlinks: boolean;
}

export interface HubToken {
  readonly value: string;
  /** Where it comes from, for messages: a variable's name or a file. */
  readonly source: string;
}

const publicHub = "https://huggingface.co";

/**
 * Reads HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE, the two
 * timeouts HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT, HF_HUB_DISABLE_SYMLINKS and XDG_CACHE_HOME.
 * @throws HUB_SETTING_INVALID; FILE_NOT_READABLE for a token file that is there and cannot be read
 * Source: huggingface_hub, constants.py and utils/_auth.py.
 */
export function readHubSettings(
  env: Environment = process.env,
  home: string = homedir(),
): HubSettings {
  const said = (...names: readonly string[]): string | undefined =>
    names.map((name) => env[name]).find((value) => value !== undefined && value !== "");
  const folder = (value: string) => resolve(expand(value, env, home));
  const cacheHome = said("XDG_CACHE_HOME") ?? join(home, ".cache");
  const hubHome = folder(said("HF_HOME") ?? join(cacheHome, "huggingface"));
  const token = isTrue(said("HF_HUB_DISABLE_IMPLICIT_TOKEN"))
    ? undefined
    : findToken(said, folder(said("HF_TOKEN_PATH") ?? join(hubHome, "token")));
  return {
    endpoint: endpointOf(said("HF_ENDPOINT") ?? publicHub),
    cacheFolder: folder(said("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? join(hubHome, "hub")),
    offline: isTrue(said("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
    ...(token === undefined ? {} : { token }),
    answerTimeoutMs: secondsOf("HF_HUB_ETAG_TIMEOUT", said("HF_HUB_ETAG_TIMEOUT")) * 1000,
    downloadTimeoutMs: secondsOf("HF_HUB_DOWNLOAD_TIMEOUT", said("HF_HUB_DOWNLOAD_TIMEOUT")) * 1000,
    retryDelayMs: 1000,
    symlinks: !isTrue(said("HF_HUB_DISABLE_SYMLINKS")),
  };
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && ["1", "ON", "YES", "TRUE"].includes(value.toUpperCase());
}

/** `~` and `$NAME` or `${NAME}` put in; a name without a value stays as it is. */
function expand(value: string, env: Environment, home: string): string {
  return value
    .replace(/^~(?=$|[/\\])/, () => home)
    .replaceAll(/\$(?:(\w+)|\{(\w+)\})/g, (whole, bare, braced) => env[bare ?? braced] ?? whole);
}

function endpointOf(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isSecret = url !== undefined && url.username + url.password !== "";
  const isAddress = url !== undefined && /^https?:$/.test(url.protocol) && !isSecret;
  if (isAddress && url.search + url.hash === "") return value.replace(/\/+$/, "");
  throw new BridleError("HUB_SETTING_INVALID", {
    name: "HF_ENDPOINT",
    value: isSecret ? "an address with a password in it" : JSON.stringify(value),
    expected: `an address such as ${publicHub}, with the token in HF_TOKEN`,
  });
}

function secondsOf(name: string, value = "10"): number {
  if (/^\d{1,6}$/.test(value) && Number(value) > 0) return Number(value);
  const details = { name, value: JSON.stringify(value), expected: "a whole number of seconds" };
  throw new BridleError("HUB_SETTING_INVALID", details);
}

function findToken(
  said: (...names: readonly string[]) => string | undefined,
  file: string,
): HubToken | undefined {
  for (const source of ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]) {
    const value = said(source)?.trim();
    if (value) return checked({ value, source });
  }
  try {
    const value = readFileSync(file, "utf8")
      .replaceAll(/[\r\n]/g, "")
      .trim();
    return value === "" ? undefined : checked({ value, source: file });
  } catch (thrown) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(thrown))) return undefined;
    throw readError(thrown, file);
  }
}

/** A token goes into a header, which takes no other characters. The message must not repeat it. */
function checked(token: HubToken): HubToken {
  if (/^[\x21-\x7e]+$/.test(token.value)) return token;
  throw new BridleError("HUB_SETTING_INVALID", {
    name: token.source,
    value: "not a token",
    expected: "one word of printable ASCII, such as hf_…",
  });
}
