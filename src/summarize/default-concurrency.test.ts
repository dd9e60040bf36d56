// How many documents are in work where nobody says: by the beams of a neural model, by the processors elsewhere.
import { expect, it } from "vitest";
import { thisMachine } from "../config/machine.js";
import { defaultConcurrency, pileWidth, serverConcurrency } from "./default-concurrency.js";
import { extractiveTraits } from "./extractive/parameters.js";

const neural = { traits: { ...extractiveTraits, kind: "neural" } as const, defaults: {} };

it.each([
  ["greedy search", {}, {}, 64],
  ["the model's own beams", { numBeams: 8 }, {}, 8],
  ["beams that are asked for", { numBeams: 8 }, { numBeams: 5 }, 12],
  ["one document that is more than a step", {}, { numBeams: 100 }, 1],
  ["beams that the model will refuse", {}, { numBeams: 0 }, 64],
  ["beams that are no number", {}, { numBeams: Number.NaN }, 1],
])("fills a neural model's steps: %s", (_, defaults, parameters, documents) => {
  expect(defaultConcurrency({ ...neural, defaults }, parameters)).toBe(documents);
});

it("is a processor each where sentences are picked, whatever is asked for", () => {
  const extractive = { traits: extractiveTraits, defaults: {} };
  expect(defaultConcurrency(extractive, { numBeams: 2 })).toBe(thisMachine().threads);
});

it.each([
  ["greedy search", {}, undefined, 32],
  ["greedy search in three processes", {}, 3, 96],
  ["eight beams", { numBeams: 8 }, undefined, 4],
  ["more beams than leave others beside it", { numBeams: 64 }, undefined, 4],
])(
  "leaves half of a model's steps to others on a server: %s",
  (_, defaults, engines, documents) => {
    expect(pileWidth({ ...neural, defaults, ...(engines && { engines }) })).toBe(documents);
  },
);

it("works on as many requests on a server as the widest model takes together, or four for each processor", () => {
  const extractive = { traits: extractiveTraits, defaults: {} };
  const least = 4 * thisMachine().threads;
  expect(serverConcurrency([extractive])).toBe(least);
  const slow = { ...neural, defaults: { numBeams: 64 } };
  expect(serverConcurrency([extractive, slow])).toBe(least);
  expect(serverConcurrency([slow, { ...neural, engines: 100 }])).toBe(6400);
});
