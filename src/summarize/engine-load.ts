// Loads of several engines as one, and what is left of an engine that is gone, so that totals never shrink.
import type { EngineLoad } from "../generate/scheduler.js";

/** What only grows. */
const totals = [
  "steps",
  "stepRows",
  "tokens",
  "encodeMs",
  "stepMs",
] as const satisfies readonly (keyof EngineLoad)[];

/** Both together; undefined where there is neither. */
export function addLoads(
  one: EngineLoad | undefined,
  other: EngineLoad | undefined,
): EngineLoad | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const sum = { ...one } as Record<keyof EngineLoad, number>;
  for (const name of Object.keys(other) as (keyof EngineLoad)[])
    sum[name] = (one[name] ?? 0) + other[name];
  return sum;
}

/** What is left of an engine that is gone: what it has done, and nothing under way. */
export function leftOfLoad(load: EngineLoad | undefined): EngineLoad | undefined {
  if (load === undefined) return undefined;
  const left = Object.fromEntries(Object.keys(load).map((name) => [name, 0]));
  for (const name of totals) left[name] = load[name];
  return left as unknown as EngineLoad;
}
