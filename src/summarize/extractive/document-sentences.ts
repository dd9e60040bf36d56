// A document read for extraction: its sentences, which of them share a paragraph, and how often which word stands where.
import { tokenize } from "../../text/rouge/tokenize.js";
import { countSentences, type SentenceCounts } from "../../text/sentence-counts.js";
import { splitSentences } from "../../text/sentences.js";
import type { Span } from "../summarizer.js";
import { announces, speaksAsAuthor } from "./cues.js";

export interface DocumentSentences {
  readonly text: string;
  /** Sentences with at least one letter or digit, in order. */
  readonly spans: readonly Span[];
  readonly counts: SentenceCounts;
  /** Number of each sentence's paragraph (or line that stands alone), from 0. */
  readonly paragraphs: Int32Array;
  /** Words of each sentence; a character of a script without spaces counts as part of one. */
  readonly words: Float32Array;
  /** Mean letters a word of each sentence. */
  readonly lettersPerWord: Float32Array;
  /** 1 where the authors speak of themselves. */
  readonly authors: Uint8Array;
  /** 1 where the text at hand is spoken of. */
  readonly announcing: Uint8Array;
  textOf(sentence: number): string;
}

/** Words that agree in so many letters count as one: a stemmer for every language, crude but the same everywhere. */
const stemLength = 7;

/** Tokens of scripts without spaces are single characters, of which words there have some 1.7. */
const wordsPerCharacter = 0.6;

function hasLineBreak(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if ((code >= 0x0a && code <= 0x0d) || code === 0x85 || code === 0x2028 || code === 0x2029) {
      return true;
    }
  }
  return false;
}

/** Cuts words to their stems, in place. Returns how many letters they had. */
function stem(words: string[]): number {
  let letters = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    letters += word.length;
    if (word.length > stemLength) words[i] = word.slice(0, stemLength);
  }
  return letters;
}

/** Splits and counts a document; linear in its length. A text without a letter or digit has no sentences. */
export function readSentences(text: string): DocumentSentences {
  const found = splitSentences(text);
  const paragraphs = new Int32Array(found.length);
  const wordCounts = new Float32Array(found.length);
  const lettersPerWord = new Float32Array(found.length);
  const authors = new Uint8Array(found.length);
  const announcing = new Uint8Array(found.length);

  let kept = 0;
  function* stemmedWords(): Generator<readonly string[]> {
    let paragraph = 0;
    let readTo = 0;
    for (const span of found) {
      const sentence = text.slice(span.start, span.end);
      const words = tokenize(sentence, { mode: "unicode" });
      if (words.length === 0) continue;
      const i = kept++;
      found[i] = span;
      if (i > 0 && hasLineBreak(text, readTo, span.start)) paragraph++;
      readTo = span.end;
      paragraphs[i] = paragraph;
      authors[i] = Number(speaksAsAuthor(sentence, words));
      announcing[i] = Number(announces(sentence, words));
      lettersPerWord[i] = stem(words) / words.length;
      wordCounts[i] = words.length * (lettersPerWord[i]! < 1.5 ? wordsPerCharacter : 1);
      yield words;
    }
  }

  const counts = countSentences(stemmedWords());
  found.length = kept;
  const spans: readonly Span[] = found;
  return {
    text,
    spans,
    counts,
    paragraphs,
    words: wordCounts,
    lettersPerWord,
    authors,
    announcing,
    textOf: (sentence) => text.slice(spans[sentence]!.start, spans[sentence]!.end),
  };
}
