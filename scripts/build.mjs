// Makes a checkout ready to run: installs what package-lock.json names and builds dist/, each only when stale.
// @ts-check
import "./node-version.mjs";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { acquireLock } from "./lock.mjs";

/**
 * @typedef {import("./lock.mjs").Lock} Lock
 * @typedef {{root?: string, log?: (line: string) => void}} Options
 *   root: the checkout; log: where progress lines go, standard error unless said.
 * @typedef {{what: string, hint: string, exitCode: number}} Failure
 * @typedef {{version?: string, integrity?: string, optional?: boolean, link?: boolean}} LockedPackage
 */

const checkout = fileURLToPath(new URL("..", import.meta.url));

/** A step that failed for a reason its own output has told; shown without a stack. */
export class SetupError extends Error {
  /** @param {string} message @param {string} hint @param {number} exitCode */
  constructor(message, hint, exitCode) {
    super(message);
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

/** @param {string} line */
const toStandardError = (line) => void process.stderr.write(`${line}\n`);

// --- installing ---------------------------------------------------------------------------------

/**
 * Runs `npm ci --ignore-scripts` unless node_modules was installed from this package-lock.json on this platform.
 * @param {Options} [options]
 * @returns {Promise<boolean>} whether it installed
 * @throws SetupError when npm fails
 */
export async function ensureInstalled({ root = checkout, log = toStandardError } = {}) {
  if (isInstalled(root)) return false;
  return await locked(root, log, async (lock) => {
    if (isInstalled(root)) return false;
    log("Installing dependencies with npm ci; the first time this takes a minute or two …");
    const began = Date.now();
    // Both must be gone before npm starts, or an install that is cut short would look whole.
    rmSync(installStamp(root), { force: true });
    rmSync(hiddenLockfile(root), { force: true });
    await runNpm(
      ["ci", "--ignore-scripts", "--include=dev", "--no-audit", "--no-fund"],
      root,
      lock,
    );
    writeInstallStamp(root);
    log(`Installed in ${seconds(began)}.`);
    return true;
  });
}

/** @param {string} root */
export function isInstalled(root = checkout) {
  const stamp = existsSync(installStamp(root))
    ? readFileSync(installStamp(root), "utf8")
    : undefined;
  if (stamp === installKey(root)) return true;
  // Compiled parts differ by platform, as in a folder shared with a container.
  if (stamp !== undefined && !stamp.endsWith(platformKey)) return false;
  if (!matchesHiddenLockfile(root)) return false;
  writeInstallStamp(root);
  return true;
}

/** @param {string} root */
function installStamp(root) {
  return path.join(root, "node_modules", ".bridle-install");
}

/** The record of what it installed that npm writes last. @param {string} root */
function hiddenLockfile(root) {
  return path.join(root, "node_modules", ".package-lock.json");
}

/** @param {string} root */
function writeInstallStamp(root) {
  const written = `${installStamp(root)}.${process.pid}`;
  writeFileSync(written, installKey(root));
  renameSync(written, installStamp(root));
}

const platformKey = ` ${process.platform}-${process.arch}\n`;

/** Which lockfile and platform an install belongs to. @param {string} root */
function installKey(root) {
  const hash = createHash("sha256").update(readFileSync(path.join(root, "package-lock.json")));
  return `${hash.digest("hex")}${platformKey}`;
}

/**
 * Whether a developer's own `npm install` left just what the lockfile names, so that nothing needs doing.
 * @param {string} root
 */
function matchesHiddenLockfile(root) {
  if (!existsSync(hiddenLockfile(root))) return false;
  /** @type {Record<string, LockedPackage>} */
  const wanted = readJson(path.join(root, "package-lock.json")).packages;
  /** @type {Record<string, LockedPackage>} */
  const present = readJson(hiddenLockfile(root)).packages;
  return Object.entries(wanted).every(([folder, row]) => {
    const found = present[folder];
    if (folder === "") return true;
    if (found === undefined) return row.optional === true;
    return (
      found.version === row.version &&
      found.integrity === row.integrity &&
      existsSync(path.join(root, folder))
    );
  });
}

const sourceFailure = { hint: "Correct the errors above and run it again.", exitCode: 1 };

// --- building -----------------------------------------------------------------------------------

/**
 * Builds dist/ unless it was built from these very sources.
 * @param {Options} [options]
 * @returns {Promise<boolean>} whether it built
 * @throws SetupError when the compiler or the bundler fails; dist/ then stays as it was
 */
export async function ensureBuilt({ root = checkout, log = toStandardError } = {}) {
  if (isBuilt(root)) return false;
  return await locked(root, log, async (lock) => {
    if (isBuilt(root)) return false;
    log("Building Bridle from its sources; this takes about half a minute …");
    const began = Date.now();
    for (const name of readdirSync(root)) {
      if (name.startsWith(".dist-"))
        rmSync(path.join(root, name), { recursive: true, force: true });
    }
    // Beside dist/, so that source maps hold the same relative paths after the swap.
    const fresh = path.join(root, `.dist-new-${process.pid}`);
    try {
      await buildInto(fresh, root, log, lock);
      await swap(fresh, path.join(root, "dist"), path.join(root, `.dist-old-${process.pid}`));
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
    log(`Built in ${seconds(began)}.`);
    return true;
  });
}

/** @param {string} root */
export function isBuilt(root = checkout) {
  const stamp = path.join(root, "dist", ".stamp");
  return existsSync(stamp) && readFileSync(stamp, "utf8") === sourceHash(root);
}

/**
 * @param {string} fresh @param {string} root @param {(line: string) => void} log @param {Lock} lock
 */
async function buildInto(fresh, root, log, lock) {
  // Hashed before compiling: a file edited meanwhile makes the next start build again.
  const hash = sourceHash(root);
  // What does not parse is refused; types are checked by `npm run typecheck`, which takes far longer than this.
  await runNode(
    "node_modules/typescript/bin/tsc",
    ["-p", "tsconfig.json", "--noCheck", "--outDir", fresh],
    { what: "The TypeScript compiler", ...sourceFailure },
    root,
    lock,
  );
  copyAssets(path.join(root, "src"), fresh);
  if (existsSync(path.join(root, "dashboard", "index.html"))) {
    log("Building the page …");
    await runNode(
      "node_modules/vite/bin/vite.js",
      [
        "build",
        "dashboard",
        "--outDir",
        path.join(fresh, "dashboard"),
        "--emptyOutDir",
        "--logLevel",
        "error",
      ],
      { what: "The page's bundler", ...sourceFailure },
      root,
      lock,
    );
  }
  copyDocsAssets(root, path.join(fresh, "server", "docs-assets"));
  await writeCharsmap(path.join(fresh, "text", "tokenizers", "train"));
  const binary = path.join(fresh, "cli", "main.js");
  if (existsSync(binary)) chmodSync(binary, 0o755);
  const { bundle } = await import("./bundle.mjs");
  await bundle(fresh, root).catch((thrown) => {
    log(thrown.message);
    throw new SetupError("Joining the files of dist/ failed.", sourceFailure.hint, 1);
  });
  writeFileSync(path.join(fresh, ".stamp"), hash);
}

/** Files of src/ that the compiler leaves alone, such as word lists. @param {string} from @param {string} to */
function copyAssets(from, to) {
  for (const file of listFiles(from)) {
    if (/\.(ts|tsx|json|md)$/.test(file)) continue;
    mkdirSync(path.dirname(path.join(to, file)), { recursive: true });
    cpSync(path.join(from, file), path.join(to, file));
  }
}

/** What the offline API page loads, with the licence and notice that come with it. @param {string} root @param {string} to */
function copyDocsAssets(root, to) {
  const from = path.join(root, "node_modules", "swagger-ui-dist");
  mkdirSync(to, { recursive: true });
  for (const name of [
    "swagger-ui-bundle.js",
    "swagger-ui-bundle.js.LICENSE.txt",
    "swagger-ui.css",
    "LICENSE",
    "NOTICE",
  ]) {
    cpSync(path.join(from, name), path.join(to, name));
  }
}

/**
 * The normalization table of tokenizers unless they ask for another, which takes more than a second to make.
 * @param {string} folder of the compiled file that makes it, and looks for it there
 */
async function writeCharsmap(folder) {
  const maker = path.join(folder, "charsmap.js");
  if (!existsSync(maker)) return;
  const { buildCharsmap } = await import(pathToFileURL(maker).href);
  writeFileSync(path.join(folder, "nmt_nfkc.charsmap"), buildCharsmap("nmt_nfkc"));
}

/** A hash over every file that decides what dist/ holds, by name and content. @param {string} root */
export function sourceHash(root = checkout) {
  const files = [
    ...listFiles(path.join(root, "src")).map((file) => `src/${file}`),
    ...listFiles(path.join(root, "dashboard")).map((file) => `dashboard/${file}`),
    ...readdirSync(root).filter((name) => /^tsconfig.*\.json$/.test(name)),
    "package-lock.json",
    "scripts/build.mjs",
    "scripts/bundle.mjs",
  ].filter((file) => !/\.test\.tsx?$/.test(file));
  const hash = createHash("sha256");
  for (const file of files.sort()) {
    const full = path.join(root, file);
    if (!existsSync(full)) continue;
    const content = readFileSync(full);
    hash.update(`${file}\n${content.length}\n`).update(content);
  }
  return hash.digest("hex");
}

/** Files under a folder, as paths relative to it with forward slashes. @param {string} folder @returns {string[]} */
function listFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "node_modules" || entry.name === "dist" || entry.name.startsWith(".")) {
      return [];
    }
    if (!entry.isDirectory()) return [entry.name];
    return listFiles(path.join(folder, entry.name)).map((file) => `${entry.name}/${file}`);
  });
}

