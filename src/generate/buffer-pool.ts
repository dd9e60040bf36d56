// Memory for keys and values that batches give back and others take again.
import { release } from "../runtime/release.js";

/** Memory for so many numbers. @throws RangeError where there is none left */
export type Allocate = (length: number) => Float32Array;

export const allocateNew: Allocate = (length) => new Float32Array(length);

/** V8 refuses memory by a RangeError; which of them is told by its words alone. */
export function isOutOfMemory(thrown: unknown): boolean {
  return thrown instanceof RangeError && /allocation failed|array length/i.test(thrown.message);
}

/** What is taken again may be so many times as long as what was asked for: the rest of it lies idle. */
const mostSlack = 2;

/** Four lengths between a power of two and the next: of few lengths, one that fits is more often there. */
function roundUp(length: number): number {
  const step = Math.max(1, 2 ** (Math.floor(Math.log2(length)) - 2));
  return Math.ceil(length / step) * step;
}

/**
 * Batches grow with every document that is longer than those before, and are gone with their last one. What they let go
 * would lie around until V8 collects garbage, which it does by the size of its own heap: hundreds of megabytes later.
 * Here it is kept for the next one, and never more in all than was in use at a time since the rest before the last.
 */
export class BufferPool {
  private readonly allocate: Allocate;
  private readonly free: Float32Array[] = [];
  private freeLength = 0;
  private usedLength = 0;
  /** Most that was in use at a time, and most of it since the last rest. */
  private mostUsedLength = 0;
  private latelyUsedLength = 0;

  constructor(allocate: Allocate = allocateNew) {
    this.allocate = allocate;
  }

  /** Bytes kept that nobody uses. */
  get freeBytes(): number {
    return 4 * this.freeLength;
  }

  /**
   * At least so many numbers, which may be anything.
   * @param most numbers that the rest lying idle may make of them
   * @throws RangeError where memory is short
   */
  take(length: number, most = Number.POSITIVE_INFINITY): Float32Array {
    if (length === 0) return new Float32Array(0);
    const longest = Math.max(length, Math.min(most, mostSlack * length));
    let found: Float32Array | undefined;
    for (const one of this.free) {
      if (one.length < length || one.length > longest) continue;
      if (found === undefined || one.length < found.length) found = one;
    }
    if (found === undefined) {
      const rounded = Math.min(roundUp(length), longest);
      this.keepAtMost(this.mostUsedLength - this.usedLength - rounded);
      found = this.allocateOrFree(rounded);
    } else this.drop(found);
    this.usedLength += found.length;
    this.latelyUsedLength = Math.max(this.latelyUsedLength, this.usedLength);
    this.mostUsedLength = Math.max(this.mostUsedLength, this.latelyUsedLength);
    return found;
  }

  /** Takes back what `take` gave; whoever gives it uses it no more. */
  give(buffer: Float32Array): void {
    if (buffer.length === 0) return;
    this.usedLength -= buffer.length;
    this.free.push(buffer);
    this.freeLength += buffer.length;
    this.keepAtMost(this.mostUsedLength - this.usedLength);
  }

  /** Nothing is to do for now: what took more before the last rest is forgotten. */
  rest(): void {
    this.mostUsedLength = this.latelyUsedLength;
    this.latelyUsedLength = this.usedLength;
    this.keepAtMost(this.mostUsedLength - this.usedLength);
  }

  /** Where memory is short, what lies here unused is let go before that is told. */
  private allocateOrFree(length: number): Float32Array {
    try {
      return this.allocate(length);
    } catch (thrown) {
      if (this.free.length === 0) throw thrown;
      this.keepAtMost(0);
      return this.allocate(length);
    }
  }

  /** Lets go of what was given back first. */
  private keepAtMost(length: number): void {
    while (this.freeLength > length && this.free[0] !== undefined) {
      const [oldest] = this.free;
      this.drop(oldest);
      release([oldest]);
    }
  }

  private drop(buffer: Float32Array): void {
    this.free.splice(this.free.indexOf(buffer), 1);
    this.freeLength -= buffer.length;
  }
}
