// A SentencePiece processor: text to pieces and back.
import { createNormalizer, spaceSymbol } from "./normalizer.js";
import { bytePiece, pieceTypes, type SentencePieceModel } from "./sentencepiece-model.js";
import { createUnigram } from "./unigram.js";

export interface EncodedPiece {
  readonly piece: string;
  readonly id: number;
}

/** A piece with the part of the text that it stands for, in UTF-16 units. */
export interface PlacedPiece extends EncodedPiece {
  readonly start: number;
  readonly end: number;
}

export interface SentencePiece {
  readonly size: number;
  readonly unknownId: number;
  normalize(text: string): string;
  encode(text: string): EncodedPiece[];
  /** As `encode`, with places. Of the bytes of an unknown character the last one has its place. */
  encodePlaced(text: string): PlacedPiece[];
  /** Text of pieces: spaces for U+2581, the one that begins the text left out; control pieces are silent. */
  decode(pieces: readonly string[]): string;
  pieceOf(id: number): string;
  /** Id of a piece, that of the unknown piece for any other string. */
  idOf(piece: string): number;
}

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes of the character that a lead byte announces, 0 where it can lead none. */
function announced(lead: number): number {
  if (lead < 0x80) return 1;
  if ((lead & 0xe0) === 0xc0) return 2;
  if ((lead & 0xf0) === 0xe0) return 3;
  return (lead & 0xf8) === 0xf0 ? 4 : 0;
}

/** The character that the bytes are, or undefined where they are none. */
function characterOf(bytes: readonly number[]): string | undefined {
  if (bytes.length === 0 || bytes.length < announced(bytes[0] as number)) return undefined;
  try {
    return strict.decode(Uint8Array.from(bytes));
  } catch {
    return undefined;
  }
}

/** UTF-8 with U+FFFD for every single byte that is no part of a character, as SentencePiece decodes bytes. */
function decodeBytes(bytes: readonly number[]): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = announced(bytes[at] as number);
    const character = characterOf(bytes.slice(at, at + length));
    text += character ?? "\ufffd";
    at += character === undefined ? 1 : length;
  }
  return text;
}

/** @param file named in errors @throws TOKENIZER_INVALID when a normalization table is damaged */
export function createSentencePiece(model: SentencePieceModel, file: string): SentencePiece {
  const { pieces, trie, unknownId, unknownSurface, byteFallback } = model;
  const userDefined = pieces
    .filter(({ type }) => type === pieceTypes.userDefined)
    .map(({ piece }) => piece);
  const normalizer = createNormalizer(model.normalizer, userDefined, file);
  const denormalizer =
    model.denormalizer === undefined ? undefined : createNormalizer(model.denormalizer, [], file);
  const unigram = createUnigram(pieces, trie, unknownId);
  const idOf = (piece: string) => {
    const id = trie.find(piece);
    return id < 0 ? unknownId : id;
  };
  const stripsSpace = model.normalizer.addDummyPrefix || model.normalizer.removeExtraWhitespaces;
  const bytes = new Map(Array.from({ length: 256 }, (_, byte) => [idOf(bytePiece(byte)), byte]));

  /** Pieces of a normalized text; `start` and `end` are places in it. */
  function cut(normalized: string): PlacedPiece[] {
    const found: PlacedPiece[] = [];
    for (const { id, start, end } of unigram.cut(normalized)) {
      const piece = normalized.slice(start, end);
      if (id !== unknownId || !byteFallback) {
        found.push({ id, piece, start, end });
        continue;
      }
      let at = start;
      for (const character of piece) {
        const parts = [...encoder.encode(character)].map(bytePiece);
        for (const [i, part] of parts.entries()) {
          const last = i === parts.length - 1;
          const place = { start: at, end: last ? at + character.length : at };
          found.push({ id: idOf(part), piece: part, ...place });
        }
        at += character.length;
      }
    }
    return found;
  }

  return {
    size: pieces.length,
    unknownId,
    normalize: normalizer.normalize,
    encode: (text) => cut(normalizer.normalize(text)).map(({ id, piece }) => ({ id, piece })),
    encodePlaced(text) {
      const { text: normalized, origins } = normalizer.align(text);
      return cut(normalized).map(({ id, piece, start, end }) => ({
        id,
        piece,
        start: origins[start] as number,
        end: origins[end] as number,
      }));
    },
    decode(sequence) {
      let text = "";
      let atStart = true;
      let spaceSeen = false;
      let held: number[] = [];
      const flush = () => {
        if (held.length > 0) text += decodeBytes(held);
        held = [];
      };
      for (const piece of sequence) {
        const id = idOf(piece);
        if (pieces[id]?.type === pieceTypes.byte) {
          held.push(bytes.get(id) ?? 0);
          continue;
        }
        flush();
        if (spaceSeen || text !== "") atStart = false;
        spaceSeen = false;
        if (pieces[id]?.type === pieceTypes.control) continue;
        if (id === unknownId) {
          text += piece === pieces[unknownId]?.piece ? unknownSurface : piece;
          continue;
        }
        let rest = piece;
        if (atStart && stripsSpace && rest.startsWith(spaceSymbol)) {
          rest = rest.slice(1);
          spaceSeen = !model.normalizer.removeExtraWhitespaces;
        }
        text += rest.replaceAll(spaceSymbol, " ");
      }
      flush();
      return denormalizer?.normalize(text) ?? text;
    },
    pieceOf: (id) => pieces[id]?.piece ?? "",
    idOf,
  };
}