/**
 * Puts a finished build in the place of the last one.
 * @param {string} fresh @param {string} dist @param {string} aside
 */
async function swap(fresh, dist, aside) {
  if (existsSync(dist)) await renamePatiently(dist, aside);
  await renamePatiently(fresh, dist);
  rmSync(aside, { recursive: true, force: true, maxRetries: 5 });
}

/** Windows refuses to rename a folder while a scanner or another process has a file of it open. @param {string} from @param {string} to */
async function renamePatiently(from, to) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      renameSync(from, to);
      return;
    } catch (thrown) {
      const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
      if (attempt === 20 || !["EPERM", "EACCES", "EBUSY"].includes(code)) throw thrown;
      await sleep(100 * attempt);
    }
  }
}

// --- processes ----------------------------------------------------------------------------------

/**
 * @template T
 * @param {string} root @param {(line: string) => void} log @param {(lock: Lock) => Promise<T>} work
 * @returns {Promise<T>}
 */
async function locked(root, log, work) {
  const lock = await acquireLock(path.join(root, ".bridle", "setup.lock"), () =>
    log("Another process is installing or building here; waiting for it …"),
  );
  try {
    return await work(lock);
  } finally {
    lock.release();
  }
}

/** @param {string[]} args @param {string} root @param {Lock} lock */
async function runNpm(args, root, lock) {
  const failure = {
    what: `npm ${args[0]}`,
    hint: "Read npm's lines above; if they speak of the network, check it (and any proxy) and run the same command again.",
    exitCode: 8,
  };
  const running = process.env.npm_execpath;
  if (running !== undefined && path.basename(running) === "npm-cli.js") {
    await runChild(process.execPath, [running, ...args], failure, root, lock);
  } else if (process.platform === "win32") {
    // npm is a batch file there, which only a shell starts; the arguments are our own constants.
    await runChild(`npm.cmd ${args.join(" ")}`, [], failure, root, lock, true);
  } else {
    await runChild("npm", args, failure, root, lock);
  }
}

