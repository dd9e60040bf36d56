// The manifest of a model package: every file with its size and hash. The hash of the manifest is what the package is.
import { createHash } from "node:crypto";
import { z } from "zod";
import { BridleError } from "../errors/error.js";
import { parseBoundedJson } from "../text/bounded-json.js";

/** Name of the manifest in the package's folder. */
export const manifestFile = "bridle-package.json";
const format = "bridle-package";
const newest = 1;

/** What a package may hold: enough for a thousand shards, little enough to be looked at whole. */
export const packageLimits = { files: 4096, manifestBytes: 4 * 1024 * 1024, pathBytes: 100 };

/**
 * A path in a package: forward slashes, nothing that means something to a shell or a file system, and at most 100 bytes,
 * so that every archive and every disk can hold it.
 */
const safePath = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*(?:\/[A-Za-z0-9_][A-Za-z0-9_.+-]*){0,7}$/;
/** Names that Windows keeps for devices, and names that lose their last point there. */
const unsafeName = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)|\.$/i;

export function isSafePath(path: string): boolean {
  if (path.length > packageLimits.pathBytes || !safePath.test(path)) return false;
  return path.split("/").every((name) => !unsafeName.test(name));
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits");

const PackageFile = z.strictObject({
  path: z.string().refine(isSafePath, { error: "is no path that a package may hold" }),
  sizeBytes: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  sha256,
});

const Manifest = z.strictObject({
  format: z.literal(format),
  version: z.literal(newest),
  files: z.array(PackageFile).min(1).max(packageLimits.files),
});

export type PackageFile = z.output<typeof PackageFile>;

export interface Manifest {
  /** Sorted by path. */
  readonly files: readonly PackageFile[];
  /** SHA-256 of the manifest's bytes: equal for packages whose every byte is equal, and for no others. */
  readonly digest: string;
  /** Bytes of all files. */
  readonly sizeBytes: number;
  /** The manifest as it is written. */
  readonly bytes: Buffer;
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function sizeOf(files: readonly PackageFile[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** The manifest of some files, in whatever order they come. */
export function createManifest(unsorted: readonly PackageFile[]): Manifest {
  const files = [...unsorted].sort((a, b) => (a.path < b.path ? -1 : 1));
  const text = `${JSON.stringify({ format, version: newest, files }, null, 2)}\n`;
  // What is written here must be what is read elsewhere.
  return readManifest(Buffer.from(text), manifestFile);
}

/**
 * @param where how the manifest is called in messages
 * @throws PACKAGE_INVALID; PACKAGE_TOO_NEW
 */
export function readManifest(bytes: Buffer, where: string): Manifest {
  const invalid = (reason: string) => new BridleError("PACKAGE_INVALID", { where, reason });
  if (bytes.length > packageLimits.manifestBytes) {
    throw invalid(`its manifest has more than ${packageLimits.manifestBytes} bytes`);
  }
  const parsed = parseBoundedJson(bytes, { depth: 4, values: 8 * packageLimits.files + 64 });
  if ("problem" in parsed) throw invalid(`its manifest cannot be read: ${parsed.problem}`);
  const value = parsed.value as { format?: unknown; version?: unknown } | null;
  if (value?.format === format && typeof value.version === "number" && value.version > newest) {
    throw new BridleError("PACKAGE_TOO_NEW", { where, version: value.version, newest });
  }
  const checked = Manifest.safeParse(value);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw invalid(`its manifest's ${issue?.path.join(".") || "content"} ${issue?.message}`);
  }
  const { files } = checked.data;
  const seen = new Set<string>();
  for (const [index, { path }] of files.entries()) {
    const before = files[index - 1]?.path;
    if (before !== undefined && before >= path)
      throw invalid(`its manifest is not sorted at ${path}`);
    // Two names that differ by case are one file on some disks.
    const folded = path.toLowerCase();
    if (seen.has(folded) || folded === manifestFile) throw invalid(`it names ${path} twice`);
    seen.add(folded);
  }
  for (const { path } of files) {
    const folders = path.toLowerCase().split("/").slice(0, -1);
    const above = folders.map((_, i) => folders.slice(0, i + 1).join("/"));
    const file = above.find((each) => seen.has(each));
    if (file !== undefined) throw invalid(`${file} is both a file and a folder`);
  }
  return { files, digest: digestOf(bytes), sizeBytes: sizeOf(files), bytes };
}
