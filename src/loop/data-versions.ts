// Versions of data: what runs, registered versions, evaluations and .dvc files name, told apart by what is in them.
import { isDirectoryId } from "../data/dvc/object-hash.js";
import type { BrokenFile, ProjectData } from "../data/project-data.js";
import type { Database } from "../ports/database.js";
import type { Registry } from "../registry/registry.js";
import { listUsedData, type UsedData } from "../track/data-used.js";

export type DataRole = "train" | "validation" | "test";

export interface DataRun extends Pick<UsedData, "as" | "rows"> {
  readonly id: string;
  readonly name: string;
  readonly experiment: string;
  readonly status: UsedData["run"]["status"];
  readonly startedAt: number;
}

export interface DataModel {
  readonly model: string;
  readonly version: number;
  readonly aliases: readonly string[];
  /** Null where its run is not recorded, so that nobody knows. */
  readonly as: DataRole | null;
}

export interface DataVersion {
  /** Of its content where that is known: the first digits of its SHA-256 or MD5; else of its path. */
  readonly id: string;
  /** As it was named last. */
  readonly path: string;
  /** Other names of the same content. */
  readonly otherPaths: readonly string[];
  readonly sha256: string | null;
  /** As DVC names it; ends in .dir for a folder. */
  readonly md5: string | null;
  readonly sizeBytes: number | null;
  /** Files, of a folder. */
  readonly fileCount: number | null;
  /** Rows that were used of it, as the last run told. */
  readonly rows: number | null;
  readonly usedAs: readonly DataRole[];
  /** Whether a .dvc file of the project names this content. */
  readonly isTracked: boolean;
  /** Whether the project's folder has it, with this content. */
  readonly isHere: boolean;
  /** Every use as a split of a run, the newest first. */
  readonly runs: readonly DataRun[];
  readonly models: readonly DataModel[];
  /** Milliseconds since 1970. */
  readonly lastUsedAt: number | null;
  /** Columns that the last run named. */
  readonly columns: UsedData["columns"];
}

export interface DataSources {
  readonly database: Database | undefined;
  readonly registry: Pick<Registry, "listVersions" | "listEvaluations"> | undefined;
  readonly project: ProjectData | undefined;
}

/** One place where a version of data is named. */
interface Mention {
  readonly path: string;
  readonly at: number | null;
  readonly sha256?: string | null;
  readonly md5?: string | null;
  readonly sizeBytes?: number | null;
  readonly fileCount?: number | null;
  readonly rows?: number | null;
  readonly isTracked?: true;
  readonly isHere?: true;
  readonly run?: DataRun;
  readonly model?: DataModel;
  readonly columns?: UsedData["columns"];
}

/** Files of the project whose bytes are compared at one look. */
const mostFiles = 50;

export interface KnownData {
  /** The last used first. */
  readonly versions: readonly DataVersion[];
  /** Files of the project that would have named more. */
  readonly broken: readonly BrokenFile[];
}

/** Every version of data that is known of. */
export async function listDataVersions({
  database,
  registry,
  project,
}: DataSources): Promise<KnownData> {
  const versions = (await registry?.listVersions()) ?? [];
  const evaluations = (await registry?.listEvaluations()) ?? [];
  const used = database === undefined ? [] : await listUsedData(database);
  const tracked = await project?.listTracked();
  const nameOf = (file: string) => project?.pathOf(file) ?? file;
  const mentions: Mention[] = [];

  /** What a registered version says its run was trained on: runs of earlier versions of Bridle did not tell themselves. */
  const hashOf = new Map<string, string>();
  for (const { model, version, aliases, createdAt, card, dataObjects } of versions) {
    const { runId } = card.lineage;
    // DVC's ids stand in the order of the files, unless some of them were not there any more.
    const files = dataObjects.filter((id) => !isDirectoryId(id));
    const ids = files.length === card.data.length ? files : [];
    for (const [at, { file, sha256 }] of card.data.entries()) {
      if (runId !== null) hashOf.set(`${runId} ${file}`, sha256);
      const as = roleIn(used, runId, file);
      mentions.push({
        ...{ path: nameOf(file), at: Date.parse(createdAt), sha256, md5: ids[at] ?? null },
        model: { model, version, aliases, as },
      });
    }
  }
  for (const { run, as, files, rows, columns } of used) {
    for (const { file, sha256, sizeBytes } of files) {
      mentions.push({
        ...{ path: nameOf(file), at: run.startedAt, sizeBytes, columns },
        sha256: sha256 ?? hashOf.get(`${run.id} ${file}`) ?? null,
        rows: files.length === 1 ? rows : null,
        run: { ...run, as, rows: files.length === 1 ? rows : null },
      });
    }
  }
  for (const { model, version, recordedAt, record } of evaluations) {
    const aliases =
      versions.find((each) => each.model === model && each.version === version)?.aliases ?? [];
    mentions.push({
      ...{ path: nameOf(record.data), at: recordedAt, sha256: record.dataSha256 },
      rows: record.rows.scored + record.rows.failed,
      model: { model, version, aliases, as: "test" },
    });
  }
  for (const { path, ...content } of tracked?.paths ?? []) {
    mentions.push({ path, at: null, ...content, isTracked: true });
  }
  if (project !== undefined) mentions.push(...(await findHere(project, mentions)));
  return { versions: gather(mentions), broken: tracked?.broken ?? [] };
}

