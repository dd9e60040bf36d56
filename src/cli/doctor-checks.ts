// The checks of `bridle doctor`, each on its own, so that one that breaks does not hide the others.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { totalmem } from "node:os";
import path from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { thisMachine } from "../config/machine.js";
import { databaseFile, databaseUrl, stateFolder } from "../config/state.js";
import { bridleVersion } from "../config/version.js";
import { toBridleError } from "../errors/error.js";
import { checkRemotes } from "./doctor-remotes.js";
import { checkWork } from "./doctor-work.js";

export interface Check {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  /** What was found. */
  readonly message: string;
  /** What to do about it; absent where nothing needs doing. */
  readonly next?: string;
}

export type Finding = Omit<Check, "name">;

export interface Surroundings {
  /** Where `bridle serve` is to listen; unless said, where the environment has it. */
  readonly port?: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Where the package lies: the folder of its package.json. */
const root = fileURLToPath(new URL("../../", import.meta.url));
const megabyte = 1_000_000;

/** Runs every check, in order of how much hangs on it. */
export async function* runChecks(surroundings: Surroundings): AsyncGenerator<Check> {
  for (const [name, look] of Object.entries(looks)) {
    let finding: Finding;
    try {
      finding = await look(surroundings);
    } catch (thrown) {
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      finding = {
        status: "fail",
        message,
        next: "Run with BRIDLE_DEBUG=1 and report what it says.",
      };
    }
    yield { name, ...finding };
  }
}

const looks: Readonly<Record<string, (surroundings: Surroundings) => Finding | Promise<Finding>>> =
  {
    node: checkNode,
    machine: checkMachine,
    installation: checkInstallation,
    build: checkBuild,
    page: checkPage,
    port: checkPort,
    state: checkState,
    database: checkDatabase,
    spool: checkSpool,
    work: ({ env }) => checkWork(env),
    "api keys": checkKeys,
    network: checkNetwork,
    hub: checkHub,
    remotes: ({ env }) => checkRemotes(process.cwd(), env),
    registry: checkRegistry,
    threads: checkThreads,
    summary: checkSummary,
  };

function checkNode(): Finding {
  const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const wanted = String(manifest.engines.node).replace(/^\D+/, "");
  const [major = 0, minor = 0] = wanted.split(".").map(Number);
  const [haveMajor = 0, haveMinor = 0] = process.versions.node.split(".").map(Number);
  const message = `Node ${process.versions.node} on ${process.platform}-${process.arch}; Bridle ${bridleVersion}`;
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) {
    return { status: "ok", message };
  }
  return {
    status: "fail",
    message,
    next: `Install Node ${wanted} or newer from https://nodejs.org/.`,
  };
}

function checkMachine(): Finding {
  const { threads, quota, memoryBytes: memory, nodes } = thisMachine();
  const limits = [
    ...(quota === undefined ? [] : [`a quota of ${quota} processors`]),
    ...(memory < totalmem() ? ["a memory limit of the container"] : []),
    ...(nodes.length > 1 ? [`${nodes.length} NUMA nodes`] : []),
  ];
  const within = limits.length === 0 ? "" : ` (${limits.join(", ")})`;
  const message = `${threads} ${threads === 1 ? "processor" : "processors"}, ${Math.round(memory / megabyte)} MB memory${within}`;
  if (memory >= 512 * megabyte) return { status: "ok", message };
  return {
    status: "warn",
    message,
    next: "Give it 512 MB, or lower --max-body-bytes and --concurrency of bridle serve.",
  };
}

/** What scripts/build.mjs says of a checkout; undefined in an installed package, which has no scripts. */
async function askCheckout(): Promise<{ installed: boolean; built: boolean } | undefined> {
  const script = path.join(root, "scripts", "build.mjs");
  if (!existsSync(script)) return undefined;
  const child = spawn(process.execPath, [script, "--check"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(await text(child.stdout));
}

async function checkInstallation(): Promise<Finding> {
  const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const names = Object.keys(manifest.dependencies);
  const absent = names.filter((name) => !isInstalled(name));
  if (absent.length > 0) {
    return { status: "fail", message: `missing: ${absent.join(", ")}`, next: "Run npm install." };
  }
  const checkout = await askCheckout();
  if (checkout?.installed === false) {
    const message = "node_modules differs from package-lock.json";
    return { status: "warn", message, next: "Run npm start, or npm ci --ignore-scripts." };
  }
  return { status: "ok", message: `all ${names.length} dependencies are there` };
}

/** Whether Node finds a package from here, which may lie in any node_modules above. */
function isInstalled(name: string): boolean {
  for (let folder = root; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, "node_modules", name, "package.json"))) return true;
    if (path.dirname(folder) === folder) return false;
  }
}

