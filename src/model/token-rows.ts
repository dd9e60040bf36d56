// Tokens as rows without padding: the inputs of a graph that works on them, and what these are fed for a batch.
import type { GraphBuilder, HeadPlaces } from "../graph/index.js";
import { int32, int64, type Tensor } from "../runtime/tensor.js";
import type { TokenRows } from "./layers.js";

type Side = "source" | "target";

const placesInput = (side: Side, heads: number) => `${side}Places.${heads}`;
const tokensInput = (side: Side, heads: number) => `${side}Tokens.${heads}`;
const positionsInput = (side: Side) => `${side}Positions`;

/** The numbers 0 … length − 1. */
export function positions(length: number): Tensor<"int64"> {
  return int64(
    Array.from({ length }, (_, i) => i),
    [length],
  );
}

/** The inputs that tell how the tokens of one side lie. */
export function inputRows(g: GraphBuilder, side: Side): TokenRows {
  const known = new Map<number, HeadPlaces>();
  return {
    heads(count) {
      const places = known.get(count) ?? {
        places: g.input(placesInput(side, count), "int32", ["batch", count, side]),
        tokens: g.input(tokensInput(side, count), "int32", [`${side}Tokens`, count]),
      };
      known.set(count, places);
      return places;
    },
    positions: g.input(positionsInput(side), "int64", [side]),
  };
}

/** Which tokens of a padded block take part, row by row. */
export interface PackedTokens {
  /** Size of the block. */
  readonly shape: readonly [batch: number, length: number];
  /** Where in the block each row's token stands, as b·T + t; the last is of a place without a token where there is one. */
  readonly places: readonly number[];
  /** Whether the last row stands for all places without a token. */
  readonly hasBlank: boolean;
}

/**
 * Packs a block. What takes no part shares one row at the end, at the first such place of the block: what attention makes of it
 * is let go, and no gradient reaches it.
 * @param takesPart by row and place
 */
export function packTokens(takesPart: readonly (readonly boolean[])[]): PackedTokens {
  const all = takesPart.flat();
  const places = all.flatMap((part, place) => (part ? [place] : []));
  const blank = all.indexOf(false);
  return {
    shape: [takesPart.length, takesPart[0]?.length ?? 0],
    places: blank < 0 ? places : [...places, blank],
    hasBlank: blank >= 0,
  };
}

/** The values of a block at its tokens, [N]; the last one is `blank` where it stands for places without a token. */
export function takeTokens<T>(
  { places, shape, hasBlank }: PackedTokens,
  block: readonly (readonly T[])[],
  blank?: T,
): T[] {
  const [, length] = shape;
  const taken = places.map((place) => block[Math.floor(place / length)]?.[place % length] as T);
  if (hasBlank && blank !== undefined) taken[taken.length - 1] = blank;
  return taken;
}

/** Feeds of the inputs that `inputRows` asks for, for each number of heads. */
export function rowFeeds(
  side: Side,
  { shape: [batch, length], places, hasBlank }: PackedTokens,
  heads: Iterable<number>,
): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {
    [positionsInput(side)]: positions(length),
  };
  const blank = hasBlank ? places.length - 1 : 0;
  for (const count of new Set(heads)) {
    const tokens = new Int32Array(places.length * count);
    const byPlace = new Int32Array(batch * count * length);
    for (let slice = 0; slice < batch * count; slice++) {
      byPlace.fill(blank * count + (slice % count), slice * length, (slice + 1) * length);
    }
    for (let token = 0; token < places.length; token++) {
      const place = places[token] ?? 0;
      const row = Math.floor(place / length);
      const first = row * count * length + (place - row * length);
      for (let head = 0; head < count; head++) {
        const at = first + head * length;
        tokens[token * count + head] = at;
        byPlace[at] = token * count + head;
      }
    }
    feeds[placesInput(side, count)] = int32(byPlace, [batch, count, length]);
    feeds[tokensInput(side, count)] = int32(tokens, [places.length, count]);
  }
  return feeds;
}
