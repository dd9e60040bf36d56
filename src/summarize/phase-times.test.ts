// A document's phases out of its parts': what it waits for between them is waiting too.
import { expect, it } from "vitest";
import { addPart, noPhases, timesOf } from "./phase-times.js";

const part = (queueMs: number) => ({
  ...{ queueMs, encodeMs: 10, decodeMs: 20, steps: 4, stepDocuments: 6 },
});

it("waits before the first part and between parts add up with reading and writing to the whole", () => {
  const phases = [part(5), part(7), part(9)].reduce(addPart, undefined as never);
  // It came 12 ms before its first turn, of which the model's own line took 5.
  const workMs = 3 * 30 + 7 + 9;
  expect(timesOf({ workMs, phases }, 12 + workMs)).toEqual({
    ...{ queue: 12 + 7 + 9, encode: 30, decode: 60, generate: 106, total: 118 },
  });
  expect(phases).toMatchObject({ steps: 12, stepDocuments: 18 });
});

it("what never had its turn has only waited", () => {
  expect(timesOf({ workMs: 0, phases: noPhases }, 40)).toEqual({
    ...{ queue: 40, encode: 0, decode: 0, generate: 0, total: 40 },
  });
});
