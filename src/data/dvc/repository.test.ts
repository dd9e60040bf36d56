// Tests a repository over its whole life: add, status, diff, checkout, push, pull and gc, with what can go wrong.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { chmod, mkdir, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DvcProject } from "../../../test/support/dvc-project.js";
import { openBlobStore } from "../../../test/support/file-store.js";
import { addPaths } from "./add.js";
import { checkout } from "./checkout.js";
import { dataStatus } from "./data-status.js";
import { diffTrees } from "./diff.js";
import { takeDvcLock } from "./dvc-lock.js";
import { collectGarbage } from "./gc.js";
import { objectKey } from "./object-hash.js";
import { pull } from "./pull.js";
import { push } from "./push.js";
import { addRemote, listRemotes, removeRemote } from "./remote.js";
import { initRepository } from "./repository.js";
import { status } from "./status.js";

const md5 = (text: string | Uint8Array) => createHash("md5").update(text).digest("hex");
const isRoot = process.getuid?.() === 0;

let project: DvcProject;
beforeEach(async () => {
  project = await DvcProject.create();
});
afterEach(() => project.remove());

const add = (...paths: string[]) => project.open((repository) => addPaths(repository, paths));
const cached = (text: string) => {
  const key = objectKey({ id: md5(text), hashName: "md5" });
  return project.at(`.dvc/cache/${key}`);
};

async function withRemote(): Promise<string> {
  const remote = path.join(project.folder, "remote");
  await project.open((repository) =>
    addRemote(repository, "store", "../remote", project.root, { isDefault: true }),
  );
  return remote;
}

const pushAll = (scope = {}) =>
  project.open((repository) => push(repository, openBlobStore, scope));
const pullAll = (options = {}) =>
  project.open((repository) => pull(repository, openBlobStore, {}, options));

