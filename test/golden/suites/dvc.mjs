// Golden suite `dvc`: two versions of a repository made again with Bridle: hashes, DVC's files, and its answers.
// @ts-check
import { execFile } from "node:child_process";
import fs from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import git from "isomorphic-git";
import { GoldenFileError, listIn } from "../golden-folder.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../../src/data/dvc/repository.js")} */
const { DvcRepository, initRepository } = await compiled("data/dvc/repository.js");
/** @type {typeof import("../../../src/data/dvc/add.js")} */
const { addPaths } = await compiled("data/dvc/add.js");
/** @type {typeof import("../../../src/data/dvc/commit.js")} */
const { commitStages } = await compiled("data/dvc/commit.js");
/** @type {typeof import("../../../src/data/dvc/checkout.js")} */
const { checkout } = await compiled("data/dvc/checkout.js");
/** @type {typeof import("../../../src/data/dvc/status.js")} */
const { status } = await compiled("data/dvc/status.js");
/** @type {typeof import("../../../src/data/dvc/diff.js")} */
const { diffJson, diffTrees } = await compiled("data/dvc/diff.js");
/** @type {typeof import("../../../src/data/dvc/data-status.js")} */
const { dataStatus, dataStatusJson } = await compiled("data/dvc/data-status.js");
/** @type {typeof import("../../../src/data/dvc/metrics.js")} */
const { diffValues, metricsOf, paramsOf } = await compiled("data/dvc/metrics.js");
/** @type {typeof import("../../../src/data/dvc/push.js")} */
const { push } = await compiled("data/dvc/push.js");
/** @type {typeof import("../../../src/data/dvc/pull.js")} */
const { pull } = await compiled("data/dvc/pull.js");
/** @type {typeof import("../../../src/data/dvc/remote.js")} */
const { addRemote, setOption } = await compiled("data/dvc/remote.js");
/** @type {typeof import("../../../src/data/dvc/stage-graph.js")} */
const { dotText } = await compiled("data/dvc/stage-graph.js");
/** @type {typeof import("../../../src/data/dvc/data-index.js")} */
const { listFiles, recordedIndex } = await compiled("data/dvc/data-index.js");
/** @type {typeof import("../../../src/data/dvc/python-text.js")} */
const { jsonText } = await compiled("data/dvc/python-text.js");
/** @type {typeof import("../../../src/compose.js")} */
const { openBlobStore } = await compiled("compose.js");

/**
 * @typedef {{size: number, md5: string, text?: string}} SnapshotFile
 * @typedef {{name: string, files: Record<string, SnapshotFile>}} Snapshot
 * @typedef {{command: string, rc: number, stdout: string}} Command
 * @typedef {{folder: string, repo: string, remote: string}} Scratch
 * @typedef {import("../comparison.mjs").Comparison} Comparison
 * @typedef {import("../../../src/data/dvc/repository.js").DvcRepository} Repository
 */

const author = { name: "golden", email: "golden@example.org" };

