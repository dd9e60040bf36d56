// `bridle data` in a repository, over a terminal in memory: what is typed means the path that is there, and secrets are not shown.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DvcProject } from "../../test/support/dvc-project.js";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { targetsOf } from "./data-repository.js";
import { runProgram } from "./program.js";

let project: DvcProject;
beforeEach(async () => {
  project = await DvcProject.create();
  vi.spyOn(process, "cwd").mockReturnValue(project.root);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await project.remove();
});

async function run(...args: string[]) {
  const terminal = createMemoryTerminal();
  await runProgram(["data", ...args], terminal);
  return { out: terminal.out(), err: terminal.err() };
}

describe("a target", () => {
  it("is a path where one of its name is there, and else may be a stage's name", async () => {
    await project.write("sub/a:b.txt", "x");
    await project.write("sub/gone@home.csv.dvc", "outs: []");
    const typed = [
      "a:b.txt",
      "./gone@home.csv",
      "gone@home.csv",
      "c:d",
      "train@0",
      "dvc.yaml:train",
    ];
    const targets = await project.open(async (repository) =>
      targetsOf({ repository, folder: project.at("sub"), steps: {}, env: {} }, [...typed, ".."]),
    );
    expect(targets).toEqual([
      ...["sub/a:b.txt", "sub/gone@home.csv", "sub/gone@home.csv", "sub/c:d"],
      ...["train@0", "dvc.yaml:train"],
    ]);
  });
});

describe("a remote whose URL holds a password", () => {
  const url = "https://me:secret@host/x";

  it("is added with a warning, and told and listed without it", async () => {
    const added = await run("remote", "add", "web", url, "--json");
    expect(JSON.parse(added.out)).toEqual({
      name: "web",
      url: "https://me@host/x",
      isDefault: false,
    });
    expect(added.err).toContain("bridle data remote add --force --local web");
    expect(project.read(".dvc/config")).toContain(url);
    for (const { out } of [await run("remote", "list"), await run("remote", "list", "--json")]) {
      expect(out).toContain("https://me@host/x");
      expect(out).not.toContain("secret");
    }
    const local = await run("remote", "add", "--local", "near", url);
    expect(local.err).toBe("");
  });
});

it("an option with a wrong value is told with the help of its own command", async () => {
  await expect(run("push", "--jobs", "0")).rejects.toMatchObject({
    code: "INVALID_PARAMETER",
    hint: "Correct --jobs: `bridle data push --help` tells what it takes.",
  });
});
