// The last step of every format: newlines, control characters and invisible leftovers, and nothing else.

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours in captured output
const terminalSequence = /\x1b(?:\[[0-?]{0,32}[ -/]{0,8}[@-~]|[()][0-9A-B])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: overstrikes of man pages: N, backspace, N
const overstrike = /[^\n]\x08/g;
const lineBreak = /\r\n?|[\v\f\u0085\u2028]/g;
/** Soft hyphens, byte order marks, non-characters and the controls that are neither tab nor newline. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const invisible = /[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\ufeff\ufffe\uffff]/g;

/**
 * Text with LF newlines and without control characters, soft hyphens and byte order marks.
 * It is not put into Unicode's NFC: the spans a summary rests on point into this text, a user finds them again in
 * the file only if the characters are the file's own, and every tokenizer normalizes for itself.
 * Each pattern looks at a bounded stretch, so that any input takes linear time.
 */
export function cleanText(raw: string): string {
  return raw
    .replace(lineBreak, "\n")
    .replaceAll("\u2029", "\n\n")
    .replace(terminalSequence, "")
    .replace(overstrike, "")
    .replace(invisible, "")
    .replace(/\p{Cs}/gu, "\uFFFD")
    .trim();
}

/** Whether there is anything to read: a letter, digit, sign or symbol in any script. */
export function hasText(text: string): boolean {
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(text);
}
