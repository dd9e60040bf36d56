// Tests outputs and repositories that share content: each output's own remote is served, and none writes over another.
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DvcProject } from "../../../test/support/dvc-project.js";
import { openBlobStore } from "../../../test/support/file-store.js";
import { addPaths } from "./add.js";
import { push } from "./push.js";
import { addRemote } from "./remote.js";

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