/** @param {import("../run.mjs").SuiteContext} context */
async function run({ folder, comparison }) {
  const name = "dvc/expected.json";
  const content = await folder.readJson(name);
  const snapshots = /** @type {Snapshot[]} */ (listIn(content, "snapshots", name));
  const commands = /** @type {Command[]} */ (listIn(content, "commands", name));
  const scratch = await mkdtemp(path.join(tmpdir(), "bridle-golden-dvc-"));
  try {
    /** @type {string[]} */
    const unpacked = [];
    for (const snapshot of snapshots) {
      const archive = `dvc/${snapshot.name}.tar.gz`;
      const target = path.join(scratch, snapshot.name);
      await mkdir(target);
      const bytes = await folder.readBytes(archive);
      const file = path.join(scratch, `${snapshot.name}.tar.gz`);
      await writeFile(file, bytes);
      await promisify(execFile)("tar", ["xzf", file, "-C", target]).catch((error) => {
        throw new GoldenFileError(`${archive} cannot be unpacked: ${error.message}`);
      });
      unpacked.push(target);
    }
    await new Replay(path.join(scratch, "again"), snapshots, unpacked, comparison).all(commands);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Does with Bridle what was done with dvc, and compares what is there after each version. */
class Replay {
  /** Version whose sources are in the working folder. */
  version = 0;
  /** How often each command came. @type {Map<string, number>} */
  seen = new Map();

  /** @param {string} folder @param {Snapshot[]} snapshots @param {string[]} unpacked @param {Comparison} comparison */
  constructor(folder, snapshots, unpacked, comparison) {
    this.folder = folder;
    this.root = path.join(folder, "repo");
    this.snapshots = snapshots;
    this.unpacked = unpacked;
    this.comparison = comparison;
  }

  /** @param {Command[]} commands */
  async all(commands) {
    await mkdir(this.root, { recursive: true });
    await git.init({ fs, dir: this.root, defaultBranch: "main" });
    for (const [index, command] of commands.entries()) {
      const where = `commands[${index}] (${command.command})`;
      const count = (this.seen.get(command.command) ?? 0) + 1;
      this.seen.set(command.command, count);
      const told = await this.one(command.command, index, commands);
      if (told === undefined) continue;
      this.comparison.same(`${where}.rc`, 0, command.rc);
      const { actual, expected } = told(command.stdout);
      this.comparison.same(where, actual, expected);
    }
  }

  /** Files of a version that are no DVC's own. @param {number} version */
  sources(version) {
    const files = Object.keys(this.snapshot(version).files).filter((file) =>
      file.startsWith("repo/"),
    );
    return files
      .map((file) => file.slice("repo/".length))
      .filter(
        (file) => !/^\.dvc\/|^\.dvcignore$|\.dvc$|(^|\/)\.gitignore$|(^|\/)dvc\.lock$/.test(file),
      );
  }

  /** @param {number} version @returns {Snapshot} */
  snapshot(version) {
    const found = this.snapshots[version];
    if (found === undefined)
      throw new GoldenFileError("dvc/expected.json has fewer versions than its commands");
    return found;
  }

  /** @template Result @param {(repository: Repository) => Promise<Result>} work */
  async open(work) {
    const repository = await DvcRepository.open(this.root, { env: {} });
    try {
      return await work(repository);
    } finally {
      await repository.close();
    }
  }

  /** Paths that stages make. @param {Repository} repository */
  async made(repository) {
    const { stages } = await repository.stages();
    return stages
      .filter(({ name }) => name !== undefined)
      .flatMap(({ outputs }) => outputs.map(({ path: output }) => output ?? ""));
  }

  /**
   * Brings files of a version into the working folder.
   * @param {number} version @param {(file: string) => boolean} which
   */
  async bring(version, which) {
    const from = path.join(this.unpacked[version] ?? "", "repo");
    const wanted = this.sources(version).filter(which);
    for (const before of this.sources(this.version).filter(which)) {
      if (!wanted.includes(before)) await rm(path.join(this.root, before), { force: true });
    }
    for (const file of wanted) {
      await mkdir(path.dirname(path.join(this.root, file)), { recursive: true });
      await rm(path.join(this.root, file), { force: true });
      await cp(path.join(from, file), path.join(this.root, file));
    }
  }

  /** @param {string} tag */
  async tag(tag) {
    const at = { fs, dir: this.root };
    await git.add({ ...at, filepath: "." });
    await git.commit({ ...at, message: tag, author });
    await git.tag({ ...at, ref: tag });
  }

  /** Everything of a version: DVC's files, the cache, the remote. @param {number} version */
  async compareSnapshot(version) {
    const { name, files } = this.snapshot(version);
    const expected = { ...files };
    // What only the run cache keeps comes from running stages: the results of those that are not cached, and its notes.
    const uncached = await this.open(async (repository) => {
      const { stages } = await repository.stages();
      const outputs = stages.flatMap((stage) => stage.outputs);
      const ids = (/** @type {boolean} */ isCached) =>
        outputs
          .filter((each) => each.isCached === isCached)
          .map(({ content }) => content?.hash.id ?? "");
      const cached = new Set(ids(true));
      return ids(false).filter((id) => !cached.has(id));
    });
    this.forgotten = [...(this.forgotten ?? []), ...uncached];
    for (const file of Object.keys(expected)) {
      const isRunCache = file.startsWith("repo/.dvc/cache/runs/");
      const id = /^repo\/\.dvc\/cache\/files\/md5\/(..)\/(.*)$/.exec(file);
      if (isRunCache || (id !== null && this.forgotten.includes(`${id[1]}${id[2]}`)))
        delete expected[file];
    }
    /** @type {Record<string, SnapshotFile>} */
    const actual = {};
    const found = (await filesUnder(this.folder)).filter(
      (file) => !/^repo\/(\.git|\.dvc\/tmp)\/|\/bridle-tmp\//.test(file),
    );
    const hashed = await this.open((repository) =>
      repository.pool.hash(
        found.map((file) => path.join(this.folder, file)),
        "md5",
        {},
      ),
    );
    for (const [index, file] of found.entries()) {
      const bytes = await readFile(path.join(this.folder, file));
      actual[file] = {
        size: bytes.length,
        md5: hashed[index]?.md5 ?? "",
        ...(expected[file]?.text === undefined ? {} : { text: bytes.toString("utf8") }),
      };
    }
    this.comparison.same(`snapshots.${name}`, actual, expected);
  }

  /**
   * One command; what it answers, beside what is expected of it. Undefined for what is dvc's alone (running stages).
   * @param {string} command @param {number} index @param {Command[]} commands
   * @returns {Promise<((stdout: string) => {actual: unknown, expected: unknown}) | undefined>}
   */
  async one(command, index, commands) {
    const count = this.seen.get(command) ?? 1;
    const words = command.split(" ").slice(1);
    const [verb = "", sub = ""] = words;
    const json = (/** @type {unknown} */ value) => (/** @type {string} */ stdout) => ({
      actual: value,
      expected: JSON.parse(stdout),
    });
    const text = (/** @type {string} */ value) => (/** @type {string} */ stdout) => ({
      actual: value,
      expected: stdout,
    });
    const next = commands[index + 1]?.command ?? "";
    if (verb === "init") {
      await initRepository(this.root);
      return text("");
    }
    if (verb === "remote" && sub === "add") {
      const name = words.at(-2) ?? "";
      const isDefault = words.includes("-d");
      await this.open((repository) =>
        addRemote(repository, name, words.at(-1) ?? "", this.root, { isDefault }),
      );
      return text(isDefault ? `Setting '${name}' as a default remote.\n` : "");
    }
    if (verb === "config") {
      const [section = "", option = ""] = sub.split(".");
      await this.open((repository) => setOption(repository, section, option, words[2]));
      return text("");
    }
    if (verb === "add") {
      const isFirst = this.snapshots.length > 0 && !(await this.hasStages());
      if (isFirst) await this.bring(0, () => true);
      const added = await this.open((repository) => addPaths(repository, words.slice(1)));
      const files = added.flatMap(({ file, gitignore, isChanged }) => [
        ...(isChanged ? [file] : []),
        ...(gitignore === undefined ? [] : [gitignore]),
      ]);
      return (stdout) => ({
        actual: new Set(files).size === 0 ? [] : [...new Set(files)].sort(),
        expected: gitAddList(stdout),
      });
    }
    if (verb === "repro") {
      // Running stages is left to dvc: their results are taken from the version, and recorded by Bridle.
      const made = await this.open((repository) => this.made(repository));
      await this.bring(this.version, (file) =>
        made.some((each) => file === each || file.startsWith(`${each}/`)),
      );
      await this.open((repository) => commitStages(repository));
      return undefined;
    }
    if (verb === "push") {
      const { pushed } = await this.open((repository) =>
        push(repository, openBlobStore, {}, { env: {} }),
      );
      await this.compareSnapshot(this.version);
      await this.tag(this.snapshot(this.version).name);
      return text(pushed === 0 ? "Everything is up to date.\n" : `${summary({ pushed })}\n`);
    }
    if (verb === "status") {
      // The second one is asked after the sources were edited.
      if (count === 2 && this.version === 0) await this.edit();
      return json(await this.open((repository) => status(repository)));
    }
    const revision = words.filter((word) => !word.startsWith("-")).slice(1);
    if (verb === "diff") {
      const [before = "HEAD", after] = words.slice(1).filter((word) => !word.startsWith("-"));
      const diff = await this.open(async (repository) =>
        diffTrees(repository, await repository.treeAt(before), await repository.treeAt(after)),
      );
      return json(diffJson(diff, words.includes("--show-hash"), after === undefined));
    }
    if (verb === "metrics" || verb === "params") {
      const read = verb === "metrics" ? metricsOf : paramsOf;
      const [before = "HEAD", after] = revision.slice(1);
      const answer = await this.open(async (repository) => {
        if (sub === "show") return { "": { data: await read(repository, repository.tree) } };
        const old = await read(repository, await repository.treeAt(before));
        return diffValues(
          old,
          await read(repository, await repository.treeAt(after)),
          words.includes("--all"),
        );
      });
      return json(JSON.parse(jsonText(/** @type {any} */ (answer))));
    }
    if (verb === "data" && sub === "status") {
      const granular = words.includes("--granular");
      const answer = await this.open((repository) => dataStatus(repository, { granular }));
      return (stdout) => ({
        actual: sortLists(dataStatusJson(answer, words.includes("--unchanged"))),
        expected: sortLists(JSON.parse(stdout)),
      });
    }
    if (verb === "dag") {
      const dot = await this.open(async (repository) => dotText(await repository.stages()));
      return (stdout) => ({
        actual: dot.split("\n").sort(),
        expected: stdout.trimEnd().concat("\n").split("\n").sort(),
      });
    }
    if (verb === "list") {
      const files = await this.open(async (repository) =>
        listFiles(await recordedIndex(repository, await repository.stages())),
      );
      return text(files.map((file) => `${file}\n`).join(""));
    }
    if (verb === "checkout") {
      await this.moveTo(1 - this.version);
      const done = await this.open((repository) => checkout(repository));
      return text(changeLines(done));
    }
    if (verb === "pull") {
      // First into an emptied cache, then to the other version and back.
      if (count === 1)
        await rm(path.join(this.root, ".dvc", "cache"), { recursive: true, force: true });
      else await this.moveTo(1 - this.version);
      const done = await this.open((repository) =>
        pull(repository, openBlobStore, {}, { force: words.includes("-f"), env: {} }),
      );
      const { fetched, files } = done;
      // dvc counts folders that go with their last file as files.
      const told = summary({ fetched, ...files, deleted: files.deleted + done.foldersDeleted });
      return text(`${changeLines(done)}${told === "" ? "Everything is up to date." : told}\n`);
    }
    throw new GoldenFileError(
      `dvc/expected.json has a command that is not known: ${command} before ${next}`,
    );
  }

  async hasStages() {
    return (await readdir(this.root)).some((name) => name === "dvc.yaml");
  }

  /** The sources of the next version, with everything that stages made left as it is. */
  async edit() {
    const made = await this.open((repository) => this.made(repository));
    const isSource = (/** @type {string} */ file) =>
      !made.some((each) => file === each || file.startsWith(`${each}/`));
    await this.bring(1, isSource);
    this.version = 1;
  }

  /** Git's own part of changing the version. @param {number} version */
  async moveTo(version) {
    await git.checkout({ fs, dir: this.root, ref: this.snapshot(version).name, force: true });
    this.version = version;
  }
}

/** @param {string} folder @returns {Promise<string[]>} */
async function filesUnder(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join("/"),
    );
}

/** Files that dvc says to add to Git; it prints them in no order. @param {string} stdout */
function gitAddList(stdout) {
  const line = /^\tgit add (.*)$/m.exec(stdout)?.[1] ?? "";
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "").sort();
}

/** As dvc counts: `5 files modified, 1 file added and 1 file deleted`. @param {Record<string, number>} counts */
function summary(counts) {
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} file${count > 1 ? "s" : ""} ${what}`);
  return parts.length > 1
    ? `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`
    : (parts[0] ?? "");
}

/** @param {{modified: readonly string[], added: readonly string[], deleted: readonly string[]}} done */
function changeLines({ modified, added, deleted }) {
  const lines = [
    ...modified.map((each) => `M       ${each}\n`),
    ...added.map((each) => `A       ${each}\n`),
    ...deleted.map((each) => `D       ${each}\n`),
  ];
  return lines.join("");
}

/** dvc prints these lists in no order. @param {unknown} value @returns {unknown} */
function sortLists(value) {
  if (Array.isArray(value)) return value.map((each) => JSON.stringify(each)).sort();
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, sortLists(inner)]));
}

/** @type {import("../run.mjs").Suite} */
export const suite = { name: "dvc", tolerance: 0, run };
