// Tests spools: what is appended is read back from anywhere, by several readers at once, and nothing is left behind.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSpool } from "./spool.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-spool-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("openSpool", () => {
  it("gives back what was appended, to readers that ask at once", async () => {
    const spool = await openSpool(folder);
    const parts = Array.from({ length: 40 }, (_, index) => Buffer.alloc(60_000, index));
    for (const part of parts) await spool.append(part);
    expect(spool.sizeBytes).toBe(40 * 60_000);
    const read = await Promise.all(parts.map((_, index) => spool.read(index * 60_000, 60_000)));
    for (const [index, bytes] of read.entries()) expect(parts[index]!.equals(bytes)).toBe(true);
    await spool.close();
  });

  it("has no name, and leaves nothing when it is closed", async () => {
    const spool = await openSpool(folder);
    await spool.append(Buffer.from("x"));
    if (process.platform !== "win32") expect(await readdir(folder)).toEqual([]);
    await spool.close();
    expect(await readdir(folder)).toEqual([]);
  });

  it("says where it cannot be", async () => {
    await expect(openSpool(path.join(folder, "absent"))).rejects.toMatchObject({
      code: "FILE_NOT_WRITABLE",
    });
  });
});
