// Tensors of keys or values, all of one shape, whose room changes with the documents that are in them.
import { type BufferPool, isOutOfMemory } from "./buffer-pool.js";

/** How long memory may be where less room is made. */
const mostShrunkTo = (length: number) => Math.ceil(1.25 * length);

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
    { documents, ...was }: { readonly documents: number; readonly places: number },
    mostBytes: number,
  ): unknown {
    const { names, held, pool } = this;
    const { places } = room;
    const [before, after] = [this.slice, room.slice];
    const length = this.lengthFor(room);
    // Memory that has become too large is none to stay in, nor to move the next tensor to.
    const isLess = length < this.lengthFor({ places: was.places, slice: before });
    const most = Math.floor(mostBytes / (4 * names.length));
    const longest = Math.max(length, Math.min(most, isLess ? mostShrunkTo(length) : most));
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
      const isShorter = after < before;
      if (!isShorter) {
        const room = { places: Math.min(places, was.places), slice: before };
        for (const name of moved) this.moveBack(name, room, after, documents);
        return error;
      }
      // Shorter slices fit where they are.
      for (const [name, data] of held) if (!moved.includes(name)) move(data, data, [before, after]);
      this.slice = after;
      const fits = [...held.values()].every((data) => data.length >= length);
      return fits ? undefined : error;
    }
  }

  /** Gives a tensor the shorter slices again that it had, in memory for those where there is some, else where it is. */
  private moveBack(name: string, room: Room, after: number, documents: number): void {
    const data = this.held.get(name) as Float32Array;
    const length = this.lengthFor(room);
    let taken = data;
    try {
      if (data.length > mostShrunkTo(length)) taken = this.pool.take(length, mostShrunkTo(length));
    } catch (thrown) {
      if (!isOutOfMemory(thrown)) throw thrown;
    }
    this.moveSlices(documents, data, taken, [after, room.slice]);
    if (taken === data) return;
    this.pool.give(data);
    this.held.set(name, taken);
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
