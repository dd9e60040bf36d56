// Files of runs in a blob store, under the hash of their bytes: the same file of many runs lies there once.
import { createHash } from "node:crypto";
import type { BlobStore } from "../ports/blob-store.js";
import type { RunArtifact } from "../ports/event-sink.js";

export function artifactKey(sha256: string): string {
  return `artifacts/sha256/${sha256.slice(0, 2)}/${sha256.slice(2)}`;
}

/**
 * Puts bytes where they are not yet.
 * @param name what the run calls them, such as `config.json`
 * @throws what the store throws
 */
export async function putArtifact(
  store: BlobStore,
  name: string,
  content: string | Uint8Array,
  mediaType: string,
): Promise<RunArtifact> {
  const bytes = Buffer.from(content);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const blob = artifactKey(sha256);
  const sizeBytes = bytes.length;
  const there = await store.head(blob);
  if (there?.sizeBytes !== sizeBytes) {
    await store.put(blob, {
      sizeBytes,
      async *open(start = 0, end = sizeBytes) {
        yield bytes.subarray(start, end);
      },
    });
  }
  return { name, sha256, sizeBytes, mediaType, blob, uri: "", at: Date.now() };
}
