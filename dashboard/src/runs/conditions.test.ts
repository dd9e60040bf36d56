// Conditions, plain words, and what may come next.
import { describe, expect, it } from "vitest";
import { readCondition, suggestions, toFilter } from "./conditions.js";

describe("toFilter", () => {
  it.each([
    ["  ", undefined],
    ["news base", "name ~ news base"],
    ["metrics.eval/loss < 2", "metrics.eval/loss < 2"],
    ["status=running", "status=running"],
    ["v1.5", "name ~ v1.5"],
  ])("%j", (typed, filter) => expect(toFilter(typed)).toBe(filter));
});

it("reads the parts of a condition", () => {
  expect(readCondition(" params.train.seed!= 7 ")).toEqual({
    field: "params.train.seed",
    operator: "!=",
    value: "7",
  });
});

describe("suggestions", () => {
  const fields = ["status", "metrics.eval/loss", "params.train.steps", "started"];
  const values = (field: string) => (field === "status" ? ["running", "failed"] : []);

  it("go on from a field's beginning, its own name first", () => {
    expect(suggestions("st", fields, values).slice(0, 2)).toEqual(["status ", "started "]);
    expect(suggestions("loss", fields, values)).toEqual(["metrics.eval/loss "]);
    expect(suggestions("ste", fields, values)).toEqual(["params.train.steps "]);
  });

  it("name the values there are", () => {
    expect(suggestions("status = ", fields, values)).toEqual([
      "status = running",
      "status = failed",
    ]);
    expect(suggestions("status = fai", fields, values)).toEqual(["status = failed"]);
    expect(suggestions("status = failed", fields, values)).toEqual([]);
    expect(suggestions("metrics.eval/loss < 1", fields, values)).toEqual([]);
  });
});
