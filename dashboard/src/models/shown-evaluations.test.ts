// What a package brings of a version counts until something is recorded of it here, as for `bridle models show`.
import { expect, it } from "vitest";
import { evaluationsOf } from "./shown-evaluations.js";

const interval = { mean: 0.4, low: 0.38, high: 0.42 };
const scores = { rouge1: interval, rouge2: interval, rougeL: interval, rougeLsum: interval };
const brought = { data: "valid.jsonl", dataSha256: "a".repeat(64), rows: 12, scores };
const recorded = {
  ...{ data: "test.jsonl", dataSha256: null, rows: { scored: 30, failed: 1 }, scores, rivals: [] },
  ...{ recordedAt: "2026-01-02T03:04:05.000Z", recordedBy: "ada" },
};

it("shows what the card says where nothing was recorded", () => {
  const shown = evaluationsOf({ evaluations: [], card: { evaluations: [brought] } });
  expect(shown).toMatchObject([
    { data: "valid.jsonl", rows: { scored: 12, failed: 0 }, scores, rivals: [] },
  ]);
  expect(shown[0]).not.toHaveProperty("recorded");
});

it("shows what was recorded alone where there is any", () => {
  const shown = evaluationsOf({ evaluations: [recorded], card: { evaluations: [brought] } });
  expect(shown).toMatchObject([
    { data: "test.jsonl", rows: { scored: 30, failed: 1 }, recorded: { by: "ada" } },
  ]);
  expect(evaluationsOf({ evaluations: [], card: { evaluations: [] } })).toEqual([]);
});
