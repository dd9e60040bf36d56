// Tests what the page tells of routes: which are shown, and that a caller who left is no failure.
import { expect, it } from "vitest";
import { readSamples } from "../api/prometheus.js";
import { routeFigures } from "./route-figures.js";

const samples = readSamples(
  [
    'bridle_http_requests_total{route="/v1/summaries",method="POST",status="200"} 7',
    'bridle_http_requests_total{route="/v1/summaries",method="POST",status="422"} 2',
    'bridle_http_requests_total{route="/v1/summaries",method="POST",status="503"} 1',
    'bridle_http_requests_total{route="/v1/summaries",method="POST",status="499"} 4',
    'bridle_http_requests_total{route="/v1/events",method="GET",status="499"} 3',
    'bridle_http_requests_total{route="/health",method="GET",status="200"} 90',
    'bridle_http_request_seconds_bucket{le="1",route="/v1/summaries"} 50',
    'bridle_http_request_seconds_bucket{le="2",route="/v1/summaries"} 100',
    'bridle_http_request_seconds_bucket{le="+Inf",route="/v1/summaries"} 100',
  ].join("\n"),
);

it("counts answers and failures by route, those whose caller left among no failures", () => {
  expect(routeFigures(samples)).toEqual([
    { route: "/v1/events", answers: 3, failed: 0, halfWithinS: undefined, mostWithinS: undefined },
    { route: "/v1/summaries", answers: 14, failed: 3, halfWithinS: 1, mostWithinS: 1.9 },
  ]);
});

it("tells nothing of a server that was asked for nothing", () => {
  expect(routeFigures(readSamples("bridle_work_active 1"))).toEqual([]);
});
