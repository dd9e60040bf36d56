// Tests that keys are kept as digests, found again, and give the scopes they were made with.
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  addApiKey,
  createApiKey,
  createKeyRing,
  grants,
  keyLabel,
  loadKeyRing,
} from "./api-keys.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-keys-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("the key file", () => {
  it("keeps digests only, adds to what is there, and its keys work", async () => {
    const file = path.join(folder, "keys.json");
    const reader = await addApiKey(file, { name: "grafana", scopes: ["read"] });
    const writer = await addApiKey(file, { name: "newsroom", scopes: ["summarize"] });
    const text = await readFile(file, "utf8");
    expect(text).not.toContain(reader);
    expect(text).not.toContain(writer);
    const ring = await loadKeyRing({ apiKeys: [], apiKeysFile: file });
    expect(ring.size).toBe(2);
    expect(ring.find(reader)).toMatchObject({ name: "grafana", scopes: ["read"] });
    expect(ring.find(writer)).toMatchObject({ name: "newsroom", scopes: ["summarize"] });
    expect(ring.find(`${reader}x`)).toBeUndefined();
    expect(ring.find("")).toBeUndefined();
  });

  it("keeps every key of several that are added at once, by any name of the file", async () => {
    const file = path.join(folder, "keys.json");
    const link = path.join(folder, "link.json");
    // Windows lets few people make links.
    const isLinked = process.platform !== "win32";
    if (isLinked) await symlink("keys.json", link);
    const names = Array.from({ length: 8 }, (_, at) => `key ${at}`);
    const keys = await Promise.all(
      names.map((name, at) =>
        addApiKey(isLinked && at % 2 ? link : file, { name, scopes: ["read"] }),
      ),
    );
    const ring = await loadKeyRing({ apiKeys: [], apiKeysFile: file });
    expect(keys.map((key) => ring.find(key)?.name)).toEqual(names);
    const same = [1, 2].map(() => addApiKey(file, { name: "twice", scopes: ["read"] }));
    const ends = (await Promise.allSettled(same)).map(({ status }) => status);
    expect(ends.sort()).toEqual(["fulfilled", "rejected"]);
    const left = (await readdir(folder)).filter((name) => name !== "link.json");
    expect(left).toEqual(["keys.json"]);
  });

  it("is not changed while another process does not let go of it", async () => {
    const file = path.join(folder, "keys.json");
    const holder = { token: "theirs", pid: process.ppid, host: hostname() };
    await writeFile(`${file}.lock`, JSON.stringify(holder));
    let clockMs = 0;
    const clock = vi.spyOn(performance, "now").mockImplementation(() => {
      clockMs += 6000;
      return clockMs;
    });
    const adding = addApiKey(file, { name: "a", scopes: ["read"] });
    const details = { file, pid: process.ppid, lock: `${file}.lock` };
    await expect(adding).rejects.toMatchObject({ code: "KEY_FILE_BUSY", details });
    clock.mockRestore();
    expect(await readdir(folder)).toEqual(["keys.json.lock"]);
  });

  it.skipIf(process.platform === "win32")("can be read by its owner only", async () => {
    const file = path.join(folder, "keys.json");
    await addApiKey(file, { name: "a", scopes: ["read"] });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it.each([
    ["{", "it is not JSON"],
    ["[]", "expected object"],
    ['{"keys":[{"id":"a"}]}', "keys.0"],
    ['{"keys":[],"colour":1}', "colour"],
  ])("refuses %s, saying why", async (text, why) => {
    const file = path.join(folder, "keys.json");
    await writeFile(file, text);
    const refusal = expect.objectContaining({
      code: "KEY_FILE_INVALID",
      message: expect.stringContaining(why),
    });
    await expect(loadKeyRing({ apiKeys: [], apiKeysFile: file })).rejects.toThrow(refusal);
    await expect(addApiKey(file, { name: "a", scopes: ["read"] })).rejects.toThrow(refusal);
    expect(await readFile(file, "utf8")).toBe(text);
  });

  it("does not let everybody in once its last key is revoked", async () => {
    const file = path.join(folder, "keys.json");
    await writeFile(file, '{"keys":[]}');
    await expect(loadKeyRing({ apiKeys: [], apiKeysFile: file })).rejects.toMatchObject({
      code: "KEY_FILE_INVALID",
      message: expect.stringContaining("it holds no key"),
    });
    expect((await loadKeyRing({ apiKeys: ["one"], apiKeysFile: file })).size).toBe(1);
    await addApiKey(file, { name: "a", scopes: ["read"] });
    expect((await loadKeyRing({ apiKeys: [], apiKeysFile: file })).size).toBe(1);
  });

  it("takes no key that it could not be read with again", async () => {
    const file = path.join(folder, "keys.json");
    await addApiKey(file, { name: "a", scopes: ["read"] });
    const text = await readFile(file, "utf8");
    for (const wrong of [
      { name: "", scopes: ["read"] },
      { name: "b", scopes: [] },
      { name: "b", scopes: ["read"], expiresAt: new Date(Date.UTC(10_237, 0)) },
    ] as const) {
      await expect(addApiKey(file, wrong)).rejects.toMatchObject({ code: "INVALID_PARAMETER" });
    }
    expect(await readFile(file, "utf8")).toBe(text);
  });

  it("says so where there is no file", async () => {
    await expect(
      loadKeyRing({ apiKeys: [], apiKeysFile: path.join(folder, "none") }),
    ).rejects.toThrow(
      expect.objectContaining({ message: expect.stringContaining("no such file") }),
    );
  });
});

