// Every command that writes, on a disk that is full and on one that is read-only: what it says, what it leaves, and that
// it gets through once there is room.
import { createHash } from "node:crypto";
import fs from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DvcProject } from "../../../test/support/dvc-project.js";
import { startFakeS3 } from "../../../test/support/fake-clouds.js";
import { openBlobStore } from "../../../test/support/file-store.js";
import { openBlobStore as openBucket } from "../../../test/support/s3-store.js";
import { canMount, mountSmallDisk, type SmallDisk } from "../../../test/support/small-disk.js";
import { splitData } from "../checks/split.js";
import { addPaths } from "./add.js";
import { checkout } from "./checkout.js";
import { commitStages } from "./commit.js";
import { fetch } from "./fetch.js";
import { collectGarbage } from "./gc.js";
import { pull } from "./pull.js";
import { push } from "./push.js";
import { addRemote, setOption } from "./remote.js";
import { DvcRepository, initRepository } from "./repository.js";
import { status } from "./status.js";

const bytes = (seed: number, size: number) =>
  Buffer.alloc(size, createHash("sha256").update(String(seed)).digest());

/** Objects of a cache or remote; each must hold what its name says. */
function objectsIn(folder: string): string[] {
  const base = path.join(folder, "files/md5");
  if (!fs.existsSync(base)) return [];
  return fs.readdirSync(base).flatMap((prefix) =>
    fs.readdirSync(path.join(base, prefix)).map((rest) => {
      const content = fs.readFileSync(path.join(base, prefix, rest));
      const id = createHash("md5").update(content).digest("hex");
      expect(id).toBe((prefix + rest).replace(/\.dir$/, ""));
      return prefix + rest;
    }),
  );
}

