// Spoiled files of every kind are read or refused in words, in little memory; scripts/fuzz.mjs runs far more of them.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDraw, mutateBytes, mutateJsonText } from "./fuzz/mutations.mjs";
import { readers } from "./fuzz/readers.mjs";
import { runFuzz, spoiledFiles } from "./fuzz/run-fuzz.mjs";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-fuzz-"));
});
afterAll(() => rm(folder, { recursive: true }));

const count = 2000;

describe("2,000 spoiled inputs for each reader", () => {
  it.each(readers.map(({ name }) => name))(
    "%s",
    async (name) => {
      const { findings, read, refused } = await runFuzz(name, { count, seed: 20_240, folder });
      expect(findings).toEqual([]);
      // Spoiling that never or always does harm would test nothing.
      expect(read).toBeGreaterThan(count / 50);
      const refusals = Object.values(refused).reduce((sum, n) => sum + n, 0);
      expect(refusals).toBeGreaterThan(count / 4);
      expect(read + refusals).toBe(count);
    },
    300_000,
  );
});

describe("a finding", () => {
  const crashing = { name: "crashing", codes: [], spoil: () => new Map(), read: () => null };
  const add = (read: (typeof crashing)["read"] | (() => unknown)) =>
    readers.push({ ...crashing, read });
  const findings = async () => {
    const report = await runFuzz("crashing", { count: 1, seed: 1, folder });
    readers.pop();
    return report.findings.map(({ what }) => what);
  };

  it("is an error that is none of Bridle's", async () => {
    add(() => JSON.parse("{"));
    expect(await findings()).toEqual([expect.stringMatching(/SyntaxError/)]);
  });

  it("is memory for what is only claimed", async () => {
    const held: Uint8Array[] = [];
    add(() => held.push(new Uint8Array(2 ** 27)));
    expect(await findings()).toEqual([expect.stringMatching(/took 134\d+ bytes/)]);
    expect(held).toHaveLength(1);
  });
});

describe("spoiling", () => {
  it("depends on seed and number alone, so that an input can be made again", () => {
    const bytes = (index: number) => spoiledFiles("pickle", 7, index).get("data.pkl");
    expect(bytes(3)).toEqual(bytes(3));
    expect(bytes(3)).not.toEqual(bytes(4));
  });

  it("leaves what it is given as it was", () => {
    let state = 1;
    const draw = createDraw(() => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0));
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
    const json = { a: [1, 2, { b: "c" }], d: 4 };
    const before = [Uint8Array.from(bytes), structuredClone(json)];
    for (let i = 0; i < 200; i++) {
      mutateBytes(bytes, draw);
      mutateJsonText(json, draw);
    }
    expect([bytes, json]).toEqual(before);
  });
});
