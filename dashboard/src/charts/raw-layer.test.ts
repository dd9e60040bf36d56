// What was smoothed is drawn once, however often smoothing changes, and anew when it looks otherwise.
import type uPlot from "uplot";
import { afterEach, expect, it, vi } from "vitest";
import { createRawLayer } from "./raw-layer.js";

afterEach(() => vi.unstubAllGlobals());

/** A plot of two lines and their smooth ones, whose canvas counts. */
function fakePlot() {
  const points: (readonly [number, number])[] = [];
  const counts = { strokes: 0, pictures: 0 };
  const context = {
    ...{ beginPath() {}, rect() {}, clip() {} },
    lineTo: (x: number, y: number) => points.push([x, y]),
    stroke: () => {
      counts.strokes += 1;
    },
  };
  vi.stubGlobal("devicePixelRatio", 1);
  vi.stubGlobal("document", {
    createElement: () => ({ width: 0, height: 0, getContext: () => context }),
  });
  const plot = {
    ctx: {
      canvas: { width: 300, height: 100 },
      drawImage: () => {
        counts.pictures += 1;
      },
    },
    bbox: { left: 0, top: 0, width: 300, height: 100 },
    scales: { x: { min: 0, max: 3 }, y: { min: 0, max: 9 } },
    data: [
      [0, 1, 2, 3],
      [1, null, 3, 4],
      [0, 0, 0, 0],
      [9, 8, 7, undefined],
      [0, 0, 0, 0],
    ],
    valToPos: (value: number, scale: string) => (scale === "x" ? value * 100 : 100 - value),
  };
  return { plot: plot as unknown as uPlot, points, counts };
}

it("draws its lines once while others change, and lays the picture down each time", () => {
  const { plot, points, counts } = fakePlot();
  const lay = createRawLayer([
    { column: 1, color: "#f00" },
    { column: 3, color: "#0f0" },
  ]);
  lay(plot);
  expect(counts).toEqual({ strokes: 2, pictures: 1 });
  // A gap is gone over.
  expect(points.map((point) => point.join(" "))).toEqual([
    ...["0 99", "200 97", "300 96"],
    ...["0 91", "100 92", "200 93"],
  ]);
  const [xs, first, , second] = plot.data;
  const smoother = [xs, first, [5, 5, 5, 5], second, [6, 6, 6, 6]];
  lay({ ...plot, data: smoother } as unknown as uPlot);
  expect(counts).toEqual({ strokes: 2, pictures: 2 });
});

it.each<[string, (plot: uPlot) => void]>([
  ["a range", ({ scales }) => Object.assign(scales.y ?? {}, { max: 5 })],
  ["a size", ({ ctx }) => Object.assign(ctx.canvas, { width: 200 })],
  ["other values", ({ data }) => Object.assign(data, { 1: [1, 2, 3, 4] })],
])("draws them anew for %s", (_, change) => {
  const { plot, counts } = fakePlot();
  const lay = createRawLayer([{ column: 1, color: "#f00" }]);
  lay(plot);
  change(plot);
  lay(plot);
  expect(counts).toEqual({ strokes: 2, pictures: 2 });
});