async function checkBuild(): Promise<Finding> {
  const checkout = await askCheckout();
  if (checkout === undefined) return { status: "ok", message: "installed as a package" };
  if (checkout.built) return { status: "ok", message: "dist/ was built from these sources" };
  const message = "dist/ is older than the sources";
  return { status: "warn", message, next: "Run npm run build." };
}

function checkPage(): Finding {
  const page = path.join(root, "dist", "dashboard", "index.html");
  if (existsSync(page)) return { status: "ok", message: "the page at / is built" };
  return { status: "warn", message: "the page at / is not built", next: "Run npm run build." };
}

/** Looks at the port that `bridle serve` would take. */
async function checkPort({ port: wanted, env }: Surroundings): Promise<Finding> {
  const { resolveServeConfig } = await import("../config/serve-config.js");
  let port: number;
  try {
    ({ port } = resolveServeConfig({ port: wanted }, { PORT: env.PORT }));
  } catch (thrown) {
    const { message, hint } = toBridleError(thrown);
    return { status: "fail", message, next: hint };
  }
  return await new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      const reason = error.code === "EADDRINUSE" ? "is taken" : `cannot be used (${error.code})`;
      resolve({
        status: "warn",
        message: `${port} ${reason}`,
        next: "Stop what holds it, or choose another: bridle serve --port 8080.",
      });
    });
    server.listen(port, "127.0.0.1", () => {
      const message = port === 0 ? "a free one will be taken" : `${port} is free`;
      server.close(() => resolve({ status: "ok", message }));
    });
  });
}

async function checkState({ env }: Surroundings): Promise<Finding> {
  const folder = stateFolder(env);
  const file = path.join(folder, `doctor-${process.pid}`);
  try {
    // The first folder that had to be made, so that it can be taken away again.
    const made = await mkdir(folder, { recursive: true });
    await writeFile(file, "");
    await rm(file);
    if (made !== undefined) await rm(made, { recursive: true });
    return { status: "ok", message: `${folder} can be written` };
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return {
      status: "warn",
      message: `${folder} cannot be written: ${reason}`,
      next: "Run in a folder you own, or set BRIDLE_HOME to one.",
    };
  }
}

/** Opens the database where there is one, and looks for what is inconsistent in it and in the files it names. */
async function checkDatabase({ env }: Surroundings): Promise<Finding> {
  const { findDatabaseFaults } = await import("../compose.js");
  const file = databaseFile(databaseUrl(undefined, env));
  if (file !== undefined && !existsSync(file)) {
    return { status: "ok", message: "nothing is recorded here yet" };
  }
  try {
    const { name, faults } = await findDatabaseFaults(undefined, undefined, env);
    if (faults.length === 0) return { status: "ok", message: `${name} is consistent` };
    const more = faults.length > 3 ? `; and ${faults.length - 3} more` : "";
    return {
      status: "fail",
      message: `${name}: ${faults.slice(0, 3).join("; ")}${more}`,
      next: "Restore a backup, or set the file aside and begin with an empty one.",
    };
  } catch (thrown) {
    const { message, hint } = toBridleError(thrown);
    return { status: "fail", message, next: hint };
  }
}

/** Looks for what runs told and no database or tracker has yet. */
async function checkSpool({ env }: Surroundings): Promise<Finding> {
  const { listWaiting } = await import("../compose.js");
  const { waiting, setAside } = await listWaiting(env);
  const left = waiting.filter(({ isHeld }) => !isHeld);
  const [first] = left;
  if (setAside.length > 0) {
    return {
      status: "warn",
      message: `${setAside.length} files with what a tracker refused, or nobody can read: ${setAside[0]}`,
      next: "Look at the reason in it, and delete it when it is no longer needed.",
    };
  }
  if (first !== undefined) {
    const sink = first.sink === "track" ? "" : ` --sink ${first.sink}=${first.destination}`;
    return {
      status: "warn",
      message: `what ${left.length} runs told waits, the first for ${first.destination}`,
      next: `Send it with: bridle runs sync${sink}`,
    };
  }
  return { status: "ok", message: "nothing waits to be told" };
}

