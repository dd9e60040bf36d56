// Summarizes a text by its principal sentences: one pure function from text and length to a summary and its sources.
import { BridleError } from "../../errors/error.js";
import { countWords, wordSpans } from "../../text/words.js";
import type { Span, SummaryParameters, SummaryResult } from "../summarizer.js";
import { type DocumentSentences, readSentences } from "./document-sentences.js";
import { type SentenceFeatures, sentenceFeatures } from "./features.js";
import { checkSummaryParameters, extractiveModel, summaryLength } from "./parameters.js";
import { cohesionOf, modeShares, scoreSentences } from "./ranking.js";
import { type Selection, selectSentences } from "./selection.js";
import { type ChosenSentence, cutAfterWords, joinSentences } from "./sentence-joining.js";
import { extractiveVersion } from "./version.js";
import { weights } from "./weights.js";

/** Words of each sentence, counted once. */
function createWordCount(document: DocumentSentences): (sentence: number) => number {
  const counted = new Map<number, number>();
  return (sentence) => {
    let words = counted.get(sentence);
    if (words === undefined) {
      words = countWords(document.textOf(sentence));
      counted.set(sentence, words);
    }
    return words;
  };
}

/** Chooses `parameters`' worth of sentences, best first into the words that are left. */
function choose(
  document: DocumentSentences,
  features: SentenceFeatures,
  parameters: SummaryParameters,
  words: number,
): Selection & { best: number } {
  const sentences = document.counts.sentences;
  const length = summaryLength(parameters, sentences, words);
  const shares = modeShares(document, features, length.about);
  const scores = scoreSentences(features, sentences, shares, weights);
  const selection = selectSentences(document, scores, {
    count: Math.min(sentences, length.atMost),
    maxWords: length.maxWords,
    wordsOf: createWordCount(document),
    cohesion: cohesionOf(shares, length.about),
  });
  let best = 0;
  for (let i = 1; i < sentences; i++) if (scores[i]! > scores[best]!) best = i;
  return { ...selection, best };
}

/** The beginning of a sentence, of `maxWords` words: what is left to give where no whole sentence is short enough. */
function beginningOf(document: DocumentSentences, sentence: number, maxWords: number): Span {
  const { start } = document.spans[sentence]!;
  const text = document.textOf(sentence);
  return { start, end: start + cutAfterWords(text, wordSpans(text), maxWords) };
}

/**
 * Summarizes a text by its principal sentences, in document order. The same text and parameters give the same
 * summary everywhere; time and memory grow linearly with the text.
 *
 * Where `maxWords` is below every sentence, the summary is the beginning of the best one, with an ellipsis.
 * @throws EMPTY_TEXT, INVALID_PARAMETER, PARAMETER_NOT_SUPPORTED
 * Source of the principal score: Zhang et al. 2020 (PEGASUS), section 3.1; of cue, title and location: Edmundson 1969.
 */
export function extractSummary(text: string, parameters: SummaryParameters = {}): SummaryResult {
  checkSummaryParameters(parameters);
  const start = performance.now();
  const document = readSentences(text);
  if (document.spans.length === 0) throw new BridleError("EMPTY_TEXT", { where: "the document" });
  const words = countWords(text);
  const read = performance.now();
  const features = sentenceFeatures(document);
  const described = performance.now();
  const { chosen, cut, best } = choose(document, features, parameters, words);

  let summary: string;
  let sources: Span[];
  if (chosen.length === 0) {
    const span = beginningOf(document, best, parameters.maxWords!);
    sources = [span];
    summary = `${joinSentences([chosenSentence(document, features, best, span)])}…`;
  } else {
    sources = chosen.map((sentence) => document.spans[sentence]!);
    summary = joinSentences(
      chosen.map((sentence, i) => chosenSentence(document, features, sentence, sources[i]!)),
    );
  }
  const end = performance.now();
  return {
    summary,
    model: extractiveModel,
    version: extractiveVersion,
    finishReason: cut ? "length" : "stop",
    truncated: false,
    usage: {
      inputTokens: words,
      usedTokens: words,
      outputTokens: countWords(summary),
      chunks: 1,
    },
    sources,
    timingsMs: {
      read: read - start,
      describe: described - read,
      choose: end - described,
      total: end - start,
    },
  };
}

function chosenSentence(
  document: DocumentSentences,
  features: SentenceFeatures,
  sentence: number,
  span: Span,
): ChosenSentence {
  return {
    text: document.text.slice(span.start, span.end),
    paragraph: document.paragraphs[sentence]!,
    isTurn: features.isDialogue,
  };
}
