// Folders that are symbolic links: nothing is written through them to places outside the repository.
import fs from "node:fs";
import { mkdir, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DvcProject } from "../../../test/support/dvc-project.js";
import { openBlobStore } from "../../../test/support/file-store.js";
import { addPaths } from "./add.js";
import { checkout } from "./checkout.js";
import { pull } from "./pull.js";
import { push } from "./push.js";
import { addRemote } from "./remote.js";

let project: DvcProject;
let outside: string;
beforeEach(async () => {
  project = await DvcProject.create({ withGit: false });
  outside = path.join(project.folder, "outside");
  await mkdir(outside);
});
afterEach(() => project.remove());

const add = (...paths: string[]) => project.open((repository) => addPaths(repository, paths));
const checkingOut = (options = {}) =>
  project.open((repository) => checkout(repository, {}, options));
const link = (target: string, name: string) => symlink(target, project.at(name));
/** Makes a .dvc file of a payload say that it belongs at another path. */
async function claim(place: string): Promise<void> {
  await project.write("payload", "payload");
  await add("payload");
  const text = project.read("payload.dvc").replace("path: payload", `path: ${place}`);
  await project.write("other.dvc", text);
}

describe("a folder that is a link", () => {
  it.each([
    ["out of the repository", "../outside"],
    ["to another folder of it", "inside"],
  ])("%s holds nothing that can be added", async (_, target) => {
    await mkdir(project.at("inside"));
    await link(target, "link");
    await project.write("link/x", "x");
    await project.write("link/sub/y", "y");
    for (const name of ["link/x", "link/sub", "link/sub/y"]) {
      await expect(add(name)).rejects.toMatchObject({
        code: "DVC_PATH_UNFIT",
        message: `${name} cannot be versioned: link is a symbolic link to a folder.`,
      });
    }
    expect(fs.readdirSync(project.at("link"))).toEqual(["sub", "x"]);
    expect(fs.readdirSync(project.at("link/sub"))).toEqual(["y"]);
  });

  it.each(["link/evil", "link/sub/evil"])("is not written through for %s", async (place) => {
    await link("../outside", "link");
    await claim(place);
    await project.open((repository) =>
      addRemote(repository, "store", "../store", project.root, { isDefault: true }),
    );
    await project.open((repository) => push(repository, openBlobStore, { targets: ["payload"] }));
    const refused = { code: "DVC_LINK_UNFIT", message: expect.stringContaining(outside) };
    for (const force of [false, true])
      await expect(checkingOut({ force })).rejects.toMatchObject(refused);
    await rm(project.at(".dvc/cache"), { recursive: true });
    const pulling = project.open((repository) => pull(repository, openBlobStore));
    await expect(pulling).rejects.toMatchObject(refused);
    expect(fs.readdirSync(outside)).toEqual([]);
  });

  it("to where Git and DVC keep their files is not written through either", async () => {
    await mkdir(project.at(".git/hooks"), { recursive: true });
    await link(".git", "link");
    await claim("link/hooks/post-checkout");
    await expect(checkingOut()).rejects.toMatchObject({ code: "DVC_LINK_UNFIT" });
    expect(fs.readdirSync(project.at(".git/hooks"))).toEqual([]);
  });

  it("in place of one inside a tracked folder is not written through", async () => {
    await project.write("set/a", "a");
    await project.write("set/sub/b", "b");
    await add("set");
    await rm(project.at("set"), { recursive: true });
    await mkdir(project.at("set"));
    await link("../../outside", "set/sub");
    await expect(checkingOut()).rejects.toMatchObject({ code: "DVC_LINK_UNFIT" });
    expect(fs.readdirSync(outside)).toEqual([]);
    expect(project.has("set/a")).toBe(false);
  });

  it("to another folder of the repository is written through", async () => {
    await mkdir(project.at("inside"));
    await link("inside", "link");
    await claim("link/x");
    await checkingOut();
    expect(project.read("inside/x")).toBe("payload");
  });
});
