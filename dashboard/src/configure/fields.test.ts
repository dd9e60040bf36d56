// Tests how a schema becomes fields, and how values are set and taken away.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Schema } from "../api/run-config.js";
import {
  countSet,
  fieldOf,
  label,
  shownDefault,
  tagOf,
  takesNone,
  valueAt,
  withValue,
} from "./fields.js";

const schema = JSON.parse(
  readFileSync(new URL("../../../configs/schemas/params.schema.json", import.meta.url), "utf8"),
) as Schema;
const at = (...path: string[]) =>
  path.reduce<Schema>((node, key) => node.properties?.[key] as Schema, schema);

describe("fieldOf", () => {
  it.each([
    [["train", "objective"], { kind: "choice" }],
    [["train", "recompute"], { kind: "flag" }],
    [["train", "seed"], { kind: "number", isWhole: true, least: 0 }],
    [["train", "labelSmoothing"], { kind: "number", isWhole: false, most: 1 }],
    [["train", "averageDecay"], { kind: "number" }],
    [["model", "name"], { kind: "text" }],
    [["model", "freeze"], { kind: "texts", options: [] }],
    [["data", "train"], { kind: "texts", options: [] }],
    [["model", "lora"], { kind: "group", isOptional: true }],
    [["train", "optimizer"], { kind: "group", isOptional: false }],
    [["train", "schedule"], { kind: "group" }],
    [["generate", "badWordsIds"], { kind: "json" }],
  ])("%j", (path, expected) => {
    expect(fieldOf(at(...path))).toMatchObject(expected);
  });

  it("has a field for every key of the schema", () => {
    const walk = (node: Schema): number =>
      Object.values(node.properties ?? {}).reduce((sum, each) => {
        const field = fieldOf(each);
        expect(field.kind).toBeDefined();
        return (
          sum + 1 + (field.kind === "group" ? field.shapes.map(walk).reduce((a, b) => a + b) : 0)
        );
      }, 0);
    expect(walk(schema)).toBeGreaterThan(80);
  });
});

it("tells the shapes of the optimizer by their names", () => {
  const field = fieldOf(at("train", "optimizer"));
  const shapes = field.kind === "group" ? field.shapes : [];
  expect(tagOf(shapes)).toBe("name");
  expect(shapes.map(({ properties }) => properties?.name?.const)).toContain("adafactor");
  expect(tagOf(shapes.slice(0, 1))).toBeUndefined();
});

it("sets a value at a path, and takes it away with what is left empty", () => {
  const one = withValue({}, ["train", "schedule", "name"], "cosine");
  expect(one).toEqual({ train: { schedule: { name: "cosine" } } });
  const two = withValue(one, ["train", "seed"], 0);
  expect(valueAt(two, ["train", "seed"])).toBe(0);
  expect(countSet(two)).toBe(2);
  expect(withValue(two, ["train", "schedule", "name"], undefined)).toEqual({ train: { seed: 0 } });
  expect(withValue(one, ["train", "schedule", "name"], undefined)).toEqual({});
  expect(one).toEqual({ train: { schedule: { name: "cosine" } } });
  expect(valueAt(one, ["model", "lora", "rank"])).toBeUndefined();
});

it("offers an option beside free texts, such as all-linear for LoRA's targets", () => {
  const field = fieldOf(at("model", "lora"));
  const targets = (field.kind === "group" ? field.shapes[0]?.properties?.targets : undefined) ?? {};
  expect(fieldOf(targets)).toMatchObject({
    kind: "texts",
    options: expect.arrayContaining(["all-linear"]),
  });
});

it("keeps a mapping that says something by being there", () => {
  const path = ["model", "lora"];
  const on = withValue({}, path, {});
  expect(on).toEqual({ model: { lora: {} } });
  expect(countSet(on)).toBe(1);
  const ranked = withValue(on, [...path, "rank"], 4, path);
  expect(withValue(ranked, [...path, "rank"], undefined, path)).toEqual({ model: { lora: {} } });
  expect(withValue(ranked, [...path, "rank"], undefined)).toEqual({});
  expect(withValue(on, path, undefined)).toEqual({});
});

it("knows where null says to do without", () => {
  expect(takesNone(at("train", "maxGradNorm"))).toBe(true);
  expect(takesNone(at("train", "averageDecay"))).toBe(false);
  expect(takesNone(at("train", "epochs"))).toBe(false);
  expect(withValue({}, ["train", "maxGradNorm"], null)).toEqual({ train: { maxGradNorm: null } });
});

it("keeps the order in which keys were set", () => {
  const set = withValue(withValue(withValue({}, ["a"], 1), ["b"], 2), ["a"], 3);
  expect(JSON.stringify(set)).toBe('{"a":3,"b":2}');
});

it("writes keys and defaults for people", () => {
  expect(label("maxTargetTokens")).toBe("Max target tokens");
  expect(label("topK")).toBe("Top k");
  expect(shownDefault({ default: 5e-5 })).toBe("0.00005");
  expect(shownDefault({ default: null })).toBeUndefined();
  expect(shownDefault({ default: "adamw" })).toBe("adamw");
});
