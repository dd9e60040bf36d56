// What a newcomer does, done for real: a fresh clone, an empty npm cache, `npm start`, the original routes and the
// page, a stop by SIGTERM, and a second start that must neither install nor build.
// @ts-check
import "./node-version.mjs";
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const windows = process.platform === "win32";
/** Installing with an empty cache and building, on a slow machine. */
const startLimitMs = 10 * 60_000;
const stopLimitMs = 30_000;

const text =
  "The harbour of Ribe silted up in the seventeenth century. Ships then unloaded on the island of Fanø. " +
  "The town lost its trade and half of its people within two generations. Its medieval streets survived for want " +
  "of money to rebuild them. Today they draw more visitors each summer than the port ever drew ships.";

let passed = 0;
let failed = 0;

/** @param {string} name @param {() => Promise<void>} check */
async function step(name, check) {
  const began = Date.now();
  try {
    await check();
    passed += 1;
    console.log(`ok   ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  } catch (thrown) {
    failed += 1;
    console.log(`FAIL ${name}: ${thrown instanceof Error ? thrown.message : thrown}`);
  }
}

/** @param {boolean} held @param {string} message @returns {asserts held} */
function assert(held, message) {
  if (!held) throw new Error(message);
}

/** The environment without what an outer npm or test runner left in it. @param {Record<string, string>} extra */
function cleanEnvironment(extra) {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(lifecycle|package|execpath|node_execpath|command|config_local_prefix)|INIT_CWD|NODE_(OPTIONS|ENV|PATH)|VITEST|BRIDLE_)/i.test(
        name,
      ),
  );
  return { ...Object.fromEntries(kept), ...extra };
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/**
 * @typedef {{url: string, output: () => string, stop: () => Promise<void>, kill: () => void}} Running
 */

/** `npm start` in the clone, once it answers. @param {string} clone @param {Record<string, string>} extra @returns {Promise<Running>} */
async function npmStart(clone, extra) {
  const port = await freePort();
  const child = spawn("npm", ["start"], {
    cwd: clone,
    env: cleanEnvironment({ ...extra, PORT: String(port) }),
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, so that cleaning up reaches the server behind npm and nothing else.
    detached: !windows,
    shell: windows,
  });
  let output = "";
  child.stdout?.on("data", (chunk) => (output += chunk));
  child.stderr?.on("data", (chunk) => (output += chunk));
  /** @type {Promise<number | string | null>} */
  const ended = new Promise((resolve) => {
    child.once("error", (cause) => resolve(cause.message));
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  const kill = () => {
    if (child.pid === undefined) return;
    try {
      if (windows) spawn("taskkill", ["/pid", String(child.pid), "/T", "/F"]);
      else process.kill(-child.pid, "SIGKILL");
    } catch {
      // The group is gone already, which is what was wanted.
    }
  };
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    if (windows) {
      // Windows has no SIGTERM to send; the server's own tests cover draining there.
      kill();
      await ended;
      return;
    }
    child.kill("SIGTERM");
    const outcome = await Promise.race([ended, sleep(stopLimitMs, "still running")]);
    assert(outcome === 0 || outcome === 143 || outcome === "SIGTERM", `it ended with ${outcome}`);
    const after = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
    assert(after === undefined, "something still answers on its port");
  };
  const deadline = Date.now() + startLimitMs;
  for (;;) {
    const answer = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(2000) }).catch(
      () => undefined,
    );
    if (answer?.ok) return { url, output: () => output, stop, kill };
    const over = await Promise.race([ended.then((how) => `ended with ${how}`), sleep(200, "")]);
    if (over !== "" || Date.now() > deadline) {
      kill();
      throw new Error(`npm start ${over || "did not answer in time"}; it printed:\n${output}`);
    }
  }
}

/** The lines of the original service's report, as they stand there. @param {string} url @param {string} clone */
async function askOriginalRoutes(url, clone) {
  const file = path.join(clone, "..", "text.txt");
  writeFileSync(file, text);
  const json = ["--header", "Content-Type: application/json", "--request", "POST"];
  for (const request of [
    [...json, "--data", JSON.stringify({ content: text }), `${url}/bert`],
    ["-F", `file=@${file}`, `${url}/bert-file/`],
  ]) {
    const { stdout } = await run("curl", ["--silent", "--show-error", "--fail", ...request]);
    const { summary } = JSON.parse(stdout);
    assert(typeof summary === "string" && summary !== "", `no summary in ${stdout}`);
    assert(text.includes(summary.split(". ")[0] ?? "?"), `not from the text: ${summary}`);
  }
}

/** The page and all that it loads come from this server. @param {string} url */
async function openPage(url) {
  const page = await fetch(`${url}/`);
  assert(page.ok && /text\/html/.test(page.headers.get("content-type") ?? ""), "no page at /");
  const html = await page.text();
  const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
  const assets = links.filter((link) => !/^(data:|#)/.test(link));
  assert(
    assets.some((link) => /\.js$/.test(link)),
    "the page loads no script",
  );
  for (const link of assets) {
    assert(!/^(https?:)?\/\//.test(link), `the page loads ${link} from elsewhere`);
    const asset = await fetch(new URL(link, `${url}/`));
    assert(asset.ok, `${link} answers ${asset.status}`);
    assert((await asset.arrayBuffer()).byteLength > 0, `${link} is empty`);
  }
}

/** What changes when something is installed or built. @param {string} clone */
function stamps(clone) {
  return ["node_modules/.bridle-install", "node_modules/.package-lock.json", "dist/.stamp"].map(
    (file) => {
      const { ino, mtimeMs } = statSync(path.join(clone, file));
      return `${file} ${ino} ${mtimeMs}`;
    },
  );
}

const folder = mkdtempSync(path.join(tmpdir(), "bridle-smoke-"));
const clone = path.join(folder, "bridle");
const cache = path.join(folder, "npm-cache");
mkdirSync(cache);
/** @type {Running | undefined} */
let server;
process.once("exit", () => {
  server?.kill();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.once(signal, () => process.exit(130));
}

await step("a fresh clone", async () => {
  await run("git", ["clone", "--quiet", "--no-hardlinks", root, clone]);
  assert(!existsSync(path.join(clone, "node_modules")), "the clone has a node_modules");
});
if (failed === 0) {
  await step("npm start with an empty npm cache folder", async () => {
    server = await npmStart(clone, { npm_config_cache: cache });
  });
}
if (server !== undefined) {
  const first = server;
  await step("curl on /bert and /bert-file/", () => askOriginalRoutes(first.url, clone));
  await step("the page and its assets", () => openPage(first.url));
  await step("it stops at SIGTERM", () => first.stop());
  first.kill();
  await step("a second start neither installs nor builds", async () => {
    const before = stamps(clone);
    // Offline and without a cache, so that an install could not succeed unseen.
    server = await npmStart(clone, {
      npm_config_cache: path.join(folder, "no-cache"),
      npm_config_offline: "true",
    });
    assert(String(stamps(clone)) === String(before), "node_modules or dist changed");
    assert(!/install|build/i.test(server.output()), `it printed:\n${server.output()}`);
    await askOriginalRoutes(server.url, clone);
    await server.stop();
  });
}
console.log(`smoke: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
