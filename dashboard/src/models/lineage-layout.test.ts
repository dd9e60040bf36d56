// Parents stand left of their children, whatever the family looks like.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LineageNode } from "../api/registry.js";
import { layOut } from "./lineage-layout.js";

const node = (name: string, version: number | null = null): LineageNode => ({
  name,
  version,
  model: null,
  digest: null,
  runId: null,
  commit: null,
  aliases: [],
});
const at = (layout: ReturnType<typeof layOut<LineageNode>>, name: string) =>
  layout.placed.find((each) => each.node.name === name);

describe("layOut", () => {
  it("lays a family out from left to right", () => {
    const layout = layOut({
      nodes: [node("news:2", 2), node("base"), node("news:1", 1), node("news:3", 3)],
      edges: [
        { from: "base", to: "news:1" },
        { from: "news:1", to: "news:2" },
        { from: "base", to: "news:3" },
        { from: "news:2", to: "news:3" },
      ],
    });
    expect(at(layout, "base")).toMatchObject({ column: 0, row: 0 });
    expect(at(layout, "news:1")).toMatchObject({ column: 1 });
    expect(at(layout, "news:2")).toMatchObject({ column: 2 });
    expect(at(layout, "news:3")).toMatchObject({ column: 3 });
    expect(layout).toMatchObject({ columns: 4, rows: 1 });
  });

  it("is empty for nothing", () => {
    expect(layOut({ nodes: [], edges: [] })).toMatchObject({ placed: [], columns: 0, rows: 0 });
  });

  it("places every node once, even in a ring, and passes over lines to nobody", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.tuple(fc.nat(13), fc.nat(13)), { maxLength: 30 }),
        (count, pairs) => {
          const nodes = Array.from({ length: count }, (_, n) => node(`n${n}`, n));
          const edges = pairs.map(([from, to]) => ({ from: `n${from}`, to: `n${to}` }));
          const { placed, columns, rows } = layOut({ nodes, edges });
          expect(placed).toHaveLength(count);
          const places = new Set(placed.map(({ column, row }) => `${column} ${row}`));
          expect(places.size).toBe(count);
          for (const { column, row } of placed) {
            expect(column).toBeLessThan(columns);
            expect(row).toBeLessThan(rows);
          }
        },
      ),
    );
  });

  it("puts each child right of its parents where there is no ring", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 30 }), (pairs) => {
        const nodes = Array.from({ length: 12 }, (_, n) => node(`n${n}`, n));
        const edges = pairs
          .filter(([a, b]) => a !== b)
          .map(([a, b]) => ({ from: `n${Math.min(a, b)}`, to: `n${Math.max(a, b)}` }));
        for (const { from, to } of layOut({ nodes, edges }).edges) {
          expect(from.column).toBeLessThan(to.column);
        }
      }),
    );
  });
});
