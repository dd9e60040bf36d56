// Counts the words of a corpus, sentence by sentence, as SentencePiece sees them: normalized, cut before each space.
import { BridleError } from "../../../errors/error.js";
import { type Normalizer, spaceSymbol } from "../normalizer.js";
import { ByteKeys, Tallies } from "./byte-keys.js";

/** Stands for a reserved piece in a sentence; no learned piece may hold it. */
export const boundarySymbol = "\u001f";

/** SentencePiece's own mark for a rare character; sentences that hold it are left out. */
export const unknownSymbol = "\u2585";

/** Longest word in bytes; a longer one is counted as several. Probabilities of longer ones would drown in rounding. */
export const longestWordBytes = 65_536;

/** Bytes of different words at most, before a sample must do. */
export const defaultMaxWordBytes = 2 ** 30;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const space = 0x20;
const spaceBytes = Buffer.from(spaceSymbol);
const unknownBytes = Buffer.from(unknownSymbol);
/** What both marks begin with. */
const blockBytes = Buffer.from(unknownBytes.subarray(0, 2));

export interface WordCounterOptions {
  /** Without kept pieces: reserved ones are taken out after normalizing, as the reference's trainer does. */
  readonly normalizer: Normalizer;
  /** Control, unknown and user-defined pieces, without spaces. */
  readonly reserved: readonly string[];
  /** The normalizer changes letter case, so that not even plain ASCII stays as it is. */
  readonly foldsCase: boolean;
  readonly maxWordBytes?: number;
}

/** Words with how often each stands before another word of its sentence, and how often it ends one. */
export interface WordCounts {
  readonly words: ByteKeys;
  readonly inner: Tallies;
  readonly ends: Tallies;
  /** The word that ends the last sentence. */
  readonly last: number;
  readonly sentences: number;
  /** Sentences without a character that counts. */
  readonly blank: number;
  /** Sentences left out because they hold `unknownSymbol`. */
  readonly leftOut: number;
}

