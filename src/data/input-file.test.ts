// Tests opening files of rows: plain, gzip of one or several members, damaged, absent.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openInputFile } from "./input-file.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-input-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, bytes: Uint8Array | string): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(file, bytes);
  return file;
}

async function contentOf(file: string, options = {}): Promise<string> {
  const chunks = [];
  for await (const chunk of (await openInputFile(file, options)).content) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe("openInputFile", () => {
  it("gives a plain file as it is, and an empty one as nothing", async () => {
    expect(await contentOf(await write("plain", "a\nb"))).toBe("a\nb");
    expect(await contentOf(await write("empty", ""))).toBe("");
  });

  it("unpacks gzip by its content, every member of it", async () => {
    const file = await write(
      "no-ending",
      Buffer.concat([gzipSync("first\n"), gzipSync("second\n")]),
    );
    expect(await contentOf(file)).toBe("first\nsecond\n");
  });

  it("leaves gzip packed where it is told to", async () => {
    const file = await write("packed.gz", gzipSync("text"));
    const raw = [];
    for await (const chunk of (await openInputFile(file, { unpack: false })).content)
      raw.push(chunk);
    expect(Buffer.concat(raw)).toEqual(gzipSync("text"));
  });

  it("counts what has been read of the file as it is on disk", async () => {
    const packed = gzipSync("text ".repeat(1000));
    const input = await openInputFile(await write("count.gz", packed));
    expect(input.readBytes()).toBe(0);
    for await (const _ of input.content);
    expect(input.readBytes()).toBe(packed.length);
    expect(input.sizeBytes).toBe(packed.length);
  });

  it("says that cut and damaged gzip is not whole", async () => {
    const packed = gzipSync("text ".repeat(1000));
    const cut = await write("cut.gz", packed.subarray(0, packed.length - 9));
    await expect(contentOf(cut)).rejects.toMatchObject({ code: "GZIP_CORRUPT" });
    const flipped = Buffer.from(packed);
    flipped[flipped.length - 6]! ^= 0xff;
    const damaged = await write("damaged.gz", flipped);
    await expect(contentOf(damaged)).rejects.toMatchObject({ code: "GZIP_CORRUPT" });
  });

  it("names a file that is not there and a folder", async () => {
    const absent = path.join(folder, "absent");
    await expect(openInputFile(absent)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(openInputFile(folder)).rejects.toMatchObject({
      code: "FILE_NOT_READABLE",
      details: { reason: "it is a folder" },
    });
  });
});
