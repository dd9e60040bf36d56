// Sorts suffixes of a text by their first bytes: a three-way radix quicksort over places in one flat array.
// Source: Bentley, Sedgewick 1997, "Fast algorithms for sorting and searching strings".

/** Closes every string of the text; UTF-8 never holds it. Suffixes are compared up to it. */
export const stringEnd = 0xff;

const smallRange = 12;

/** Orders two suffixes from `depth` on; negative, 0 or positive. */
function compareFrom(text: Uint8Array, a: number, b: number, depth: number, most: number): number {
  for (let i = depth; i < most; i++) {
    const byte = text[a + i] as number;
    const difference = byte - (text[b + i] as number);
    if (difference !== 0 || byte === stringEnd) return difference;
  }
  return 0;
}

/**
 * Sorts `places` in place.
 * @param text strings, each closed by `stringEnd`
 * @param mostBytes suffixes with as many bytes in common count as equal; their order is then left open
 */
export function sortSuffixes(text: Uint8Array, places: Uint32Array, mostBytes: number): void {
  // Ranges still to be sorted: first, last, and how many bytes all in it have in common.
  const waiting: number[] = [0, places.length - 1, 0];
  while (waiting.length > 0) {
    const depth = waiting.pop() as number;
    const last = waiting.pop() as number;
    const first = waiting.pop() as number;
    if (last <= first || depth >= mostBytes) continue;
    if (last - first < smallRange) {
      for (let i = first + 1; i <= last; i++) {
        const place = places[i] as number;
        let j = i - 1;
        for (; j >= first; j--) {
          if (compareFrom(text, places[j] as number, place, depth, mostBytes) <= 0) break;
          places[j + 1] = places[j] as number;
        }
        places[j + 1] = place;
      }
      continue;
    }
    const byteAt = (i: number) => text[(places[i] as number) + depth] as number;
    const low = byteAt(first);
    const middle = byteAt((first + last) >> 1);
    const high = byteAt(last);
    const pivot = Math.max(Math.min(low, middle), Math.min(Math.max(low, middle), high));
    let below = first;
    let above = last;
    for (let i = first; i <= above; ) {
      const byte = byteAt(i);
      if (byte === pivot) {
        i++;
        continue;
      }
      const to = byte < pivot ? below++ : above--;
      const place = places[i] as number;
      places[i] = places[to] as number;
      places[to] = place;
      if (byte < pivot) i++;
    }
    waiting.push(first, below - 1, depth, above + 1, last, depth);
    if (pivot !== stringEnd) waiting.push(below, above, depth + 1);
  }
}

/** How many bytes two suffixes have in common, up to their strings' ends and at most `mostBytes`. */
export function commonBytes(text: Uint8Array, a: number, b: number, mostBytes: number): number {
  let length = 0;
  while (length < mostBytes) {
    const byte = text[a + length] as number;
    if (byte === stringEnd || byte !== text[b + length]) break;
    length++;
  }
  return length;
}
