// The hash that names a file on the hub: sha256 of a large file, git's sha1 of the others.
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

/** Bytes read at a time: enough that the hash, not the reading, sets the pace. */
const pieceBytes = 1 << 20;

export type HashAlgorithm = "sha256" | "git sha1";

export function algorithmOf(etag: string): HashAlgorithm {
  return etag.length === 64 ? "sha256" : "git sha1";
}

/**
 * Reads an open file from its beginning to its end and hashes it as an ETag of that kind does.
 * Git hashes `blob SIZE\0` before the content.
 */
export async function hashFile(
  handle: FileHandle,
  algorithm: HashAlgorithm,
  signal?: AbortSignal,
): Promise<string> {
  const { size } = await handle.stat();
  const hash = createHash(algorithm === "sha256" ? "sha256" : "sha1");
  if (algorithm === "git sha1") hash.update(`blob ${size}\0`);
  const piece = Buffer.allocUnsafe(pieceBytes);
  for (let position = 0; position < size && !signal?.aborted; ) {
    const { bytesRead } = await handle.read(piece, 0, piece.length, position);
    if (bytesRead === 0) break;
    hash.update(piece.subarray(0, bytesRead));
    position += bytesRead;
  }
  return hash.digest("hex");
}
