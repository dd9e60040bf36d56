// What a version came from stands left of it, also where some of it is not known.
import { expect, it } from "vitest";
import type { Version } from "../api/registry.js";
import { layOut } from "./lineage-layout.js";
import { originOf } from "./origin.js";

const lineage = {
  ...{ parent: { name: "google/pegasus-xsum", version: null }, runId: "k3vd8wpq" },
  ...{ commit: null, seed: 1, step: 20, trainedAt: null },
};
const data = [
  { file: "data/train.jsonl", sha256: "2".repeat(64) },
  { file: "data/valid.jsonl", sha256: "3".repeat(64) },
];
const version = (card: object, aliases: readonly string[] = []) =>
  ({ model: "news", version: 3, aliases, card: { data, lineage, ...card } }) as unknown as Version;
const columns = (of: Version) =>
  Object.fromEntries(
    layOut(originOf(of)).placed.map(({ node, column }) => [`${node.kind} ${node.label}`, column]),
  );

it("goes from data by the run to the version and its aliases", () => {
  expect(columns(version({}, ["champion"]))).toEqual({
    "data train.jsonl": 0,
    "data valid.jsonl": 0,
    "model google/pegasus-xsum": 0,
    "run k3vd8wpq": 1,
    "version news:3": 2,
    "alias champion": 3,
  });
  expect(originOf(version({})).nodes[0]?.href).toBe(`/data/${"2".repeat(16)}`);
});

it("leaves out what is not known", () => {
  const bare = { lineage: { ...lineage, runId: null, parent: null } };
  expect(columns(version(bare))).toMatchObject({ "data train.jsonl": 0, "version news:3": 1 });
  expect(columns(version({ ...bare, data: [] }))).toEqual({ "version news:3": 0 });
});
