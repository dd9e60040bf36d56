// How documents are read: the places each takes in the encoder, and which of a call's documents are encoded together.
import type { ModelConfig } from "../model/family.js";
import { additiveMask } from "../model/forward.js";
import type { Device } from "../runtime/devices.js";
import { int64, int64Rows, type Tensor } from "../runtime/tensor.js";
import type { Search } from "./search.js";

/** A document as a call gives it, without padding behind it. */
export interface Source {
  readonly ids: readonly number[];
  /** 1 for a token that is read and 0 for one that is not; undefined where all are. */
  readonly mask: readonly number[] | undefined;
}

/** A document as the encoder reads it: in so many places, of which its tokens take the first. */
export interface Reading extends Source {
  readonly length: number;
}

/** What the encoder is fed: `ids` [N,S], `mask` [N,1,1,S], `positions` [S]. */
export interface EncoderFeeds {
  readonly ids: Tensor<"int64">;
  readonly mask: Tensor<"float32">;
  readonly positions: Tensor<"int64">;
}

/**
 * Keys and values of a source take a multiple of so many places. Sums over a source are made in vectors of at most so many elements, the
 * rest one by one; without a rest, padding adds zeros and nothing else, so that a document's figures are the same in any batch.
 */
const placesTogether = 16;

/** Places for the keys and values of so many tokens. */
export const roomFor = (tokens: number) => Math.ceil(tokens / placesTogether) * placesTogether;

/** Tokens that are encoded together; one document alone may have more. A GPU wants more at once than a few cores. */
const tokensTogether = { cpu: 256, gpu: 8192 };

/** Documents of some length that are encoded together at most, unless one alone has more tokens. */
export function mostTogether(length: number, device: Device): number {
  return Math.max(1, Math.floor(tokensTogether[device === "cpu" ? "cpu" : "gpu"] / length));
}

/**
 * How a call's documents are read. What is padded is read under a mask, which costs more: on the CPU only those are padded that
 * others of about their length can be encoded with. A document's own length decides that, so that its figures are the
 * same in any company.
 */
export function readingsOf(sources: readonly Source[], device: Device): Reading[] {
  const longest = roomFor(Math.max(...sources.map(({ ids }) => ids.length)));
  return sources.map((source) => {
    // A GPU reads as many at once as there is room for, under a mask in any case.
    if (device !== "cpu")
      return { ids: source.ids, mask: source.mask ?? source.ids.map(() => 1), length: longest };
    const [tokens, padded] = [source.ids.length, roomFor(source.ids.length)];
    return { ...source, length: mostTogether(padded, device) === 1 ? tokens : padded };
  });
}

const isPadded = ({ ids, mask, length }: Reading) => mask !== undefined || ids.length < length;

/** Documents of one kind can be encoded together, and none of them is read otherwise than by itself. */
export const kindOf = (reading: Reading) => `${reading.length} ${isPadded(reading)}`;

export interface DocumentToRead {
  readonly search: Search;
  readonly reading: Reading;
}

/** Documents that are encoded together. */
export interface EncoderPart {
  readonly searches: readonly Search[];
  readonly feeds: EncoderFeeds;
  /** Documents that come after them, none of them longer. */
  readonly left: number;
}

/**
 * Documents in parts of one kind and some tokens, the longest first. Products are as quick with 256 rows as with more, while
 * memory grows with all documents that are encoded together.
 */
export function* partsOf(
  documents: readonly DocumentToRead[],
  config: ModelConfig,
  device: Device,
): Generator<EncoderPart> {
  const kinds = new Map<string, DocumentToRead[]>();
  for (const document of documents.toSorted((a, b) => b.reading.length - a.reading.length)) {
    const kind = kindOf(document.reading);
    kinds.set(kind, [...(kinds.get(kind) ?? []), document]);
  }
  let left = documents.length;
  for (const alike of kinds.values()) {
    const most = mostTogether(alike[0]?.reading.length ?? 1, device);
    for (let from = 0; from < alike.length; from += most) {
      const together = alike.slice(from, from + most);
      left -= together.length;
      const searches = together.map(({ search }) => search);
      const readings = together.map(({ reading }) => reading);
      yield { searches, feeds: feedsOf(readings, config), left };
    }
  }
}

/** What the encoder is fed for documents of one length. */
function feedsOf(readings: readonly Reading[], config: ModelConfig): EncoderFeeds {
  const [{ length } = { length: 0 }] = readings;
  const pad = (row: readonly number[], filler: number) => [
    ...row,
    ...new Array<number>(length - row.length).fill(filler),
  ];
  const last = (config.maxPositions ?? length) - 1;
  return {
    ids: int64Rows(
      "inputIds",
      readings.map(({ ids }) => pad(ids, config.padTokenId)),
    ),
    mask: additiveMask(readings.map(({ ids, mask }) => pad(mask ?? ids.map(() => 1), 0))),
    // Nothing looks at padding, so that it may stand anywhere.
    positions: int64(
      Array.from({ length }, (_, i) => Math.min(i, last)),
      [length],
    ),
  };
}
