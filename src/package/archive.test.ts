// Packages as one file: the same bytes for the same package, back as they were, and nothing that an archive says is believed.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { lstat, mkdir, readFile, symlink, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { Header } from "tar";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashesOf, makeTrainedModel, scratchFolder } from "../../test/support/model-packages.js";
import { headerOf, readArchive, writeArchive } from "./archive.js";
import { createManifest, manifestFile } from "./manifest.js";
import { openPackageFolder } from "./model-package.js";
import { packModel } from "./pack-model.js";
import { writePackage } from "./write-package.js";

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
const at = (...names: string[]) => path.join(scratch.folder, ...names);

beforeAll(async () => {
  scratch = await scratchFolder("archive");
  await makeTrainedModel(at("model"));
  await writePackage(await packModel(at("model")), at("package"));
});
afterAll(() => scratch.remove());

type Entry = {
  readonly path: string;
  readonly content?: Buffer;
  readonly type?: "File" | "SymbolicLink" | "Link" | "Directory" | "CharacterDevice" | "FIFO";
  readonly linkpath?: string;
  readonly size?: number;
};

/** A tar file as nobody should write one. */
function tarOf(entries: readonly Entry[], { withEnd = true } = {}): Buffer {
  const parts = entries.flatMap(
    ({ path: name, content = Buffer.alloc(0), type = "File", linkpath, size }) => {
      const header = new Header({
        ...{
          path: name,
          type,
          size: size ?? content.length,
          mode: 0o644,
          mtime: new Date(0),
          uid: 0,
          gid: 0,
        },
        ...(linkpath !== undefined && { linkpath }),
      });
      const block = Buffer.alloc(512);
      header.encode(block, 0);
      return [block, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
    },
  );
  return Buffer.concat([...parts, Buffer.alloc(withEnd ? 1024 : 0)]);
}

const content = Buffer.from("hello");
const sha256 = createHash("sha256").update(content).digest("hex");
const manifest = createManifest([{ path: "a.txt", sizeBytes: 5, sha256 }]);
const first: Entry = { path: `model/${manifestFile}`, content: manifest.bytes };
const good: Entry = { path: "model/a.txt", content };

let count = 0;
async function read(bytes: Buffer) {
  const folder = at(`read-${++count}`);
  const file = at(`read-${count}.tar`);
  await writeFile(file, bytes);
  const beside = readdirSync(scratch.folder).length;
  const outcome = await readArchive(file, folder).then(
    (found) => ({ found, error: undefined }),
    (error: unknown) => ({ found: undefined, error }),
  );
  // Nothing is left of what was refused, and nothing came to lie outside.
  expect(readdirSync(scratch.folder).length).toBe(beside + (outcome.found ? 1 : 0));
  return outcome;
}

describe("one file", () => {
  it("holds a package byte for byte, and is the same whenever it is written", async () => {
    const from = await openPackageFolder(at("package"));
    await writeArchive(from, at("one.tar"));
    await writeArchive(await packModel(at("model")), at("two.tar"));
    expect((await readFile(at("one.tar"))).equals(await readFile(at("two.tar")))).toBe(true);
    const steps: number[] = [];
    const back = await readArchive(at("one.tar"), at("back"), {
      onProgress: ({ doneBytes, totalBytes }) => steps.push(doneBytes / totalBytes),
    });
    expect(back.manifest.digest).toBe(from.manifest.digest);
    expect(steps.at(-1)).toBe(1);
    expect(hashesOf(at("back"))).toEqual(hashesOf(at("package")));
  });

  it.skipIf(process.platform === "win32")("follows a link, and takes no pipe's place", async () => {
    const from = await openPackageFolder(at("package"));
    await symlink("led-to.tar", at("link.tar"));
    await writeArchive(from, at("link.tar"));
    expect((await lstat(at("link.tar"))).isSymbolicLink()).toBe(true);
    expect((await lstat(at("led-to.tar"))).isFile()).toBe(true);
    execFileSync("mkfifo", [at("pipe")]);
    const refused = writeArchive(from, at("pipe"), { overwrite: true });
    await expect(refused).rejects.toMatchObject({ code: "FILE_NOT_WRITABLE" });
    expect((await lstat(at("pipe"))).isFIFO()).toBe(true);
  });

  it("is not written over another, and not half", async () => {
    const from = await openPackageFolder(at("package"));
    await writeFile(at("there.tar"), "mine");
    await expect(writeArchive(from, at("there.tar"))).rejects.toMatchObject({
      code: "OUTPUT_EXISTS",
    });
    expect(await readFile(at("there.tar"), "utf8")).toBe("mine");
    const controller = new AbortController();
    const stopped = writeArchive(from, at("there.tar"), {
      overwrite: true,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await readFile(at("there.tar"), "utf8")).toBe("mine");
    expect(readdirSync(scratch.folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    await writeArchive(from, at("there.tar"), { overwrite: true });
    expect((await readFile(at("there.tar"))).length).toBeGreaterThan(from.manifest.sizeBytes);
  });

  it("may hold files beyond 8 GiB: their size is written as a binary number", () => {
    for (const size of [0, 8 * 2 ** 30 - 1, 8 * 2 ** 30, 3 * 2 ** 40]) {
      const header = headerOf("model.safetensors", size);
      expect(header).toHaveLength(512);
      expect(new Header(header)).toMatchObject({ path: "model/model.safetensors", size });
    }
    const long = `${"a".repeat(120)}/${"b".repeat(99)}`;
    expect(new Header(headerOf(long, 1)).path).toBe(`model/${long}`);
    expect(() => headerOf("a".repeat(240), 1)).toThrow(expect.objectContaining({ code: "BUG" }));
  });

  it("made by tar itself is read, in a folder of any name and with folders in it", async () => {
    const entries = [
      { path: "my-model/", type: "Directory" as const },
      { ...first, path: `my-model/${manifestFile}` },
      { ...good, path: "my-model/a.txt" },
    ];
    const { found, error } = await read(tarOf(entries));
    expect(error).toBeUndefined();
    expect(found?.manifest.digest).toBe(manifest.digest);
  });
});

const link: Entry = { path: "model/a.txt", type: "SymbolicLink", linkpath: "/etc/passwd" };
const hostile: readonly [string, readonly Entry[], string][] = [
  ["a symbolic link", [first, link], "SymbolicLink"],
  ["a hard link", [first, { ...link, type: "Link" }], "Link"],
  ["a device", [first, { path: "model/a.txt", type: "CharacterDevice" }], "CharacterDevice"],
  ["a pipe", [first, { path: "model/a.txt", type: "FIFO" }], "FIFO"],
  ["a path that climbs out", [first, { ...good, path: "model/../../out.txt" }], "no name"],
  ["a path that climbs out at once", [first, { ...good, path: "../out.txt" }], "no name"],
  ["an absolute path", [first, { ...good, path: "/tmp/out.txt" }], "no name"],
  ["a path with a drive", [first, { ...good, path: "model/C:out.txt" }], "no name"],
  ["a file beside the folder", [first, { ...good, path: "other/a.txt" }], "no name"],
  ["a file without a folder", [{ ...first, path: manifestFile }], "no name"],
  [
    "a file that the manifest does not name",
    [first, { ...good, path: "model/b.txt" }],
    "does not name",
  ],
  ["a file twice", [first, good, good], "twice"],
  ["a manifest twice", [first, first], "does not name"],
  ["no manifest first", [good, first], "not with a manifest"],
  ["a file missing", [first], "ends before a.txt"],
  ["nothing", [], "Unrecognized archive format"],
];

describe("an archive with", () => {
  it.each(hostile)("%s is refused, and nothing of it stays", async (_, entries, reason) => {
    const { error } = await read(tarOf(entries));
    expect(error).toMatchObject({
      code: "ARCHIVE_INVALID",
      message: expect.stringContaining(reason),
    });
    expect(existsSync("/tmp/out.txt")).toBe(false);
  });

  it.each([
    ["other bytes", Buffer.from("HELLO"), "SHA-256"],
    ["fewer bytes", Buffer.from("hell"), "4 bytes"],
    ["more bytes", Buffer.from("hello, you"), "more bytes"],
  ])("%s than its manifest says is refused by the file's name", async (_, bytes, reason) => {
    const { error } = await read(tarOf([first, { ...good, content: bytes }]));
    expect(error).toMatchObject({
      code: "PACKAGE_ALTERED",
      message: expect.stringMatching(new RegExp(`a\\.txt .*${reason}`)),
    });
  });

  it("a manifest that is none, or from the future, is refused", async () => {
    const odd = (text: string) => tarOf([{ ...first, content: Buffer.from(text) }]);
    expect((await read(odd("{}"))).error).toMatchObject({ code: "PACKAGE_INVALID" });
    const newer = odd('{"format": "bridle-package", "version": 9}');
    expect((await read(newer)).error).toMatchObject({ code: "PACKAGE_TOO_NEW" });
    const large = tarOf([{ ...first, content: Buffer.alloc(5 * 1024 * 1024, " ") }]);
    expect((await read(large)).error).toMatchObject({ code: "ARCHIVE_INVALID" });
  });

  it("no tar in it is refused: text, gzip, nothing, noise, a header that lies of its size", async () => {
    const noise = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) % 251));
    const cases = [Buffer.from("hello"), Buffer.alloc(0), noise, Buffer.from("1f8b0800", "hex")];
    for (const bytes of cases) {
      expect((await read(bytes)).error).toMatchObject({ code: "ARCHIVE_INVALID" });
    }
    const lying = tarOf([{ ...first, size: 2 ** 40 }]);
    expect((await read(lying)).error).toMatchObject({ code: "ARCHIVE_INVALID" });
  });

  it("a cut anywhere is refused", async () => {
    const whole = tarOf([first, good]);
    for (let end = 0; end < whole.length - 1024; end += 100) {
      const { error } = await read(whole.subarray(0, end));
      expect(error, `cut at ${end}`).toMatchObject({
        code: expect.stringMatching(/^(ARCHIVE_INVALID|PACKAGE_ALTERED|PACKAGE_INVALID)$/),
      });
    }
  });

  it("a wrong checksum in a header is refused", async () => {
    const bytes = tarOf([first, good]);
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    expect((await read(bytes)).error).toMatchObject({ code: "ARCHIVE_INVALID" });
  });
});

describe("what is not there", () => {
  it("is told as such, and a stop is heeded", async () => {
    await expect(readArchive(at("none.tar"), at("none"))).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
    });
    await writeFile(at("good.tar"), tarOf([first, good]));
    await expect(
      readArchive(at("good.tar"), at("stopped"), { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
    await mkdir(at("a-folder"));
    await expect(readArchive(at("a-folder"), at("none"))).rejects.toMatchObject({
      code: "FILE_NOT_READABLE",
    });
    expect(existsSync(at("none")) || existsSync(at("stopped"))).toBe(false);
  });

  it("is no reason to hold an archive in memory: a file of many pieces comes through", async () => {
    const pieces = Buffer.alloc(9 * 1024 * 1024 + 13, "abcdefg");
    const hash = createHash("sha256").update(pieces).digest("hex");
    const large = createManifest([{ path: "w.bin", sizeBytes: pieces.length, sha256: hash }]);
    const bytes = tarOf([
      { ...first, content: large.bytes },
      { path: "model/w.bin", content: pieces },
    ]);
    const { found, error } = await read(bytes);
    expect(error).toBeUndefined();
    expect(found?.manifest.sizeBytes).toBe(pieces.length);
    const file = at("cut.tar");
    await writeFile(file, bytes);
    await truncate(file, 5 * 1024 * 1024);
    await expect(readArchive(file, at("cut"))).rejects.toMatchObject({
      code: expect.stringMatching(/ARCHIVE_INVALID|PACKAGE_ALTERED/),
    });
  });
});
