// Runs as tests record them.
import type { MetricPoint, RunIdentity } from "../../src/ports/event-sink.js";

export function madeRun(id: string, more: Partial<RunIdentity> = {}): RunIdentity {
  return {
    id,
    experiment: "default",
    name: `run of ${id}`,
    startedAt: 1_000_000,
    source: "train",
    host: "here",
    pid: process.pid,
    output: `/out/${id}`,
    configSha256: "c".repeat(64),
    commit: "",
    parent: "",
    ...more,
  };
}

export function point(key: string, step: number, value: number, at = 1_000_000): MetricPoint {
  return { key, step, value, at, epoch: step / 10 };
}