function reservedPattern(reserved: readonly string[]): RegExp {
  const escaped = [...reserved]
    .sort((a, b) => b.length - a.length)
    .map((piece) => piece.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&"));
  return new RegExp(escaped.join("|"), "gu");
}

export class WordCounter {
  /** What stands between plain spaces, not normalized yet: most sentences are made of few different ones. */
  private readonly chunks = new ByteKeys();
  private readonly chunkInner = new Tallies();
  private readonly chunkEnds = new Tallies();
  private readonly blankChunks = new Uint8ArrayList();
  private readonly words = new ByteKeys();
  private readonly inner = new Tallies();
  private readonly ends = new Tallies();
  private readonly last = new LastSentence();
  private sentences = 0;
  private blank = 0;
  private leftOut = 0;
  private scratch = new Uint8Array(1024);
  private readonly pattern: RegExp;
  private readonly firstBytes: ReadonlySet<number>;
  private readonly options: WordCounterOptions;

  constructor(options: WordCounterOptions) {
    this.options = options;
    const { reserved } = options;
    this.pattern = reservedPattern(reserved);
    this.firstBytes = new Set(reserved.map((piece) => encoder.encode(piece)[0] as number));
  }

  /**
   * Counts one sentence.
   * @param sentence valid UTF-8 without a line end
   * @throws CORPUS_TOO_VARIED
   */
  add(sentence: Uint8Array): void {
    if (sentence.length === 0) return;
    this.sentences++;
    const bytes = Buffer.from(sentence.buffer, sentence.byteOffset, sentence.length);
    const marked = bytes.includes(blockBytes);
    if (marked && bytes.includes(unknownBytes)) {
      this.leftOut++;
      return;
    }
    if (marked && bytes.includes(spaceBytes)) this.addWhole(sentence);
    else this.addChunks(sentence);
    const held = this.chunks.sizeBytes + this.words.sizeBytes;
    const limit = this.options.maxWordBytes ?? defaultMaxWordBytes;
    if (held > limit) {
      throw new BridleError("CORPUS_TOO_VARIED", {
        sentences: this.sentences,
        limitMb: Math.round(limit / 2 ** 20),
      });
    }
  }

  private addChunks(sentence: Uint8Array): void {
    let previous = -1;
    for (let from = 0; from < sentence.length; ) {
      let to = sentence.indexOf(space, from);
      if (to < 0) to = sentence.length;
      if (to > from) {
        const known = this.chunks.size;
        const chunk = this.chunks.add(sentence, from, to);
        if (chunk === known) this.blankChunks.push(this.isBlank(sentence.subarray(from, to)));
        if (this.blankChunks.get(chunk) === 0) {
          if (previous >= 0) this.chunkInner.add(previous, 1);
          previous = chunk;
        }
      }
      from = to + 1;
    }
    this.endSentence(previous < 0 ? undefined : { chunk: previous });
    if (previous >= 0) this.chunkEnds.add(previous, 1);
  }

  private isBlank(bytes: Uint8Array): 0 | 1 {
    for (const byte of bytes) if (byte > space && byte < 0x7f) return 0;
    return this.options.normalizer.normalize(decoder.decode(bytes)) === "" ? 1 : 0;
  }

  private addWhole(sentence: Uint8Array): void {
    const word = this.addNormalized(
      this.options.normalizer.normalize(decoder.decode(sentence)),
      0,
      1,
    );
    this.endSentence(word < 0 ? undefined : { word });
  }

  private endSentence(end: SentenceEnd | undefined): void {
    if (end === undefined) this.blank++;
    this.last.add(end);
  }

  /** Counts the words of a normalized text and answers the last one, or −1 where there is none. */
  private addNormalized(normalized: string, inner: number, ends: number): number {
    const text = normalized.replace(this.pattern, boundarySymbol);
    let word = -1;
    for (let from = 0; from < text.length; ) {
      let to = text.indexOf(spaceSymbol, from + 1);
      if (to < 0) to = text.length;
      if (word >= 0) this.inner.add(word, inner + ends);
      word = this.addWord(encoder.encode(text.slice(from, to)), inner + ends);
      from = to;
    }
    if (word >= 0) {
      this.inner.add(word, inner);
      this.ends.add(word, ends);
    }
    return word;
  }

  /** The number of a word, or that of its last part where it is too long to be one. */
  private addWord(bytes: Uint8Array, count: number): number {
    let from = 0;
    while (bytes.length - from > longestWordBytes) {
      let to = from + longestWordBytes;
      while (((bytes[to] as number) & 0xc0) === 0x80) to--;
      this.inner.add(this.words.add(bytes, from, to), count);
      from = to;
    }
    return this.words.add(bytes, from, bytes.length);
  }

  /** Whether a chunk is the same when normalized and holds no reserved piece. */
  private isPlain(bytes: Uint8Array): boolean {
    if (bytes.length > longestWordBytes / 2) return false;
    for (const byte of bytes) {
      if (byte <= space || byte >= 0x7f || this.firstBytes.has(byte)) return false;
    }
    return !this.options.foldsCase;
  }

  /** Normalizes what was counted, a part at a time so that others get their turn; the counter is then used up. */
  async finish(onPart: (done: number, total: number) => Promise<void>): Promise<WordCounts> {
    const lastEnd = this.last.get();
    let last = lastEnd !== undefined && "word" in lastEnd ? lastEnd.word : -1;
    for (let chunk = 0; chunk < this.chunks.size; chunk++) {
      if (chunk % 20_000 === 0) await onPart(chunk, this.chunks.size);
      const inner = this.chunkInner.get(chunk);
      const ends = this.chunkEnds.get(chunk);
      if (inner + ends === 0) continue;
      const bytes = this.chunks.bytesOf(chunk);
      let word: number;
      if (this.isPlain(bytes)) {
        if (bytes.length + 3 > this.scratch.length) this.scratch = new Uint8Array(longestWordBytes);
        this.scratch.set(spaceBytes);
        this.scratch.set(bytes, spaceBytes.length);
        word = this.words.add(this.scratch, 0, bytes.length + spaceBytes.length);
        this.inner.add(word, inner);
        this.ends.add(word, ends);
      } else {
        const normalized = this.options.normalizer.normalize(decoder.decode(bytes));
        word = this.addNormalized(normalized, inner, ends);
      }
      if (lastEnd !== undefined && "chunk" in lastEnd && lastEnd.chunk === chunk) last = word;
    }
    const { words, inner, ends, sentences, blank, leftOut } = this;
    return { words, inner, ends, last, sentences, blank, leftOut };
  }
}

/** What a sentence ends with: a chunk, or a word where the sentence was normalized whole. */
type SentenceEnd = { readonly chunk: number } | { readonly word: number };

/**
 * Which sentence the reference has last: it fills the place of each blank one with the last that is left. Of sentences
 * 0 to n−1 with b blank ones that is the first with text from number n−b−1 on.
 */
class LastSentence {
  /** Ends of the sentences that may yet be it: as many as were blank, and one. */
  private ends: (SentenceEnd | undefined)[] = [];
  private from = 0;
  private blank = 0;

  add(end: SentenceEnd | undefined): void {
    this.ends.push(end);
    if (end === undefined) this.blank++;
    if (this.ends.length - this.from > this.blank + 1) this.from++;
    if (this.from < 1000) return;
    this.ends = this.ends.slice(this.from);
    this.from = 0;
  }

  get(): SentenceEnd | undefined {
    for (let i = this.from; i < this.ends.length; i++) {
      if (this.ends[i] !== undefined) return this.ends[i];
    }
    return undefined;
  }
}

/** Bytes that grow at their end. */
class Uint8ArrayList {
  private bytes = new Uint8Array(1 << 10);
  private length = 0;

  push(byte: number): void {
    if (this.length === this.bytes.length) {
      const grown = new Uint8Array(this.length * 2);
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.bytes[this.length++] = byte;
  }

  get(at: number): number {
    return this.bytes[at] as number;
  }
}
