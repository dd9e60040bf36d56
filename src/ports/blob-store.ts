// Where bytes lie under names: a folder, a bucket, a web server. Types only; whoever needs one is handed one.

export interface BlobInfo {
  readonly key: string;
  readonly sizeBytes: number;
}

export interface BlobRequest {
  readonly signal?: AbortSignal | undefined;
}

/** Bytes to be put; `open` may be called again, also from a later byte, where a try failed. */
export interface BlobSource {
  readonly sizeBytes: number;
  open(startByte?: number, endByte?: number): AsyncIterable<Uint8Array>;
}

/** The half of a store that is enough to fetch from: keys are known beforehand. */
export interface BlobReader {
  /** How it is called in messages; holds no secrets. */
  readonly name: string;
  /** Undefined where there is no such blob. @throws BLOB_UNAUTHENTICATED, BLOB_DENIED, BLOB_STORE_MISSING, BLOB_UNAVAILABLE */
  head(key: string, request?: BlobRequest): Promise<BlobInfo | undefined>;
  /** A blob's bytes from one of them on. @throws BLOB_NOT_FOUND and what head throws */
  get(
    key: string,
    request?: BlobRequest & { readonly startByte?: number },
  ): Promise<AsyncIterable<Uint8Array>>;
  /** Gives connections back. */
  close(): Promise<void>;
}

/** A key is a path with forward slashes; a blob is there whole or not at all. */
export interface BlobStore extends BlobReader {
  /** Writes a blob over what was there. @throws what head throws */
  put(key: string, source: BlobSource, request?: BlobRequest): Promise<void>;
  /** Every blob whose key starts with a prefix, in no order. */
  list(prefix: string, request?: BlobRequest): AsyncIterable<BlobInfo>;
  /** Takes a blob away; one that is not there is no error. */
  delete(key: string, request?: BlobRequest): Promise<void>;
  /** Where a blob lies on this machine, for stores that are folders. */
  readonly fileOf?: ((key: string) => string) | undefined;
}

export function isBlobStore(store: BlobReader): store is BlobStore {
  return "put" in store;
}

/** What a store is opened with. */
export interface BlobLocation {
  /** `s3://bucket/path`, `gs://…`, `azure://…`, `https://…` or a folder's path. */
  readonly url: string;
  /** Settings beside the URL, named as DVC names them: `region`, `endpointurl`, `profile`, … */
  readonly options: Readonly<Record<string, string>>;
  /** Environment that secrets are read from. */
  readonly env: Readonly<Record<string, string | undefined>>;
}
