// Memory that a session's outputs are written into, used again by the next run.
import { release } from "../runtime/release.js";
import { size, type Tensor } from "../runtime/tensor.js";
import { type Allocate, allocateNew } from "./buffer-pool.js";

/**
 * Taken before a step begins, so that who needs more than there is can be told before anything is done. Each output has one array,
 * as long as the longest that was asked for, whose beginning the next run takes.
 */
export class OutputBuffers {
  private readonly allocate: Allocate;
  private readonly numbers = new Map<string, Float32Array>();
  private readonly ids = new Map<string, BigInt64Array>();

  constructor(allocate: Allocate = allocateNew) {
    this.allocate = allocate;
  }

  /** For keys and values, all of one shape, until a batch has copied them. */
  float32s(names: readonly string[], shape: readonly number[]): Record<string, Tensor> {
    return Object.fromEntries(names.map((name) => [name, this.float32(name, shape)]));
  }

  /**
   * For the scores of a step, until searches have read them: of each row the best, and all where a vocabulary is given.
   * @param rows documents, and rows of each
   */
  scores(
    rows: readonly [number, number],
    count: number,
    vocabulary: number | undefined,
  ): Record<string, Tensor> {
    return {
      ...(vocabulary !== undefined && { logits: this.float32("logits", [...rows, vocabulary]) }),
      best: this.float32("best", [...rows, count]),
      tokens: this.int64("tokens", [...rows, count]),
      likeliest: this.float32("likeliest", [...rows, 1]),
    };
  }

  /** Holds what the output was last time, until a run has written into it. @throws RangeError where memory is short */
  float32(name: string, shape: readonly number[]): Tensor<"float32"> {
    const length = size(shape);
    let held = this.numbers.get(name);
    if (held === undefined || held.length < length) {
      // Let go first: both need not be there at once.
      this.numbers.delete(name);
      if (held !== undefined) release([held]);
      held = this.allocate(length);
      this.numbers.set(name, held);
    }
    return { dtype: "float32", shape, data: held.subarray(0, length) };
  }

  /** The same of whole numbers. */
  int64(name: string, shape: readonly number[]): Tensor<"int64"> {
    const length = size(shape);
    let held = this.ids.get(name);
    if (held === undefined || held.length < length) {
      held = new BigInt64Array(length);
      this.ids.set(name, held);
    }
    return { dtype: "int64", shape, data: held.subarray(0, length) };
  }
}
