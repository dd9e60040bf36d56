// The weight of each feature in each mode, as scripts/fit-extractive.mjs found them; do not edit by hand.
import type { Weights } from "./ranking.js";

export const weights: Weights = {
  principal: { prose: 1.25, long: 1.61 },
  central: { prose: 0.58, plain: -0.33, long: 2.11, dialogue: 1.13 },
  first: { prose: 2.21, dialogue: -1.51 },
  second: { prose: 1.21 },
  opening: { prose: 2.37 },
  depth: { prose: -2.33 },
  progress: { prose: -2.28 },
  paragraphStart: { prose: 1.46 },
  firstParagraph: { prose: 2.47 },
  paragraphDepth: { prose: -2.43 },
  afterHeading: { prose: 2.21 },
  short: { prose: -1.05 },
  overlong: { prose: -1.06 },
  fragment: { prose: -1.55 },
  digits: { prose: -1.87 },
  authors: { prose: 1.83, plain: 3.37 },
  announces: { prose: 3.2 },
  connected: { long: 2.18 },
  length: { long: -1.15, dialogue: 0.75 },
  words: { dialogue: 0.56 },
  wordLength: { dialogue: 1.73 },
  asker: { dialogue: -2.16 },
};
