// Verification before use: what is altered is named, what is untouched is not hashed again, and a set-back clock fools nobody.
import { existsSync } from "node:fs";
import {
  appendFile,
  chmod,
  cp,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashesOf, makeTrainedModel, scratchFolder } from "../../test/support/model-packages.js";
import { manifestFile } from "./manifest.js";
import { openPackageFolder } from "./model-package.js";
import { packModel } from "./pack-model.js";
import { findFaults, verifyPackage } from "./verify-package.js";
import { writePackage } from "./write-package.js";

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let digest: string;
const at = (...names: string[]) => path.join(scratch.folder, ...names);

beforeAll(async () => {
  scratch = await scratchFolder("verify");
  await makeTrainedModel(at("model"));
  const packed = await packModel(at("model"));
  digest = packed.manifest.digest;
  await writePackage(packed, at("package"));
});
afterAll(() => scratch.remove());

let copies = 0;
async function copy(): Promise<string> {
  const folder = at(`copy-${++copies}`);
  await cp(at("package"), folder, { recursive: true });
  return folder;
}

describe("a package in a folder", () => {
  it("is a Hugging Face folder with a manifest, and verifies", async () => {
    const names = hashesOf(at("package")).map(([name]) => name);
    expect(names).toContain("config.json");
    expect(names).toContain(manifestFile);
    expect((await verifyPackage(at("package"), digest)).manifest.digest).toBe(digest);
  });

  it("is not written over what is there, unless that is said", async () => {
    const packed = await packModel(at("model"));
    const folder = await copy();
    await appendFile(path.join(folder, "config.json"), " ");
    await expect(writePackage(packed, folder)).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    await writePackage(packed, folder, { overwrite: true });
    await verifyPackage(folder, digest);
    await writeFile(at("a-file"), "mine");
    await expect(writePackage(packed, at("a-file"))).rejects.toMatchObject({
      code: "OUTPUT_EXISTS",
    });
  });

  it("is not there at all where writing it was stopped", async () => {
    const controller = new AbortController();
    const stopped = writePackage(await packModel(at("model")), at("stopped"), {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: "CANCELLED" });
    expect(existsSync(at("stopped"))).toBe(false);
  });
});

type Spoil = (folder: string) => Promise<unknown>;
const weights = "model.safetensors";
const spoiled: readonly [string, string, string, Spoil][] = [
  [
    "one bit",
    weights,
    "SHA-256",
    async (folder) => {
      const bytes = await readFile(path.join(folder, weights));
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      await writeFile(path.join(folder, weights), bytes);
    },
  ],
  [
    "a byte more",
    "config.json",
    "bytes",
    (folder) => appendFile(path.join(folder, "config.json"), " "),
  ],
  ["a missing file", weights, "not there", (folder) => rm(path.join(folder, weights))],
  [
    "a file that nobody packed",
    "tokenizer.json",
    "no such file",
    (folder) => writeFile(path.join(folder, "tokenizer.json"), "{}"),
  ],
  [
    "another manifest",
    manifestFile,
    "SHA-256",
    async (folder) => {
      const text = await readFile(path.join(folder, manifestFile), "utf8");
      await writeFile(
        path.join(folder, manifestFile),
        text.replace(/"sizeBytes": \d/, '"sizeBytes": 9'),
      );
    },
  ],
  [
    "a manifest that is gone",
    manifestFile,
    "no bridle-package.json",
    (folder) => rm(path.join(folder, manifestFile)),
  ],
  [
    "a manifest that is none",
    manifestFile,
    "cannot be read",
    (folder) => writeFile(path.join(folder, manifestFile), "{"),
  ],
  [
    "a link to nowhere",
    weights,
    "not there",
    async (folder) => {
      await rm(path.join(folder, weights));
      await symlink("/nowhere", path.join(folder, weights));
    },
  ],
];

describe("a package that is altered on disk", () => {
  it.each(spoiled)("by %s is refused by the file's name", async (_, file, reason, spoil) => {
    const folder = await copy();
    const notes = path.join(scratch.folder, `notes-${copies}`);
    await verifyPackage(folder, digest, { notes });
    await spoil(folder);
    for (const options of [{}, { notes }]) {
      await expect(verifyPackage(folder, digest, options)).rejects.toMatchObject({
        code: "PACKAGE_ALTERED",
        details: expect.objectContaining({ file }),
        message: expect.stringContaining(reason),
      });
    }
  });

  it("is found out where size and modification time are put back", async () => {
    const folder = await copy();
    const notes = at("notes-time");
    const file = path.join(folder, weights);
    await verifyPackage(folder, digest, { notes });
    const { atime, mtime } = await stat(file);
    const bytes = await readFile(file);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(file, bytes);
    await utimes(file, atime, mtime);
    await expect(verifyPackage(folder, digest, { notes })).rejects.toMatchObject({
      code: "PACKAGE_ALTERED",
      details: expect.objectContaining({ file: weights }),
    });
  });

  it("tells of every fault at once to who asks for all", async () => {
    const folder = await copy();
    await appendFile(path.join(folder, "config.json"), " ");
    await rm(path.join(folder, weights));
    const faults = await findFaults(await openPackageFolder(folder), folder, {});
    expect(faults.map(({ details }) => details.file).sort()).toEqual(["config.json", weights]);
  });
});

describe("what was hashed", () => {
  it("is not read again while it is untouched, and is where it was moved", async () => {
    const folder = await copy();
    const notes = at("notes-cache");
    await verifyPackage(folder, digest, { notes });
    // Unreadable bytes would be an error, were they read; root reads everything, so that the note itself is looked at.
    const note = path.join(notes, `${digest}.verified`);
    const noted = await readFile(note, "utf8");
    await verifyPackage(folder, digest, { notes });
    expect(await readFile(note, "utf8")).toBe(noted);
    await writeFile(note, noted.replaceAll("\t", "\tx"));
    await verifyPackage(folder, digest, { notes });
    expect(await readFile(note, "utf8")).toBe(noted);
    if (process.getuid?.() !== 0) {
      await verifyPackage(folder, digest, { notes });
      await chmod(path.join(folder, weights), 0);
      await expect(verifyPackage(folder, digest, { notes })).rejects.toMatchObject({
        code: "FILE_NOT_READABLE",
      });
    }
  });

  it("need not be noted: a folder for notes that cannot be made costs nothing but time", async () => {
    await writeFile(at("in-the-way"), "");
    await verifyPackage(at("package"), digest, { notes: at("in-the-way") });
  });

  it("of another package does not count", async () => {
    const folder = await copy();
    const notes = at("notes-swap");
    await verifyPackage(folder, digest, { notes });
    await rename(path.join(folder, weights), path.join(folder, "aside"));
    await cp(path.join(folder, "config.json"), path.join(folder, weights));
    await rm(path.join(folder, "aside"));
    await expect(verifyPackage(folder, digest, { notes })).rejects.toMatchObject({
      code: "PACKAGE_ALTERED",
    });
  });
});
