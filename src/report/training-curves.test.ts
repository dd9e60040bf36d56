// The picture of a run: its curves, their scale and what is left out of them.
import { describe, expect, it } from "vitest";
import type { TrainEvent } from "../train/events.js";
import { drawTrainingCurves } from "./training-curves.js";

const step = (at: number, loss: number): TrainEvent => ({
  ...{ type: "step", step: at, epoch: 0, loss, gradNorm: 1, learningRate: 1 },
  ...{ tokens: 1, tokensPerSecond: 1 },
});
const evaluation = (at: number, loss: number, rougeL?: number): TrainEvent => ({
  type: "evaluation",
  report: {
    ...{ step: at, epoch: 0, loss, isBest: true },
    ...(rougeL !== undefined && { rouge: { rouge1: 0, rouge2: 0, rougeL, rougeLsum: 0 } }),
  },
});
const places = (svg: string, look: string) =>
  [...svg.matchAll(new RegExp(`<path class="${look}" d="(M[^"]*L[^"]*)"`, "g"))].map(([, d]) =>
    d!
      .slice(1)
      .split("L")
      .map((at) => at.split(",").map(Number)),
  );

describe("drawTrainingCurves", () => {
  it("draws both losses on one scale, from the first step to the last", () => {
    const svg = drawTrainingCurves([
      step(1, 9),
      step(50, 5),
      step(100, 1),
      evaluation(50, 5),
      evaluation(100, 3),
    ]);
    const [[learned], [heldOut]] = [places(svg, "learned"), places(svg, "held-out")];
    expect(learned).toHaveLength(3);
    expect(learned!.at(-1)![0]).toBe(heldOut!.at(-1)![0]);
    // The same step and loss stand at the same place.
    expect(learned![1]).toEqual(heldOut![0]);
    const [top, , bottom] = learned!.map(([, y]) => y!);
    expect(top).toBeLessThan(bottom!);
    expect(svg).not.toContain("ROUGE");
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("draws ROUGE-L below where there is some, and joins many steps by their means", () => {
    const steps = Array.from({ length: 1000 }, (_, i) => step(i + 1, i % 2 === 0 ? 2 : 4));
    const svg = drawTrainingCurves([...steps, evaluation(500, 3, 0.1), evaluation(1000, 3, 0.2)]);
    const [learned] = places(svg, "learned");
    expect(learned!.length).toBe(200);
    expect(svg).toContain("ROUGE-L of the summaries written");
    expect(svg).toMatch(/height="520"/);
  });

  it("draws a run without an evaluation, and one of a single step", () => {
    expect(drawTrainingCurves([step(1, 3)])).not.toMatch(/NaN|undefined|Infinity/);
  });
});
