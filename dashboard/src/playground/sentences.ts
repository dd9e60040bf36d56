// Which part of a summary comes from which part of the document.
import type { Span } from "../api/types.js";

/**
 * Splits a summary that was put together from the document's own sentences back into them: one string per source,
 * in order. Undefined where the summary is not just its sources (a neural model wrote it), so no part has one origin.
 * Runs of white space count as equal, because a sentence may be broken over lines in the document.
 */
export function splitBySource(
  summary: string,
  document: string,
  sources: readonly Span[],
): readonly string[] | undefined {
  const sentences: string[] = [];
  const whole = collapse(summary);
  let at = 0;
  for (const { start, end } of sources) {
    const sentence = collapse(document.slice(start, end));
    if (sentence === "" || !whole.startsWith(sentence, at)) return undefined;
    sentences.push(sentence);
    at += sentence.length;
    if (whole[at] === " ") at += 1;
  }
  return at === whole.length && sentences.length > 0 ? sentences : undefined;
}

function collapse(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
