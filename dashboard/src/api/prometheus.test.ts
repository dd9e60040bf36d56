// Samples with odd labels, and quantiles as Prometheus has them.
import { describe, expect, it } from "vitest";
import { buckets, quantile, readSamples, total } from "./prometheus.js";

const text = `# HELP bridle_http_requests_total Requests answered, by route, method and status.
# TYPE bridle_http_requests_total counter
bridle_http_requests_total{route="/v1/summaries",method="POST",status="200"} 7
bridle_http_requests_total{route="/bert",method="POST",status="422"} 2
bridle_work_active 1
odd{model="a \\"quoted\\" \\\\ path, {x}"} 1.5e3 1700000000000
nothing NaN
seconds_bucket{le="0.1",route="/a"} 2
seconds_bucket{le="0.5",route="/a"} 6
seconds_bucket{le="+Inf",route="/a"} 8
seconds_bucket{le="0.1",route="/b"} 10
`;

describe("readSamples", () => {
  const samples = readSamples(text);

  it("reads names, labels and values, and passes over the rest", () => {
    expect(samples).toHaveLength(8);
    expect(samples[3]).toEqual({
      name: "odd",
      labels: { model: 'a "quoted" \\ path, {x}' },
      value: 1500,
    });
  });

  it("adds up what fits", () => {
    expect(total(samples, "bridle_http_requests_total")).toBe(9);
    expect(total(samples, "bridle_http_requests_total", ({ status }) => status === "422")).toBe(2);
    expect(total(samples, "absent")).toBeUndefined();
  });

  it("finds quantiles between the edges of buckets", () => {
    const a = buckets(samples, "seconds", ({ route }) => route === "/a");
    expect(a).toEqual([
      [0.1, 2],
      [0.5, 6],
      [Number.POSITIVE_INFINITY, 8],
    ]);
    expect(quantile(a, 0.5)).toBeCloseTo(0.1 + 0.4 * 0.5);
    expect(quantile(a, 0.1)).toBeCloseTo(0.04);
    expect(quantile(a, 0.99)).toBe(0.5);
    expect(quantile([], 0.5)).toBeUndefined();
  });
});
