// Tests that archives are read within bounds, however they lie about themselves.
import { describe, expect, it } from "vitest";
import { makeRawZip } from "../../../test/support/made-files.js";
import { openZip, type ZipContext } from "./zip-archive.js";

const context: ZipContext = {
  subject: "The document",
  format: "docx",
  maxUnzippedBytes: 1_000_000,
};
const data = Buffer.from("some content");

describe("openZip", () => {
  it("lists and reads entries", async () => {
    const zip = makeRawZip([
      { name: "a.xml", data },
      { name: "b/", data: Buffer.alloc(0) },
      { name: "b/c.xml", data: Buffer.alloc(0) },
    ]);
    const archive = await openZip(zip, context);
    expect(archive.names).toEqual(["a.xml", "b/c.xml"]);
    expect(archive.has("a.xml")).toBe(true);
    expect(archive.has("b/")).toBe(false);
    expect((await archive.read("a.xml")).toString()).toBe("some content");
    expect((await archive.read("b/c.xml")).length).toBe(0);
    await expect(archive.read("missing")).rejects.toMatchObject({ code: "FILE_DAMAGED" });
  });

  it("refuses what declares too much before unpacking anything", async () => {
    const zip = makeRawZip([
      { name: "a", data, declaredSize: 600_000 },
      { name: "b", data, declaredSize: 600_000 },
    ]);
    await expect(openZip(zip, context)).rejects.toMatchObject({
      code: "FILE_UNPACKS_TOO_LARGE",
      message: "The document unpacks to more than 976.6 KiB.",
    });
  });

  it("does not unpack a large part that was packed a thousandfold", async () => {
    const zip = makeRawZip([{ name: "a", data: Buffer.alloc(5_000_000) }]);
    const archive = await openZip(zip, { ...context, maxUnzippedBytes: 1e8 });
    await expect(archive.read("a")).rejects.toMatchObject({
      code: "FILE_UNPACKS_TOO_LARGE",
      message: "The document unpacks to more than 200 times its size.",
    });
  });

  it("stops unpacking an entry that lies about its size", async () => {
    const zip = makeRawZip([{ name: "a", data: Buffer.alloc(5_000_000), declaredSize: 1000 }]);
    const archive = await openZip(zip, context);
    await expect(archive.read("a")).rejects.toMatchObject({ code: "FILE_DAMAGED" });
  });

  it("counts what is read again and again", async () => {
    const zip = makeRawZip([{ name: "a", data: Buffer.alloc(400_000) }]);
    const archive = await openZip(zip, context);
    await archive.read("a");
    await archive.read("a");
    await expect(archive.read("a")).rejects.toMatchObject({ code: "FILE_UNPACKS_TOO_LARGE" });
  });

  it("knows an encrypted entry", async () => {
    const archive = await openZip(makeRawZip([{ name: "a", data, flags: 1 }]), context);
    await expect(archive.read("a")).rejects.toMatchObject({ code: "FILE_ENCRYPTED" });
  });

  it.each([
    ["a path upwards", [{ name: "../../etc/passwd", data }]],
    ["an absolute path", [{ name: "/etc/passwd", data }]],
    ["a Windows path", [{ name: "C:/windows", data }]],
    [
      "two parts of one name",
      [
        { name: "a", data },
        { name: "a", data: Buffer.from("other") },
      ],
    ],
    ["parts without end", Array.from({ length: 10_001 }, (_, i) => ({ name: `${i}`, data }))],
  ])("refuses %s", async (_, entries) => {
    await expect(openZip(makeRawZip(entries), context)).rejects.toMatchObject({
      code: "FILE_DAMAGED",
      details: { format: "docx" },
    });
  });

  it("says what is wrong with a file that was cut off", async () => {
    const zip = makeRawZip([{ name: "a", data }]);
    await expect(openZip(zip.subarray(0, 40), context)).rejects.toMatchObject({
      code: "FILE_DAMAGED",
      message: expect.stringMatching(/^The document cannot be read as docx: \w/),
    });
  });
});
