// What `bridle data check` lets pass: the share of rows that may have each fault.
import { z } from "zod";

const limit = (standard: number | null, what: string) =>
  z.number().min(0).max(1).nullable().default(standard).describe(`${what}; null for no limit`);

/** Shares of a split's rows, 0..1. */
export const CheckLimits = z.strictObject({
  broken: limit(0, "rows that cannot be read, or lack a column"),
  empty: limit(0, "rows without text in their document or summary"),
  duplicates: limit(0.01, "rows whose document stands in an earlier row of the split"),
  nearDuplicates: limit(0.05, "rows whose document is much like an earlier row's of the split"),
  leakage: limit(0, "rows whose document stands in an earlier split"),
  nearLeakage: limit(0.01, "rows whose document is much like one in an earlier split"),
  longSummaries: limit(0.01, "rows whose summary has as many words as the document, or more"),
  languageMismatch: limit(0.05, "rows whose summary is in another language than the document"),
  encodingFaults: limit(0.001, "rows with faults of encoding"),
  personalData: limit(null, "rows with hints at personal data"),
});

export type CheckLimits = z.output<typeof CheckLimits>;
