// Byte-level byte-pair encoding: words become bytes written as letters, and pairs are joined in the order they were learned.
// Source: Sennrich et al. 2016 (BPE); Radford et al. 2019 (GPT-2, bytes and the pattern of words); as tokenizers 0.23 does it.
import TinyQueue from "tinyqueue";
import { BridleError } from "../../errors/error.js";

/** A piece of a text, and the bytes of the text's UTF-8 it stands for. */
export interface BytePiece {
  readonly id: number;
  readonly startByte: number;
  readonly endByte: number;
}

/** `\s` of the reference is Unicode's white space, which JavaScript's is not: it has U+FEFF and lacks U+0085. */
const words =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The letter that stands for each byte: printable ones for themselves, others from U+0100 on. */
const letters: readonly string[] = (() => {
  const own = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(own(byte) ? byte : next++));
})();
const byteOf = new Map(letters.map((letter, byte) => [letter, byte]));

/** Words kept with their pieces; a text has few, but a stream of texts may have any. */
const mostWords = 10_000;
/** A longer word is not worth keeping. */
const longestKept = 64;

/** A word's pieces: the id of each, and where it ends, in bytes from the word's first. */
type WordPieces = readonly { readonly id: number; readonly end: number }[];

export class ByteLevelBpe {
  readonly size: number;
  /** One more than the largest id that text comes to. */
  readonly reach: number;
  private readonly vocabulary: ReadonlyMap<string, number>;
  private readonly pieces: readonly (string | undefined)[];
  /** Rank and outcome of each pair, by {@link pairOf} of its parts' ids. */
  private readonly merges: ReadonlyMap<number, { readonly rank: number; readonly joined: number }>;
  /** The id of each byte's letter; -1 of one that the vocabulary lacks. */
  private readonly byteIds: Int32Array;
  private readonly unknownId: number | undefined;
  private readonly known = new Map<string, WordPieces>();

  /**
   * @param vocabulary ids by piece, pieces written in the letters that stand for bytes
   * @param merges pairs in the order they are joined
   * @param unknown the piece for bytes the vocabulary lacks; without one they are left out, as the reference does
   * @param file named in errors
   * @throws TOKENIZER_INVALID for a pair whose parts or outcome are no pieces
   */
  constructor(
    vocabulary: ReadonlyMap<string, number>,
    merges: readonly (readonly [string, string])[],
    unknown: string | undefined,
    file: string,
  ) {
    this.vocabulary = vocabulary;
    const pieces: string[] = [];
    for (const [piece, id] of vocabulary) pieces[id] = piece;
    this.pieces = pieces;
    this.size = pieces.length;
    this.unknownId = unknown === undefined ? undefined : vocabulary.get(unknown);
    this.byteIds = Int32Array.from(letters, (letter) => vocabulary.get(letter) ?? -1);
    const ranks = new Map<number, { rank: number; joined: number }>();
    for (const [rank, [left, right]] of merges.entries()) {
      const joined = left + right;
      const missing = [left, right, joined].find((piece) => !vocabulary.has(piece));
      if (missing !== undefined) {
        const reason = `its pair ${rank} needs the piece ${JSON.stringify(missing.slice(0, 40))}, which is not in the vocabulary`;
        throw new BridleError("TOKENIZER_INVALID", { file, reason });
      }
      const idOf = (piece: string) => vocabulary.get(piece) as number;
      const pair = this.pairOf(idOf(left), idOf(right));
      // Of a pair that stands there twice the last counts, as in the tokenizers library.
      ranks.set(pair, { rank, joined: idOf(joined) });
    }
    this.merges = ranks;
    const joined = [...ranks.values()].map(({ joined }) => joined);
    this.reach = [...this.byteIds, ...joined, this.unknownId ?? -1].reduce(
      (most, id) => Math.max(most, id + 1),
      0,
    );
  }

  idOf(piece: string): number | undefined {
    return this.vocabulary.get(piece);
  }

  pieceOf(id: number): string | undefined {
    return this.pieces[id];
  }

  encode(text: string): BytePiece[] {
    const found: BytePiece[] = [];
    let start = 0;
    for (const [word] of text.replaceAll(/\p{Surrogate}/gu, "\ufffd").matchAll(words)) {
      let from = start;
      for (const { id, end } of this.encodeWord(word)) {
        found.push({ id, startByte: from, endByte: start + end });
        from = start + end;
      }
      start += Buffer.byteLength(word);
    }
    return found;
  }

  /** The bytes that a piece stands for: of letters that stand for none, such as an added token's, their own. */
  bytesOf(piece: string): Uint8Array {
    const bytes = new Uint8Array(piece.length);
    for (let i = 0; i < piece.length; i++) {
      const byte = byteOf.get(piece[i] as string);
      if (byte === undefined) return Buffer.from(piece);
      bytes[i] = byte;
    }
    return bytes;
  }

  private encodeWord(word: string): WordPieces {
    const before = this.known.get(word);
    if (before !== undefined) return before;
    const pieces = this.join(Buffer.from(word));
    if (word.length <= longestKept) {
      if (this.known.size >= mostWords) this.known.clear();
      this.known.set(word, pieces);
    }
    return pieces;
  }

  private pairOf(left: number, right: number): number {
    return left * this.size + right;
  }

  /** Joins pairs, the first learned first and of equal ones the leftmost, until none is left that was learned. */
  private join(bytes: Uint8Array): WordPieces {
    const { length } = bytes;
    const ids = Int32Array.from(bytes, (byte) => this.byteIds[byte] as number);
    const next = Int32Array.from(ids, (_, i) => i + 1);
    const previous = Int32Array.from(ids, (_, i) => i - 1);
    const mergeAt = (left: number) => {
      const right = next[left] as number;
      if (right >= length || (ids[left] as number) < 0 || (ids[right] as number) < 0)
        return undefined;
      return this.merges.get(this.pairOf(ids[left] as number, ids[right] as number));
    };
    // A rank and a place in one number: the queue of a megabyte without a space holds a million of them.
    const waiting = new TinyQueue<number>([], (a, b) => a - b);
    const consider = (left: number) => {
      const merge = mergeAt(left);
      if (merge !== undefined) waiting.push(merge.rank * length + left);
    };
    for (let i = 0; i < length; i++) consider(i);
    for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
      const left = key % length;
      const merge = mergeAt(left);
      // One of the two may have been joined to another meanwhile.
      if (merge === undefined || merge.rank !== (key - left) / length) continue;
      const right = next[left] as number;
      ids[left] = merge.joined;
      ids[right] = -1;
      const after = next[right] as number;
      next[left] = after;
      if (after < length) previous[after] = left;
      const before = previous[left] as number;
      if (before >= 0) consider(before);
      consider(left);
    }
    const pieces: { id: number; end: number }[] = [];
    for (let at = 0; at < length; at = next[at] as number) {
      const id = (ids[at] as number) < 0 ? this.unknownId : (ids[at] as number);
      if (id !== undefined) pieces.push({ id, end: next[at] as number });
    }
    return pieces;
  }
}
