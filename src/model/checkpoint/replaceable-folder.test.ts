// Tests which folders may be replaced by a model: none that holds anything but one.
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkReplaceable } from "./replaceable-folder.js";

let folder: string;
const at = (...names: string[]) => path.join(folder, ...names);
const before = process.cwd();

/** Folders end in a slash. */
async function make(...names: string[]): Promise<void> {
  for (const name of names) {
    await mkdir(at(name.endsWith("/") ? name : path.dirname(name)), { recursive: true });
    if (!name.endsWith("/")) await writeFile(at(name), "{}");
  }
}

beforeEach(async () => {
  folder = await realpath(await mkdtemp(path.join(tmpdir(), "bridle-replace-")));
});
afterEach(async () => {
  process.chdir(before);
  await rm(folder, { recursive: true });
});

const refusal = (reason: RegExp) => ({
  code: "OUTPUT_NOT_REPLACEABLE",
  message: expect.stringMatching(reason),
});

describe("a folder that may be replaced", () => {
  it.each([
    ["is not there", []],
    ["is empty", ["m/"]],
    ["is a package", ["m/bridle-package.json", "m/README.md"]],
    ["is a checkpoint in safetensors", ["m/config.json", "m/model.safetensors"]],
    ["is one in shards", ["m/config.json", "m/model-00001-of-00002.safetensors"]],
    ["is one of PyTorch", ["m/config.json", "m/pytorch_model.bin", "m/notes.txt"]],
    ["was trained by Bridle", ["m/config.json", "m/bridle.json", "m/adapter/"]],
  ])("%s", async (_, names) => {
    await make(...names);
    await expect(checkReplaceable(at("m"), ["bridle-package.json"])).resolves.toBeUndefined();
  });
});

describe("a folder that stays", () => {
  it.each([
    ["with a project", ["m/src/", "m/package.json"], /it holds package\.json, and neither/],
    ["with a configuration alone", ["m/config.json", "m/thesis.md"], /config\.json beside weights/],
    [
      "with a clone of a model",
      ["m/config.json", "m/model.safetensors", "m/.git/"],
      /: \.git lies/,
    ],
    ["with a state deep in it", ["m/bridle-package.json", "m/a/b/.bridle/"], /a\/b\/\.bridle lies/],
    ["with data that are versioned", ["m/bridle-package.json", "m/.dvc/"], /: \.dvc lies/],
    ["that is a file", ["m"], /it is a file/],
  ])("%s", async (_, names, reason) => {
    await make(...names);
    await expect(checkReplaceable(at("m"), ["bridle-package.json"])).rejects.toMatchObject(
      refusal(reason),
    );
  });

  it("is the one that somebody works in, or one above it, by whatever name", async () => {
    await make("m/bridle-package.json", "m/deep/");
    await symlink(at("m"), at("link"));
    process.chdir(at("m"));
    const marks = ["bridle-package.json"];
    for (const name of [".", at("m"), at("link")]) {
      await expect(checkReplaceable(name, marks)).rejects.toMatchObject(
        refusal(/this very folder/),
      );
    }
    process.chdir(at("m", "deep"));
    await expect(checkReplaceable("..", marks)).rejects.toMatchObject(
      refusal(/the working folder lies in it: deep/),
    );
  });

  it("is one with the state that BRIDLE_HOME names", async () => {
    await make("m/bridle-package.json", "m/home/");
    process.env.BRIDLE_HOME = at("m", "home");
    try {
      await expect(checkReplaceable(at("m"), ["bridle-package.json"])).rejects.toMatchObject(
        refusal(/state lies in it: home/),
      );
    } finally {
      delete process.env.BRIDLE_HOME;
    }
  });
});
