// Verification before use: what is altered is named, what this process hashed and nobody touched is not hashed again, and a set-back clock fools nobody.
import { existsSync } from "node:fs";
import {
  appendFile,
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
import { findFaults, type HashedFiles, verifyPackage } from "./verify-package.js";
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
    const hashed = new Map();
    await verifyPackage(folder, digest, { hashed });
    await spoil(folder);
    for (const options of [{}, { hashed }]) {
      await expect(verifyPackage(folder, digest, options)).rejects.toMatchObject({
        code: "PACKAGE_ALTERED",
        details: expect.objectContaining({ file }),
        message: expect.stringContaining(reason),
      });
    }
  });

  it("is found out where size and modification time are put back", async () => {
    const folder = await copy();
    const hashed = new Map();
    const file = path.join(folder, weights);
    await verifyPackage(folder, digest, { hashed });
    const { atime, mtime } = await stat(file);
    const bytes = await readFile(file);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(file, bytes);
    await utimes(file, atime, mtime);
    await expect(verifyPackage(folder, digest, { hashed })).rejects.toMatchObject({
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
  it("is not read again while it is untouched, unless everything is to be hashed anew", async () => {
    const folder = await copy();
    const hashed: HashedFiles = new Map();
    await verifyPackage(folder, digest, { hashed });
    const [[place, noted] = ["", new Map<string, string>()]] = hashed;
    expect([...noted.keys()]).toContain(weights);
    // A bit that a disk has lost leaves every time as it was: played by a note that says so of the spoiled file.
    const file = path.join(folder, weights);
    const bytes = await readFile(file);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(file, bytes);
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    const asNow = [dev, ino, size, mtimeNs, ctimeNs].join(" ");
    const rotten: HashedFiles = new Map([[place, new Map([...noted, [weights, asNow]])]]);
    await verifyPackage(folder, digest, { hashed: rotten });
    // Another process knows of nothing that was hashed here, and who asks for it has everything hashed.
    for (const options of [{}, { hashed: new Map() }, { hashed: rotten, anew: true }]) {
      await expect(verifyPackage(folder, digest, options)).rejects.toMatchObject({
        code: "PACKAGE_ALTERED",
        details: expect.objectContaining({ file: weights }),
      });
    }
    // And what was found wrong is not held for right any more.
    expect(rotten.size).toBe(0);
  });

  it("of another package does not count", async () => {
    const folder = await copy();
    const hashed = new Map();
    await verifyPackage(folder, digest, { hashed });
    await rename(path.join(folder, weights), path.join(folder, "aside"));
    await cp(path.join(folder, "config.json"), path.join(folder, weights));
    await rm(path.join(folder, "aside"));
    await expect(verifyPackage(folder, digest, { hashed })).rejects.toMatchObject({
      code: "PACKAGE_ALTERED",
    });
  });
});
