// Unpacks Zstandard piece by piece, so that no more of it is in memory than one piece unpacks to.
import { Decompress } from "fzstd";

/** The four bytes that a frame begins with. */
const frameMark = [0x28, 0xb5, 0x2f, 0xfd] as const;
/** A block of 4 bytes may unpack to 128 KiB: so many bytes at a time give at most 32 MiB at once. */
const pieceBytes = 1024;

/** Whether bytes begin as a Zstandard file does; one may also begin with a frame that is to be skipped. */
export function isZstd(head: Uint8Array): boolean {
  const skippable = (head[0]! & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d;
  return (skippable && head[3] === 0x18) || frameMark.every((byte, at) => head[at] === byte);
}

/** Unpacked content of any number of frames; throws fzstd's error where the data is damaged or cut. */
export async function* unpackZstd(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let out: Uint8Array[] = [];
  const stream = new Decompress((chunk) => {
    if (chunk.length > 0) out.push(chunk);
  });
  const take = () => {
    const taken = out;
    out = [];
    return taken;
  };
  for await (const chunk of packed) {
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      stream.push(chunk.subarray(at, at + pieceBytes));
      yield* take();
    }
  }
  stream.push(new Uint8Array(0), true);
  yield* take();
}
