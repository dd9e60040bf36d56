// Gathers inline text into lines and paragraphs as blocks open and close, with white space collapsed and undo.

/** A cell longer than this is a part of the page's layout, not of a table of facts. In UTF-16 units. */
const longestCell = 300;

export class TextLines {
  readonly #parts: string[] = [];
  #length = 0;
  /** Newlines owed before the next text. */
  #breaks = 0;
  #space = false;
  #cellGap = false;
  /** Between a cell's start and its first text blocks break nothing. */
  #cellOpening = false;
  /** Where the current cell's text began; undefined outside a row with text. */
  #cell: { start: number; broken: boolean } | undefined;

  /** Length of what is written, in UTF-16 units: a mark for `slice` and `cutTo`. */
  get length(): number {
    return this.#length;
  }

  add(text: string): void {
    const collapsed = text.replace(/\s+/g, " ");
    const trimmed = collapsed.trim();
    if (collapsed.startsWith(" ")) this.#space = true;
    if (trimmed === "") return;
    if (this.#breaks > 0) {
      if (this.#length > 0) this.#write("\n".repeat(this.#breaks));
      if (this.#cell !== undefined && this.#length > this.#cell.start + this.#breaks) {
        this.#cell.broken = true;
      }
    } else if (this.#cellGap) {
      this.#write(" | ");
    } else if (this.#space && this.#length > 0) {
      this.#write(" ");
    }
    if (this.#cellGap || this.#cell === undefined) {
      this.#cell = { start: this.#length, broken: false };
    }
    this.#breaks = 0;
    this.#cellGap = false;
    this.#cellOpening = false;
    this.#write(trimmed);
    this.#space = collapsed.endsWith(" ");
  }

  /** The same, but newlines in the text count. */
  addPreformatted(text: string): void {
    let start = 0;
    for (;;) {
      const newline = text.indexOf("\n", start);
      this.add(text.slice(start, newline < 0 ? undefined : newline));
      if (newline < 0) return;
      this.breakLine();
      start = newline + 1;
    }
  }

  /** A forced line break; a second one in a row makes a blank line. */
  breakLine(): void {
    this.#owe(Math.min(2, this.#breaks + 1));
  }

  endLine(): void {
    this.#owe(1);
  }

  endParagraph(): void {
    this.#owe(2);
  }

  /** A table row begins or ends: its cells go on a line of their own. */
  breakRow(): void {
    this.#cellGap = false;
    this.#cellOpening = false;
    this.#owe(1);
    this.#cell = undefined;
  }

  /** A table cell begins; blocks right inside it do not break its row. */
  startCell(): void {
    const cell = this.#cell;
    this.#cellOpening = true;
    if (cell === undefined) return;
    if (this.#isFact(cell)) {
      this.#breaks = 0;
      this.#cellGap = true;
    } else {
      this.#breaks = 2;
      this.#cell = undefined;
    }
  }

  /** A table cell ends; the end of a block in it does not break the row. */
  endCell(): void {
    if (this.#cell !== undefined && this.#isFact(this.#cell)) this.#breaks = 0;
  }

  /** A table is over: what follows belongs to none of its cells. */
  endTable(): void {
    this.#cellGap = false;
    this.#cellOpening = false;
    this.#cell = undefined;
    this.#owe(2);
  }

  slice(start: number, end = Number.POSITIVE_INFINITY): string {
    const taken: string[] = [];
    let at = this.#length;
    for (let i = this.#parts.length - 1; i >= 0 && at > start; i--) {
      const part = this.#parts[i]!;
      at -= part.length;
      if (at < end) taken.push(part.slice(Math.max(0, start - at), Math.max(0, end - at)));
    }
    return taken.reverse().join("");
  }

  /** Takes back all that was written since `length` was `mark`; words apart stay apart. */
  cutTo(mark: number): void {
    let broken = false;
    let spaced = this.#space;
    while (this.#length > mark) {
      const part = this.#parts.pop()!;
      this.#length -= part.length;
      broken ||= part.startsWith("\n");
      spaced ||= part === " ";
    }
    this.#space = spaced;
    if (broken) this.#owe(2);
  }

  #isFact(cell: { start: number; broken: boolean }): boolean {
    return !cell.broken && this.#length - cell.start <= longestCell;
  }

  #owe(breaks: number): void {
    this.#space = false;
    if (!this.#cellOpening) this.#breaks = Math.max(this.#breaks, breaks);
  }

  #write(text: string): void {
    this.#parts.push(text);
    this.#length += text.length;
  }
}