describe("add", () => {
  it("keeps the content, writes a .dvc file, and keeps the path out of Git", async () => {
    await project.write("data/a.txt", "hello");
    const [added] = await add("data/a.txt");
    expect(added).toMatchObject({
      path: "data/a.txt",
      file: "data/a.txt.dvc",
      sizeBytes: 5,
      isChanged: true,
    });
    expect(project.read("data/a.txt.dvc")).toBe(
      `outs:\n- md5: ${md5("hello")}\n  size: 5\n  hash: md5\n  path: a.txt\n`,
    );
    expect(project.read("data/.gitignore")).toBe("/a.txt\n");
    expect(fs.readFileSync(cached("hello"), "utf8")).toBe("hello");
    expect(fs.statSync(cached("hello")).mode & 0o777).toBe(0o444);
    expect((await add("data/a.txt"))[0]).toMatchObject({ isChanged: false, gitignore: undefined });
  });

  it("keeps unicode in two normal forms, line ends in names, empty files and copies apart", async () => {
    const names = ["é", "e\u0301", "new\nline", "sp ace", "😀", "empty"];
    for (const name of names) await project.write(`set/${name}`, name === "empty" ? "" : "same");
    await add("set");
    const list = fs.readFileSync(project.at(`.dvc/cache/${objectKey(idOf("set.dvc"))}`), "utf8");
    expect(JSON.parse(list).map(({ relpath }: { relpath: string }) => relpath)).toEqual([
      "empty",
      "e\u0301",
      "new\nline",
      "sp ace",
      "é",
      "😀",
    ]);
    await rm(project.at("set"), { recursive: true });
    await project.open((repository) => checkout(repository));
    expect(fs.readdirSync(project.at("set")).toSorted()).toEqual(names.toSorted());
  });

  it("takes a part of a tracked folder anew", async () => {
    await project.write("set/a", "1");
    await project.write("set/b", "2");
    await add("set");
    await project.write("set/a", "new");
    await project.write("set/b", "also new");
    await add("set/a");
    const names = await project.open((repository) => dataStatus(repository, { granular: true }));
    expect(names.uncommitted.modified).toEqual(["set/", "set/b"]);
  });

  it("writes no object twice, and leaves nothing that is not whole", async () => {
    await project.write("a", "x".repeat(3_000_000));
    await project.write("b", "x".repeat(3_000_000));
    await add("a", "b");
    const objects = fs.readdirSync(project.at(".dvc/cache/files/md5"));
    expect(objects).toHaveLength(1);
    expect(fs.readdirSync(project.at(".dvc/cache/bridle-tmp"))).toEqual([]);
  });

  it("keeps holes as holes", async () => {
    const file = project.at("sparse.bin");
    fs.writeFileSync(file, "head");
    fs.truncateSync(file, 600_000_000);
    await add("sparse.bin");
    const [{ id } = { id: "" }] = await add("sparse.bin");
    const kept = fs.statSync(project.at(`.dvc/cache/${objectKey({ id, hashName: "md5" })}`));
    expect(kept.size).toBe(600_000_000);
    expect(kept.blocks * 512).toBeLessThan(10_000_000);
  });

  it.each([
    ["a path outside", "../x", "DVC_PATH_UNFIT"],
    ["nothing", "nowhere", "FILE_NOT_FOUND"],
    ["DVC's own file", "x.dvc", "DVC_PATH_UNFIT"],
    ["DVC's own folder", ".dvc/config", "DVC_PATH_UNFIT"],
    ["a name with a line end", "line\nend", "DVC_NAME_UNFIT"],
    ["a file inside an ignored folder", "skip/x", "DVC_PATH_UNFIT"],
  ])("refuses %s", async (_, name, code) => {
    await project.write(".dvcignore", "skip/\n");
    await project.write("skip/x", "");
    await project.write("x.dvc", "outs: []\n");
    await project.write("line\nend", "");
    const typed = (repository: Parameters<Parameters<DvcProject["open"]>[0]>[0]) =>
      addPaths(repository, [repository.pathOf(name, project.root)]);
    await expect(project.open(typed)).rejects.toMatchObject({ code });
    expect(project.has(`${name}.dvc`)).toBe(false);
  });

  it("refuses links that lead out or nowhere, and what overlaps or Git holds", async () => {
    await writeFile(path.join(project.folder, "outside"), "secret");
    await mkdir(project.at("set"));
    await symlink(path.join(project.folder, "outside"), project.at("set/link"));
    await expect(add("set")).rejects.toMatchObject({ code: "DVC_LINK_UNFIT" });
    await expect(add("set/link")).rejects.toMatchObject({ code: "DVC_LINK_UNFIT" });
    await rm(project.at("set/link"));
    await symlink("nowhere", project.at("set/link"));
    await expect(add("set")).rejects.toThrow(/not there/);
    await rm(project.at("set/link"));
    await project.write("set/a", "1");
    await project.write("in-git", "1");
    await project.commit("v1");
    await expect(add("in-git")).rejects.toMatchObject({ code: "DVC_TRACKED_BY_GIT" });
    await project.write("other/b", "1");
    await add("other/b");
    await expect(add("other")).rejects.toMatchObject({ code: "DVC_OUTPUT_OVERLAPS" });
    expect(project.has("other.dvc")).toBe(false);
  });

  it.skipIf(isRoot)("says which file it may not read, and leaves the .dvc file alone", async () => {
    await project.write("a", "1");
    await chmod(project.at("a"), 0);
    await expect(add("a")).rejects.toMatchObject({ code: "FILE_NOT_READABLE" });
    expect(project.has("a.dvc")).toBe(false);
  });

  it("puts links in place where the cache is linked, and they are read-only", async () => {
    await project.write(".dvc/config", "[cache]\n    type = hardlink,copy\n");
    await project.write("a", "hard");
    await project.write("e", "");
    await add("a", "e");
    expect(fs.statSync(project.at("a")).ino).toBe(fs.statSync(cached("hard")).ino);
    expect(fs.statSync(project.at("a")).mode & 0o222).toBe(0);
    expect(fs.statSync(project.at("e")).nlink).toBe(1);
    await project.write(".dvc/config", '[cache]\n    type = "symlink"\n');
    await project.write("b", "soft");
    await add("b");
    expect(fs.readlinkSync(project.at("b"))).toBe(cached("soft"));
    expect(await project.open((repository) => status(repository))).toEqual({});
  });
});

function idOf(file: string): { id: string; hashName: "md5" } {
  return { id: /md5: (\S+)/.exec(project.read(file))?.[1] ?? "", hashName: "md5" };
}

