// Who a run of another tracker is here, and its files.
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import type { ForeignRun, KeepFile, RunArtifact, RunIdentity } from "../../ports/event-sink.js";

const letters = "abcdefghijkmnpqrstuvwxyz23456789";

/** An id that is the same each time the same run is imported, and looks like those made here. */
export function importedId(source: string, id: string): string {
  const digest = createHash("sha256").update(`${source}\n${id}`).digest();
  return [...digest.subarray(0, 8)].map((byte) => letters[byte % letters.length]).join("");
}

/** A run that cannot be read: importing it throws, so that it is told and counted among the others. */
export function brokenRun(source: string, experiment: string, name: string, error: unknown) {
  const broken: ForeignRun = {
    ...{ source, foreignId: `${experiment}/${name}`, known: { experiment, name, startedAt: 0 } },
    // biome-ignore lint/correctness/useYield: there is nothing to tell of it
    async *events() {
      throw error;
    },
  };
  return broken;
}

/** Who a run is here. */
export function importedIdentity({ source, foreignId, known }: ForeignRun): RunIdentity {
  return {
    id: importedId(source, foreignId),
    ...{ source, host: "", pid: 0, output: "", configSha256: "", commit: "", parent: "" },
    ...known,
  };
}

/** Files above this are named where they lie instead of copied. */
const copiedBytes = 10_000_000;

const mediaTypes: Readonly<Record<string, string>> = {
  ".csv": "text/csv",
  ".html": "text/html",
  ".json": "application/json",
  ".md": "text/markdown",
  ".png": "image/png",
  ".txt": "text/plain",
  ".yaml": "application/yaml",
  ".yml": "application/yaml",
};

/** A file as an artifact: copied where it is small. */
export async function artifactOf(file: string, name: string, keep: KeepFile): Promise<RunArtifact> {
  const { size, mtimeMs } = await stat(file);
  const mediaType = mediaTypes[path.extname(file).toLowerCase()] ?? "application/octet-stream";
  if (size <= copiedBytes) return await keep(name, await readFile(file), mediaType);
  return {
    ...{ name, sha256: "", sizeBytes: size, mediaType, blob: "" },
    ...{ uri: path.resolve(file), at: Math.round(mtimeMs) },
  };
}

/** Times further from 1970 are none. */
export const latestMs = 8.64e15;

/** As Python writes them. */
export function numberOf(text: string): number {
  const word = text.toLowerCase();
  if (/^\+?inf(inity)?$/.test(word)) return Number.POSITIVE_INFINITY;
  if (/^-inf(inity)?$/.test(word)) return Number.NEGATIVE_INFINITY;
  return text === "" ? Number.NaN : Number(text);
}

/** A metric's value as CSV and JSON have it in words; undefined for a text that is none. */
export function metricNumber(text: string): number | undefined {
  const word = text.trim();
  const value = numberOf(word);
  const isWord = /^[+-]?(nan|inf(inity)?)$/i.test(word);
  return isWord || !Number.isNaN(value) ? value : undefined;
}

/** W&B writes times of UTC, without saying so. */
export function inUtc(time: string): string {
  return /(?:z|[+-]\d\d:?\d\d)$/i.test(time) || !time.includes(":") ? time : `${time}Z`;
}
