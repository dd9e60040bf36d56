// What the adapters of clouds share: names under a prefix, bytes in memory, failures in one form.
import { BridleError } from "../../errors/error.js";
import type { BlobSource } from "../../ports/blob-store.js";

/** A bucket (or container) and the prefix that keys start with there; empty, or ended by a slash. */
export interface BucketPlace {
  readonly bucket: string;
  readonly prefix: string;
}

/** @throws DVC_REMOTE_UNSUPPORTED where a URL names no bucket */
export function bucketPlace(url: string): BucketPlace {
  const [, bucket = "", path = ""] = /^[a-z0-9+.-]+:\/\/([^/]*)\/*(.*)$/i.exec(url) ?? [];
  if (bucket === "") {
    throw new BridleError("DVC_REMOTE_UNSUPPORTED", { remote: url, reason: "it names no bucket" });
  }
  const trimmed = path.replace(/\/+$/, "");
  return { bucket, prefix: trimmed === "" ? "" : `${trimmed}/` };
}

/** All bytes of a part of a source, in memory. */
export async function collect(source: BlobSource, start: number, end: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source.open(start, end)) pieces.push(piece);
  return Buffer.concat(pieces);
}

export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const told = thrown.message || ("code" in thrown ? String(thrown.code) : thrown.name);
  // Some answers are pages; their first line says enough.
  return told.split("\n")[0]?.slice(0, 300) ?? thrown.name;
}

/** A failure in the words of the error table, by what HTTP said. */
export function httpFailure(
  status: number | undefined,
  details: {
    readonly store: string;
    readonly key: string;
    readonly what: string;
    readonly login: string;
    readonly reason: string;
  },
  cause: unknown,
): BridleError {
  if (status === 404) return new BridleError("BLOB_NOT_FOUND", details, { cause });
  if (status === 401) return new BridleError("BLOB_UNAUTHENTICATED", details, { cause });
  if (status === 403) return new BridleError("BLOB_DENIED", details, { cause });
  return new BridleError("BLOB_UNAVAILABLE", details, { cause });
}
