// Azure Blob Storage as a blob store, through its client, which users install when they need it.

import { createHash } from "node:crypto";
import type { BlockBlobClient, ContainerClient } from "@azure/storage-blob";
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

const singleBytes = 8 << 20;
const blockBytes = 16 << 20;
const blocksAtOnce = 2;

const login =
  "set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN";

export async function openAzureStore(location: BlobLocation): Promise<BlobStore> {
  const name = "@azure/storage-blob";
  const sdk = await loadPeer("A remote at azure://", name, () => import("@azure/storage-blob"));
  const { options, env, url } = location;
  const { bucket, prefix } = bucketPlace(url);
  const connection = options.connection_string ?? env.AZURE_STORAGE_CONNECTION_STRING;
  const account = options.account_name ?? env.AZURE_STORAGE_ACCOUNT;
  const key = options.account_key ?? env.AZURE_STORAGE_KEY;
  const token = options.sas_token ?? env.AZURE_STORAGE_SAS_TOKEN;
  // Tries again are made above, where they are told of.
  const settings = { retryOptions: { maxTries: 1 } };
  let service: InstanceType<typeof sdk.BlobServiceClient>;
  if (connection !== undefined) {
    service = sdk.BlobServiceClient.fromConnectionString(connection, settings);
  } else {
    if (account === undefined) {
      const reason = "no account is named";
      throw new BridleError("BLOB_UNAUTHENTICATED", { store: url, reason, login });
    }
    const base = options.endpointurl ?? `https://${account}.blob.core.windows.net`;
    const query = token === undefined ? "" : `?${token.replace(/^\?/, "")}`;
    const credential =
      key === undefined ? undefined : new sdk.StorageSharedKeyCredential(account, key);
    service = new sdk.BlobServiceClient(`${base}${query}`, credential, settings);
  }
  return new AzureBlobStore(service.getContainerClient(bucket), prefix);
}

class AzureBlobStore implements BlobStore {
  readonly name: string;
  private readonly container: ContainerClient;
  private readonly prefix: string;

  constructor(container: ContainerClient, prefix: string) {
    this.container = container;
    this.prefix = prefix;
    this.name = `azure://${container.containerName}/${prefix}`.replace(/\/$/, "");
  }

  private blob(key: string) {
    return this.container.getBlockBlobClient(this.prefix + key);
  }

  private failure(thrown: unknown, key: string, what: string): BridleError {
    if (thrown instanceof BridleError) return thrown;
    const { statusCode, code } = thrown as { statusCode?: number; code?: string };
    const details = { store: this.name, key, what, login, reason: code ?? reasonOf(thrown) };
    if (code === "ContainerNotFound") {
      const reason = `there is no container ${this.container.containerName}`;
      return new BridleError("BLOB_STORE_MISSING", { ...details, reason }, { cause: thrown });
    }
    if (code === "AuthenticationFailed" || code === "InvalidAuthenticationInfo") {
      return new BridleError("BLOB_UNAUTHENTICATED", details, { cause: thrown });
    }
    return httpFailure(statusCode, details, thrown);
  }

  async head(key: string, request: BlobRequest = {}): Promise<BlobInfo | undefined> {
    try {
      const { contentLength: sizeBytes = 0 } = await this.blob(key).getProperties(
        abortable(request),
      );
      return { key, sizeBytes };
    } catch (thrown) {
      const failure = this.failure(thrown, key, "reading");
      if (failure.code === "BLOB_NOT_FOUND") return undefined;
      throw failure;
    }
  }

  async get(
    key: string,
    { startByte = 0, ...request }: BlobRequest & { readonly startByte?: number } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    try {
      const answer = await this.blob(key).download(startByte, undefined, abortable(request));
      return answer.readableStreamBody as unknown as AsyncIterable<Uint8Array>;
    } catch (thrown) {
      // Nothing is left after the last byte; an empty blob has not even a first.
      if ((thrown as { statusCode?: number }).statusCode === 416) return nothing();
      throw this.failure(thrown, key, "reading");
    }
  }

  async put(key: string, source: BlobSource, request: BlobRequest = {}): Promise<void> {
    const blob = this.blob(key);
    try {
      if (source.sizeBytes <= singleBytes) {
        const bytes = await collect(source, 0, source.sizeBytes);
        await blob.upload(bytes, bytes.length, abortable(request));
      } else await this.putBlocks(blob, source, request);
    } catch (thrown) {
      throw this.failure(thrown, key, "writing");
    }
  }

  /** In blocks named by their content: those that an upload of the same blob that was cut off has are not sent again. */
  private async putBlocks(
    blob: BlockBlobClient,
    source: BlobSource,
    request: BlobRequest,
  ): Promise<void> {
    const sent = await sentBlocks(blob, request);
    const ids: string[] = new Array(Math.ceil(source.sizeBytes / blockBytes));
    let next = 0;
    const lane = async () => {
      while (next < ids.length) {
        const index = next++;
        const start = index * blockBytes;
        const end = Math.min(start + blockBytes, source.sizeBytes);
        const bytes = await collect(source, start, end);
        const md5 = createHash("md5").update(bytes).digest();
        const id = Buffer.from(md5.toString("hex") + String(index).padStart(16, "0"));
        const name = id.toString("base64");
        if (sent.get(name) !== bytes.length) {
          const checked = { ...abortable(request), transactionalContentMD5: md5 };
          await blob.stageBlock(name, bytes, bytes.length, checked);
        }
        ids[index] = name;
      }
    };
    // None is under way any more when this ends, so that a next try finds what was sent.
    const outcomes = await Promise.allSettled(Array.from({ length: blocksAtOnce }, lane));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
    await blob.commitBlockList(ids, abortable(request));
  }

  async *list(prefix: string, request: BlobRequest = {}): AsyncIterable<BlobInfo> {
    try {
      const options = { prefix: this.prefix + prefix, ...abortable(request) };
      for await (const { name, properties } of this.container.listBlobsFlat(options)) {
        yield { key: name.slice(this.prefix.length), sizeBytes: properties.contentLength ?? 0 };
      }
    } catch (thrown) {
      throw this.failure(thrown, prefix, "listing");
    }
  }

  async delete(key: string, request: BlobRequest = {}): Promise<void> {
    try {
      await this.blob(key).deleteIfExists(abortable(request));
    } catch (thrown) {
      throw this.failure(thrown, key, "deleting");
    }
  }

  async close(): Promise<void> {
    // Its connections end by themselves.
  }
}

/** Sizes of the blocks that were sent of a blob and are no part of it yet. */
async function sentBlocks(
  blob: BlockBlobClient,
  request: BlobRequest,
): Promise<ReadonlyMap<string, number>> {
  // Of a blob that nobody began there is no such list; where it is refused, all is sent.
  const answer = await blob
    .getBlockList("uncommitted", abortable(request))
    .catch(() => ({ uncommittedBlocks: [] }));
  const blocks = answer.uncommittedBlocks ?? [];
  return new Map(blocks.map(({ name, size }) => [name, size]));
}

function abortable({ signal }: BlobRequest): { readonly abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

async function* nothing(): AsyncIterable<Uint8Array> {}
