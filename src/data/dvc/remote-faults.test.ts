// Remotes that break off, refuse or lack something: what is told, and that nothing by halves is left on either side.
import fs from "node:fs";
import { rm } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DvcProject } from "../../../test/support/dvc-project.js";
import { type FakeCloud, startFakeS3 } from "../../../test/support/fake-clouds.js";
import { openBlobStore } from "../../../test/support/s3-store.js";
import { addPaths } from "./add.js";
import { collectGarbage } from "./gc.js";
import { pull } from "./pull.js";
import { push } from "./push.js";
import { status } from "./status.js";

let project: DvcProject;
let cloud: FakeCloud;
const env = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };

async function remoteAt(url: string): Promise<void> {
  const config = `[core]\n    remote = store\n['remote "store"']\n    url = ${url}\n    endpointurl = ${cloud.url}\n`;
  await project.write(".dvc/config", config);
}

beforeEach(async () => {
  project = await DvcProject.create({ withGit: false });
  cloud = await startFakeS3("bucket");
  await remoteAt("s3://bucket/data");
  for (let i = 0; i < 12; i++) await project.write(`set/${i}`, `content ${i}`);
  await project.open((repository) => addPaths(repository, ["set"]));
});
afterEach(async () => {
  await cloud.close();
  await project.remove();
});

const pushing = () =>
  project.open((repository) => push(repository, openBlobStore, {}, { env, jobs: 2 }));
const pulling = () =>
  project.open((repository) => pull(repository, openBlobStore, {}, { env, jobs: 2 }));
const keys = () => [...(cloud.buckets.get("bucket")?.keys() ?? [])];
const puts = () => cloud.requests.filter((each) => each.startsWith("PUT ")).length;
const dropLocal = async () => {
  await rm(project.at(".dvc/cache"), { recursive: true, force: true });
  await rm(project.at("set"), { recursive: true, force: true });
};

describe("a push", () => {
  it("that breaks off gives the remote no list without its files, and sends only the rest afterwards", async () => {
    // The heads of thirteen objects, four files, and then nothing more.
    const before = 13 + 4;
    const stop = setInterval(() => {
      if (cloud.requests.length >= before && cloud.faults.length < 50) {
        cloud.faults.push(...Array.from({ length: 50 }, () => "cut" as const));
      }
    }, 1);
    try {
      await expect(pushing()).rejects.toMatchObject({
        code: "BLOB_UNAVAILABLE",
        hint: expect.stringContaining("run it again"),
      });
    } finally {
      clearInterval(stop);
      cloud.faults.splice(0);
    }
    expect(keys().filter((key) => key.endsWith(".dir"))).toEqual([]);
    const there = keys().length;
    const sent = puts();
    expect(await pushing()).toEqual({ pushed: 13 - there });
    expect(puts() - sent).toBe(13 - there);
    expect(keys()).toHaveLength(13);
    expect(await pushing()).toEqual({ pushed: 0 });
  }, 60_000);

  it.each([
    ["ExpiredToken", 400],
    ["InvalidAccessKeyId", 403],
    ["SignatureDoesNotMatch", 403],
  ])("with credentials that are %s says how to log in", async (code, httpStatus) => {
    await remoteAt("s3://bucket/other");
    // Heads have no body that could tell a code, so that the first answer to tell one is a put's.
    const isHead = (each: string) => each.startsWith("HEAD ");
    const wait = setInterval(() => {
      if (cloud.requests.filter(isHead).length >= 13 && cloud.faults.length === 0) {
        cloud.faults.push(...Array.from({ length: 20 }, () => ({ status: httpStatus, code })));
      }
    }, 1);
    try {
      await expect(pushing()).rejects.toMatchObject({
        code: "BLOB_UNAUTHENTICATED",
        message: expect.stringContaining("s3://bucket/other does not accept the credentials"),
        hint: expect.stringContaining("aws sso login"),
      });
    } finally {
      clearInterval(wait);
    }
  });

  it.each([
    ["ExpiredToken", 400],
    ["InvalidAccessKeyId", 403],
    ["SignatureDoesNotMatch", 403],
  ])("whose first question is refused for %s says how to log in", async (code, httpStatus) => {
    cloud.faults.push(...Array.from({ length: 60 }, () => ({ status: httpStatus, code })));
    await expect(pushing()).rejects.toMatchObject({
      code: "BLOB_UNAUTHENTICATED",
      message: expect.stringContaining(`does not accept the credentials: ${code}`),
      hint: expect.stringContaining("aws sso login"),
    });
    expect(puts()).toBe(0);
  });

  it("whose first question is refused for want of permissions says that", async () => {
    const fault = { status: 403, code: "AccessDenied" };
    cloud.faults.push(...Array.from({ length: 60 }, () => fault));
    await expect(pushing()).rejects.toMatchObject({
      code: "BLOB_DENIED",
      message: expect.stringContaining("AccessDenied"),
    });
  });

  it("goes on where a server refuses to be asked for a blob's head alone", async () => {
    expect(await pushing()).toEqual({ pushed: 13 });
    // Two ask at once: both heads are refused before either is asked again.
    cloud.faults.push(403, 403);
    expect(await pushing()).toEqual({ pushed: 0 });
  });

  it("to a bucket that is not there names it", async () => {
    await remoteAt("s3://nowhere/data");
    await expect(pushing()).rejects.toMatchObject({
      code: "BLOB_STORE_MISSING",
      message: expect.stringContaining("there is no bucket nowhere"),
      hint: expect.stringContaining("bridle data remote add --force"),
    });
  });
});

