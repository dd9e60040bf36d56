// Longest common subsequences of two token lists, 32 table cells at a time, in memory far below the table's size.

/** Where one token stands in the columns: words of 32 columns, and the bits set in each. */
interface Places {
  readonly words: number[];
  readonly masks: number[];
}

/** A token list made ready to be the columns of a table. */
export interface Columns {
  readonly tokens: readonly string[];
  readonly places: ReadonlyMap<string, Places>;
}

export function columnsOf(tokens: readonly string[]): Columns {
  const places = new Map<string, Places>();
  for (const [column, token] of tokens.entries()) {
    let at = places.get(token);
    if (at === undefined) {
      at = { words: [], masks: [] };
      places.set(token, at);
    }
    const word = column >>> 5;
    const last = at.words.length - 1;
    if (at.words[last] === word) at.masks[last]! |= 1 << (column & 31);
    else {
      at.words.push(word);
      at.masks.push(1 << (column & 31));
    }
  }
  return { tokens, places };
}

/**
 * Turns one row of the table, in place, into the next one. Bit j of a row is 0 where the common length
 * grows from column j-1 to column j, else 1. Only words that hold a match or take a carry are touched.
 * Source: Hyyrö 2004, "Bit-parallel LCS-length computation revisited".
 */
function advance(row: Int32Array, places: Places | undefined): void {
  if (places === undefined) return;
  const { words, masks } = places;
  let carry = 0;
  for (let k = 0; k < words.length; k++) {
    let word = words[k]!;
    const next = words[k + 1] ?? row.length;
    let bits = row[word]!;
    const match = bits & masks[k]!;
    let sum = (bits + match + carry) | 0;
    carry = ((bits & match) | ((bits | match) & ~sum)) >>> 31;
    row[word] = sum | (bits & ~masks[k]!);
    for (word++; carry === 1 && word < next; word++) {
      bits = row[word]!;
      sum = (bits + 1) | 0;
      carry = bits === -1 ? 1 : 0;
      row[word] = sum | bits;
    }
  }
}

function firstRow(columns: Columns): Int32Array {
  return new Int32Array((columns.tokens.length + 31) >>> 5).fill(-1);
}

/** Length of the longest common subsequence. Time is about rows × columns / 32 at worst, memory columns / 8 bytes. */
export function lcsLength(rows: readonly string[], columns: Columns): number {
  const row = firstRow(columns);
  for (const token of rows) advance(row, columns.places.get(token));
  let length = 0;
  for (let column = 0; column < columns.tokens.length; column++) {
    if (((row[column >>> 5]! >>> (column & 31)) & 1) === 0) length++;
  }
  return length;
}

/** Below this many words (4 MB) all rows are kept at once; above, a square root of them. */
const wholeTableWords = 1 << 20;

/** Rows `from`..`to` of the table, each `width` words, one after the other. */
function tableBlock(
  start: Int32Array,
  tokens: readonly string[],
  columns: Columns,
  from: number,
  to: number,
): Int32Array {
  const width = start.length;
  const block = new Int32Array((to - from + 1) * width);
  block.set(start);
  for (let i = from + 1; i <= to; i++) {
    const at = (i - from) * width;
    block.copyWithin(at, at - width, at);
    advance(block.subarray(at, at + width), columns.places.get(tokens[i - 1]!));
  }
  return block;
}

/**
 * Whether the common length at column `j` (1-based) is larger in the row at `below` than in the row above it.
 * The highest bit up to j in which the rows differ tells: a step that moved left past j, or one that stayed within.
 */
function rises(block: Int32Array, above: number, below: number, j: number): boolean {
  let word = (j - 1) >>> 5;
  let changed = (block[above + word]! ^ block[below + word]!) & (-1 >>> (31 - ((j - 1) & 31)));
  while (changed === 0) {
    if (--word < 0) return false;
    changed = block[above + word]! ^ block[below + word]!;
  }
  return ((block[below + word]! >>> (31 - Math.clz32(changed))) & 1) === 0;
}

/**
 * Indices into `reference`, ascending, of one longest common subsequence: of several the one that rouge_score's
 * backtracking finds (from the end: match, else left if that is strictly longer than up, else up).
 * Beyond 4 MB of bits, memory is about √rows × columns / 4 bytes.
 */
export function lcsIndices(reference: readonly string[], columns: Columns): number[] {
  // A token that no column has leaves its row as the one above, and the backtracking just passes it.
  const kept = [...reference.keys()].filter((i) => columns.places.has(reference[i]!));
  const rows = kept.map((i) => reference[i]!);
  const first = firstRow(columns);
  const width = first.length;
  const blockRows =
    rows.length * width <= wholeTableWords ? rows.length : Math.ceil(Math.sqrt(rows.length));
  if (blockRows === 0) return [];

  const starts = [first];
  for (let from = 0; from + blockRows < rows.length; from += blockRows) {
    const row = starts.at(-1)!.slice();
    for (let i = from; i < from + blockRows; i++) advance(row, columns.places.get(rows[i]!));
    starts.push(row);
  }

  const indices: number[] = [];
  const { tokens } = columns;
  let i = rows.length;
  let j = tokens.length;
  for (let block = starts.length - 1; block >= 0 && j > 0; block--) {
    const from = block * blockRows;
    const table = tableBlock(starts[block]!, rows, columns, from, i);
    while (i > from && j > 0) {
      const token = rows[i - 1]!;
      if (tokens[j - 1] === token) {
        indices.push(kept[i - 1]!);
        j--;
        i--;
      } else if (rises(table, (i - 1 - from) * width, (i - from) * width, j)) {
        // The rise stays until a match brings it about, so going left ends at one.
        do j--;
        while (j > 0 && tokens[j - 1] !== token);
      } else i--;
    }
  }
  return indices.reverse();
}