/**
 * @param {string} script @param {string[]} args @param {Failure} failure
 * @param {string} root @param {Lock} lock
 */
async function runNode(script, args, failure, root, lock) {
  await runChild(process.execPath, [path.join(root, script), ...args], failure, root, lock);
}

/**
 * @param {string} command @param {string[]} args @param {Failure} failure
 * @param {string} root @param {Lock} lock @param {boolean} shell
 * @returns {Promise<void>}
 */
function runChild(command, args, failure, root, lock, shell = false) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", 2, 2], shell });
    if (child.pid !== undefined) lock.addProcess(child.pid);
    /** @type {NodeJS.Signals | undefined} */
    let stoppedBy;
    const stop = (/** @type {NodeJS.Signals} */ signal) => {
      stoppedBy = signal;
      child.kill(signal);
    };
    process.on("SIGINT", stop).on("SIGTERM", stop);
    const settle = (/** @type {() => void} */ outcome) => {
      process.off("SIGINT", stop).off("SIGTERM", stop);
      if (stoppedBy !== undefined) {
        const exitCode = stoppedBy === "SIGINT" ? 130 : 143;
        reject(
          new SetupError(`${failure.what} was stopped.`, "Run the same command again.", exitCode),
        );
      } else outcome();
    };
    child.once("error", (cause) =>
      settle(() =>
        reject(
          new SetupError(
            `${failure.what} could not be started: ${cause.message}.`,
            "Is it installed and on the PATH?",
            failure.exitCode,
          ),
        ),
      ),
    );
    child.once("exit", (code, signal) =>
      settle(() => {
        if (code === 0) resolve();
        else {
          const how = code === null ? `was ended by ${signal}` : `ended with code ${code}`;
          reject(new SetupError(`${failure.what} ${how}.`, failure.hint, failure.exitCode));
        }
      }),
    );
  });
}

// --- the command --------------------------------------------------------------------------------

/**
 * Installs and builds what is stale; a failure is told in two lines and ends the process.
 * @returns {Promise<{installed: boolean, built: boolean}>}
 */
export async function prepare() {
  try {
    const installed = await ensureInstalled();
    return { installed, built: await ensureBuilt() };
  } catch (thrown) {
    if (!(thrown instanceof SetupError)) throw thrown;
    console.error(thrown.message);
    console.error(thrown.hint);
    process.exit(thrown.exitCode);
  }
}

/** @param {string} file */
function readJson(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}

/** @param {number} began */
function seconds(began) {
  return `${((Date.now() - began) / 1000).toFixed(1)} s`;
}

const isCommand =
  process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href;
if (isCommand && process.argv.includes("--check")) {
  // Asked by `bridle doctor`.
  process.stdout.write(`${JSON.stringify({ installed: isInstalled(), built: isBuilt() })}\n`);
} else if (isCommand) {
  const { built } = await prepare();
  if (!built) console.error("dist/ is up to date.");
}
