// One suite for every blob store: what the port promises holds for a folder, S3, Google, Azure and, to read, the web.
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { openBlobStore } from "../../src/compose.js";
import { type BlobReader, type BlobStore, isBlobStore } from "../../src/ports/blob-store.js";
import { type Emulator, hasEmulator, startEmulator } from "../support/emulators.js";
import {
  type FakeCloud,
  startFakeAzure,
  startFakeGcs,
  startFakeS3,
  startFakeWeb,
} from "../support/fake-clouds.js";

interface Place {
  readonly cloud: FakeCloud | undefined;
  readonly store: BlobStore;
  /** The same place under a bucket that is not there. */
  readonly missing: BlobStore | undefined;
  close(): Promise<void>;
}

const open = async (url: string, options: Record<string, string>, env = {}) =>
  (await openBlobStore({ url, options, env })) as BlobStore;

async function cloudPlace(
  scheme: string,
  start: (bucket?: string) => Promise<FakeCloud>,
  settings: (cloud: FakeCloud) => {
    options?: Record<string, string>;
    env?: Record<string, string>;
  },
): Promise<Place> {
  const cloud = await start("bucket");
  const { options = {}, env = {} } = settings(cloud);
  return {
    cloud,
    store: await open(`${scheme}://bucket/some/prefix/`, options, env),
    missing: await open(`${scheme}://nowhere/prefix`, options, env),
    close: () => cloud.close(),
  };
}

/** A place on an emulator, in a bucket made by the cloud's own client. */
async function emulated(
  emulator: Emulator,
  scheme: string,
  settings: (url: string) => { options?: Record<string, string>; env?: Record<string, string> },
  createBucket: (url: string, name: string) => Promise<unknown>,
): Promise<Place> {
  const running = await startEmulator(emulator);
  const { options = {}, env = {} } = settings(running.url);
  await createBucket(running.url, "bucket");
  return {
    cloud: undefined,
    store: await open(`${scheme}://bucket/some/prefix/`, options, env),
    missing: await open(`${scheme}://nowhere/prefix`, options, env),
    close: () => running.close(),
  };
}

const s3Env = {
  AWS_ACCESS_KEY_ID: "key",
  AWS_SECRET_ACCESS_KEY: "secret",
  AWS_REGION: "us-east-1",
};
/** Azurite's account, the same everywhere. Source: Azurite's README. */
const azuriteAccount = (url: string) =>
  `DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;BlobEndpoint=${url}/devstoreaccount1;`;

const emulators: Readonly<Record<string, readonly [Emulator, () => Promise<Place>]>> = {
  "s3 on moto": [
    "moto",
    () =>
      emulated(
        "moto",
        "s3",
        (url) => ({ options: { endpointurl: url }, env: s3Env }),
        async (url, name) => {
          const { CreateBucketCommand, S3Client } = await import("@aws-sdk/client-s3");
          const credentials = { accessKeyId: "key", secretAccessKey: "secret" };
          const client = new S3Client({
            ...{ endpoint: url, forcePathStyle: true, region: "us-east-1", credentials },
          });
          await client.send(new CreateBucketCommand({ Bucket: name }));
          client.destroy();
        },
      ),
  ],
  "gs on gcp-storage-emulator": [
    "gcp-storage-emulator",
    () =>
      emulated(
        "gcp-storage-emulator",
        "gs",
        (url) => ({ options: { endpointurl: url, projectname: "p" } }),
        async (url, name) => {
          const { Storage } = await import("@google-cloud/storage");
          await new Storage({ apiEndpoint: url, projectId: "p" }).createBucket(name);
        },
      ),
  ],
  "azure on azurite": [
    "azurite",
    () =>
      emulated(
        "azurite",
        "azure",
        (url) => ({ env: { AZURE_STORAGE_CONNECTION_STRING: azuriteAccount(url) } }),
        async (url, name) => {
          const { BlobServiceClient } = await import("@azure/storage-blob");
          await BlobServiceClient.fromConnectionString(azuriteAccount(url)).createContainer(name);
        },
      ),
  ],
};

