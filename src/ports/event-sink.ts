// What a run tells to whoever keeps it: the tracker's own tables, MLflow, W&B. Types only; every event is plain JSON.

export const runStatuses = ["running", "finished", "failed", "stopped", "interrupted"] as const;
export type RunStatus = (typeof runStatuses)[number];

/** Who a run is. */
export interface RunIdentity {
  /** Eight letters and digits, unlike any other run's. */
  readonly id: string;
  readonly experiment: string;
  readonly name: string;
  /** Milliseconds since 1970, as every time here. */
  readonly startedAt: number;
  /** What made it: `train`, `sweep`, `mlflow`, `wandb`. */
  readonly source: string;
  readonly host: string;
  readonly pid: number;
  /** What tells its process from others of the same id; empty or left out where the system does not say. */
  readonly process?: string | undefined;
  /** When this process began it, or took it up again; `startedAt` where left out. What others told of it before is older. */
  readonly takenUpAt?: number | undefined;
  /** The folder it writes to, absolute; empty where it has none. */
  readonly output: string;
  /** Hash of its resolved configuration; empty where it has none. */
  readonly configSha256: string;
  /** Commit of the project's code, with `+` after it where files differ from it, or may; empty where there is none. */
  readonly commit: string;
  /** The run it belongs to, such as a sweep's; empty for most. */
  readonly parent: string;
}

/** A value of a metric. */
export interface MetricPoint {
  readonly key: string;
  /** 0 or more; a later point of the same step takes the place of an earlier one. */
  readonly step: number;
  readonly epoch: number | null;
  readonly at: number;
  /** NaN and infinities included: a loss that runs away is worth seeing. */
  readonly value: number;
}

export interface LogLine {
  /** From 0 on; a line sent twice is kept once. */
  readonly number: number;
  readonly at: number;
  readonly level: "info" | "warning" | "error";
  readonly text: string;
}

/** A file that belongs to a run. */
export interface RunArtifact {
  /** A path of its own within the run, such as `config.json`. */
  readonly name: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly mediaType: string;
  /** Its key in the store of artifacts; empty where it lies elsewhere. */
  readonly blob: string;
  /** Where it lies, for a folder or file that is not copied; else empty. */
  readonly uri: string;
  readonly at: number;
}

export type RunEvent =
  /** Begun, or taken up again: then what it had told of later steps is told anew. */
  | { readonly type: "start"; readonly run: RunIdentity; readonly fromStep: number }
  | { readonly type: "params"; readonly values: Readonly<Record<string, string>> }
  | { readonly type: "tags"; readonly values: Readonly<Record<string, string>> }
  | { readonly type: "points"; readonly points: readonly MetricPoint[] }
  | { readonly type: "lines"; readonly lines: readonly LogLine[] }
  | { readonly type: "artifact"; readonly artifact: RunArtifact }
  | { readonly type: "alive"; readonly at: number }
  | {
      readonly type: "end";
      readonly status: Exclude<RunStatus, "running">;
      readonly at: number;
      /** What went wrong, in a sentence; empty where nothing did. */
      readonly error: string;
    };

/**
 * Keeps what runs tell. Sinks hold no events back: whoever sends them waits, keeps what failed and sends it again, so
 * that the same events may come twice and must leave what they would leave once. What a process told of a run may come
 * after another one took the run up again: it fills in what is missing, and changes nothing that is newer.
 */
export interface EventSink {
  /** How it is called in messages and in names of files: letters and digits. */
  readonly name: string;
  /** Where they are kept, without a password: what waits for one place is sent to no other. */
  readonly destination: string;
  /** Keeps some events of a run, in their order, all or nothing where it can. @throws where it cannot keep them now */
  send(run: RunIdentity, events: readonly RunEvent[]): Promise<void>;
  close(): Promise<void>;
}

/** Keeps bytes as a file of a run. */
export type KeepFile = (
  name: string,
  content: Uint8Array,
  mediaType: string,
) => Promise<RunArtifact>;

/** A run of another tracker on its way here. */
export interface ForeignRun {
  /** The tracker: `mlflow`, `wandb`. */
  readonly source: string;
  /** What it is called there; no other run of that tracker is. */
  readonly foreignId: string;
  readonly known: Pick<RunIdentity, "experiment" | "name" | "startedAt"> & Partial<RunIdentity>;
  /** False where what is read does not say how it ended: a run that is here already keeps the end it has. Default: true. */
  readonly isEndKnown?: boolean;
  /** What it told, some events at a time. @param run who it is here */
  events(run: RunIdentity, keep: KeepFile): AsyncIterable<readonly RunEvent[]>;
}

/** A file of a model version, to be copied. */
export interface ToldFile {
  readonly path: string;
  readonly sizeBytes: number;
  open(): AsyncIterable<Uint8Array>;
}

/** A registered version as others are told of it. */
export interface ToldVersion {
  readonly version: number;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
  /** The run that made it, where that was recorded. */
  readonly run: Pick<RunIdentity, "id" | "experiment"> | undefined;
  /** Those that are copied. */
  readonly files: readonly ToldFile[];
}

export interface ToldModel {
  readonly name: string;
  /** The oldest first. */
  readonly versions: readonly ToldVersion[];
  readonly aliases: readonly { readonly alias: string; readonly version: number }[];
}

/** What came of telling of a model. */
export interface ModelTold {
  /** Versions that were not there before. */
  readonly made: readonly number[];
  /** Aliases that pointed elsewhere, or nowhere. */
  readonly moved: readonly string[];
}

/** A registry of others that mirrors the one here. Told twice, it has what it has once. */
export interface ModelSink {
  readonly name: string;
  /** @throws what sinks throw; told again, it goes on where it stopped */
  tellModel(model: ToldModel): Promise<ModelTold>;
  close(): Promise<void>;
}
