// S3 and what speaks like it as a blob store, through the AWS client, which users install when they need it.

import { createHash } from "node:crypto";
import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import { BridleError } from "../../errors/error.js";
import type {
  BlobInfo,
  BlobLocation,
  BlobRequest,
  BlobSource,
  BlobStore,
} from "../../ports/blob-store.js";
import { loadPeer } from "../load-peer.js";
import { type BucketPlace, bucketPlace, collect, httpFailure, reasonOf } from "./cloud.js";

type Sdk = typeof import("@aws-sdk/client-s3");

/** Blobs up to this go in one request; larger ones in parts, which a later try goes on with. */
const singleBytes = 16 << 20;
const leastPartBytes = 16 << 20;
const mostParts = 10_000;
/** Parts in memory at once, over all blobs. */
const partsAtOnce = 8;

/** Codes of an answer that mean: these credentials are none, or none any more. */
const refused = new Set([
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidToken",
  "TokenRefreshRequired",
  "CredentialsProviderError",
  "AuthorizationHeaderMalformed",
]);

const login = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws sso login`";

export async function openS3Store(location: BlobLocation): Promise<BlobStore> {
  const name = "@aws-sdk/client-s3";
  const sdk = await loadPeer("A remote at s3://", name, () => import("@aws-sdk/client-s3"));
  return new S3BlobStore(sdk, new sdk.S3Client(clientConfig(location)), bucketPlace(location.url));
}

/** Settings as DVC names them, then the environment's. */
function clientConfig({ options, env }: BlobLocation): S3ClientConfig {
  const endpoint = options.endpointurl ?? env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL;
  const region = options.region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION;
  const accessKeyId = options.access_key_id ?? env.AWS_ACCESS_KEY_ID;
  const secretAccessKey = options.secret_access_key ?? env.AWS_SECRET_ACCESS_KEY;
  const sessionToken = options.session_token ?? env.AWS_SESSION_TOKEN;
  const isStatic =
    accessKeyId !== undefined && secretAccessKey !== undefined && options.profile === undefined;
  return {
    // A bucket elsewhere says where it is, and is followed there.
    followRegionRedirects: true,
    region: region ?? "us-east-1",
    // Servers that speak like S3 know no newer checksums.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
    ...(isStatic
      ? { credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) } }
      : {}),
  };
}

class S3BlobStore implements BlobStore {
  readonly name: string;
  private readonly sdk: Sdk;
  private readonly client: S3Client;
  private readonly place: BucketPlace;
  private freeParts = partsAtOnce;
  private readonly waiting: (() => void)[] = [];

  constructor(sdk: Sdk, client: S3Client, place: BucketPlace) {
    this.sdk = sdk;
    this.client = client;
    this.place = place;
    this.name = `s3://${place.bucket}/${place.prefix}`.replace(/\/$/, "");
  }

  private at(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.place.bucket, Key: this.place.prefix + key };
  }

  private failure(thrown: unknown, key: string, what: string): BridleError {
    if (thrown instanceof BridleError) return thrown;
    const { name } = thrown as { name?: string };
    const details = { store: this.name, key, what, login, reason: reasonOf(thrown) };
    if (name === "NoSuchBucket") {
      const reason = `there is no bucket ${this.place.bucket}`;
      return new BridleError("BLOB_STORE_MISSING", { ...details, reason }, { cause: thrown });
    }
    if (refused.has(name ?? "")) {
      return new BridleError("BLOB_UNAUTHENTICATED", details, { cause: thrown });
    }
    return httpFailure(statusOf(thrown), details, thrown);
  }

  async head(key: string, { signal }: BlobRequest = {}): Promise<BlobInfo | undefined> {
    try {
      const command = new this.sdk.HeadObjectCommand(this.at(key));
      const { ContentLength: sizeBytes = 0 } = await this.client.send(command, abortable(signal));
      return { key, sizeBytes };
    } catch (thrown) {
      const failure = this.failure(thrown, key, "reading");
      if (failure.code === "BLOB_NOT_FOUND") return undefined;
      if (isMute(thrown)) return await this.headByGet(key, signal);
      throw failure;
    }
  }

  /** Asks for a blob's first byte: unlike that of a HEAD, the answer says why it was refused. */
  private async headByGet(
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<BlobInfo | undefined> {
    try {
      const command = new this.sdk.GetObjectCommand({ ...this.at(key), Range: "bytes=0-0" });
      const answer = await this.client.send(command, abortable(signal));
      await answer.Body?.transformToByteArray();
      const whole = /\/(\d+)$/.exec(answer.ContentRange ?? "")?.[1] ?? answer.ContentLength;
      return { key, sizeBytes: Number(whole ?? 0) };
    } catch (thrown) {
      if (statusOf(thrown) === 416) return { key, sizeBytes: 0 };
      const failure = this.failure(thrown, key, "reading");
      if (failure.code === "BLOB_NOT_FOUND") return undefined;
      throw failure;
    }
  }

  async get(
    key: string,
    { startByte = 0, signal }: BlobRequest & { readonly startByte?: number } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    try {
      const range = startByte > 0 ? { Range: `bytes=${startByte}-` } : {};
      const command = new this.sdk.GetObjectCommand({ ...this.at(key), ...range });
      const { Body } = await this.client.send(command, abortable(signal));
      return Body as unknown as AsyncIterable<Uint8Array>;
    } catch (thrown) {
      // Nothing is left after the last byte.
      if (statusOf(thrown) === 416 && startByte > 0) return nothing();
      throw this.failure(thrown, key, "reading");
    }
  }

  async put(key: string, source: BlobSource, { signal }: BlobRequest = {}): Promise<void> {
    try {
      if (source.sizeBytes > singleBytes) await this.putParts(key, source, signal);
      else {
        const Body = await collect(source, 0, source.sizeBytes);
        const ContentMD5 = createHash("md5").update(Body).digest("base64");
        const command = new this.sdk.PutObjectCommand({ ...this.at(key), Body, ContentMD5 });
        await this.client.send(command, abortable(signal));
      }
    } catch (thrown) {
      throw this.failure(thrown, key, "writing");
    }
  }

  /** In parts: those that an upload of the same blob that was cut off has already are not sent again. */
  private async putParts(
    key: string,
    source: BlobSource,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { sdk, client } = this;
    const { sizeBytes } = source;
    const partBytes = Math.max(leastPartBytes, Math.ceil(sizeBytes / mostParts));
    const count = Math.ceil(sizeBytes / partBytes);
    const UploadId = (await this.findUpload(key, signal)) ?? (await this.createUpload(key, signal));
    const sent = await this.sentParts(key, UploadId, signal);
    const parts: { readonly PartNumber: number; readonly ETag: string }[] = new Array(count);
    let next = 0;
    const lane = async () => {
      while (next < count) {
        const index = next++;
        await this.takePart();
        try {
          const start = index * partBytes;
          const Body = await collect(source, start, Math.min(start + partBytes, sizeBytes));
          const digest = createHash("md5").update(Body).digest();
          const PartNumber = index + 1;
          let ETag = sent.get(PartNumber);
          if (ETag?.replaceAll('"', "") !== digest.toString("hex")) {
            const ContentMD5 = digest.toString("base64");
            const part = { ...this.at(key), UploadId, PartNumber, Body, ContentMD5 };
            const answer = await client.send(new sdk.UploadPartCommand(part), abortable(signal));
            ETag = answer.ETag ?? "";
          }
          parts[index] = { PartNumber, ETag };
        } finally {
          this.givePart();
        }
      }
    };
    // None is under way any more when this ends, so that a next try finds what was sent.
    const outcomes = await Promise.allSettled(Array.from({ length: Math.min(4, count) }, lane));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
    const upload = { ...this.at(key), UploadId, MultipartUpload: { Parts: parts } };
    await client.send(new sdk.CompleteMultipartUploadCommand(upload), abortable(signal));
  }

  private async takePart(): Promise<void> {
    if (this.freeParts > 0) this.freeParts--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private givePart(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.freeParts++;
    else next();
  }

  private async findUpload(
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const { Bucket, Key } = this.at(key);
    const command = new this.sdk.ListMultipartUploadsCommand({ Bucket, Prefix: Key });
    // Not every server tells what was begun; then it is begun anew.
    const answer = await this.client.send(command, abortable(signal)).catch(() => undefined);
    return answer?.Uploads?.find((upload) => upload.Key === Key)?.UploadId;
  }

  private async createUpload(key: string, signal: AbortSignal | undefined): Promise<string> {
    const command = new this.sdk.CreateMultipartUploadCommand(this.at(key));
    return (await this.client.send(command, abortable(signal))).UploadId ?? "";
  }

  private async sentParts(
    key: string,
    UploadId: string,
    signal: AbortSignal | undefined,
  ): Promise<ReadonlyMap<number, string>> {
    const sent = new Map<number, string>();
    let PartNumberMarker: string | undefined;
    do {
      const input = {
        ...this.at(key),
        UploadId,
        ...(PartNumberMarker ? { PartNumberMarker } : {}),
      };
      const answer = await this.client.send(
        new this.sdk.ListPartsCommand(input),
        abortable(signal),
      );
      for (const { PartNumber = 0, ETag = "" } of answer.Parts ?? []) sent.set(PartNumber, ETag);
      PartNumberMarker = answer.IsTruncated ? answer.NextPartNumberMarker : undefined;
    } while (PartNumberMarker !== undefined);
    return sent;
  }

  async *list(prefix: string, { signal }: BlobRequest = {}): AsyncIterable<BlobInfo> {
    const { bucket: Bucket, prefix: base } = this.place;
    let ContinuationToken: string | undefined;
    do {
      const input = {
        Bucket,
        Prefix: base + prefix,
        ...(ContinuationToken ? { ContinuationToken } : {}),
      };
      const page = await this.client
        .send(new this.sdk.ListObjectsV2Command(input), abortable(signal))
        .catch((thrown) => {
          throw this.failure(thrown, prefix, "listing");
        });
      for (const { Key = "", Size = 0 } of page.Contents ?? []) {
        yield { key: Key.slice(base.length), sizeBytes: Size };
      }
      ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
  }

  async delete(key: string, { signal }: BlobRequest = {}): Promise<void> {
    try {
      await this.client.send(new this.sdk.DeleteObjectCommand(this.at(key)), abortable(signal));
    } catch (thrown) {
      throw this.failure(thrown, key, "deleting");
    }
  }

  async close(): Promise<void> {
    this.client.destroy();
  }
}

function abortable(signal: AbortSignal | undefined): { readonly abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

function statusOf(thrown: unknown): number | undefined {
  return (thrown as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

/** Whether a HEAD was refused: its answer has no body that could tell whether credentials or permissions are wrong. */
function isMute(thrown: unknown): boolean {
  const status = statusOf(thrown);
  return status === 400 || status === 403;
}

async function* nothing(): AsyncIterable<Uint8Array> {}