describe("a pull", () => {
  beforeEach(async () => {
    await pushing();
    await dropLocal();
  });

  it("from a bucket that is not there, or with credentials that have expired, leaves nothing", async () => {
    await remoteAt("s3://nowhere/data");
    await expect(pulling()).rejects.toMatchObject({ code: "BLOB_STORE_MISSING" });
    await remoteAt("s3://bucket/data");
    cloud.faults.push({ status: 400, code: "ExpiredToken" });
    await expect(pulling()).rejects.toMatchObject({
      code: "BLOB_UNAUTHENTICATED",
      hint: expect.stringContaining("aws sso login"),
    });
    expect(project.has("set")).toBe(false);
    expect(fs.existsSync(project.at(".dvc/cache/files"))).toBe(false);
    expect(await pulling()).toMatchObject({ fetched: 13, added: ["set/"] });
  });

  it("of what the remote has not got, or has spoilt, names the file and puts nothing in place", async () => {
    const blobs = cloud.buckets.get("bucket");
    const key = keys().find((each) => !each.endsWith(".dir")) ?? "";
    const content = blobs?.get(key) ?? Buffer.alloc(0);
    blobs?.set(key, Buffer.from("spoilt"));
    await expect(pulling()).rejects.toMatchObject({
      code: "DVC_REMOTE_OBJECT_CORRUPT",
      hint: expect.stringContaining("bridle data push"),
    });
    blobs?.delete(key);
    await expect(pulling()).rejects.toMatchObject({
      code: "DVC_REMOTE_OBJECT_MISSING",
      message: expect.stringMatching(/has not got 1 of the files, such as set\/\d+/),
      hint: expect.stringContaining("bridle data push"),
    });
    expect(project.has("set")).toBe(false);
    blobs?.set(key, content);
    await pulling();
    expect(await project.open((repository) => status(repository))).toEqual({});
  });

  it("whose connection breaks off now and then gets through", async () => {
    cloud.faults.push("cut", 503, "cut");
    expect(await pulling()).toMatchObject({ fetched: 13 });
  });
});

it("a gc whose remote refuses the credentials says so, in place of a list that is nowhere, and deletes nothing", async () => {
  await pushing();
  const list = keys().find((each) => each.endsWith(".dir")) ?? "";
  await rm(project.at(`.dvc/cache/${list.replace("data/", "")}`));
  for (const allowMissing of [false, true]) {
    cloud.faults.push(...Array.from({ length: 60 }, () => ({ status: 400, code: "ExpiredToken" })));
    const collecting = project.open((repository) =>
      collectGarbage(repository, openBlobStore, { workspace: true }, { env, allowMissing }),
    );
    await expect(collecting).rejects.toMatchObject({ code: "BLOB_UNAUTHENTICATED" });
    cloud.faults.splice(0);
  }
  await pulling();
  expect(await project.open((repository) => status(repository))).toEqual({});
  const gets = cloud.requests.filter((each) => /^GET .*\/files\//.test(each));
  expect(new Set(gets.map((each) => each.split("?")[0]?.slice(-36))).size).toBe(1);
});
