// Texts in columns that hold neither NUL nor half of a surrogate pair: those that have some are kept as JSON, which writes them as escapes.

/** Begins what is kept as JSON; a text that begins so by itself is kept as JSON, too. */
const mark = "\u0001json:";
const unstorable = /\p{Surrogate}|\0/u;

/** A text as a column can hold it. */
export function toColumn(text: string): string {
  const fits = !unstorable.test(text) && !text.startsWith(mark);
  return fits ? text : mark + JSON.stringify(text);
}

/** The text that a column holds. */
export function fromColumn(stored: string): string {
  return stored.startsWith(mark) ? (JSON.parse(stored.slice(mark.length)) as string) : stored;
}
