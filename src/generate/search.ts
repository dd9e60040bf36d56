// What a search over one document's continuations is: rows go into the model, their scores come back.

/** One row fed to the model: the token it adds and the row of the previous step that it continues. */
export interface Row {
  readonly token: number;
  readonly parent: number;
}

export interface Sequence {
  /** Tokens, the start token included, without padding. */
  readonly ids: readonly number[];
  /** Score by which sequences are ranked: sum of log-probabilities over length to the power of the length penalty. */
  readonly score: number | undefined;
  /** For each token written, the beam it came from; only from beam search. */
  readonly beams: readonly number[] | undefined;
}

/** The likeliest tokens of one row, likeliest first, and their log-probabilities. */
export interface Candidates {
  readonly tokens: readonly number[];
  readonly logProbabilities: readonly number[];
}

/** State of one document's search; it owns no tensor, so that the engine decides how rows are batched. */
export interface Search {
  /** Rows fed at each step; a search always has all of them. */
  readonly width: number;
  /** Rows of the next step. */
  readonly rows: readonly Row[];
  readonly done: boolean;
  /** How many of each row's likeliest tokens decide the next step; undefined where the scores of all tokens do. */
  readonly needs: number | undefined;
  /** Takes the model's logits, [width][V]. They may be overwritten. */
  advance(logits: readonly Float32Array[]): void;
  /** Takes at least as many candidates of each row as it needs, in place of all logits. */
  choose(candidates: readonly Candidates[]): void;
  /** The tokens that no later step can change any more, the start token left out. */
  stablePrefix(): readonly number[];
  /** The sequences found, best first. */
  result(): readonly Sequence[];
}
