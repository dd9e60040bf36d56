// Compares the hub's cache with the real huggingface_hub's: each reads what the other wrote, and both write the same.
// Usage: node scripts/parity-hub.mjs --python PYTHON --model FOLDER
// PYTHON is a Python with huggingface_hub, transformers, torch and sentencepiece; FOLDER holds a Pegasus model.
// @ts-check
import { spawn } from "node:child_process";
import { lstat, mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startFakeHub } from "../test/support/fake-hub.mjs";

const { values } = parseArgs({
  options: { python: { type: "string" }, model: { type: "string" } },
});
if (values.python === undefined || values.model === undefined) {
  console.error("Usage: node scripts/parity-hub.mjs --python PYTHON --model FOLDER");
  process.exit(2);
}
const { python, model } = values;
const repo = "reed/pegasus";
const binary = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const script = fileURLToPath(new URL("./parity/hub.py", import.meta.url));

/** @type {Record<string, Uint8Array>} */
const files = {};
for (const name of await readdir(model)) {
  const file = path.join(model, name);
  if ((await lstat(file)).isFile()) files[name] = await readFile(file);
}
const root = await mkdtemp(path.join(tmpdir(), "bridle-parity-hub-"));
const hub = await startFakeHub({ [repo]: { files } });

/** @param {string} command @param {string[]} args @param {Record<string, string>} env */
async function run(command, args, env) {
  const child = spawn(command, args, {
    env: { ...process.env, HF_TOKEN: "", HF_HUB_DISABLE_TELEMETRY: "1", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = new Promise((resolve) => child.once("close", resolve));
  const output = await text(child.stdout);
  const code = await closed;
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with code ${code}`);
  return JSON.parse(output);
}

/** Everything under a folder: a file's size, or where a link leads. @param {string} folder */
async function tree(folder) {
  /** @type {Record<string, string | number>} */
  const found = {};
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    const file = path.join(folder, name);
    const info = await lstat(file);
    if (info.isSymbolicLink()) found[name] = await readlink(file);
    else if (info.isFile()) found[name] = info.size;
  }
  return found;
}

/** @type {boolean[]} */
const held = [];
/** @param {string} claim @param {boolean} holds @param {unknown} [detail] */
function tell(claim, holds, detail) {
  held.push(holds);
  console.log(
    `${holds ? "held  " : "BROKEN"} ${claim}${holds ? "" : `: ${JSON.stringify(detail)}`}`,
  );
}

try {
  const ours = path.join(root, "ours");
  const theirs = path.join(root, "theirs");
  const env = { HF_ENDPOINT: hub.url };
  const bridle = (/** @type {Record<string, string>} */ more) =>
    run(process.execPath, [binary, "models", "pull", repo, "--json"], { ...env, ...more });
  const reference = (/** @type {string} */ what, /** @type {Record<string, string>} */ more) =>
    run(python, [script, what, repo], { ...env, ...more });

  const written = await bridle({ HF_HOME: ours });
  let before = hub.requests.length;
  const seen = await reference("read", { HF_HOME: ours, HF_HUB_OFFLINE: "1" });
  tell("huggingface_hub finds Bridle's snapshot", seen.folder === written.folder, seen);
  tell("it has no warning about the cache", seen.warnings.length === 0, seen.warnings);
  tell("it sees the ref main", seen.refs.join() === "main", seen.refs);
  const sizes = Object.entries(seen.files).every(([name, size]) => files[name]?.length === size);
  tell("every file has its size", sizes, seen.files);
  const loaded = await reference("models", { HF_HOME: ours, HF_HUB_OFFLINE: "1" });
  tell("transformers loads model and tokenizer from it", loaded.missing.length === 0, loaded);
  tell("without a request", hub.requests.length === before, hub.requests.slice(before));

  await reference("snapshot", { HF_HOME: theirs });
  before = hub.requests.length;
  const reused = await bridle({ HF_HOME: theirs, HF_HUB_OFFLINE: "1" });
  tell("Bridle finds huggingface_hub's snapshot", reused.folder.startsWith(theirs), reused);
  const { loadTokenizer } = await import("../dist/index.js");
  const tokenizer = await loadTokenizer(reused.folder);
  const { inputIds } = tokenizer.encodeBatch(["The harbour was closed."]);
  tell("and reads the same ids out of it", inputIds[0]?.join() === loaded.ids.join(), inputIds);
  tell("without a request", hub.requests.length === before, hub.requests.slice(before));

  const folder = `hub/models--${repo.replace("/", "--")}`;
  const [mine, other] = await Promise.all(
    [ours, theirs].map((home) => tree(path.join(home, folder))),
  );
  tell(
    "both wrote the same blobs, links and refs",
    JSON.stringify(mine) === JSON.stringify(other),
    {
      mine,
      other,
    },
  );
  const trees = await Promise.all(
    [ours, theirs].map(async (home) => {
      const at = path.join(home, folder, "trees");
      return readFile(path.join(at, (await readdir(at))[0] ?? ""), "utf8");
    }),
  );
  tell("and the same listing", trees[0] === trees[1], trees);

  const cold = path.join(root, "cold");
  await reference("models", { HF_HOME: cold });
  before = hub.requests.length;
  const offline = await bridle({ HF_HOME: cold, HF_HUB_OFFLINE: "1" });
  tell(
    "a cache that transformers filled is used offline",
    offline.folder.startsWith(cold),
    offline,
  );
  tell("without a request", hub.requests.length === before, hub.requests.slice(before));
} finally {
  await hub.close();
  await rm(root, { recursive: true, force: true });
}
process.exit(held.every(Boolean) ? 0 : 1);
