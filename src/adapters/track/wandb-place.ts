// Where at Weights & Biases runs are told: the service, who has the project, and the key, found as W&B's own clients find them.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { BridleError } from "../../errors/error.js";

type Environment = Readonly<Record<string, string | undefined>>;

export interface WandbPlace {
  /** The service's address, without a slash at its end. */
  readonly api: string;
  /** Whose the project is; empty: whose the key is. */
  readonly entity: string;
  /** Empty: each experiment is a project of its name. */
  readonly project: string;
  readonly key: string;
  /** All of it but the key, as `--sink wandb=` takes it. */
  readonly name: string;
}

const publicApi = "https://api.wandb.ai";
const isEntity = /^[\w.-]+$/;
/** What W&B lets no project be called by: these letters, and more than 128. */
const isProject = /^[^/\\#?%:\s]{1,128}$/;

/**
 * @param where `ENTITY/PROJECT`, `PROJECT`, `ENTITY/`, an address of a server with one of these after it or none, or nothing
 * @param env WANDB_ENTITY and WANDB_PROJECT for what is left out, WANDB_BASE_URL, and WANDB_API_KEY before ~/.netrc
 * @throws SINK_UNKNOWN, SINK_KEY_MISSING
 */
export function wandbPlace(where: string, env: Environment): WandbPlace {
  const { api, rest } = splitAddress(where, env);
  const slash = rest.indexOf("/");
  const entity = slash === -1 ? "" : rest.slice(0, slash);
  const project = rest.slice(slash + 1);
  const found = {
    entity: entity || (rest === "" ? (env.WANDB_ENTITY ?? "") : ""),
    project: project || (rest === "" ? (env.WANDB_PROJECT ?? "") : ""),
  };
  if (
    (found.entity !== "" && !isEntity.test(found.entity)) ||
    (found.project !== "" && !isProject.test(found.project))
  ) {
    throw unknown(`${JSON.stringify(rest)} is not ENTITY/PROJECT`);
  }
  const parts = found.entity === "" ? found.project : `${found.entity}/${found.project}`;
  const name = parts === "" ? api : `${api}/${parts}`;
  return { api, ...found, key: findKey(api, env), name };
}

function unknown(reason: string): BridleError {
  return new BridleError("SINK_UNKNOWN", { sink: "wandb", reason });
}

/** The service, and what stands after it. */
function splitAddress(where: string, env: Environment): { api: string; rest: string } {
  const base = (env.WANDB_BASE_URL || publicApi).replace(/\/+$/, "");
  if (!/^https?:/i.test(where)) return { api: addressOf(base), rest: where };
  // A server may lie below a path of its own.
  if (`${where}/`.startsWith(`${base}/`)) {
    return { api: addressOf(base), rest: where.slice(base.length + 1) };
  }
  const { protocol, pathname, host } = checkedAddress(where);
  // What browsers show is not what programs ask.
  const api = /^(www\.)?wandb\.ai$/.test(host) ? publicApi : `${protocol}//${host}`;
  return { api, rest: decodeURIComponent(pathname.slice(1)) };
}

function addressOf(url: string): string {
  return checkedAddress(url).href.replace(/\/+$/, "");
}

function checkedAddress(url: string): URL {
  const address = URL.canParse(url) ? new URL(url) : undefined;
  if (address === undefined || !/^https?:$/.test(address.protocol)) {
    throw unknown("WANDB_BASE_URL is no address, such as https://api.wandb.ai");
  }
  if (address.username !== "" || address.password !== "") {
    throw unknown("a key is in its address, where others may read it; set WANDB_API_KEY instead");
  }
  return address;
}

/** @throws SINK_KEY_MISSING: nobody is asked for it */
function findKey(api: string, env: Environment): string {
  const { host, hostname } = new URL(api);
  const key = env.WANDB_API_KEY?.trim() || keyInNetrc(host, env) || keyInNetrc(hostname, env);
  if (key) return key;
  throw new BridleError("SINK_KEY_MISSING", { sink: `Weights & Biases at ${api}`, host });
}

/** The password of a machine in ~/.netrc, where `wandb login` puts the key. */
function keyInNetrc(host: string, env: Environment): string | undefined {
  const name = process.platform === "win32" ? "_netrc" : ".netrc";
  const file = env.NETRC || path.join(env.HOME || homedir(), name);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  const words = text.replaceAll(/(^|\s)#.*$/gm, "").split(/\s+/);
  let isHost = false;
  for (const [i, word] of words.entries()) {
    if (word === "machine") isHost = words[i + 1] === host;
    else if (word === "default") isHost = false;
    else if (word === "password" && isHost) return words[i + 1];
  }
  return undefined;
}

/** The project that an experiment's runs go to. */
export function projectOf({ project }: WandbPlace, experiment: string): string {
  return project || experiment.replaceAll(/[/\\#?%:\s]+/g, "-").slice(0, 128) || "default";
}
