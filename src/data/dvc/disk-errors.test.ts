// Failures to write are told apart from failures to read.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { BridleError } from "../../errors/error.js";
import { diskError } from "./disk-errors.js";

const system = (code: string, syscall: string, file: string) =>
  Object.assign(new Error(`${code}: ${syscall} '${file}'`), { code, syscall, path: file });
const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? " (skipped: root may read everything)" : "";

describe("a failure", () => {
  it.each([
    ["EACCES", "scandir"],
    ["EPERM", "lstat"],
    ["EACCES", "readlink"],
  ])("%s of %s is one to read", (code, syscall) => {
    expect(diskError(system(code, syscall, "/repo/set"), "bridle data add", "/repo")).toMatchObject(
      {
        code: "FILE_NOT_READABLE",
        message: "/repo/set cannot be read: permission denied.",
      },
    );
  });

  it.each([
    ["EACCES", "mkdir", "permission denied"],
    ["EROFS", "open", "the file system is read-only"],
    ["EACCES", "open", "permission denied"],
  ])("%s of %s is one to write", (code, syscall, reason) => {
    const file = path.join(tmpdir(), "bridle-not-there", "file");
    expect(diskError(system(code, syscall, file), "bridle data add", "/repo")).toMatchObject({
      code: "DVC_NOT_WRITABLE",
      message: `${file} cannot be written: ${reason}.`,
      hint: expect.stringContaining("run `bridle data add` again"),
    });
  });

  it.skipIf(isRoot)(`to open what may not be read is one to read${asRoot}`, () => {
    const folder = fs.mkdtempSync(path.join(tmpdir(), "bridle-denied-"));
    const file = path.join(folder, "secret");
    fs.writeFileSync(file, "", { mode: 0o200 });
    try {
      const thrown = diskError(system("EACCES", "open", file), "bridle data add", folder);
      expect(thrown).toMatchObject({ code: "FILE_NOT_READABLE" });
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  it("that already is an error of ours, or of something else, stays what it is", () => {
    const read = new BridleError("FILE_NOT_READABLE", { file: "x", reason: "permission denied" });
    expect(diskError(read, "bridle data add", "/repo")).toBe(read);
    const other = system("EIO", "read", "x");
    expect(diskError(other, "bridle data add", "/repo")).toBe(other);
  });
});
