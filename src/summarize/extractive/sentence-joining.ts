// Puts chosen sentences together into a text that reads as one, in any script.
import { isEastAsian, isSpaceCode } from "../../text/characters.js";
import { endingOf } from "./cues.js";

/** One space for every run of white space; none where a line was wrapped inside a script without spaces. */
export function normalizeSpace(sentence: string): string {
  return sentence.replaceAll(/[\s\u0085]+/g, (space, at: number) => {
    const wrapped = space !== " " && space !== "\u3000";
    const before = sentence.charAt(at - 1);
    const after = sentence.charAt(at + space.length);
    if (space === "\u3000") return space;
    return wrapped && isEastAsian(before) && isEastAsian(after) ? "" : " ";
  });
}

export interface ChosenSentence {
  /** As it stands in the document. */
  readonly text: string;
  /** Number of the paragraph it stands in. */
  readonly paragraph: number;
  /** Whether it is a turn of a dialogue. */
  readonly isTurn: boolean;
}

/**
 * Joins sentences by one space; by nothing between those of a script without spaces; by a line break between
 * paragraphs where one of the two is a heading, a list item or a turn of a dialogue, which no space would hold apart.
 */
export function joinSentences(sentences: readonly ChosenSentence[]): string {
  let summary = "";
  for (const [i, sentence] of sentences.entries()) {
    const text = normalizeSpace(sentence.text);
    const previous = sentences[i - 1];
    if (previous) summary += separator(previous, sentence);
    summary += text;
  }
  return summary;
}

function separator(previous: ChosenSentence, next: ChosenSentence): string {
  const apart = previous.paragraph !== next.paragraph;
  const standsAlone = (sentence: ChosenSentence) =>
    sentence.isTurn || endingOf(sentence.text) === "fragment";
  if (apart && (standsAlone(previous) || standsAlone(next))) return "\n";
  const ends = previous.text.charAt(previous.text.length - 1);
  return isEastAsian(ends) && isEastAsian(next.text.charAt(0)) ? "" : " ";
}

/** Where the first `words` words of a sentence end, given the spans of its words; its own end where it has no more. */
export function cutAfterWords(
  sentence: string,
  spans: Iterable<{ readonly end: number }>,
  words: number,
): number {
  let count = 0;
  let end = 0;
  for (const span of spans) {
    if (count === words) return end;
    count++;
    end = span.end;
  }
  let last = sentence.length;
  while (last > 0 && isSpaceCode(sentence.charCodeAt(last - 1))) last--;
  return last;
}
