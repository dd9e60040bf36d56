// Describes each sentence of a document by a few numbers: how much of the rest it holds, where it stands, how it is written.
import { principalScores } from "../../text/gap-sentence-scores.js";
import type { SentenceCounts } from "../../text/sentence-counts.js";
import { asks, endingOf, speakerOf } from "./cues.js";
import type { DocumentSentences } from "./document-sentences.js";

/** What is known of a sentence. */
export const featureDescriptions = {
  principal: "gap-sentence score, a word: share of its words that the rest of the document holds",
  central: "cosine with the whole document, words weighted by how few sentences hold them",
  connected: "words shared with other sentences, for its length: TextRank's links, summed",
  length: "number of words, against the document's other sentences",
  first: "is the first sentence",
  second: "is the second sentence",
  opening: "1 / place in the document",
  depth: "logarithm of its place, capped",
  progress: "place as a share of the document, 0..1",
  paragraphStart: "opens a paragraph of a document that has several",
  firstParagraph: "stands in the first paragraph of several",
  paragraphDepth: "logarithm of its paragraph's place, capped",
  afterHeading: "follows a line that is no whole sentence",
  short: "how far below 12 words, 0..1",
  overlong: "how far beyond 40 words, in steps of 20, with the square of those beyond 60",
  fragment: "does not end as a sentence does",
  digits: "share of digits, in tenths",
  authors: "its authors speak of themselves",
  announces: "says what the text at hand is about",
  wordLength: "mean length of its words",
  words: "logarithm of its number of words",
  asker: "how often its speaker asks, 0..1",
} as const;

export type FeatureName = keyof typeof featureDescriptions;

export const featureNames = Object.keys(featureDescriptions) as readonly FeatureName[];

/** A feature of the sentence at an index, on a scale of about -3..3. */
export type Feature = (sentence: number) => number;

export interface SentenceFeatures {
  /** Computed when asked for, so that a document of a million lines costs no million-line table a feature. */
  readonly of: Readonly<Record<FeatureName, Feature>>;
  /** Whether most lines are turns of speakers, from the first on. */
  readonly isDialogue: boolean;
}

/** Standard scores reach no further, so that one odd sentence does not stand for all. */
const farthest = 3;
/** A place counts as no deeper than about the 150th: no document that the weights were fitted on goes on much longer. */
const deepest = 1.25;

/** The numbers on the scale of standard deviations from their mean. */
function standardScores(values: Float64Array | Float32Array | Int32Array): Feature {
  const count = values.length;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[i]!;
  const mean = sum / count;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += (values[i]! - mean) ** 2;
  const deviation = Math.sqrt(squares / count);
  if (deviation < 1e-9) return () => 0;
  return (i) => Math.max(-farthest, Math.min(farthest, (values[i]! - mean) / deviation));
}

/** Rarity of each token within the document: log((sentences + 1) / sentences that hold it). */
export function rarities(counts: SentenceCounts): Float64Array {
  return Float64Array.from(counts.inSentences, (held) => Math.log((counts.sentences + 1) / held));
}

/** The features that come from which words stand where. */
function contentFeatures(counts: SentenceCounts) {
  const { sentences: n, lengths, offsets, tokens, counts: times, inDocument, inSentences } = counts;
  const rarity = rarities(counts);
  const gapScores = principalScores(counts);
  const principal = new Float32Array(n);
  const central = new Float32Array(n);
  const connected = new Float32Array(n);
  const meanLength = counts.totalTokens / n;
  for (let i = 0; i < n; i++) {
    let dot = 0;
    let square = 0;
    let links = 0;
    for (let entry = offsets[i]!; entry < offsets[i + 1]!; entry++) {
      const token = tokens[entry]!;
      const weight = times[entry]! * rarity[token]!;
      dot += weight * inDocument[token]! * rarity[token]!;
      square += weight * weight;
      links += inSentences[token]! - 1;
    }
    const length = lengths[i]!;
    // The gap-sentence score is 2 × shared words / words of the document: against a long rest it grows with the
    // sentence. Taken a word it says how principal the words are; length has a weight of its own. Few words, little proof.
    principal[i] = (gapScores[i]! * counts.totalTokens) / 2 / (length + 3);
    central[i] = square > 0 ? dot / Math.sqrt(square) : 0;
    connected[i] = links / (Math.log(1 + length) + Math.log(1 + meanLength));
  }
  return {
    principal: standardScores(principal),
    central: standardScores(central),
    connected: standardScores(connected),
    length: standardScores(lengths),
  };
}