describe("two processes", () => {
  const lock = (pid: number, host = hostname()) =>
    project.write(
      ".dvc/tmp/bridle/lock",
      JSON.stringify({ token: "t", pid, host, sinceMs: Date.now(), command: "bridle data add" }),
    );

  it("do not add at once: the second says who is at it", async () => {
    await project.write("a", "1");
    await lock(process.ppid);
    const adding = project.open((repository) => addPaths(repository, ["a"]), { lockWaitMs: 100 });
    await expect(adding).rejects.toMatchObject({
      code: "DVC_REPO_BUSY",
      details: { pid: process.ppid },
    });
    expect(project.has("a.dvc")).toBe(false);
  });

  it("take over from one that is gone", async () => {
    await project.write("a", "1");
    await lock(2 ** 22 + 1);
    await add("a");
    expect(project.has("a.dvc")).toBe(true);
    expect(project.has(".dvc/tmp/bridle/lock")).toBe(false);
  });

  it("both get through in turn", async () => {
    for (const name of ["a", "b", "c"]) await project.write(name, name);
    await Promise.all(["a", "b", "c"].map((name) => add(name)));
    expect(["a.dvc", "b.dvc", "c.dvc"].every((name) => project.has(name))).toBe(true);
  });
});

describe("versions", () => {
  beforeEach(async () => {
    await project.write("set/a", "1");
    await project.write("set/sub/b", "2");
    await project.write("one", "first");
    await add("set", "one");
    await project.commit("v1");
    await project.write("set/a", "changed");
    await rm(project.at("set/sub"), { recursive: true });
    await project.write("set/c", "2");
    await project.write("one", "second");
  });

  it("are told apart by status, diff and data status", async () => {
    await project.open(async (repository) => {
      expect(await status(repository)).toEqual({
        "set.dvc": [{ "changed outs": { set: "modified" } }],
        "one.dvc": [{ "changed outs": { one: "modified" } }],
      });
      const diff = await diffTrees(repository, await repository.treeAt("v1"), repository.tree);
      expect(diff.modified.map((each) => each.path)).toEqual(["one", "set/", "set/a"]);
      expect(diff.renamed.map((each) => each.path)).toEqual([{ old: "set/sub/b", new: "set/c" }]);
      const told = await dataStatus(repository, { granular: true });
      expect(told.uncommitted.renamed).toEqual([{ old: "set/sub/b", new: "set/c" }]);
      expect(told.committed).toEqual({});
      await expect(repository.treeAt("v9")).rejects.toMatchObject({
        code: "DVC_REVISION_NOT_FOUND",
      });
    });
  });

  it("are brought back by checkout, which loses nothing unsaved", async () => {
    const checkingOut = project.open((repository) => checkout(repository));
    await expect(checkingOut).rejects.toMatchObject({ code: "DVC_FILES_UNSAVED" });
    expect(project.read("set/a")).toBe("changed");
    await add("set", "one");
    await project.commit("v2");
    await project.gitCheckout("v1");
    const done = await project.open((repository) => checkout(repository));
    expect(done).toMatchObject({
      modified: ["set/", "one"],
      files: { modified: 2, added: 1, deleted: 1 },
    });
    expect(project.read("set/sub/b")).toBe("2");
    expect(project.has("set/c")).toBe(false);
    await project.gitCheckout("v2");
    await project.open((repository) => checkout(repository));
    expect(project.has("set/sub")).toBe(false);
    expect(await project.open((repository) => status(repository))).toEqual({});
  });

  it("are all kept by gc that is told of them, and what is left out goes", async () => {
    await add("set", "one");
    await project.commit("v2");
    const remote = await withRemote();
    await pushAll({ allTags: true });
    const gc = (scope: object, options = {}) =>
      project.open((repository) => collectGarbage(repository, openBlobStore, scope, options));
    await expect(gc({})).rejects.toMatchObject({ code: "DVC_GC_NEEDS_ROOTS" });
    expect(await gc({ allTags: true })).toMatchObject({ deleted: 0 });
    expect(await gc({ workspace: true }, { dryRun: true })).toMatchObject({ deleted: 3 });
    const extraRoots = [{ id: md5("first"), hashName: "md5" as const }];
    expect(await gc({ workspace: true }, { extraRoots })).toMatchObject({ deleted: 2 });
    expect(fs.existsSync(cached("first"))).toBe(true);
    // The older version's list is at the remote alone now; what it keeps is found out there.
    expect(await gc({ allTags: true })).toMatchObject({ deleted: 0 });
    expect(await gc({ workspace: true }, { cloud: true })).toMatchObject({
      deleted: 2,
      deletedInRemote: 3,
    });
    await rm(remote, { recursive: true });
    await expect(gc({ allTags: true })).rejects.toMatchObject({ code: "DVC_OBJECT_MISSING" });
    await gc({ allTags: true }, { allowMissing: true });
    expect(await project.open((repository) => status(repository))).toEqual({});
  });

  it("that only the working folder names stay beside those of commits", async () => {
    await project.commit("v2");
    await project.write("fresh", "fresh");
    await add("fresh");
    const kept = await project.open((repository) =>
      collectGarbage(repository, openBlobStore, { allTags: true }),
    );
    expect(kept.deleted).toBe(0);
    expect(fs.existsSync(cached("fresh"))).toBe(true);
  });

  it("that came only just stay for as long as gc is told, whatever the file they came from says", async () => {
    const old = new Date("2001-01-01");
    await project.write("late", "late");
    await utimes(project.at("late"), old, old);
    await project.write(".dvc/config", "[cache]\n    type = hardlink\n");
    await add("late");
    await rm(project.at("late.dvc"));
    const gc = (options: object) =>
      project.open((repository) =>
        collectGarbage(repository, openBlobStore, { workspace: true, allTags: true }, options),
      );
    expect(await gc({ graceMs: 60_000 })).toMatchObject({ deleted: 0, young: 1 });
    expect(fs.existsSync(cached("late"))).toBe(true);
    expect(await gc({ graceMs: 0 })).toMatchObject({ deleted: 1, young: 0 });
    expect(fs.existsSync(cached("late"))).toBe(false);
  });

  const hasFlock = spawnSync("flock", ["--version"]).status === 0;
  it.skipIf(!hasFlock)("are not added to nor collected while dvc works", async () => {
    await mkdir(project.at(".dvc/tmp"), { recursive: true });
    const dvc = await takeDvcLock(project.at(".dvc/tmp/lock"));
    await project.write("more", "more");
    const impatient = { lockWaitMs: 0 };
    const scope = { workspace: true };
    const busy = { code: "DVC_REPO_BUSY", message: expect.stringContaining("`dvc`") };
    const collecting = project.open(
      (repository) => collectGarbage(repository, openBlobStore, scope),
      impatient,
    );
    await expect(collecting).rejects.toMatchObject(busy);
    const adding = project.open((repository) => addPaths(repository, ["more"]), impatient);
    await expect(adding).rejects.toMatchObject(busy);
    await dvc?.release();
    await add("more");
  });

  it("are given time where dvc cannot be kept out", async () => {
    await project.write(".dvc/config", "[core]\n    hardlink_lock = true\n");
    await project.write("late", "late");
    await add("late");
    await rm(project.at("late.dvc"));
    const collecting = project.open((repository) =>
      collectGarbage(repository, openBlobStore, { workspace: true, allTags: true }),
    );
    expect((await collecting).young).toBeGreaterThan(0);
    expect(fs.existsSync(cached("late"))).toBe(true);
  });
});

