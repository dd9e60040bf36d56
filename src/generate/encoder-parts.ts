// Which of a call's documents are encoded together.
import type { Device } from "../runtime/devices.js";
import { float32, type Tensor } from "../runtime/tensor.js";
import type { Search } from "./search.js";

/** What the encoder is fed: `ids` [N,S], `mask` [N,1,1,S], `positions` [S]. */
export interface EncoderFeeds {
  readonly ids: Tensor<"int64">;
  readonly mask: Tensor<"float32">;
  readonly positions: Tensor<"int64">;
}

/** Tokens that are encoded together; one document alone may have more. A GPU wants more at once than a few cores. */
const tokensTogether = { cpu: 512, gpu: 8192 };

/** Documents of some length that are encoded together at most, unless one alone has more tokens. */
export function mostTogether(length: number, device: Device): number {
  return Math.max(1, Math.floor(tokensTogether[device === "cpu" ? "cpu" : "gpu"] / length));
}

/** What several calls' documents of one length are fed as. */
export function joinFeeds(all: readonly EncoderFeeds[]): EncoderFeeds {
  const [first] = all;
  if (first === undefined || all.length === 1) return first as EncoderFeeds;
  const length = first.mask.shape[3] as number;
  const rows = all.reduce((sum, { mask }) => sum + (mask.shape[0] as number), 0);
  const ids = new BigInt64Array(rows * length);
  const mask = new Float32Array(rows * length);
  let at = 0;
  for (const each of all) {
    ids.set(each.ids.data, at);
    mask.set(each.mask.data, at);
    at += each.mask.data.length;
  }
  return {
    ids: { ...first.ids, shape: [rows, length], data: ids },
    mask: float32(mask, [rows, 1, 1, length]),
    positions: first.positions,
  };
}

/** Documents of a call that are encoded together. */
export interface EncoderPart {
  readonly searches: readonly Search[];
  readonly feeds: EncoderFeeds;
  /** Documents of the call that come after them. */
  readonly left: number;
}

/**
 * A call's documents in parts of some tokens. Products are as quick with 512 rows as with more, while the memory that
 * attention takes grows with all documents that are encoded together.
 */
export function* partsOf(
  { searches, feeds }: { readonly searches: readonly Search[]; readonly feeds: EncoderFeeds },
  device: Device,
): Generator<EncoderPart> {
  const { ids, mask, positions } = feeds;
  const length = mask.shape[3] as number;
  const most = mostTogether(length, device);
  for (let from = 0; from < searches.length; from += most) {
    const to = Math.min(from + most, searches.length);
    const rows = to - from;
    const [start, end] = [from * length, to * length];
    const fed: EncoderFeeds = {
      ids: { ...ids, shape: [rows, length], data: ids.data.subarray(start, end) },
      mask: float32(mask.data.subarray(start, end), [rows, 1, 1, length]),
      positions,
    };
    yield { searches: searches.slice(from, to), feeds: fed, left: searches.length - to };
  }
}