/** Lines that begin with a speaker's name, and who speaks where. */
function readTurns(document: DocumentSentences, opensParagraph: (i: number) => boolean) {
  const n = document.counts.sentences;
  const numbers = new Map<string, number>();
  /** Number of each sentence's speaker, -1 for nobody. */
  const speakers = new Int32Array(n).fill(-1);
  const sentences: number[] = [];
  const questions: number[] = [];
  let lines = 0;
  let turns = 0;
  for (let i = 0; i < n; i++) {
    const text = document.textOf(i);
    const name = speakerOf(text);
    if (opensParagraph(i)) {
      lines++;
      if (name !== undefined) turns++;
    } else if (name === undefined) speakers[i] = speakers[i - 1]!;
    if (name !== undefined) {
      const number = numbers.get(name) ?? numbers.size;
      numbers.set(name, number);
      speakers[i] = number;
    }
    const speaker = speakers[i]!;
    if (speaker < 0) continue;
    sentences[speaker] = (sentences[speaker] ?? 0) + 1;
    if (asks(text)) questions[speaker] = (questions[speaker] ?? 0) + 1;
  }
  return {
    isDialogue: lines > 1 && speakers[0]! >= 0 && 2 * turns > lines,
    asker: (i: number) => {
      const speaker = speakers[i]!;
      return speaker < 0 ? 0 : (questions[speaker] ?? 0) / sentences[speaker]!;
    },
  };
}

function shareOfDigits(sentence: string): number {
  let digits = 0;
  for (let at = 0; at < sentence.length; at++) {
    const code = sentence.charCodeAt(at);
    if (code >= 48 && code <= 57) digits++;
  }
  return digits / sentence.length;
}

/** Describes every sentence; linear in the document's length. */
export function sentenceFeatures(document: DocumentSentences): SentenceFeatures {
  const { counts, paragraphs, words, lettersPerWord, authors, announcing, textOf } = document;
  const last = counts.sentences - 1;
  const several = paragraphs[last]! > 0;
  const opensParagraph = (i: number) => i === 0 || paragraphs[i] !== paragraphs[i - 1];
  const isWhole = (i: number) => endingOf(textOf(i)) === "whole";
  const { isDialogue, asker } = readTurns(document, opensParagraph);
  const of = {
    ...contentFeatures(counts),
    first: (i) => Number(i === 0),
    second: (i) => Number(i === 1),
    opening: (i) => 1 / (i + 1),
    depth: (i) => Math.min(deepest, Math.log(i + 1) / 4),
    progress: (i) => i / Math.max(1, last),
    paragraphStart: (i) => Number(several && opensParagraph(i)),
    firstParagraph: (i) => Number(several && paragraphs[i] === 0),
    paragraphDepth: (i) => Math.min(deepest, Math.log(1 + paragraphs[i]!) / 4),
    afterHeading: (i) =>
      Number(i > 0 && opensParagraph(i) && endingOf(textOf(i - 1)) === "fragment"),
    short: (i) => Math.max(0, 12 - words[i]!) / 12,
    overlong: (i) => Math.max(0, words[i]! - 40) / 20 + (Math.max(0, words[i]! - 60) / 20) ** 2,
    fragment: (i) => Number(!isWhole(i)),
    digits: (i) => shareOfDigits(textOf(i)) * 10,
    authors: (i) => authors[i]!,
    announces: (i) => announcing[i]!,
    wordLength: (i) => Math.min(20, lettersPerWord[i]!) / 2 - 2.5,
    words: (i) => Math.log(1 + words[i]!) - 3,
    asker,
  } satisfies Record<FeatureName, Feature>;
  return { of, isDialogue };
}
