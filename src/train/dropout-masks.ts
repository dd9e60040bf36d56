// The dropout masks of a training graph, filled anew for each run of it in memory that is kept from run to run.
import { BridleError } from "../errors/error.js";
import type { DropoutMask } from "../graph/index.js";
import { float32, size, type Tensor } from "../runtime/tensor.js";
import { fillDropoutMask, maskCapacity } from "./dropout.js";
import { type AllocationOptions, allocateTensors, type Tensors } from "./tensor-memory.js";

/** Each mask may stand in a memory of its own: those of one micro-batch can be more than one memory holds. */
export class DropoutMasks {
  private readonly masks: readonly DropoutMask[];
  private readonly seed: number;
  private readonly allocation: AllocationOptions;
  private rooms: Tensors = new Map();

  constructor(masks: readonly DropoutMask[], seed: number, allocation: AllocationOptions = {}) {
    this.masks = masks;
    this.seed = seed;
    this.allocation = allocation;
  }

  /**
   * Feeds of the graph for a batch; those of the run before are written over.
   * @param sizes that the masks' shapes name
   * @param run how many runs of the graph came before
   * @throws MASKS_TOO_LARGE
   */
  next(sizes: ReadonlyMap<string, number>, run: number): Record<string, Tensor> {
    if (this.masks.length === 0) return {};
    const shapes = this.masks.map(({ input }) =>
      input.shape.map((dim) => (typeof dim === "number" ? dim : sizeOf(dim, sizes))),
    );
    this.reserve(shapes.map((shape) => maskCapacity(size(shape))));
    const feeds: Record<string, Tensor> = {};
    for (const [stream, { input, rate }] of this.masks.entries()) {
      const shape = shapes[stream] as number[];
      const elements = size(shape);
      const room = this.roomOf(input.name).subarray(0, maskCapacity(elements));
      fillDropoutMask(room, rate, { seed: this.seed, step: run, stream });
      feeds[input.name] = float32(room.subarray(0, elements), shape);
    }
    return feeds;
  }

  private roomOf(name: string): Float32Array {
    return this.rooms.get(name)?.data ?? new Float32Array(0);
  }

  /** Makes room for masks of so many elements; those that had more keep it, so that batches in turn settle soon. */
  private reserve(needed: readonly number[]): void {
    const names = this.masks.map(({ input }) => input.name);
    const there = names.map((name) => this.roomOf(name).length);
    if (needed.every((elements, i) => elements <= (there[i] as number))) return;
    const bundles = names.map((name, i) => {
      return { name, parts: { mask: [Math.max(needed[i] as number, there[i] as number)] } };
    });
    this.rooms = new Map();
    try {
      this.rooms = allocateTensors(bundles, this.allocation).tensors("mask");
    } catch (thrown) {
      throw tooLarge(thrown, needed);
    }
  }
}

function sizeOf(name: string, sizes: ReadonlyMap<string, number>): number {
  const size = sizes.get(name);
  if (size === undefined) throw new BridleError("BUG", { reason: `no batch has a size ${name}` });
  return size;
}

/** What the memory says of weights and optimizers helps nobody whose masks found no room. */
function tooLarge(thrown: unknown, needed: readonly number[]): unknown {
  if (!(thrown instanceof BridleError)) return thrown;
  const { code, details } = thrown;
  const reasons: Readonly<Record<string, string>> = {
    TENSOR_TOO_LARGE: `one of them takes ${details.neededMb} MB, and ${details.limitMb} MB is the limit`,
    MEMORY_EXHAUSTED: `which the system does not give: ${details.reason}`,
  };
  const reason = reasons[code];
  if (reason === undefined) return thrown;
  const neededMb = Math.ceil((4 * needed.reduce((sum, elements) => sum + elements, 0)) / 1e6);
  return new BridleError("MASKS_TOO_LARGE", { neededMb, reason }, { cause: thrown });
}
