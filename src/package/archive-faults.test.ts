// A tar file that can no longer be read in the middle of a file of it: reading ends with the disk's error.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { scratchFolder } from "../../test/support/model-packages.js";
import { headerOf, readArchive } from "./archive.js";
import { createManifest, manifestFile } from "./manifest.js";

/** After so many bytes the disk has nothing more to say. */
let readable = Number.POSITIVE_INFINITY;

vi.mock("./model-package.js", async (original) => {
  const real = await original<typeof import("./model-package.js")>();
  return {
    ...real,
    async *readBytes(file: string) {
      let left = readable;
      for await (const piece of real.readBytes(file)) {
        for (let start = 0; start < piece.length && left > 0; start += 10_000) {
          const part = piece.subarray(start, start + Math.min(10_000, left));
          left -= part.length;
          yield part;
        }
        if (left > 0) continue;
        throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO", syscall: "read" });
      }
    },
  };
});

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
beforeAll(async () => {
  scratch = await scratchFolder("archive-faults");
});
afterAll(() => scratch.remove());

it("tells the disk's error wherever in the file it comes", async () => {
  const content = Buffer.alloc(64 * 1024, "weights ");
  const sha256 = createHash("sha256").update(content).digest("hex");
  const { bytes } = createManifest([{ path: "w.bin", sizeBytes: content.length, sha256 }]);
  const file = path.join(scratch.folder, "m.tar");
  const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512);
  const before = [headerOf(manifestFile, bytes.length), bytes, padding];
  const body = Buffer.concat([...before, headerOf("w.bin", content.length), content]);
  await writeFile(file, Buffer.concat([body, Buffer.alloc(1024)]));
  const folder = path.join(scratch.folder, "read");
  for (const at of [100, 700, 1000, 1024, 1100, 5000, 20_000, 40_000, body.length - 1]) {
    readable = at;
    await expect(readArchive(file, folder), `after ${at} bytes`).rejects.toMatchObject({
      code: "FILE_NOT_READABLE",
    });
    expect(existsSync(folder)).toBe(false);
  }
  readable = Number.POSITIVE_INFINITY;
  expect((await readArchive(file, folder)).manifest.files).toHaveLength(1);
});
