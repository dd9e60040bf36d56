// The page of figures: how published figures are read, what the bar is, and what the page says of it.
import { describe, expect, it } from "vitest";
import { barOf, readPublished, renderPage } from "../scripts/evaluation-table.mjs";

const text = `# Simple systems

ROUGE-1/2/L F1.

- a.test: n=618 doc=168 (p90 226) sum=19.6 novel-bigrams=64% | scored 618 | lead1 31.3/11.4/24.0; leadK 31.3/11.3/23.9; textrankK 34.9/11.5/25.1; oracle3 47.7/25.6/38.1
- b.test: n=356 doc=1793 (p90 3133) sum=104.5 novel-bigrams=47% | scored 100 | leadK 36.1/10.6/20.4; textrankK 39.5/14.7/19.7; oracle3 53.1/27.8/33.3.
`;
const interval = (mean: number) => ({ fmeasure: { mean, low: mean - 0.01, high: mean + 0.01 } });

function evaluation(rougeL: number, scored: number) {
  const scores = { rouge1: interval(0.4), rouge2: interval(0.2), rougeL: interval(rougeL) };
  return {
    data: "a",
    model: "extractive",
    version: "1",
    rows: { scored, empty: 0, failed: 0 },
    scores,
    statistics: { words: 20 },
    reference: { words: 19 },
    baselines: { leadK: { scores, difference: {} } },
  };
}

describe("evaluation-table", () => {
  const published = readPublished(text);

  it("reads the published figures", () => {
    expect(published.map(({ set, scored }) => [set, scored])).toEqual([
      ["a.test", 618],
      ["b.test", 100],
    ]);
    expect(published[1]?.systems.get("oracle3")).toEqual([53.1, 27.8, 33.3]);
    expect(() => readPublished("- something else")).toThrow("something else");
  });

  it("sets the bar at the better of leadK and textrankK, in ROUGE-L", () => {
    expect(published.map(barOf)).toEqual([25.1, 20.4]);
  });

  it("counts the sets that reach it and names the lowest", () => {
    const page = renderPage([
      { published: published[0]!, evaluation: evaluation(0.2505, 618) },
      { published: published[1]!, evaluation: evaluation(0.19, 100) },
    ]);
    expect(page).toContain("on 1 of 2 sets; lowest on\nb.test, −1.4.");
    expect(page).toContain(
      "| a.test | 618 | 40.0/20.0/25.1 | 25.1 [24.1, 26.1] | 31.3/11.3/23.9 |",
    );
  });
});
