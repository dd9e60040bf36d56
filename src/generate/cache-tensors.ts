// Tensors of keys or values, all of one shape, whose room changes with the documents that are in them.
import type { BufferPool } from "./buffer-pool.js";

/** Where less room is made, the memory for it may be so many times as long. */
const mostShrunk = 1.25;

export interface HeadShape {
  readonly heads: number;
  readonly headWidth: number;
}

/** Room for so many documents, of which each head has a slice of so many vectors. */
export interface Room {
  readonly places: number;
  readonly slice: number;
}

/** Tensors [places,H,slice,D]. Documents stand in their first places; what is behind them may be anything. */
export class CacheTensors {
  readonly held = new Map<string, Float32Array>();
  /** Vectors of a document and head. */
  slice = 0;
  private readonly names: readonly string[];
  private readonly shape: HeadShape;
  private readonly pool: BufferPool;

  constructor(names: readonly string[], shape: HeadShape, pool: BufferPool) {
    this.names = names;
    this.shape = shape;
    this.pool = pool;
  }

  get sizeBytes(): number {
    return [...this.held.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Numbers of one document in one tensor. */
  get width(): number {
    return this.lengthFor({ places: 1, slice: this.slice });
  }

  /** Bytes that all of them take with some room. */
  bytesFor(room: Room): number {
    return 4 * this.names.length * this.lengthFor(room);
  }

  private lengthFor({ places, slice }: Room): number {
    return places * this.shape.heads * slice * this.shape.headWidth;
  }

  /** Sets a document's numbers to zero. */
  clear(place: number): void {
    const { width } = this;
    for (const data of this.held.values()) data.fill(0, place * width, (place + 1) * width);
  }

  /** Puts a document's numbers into another place. */
  move(from: number, to: number): void {
    const { width } = this;
    for (const data of this.held.values())
      data.copyWithin(to * width, from * width, (from + 1) * width);
  }

  release(): void {
    for (const data of this.held.values()) this.pool.give(data);
    this.held.clear();
    this.slice = 0;
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
    { documents, places }: { readonly documents: number; readonly places: number },
    mostBytes: number,
  ): unknown {
    const { names, held, pool } = this;
    const [before, after] = [this.slice, room.slice];
    const length = this.lengthFor(room);
    // Memory that has become too large is none to stay in, nor to move the next tensor to.
    const isLess = length < this.lengthFor({ places, slice: before });
    const most = Math.floor(mostBytes / (4 * names.length));
    const longest = Math.min(most, isLess ? Math.ceil(mostShrunk * length) : most);
    const move = (from: Float32Array, to: Float32Array, slices: readonly [number, number]) =>
      this.moveSlices(documents, from, to, slices);
    const moved: string[] = [];
    try {
      for (const name of names) {
        const data = held.get(name);
        if (data === undefined || data.length < length || data.length > longest) {
          const taken = pool.take(length, longest);
          if (data !== undefined) {
            move(data, taken, [before, after]);
            pool.give(data);
          }
          held.set(name, taken);
        } else move(data, data, [before, after]);
        moved.push(name);
      }
      this.slice = after;
      return undefined;
    } catch (error) {
      if (held.size < names.length) {
        this.release();
        return error;
      }
      // Shorter slices fit where they are, and so do those of before where longer ones do.
      const isShorter = after < before;
      for (const [name, data] of held) {
        if (moved.includes(name) !== isShorter)
          move(data, data, isShorter ? [before, after] : [after, before]);
      }
      this.slice = isShorter ? after : before;
      const fits = isShorter && [...held.values()].every((data) => data.length >= length);
      return fits ? undefined : error;
    }
  }

  /** Moves slices of one length into slices of another, as much of each as both have room for, into other memory or where they are. */
  private moveSlices(
    documents: number,
    from: Float32Array,
    to: Float32Array,
    [before, after]: readonly [number, number],
  ): void {
    if (from === to && before === after) return;
    const { heads, headWidth } = this.shape;
    const count = documents * heads;
    const kept = Math.min(before, after) * headWidth;
    for (let n = 0; n < count; n++) {
      // Longer ones move away from each other, the last one first.
      const i = after > before ? count - 1 - n : n;
      const start = i * before * headWidth;
      const first = i * after * headWidth;
      to.set(from.subarray(start, start + kept), first);
      to.fill(0, first + kept, (i + 1) * after * headWidth);
    }
  }
}