const skipped = canMount ? "" : " (skipped: only root on Linux may mount one)";
describe.skipIf(!canMount)(`on a small disk${skipped}`, () => {
  let disk: SmallDisk;
  let project: DvcProject;
  beforeEach(async () => {
    const mounted = mountSmallDisk(8);
    if (mounted === undefined) throw new Error("it could be mounted before");
    disk = mounted;
    project = await DvcProject.create({ withGit: false, parent: disk.folder });
  });
  afterEach(() => {
    disk.setReadOnly(false);
    disk.unmount();
  });

  const add = (...paths: string[]) => project.open((repository) => addPaths(repository, paths));
  const cache = () => project.at(".dvc/cache");
  const lockFile = () => project.at(".dvc/tmp/bridle/lock");
  /** Takes all but so many bytes of the room there is. */
  const leave = (sizeBytes: number) => {
    const { bavail, bsize } = fs.statfsSync(disk.folder);
    fs.writeFileSync(path.join(disk.folder, "other"), Buffer.alloc(bavail * bsize - sizeBytes));
  };
  const leftovers = () =>
    [path.join(cache(), "bridle-tmp"), project.at(".dvc/tmp/bridle/part")].flatMap((folder) =>
      fs.existsSync(folder) ? fs.readdirSync(folder) : [],
    );
  const expectWhole = () => {
    objectsIn(cache());
    expect(leftovers()).toEqual([]);
    expect(fs.lstatSync(lockFile(), { throwIfNoEntry: false })).toBeUndefined();
  };
  const writeSmall = async (version: number) => {
    for (let i = 0; i < 40; i++) await project.write(`set/${i}`, bytes(100 * version + i, 20_000));
  };

  it("add says before it writes that there is too little room, and leaves the old version", async () => {
    await project.write("a.bin", bytes(1, 1000));
    await add("a.bin");
    const before = project.read("a.bin.dvc");
    await project.write("a.bin", bytes(2, 5_000_000));
    await expect(add("a.bin")).rejects.toMatchObject({
      code: "DVC_DISK_FULL",
      message: expect.stringMatching(/cache has \d+ MB free; keeping 1 files needs 5 MB/),
      hint: expect.stringContaining("bridle data gc --all-commits --dry-run"),
    });
    expect(project.read("a.bin.dvc")).toBe(before);
    expectWhole();
  });

  it("add whose disk fills up on its way says so, and goes on where it was", async () => {
    await writeSmall(1);
    disk.fill();
    await expect(add("set")).rejects.toMatchObject({ code: "DVC_DISK_FULL" });
    expect(project.has("set.dvc")).toBe(false);
    expectWhole();
    disk.drain();
    await add("set");
    expect(objectsIn(cache())).toHaveLength(41);
  });

  it("commit on a full disk leaves dvc.lock as it was", async () => {
    const stages = "stages:\n  make:\n    cmd: make\n    outs: [out]\n";
    await project.write("dvc.yaml", stages);
    await project.write("out", bytes(1, 2000));
    const commit = () => project.open((repository) => commitStages(repository));
    await commit();
    const before = project.read("dvc.lock");
    await project.write("out", bytes(2, 400_000));
    disk.fill();
    await expect(commit()).rejects.toMatchObject({ code: "DVC_DISK_FULL" });
    expect(project.read("dvc.lock")).toBe(before);
    expectWhole();
    disk.drain();
    await commit();
    expect(await project.open((repository) => status(repository))).toEqual({});
  });

  describe("with a remote elsewhere", () => {
    let remote: string;
    beforeEach(async () => {
      remote = fs.mkdtempSync(path.join(tmpdir(), "bridle-remote-"));
      await project.open((repository) =>
        addRemote(repository, "store", remote, project.root, { isDefault: true }),
      );
      await writeSmall(1);
      await add("set");
      await project.open((repository) => push(repository, openBlobStore));
    });
    afterEach(() => rm(remote, { recursive: true }));
    const pullAll = () => project.open((repository) => pull(repository, openBlobStore));
    const drop = async (...names: string[]) => {
      for (const name of names) await rm(project.at(name), { recursive: true, force: true });
    };

    it("pull on a full disk brings no file by halves, and the rest once there is room", async () => {
      await drop(".dvc/cache", "set");
      disk.fill();
      await expect(pullAll()).rejects.toMatchObject({ code: "DVC_DISK_FULL" });
      expectWhole();
      disk.drain();
      expect(await pullAll()).toMatchObject({ added: ["set/"] });
      expect(await project.open((repository) => status(repository))).toEqual({});
    });

    it("pull says before it fetches that there is too little room", async () => {
      await drop(".dvc/cache", "set");
      fs.writeFileSync(path.join(disk.folder, "other"), Buffer.alloc(7_900_000));
      await expect(pullAll()).rejects.toMatchObject({
        code: "DVC_DISK_FULL",
        details: { what: "fetching 40 files" },
      });
      expect(objectsIn(cache()).filter((id) => !id.endsWith(".dir"))).toEqual([]);
      expectWhole();
    });

    it("checkout on a full disk leaves what it cannot replace", async () => {
      await writeSmall(2);
      await add("set");
      const second = project.read("set.dvc");
      await project.write("set.dvc", second);
      await drop("set");
      disk.fill();
      const checkingOut = () => project.open((repository) => checkout(repository));
      await expect(checkingOut()).rejects.toMatchObject({ code: "DVC_DISK_FULL" });
      expectWhole();
      disk.drain();
      await checkingOut();
      expect(await project.open((repository) => status(repository))).toEqual({});
    });

    it("gc works where there is no room at all, as it is what makes some", async () => {
      await writeSmall(2);
      await add("set");
      disk.fill();
      const gone = await project.open((repository) =>
        collectGarbage(repository, openBlobStore, { workspace: true }),
      );
      expect(gone).toMatchObject({ deleted: 41 });
      expectWhole();
      expect(await project.open((repository) => status(repository))).toEqual({});
    });

    it("each command says that the disk is read-only, and changes nothing", async () => {
      await project.write("set/0", "changed");
      const files = () =>
        fs.readdirSync(project.root, { recursive: true, withFileTypes: true }).length;
      const temporary = fs.readdirSync(project.at(".dvc/tmp"), { recursive: true }).length + 1;
      const before = files() - temporary;
      disk.setReadOnly(true);
      const commands: Record<string, (repository: DvcRepository) => Promise<unknown>> = {
        add: (repository) => addPaths(repository, ["set"]),
        commit: (repository) => commitStages(repository),
        checkout: (repository) => checkout(repository, {}, { force: true }),
        pull: (repository) => pull(repository, openBlobStore, {}, { force: true }),
        push: (repository) => push(repository, openBlobStore),
        gc: (repository) => collectGarbage(repository, openBlobStore, { workspace: true }),
        remote: (repository) => setOption(repository, "core", "autostage", "true"),
      };
      for (const [name, work] of Object.entries(commands)) {
        await expect(project.open(work), name).rejects.toMatchObject({
          code: "DVC_NOT_WRITABLE",
          message: expect.stringContaining("the file system is read-only"),
          hint: expect.stringContaining(`\`bridle data ${name}\``),
        });
      }
      disk.setReadOnly(false);
      await drop(".dvc/tmp");
      disk.setReadOnly(true);
      await expect(add("set")).rejects.toMatchObject({ code: "DVC_NOT_WRITABLE" });
      // What only reads works.
      const found = await project.open((repository) => status(repository));
      expect(found).toEqual({ "set.dvc": [{ "changed outs": { set: "modified" } }] });
      disk.setReadOnly(false);
      await drop(".dvc/tmp");
      expect(files()).toBe(before);
    });
  });

  it("push to a full remote says so, gives it no list without its files, and goes on later", async () => {
    const elsewhere = await DvcProject.create({ withGit: false });
    try {
      await elsewhere.open((repository) =>
        addRemote(repository, "store", path.join(disk.folder, "remote"), elsewhere.root, {
          isDefault: true,
        }),
      );
      for (let i = 0; i < 40; i++) await elsewhere.write(`set/${i}`, bytes(i, 20_000));
      await elsewhere.open((repository) => addPaths(repository, ["set"]));
      await mkdir(path.join(disk.folder, "remote"));
      fs.writeFileSync(path.join(disk.folder, "other"), Buffer.alloc(7_800_000));
      const pushing = () => elsewhere.open((repository) => push(repository, openBlobStore));
      await expect(pushing()).rejects.toMatchObject({
        code: "BLOB_STORE_FULL",
        hint: expect.stringContaining("push again"),
      });
      const there = objectsIn(path.join(disk.folder, "remote"));
      expect(there.filter((id) => id.endsWith(".dir"))).toEqual([]);
      expect(fs.readdirSync(path.join(disk.folder, "remote/bridle-tmp"))).toEqual([]);
      fs.rmSync(path.join(disk.folder, "other"));
      expect(await pushing()).toEqual({ pushed: 41 - there.length });
      disk.setReadOnly(true);
      await elsewhere.write("set/0", "new");
      await elsewhere.open((repository) => addPaths(repository, ["set"]));
      await expect(pushing()).rejects.toMatchObject({ code: "BLOB_DENIED" });
    } finally {
      await elsewhere.remove();
    }
  });

  it("split on a full or read-only disk leaves no folder", async () => {
    const rows = Array.from({ length: 300 }, (_, i) =>
      JSON.stringify({ document: `${i} ${"word ".repeat(200)}${i}`, summary: "w" }),
    );
    await project.write("rows.jsonl", `${rows.join("\n")}\n`);
    const splitting = () =>
      splitData([project.at("rows.jsonl")], project.at("parts"), { similarity: null });
    disk.fill();
    await expect(splitting()).rejects.toMatchObject({
      code: expect.stringMatching(/^(FILE_NOT_WRITABLE|WRITE_FAILED)$/),
      message: expect.stringMatching(/disk is full|no space left/i),
    });
    expect(fs.readdirSync(project.root).filter((name) => name.includes("parts"))).toEqual([]);
    disk.drain();
    disk.setReadOnly(true);
    await expect(splitting()).rejects.toMatchObject({
      message: expect.stringMatching(/read-only/),
    });
    disk.setReadOnly(false);
    await splitting();
    expect(project.has("parts/split.json")).toBe(true);
  });

  it("init says what is wrong", async () => {
    const other = path.join(disk.folder, "other");
    await mkdir(other);
    disk.setReadOnly(true);
    await expect(initRepository(other)).rejects.toMatchObject({
      code: "DVC_NOT_WRITABLE",
      message: expect.stringContaining("the file system is read-only"),
    });
  });

  it("a lock taken on a full disk keeps others out", async () => {
    await project.write("a", "1");
    const first = await DvcRepository.open(project.root, { env: {} });
    disk.fill();
    await first.locked("bridle data gc", async () => {
      // Longer ones need a block of their own on ext4, which a full disk has not got.
      expect(fs.readlinkSync(lockFile()).length).toBeLessThan(60);
      disk.drain();
      const adding = project.open((repository) => addPaths(repository, ["a"]), { lockWaitMs: 50 });
      await expect(adding).rejects.toMatchObject({
        code: "DVC_REPO_BUSY",
        details: { command: "bridle data gc", pid: process.pid, host: hostname() },
      });
    });
    await first.close();
    await add("a");
    // One whose process is over, and one of another machine.
    const host = createHash("md5").update(hostname()).digest("hex").slice(0, 8);
    const leaveLock = (pid: number, from: string) =>
      fs.symlinkSync(`0123456789abcdef:${pid}:${(1.7e12).toString(36)}:${from}:add`, lockFile());
    leaveLock(2 ** 30, host);
    await add("a");
    leaveLock(2 ** 30, "00000000");
    const adding = project.open((repository) => addPaths(repository, ["a"]), { lockWaitMs: 50 });
    await expect(adding).rejects.toMatchObject({
      code: "DVC_REPO_BUSY",
      details: { command: "bridle data add", host: "another machine" },
    });
    fs.rmSync(lockFile());
    expectWhole();
  });

  it("add of files that are one content takes the room of one", async () => {
    for (let i = 0; i < 5; i++) await project.write(`set/${i}`, bytes(1, 900_000));
    leave(2_500_000);
    await add("set");
    expect(objectsIn(cache())).toHaveLength(2);
    expectWhole();
  });

  it("checkout takes the room that it frees", async () => {
    const write = async (version: number) => {
      for (let i = 0; i < 20; i++) await project.write(`set/${i}`, bytes(version + i, 100_000));
    };
    await write(100);
    await add("set");
    const first = project.read("set.dvc");
    await write(200);
    await add("set");
    leave(800_000);
    await project.write("set.dvc", first);
    const done = await project.open((repository) => checkout(repository));
    expect(done.files).toEqual({ modified: 20, added: 0, deleted: 0 });
    expect(await project.open((repository) => status(repository))).toEqual({});
    expectWhole();
  });

  it("checkout as links takes none", async () => {
    await project.write("big", bytes(1, 3_000_000));
    await add("big");
    await rm(project.at("big"));
    leave(400_000);
    await project.write(".dvc/config", "[cache]\n    type = reflink,hardlink,copy\n");
    await project.open((repository) => checkout(repository));
    expect(fs.statSync(project.at("big"))).toMatchObject({ nlink: 2, size: 3_000_000 });
  });

  it("fetch refuses what is sure not to fit, and nothing by a guess at sizes", async () => {
    const cloud = await startFakeS3("bucket");
    try {
      const config = `[core]\n    remote = store\n['remote "store"']\n    url = s3://bucket/data\n    endpointurl = ${cloud.url}\n`;
      await project.write(".dvc/config", config);
      const env = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
      await project.write("set/big", bytes(1, 3_000_000));
      for (let i = 0; i < 9; i++) await project.write(`set/${i}`, `content ${i}`);
      await add("set");
      await project.open((repository) => push(repository, openBucket, {}, { env }));
      // The mean of a folder's files says nothing of those that are missing.
      for (const id of objectsIn(cache())) {
        const object = path.join(cache(), "files/md5", id.slice(0, 2), id.slice(2));
        const isSmall = fs.statSync(object).size < 1000 && !id.endsWith(".dir");
        if (isSmall) fs.rmSync(object);
      }
      leave(1_000_000);
      const fetching = () =>
        project.open((repository) => fetch(repository, openBucket, {}, { env }));
      expect(await fetching()).toEqual({ fetched: 9, missing: [] });
      await rm(cache(), { recursive: true });
      fs.rmSync(path.join(disk.folder, "other"));
      leave(2_000_000);
      await expect(fetching()).rejects.toMatchObject({
        code: "DVC_DISK_FULL",
        details: { what: "fetching 10 files", needed: "4 MB" },
      });
      expect(objectsIn(cache())).toEqual([expect.stringMatching(/dir$/)]);
      expectWhole();
    } finally {
      await cloud.close();
    }
  });
});
