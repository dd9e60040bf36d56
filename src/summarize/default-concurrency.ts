// How many documents of a pile are worked on at once where nobody says.
import { generateDefaults } from "../config/generate-options.js";
import { thisMachine } from "../config/machine.js";
import type { Summarizer, SummaryParameters } from "./summarizer.js";

/** Rows that share a step of a neural model, as its scheduler has them unless told otherwise. */
const stepRows = 64;

/**
 * As many as fill a neural model's steps, where each document has a row for every beam; elsewhere as many as there are
 * processors.
 */
export function defaultConcurrency(
  { traits, defaults }: Pick<Summarizer, "traits" | "defaults">,
  parameters: Pick<SummaryParameters, "numBeams"> = {},
): number {
  if (traits.kind === "extractive") return thisMachine().threads;
  const beams = parameters.numBeams ?? defaults.numBeams ?? generateDefaults.numBeams;
  const documents = Math.floor(stepRows / beams);
  // Beams that are no number of beams are for the model to refuse.
  return documents >= 1 ? Math.min(documents, stepRows) : 1;
}

/** As many of a pile that others' documents are worked on beside. */
const leastWidth = 4;

/**
 * Documents of a pile in work at once on a server: half of what its models take together, so that whoever waits for one document finds
 * the other half free.
 */
export function pileWidth(
  summarizer: Pick<Summarizer, "traits" | "defaults" | "engines">,
  parameters?: Pick<SummaryParameters, "numBeams">,
): number {
  const { engines = 1 } = summarizer;
  const half = Math.floor(defaultConcurrency(summarizer, parameters) / 2);
  return engines * Math.max(leastWidth, half);
}

/** Requests for each processor, so that a short document does not wait behind long ones. */
const eachProcessor = 4;

/** Requests that a server works on at once where nobody says: as many as fill the steps of the model that takes most together. */
export function serverConcurrency(
  summarizers: Iterable<Pick<Summarizer, "traits" | "defaults" | "engines">>,
): number {
  const together = [...summarizers].map((each) =>
    each.traits.kind === "extractive" ? 0 : (each.engines ?? 1) * defaultConcurrency(each),
  );
  return Math.max(eachProcessor * thisMachine().threads, ...together);
}
