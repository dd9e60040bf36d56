// Parses JSON of files from outside, after a look at how much of it there is: parsing may take many times its size.

export interface JsonLimits {
  /** Lists and objects within each other. */
  readonly depth: number;
  /** Values and names in all. */
  readonly values: number;
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Index after the quote that ends a string. */
function endOfString(bytes: Uint8Array, begin: number): number {
  for (
    let close = bytes.indexOf(quote, begin);
    close >= 0;
    close = bytes.indexOf(quote, close + 1)
  ) {
    let first = close;
    while (first > begin && bytes[first - 1] === backslash) first -= 1;
    // A quote after an even number of backslashes is no escaped one.
    if ((close - first) % 2 === 0) return close + 1;
  }
  return bytes.length;
}

/** What is too much about a JSON text, or undefined; whether it is JSON at all only parsing tells. */
function excess(bytes: Uint8Array, limits: JsonLimits): string | undefined {
  let [depth, values] = [0, 1];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quote) at = endOfString(bytes, at + 1) - 1;
    else if (byte === openList || byte === openObject) {
      depth += 1;
      values += 1;
      if (depth > limits.depth) return `it is nested deeper than ${limits.depth} levels`;
    } else if (byte === closeList || byte === closeObject) depth -= 1;
    else if (byte === comma || byte === colon) values += 1;
    if (values > limits.values) return `it has more than ${limits.values} values`;
  }
  return undefined;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The value of a JSON text in UTF-8, or what is wrong with it. */
export function parseBoundedJson(
  bytes: Uint8Array,
  limits: JsonLimits,
): { readonly value: unknown } | { readonly problem: string } {
  const problem = excess(bytes, limits);
  if (problem !== undefined) return { problem };
  try {
    return { value: JSON.parse(utf8.decode(bytes)) };
  } catch (thrown) {
    return { problem: `it is no JSON (${(thrown as Error).message})` };
  }
}
