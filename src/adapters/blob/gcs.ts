// Google Cloud Storage as a blob store, through its client, which users install when they need it.

import { pipeline } from "node:stream/promises";
import type { Bucket } from "@google-cloud/storage";
import { BridleError } from "../../errors/error.js";
import type {
  BlobInfo,
  BlobLocation,
  BlobRequest,
  BlobSource,
  BlobStore,
} from "../../ports/blob-store.js";
import { loadPeer } from "../load-peer.js";
import { bucketPlace, collect, httpFailure, reasonOf } from "./cloud.js";

/** Blobs up to this go in one request; larger ones in a session that a broken connection does not end. */
const singleBytes = 8 << 20;

const login =
  "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key's file";

export async function openGcsStore({ url, options, env }: BlobLocation): Promise<BlobStore> {
  const name = "@google-cloud/storage";
  const { Storage } = await loadPeer(
    "A remote at gs://",
    name,
    () => import("@google-cloud/storage"),
  );
  const { bucket, prefix } = bucketPlace(url);
  const endpoint = options.endpointurl ?? env.STORAGE_EMULATOR_HOST;
  const keyFilename = options.credentialpath ?? env.GOOGLE_APPLICATION_CREDENTIALS;
  const projectId = options.projectname ?? env.GOOGLE_CLOUD_PROJECT;
  const storage = new Storage({
    // Tries again are made above, where they are told of.
    retryOptions: { autoRetry: false },
    ...(endpoint === undefined ? {} : { apiEndpoint: endpoint }),
    ...(keyFilename === undefined ? {} : { keyFilename }),
    ...(projectId === undefined ? {} : { projectId }),
  });
  return new GcsBlobStore(storage.bucket(bucket), prefix);
}

class GcsBlobStore implements BlobStore {
  readonly name: string;
  private readonly bucket: Bucket;
  private readonly prefix: string;

  constructor(bucket: Bucket, prefix: string) {
    this.bucket = bucket;
    this.prefix = prefix;
    this.name = `gs://${bucket.name}/${prefix}`.replace(/\/$/, "");
  }

  private file(key: string) {
    return this.bucket.file(this.prefix + key);
  }

  private failure(thrown: unknown, key: string, what: string): BridleError {
    if (thrown instanceof BridleError) return thrown;
    const { code } = thrown as { code?: number | string };
    const reason = reasonOf(thrown);
    const details = { store: this.name, key, what, login, reason };
    // Writing and listing need nothing but the bucket to be there.
    const isBucketGone = Number(code) === 404 && what !== "reading" && what !== "deleting";
    if (isBucketGone || /bucket does not exist/i.test(reason)) {
      const absent = `there is no bucket ${this.bucket.name}`;
      return new BridleError(
        "BLOB_STORE_MISSING",
        { ...details, reason: absent },
        { cause: thrown },
      );
    }
    if (/could not load the default credentials|invalid_grant|reauth/i.test(reason)) {
      return new BridleError("BLOB_UNAUTHENTICATED", details, { cause: thrown });
    }
    return httpFailure(Number(code) || undefined, details, thrown);
  }

  async head(key: string): Promise<BlobInfo | undefined> {
    try {
      const [{ size = 0 }] = await this.file(key).getMetadata();
      return { key, sizeBytes: Number(size) };
    } catch (thrown) {
      const failure = this.failure(thrown, key, "reading");
      if (failure.code === "BLOB_NOT_FOUND") return undefined;
      throw failure;
    }
  }

  async get(
    key: string,
    { startByte = 0 }: BlobRequest & { readonly startByte?: number } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const found = await this.head(key);
    if (found === undefined) throw new BridleError("BLOB_NOT_FOUND", { store: this.name, key });
    if (startByte >= found.sizeBytes) return nothing();
    return this.read(key, startByte);
  }

  private async *read(key: string, start: number): AsyncIterable<Uint8Array> {
    try {
      // Whoever asked checks the bytes against their hash.
      yield* this.file(key).createReadStream({ start, validation: false, decompress: false });
    } catch (thrown) {
      throw this.failure(thrown, key, "reading");
    }
  }

  async put(key: string, source: BlobSource): Promise<void> {
    const file = this.file(key);
    try {
      if (source.sizeBytes <= singleBytes) {
        await file.save(await collect(source, 0, source.sizeBytes), {
          resumable: false,
          validation: "md5",
        });
      } else
        await pipeline(
          source.open(),
          file.createWriteStream({ resumable: true, validation: "md5" }),
        );
    } catch (thrown) {
      throw this.failure(thrown, key, "writing");
    }
  }

  async *list(prefix: string): AsyncIterable<BlobInfo> {
    let pageToken: string | undefined;
    do {
      const query = {
        prefix: this.prefix + prefix,
        autoPaginate: false,
        ...(pageToken === undefined ? {} : { pageToken }),
      };
      const [files, , answer] = await this.bucket.getFiles(query).catch((thrown) => {
        throw this.failure(thrown, prefix, "listing");
      });
      for (const { name, metadata } of files) {
        yield { key: name.slice(this.prefix.length), sizeBytes: Number(metadata.size ?? 0) };
      }
      pageToken = (answer as { nextPageToken?: string } | undefined)?.nextPageToken;
    } while (pageToken !== undefined);
  }

  async delete(key: string): Promise<void> {
    try {
      await this.file(key).delete({ ignoreNotFound: true });
    } catch (thrown) {
      throw this.failure(thrown, key, "deleting");
    }
  }

  async close(): Promise<void> {
    // Its connections end by themselves.
  }
}

async function* nothing(): AsyncIterable<Uint8Array> {}