/** Reads the environment as `bridle serve` does, so that what it would refuse is told here. */
async function checkKeys({ env }: Surroundings): Promise<Finding> {
  const [{ resolveServeConfig }, { loadKeyRing }] = await Promise.all([
    import("../config/serve-config.js"),
    import("../server/api-keys.js"),
  ]);
  try {
    const config = resolveServeConfig({ port: 0 }, env);
    const { size } = await loadKeyRing(config);
    if (size > 0) return { status: "ok", message: `${size} set` };
    return { status: "ok", message: "none set; the service answers everybody who reaches it" };
  } catch (thrown) {
    const { message, hint } = toBridleError(thrown);
    return { status: "fail", message, next: hint };
  }
}

function checkNetwork({ env }: Surroundings): Finding {
  const proxy = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].find(
    (name) => env[name],
  );
  const seen =
    proxy === undefined
      ? "no proxy is set"
      : `${proxy} is set, which Node heeds with NODE_USE_ENV_PROXY=1`;
  const told =
    "Bridle sends nothing anywhere, no telemetry either, but to download a model you name";
  return { status: "ok", message: `${told}; ${seen}` };
}

/** Tells where models named by a hub id come from and go to; asks the hub nothing. */
async function checkHub({ env }: Surroundings): Promise<Finding> {
  const { readHubSettings } = await import("../config/hub-settings.js");
  try {
    const { endpoint, cacheFolder, offline, token } = readHubSettings(env);
    const models = readdirIfThere(cacheFolder).filter((name) => name.startsWith("models--"));
    const secret = token === undefined ? "no token is set" : `a token is set by ${token.source}`;
    const mode = offline ? "offline, " : "";
    return {
      status: "ok",
      message: `${mode}${endpoint}; ${secret}; cache ${cacheFolder} (models: ${models.length})`,
    };
  } catch (thrown) {
    const { message, hint } = toBridleError(thrown);
    return { status: "fail", message, next: hint };
  }
}

/** Holds every version of the registry against its files, every byte of them, and the aliases against their history. */
async function checkRegistry({ env }: Surroundings): Promise<Finding> {
  const { findRegistry } = await import("../compose.js");
  try {
    const registry = await findRegistry({ env });
    if (registry === undefined) return { status: "ok", message: "no model is registered here" };
    try {
      const { versions, faults } = await registry.check();
      const first = faults.find(({ kind }) => kind === "fault") ?? faults[0];
      const there = `${versions} version${versions === 1 ? "" : "s"} in ${registry.packages.name}`;
      if (first === undefined)
        return { status: "ok", message: `${there}, every file as it was packed` };
      const status = first.kind === "fault" ? "fail" : "warn";
      const told = faults.slice(0, 5).map(({ message }) => message);
      const more = faults.length > told.length ? `; and ${faults.length - told.length} more` : "";
      return { status, message: `${told.join("; ")}${more}`, next: first.next };
    } finally {
      await registry.close();
    }
  } catch (thrown) {
    const { message, hint } = toBridleError(thrown);
    return { status: "fail", message, next: hint };
  }
}

function readdirIfThere(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function checkThreads(): Promise<Finding> {
  return new Promise((resolve) => {
    const worker = new Worker(new URL("./doctor-worker.js", import.meta.url));
    const failed = (reason: string) =>
      resolve({
        status: "fail",
        message: `a worker thread does not start: ${reason}`,
        next: "Check the limits on threads and memory (ulimit -u, the container's limits).",
      });
    worker.once("error", (error) => failed(error.message));
    worker.once("message", () => {
      resolve({ status: "ok", message: "worker threads start" });
      void worker.terminate();
    });
    worker.postMessage("are you there?");
  });
}

const sample =
  "The harbour was closed for three days after the storm. Two ships had lost their anchors and drifted " +
  "towards the pier. Pilots brought both ships back to the harbour before the pier was damaged. " +
  "The lighthouse keeper had a cold that week.";

async function checkSummary(): Promise<Finding> {
  const { createSummarizer } = await import("../summarize/create-summarizer.js");
  const summarizer = await createSummarizer();
  try {
    const { summary, sources, timingsMs } = await summarizer.summarize(sample, {
      parameters: { sentences: 1 },
    });
    const [source] = sources;
    const named = source === undefined ? "" : sample.slice(source.start, source.end);
    if (summary === "" || summary.trim() !== named.trim()) {
      return { status: "fail", message: `a summary came out wrong: ${JSON.stringify(summary)}` };
    }
    return { status: "ok", message: `a summary was made in ${Math.ceil(timingsMs.total)} ms` };
  } finally {
    await summarizer.close();
  }
}