/** As what a run used a file, by its own telling. */
function roleIn(used: readonly UsedData[], runId: string | null, file: string): DataRole | null {
  const found = used.find(
    ({ run, files }) => run.id === runId && files.some((each) => each.file === file),
  );
  return found?.as ?? null;
}

/** The files of the project that were named, as they are now: what has both hashes joins what has one of them. */
async function findHere(project: ProjectData, mentions: readonly Mention[]): Promise<Mention[]> {
  const paths = [...new Set(mentions.map(({ path }) => path))].slice(0, mostFiles);
  const named = new Set(mentions.flatMap(({ sha256, md5 }) => [sha256, md5]));
  const found: Mention[] = [];
  for (const path of paths) {
    const here = await project.find(path);
    // What is there now and was never used is none of the versions that were.
    if (here === undefined || !(named.has(here.sha256) || named.has(here.md5))) continue;
    found.push({ ...here, at: null, isHere: true });
  }
  return found;
}

/** Puts mentions of the same content together. */
function gather(mentions: readonly Mention[]): DataVersion[] {
  const shaOf = new Map<string, string>();
  for (const { sha256, md5 } of mentions) if (sha256 && md5) shaOf.set(md5, sha256);
  const groups = new Map<string, Mention[]>();
  for (const mention of mentions) {
    const sha256 = mention.sha256 ?? shaOf.get(mention.md5 ?? "");
    const key = sha256 ?? mention.md5 ?? `path ${mention.path}`;
    groups.set(key, [...(groups.get(key) ?? []), mention]);
  }
  return [...groups.values()].map(toVersion).sort(
    (a, b) =>
      // What nobody has used yet was made for what comes next.
      (b.lastUsedAt ?? Number.POSITIVE_INFINITY) - (a.lastUsedAt ?? Number.POSITIVE_INFINITY) ||
      a.path.localeCompare(b.path),
  );
}

const idDigits = 16;

function toVersion(mentions: readonly Mention[]): DataVersion {
  const newest = [...mentions].sort((a, b) => (b.at ?? 0) - (a.at ?? 0));
  const first = <K extends keyof Mention>(key: K) =>
    newest.find((each) => each[key] !== undefined && each[key] !== null)?.[key] ?? null;
  const path = newest[0]?.path ?? "";
  const [sha256, md5] = [first("sha256"), first("md5")];
  const runs = newest.flatMap(({ run }) => run ?? []);
  const models = newest.flatMap(({ model }) => model ?? []);
  const lastUsedAt = Math.max(...newest.map(({ at }) => at ?? Number.NEGATIVE_INFINITY));
  const roles: readonly DataRole[] = ["train", "validation", "test"];
  return {
    id: (sha256 ?? md5)?.slice(0, idDigits) ?? `unknown-${path}`,
    path,
    otherPaths: [...new Set(mentions.map((each) => each.path))].filter((each) => each !== path),
    ...{ sha256, md5, runs },
    sizeBytes: first("sizeBytes"),
    fileCount: first("fileCount"),
    rows: first("rows"),
    usedAs: roles.filter((role) => [...runs, ...models].some(({ as }) => as === role)),
    isTracked: mentions.some((each) => each.isTracked),
    isHere: mentions.some((each) => each.isHere),
    models: models.filter(
      (each, at) =>
        at ===
        models.findIndex(
          ({ model, version, as }) =>
            model === each.model && version === each.version && as === each.as,
        ),
    ),
    lastUsedAt: Number.isFinite(lastUsedAt) ? lastUsedAt : null,
    columns: first("columns") ?? {},
  };
}
