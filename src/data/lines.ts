// Cuts a stream of bytes into lines without ever holding more than one line of it.

export interface Line {
  /** The line without its line end, or undefined where it is longer than the limit. */
  readonly bytes: Uint8Array | undefined;
  /** Length with the line end, in bytes. */
  readonly sizeBytes: number;
  /** False for a last line that no line end closes. */
  readonly ended: boolean;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Whether a line holds nothing but spaces, or the byte order mark of an empty file; such lines are no rows. */
export function isBlank({ bytes, sizeBytes }: Line): boolean {
  if (bytes === undefined || sizeBytes > 1000) return false;
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const text = marked ? bytes.subarray(3) : bytes;
  return text.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

/**
 * The lines of a stream, in order; `\n` and `\r\n` end a line, and a last line may go without.
 * A line longer than `maxBytes` comes without its bytes, which are dropped as they arrive.
 */
export async function* readLines(
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Line> {
  let parts: Uint8Array[] = [];
  let held = 0;
  let sizeBytes = 0;
  const take = (part: Uint8Array) => {
    sizeBytes += part.length;
    // One more than the limit, for the carriage return of a line that just fits.
    if (sizeBytes > maxBytes + 2) {
      parts = [];
      held = 0;
    } else {
      parts.push(part);
      held += part.length;
    }
  };
  const finish = (ended: boolean): Line => {
    const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts, held);
    let end = whole.length;
    if (ended) end -= 1;
    if (ended && whole[end - 1] === carriageReturn) end -= 1;
    const fits = held === sizeBytes && end <= maxBytes;
    const line = { bytes: fits ? whole.subarray(0, end) : undefined, sizeBytes, ended };
    parts = [];
    held = 0;
    sizeBytes = 0;
    return line;
  };
  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      take(chunk.subarray(start, end + 1));
      yield finish(true);
      start = end + 1;
    }
    if (start < chunk.length) take(chunk.subarray(start));
  }
  if (sizeBytes > 0) yield finish(false);
}