const places: Readonly<Record<string, () => Promise<Place>>> = {
  file: async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "bridle-store-"));
    return {
      cloud: undefined,
      store: await open(folder, {}),
      missing: undefined,
      close: async () => rmSync(folder, { recursive: true }),
    };
  },
  s3: () =>
    cloudPlace("s3", startFakeS3, ({ url }) => ({
      options: { endpointurl: url },
      env: { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" },
    })),
  gs: () =>
    cloudPlace("gs", startFakeGcs, ({ url }) => ({
      options: { endpointurl: url, projectname: "p" },
    })),
  azure: () =>
    cloudPlace("azure", startFakeAzure, ({ url }) => ({
      env: {
        AZURE_STORAGE_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=account;AccountKey=${Buffer.from("key").toString("base64")};BlobEndpoint=${url}/account;`,
      },
    })),
};

const source = (bytes: Buffer) => ({
  sizeBytes: bytes.length,
  async *open(start = 0, end = bytes.length) {
    yield bytes.subarray(start, end);
  },
});

async function read(store: BlobReader, key: string, startByte = 0): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of await store.get(key, { startByte })) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function keys(store: BlobStore, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list(prefix)) found.push(key);
  return found.sort();
}

/** The suite on what is here: emulators where BRIDLE_EMULATORS names their folder. */
const kinds = [
  ...Object.entries(places).map(([kind, start]) => ({ kind, start, isHere: true })),
  ...Object.entries(emulators).map(([kind, [emulator, start]]) => ({
    ...{ kind, start, isHere: hasEmulator(emulator) },
  })),
];

for (const { kind, start, isHere } of kinds) {
  const why = isHere ? "" : " (skipped: BRIDLE_EMULATORS names no folder of scripts/emulators.mjs)";
  describe.skipIf(!isHere)(`a store of the kind ${kind}${why}`, () => {
    let place: Place;
    beforeAll(async () => {
      place = await start();
    });
    afterEach(() => {
      place.cloud?.faults.splice(0);
    });
    afterAll(async () => {
      await place.store.close();
      await place.close();
    });

    it.each([
      ["an empty blob", 0],
      ["a small one", 1000],
      ["one larger than a single request", 20 << 20],
    ])("gives back %s, from any byte on", async (_, size) => {
      const bytes = randomBytes(size);
      const key = `files/md5/${size}/é x+&.dir`;
      await place.store.put(key, source(bytes));
      expect(await place.store.head(key)).toEqual({ key, sizeBytes: size });
      expect((await read(place.store, key)).equals(bytes)).toBe(true);
      const from = Math.floor(size / 3);
      expect((await read(place.store, key, from)).equals(bytes.subarray(from))).toBe(true);
      if (size > 0) expect(await read(place.store, key, size)).toHaveLength(0);
    });

    it("lists every key under a prefix, over several pages, and no other", async () => {
      const all = Array.from({ length: 8 }, (_, i) => `list/0${i % 2}/${i}`);
      for (const key of all) await place.store.put(key, source(Buffer.from(key)));
      expect(await keys(place.store, "list/")).toEqual(all.toSorted());
      expect(await keys(place.store, "list/01/")).toEqual(
        all.filter((key) => key.includes("/01/")).toSorted(),
      );
      expect(await keys(place.store, "nothing/")).toEqual([]);
    });

    it("overwrites and deletes, also what is not there", async () => {
      await place.store.put("a/b", source(Buffer.from("one")));
      await place.store.put("a/b", source(Buffer.from("two, longer")));
      expect((await read(place.store, "a/b")).toString()).toBe("two, longer");
      await place.store.delete("a/b");
      await place.store.delete("a/b");
      expect(await place.store.head("a/b")).toBeUndefined();
      await expect(place.store.get("a/b")).rejects.toMatchObject({ code: "BLOB_NOT_FOUND" });
    });

    it("leaves nothing of a blob whose bytes break off", async () => {
      const broken = {
        sizeBytes: 2000,
        async *open() {
          yield Buffer.alloc(1000);
          throw new Error("the disk went away");
        },
      };
      await expect(place.store.put("broken", broken)).rejects.toMatchObject({
        code: "BLOB_UNAVAILABLE",
      });
      expect(await place.store.head("broken")).toBeUndefined();
      expect(await keys(place.store, "broken")).toEqual([]);
    });

    it("says what went wrong in the words of the table", async () => {
      const { cloud, missing, store } = place;
      if (missing === undefined) return;
      const put = () => missing.put("x", source(Buffer.from("x")));
      await expect(put()).rejects.toMatchObject({ code: "BLOB_STORE_MISSING" });
      if (cloud === undefined) return;
      const fault = async (...faults: FakeCloud["faults"]) => {
        cloud.faults.push(...faults);
        try {
          return await store.put("x", source(Buffer.from("x"))).then(
            () => "put",
            (thrown) => thrown.code,
          );
        } finally {
          cloud.faults.splice(0);
        }
      };
      expect(await fault({ status: 403, code: "AccessDenied" })).toBe("BLOB_DENIED");
      const expired =
        { s3: "ExpiredToken", gs: "invalid_grant", azure: "AuthenticationFailed" }[kind] ?? "";
      expect(await fault({ status: kind === "azure" ? 403 : 401, code: expired })).toBe(
        "BLOB_UNAUTHENTICATED",
      );
      expect(await fault("cut", "cut", "cut", "cut", "cut")).toBe("BLOB_UNAVAILABLE");
      expect(await fault(503, 503, 503, 503, 503)).toBe("BLOB_UNAVAILABLE");
    });
  });
}

it("a folder loses what a killed process left half-written, a day later, and nothing that is being written", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "bridle-parts-"));
  const parts = path.join(folder, "bridle-tmp");
  mkdirSync(parts);
  for (const [name, hours] of [
    ["old", 25],
    ["young", 23],
  ] as const) {
    writeFileSync(path.join(parts, name), "half");
    const at = new Date(Date.now() - hours * 3_600_000);
    utimesSync(path.join(parts, name), at, at);
  }
  const store = (await openBlobStore({ url: folder, options: {}, env: {} })) as BlobStore;
  await store.put("a", {
    sizeBytes: 1,
    open: async function* () {
      yield Buffer.from("a");
    },
  });
  await vi.waitFor(() => expect(readdirSync(parts)).toEqual(["young"]));
  expect(await keys(store, "")).toEqual(["a"]);
  await store.close();
  rmSync(folder, { recursive: true });
});

it("a large blob whose upload to S3 was cut off goes on with the parts that are there", async () => {
  const cloud = await startFakeS3();
  const store = await open("s3://bucket/p", {
    endpointurl: cloud.url,
    access_key_id: "k",
    secret_access_key: "s",
  });
  try {
    const bytes = randomBytes(40 << 20);
    let opened = 0;
    const failing = {
      ...source(bytes),
      async *open(start = 0, end = bytes.length) {
        opened++;
        if (opened === 3) throw new Error("the network went away");
        yield bytes.subarray(start, end);
      },
    };
    await expect(store.put("large", failing)).rejects.toMatchObject({ code: "BLOB_UNAVAILABLE" });
    const sentBefore = cloud.requests.filter((each) => /^PUT .*partNumber=/.test(each)).length;
    await store.put("large", source(bytes));
    const sent = cloud.requests.filter((each) => /^PUT .*partNumber=/.test(each)).length;
    expect(sent).toBe(3);
    expect(sentBefore).toBeGreaterThan(0);
    expect((await read(store, "large")).equals(bytes)).toBe(true);
  } finally {
    await store.close();
    await cloud.close();
  }
});

it("a large blob whose upload to Azure was cut off goes on with the blocks that are there", async () => {
  const cloud = await startFakeAzure();
  const AZURE_STORAGE_CONNECTION_STRING = `DefaultEndpointsProtocol=http;AccountName=account;AccountKey=${Buffer.from("key").toString("base64")};BlobEndpoint=${cloud.url}/account;`;
  const store = await open("azure://bucket/p", {}, { AZURE_STORAGE_CONNECTION_STRING });
  try {
    const bytes = randomBytes(40 << 20);
    let opened = 0;
    const failing = {
      ...source(bytes),
      async *open(start = 0, end = bytes.length) {
        opened++;
        if (opened === 3) throw new Error("the network went away");
        yield bytes.subarray(start, end);
      },
    };
    const blocks = () => cloud.requests.filter((each) => /^PUT .*comp=block&/.test(each)).length;
    await expect(store.put("large", failing)).rejects.toMatchObject({ code: "BLOB_UNAVAILABLE" });
    expect(blocks()).toBe(2);
    expect(await store.head("large")).toBeUndefined();
    await store.put("large", source(bytes));
    expect(blocks()).toBe(3);
    expect((await read(store, "large")).equals(bytes)).toBe(true);
  } finally {
    await store.close();
    await cloud.close();
  }
});

describe("a web server", () => {
  let web: FakeCloud;
  beforeAll(async () => {
    web = await startFakeWeb();
    for (const folder of ["files/md5", "plain", "secret"]) {
      web.buckets.get("bucket")?.set(`${folder}/ab/c`, Buffer.from("0123456789"));
    }
  });
  afterAll(() => web.close());

  it("is read from, also where it knows no ranges or asks for a password, and cannot be written", async () => {
    const store = await openBlobStore({ url: `${web.url}/`, options: {}, env: {} });
    expect(isBlobStore(store)).toBe(false);
    expect(await store.head("files/md5/ab/c")).toEqual({ key: "files/md5/ab/c", sizeBytes: 10 });
    expect(await store.head("files/md5/ab/d")).toBeUndefined();
    expect((await read(store, "files/md5/ab/c", 4)).toString()).toBe("456789");
    expect((await read(store, "plain/ab/c", 4)).toString()).toBe("456789");
    await expect(read(store, "secret/ab/c")).rejects.toMatchObject({
      code: "BLOB_UNAUTHENTICATED",
    });
    await expect(read(store, "nothing")).rejects.toMatchObject({ code: "BLOB_NOT_FOUND" });
    const address = new URL(web.url);
    address.username = "me";
    address.password = "pass";
    const known = await openBlobStore({ url: address.href, options: {}, env: {} });
    expect(known.name).not.toContain("pass");
    expect((await read(known, "secret/ab/c")).toString()).toBe("0123456789");
  });

  it("that is not there is told as such", async () => {
    const store = await openBlobStore({ url: "http://127.0.0.1:9/x", options: {}, env: {} });
    await expect(store.head("a")).rejects.toMatchObject({ code: "BLOB_UNAVAILABLE" });
  });
});

it("a scheme that no adapter is for is refused by name", async () => {
  const opening = openBlobStore({ url: "ssh://host/x", options: {}, env: {} });
  await expect(opening).rejects.toMatchObject({ code: "DVC_REMOTE_UNSUPPORTED" });
  const unnamed = openBlobStore({ url: "s3://", options: {}, env: {} });
  await expect(unnamed).rejects.toThrow(/names no bucket/);
});
