// Tests outputs and repositories that share content: each output's own remote is served, and none writes over another.
import { createHash } from "node:crypto";
import fs from "node:fs";
import { cp, mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DvcProject } from "../../../test/support/dvc-project.js";
import { type FakeCloud, startFakeS3 } from "../../../test/support/fake-clouds.js";
import { openBlobStore } from "../../../test/support/file-store.js";
import { openBlobStore as openBucket } from "../../../test/support/s3-store.js";
import { addPaths } from "./add.js";
import { pull } from "./pull.js";
import { push } from "./push.js";
import { addRemote } from "./remote.js";
import { DvcRepository } from "./repository.js";
import { host } from "./scratch.js";

const md5 = (text: string | Uint8Array) => createHash("md5").update(text).digest("hex");
const keyOf = (text: string) => `files/md5/${md5(text).slice(0, 2)}/${md5(text).slice(2)}`;

let project: DvcProject;
beforeEach(async () => {
  project = await DvcProject.create({ withGit: false });
});
afterEach(() => project.remove());

describe("outputs of one content", () => {
  const pushing = () => project.open((repository) => push(repository, openBlobStore));
  const isAt = (remote: string) => fs.existsSync(path.join(project.folder, remote, keyOf("same")));

  beforeEach(async () => {
    for (const name of ["a", "b"]) await project.write(name, "same");
    await project.open(async (repository) => {
      await addPaths(repository, ["a", "b"]);
      await addRemote(repository, "r0", "../r0", project.root, { isDefault: true });
      await addRemote(repository, "r1", "../r1", project.root, {});
    });
  });

  it("go to the remote of each", async () => {
    await project.write("b.dvc", `${project.read("b.dvc")}  remote: r1\n`);
    expect(await pushing()).toEqual({ pushed: 2 });
    expect([isAt("r0"), isAt("r1")]).toEqual([true, true]);
    expect(await pushing()).toEqual({ pushed: 0 });
  });

  it("are pushed where one of them may be", async () => {
    await project.write("b.dvc", `${project.read("b.dvc")}  push: false\n`);
    expect(await pushing()).toEqual({ pushed: 1 });
    expect(isAt("r0")).toBe(true);
  });
});

describe("transfers of one object at once", () => {
  const content = "x".repeat(3_000_000);
  const env = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
  let cloud: FakeCloud;
  const pullIn = async (root: string) => {
    const repository = await DvcRepository.open(root, { env: {}, threads: 1 });
    try {
      return await pull(repository, openBucket, {}, { env });
    } finally {
      await repository.close();
    }
  };
  const scratch = (name: string) => project.at(`.dvc/cache/bridle-tmp/${name}`);
  const half = (owner: string) => scratch(`${md5(content)}.${host}.${owner}.part`);

  beforeEach(async () => {
    cloud = await startFakeS3("bucket");
    const cache = `[cache]\n    dir = ${project.at(".dvc/cache")}\n`;
    const remote = `['remote "store"']\n    url = s3://bucket/data\n    endpointurl = ${cloud.url}\n`;
    await project.write(".dvc/config", `${cache}[core]\n    remote = store\n${remote}`);
    await project.write("f", content);
    await project.open((repository) => addPaths(repository, ["f"]));
    await project.open((repository) => push(repository, openBucket, {}, { env }));
    await rm(project.at("f"));
    await rm(project.at(".dvc/cache"), { recursive: true });
  });
  afterEach(() => cloud.close());

  it("do not meet where it is needed in the layouts of DVC 2 and DVC 3", async () => {
    const id = md5(content);
    const blobs = cloud.buckets.get("bucket");
    blobs?.set(`data/${id.slice(0, 2)}/${id.slice(2)}`, Buffer.from(content));
    await project.write("g.dvc", `outs:\n- md5: ${id}\n  size: 3000000\n  path: g\n`);
    expect(await pullIn(project.root)).toMatchObject({ fetched: 2, added: ["f", "g"] });
    expect([project.read("f"), project.read("g")]).toEqual([content, content]);
  });

  it("do not meet where repositories share a cache", async () => {
    const others = ["b", "c", "d"].map((name) => path.join(project.folder, name));
    for (const other of others) {
      await mkdir(path.join(other, ".dvc"), { recursive: true });
      for (const name of [".dvc/config", "f.dvc"])
        await cp(project.at(name), path.join(other, name));
    }
    const roots = [project.root, ...others];
    await Promise.all(roots.map(pullIn));
    for (const root of roots) expect(fs.readFileSync(path.join(root, "f"), "utf8")).toBe(content);
    expect(fs.readdirSync(scratch(""))).toEqual([]);
  });

  it("go on with what a process that is gone left, and not with what one that runs has", async () => {
    // Not what the object has there: whoever goes on with it ends with another hash.
    const wrong = "y".repeat(1000);
    const running = half(`${process.ppid}-1`);
    await project.write(path.relative(project.root, running), wrong);
    expect(await pullIn(project.root)).toMatchObject({ fetched: 1 });
    expect(fs.readFileSync(running, "utf8")).toBe(wrong);
    await rm(project.at("f"));
    await rm(project.at(".dvc/cache"), { recursive: true });
    // No process has an id as high as this.
    await project.write(path.relative(project.root, half("2147483647-1")), wrong);
    await expect(pullIn(project.root)).rejects.toMatchObject({ code: "DVC_REMOTE_OBJECT_CORRUPT" });
    expect(fs.readdirSync(scratch(""))).toEqual([]);
    expect(await pullIn(project.root)).toMatchObject({ fetched: 1 });
    const right = half("2147483647-1");
    await rm(project.at(".dvc/cache"), { recursive: true });
    await rm(project.at("f"));
    await project.write(path.relative(project.root, right), content.slice(0, 1000));
    expect(await pullIn(project.root)).toMatchObject({ fetched: 1 });
    expect(project.read("f")).toBe(content);
    expect(fs.readdirSync(scratch(""))).toEqual([]);
  });
});
