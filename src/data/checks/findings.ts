// Holds a profile of data against limits: what fails, what is only told, and where it stands.
import type { CheckLimits } from "../../config/check-limits.js";
import type { DataProfile, SplitLeakage, SplitProfile, Tally } from "./profile.js";

export interface Finding {
  readonly check: keyof CheckLimits;
  readonly split: string;
  readonly rows: number;
  /** Of the split's rows, 0..1. */
  readonly share: number;
  /** Null where there is no limit. */
  readonly limit: number | null;
  readonly failed: boolean;
  /** What it is, for people: `12 of 400 rows repeat an earlier document of the split`. */
  readonly message: string;
  /** Where the first ones stand; never what they hold. */
  readonly examples: readonly string[];
}

const told: Readonly<Record<keyof CheckLimits, string>> = {
  broken: "cannot be read",
  empty: "have no text in their document or summary",
  duplicates: "repeat an earlier document of the split",
  nearDuplicates: "are much like an earlier document of the split",
  leakage: "have a document that stands in",
  nearLeakage: "are much like a document in",
  longSummaries: "have a summary as long as their document or longer",
  languageMismatch: "have a summary in another language than their document",
  encodingFaults: "have faults of encoding",
  personalData: "have hints at personal data",
};

/** Every fault that was found, split by split, those past their limit marked as failed. */
export function findFaults(profile: DataProfile, limits: CheckLimits): Finding[] {
  const findings: Finding[] = [];
  const add = (check: keyof CheckLimits, split: SplitProfile, tally: Tally, more = "") => {
    if (tally.rows === 0) return;
    const share = tally.rows / split.rows;
    const limit = limits[check];
    findings.push({
      check,
      split: split.name,
      rows: tally.rows,
      share,
      limit,
      failed: limit !== null && share > limit,
      message: `${tally.rows} of ${split.rows} rows ${told[check]}${more}`,
      examples: tally.examples,
    });
  };
  for (const split of profile.splits) {
    if (split.rows === 0) {
      const { name, files } = split;
      const message = `${files.join(", ")} has no rows`;
      const failed = limits.empty !== null;
      const common = { check: "empty", rows: 0, share: 1, limit: limits.empty } as const;
      findings.push({ ...common, split: name, failed, message, examples: [] });
    }
    const { emptyDocuments, emptySummaries } = split;
    add("broken", split, split.broken);
    add("empty", split, {
      rows: emptyDocuments.rows + emptySummaries.rows,
      examples: [
        ...emptyDocuments.examples.map((where) => `${where} (document)`),
        ...emptySummaries.examples.map((where) => `${where} (summary)`),
      ],
    });
    const { pairs, ...duplicates } = split.duplicates;
    add("duplicates", split, duplicates, pairs > 0 ? `, ${pairs} with the same summary` : "");
    add("nearDuplicates", split, split.nearDuplicates);
    const leaks = profile.leakage.filter((each) => each.split === split.name);
    for (const leak of leaks) addLeak(split, leak, add);
    add("longSummaries", split, split.longSummaries);
    add("languageMismatch", split, split.languageMismatch);
    const { encodingFaults, personalData } = split;
    add("encodingFaults", split, encodingFaults, `: ${countsOf(encodingFaults.kinds)}`);
    add("personalData", split, personalData, `: ${countsOf(personalData.kinds)}`);
  }
  return findings;
}

function addLeak(
  split: SplitProfile,
  { from, exact, near }: SplitLeakage,
  add: (check: keyof CheckLimits, split: SplitProfile, tally: Tally, more?: string) => void,
): void {
  add("leakage", split, exact, ` ${from}`);
  add("nearLeakage", split, near, ` ${from}`);
}

function countsOf(kinds: Readonly<Record<string, number>>): string {
  return Object.entries(kinds)
    .sort(([, a], [, b]) => b - a)
    .map(([kind, rows]) => `${kind} ${rows}`)
    .join(", ");
}
