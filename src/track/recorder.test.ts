// The recorder: nothing is told of a run that has not begun, and its end comes last.
import { expect, it } from "vitest";
import { madeRun } from "../../test/support/tracked-runs.js";
import type { RunEvent } from "../ports/event-sink.js";
import { createRecorder, createRunId, flattenParams } from "./recorder.js";

const tick = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it("reads the machine from its start to its end, and not before or after", async () => {
  const got: RunEvent[] = [];
  const outbox = {
    push: (event: RunEvent) => got.push(event),
    keep: async () => {},
    flush: async () => {},
    close: async () => true,
  };
  let readings = 0;
  const recorder = createRecorder({
    run: madeRun("aaaa2222"),
    outboxes: [outbox],
    nextLine: 7,
    systemEveryMs: 1,
    readSystem: async () => ({ "system/reading": ++readings }),
  });
  await tick(20);
  expect([got, readings]).toEqual([[], 0]);
  recorder.start(0);
  while (readings < 3) await tick(1);
  recorder.line("two\nlines\n");
  expect(await recorder.end("finished")).toBe(true);
  const told = got.length;
  await tick(20);
  // A reading that was under way is no longer told.
  expect(got.length).toBe(told);
  expect(got.map(({ type }) => type)).toEqual(
    expect.arrayContaining(["start", "points", "lines", "end"]),
  );
  const lines = got.flatMap((event) => (event.type === "lines" ? event.lines : []));
  expect(lines.map(({ number, text }) => [number, text])).toEqual([
    [7, "two"],
    [8, "lines"],
  ]);
});

it("makes ids that differ, and parameters of any depth", () => {
  const ids = new Set(Array.from({ length: 1000 }, createRunId));
  expect(ids.size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[a-km-np-z2-9]{8}$/);
  expect(flattenParams({ a: { b: 1, c: null, d: ["x"] }, e: "text", f: undefined })).toEqual({
    "a.b": "1",
    "a.c": "null",
    "a.d": '["x"]',
    e: "text",
  });
});
