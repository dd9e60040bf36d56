// How each route has been answering, out of the server's metrics.
import { buckets, quantile, type Sample, total } from "../api/prometheus.js";

export interface RouteFigures {
  readonly route: string;
  readonly answers: number;
  readonly failed: number;
  /** Seconds within which half and 95 % of its requests were answered. */
  readonly halfWithinS: number | undefined;
  readonly mostWithinS: number | undefined;
}

const name = "bridle_http_requests_total";
/** Routes that do something for somebody, rather than probes and the page's own files. */
const asked = /^\/(v1|bert|bert-file|models)\b/;
/** Its caller left before the answer was whole, as every page does that is closed: no failure of the server. */
const callerLeft = 499;

/** Figures of every route that was asked for, by name. */
export function routeFigures(samples: readonly Sample[]): readonly RouteFigures[] {
  const counted = samples.filter((each) => each.name === name);
  const routes = new Set(counted.map(({ labels }) => labels.route ?? ""));
  return [...routes]
    .filter((route) => asked.test(route))
    .sort()
    .map((route) => {
      const mine = (labels: Sample["labels"]) => labels.route === route;
      const times = buckets(samples, "bridle_http_request_seconds", mine);
      return {
        route,
        answers: total(counted, name, mine) ?? 0,
        failed: total(counted, name, (of) => mine(of) && isFailure(Number(of.status))) ?? 0,
        halfWithinS: quantile(times, 0.5),
        mostWithinS: quantile(times, 0.95),
      };
    });
}

function isFailure(status: number): boolean {
  return status >= 400 && status !== callerLeft;
}