describe("the keys of a file", () => {
  it("have names of their own, so that logs and histories tell them apart", async () => {
    const file = path.join(folder, "keys.json");
    await addApiKey(file, { name: "newsroom", scopes: ["summarize"] });
    const text = await readFile(file, "utf8");
    for (const [name, why] of [
      ["newsroom", "has one of that name"],
      ["environment-1", "BRIDLE_API_KEYS"],
    ] as const) {
      await expect(addApiKey(file, { name, scopes: ["read"] }), name).rejects.toMatchObject({
        code: "KEY_NAME_TAKEN",
        message: expect.stringContaining(why),
      });
    }
    expect(await readFile(file, "utf8")).toBe(text);
  });

  it("have ids of their own, since what they sent belongs to these", async () => {
    const file = path.join(folder, "keys.json");
    await addApiKey(file, { name: "a", scopes: ["read"] });
    const { keys } = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify({ keys: [...keys, { ...keys[0], name: "b" }] }));
    await expect(loadKeyRing({ apiKeys: [], apiKeysFile: file })).rejects.toMatchObject({
      code: "KEY_FILE_INVALID",
      message: expect.stringContaining("keys.1.id"),
    });
  });
});

describe("keys from the environment", () => {
  it("are the same wherever they stand in the list, and their ids tell nothing of them", async () => {
    const ring = await loadKeyRing({ apiKeys: ["one=summarize", "two=summarize"] });
    const later = await loadKeyRing({ apiKeys: ["two=read", "three"] });
    const two = ring.find("two");
    expect(later.find("two")?.id).toBe(two?.id);
    expect(ring.find("one")?.id).not.toBe(two?.id);
    expect(later.find("three")?.id).not.toBe(two?.id);
    const known = `${two?.sha256}${Buffer.from("two").toString("hex")}`;
    expect(known).not.toContain(two?.id.replace("environment:", ""));
    expect(ring.labels).toEqual([
      expect.stringMatching(/^environment-1 \([0-9a-f]{8}\)$/),
      keyLabel({ id: two?.id ?? "", name: "environment-2" }),
    ]);
  });

  it("may do everything, or what is said after the key", async () => {
    const ring = await loadKeyRing({
      apiKeys: ["one", "two=read", "c2VjcmV0cw==", "x=summarize+read"],
    });
    expect(ring.find("one")?.scopes).toEqual(["summarize", "read", "admin"]);
    expect(ring.find("two")?.scopes).toEqual(["read"]);
    expect(ring.find("c2VjcmV0cw==")?.scopes).toEqual(["summarize", "read", "admin"]);
    expect(ring.find("x")?.scopes).toEqual(["summarize", "read"]);
    expect(ring.find("x=summarize+read")).toBeUndefined();
  });
});

it("a key stops working when it expires", () => {
  const { key, record } = createApiKey({
    name: "a",
    scopes: ["read"],
    expiresAt: new Date("2030-01-01T00:00:00Z"),
  });
  let now = Date.parse("2029-12-31T23:59:59Z");
  const ring = createKeyRing([record], () => now);
  expect(ring.find(key)).toBeDefined();
  now += 1000;
  expect(ring.find(key)).toBeUndefined();
});

it("admin includes the other scopes, and no other includes a second", () => {
  expect(grants(["admin"], "summarize")).toBe(true);
  expect(grants(["read"], "summarize")).toBe(false);
  expect(grants(["summarize"], "read")).toBe(false);
});
