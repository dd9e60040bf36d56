// Tensors of what belongs to documents, keys and values above all, whose room changes with the documents that are in them.
import { zeroOf } from "../graph/index.js";
import type { TensorData } from "../runtime/tensor.js";
import { type BufferPool, isOutOfMemory } from "./buffer-pool.js";
import { bytesOf, type CacheInput, type MemoryType } from "./cache.js";

/** How long memory may be where less room is made. */
const mostShrunkTo = (length: number) => Math.ceil(1.25 * length);

/** Room for so many documents, of which each slice has so many slots. */
export interface Room {
  readonly places: number;
  readonly slots: number;
}

/** The element of a tensor that stands for zero. */
export const zeroIn = ({ dtype }: CacheInput) => (dtype === "float32" ? 0 : zeroOf(dtype));

/** Elements of a tensor, in memory that may be longer. */
type Elements = TensorData[MemoryType];

const views = { int8: Int8Array, uint8: Uint8Array } as const;

/** Memory as the elements that a tensor holds in it. */
function viewOf({ dtype }: CacheInput, memory: Float32Array): Elements {
  if (dtype === "float32") return memory;
  return new views[dtype](memory.buffer as ArrayBuffer, memory.byteOffset, memory.byteLength);
}

/** Float32 numbers that a tensor takes with some room. */
const lengthFor = (input: CacheInput, { places, slots }: Room) =>
  Math.ceil((places * bytesOf(input, slots)) / 4);

/** Tensors of some inputs. Documents stand in their first places; what is behind them may be anything. */
export class CacheTensors {
  /** Slots of a slice, in those that have some. */
  slots = 0;
  private readonly held = new Map<CacheInput, Float32Array>();
  private readonly inputs: readonly CacheInput[];
  private readonly pool: BufferPool;

  constructor(inputs: readonly CacheInput[], pool: BufferPool) {
    this.inputs = inputs;
    this.pool = pool;
  }

  get sizeBytes(): number {
    return [...this.held.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** The elements of each that is held. */
  *[Symbol.iterator](): Generator<readonly [CacheInput, Elements]> {
    for (const [input, memory] of this.held) yield [input, viewOf(input, memory)];
  }

  /** Slots that a slice of it has now. */
  slotsOf({ hasSlots }: CacheInput): number {
    return hasSlots ? this.slots : 1;
  }

  /** Elements of one document in it. */
  widthOf(input: CacheInput): number {
    return input.slices * input.width * this.slotsOf(input);
  }

  /** Bytes that all of them take with some room. */
  bytesFor(room: Room): number {
    return this.inputs.reduce((sum, input) => sum + 4 * lengthFor(input, room), 0);
  }

  /** Sets a document's elements to zero. */
  clear(place: number): void {
    for (const [input, data] of this) {
      const width = this.widthOf(input);
      data.fill(zeroIn(input), place * width, (place + 1) * width);
    }
  }

  /** Puts a document's elements into another place. */
  move(from: number, to: number): void {
    for (const [input, data] of this) {
      const width = this.widthOf(input);
      data.copyWithin(to * width, from * width, (from + 1) * width);
    }
  }

  release(): void {
    for (const data of this.held.values()) this.pool.give(data);
    this.held.clear();
    this.slots = 0;
  }

  /**
   * Makes other room, in one tensor after the other: no two of them are there twice.
   * @param documents how many stand in them, and for how many there were places
   * @param mostBytes that all of them may take; what is asked for they take in any case
   * @returns a RangeError where memory was short; documents have lost nothing then, and slices are as long as they were unless
   * they could be made shorter
   */
  resize(
    room: Room,
    { documents, ...was }: { readonly documents: number; readonly places: number },
    mostBytes: number,
  ): unknown {
    const { inputs, held, pool } = this;
    const { places } = room;
    const [before, after] = [this.slots, room.slots];
    const allBytes = this.bytesFor(room);
    const move = (
      input: CacheInput,
      from: Float32Array,
      to: Float32Array,
      slots: readonly [number, number],
    ) => moveSlices(input, documents, [from, to], slots);
    const moved: CacheInput[] = [];
    try {
      for (const input of inputs) {
        const length = lengthFor(input, room);
        // Memory that has become too large is none to stay in, nor to move the next tensor to.
        const isLess = length < lengthFor(input, { places: was.places, slots: before });
        const share = allBytes === 0 ? 1 / inputs.length : (4 * length) / allBytes;
        const most = Math.floor((mostBytes * share) / 4);
        const longest = Math.max(length, Math.min(most, isLess ? mostShrunkTo(length) : most));
        const data = held.get(input);
        if (data === undefined || data.length < length || data.length > longest) {
          const taken = pool.take(length, longest);
          if (data !== undefined) {
            move(input, data, taken, [before, after]);
            pool.give(data);
          }
          held.set(input, taken);
        } else move(input, data, data, [before, after]);
        moved.push(input);
      }
      this.slots = after;
      return undefined;
    } catch (error) {
      if (held.size < inputs.length) {
        this.release();
        return error;
      }
      const isShorter = after < before;
      if (!isShorter) {
        const room = { places: Math.min(places, was.places), slots: before };
        for (const input of moved) this.moveBack(input, room, after, documents);
        return error;
      }
      // Shorter slices fit where they are.
      for (const [input, data] of held) {
        if (!moved.includes(input)) move(input, data, data, [before, after]);
      }
      this.slots = after;
      const fits = [...held].every(([input, data]) => data.length >= lengthFor(input, room));
      return fits ? undefined : error;
    }
  }

  /** Gives a tensor the shorter slices again that it had, in memory for those where there is some, else where it is. */
  private moveBack(input: CacheInput, room: Room, after: number, documents: number): void {
    const data = this.held.get(input) as Float32Array;
    const length = lengthFor(input, room);
    let taken = data;
    try {
      if (data.length > mostShrunkTo(length)) taken = this.pool.take(length, mostShrunkTo(length));
    } catch (thrown) {
      if (!isOutOfMemory(thrown)) throw thrown;
    }
    moveSlices(input, documents, [data, taken], [after, room.slots]);
    if (taken === data) return;
    this.pool.give(data);
    this.held.set(input, taken);
  }
}

/** Moves slices of one length into slices of another, as much of each as both have room for, into other memory or where they are. */
function moveSlices(
  input: CacheInput,
  documents: number,
  [fromMemory, toMemory]: readonly [Float32Array, Float32Array],
  slots: readonly [number, number],
): void {
  const { slices, width, hasSlots } = input;
  const [before, after] = hasSlots ? slots : [1, 1];
  if (fromMemory === toMemory && before === after) return;
  const [from, to] = [viewOf(input, fromMemory), viewOf(input, toMemory)];
  const zero = zeroIn(input);
  const count = documents * slices;
  if (before === after) {
    to.set(from.subarray(0, count * before * width));
    return;
  }
  const kept = Math.min(before, after) * width;
  for (let n = 0; n < count; n++) {
    // Longer ones move away from each other, the last one first.
    const i = after > before ? count - 1 - n : n;
    const start = i * before * width;
    const first = i * after * width;
    to.set(from.subarray(start, start + kept), first);
    to.fill(zero, first + kept, (i + 1) * after * width);
  }
}
