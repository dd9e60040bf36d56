// Which version data are, and an older version brought back beside what lies in the working folder.
import fs from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DvcProject } from "../../../test/support/dvc-project.js";
import { openBlobStore } from "../../../test/support/file-store.js";
import { addPaths } from "./add.js";
import { push } from "./push.js";
import {
  type DataVersion,
  layApart,
  makePlaceApart,
  versionNamed,
  versionsOf,
} from "./recorded-version.js";
import { addRemote } from "./remote.js";

let project: DvcProject;
beforeEach(async () => {
  project = await DvcProject.create({ withGit: false });
  await project.write("rows.jsonl", "first\n");
  await project.write("data/train.jsonl", "one\n");
  await project.write("data/texts/a.txt", "a");
  await project.write("data/texts/b/c.txt", "c");
  await add("rows.jsonl", "data");
});
afterEach(() => project.remove());

const add = (...paths: string[]) => project.open((repository) => addPaths(repository, paths));
const versions = async (...paths: string[]) =>
  await versionsOf(
    paths.map((each) => project.at(each)),
    { env: {} },
  );
const lay = (version: DataVersion, of: string) =>
  project.open(async (repository) => {
    const folder = await makePlaceApart(repository);
    return await layApart(repository, openBlobStore, version, of, folder, { env: {} });
  });

describe("the version of data", () => {
  it("is the tracked path's, for what lies in it too", async () => {
    const [rows, whole, inner, texts] = await versions(
      ...["rows.jsonl", "data", "data/train.jsonl", "data/texts"],
    );
    expect(rows).toEqual({ path: "rows.jsonl", md5: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(whole).toEqual({ path: "data", md5: expect.stringMatching(/^[0-9a-f]{32}\.dir$/) });
    expect([inner, texts]).toEqual([whole, whole]);
    const named = await project.open((repository) => versionNamed(repository, "data/train.jsonl"));
    expect(named).toEqual(whole);
  });

  it("is none where data is not as its .dvc file says, or nothing says it", async () => {
    const [before] = await versions("data");
    await project.write("rows.jsonl", "second\n");
    await project.write("data/texts/d.txt", "d");
    await project.write("loose.jsonl", "x");
    expect(await versions("rows.jsonl", "data", "data/texts", "loose.jsonl", "nowhere")).toEqual(
      Array(5).fill(undefined),
    );
    // What was not touched of a folder is still what it was.
    expect(await versions("data/train.jsonl", "data/texts/b")).toEqual([before, before]);
    await project.write("other.dvc", "outs: [");
    expect(await versions("data/train.jsonl")).toEqual([undefined]);
    expect(await versionsOf([path.join(project.folder, "outside.jsonl")])).toEqual([undefined]);
  });
});

describe("a version that the .dvc file names no more", () => {
  it("is laid apart, from the cache or from the remote, and nothing else is touched", async () => {
    const [rows, data] = await versions("rows.jsonl", "data");
    await project.open((repository) =>
      addRemote(repository, "store", "../remote", project.root, { isDefault: true }),
    );
    await project.open((repository) => push(repository, openBlobStore));
    await project.write("rows.jsonl", "second\n");
    await project.write("data/texts/a.txt", "A");
    await add("rows.jsonl", "data");
    for (const gone of [false, true]) {
      if (gone) await rm(project.at(".dvc/cache"), { recursive: true });
      const file = await lay(rows!, "rows.jsonl");
      expect(path.basename(file!)).toBe("rows.jsonl");
      expect(fs.readFileSync(file!, "utf8")).toBe("first\n");
      const texts = await lay(data!, "data/texts");
      expect(fs.readdirSync(texts!, { recursive: true }).sort()).toEqual(
        ["a.txt", "b", path.join("b", "c.txt")].sort(),
      );
      expect(fs.readFileSync(path.join(texts!, "a.txt"), "utf8")).toBe("a");
      expect(fs.readFileSync((await lay(data!, "data/train.jsonl"))!, "utf8")).toBe("one\n");
    }
    expect(await lay(data!, "data/nowhere.jsonl")).toBeUndefined();
    expect(await lay(data!, "rows.jsonl")).toBeUndefined();
    expect(project.read("rows.jsonl")).toBe("second\n");
    expect(project.read("data/texts/a.txt")).toBe("A");
  });

  it("is told as missing where neither cache nor remote has it", async () => {
    const version = { path: "rows.jsonl", md5: "0".repeat(32) };
    await expect(lay(version, "rows.jsonl")).rejects.toMatchObject({ code: "DVC_REMOTE_NOT_SET" });
    await project.open((repository) =>
      addRemote(repository, "store", "../remote", project.root, { isDefault: true }),
    );
    await expect(lay(version, "rows.jsonl")).rejects.toMatchObject({
      code: "DVC_REMOTE_OBJECT_MISSING",
    });
  });
});
