// What a training run tells while it runs; whoever listens draws, prints or records it. The trainer knows none of them.

/** Readings of the machine, taken between steps. */
export interface HardwareReading {
  /** Processor time of this process since the last reading, over the wall time: 2 is two cores at work. */
  readonly cpuShare: number;
  /** Resident memory of this process. */
  readonly rssBytes: number;
  readonly freeMemoryBytes: number;
}

export interface DataReport {
  readonly split: "train" | "validation";
  /** What it was read from, byte for byte. */
  readonly files: readonly {
    readonly file: string;
    readonly sizeBytes: number;
    readonly sha256: string;
  }[];
  readonly rows: number;
  /** Rows left out because a text was empty. */
  readonly emptyRows: number;
  /** Rows whose document or summary was longer than what is read, and the tokens that were left out. */
  readonly truncatedDocuments: number;
  readonly truncatedSummaries: number;
  readonly lostTokens: number;
  /** Rows whose document stands in an earlier row too, and how many of these have the same summary. */
  readonly repeatedDocuments: number;
  readonly repeatedPairs: number;
  /** Where the first ones stand, such as "Line 9 of x.jsonl as Line 3 of x.jsonl". */
  readonly repeats: readonly string[];
}

/** Documents of the validation rows that are learned from too. */
export interface LeakageReport {
  readonly documents: number;
  /** How many of them have the same summary. */
  readonly pairs: number;
  readonly places: readonly string[];
}

/** How far the work before the first step is. It is shown, and not kept. */
export interface PreparationEvent {
  readonly type: "preparation";
  readonly split: DataReport["split"];
  /** Reading is counted in bytes of the files, measuring in rows. */
  readonly phase: "reading" | "measuring";
  readonly rows: number;
  readonly done: number;
  readonly total: number;
}

export interface EvaluationReport {
  readonly step: number;
  readonly epoch: number;
  /** Mean over label tokens, without label smoothing. */
  readonly loss: number;
  /** F-measures, 0..1, where summaries were written. */
  readonly rouge?: Readonly<Record<"rouge1" | "rouge2" | "rougeL" | "rougeLsum", number>>;
  /** Mean length of the summaries written, in tokens. */
  readonly genLen?: number;
  readonly isBest: boolean;
}

export type TrainEvent =
  | PreparationEvent
  | { readonly type: "data"; readonly report: DataReport }
  | { readonly type: "leakage"; readonly report: LeakageReport }
  | {
      readonly type: "start";
      readonly totalSteps: number;
      /** The step a run that was interrupted goes on from; 0 for a new one. */
      readonly step: number;
      readonly learnedParameters: number;
      readonly parameters: number;
      /** What it runs on, where the configuration says `auto` too. */
      readonly device: string;
    }
  | {
      readonly type: "step";
      /** Steps done, this one included. */
      readonly step: number;
      readonly epoch: number;
      readonly loss: number;
      /** Length of the gradients before clipping. */
      readonly gradNorm: number;
      /** What the optimizer went by: the schedule's, or its own where it follows none. */
      readonly learningRate: number;
      /** Tokens that are not padding, documents and summaries together. */
      readonly tokens: number;
      readonly tokensPerSecond: number;
    }
  | { readonly type: "hardware"; readonly step: number; readonly reading: HardwareReading }
  | { readonly type: "evaluation"; readonly report: EvaluationReport }
  | { readonly type: "checkpoint"; readonly step: number; readonly folder: string }
  | { readonly type: "stopped"; readonly step: number; readonly reason: "patience" }
  | { readonly type: "done"; readonly step: number; readonly folder: string };

export type OnTrainEvent = (event: TrainEvent) => void;
