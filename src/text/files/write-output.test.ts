// Outputs that users name: files whole or not at all, links followed, pipes written to and left where they are.
import { execFileSync } from "node:child_process";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BridleError } from "../../errors/error.js";
import { findOutput, writeOutput } from "./write-output.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-output-"));
});
afterEach(() => rm(folder, { recursive: true }));

const at = (name: string) => path.join(folder, name);
const put = (name: string, text: string) =>
  writeOutput(at(name), (handle) => handle.writeFile(text));

describe("a file", () => {
  it("is made, and replaced with the rights it had", async () => {
    await put("a.txt", "first");
    await chmod(at("a.txt"), 0o600);
    await put("a.txt", "second");
    expect(await readFile(at("a.txt"), "utf8")).toBe("second");
    if (process.platform !== "win32") expect((await stat(at("a.txt"))).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(["a.txt"]);
  });

  it("stays as it was where writing fails, and an error of ours is told as it is", async () => {
    await put("a.txt", "first");
    const own = new BridleError("CANCELLED");
    const failing = (error: Error) =>
      writeOutput(at("a.txt"), async (handle) => {
        await handle.writeFile("half");
        throw error;
      });
    await expect(failing(own)).rejects.toBe(own);
    await expect(failing(new TypeError("full"))).rejects.toMatchObject({ code: "WRITE_FAILED" });
    expect(await readFile(at("a.txt"), "utf8")).toBe("first");
    expect(await readdir(folder)).toEqual(["a.txt"]);
  });

  it.each([
    ["absent/a.txt", "its folder does not exist", "Make the folder"],
    ["absent/", "its folder does not exist", "absent/ first"],
    [".", "it is a folder", "Name a file"],
  ])("is not %s: it says why and what to do, before any work", async (name, reason, advice) => {
    let worked = false;
    const writing = writeOutput(at(name), async () => {
      worked = true;
    });
    await expect(writing).rejects.toMatchObject({
      code: "WRITE_FAILED",
      message: `${at(name)} could not be written: ${reason}.`,
      hint: expect.stringContaining(advice),
    });
    expect(worked).toBe(false);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe.skipIf(process.platform === "win32")("a link", () => {
  it("is followed to what it leads to, there or not, and stays a link", async () => {
    await mkdir(at("deep"));
    await writeFile(at("deep/a.txt"), "first");
    await symlink("deep/b.txt", at("one"));
    await symlink("a.txt", at("deep/b.txt"));
    await put("one", "second");
    expect(await readFile(at("deep/a.txt"), "utf8")).toBe("second");
    await rm(at("deep/a.txt"));
    await put("one", "third");
    expect(await readFile(at("deep/a.txt"), "utf8")).toBe("third");
    expect(await readlink(at("one"))).toBe("deep/b.txt");
    expect((await readdir(at("deep"))).sort()).toEqual(["a.txt", "b.txt"]);
  });

  it("is refused where it leads back to itself", async () => {
    await symlink("two", at("one"));
    await symlink("one", at("two"));
    await expect(put("one", "x")).rejects.toMatchObject({
      code: "FILE_NOT_WRITABLE",
      message: expect.stringContaining("circle"),
    });
  });
});

describe.skipIf(process.platform === "win32")("a pipe", () => {
  it.each(["the name of it", "a link to it"])("is written to by %s, and stays", async (by) => {
    execFileSync("mkfifo", [at("pipe")]);
    await symlink("pipe", at("link"));
    const name = by.startsWith("a link") ? "link" : "pipe";
    const [read] = await Promise.all([readFile(at("pipe"), "utf8"), put(name, "through")]);
    expect(read).toBe("through");
    expect((await lstat(at("pipe"))).isFIFO()).toBe(true);
    expect((await lstat(at("link"))).isSymbolicLink()).toBe(true);
    expect((await readdir(folder)).sort()).toEqual(["link", "pipe"]);
  });

  it("is a stream, and so are the names of what this process has open", async () => {
    execFileSync("mkfifo", [at("pipe")]);
    await symlink("/dev/stdout", at("out"));
    const streams = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", at("out"), at("pipe")];
    for (const name of streams) {
      expect(await findOutput(name)).toMatchObject({ isStream: true });
    }
    for (const name of [at("free"), folder]) {
      expect(await findOutput(name)).toMatchObject({ file: name, isStream: false });
    }
  });
});
