// The files a run learns from: where each lies, and which version of it that is.
import type { DataVersion } from "../data/dvc/recorded-version.js";
import type { DataFile, FileHash } from "./trained-model.js";

/** Where a version of data lies that is not, or not any more, where it belongs. */
export interface LaidApart {
  readonly place: string;
  readonly dvc?: DataVersion | undefined;
}

/** Files with the version that each is, or else what would name it as one. */
export async function withVersions(
  files: readonly FileHash[],
  laidApart: ReadonlyMap<string, LaidApart> | undefined,
  signal: AbortSignal | undefined,
): Promise<DataFile[]> {
  const { md5Of, versionsOf } = await import("../data/dvc/recorded-version.js");
  const inPlace = files.flatMap(({ file }) => (laidApart?.has(file) ? [] : [file]));
  const found = await versionsOf(inPlace, { signal });
  const versions = new Map(inPlace.map((file, at) => [file, found[at]]));
  const named: DataFile[] = [];
  for (const each of files) {
    const apart = laidApart?.get(each.file);
    const dvc = apart === undefined ? versions.get(each.file) : apart.dvc;
    const md5 = dvc === undefined ? await md5Of(apart?.place ?? each.file, signal) : undefined;
    named.push({ ...each, ...(dvc && { dvc }), ...(md5 !== undefined && { md5 }) });
  }
  return named;
}