describe("a remote", () => {
  beforeEach(async () => {
    await project.write("set/a", "1");
    await project.write("set/b", "22");
    await project.write("one", "first");
    await add("set", "one");
  });

  it("is named in .dvc/config as dvc names it", async () => {
    await withRemote();
    expect(project.read(".dvc/config")).toBe(
      "[core]\n    remote = store\n['remote \"store\"']\n    url = ../../remote\n",
    );
    await project.open(async (repository) => {
      expect(listRemotes(repository.config)).toEqual([
        { name: "store", url: "../../remote", isDefault: true },
      ]);
      await expect(addRemote(repository, "store", "x", project.root)).rejects.toMatchObject({
        code: "DVC_REMOTE_UNSUPPORTED",
      });
      await removeRemote(repository, "store");
    });
    expect(project.read(".dvc/config")).not.toContain("store");
    await expect(pushAll()).rejects.toMatchObject({ code: "DVC_REMOTE_NOT_SET" });
    const named = project.open((repository) =>
      push(repository, openBlobStore, {}, { remote: "x" }),
    );
    await expect(named).rejects.toMatchObject({ code: "DVC_REMOTE_UNKNOWN" });
  });

  it("gets what it has not got, and gives it to another clone", async () => {
    const remote = await withRemote();
    expect(await pushAll()).toEqual({ pushed: 4 });
    expect(await pushAll()).toEqual({ pushed: 0 });
    await rm(path.join(remote, objectKey({ id: md5("22"), hashName: "md5" })));
    expect(await pushAll()).toEqual({ pushed: 1 });
    await rm(project.at(".dvc/cache"), { recursive: true });
    await rm(project.at("set"), { recursive: true });
    expect(await pullAll()).toMatchObject({ fetched: 4, added: ["set/"] });
    expect(project.read("set/b")).toBe("22");
    expect(await pullAll()).toMatchObject({ fetched: 0, modified: [], added: [] });
  });

  it("on the same disk has files of its own, which what spoils the cache does not reach", async () => {
    const remote = await withRemote();
    await project.write("a.txt", "held twice");
    await add("a.txt");
    await pushAll();
    const key = objectKey({ id: md5("held twice"), hashName: "md5" });
    const [here, there] = [cached("held twice"), path.join(remote, key)];
    expect(fs.statSync(there).ino).not.toBe(fs.statSync(here).ino);
    await chmod(here, 0o644);
    fs.writeFileSync(here, "spoilt");
    expect(fs.readFileSync(there, "utf8")).toBe("held twice");
  });

  it("that gives something else is found out, and nothing of it is kept", async () => {
    const remote = await withRemote();
    await pushAll();
    const key = objectKey({ id: md5("22"), hashName: "md5" });
    const file = path.join(remote, key);
    await rm(file);
    await writeFile(file, "23");
    await rm(project.at(".dvc/cache"), { recursive: true });
    await expect(pullAll()).rejects.toMatchObject({
      code: "DVC_REMOTE_OBJECT_CORRUPT",
      details: { actual: md5("23"), key },
    });
    expect(fs.existsSync(cached("22"))).toBe(false);
    await rm(file);
    await expect(pullAll()).rejects.toMatchObject({
      code: "DVC_REMOTE_OBJECT_MISSING",
      details: { path: "set/b", count: 1 },
    });
    expect(project.read("set/b")).toBe("22");
    await rm(project.at("set"), { recursive: true });
    expect(await pullAll({ allowMissing: true })).toMatchObject({ missing: ["set"] });
  });

  it("is not given what the cache has corrupt or not at all", async () => {
    await withRemote();
    await chmod(cached("22"), 0o644);
    await writeFile(cached("22"), "xx");
    await expect(pushAll()).rejects.toMatchObject({ code: "DVC_OBJECT_CORRUPT" });
    await rm(cached("22"));
    await expect(pushAll()).rejects.toMatchObject({
      code: "DVC_OBJECT_MISSING",
      details: { path: "set/b" },
    });
  });

  it("checks what checkout puts in place", async () => {
    await chmod(cached("first"), 0o644);
    await writeFile(cached("first"), "worst");
    await rm(project.at("one"));
    const checkingOut = project.open((repository) => checkout(repository));
    await expect(checkingOut).rejects.toMatchObject({ code: "DVC_OBJECT_CORRUPT" });
    expect(project.has("one")).toBe(false);
  });

  it("of DVC 2 is read: objects straight under the folder, line ends not counted", async () => {
    const text = "a\r\nb\r\n";
    const id = md5("a\nb\n");
    const remote = await withRemote();
    const file = path.join(remote, id.slice(0, 2), id.slice(2));
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
    await project.write("old.dvc", `outs:\n- md5: ${id}\n  size: 6\n  path: old\n`);
    await pushAll({ targets: ["set", "one"] });
    await pullAll();
    expect(project.read("old")).toBe(text);
    expect(await project.open((repository) => status(repository))).toEqual({});
    await project.write("old", "c");
    await add("old");
    expect(project.read("old.dvc")).toContain("hash: md5");
  });
});

describe("a repository", () => {
  it("is made once, and looked for upwards", async () => {
    await expect(initRepository(project.root)).rejects.toMatchObject({ code: "DVC_REPO_EXISTS" });
    const elsewhere = DvcProject.create({ withGit: false });
    const other = await elsewhere;
    try {
      expect(other.has(".dvc/.gitignore")).toBe(false);
      await rename(other.at(".dvc"), other.at("dvc"));
      await expect(other.open(async () => {})).rejects.toMatchObject({
        code: "DVC_REPO_NOT_FOUND",
      });
    } finally {
      await other.remove();
    }
  });

  it("whose configuration is no such thing says so", async () => {
    await project.write(".dvc/config", "[core\nx");
    await expect(project.open(async () => {})).rejects.toMatchObject({ code: "DVC_FILE_INVALID" });
    await project.write(".dvc/config", "[cache]\n    type = magic\n");
    await project.write("a", "1");
    await expect(add("a")).rejects.toThrow(/cache\.type names "magic"/);
  });
});
