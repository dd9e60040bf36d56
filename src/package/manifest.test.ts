// Manifests: the same files give the same digest, and what a manifest may not say is refused by name.
import { describe, expect, it } from "vitest";
import { createManifest, isSafePath, manifestFile, readManifest } from "./manifest.js";

const hash = "a".repeat(64);
const file = (path: string, sizeBytes = 1) => ({ path, sizeBytes, sha256: hash });
const told = (content: unknown) => Buffer.from(JSON.stringify(content));
const manifest = (files: unknown, more = {}) =>
  told({ format: "bridle-package", version: 1, files, ...more });

describe("manifests", () => {
  it("are the same in whatever order the files come, and others where one byte is another", () => {
    const one = createManifest([file("b.txt"), file("a/c.txt", 3)]);
    const other = createManifest([file("a/c.txt", 3), file("b.txt")]);
    expect(one.bytes.equals(other.bytes)).toBe(true);
    expect(one.digest).toBe(other.digest);
    expect(one.files.map(({ path }) => path)).toEqual(["a/c.txt", "b.txt"]);
    expect(one.sizeBytes).toBe(4);
    expect(createManifest([file("b.txt", 2), file("a/c.txt", 3)]).digest).not.toBe(one.digest);
    expect(readManifest(one.bytes, "x")).toEqual(one);
  });

  it.each([
    ["../etc/passwd"],
    ["/etc/passwd"],
    ["a//b"],
    ["a/../b"],
    ["./a"],
    [".hidden"],
    ["a/.git/config"],
    ["a\\b"],
    ["C:file"],
    ["a b"],
    ["con"],
    ["a/NUL.txt"],
    ["point."],
    ["naïve.txt"],
    ["line\nend"],
    [`${"x".repeat(101)}`],
    [""],
  ])("take no path %j", (path) => {
    expect(isSafePath(path)).toBe(false);
    expect(() => readManifest(manifest([file(path)]), "x.tar")).toThrow(
      expect.objectContaining({
        code: "PACKAGE_INVALID",
        message: expect.stringContaining("x.tar"),
      }),
    );
  });

  it.each([
    ["unsorted files", manifest([file("b"), file("a")]), "not sorted"],
    ["a file twice", manifest([file("a"), file("a")]), "not sorted"],
    ["names that differ by case alone", manifest([file("A"), file("a")]), "twice"],
    ["itself", manifest([file(manifestFile)]), "twice"],
    [
      "a file that is a folder, too",
      manifest([file("a"), file("a/b")]),
      "both a file and a folder",
    ],
    ["no files", manifest([]), "files"],
    ["a size below nothing", manifest([file("a", -1)]), "sizeBytes"],
    ["a hash that is none", manifest([{ ...file("a"), sha256: "abc" }]), "64 hexadecimal"],
    ["more than it holds", manifest([file("a")], { extra: 1 }), "content"],
    ["another format", told({ format: "other", version: 1, files: [file("a")] }), "format"],
    ["nothing", Buffer.from(""), "cannot be read"],
    ["no JSON", Buffer.from("{"), "cannot be read"],
    ["null", Buffer.from("null"), "content"],
    ["depth", Buffer.from("[".repeat(5000)), "cannot be read"],
  ])("refuse %s", (_, bytes, reason) => {
    expect(() => readManifest(bytes, "x")).toThrow(
      expect.objectContaining({
        code: "PACKAGE_INVALID",
        message: expect.stringContaining(reason),
      }),
    );
  });

  it("of a newer version say so", () => {
    const newer = told({ format: "bridle-package", version: 2, anything: [] });
    expect(() => readManifest(newer, "x.tar")).toThrow(
      expect.objectContaining({
        code: "PACKAGE_TOO_NEW",
        message: expect.stringContaining("version 2"),
      }),
    );
  });
});
