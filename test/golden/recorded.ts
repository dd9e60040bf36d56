// The figures of rouge-and-gsg.json, typed, for the unit tests of what they record.
import { readFileSync } from "node:fs";

/** [precision, recall, fmeasure] */
export type RecordedScore = readonly [number, number, number];
export type RecordedScores = Readonly<Record<string, RecordedScore>>;

interface RecordedSelection {
  readonly ratio: number;
  readonly m: number;
  readonly ind_orig: number[];
  readonly ind_uniq: number[];
  readonly seq_orig: number[];
  readonly seq_uniq: number[];
  readonly seq_orig_scores: [number, number][];
  readonly seq_uniq_scores: [number, number][];
  readonly lead: number[];
}

interface RecordedAggregate {
  readonly n_samples: number;
  readonly confidence_interval: number;
  readonly result: Readonly<
    Record<string, Readonly<Record<"low" | "mid" | "high", RecordedScore>>>
  >;
  readonly mean: RecordedScores;
}

export interface RecordedFiles {
  readonly "rouge/rouge.json": {
    readonly pairs: readonly {
      target: string;
      prediction: string;
      tokens: [string[], string[]];
      tokens_stem: [string[], string[]];
    }[];
    readonly scores: Readonly<Record<string, readonly RecordedScores[]>>;
    readonly aggregate: Readonly<Record<string, RecordedAggregate>>;
    readonly bootstrap_indices: { readonly rows: number[][] };
    readonly multi: readonly { targets: string[]; prediction: string; scores: RecordedScores }[];
    readonly sentence_split: readonly { text: string; sentences: string[] }[];
  };
  readonly "rouge/porter.json": { readonly words: readonly [word: string, stem: string][] };
  readonly "gsg/gsg.json": {
    readonly documents: readonly {
      sentences: string[];
      selections: RecordedSelection[];
      ind_orig_scores: number[];
      ind_uniq_scores: number[];
      example: { m_of_ratio: number; strategy: string; input: string; target: string };
    }[];
  };
}

export const recorded: { readonly provenance: string; readonly files: RecordedFiles } = JSON.parse(
  readFileSync(new URL("./rouge-and-gsg.json", import.meta.url), "utf8"),
);
