// Which evaluations of a version are shown: those that were recorded of it, else those that its package brought.
import type { Scores, Version } from "../api/registry.js";

/** An evaluation that was recorded, or one that came with the version's package. */
export interface ShownEvaluation {
  readonly key: string;
  readonly data: string;
  readonly dataSha256: string | null;
  readonly rows: { readonly scored: number; readonly failed: number };
  readonly scores: Scores;
  readonly rivals: Version["evaluations"][number]["rivals"];
  readonly recorded?: { readonly at: number; readonly by: string };
}

/** As `bridle models show` has them: those of the card where none was recorded. */
export function evaluationsOf({
  evaluations,
  card,
}: Pick<Version, "evaluations"> & {
  readonly card: Pick<Version["card"], "evaluations">;
}): readonly ShownEvaluation[] {
  if (evaluations.length > 0) {
    return evaluations.map((each) => ({
      ...each,
      key: `${each.recordedAt} ${each.data}`,
      recorded: { at: Date.parse(each.recordedAt), by: each.recordedBy },
    }));
  }
  return card.evaluations.map((each, place) => ({
    ...each,
    key: `${place} ${each.data}`,
    rows: { scored: each.rows, failed: 0 },
    rivals: [],
  }));
}
