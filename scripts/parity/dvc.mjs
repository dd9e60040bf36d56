// Bridle and the real dvc on one repository: what either adds and pushes, the other pulls and checks out.
// @ts-check
import { execFile, spawn } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const bridle = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** @typedef {"bridle" | "dvc"} Side */
/** @typedef {{name: string, url: string, options: Readonly<Record<string, string>>, env: Readonly<Record<string, string>>}} Place */

/** Two versions of data: unicode in two normal forms, empty, nested, executable, names that need quotes. @param {string} folder @param {number} version */
async function writeData(folder, version) {
  await rm(path.join(folder, "data"), { recursive: true, force: true });
  const files = {
    "data/one.bin": Buffer.alloc(300_000, version),
    "data/empty": Buffer.alloc(0),
    "data/crlf.csv": Buffer.from(`a,b\r\n1,${version}\r\n`),
    "data/it's a #1 [x].txt": Buffer.from("quotes"),
    "data/run.sh": Buffer.from("#!/bin/sh\n"),
    "data/set/é": Buffer.from("composed"),
    "data/set/e\u0301": Buffer.from("decomposed"),
    "data/set/new\nline": Buffer.from("n"),
    "data/set/😀/ﬀ.txt": Buffer.from(`${version}`),
    "data/set/empty": Buffer.alloc(0),
    "data/set/deep/er/x": Buffer.from("same in both"),
    ...(version === 1
      ? { "data/set/gone/a": Buffer.from("a") }
      : { "data/set/new/b": Buffer.from("b") }),
  };
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), bytes);
  }
  await chmod(path.join(folder, "data/run.sh"), 0o755);
}

const targets = [
  "data/one.bin",
  "data/empty",
  "data/crlf.csv",
  "data/it's a #1 [x].txt",
  "data/run.sh",
  "data/set",
];

/** Every file under data/ that is no DVC's own, with its bytes. @param {string} repo */
async function dataOf(repo) {
  const root = path.join(repo, "data");
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter(
    (entry) => entry.isFile() && !/\.dvc$|^\.gitignore$/.test(entry.name),
  );
  const read = files.map(async (entry) => {
    const file = path.join(entry.parentPath, entry.name);
    return /** @type {const} */ ([
      path.relative(root, file),
      (await readFile(file)).toString("base64"),
    ]);
  });
  return JSON.stringify(
    Object.fromEntries((await Promise.all(read)).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
}

/** DVC's own files under data/. @param {string} repo */
async function ownFilesOf(repo) {
  const names = (await readdir(path.join(repo, "data"))).filter((name) =>
    /\.dvc$|^\.gitignore$/.test(name),
  );
  const read = names
    .sort()
    .map(async (name) => [name, await readFile(path.join(repo, "data", name), "utf8")]);
  return JSON.stringify(await Promise.all(read));
}

/** @returns {Promise<number>} a port nobody listens on */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** moto's S3 with a bucket. @param {string} python */
async function startMoto(python) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = {
    AWS_ACCESS_KEY_ID: "key",
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_DEFAULT_REGION: "us-east-1",
  };
  const child = spawn(python, ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)], {
    stdio: "ignore",
  });
  for (let tries = 0; ; tries++) {
    const isUp = await fetch(url).then(
      () => true,
      () => false,
    );
    if (isUp) break;
    if (tries > 300) throw new Error("moto's server did not start");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const code =
    "import boto3, sys; boto3.client('s3', endpoint_url=sys.argv[1]).create_bucket(Bucket='bucket')";
  await run(python, ["-c", code, url], { env: { ...process.env, ...env } });
  return { url, env, stop: () => child.kill() };
}

/**
 * @param {string} python has dvc, dvc-s3 and moto's server
 * @param {string} scratch @param {(line: string) => void} print
 */
export async function compareDvc(python, scratch, print) {
  const dvc = path.join(path.dirname(python), "dvc");
  const home = path.join(scratch, "home");
  await mkdir(home, { recursive: true });
  const common = {
    HOME: home,
    DVC_NO_ANALYTICS: "1",
    DVC_GLOBAL_CONFIG_DIR: home,
    DVC_SYSTEM_CONFIG_DIR: home,
    DVC_SITE_CACHE_DIR: path.join(home, "site"),
    GIT_CONFIG_GLOBAL: path.join(home, "gitconfig"),
    GIT_CONFIG_NOSYSTEM: "1",
  };
  const moto = await startMoto(python);
  let held = true;
  try {
    /** @type {Place[]} */
    const places = [
      { name: "local", url: "", options: {}, env: {} },
      { name: "s3", url: "s3://bucket/", options: { endpointurl: moto.url }, env: moto.env },
    ];
    for (const place of places) {
      for (const from of /** @type {const} */ (["bridle", "dvc"])) {
        const folder = path.join(scratch, `${place.name}-from-${from}`);
        const faults = await interchange(folder, place, from, {
          dvc,
          env: { ...process.env, ...common, ...place.env },
        });
        print(
          `dvc: ${place.name} remote, ${from} pushes, the other pulls: ${faults.length === 0 ? "same" : faults.join("; ")}`,
        );
        held &&= faults.length === 0;
      }
    }
  } finally {
    moto.stop();
  }
  return held;
}

