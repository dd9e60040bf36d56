// Texts that somebody else wrote, as a terminal may show them: control characters could change what it shows.

/** Control characters but line ends become spaces. */
export function plainText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, " ");
}

/** The same in one line. */
export function plainLine(text: string): string {
  return plainText(text).replaceAll("\n", " ");
}
