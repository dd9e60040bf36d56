// Versions of data: which there are, who used each, and what it holds.
import { get } from "./http.js";
import type { RunStatus } from "./runs.js";

export type DataRole = "train" | "validation" | "test";

export interface DataModel {
  readonly model: string;
  readonly version: number;
  readonly aliases: readonly string[];
  /** Null where its run is not recorded. */
  readonly as: DataRole | null;
}

interface DataFacts {
  readonly id: string;
  readonly path: string;
  readonly otherPaths: readonly string[];
  readonly sha256: string | null;
  readonly md5: string | null;
  readonly sizeBytes: number | null;
  /** Files, of a folder. */
  readonly fileCount: number | null;
  readonly rows: number | null;
  readonly usedAs: readonly DataRole[];
  /** Whether a .dvc file names this content. */
  readonly isTracked: boolean;
  /** Whether the project's folder has it as it was. */
  readonly isHere: boolean;
  readonly models: readonly DataModel[];
  /** Milliseconds since 1970. */
  readonly lastUsedAt: number | null;
}

export interface BriefData extends DataFacts {
  /** How many runs used it. */
  readonly runs: number;
}

export interface DataRun {
  readonly id: string;
  readonly name: string;
  readonly experiment: string;
  readonly status: RunStatus;
  readonly startedAt: number;
  readonly as: DataRole;
  readonly rows: number | null;
}

export interface DataVersion extends DataFacts {
  readonly runs: readonly DataRun[];
  /** Other versions of the same path. */
  readonly others: readonly BriefData[];
  /** Data that the same runs used as other splits. */
  readonly together: readonly BriefData[];
}

export interface Distribution {
  readonly count: number;
  readonly least: number;
  readonly p5: number;
  readonly median: number;
  readonly p95: number;
  readonly most: number;
  readonly mean: number;
  readonly histogram: {
    readonly from: number;
    readonly width: number;
    readonly counts: readonly number[];
    /** Values past the last bar. */
    readonly above: number;
  };
}

interface Tally {
  readonly rows: number;
}

/** What `bridle data stats --json` tells of a split. */
export interface SplitProfile {
  readonly kind: "pairs" | "documents";
  readonly rows: number;
  readonly sizeBytes: number;
  readonly columns: readonly {
    readonly name: string;
    readonly rows: number;
    readonly kinds: Readonly<Record<string, number>>;
  }[];
  readonly broken: Tally;
  readonly emptyDocuments: Tally;
  readonly emptySummaries: Tally;
  readonly duplicates: Tally;
  readonly nearDuplicates: Tally;
  readonly longSummaries: Tally;
  readonly languageMismatch: Tally;
  readonly encodingFaults: Tally;
  readonly personalData: Tally;
  readonly documentWords?: Distribution;
  readonly summaryWords?: Distribution;
  readonly ratio?: Distribution;
  readonly novelWords?: Distribution;
  readonly novelPairs?: Distribution;
  readonly languages: readonly { readonly language: string; readonly rows: number }[];
}

export type DataStatistics =
  | { readonly state: "computing" }
  | { readonly state: "done"; readonly split: SplitProfile }
  | { readonly state: "failed"; readonly code: string; readonly message: string }
  | {
      readonly state: "unavailable";
      readonly reason: "no-project" | "not-here" | "too-large";
    };

/** A file that says what is tracked, and cannot be used. */
export interface BrokenFile {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

export interface DataList {
  /** The folder whose files are looked at; null where the server runs in none. */
  readonly project: string | null;
  /** The last used first. */
  readonly versions: readonly BriefData[];
  /** What these track is not among the versions. */
  readonly broken: readonly BrokenFile[];
}

/** @throws Problem */
export function listData(signal: AbortSignal): Promise<DataList> {
  return get("/v1/data", signal);
}

const dataPath = (id: string) => `/v1/data/${encodeURIComponent(id)}`;

/** @throws Problem, such as DATA_VERSION_NOT_FOUND */
export function getData(id: string, signal: AbortSignal): Promise<DataVersion> {
  return get(dataPath(id), signal);
}

/** @throws Problem */
export function getStatistics(id: string, signal: AbortSignal): Promise<DataStatistics> {
  return get(`${dataPath(id)}/statistics`, signal);
}
