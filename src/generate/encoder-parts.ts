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
  const most = Math.max(1, Math.floor(tokensTogether[device === "cpu" ? "cpu" : "gpu"] / length));
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
