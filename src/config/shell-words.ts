// Words as a shell reads them, for commands that are printed to be typed again.

/** A word as POSIX shells take it: as it is where nothing in it means anything to them, in single quotes else. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** What YAML reads as something else than a text. */
const notText = /^(?:true|false|null|yes|no|on|off|y|n|nan|inf|infinity)$/i;

/** `key=value` of the command line, which is read as YAML: JSON, or a plain text where YAML takes it as one. */
export function overrideWord(key: string, value: unknown): string {
  const isPlain =
    typeof value === "string" && /^[A-Za-z][A-Za-z0-9_-]*$/.test(value) && !notText.test(value);
  return shellWord(`${key}=${isPlain ? value : JSON.stringify(value)}`);
}