/**
 * One side adds two versions and pushes them; the other clones, pulls and checks out both, changes and pushes back.
 * @param {string} folder @param {Place} place @param {Side} from @param {{dvc: string, env: NodeJS.ProcessEnv}} tools
 */
async function interchange(folder, place, from, { dvc, env }) {
  const to = from === "dvc" ? "bridle" : "dvc";
  const [first, second] = [path.join(folder, "first"), path.join(folder, "second")];
  /** @type {string[]} */
  const faults = [];
  /** @param {string} repo @param {Side} side @param {string[]} args */
  const data = async (repo, side, ...args) => {
    const [program, words] =
      side === "dvc" ? [dvc, args] : [process.execPath, [bridle, "data", ...args]];
    const { stdout } = await run(program, words, { cwd: repo, env, maxBuffer: 1 << 26 });
    return stdout;
  };
  /** @param {string} repo @param {string[]} args */
  const git = (repo, ...args) =>
    run("git", ["-c", "user.name=x", "-c", "user.email=x@example.org", ...args], {
      cwd: repo,
      env,
    });
  const expect = (/** @type {string} */ what, /** @type {string} */ a, /** @type {string} */ b) => {
    if (a !== b) faults.push(what);
  };
  await mkdir(first, { recursive: true });
  await git(first, "init", "-q", "-b", "main");
  await data(first, from, "init");
  const url = place.url === "" ? "../remote" : `${place.url}${path.basename(folder)}`;
  await data(first, from, "remote", "add", from === "dvc" ? "-d" : "--default", "store", url);
  const config = path.join(first, ".dvc", "config");
  const options = Object.entries(place.options).map(([name, value]) => `    ${name} = ${value}\n`);
  await writeFile(config, (await readFile(config, "utf8")) + options.join(""));
  /** @type {Record<number, string>} */
  const contents = {};
  for (const version of [1, 2]) {
    await writeData(first, version);
    if (version === 2) await git(first, "checkout", "-q", "v1", "--", "data");
    await data(first, from, "add", ...targets);
    contents[version] = await dataOf(first);
    await data(first, from, "push");
    await git(first, "add", "-A");
    await git(first, "commit", "-qm", `v${version}`);
    await git(first, "tag", `v${version}`);
    // The other side writes the very same files for the same data.
    const twin = path.join(folder, `twin-${version}`);
    await mkdir(twin);
    await git(twin, "init", "-q");
    await data(twin, to, "init");
    await writeData(twin, version);
    await data(twin, to, "add", ...targets);
    expect(`own files of v${version} differ`, await ownFilesOf(twin), await ownFilesOf(first));
    await rm(twin, { recursive: true });
  }
  await git(folder, "clone", "-q", "first", "second");
  for (const version of [2, 1, 2]) {
    await git(second, "checkout", "-q", `v${version}`);
    await data(second, to, "pull");
    expect(`v${version} pulled differs`, await dataOf(second), contents[version] ?? "");
    for (const side of /** @type {const} */ (["bridle", "dvc"])) {
      expect(
        `${side}'s status of v${version}`,
        (await data(second, side, "status", "--json")).trim(),
        "{}",
      );
    }
  }
  // Once both versions' lists are here; until then dvc asks the remote for them, and Bridle's diff stays offline.
  const [ours = "", theirs = ""] = await Promise.all(
    /** @type {const} */ (["bridle", "dvc"]).map((side) =>
      data(second, side, "diff", "v1", "v2", "--json"),
    ),
  );
  expect("diff v1 v2", JSON.stringify(JSON.parse(ours)), JSON.stringify(JSON.parse(theirs)));
  // And back: the other side's third version reaches the first.
  await git(second, "checkout", "-q", "-b", "third");
  await writeFile(path.join(second, "data/set/é"), "third");
  await data(second, to, "add", "data/set");
  await data(second, to, "push");
  await git(second, "add", "-A");
  await git(second, "commit", "-qm", "v3");
  await git(first, "pull", "-q", "../second", "third");
  await data(first, from, "pull");
  expect("v3 pulled back differs", await dataOf(first), await dataOf(second));
  // What neither may touch: a cache whose unneeded objects are gone still has all that a version needs.
  await data(second, "bridle", "gc", "--workspace", "--all-tags");
  for (const version of [1, 2]) {
    await git(second, "checkout", "-q", `v${version}`);
    await data(second, "dvc", "checkout");
    expect(`v${version} after gc differs`, await dataOf(second), contents[version] ?? "");
  }
  return faults;
}
